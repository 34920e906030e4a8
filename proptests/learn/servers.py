"""The programs as they run: postern-smtpd, a process a connection with one end of a socket pair as its descriptors 0 and 1, and
`postern serve` over TCP on the loopback interface. Each in a home of its own, for one world of table_machine.py.
"""
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import alphabet
from table_machine import HOST
from talk import Talk

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 30
AT_ONCE = 8
LISTENS = re.compile(r"\]: listen: \S+:(\d+)$", re.M)
PORTS_OF_AN_ADDRESS = 8000  # connections from one address of 127.0.0.0/8, before the next one is taken


def make_stage(folder):
    """What all homes share: the stand-ins and a certificate."""
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O1", "-o", folder / "queue", HERE / "standin.c"], check=True, timeout=60)
    (folder / "check").hardlink_to(folder / "queue")
    (folder / "unstartable").write_text("\x7fELF of no machine\0")
    (folder / "unstartable").chmod(0o755)
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "7", "-subj", f"/CN={HOST}", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-keyout", folder / "key", "-out", folder / "cert"],
                   check=True, capture_output=True, timeout=60)
    (folder / "server.pem").write_text((folder / "key").read_text() + (folder / "cert").read_text())


def make_home(stage, home, world):
    control = home / "control"
    control.mkdir(parents=True)
    files = {"me": HOST, "rcpthosts": alphabet.OURS, "badmailfrom": alphabet.REFUSED_SENDER, "badrcptto": alphabet.REFUSED,
             "databytes": alphabet.DATABYTES, "maxrcpt": alphabet.MAX_RECIPIENTS}
    for name, text in files.items():
        (control / name).write_text(f"{text}\n")
    record = f"+{len(alphabet.KNOWN)},0:{alphabet.KNOWN}->\n\n"
    subprocess.run(["cdb", "-c", control / "validrcptto.cdb"], input=record.encode(), check=True, timeout=60)
    if not world.lists_readable:
        (control / "morercpthosts.cdb").write_text("no cdb")
    if world.certificate and not world.is_set("SSL"):
        (control / "servercert.pem").write_text((stage / "server.pem").read_text())


def variables(stage, world):
    found = {name: str(value) for name, value in world.settings if name != "AUTH" or value or not world.backend}
    found |= {"QMAILQUEUE": str(stage / ("queue" if world.has_room else "unstartable")), "RELAYREJ": "1", "VALIDRCPTTO_LIMIT": "0"}
    if "AUTH" not in found:
        found["AUTH"] = "0"
    if world.relay_client:
        found["RELAYCLIENT"] = ""
    if world.local_only:
        found["POSTERN_RELAY"] = "0"
    return found


class Server:
    """`ask` answers many words, each on a connection of its own, some of them at once. `between` may stand between, as controls do."""

    def __init__(self, between=None):
        self.between, self.is_implicit = between, False

    def ask(self, words):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(self.outputs, words)

    def outputs(self, word):
        with self.connection() as sock:
            talk = Talk(self.between(sock) if self.between else sock, self.is_implicit)
            found = talk.outputs(word)
            talk.close()
        return found


class Smtpd(Server):
    """As tcpserver runs it. With SSL=1 the octets that arrive are decrypted: sslserver stands before it."""

    def __init__(self, program, stage, world, between=None):
        super().__init__(between)
        self._folder = tempfile.TemporaryDirectory(prefix="postern-learn-")
        home = pathlib.Path(self._folder.name)
        make_home(stage, home, world)
        self._words = [str(program), *([HOST, str(stage / "check"), "/bin/true"] if world.backend else [])]
        self._environment = variables(stage, world) | {
            "PATH": "/usr/bin:/bin", "POSTERN_HOME": str(home), "PROTO": "SSL" if world.is_set("SSL") else "TCP",
            "TCPREMOTEIP": "127.0.0.1", "TCPLOCALIP": "127.0.0.1"}
        self._nowhere = os.open("/dev/null", os.O_WRONLY)

    @contextlib.contextmanager
    def connection(self):
        ours, its = socket.socketpair()
        actions = [(os.POSIX_SPAWN_DUP2, its.fileno(), 0), (os.POSIX_SPAWN_DUP2, its.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, self._nowhere, 2)]
        pid = os.posix_spawn(self._words[0], self._words, self._environment, file_actions=actions)
        its.close()
        try:
            yield ours
        finally:
            ours.close()
            os.waitpid(pid, 0)

    def end(self):
        os.close(self._nowhere)
        self._folder.cleanup()
        return []


class Serve(Server):
    """One process for all connections."""

    def __init__(self, program, stage, world, between=None):
        super().__init__(between)
        self._folder = tempfile.TemporaryDirectory(prefix="postern-learn-")
        home, self._count = pathlib.Path(self._folder.name), itertools.count()
        make_home(stage, home, world)
        self.is_implicit, self._log_path = bool(world.is_set("SSL")), home / "log"
        (home / "postern.toml").write_text(self._file(stage, world, home))
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen([str(program), "serve", "-c", str(home / "postern.toml")], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=log, env={"PATH": "/usr/bin:/bin"})
        self._wait_until_it_listens()

    def _file(self, stage, world, home):
        values = variables(stage, world) | {"ip": "127.0.0.1", "port": 0}
        if world.is_set("SSL"):
            values["TLS_SERVER_CERT"] = str(stage / "server.pem")
        if world.backend:
            values["check_program"] = [HOST, str(stage / "check"), "/bin/true"]
        values = {name: int(value) if name.isupper() and str(value).isdigit() else value for name, value in values.items()}
        return "\n".join(["[server]", f"home = {json.dumps(str(home))}", "[[listener]]",
                          *(f"{name} = {json.dumps(value)}" for name, value in values.items()), ""])

    def _wait_until_it_listens(self):
        limit = time.monotonic() + START_SECONDS
        while "]: ready: " not in self.log():
            if self._process.poll() is not None or time.monotonic() > limit:
                self._process.kill()
                raise SystemExit("postern serve does not start:\n" + self.log())
            time.sleep(0.02)
        self._port = int(LISTENS.search(self.log())[1])

    def log(self):
        return self._log_path.read_text("latin-1")

    @contextlib.contextmanager
    def connection(self):
        sock = socket.socket()
        sock.bind((f"127.0.1.{1 + next(self._count) // PORTS_OF_AN_ADDRESS % 250}", 0))
        sock.connect(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield sock
        finally:
            sock.close()

    def end(self):
        """What is wrong with its end or its log."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(START_SECONDS + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        strays = [line for line in self.log().splitlines() if " stray_reports=" in line]
        self._folder.cleanup()
        return [f"ended with {code}"] * bool(code) + strays
