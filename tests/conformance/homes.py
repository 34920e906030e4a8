"""Throw-away qmail homes, and the environment in which a server is started in one of them."""

import os
import pathlib
import struct
import subprocess

from recording import HERE

HOST = "mail.example.com"
# crypt(3) of "wonderland"; cheap rounds on purpose
HASH = "$5$rounds=1000$oraclesalt$trnN8VapAOXiuXzdVSPJNrmg/ho5bvNky20PjOit3dA"
USERS = {
    "alice": HASH,
    "eve": "*",
    "frank": "",
    "bob": HASH + ',PASSWORD_EXPIRES="1"',
    "dave": HASH + ',DATABYTES="77",ORACLE_VAR="set"',
    "carol": HASH + ',PASSWORD_EXPIRES="4102444800"',
}
RCPTHOSTS = f"example.com\n.sub.example.com\n{HOST}\n"

# Both read descriptor 3 to its end first, so that the writer never meets a closed pipe.
FAIL = "#!/bin/sh\ncat <&3 >/dev/null\nexit 111\n"
CRASH = "#!/bin/sh\ncat <&3 >/dev/null\nkill -SEGV $$\n"

CLIENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin", "PROTO": "TCP",
    "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": "25", "TCPLOCALHOST": HOST,
    "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": "40000",
}


class Homes:
    """One home a kind, below `root`."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.certificates = self.root / "certificates"
        self.certificates.mkdir()
        rsa_key, rsa = self._certificate("rsa", "rsa:2048")
        ec_key, ec = self._certificate("ec", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        (self.certificates / "rsa.pem").write_text(rsa_key + rsa)
        self._compile_standins()
        pem = dict.fromkeys(("cert", "norcpthosts", "nome", "timeout"), rsa_key + rsa)
        pem |= {"nocert": None, "garbage": "not a certificate\n", "ec": ec_key + ec, "keyonly": rsa_key}
        for kind, text in pem.items():
            self._make(kind, text)

    def path(self, kind):
        return self.root / f"home-{kind}"

    def has_certificate(self, kind):
        return (self.path(kind) / "control/servercert.pem").exists()

    def environment(self, configuration, session):
        home = self.path(configuration.home)
        environment = CLIENT | {"POSTERN_HOME": str(home)}
        for name, value in configuration.environment.items():
            environment[name] = value.replace("{home}", str(home)).replace("{certificates}", str(self.certificates))
        if environment.get("SSL") == "1":
            environment["PROTO"] = "SSL"  # as sslserver sets it
        if configuration.backend.startswith("cdb"):
            environment["AUTH_CDB"] = str(home / "users.cdb")
        return environment | session.environment

    def arguments(self, configuration):
        """What follows the program's name: hostname, check program, subprogram."""
        program = {"cl": "checkpw", "cdb+cl": "checkpw", "cl2": "checkpw", "clfail": "fail", "clcrash": "crash"}
        if configuration.backend not in program:
            return []
        check = str(self.path(configuration.home) / "bin" / program[configuration.backend])
        return [HOST, check] if configuration.backend == "cl2" else [HOST, check, "/bin/true"]

    def _make(self, kind, pem):
        control, programs = self.path(kind) / "control", self.path(kind) / "bin"
        control.mkdir(parents=True)
        (control / "databytes").write_text("0\n")  # the original has no bound without the file, postern serve has one
        programs.mkdir()
        if kind != "nome":
            (control / "me").write_text(HOST + "\n")
        if kind == "timeout":
            (control / "timeoutsmtpd").write_text("1\n")
        if kind != "norcpthosts":
            (control / "rcpthosts").write_text(RCPTHOSTS)
        if pem is not None:
            (control / "servercert.pem").write_text(pem)
        os.link(self.root / "queue", programs / "qmail-queue")
        os.link(self.root / "checkpw", programs / "checkpw")
        write_script(programs / "fail", FAIL)
        write_script(programs / "crash", CRASH)
        (self.path(kind) / "users.cdb").write_bytes(cdb(USERS))

    def _certificate(self, name, *newkey):
        key, certificate = self.certificates / f"{name}.key", self.certificates / f"{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={HOST}", "-newkey", *newkey,
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return key.read_text(), certificate.read_text()

    def _compile_standins(self):
        """They run thousands of times: scripts would take longer than the program under test."""
        for name in ("queue", "checkpw"):
            compiler = os.environ.get("CC", "cc")
            subprocess.run([compiler, "-O1", "-o", self.root / name, HERE / "standins" / f"{name}.c"], check=True)


def write_script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def cdb(records):
    """The octets of a constant database (https://cr.yp.to/cdb/cdb.txt)."""
    start = 2048
    data = b""
    slots = [[] for _ in range(256)]
    for key, value in records.items():
        key, value = key.encode(), value.encode()
        slots[cdb_hash(key) % 256].append((cdb_hash(key), start + len(data)))
        data += struct.pack("<II", len(key), len(value)) + key + value
    head = tables = b""
    for entries in slots:
        table = cdb_table(entries)
        head += struct.pack("<II", start + len(data) + len(tables), len(table))
        tables += b"".join(struct.pack("<II", *slot) for slot in table)
    return head + data + tables


def cdb_table(entries):
    """Twice as many slots as entries, linear probing."""
    table = [(0, 0)] * (2 * len(entries))
    for number, position in entries:
        at = number // 256 % len(table)
        while table[at][1]:
            at = (at + 1) % len(table)
        table[at] = (number, position)
    return table


def cdb_hash(key):
    number = 5381
    for octet in key:
        number = (number * 33 & 0xFFFFFFFF) ^ octet
    return number
