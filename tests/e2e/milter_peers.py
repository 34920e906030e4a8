"""Milters on private sockets: Debian's opendkim, clamav-milter, and one of python3-milter; Postfix before the same milter; and a
stand-in that does what no milter should."""

import json
import pathlib
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile

import peer
from policy_peers import Listening, PATHS, USER

HERE = pathlib.Path(__file__).resolve().parent


class Real:
    """A milter in a folder of its own; `filter` is it as POSTERN_FILTERS has it, `postfix` as smtpd_milters has it."""

    PREFIX = "postern-milter-"

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=self.PREFIX))
        self.folder.chmod(0o755)
        self.path = self.folder / "socket"
        self.filter, self.postfix = f"milter:unix:{self.path}", f"unix:{self.path}"
        self.start()

    def start(self):
        self.service = peer.Service(self.command(), PATHS, cwd=self.folder, stdout=subprocess.DEVNULL)
        if not peer.until(self.is_up, 60):
            log = self.service.log()
            self.remove()
            raise TimeoutError("it does not start: " + log)

    def is_up(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def stop(self):
        self.service.stop()
        self.path.unlink(missing_ok=True)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)


class Program(Real):
    """milter_program.py; with the option `tcp` on a port."""

    def __init__(self, *options):
        self.options, self.port = options, peer.free_port() if "tcp" in options else None
        super().__init__()
        self.record = self.folder / "record"
        if self.port:
            self.filter = f"milter:tcp:127.0.0.1:{self.port}"

    def is_up(self):
        if self.port:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        if not super().is_up():
            return False
        self.path.chmod(0o777)
        return True

    def command(self):
        place = f"inet:{self.port}@127.0.0.1" if self.port else self.path
        return ["/usr/bin/python3", HERE / "milter_program.py", place, self.folder / "record", *self.options]

    def shown(self):
        """What it was shown, message by message."""
        return [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []


def manual(file, **others):
    """The lines that docs/operating.md shows of this file, with other values for some of their keys, and more."""
    lines = (peer.ROOT / "docs/operating.md").read_text().partition(f"`{file}`")[2].split("\n\n", 2)[1].splitlines()
    values = dict(line.split(None, 1) for line in lines)
    return "".join(f"{key} {value}\n" for key, value in (values | {key.replace("_", "-"): value for key, value in others.items()}).items())


class OpenDkim(Real):
    """As the manual has it: signs for `domain` what comes from `internal`, and verifies all else; the DNS is a table."""

    def __init__(self, domain, internal="127.0.0.1", key=None):
        self.domain, self.internal, self.key = domain, internal, key
        super().__init__()

    def command(self):
        self.key = self.key or self.make_key()
        public = peer.run(["openssl", "rsa", "-in", self.key, "-pubout"]).stdout.decode()
        text = "".join(line for line in public.splitlines() if "-" not in line)
        (self.folder / "dns").write_text(f"mail._domainkey.{self.domain} v=DKIM1; k=rsa; p={text}\n")
        (self.folder / "conf").write_text(manual(
            "/etc/opendkim.conf", Socket=f"local:{self.path}", UserID=USER, Background="no", Syslog="no", Domain=self.domain,
            KeyFile=self.key, InternalHosts=self.internal, TestDNSData=f"file:{self.folder}/dns", AuthservID="mx.test", RequireSafeKeys="no"))
        return ["opendkim", "-f", "-x", self.folder / "conf"]

    def make_key(self):
        key = self.folder / "key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, stderr=subprocess.DEVNULL)
        key.chmod(0o600)
        return key


EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ClamAv(Real):
    """clamav-milter as the manual has it, and clamd, with a list of one signature that this writes."""

    def command(self):
        base = self.folder / "base"
        base.mkdir()
        (base / "test.ndb").write_text(f"Test.Eicar:0:*:{EICAR.encode().hex()}\n")
        (self.folder / "clamd.conf").write_text("\n".join([
            f"DatabaseDirectory {base}", f"LocalSocket {self.folder}/clamd", "Foreground yes", f"User {USER}",
            f"TemporaryDirectory {self.folder}"]) + "\n")
        (self.folder / "milter.conf").write_text(manual(
            "/etc/clamav/clamav-milter.conf", MilterSocket=f"unix:{self.path}", ClamdSocket=f"unix:{self.folder}/clamd",
            Foreground="yes", User=USER, TemporaryDirectory=self.folder))
        self.clamd = peer.Service(["clamd", "-F", f"--config-file={self.folder}/clamd.conf"], PATHS, cwd=self.folder,
                                  stdout=subprocess.DEVNULL)
        if not peer.until(self.clamd_answers, 60):
            raise TimeoutError("clamd does not start: " + self.clamd.log())
        return ["clamav-milter", "-c", self.folder / "milter.conf"]

    def clamd_answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.folder / "clamd")) != 0:
                return False
            probe.sendall(b"PING\n")
            return probe.recv(16).startswith(b"PONG")

    def stop(self):
        super().stop()
        self.clamd.stop()


NAMES = ("user", "other", "more", "third")
POSTFIX = """compatibility_level = 3.6
config_directory = {0}/etc
queue_directory = {0}/spool
data_directory = {0}/data
myhostname = {1}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = {2}
virtual_mailbox_maps = texthash:{0}/etc/boxes
virtual_mailbox_base = {0}/mail
virtual_uid_maps = static:{3}
virtual_gid_maps = static:{3}
virtual_minimum_uid = 1
smtpd_peername_lookup = no
smtpd_milters = {4}
milter_default_action = tempfail
maillog_file = {0}/log
maillog_file_prefixes = {0}
{5}
"""
MASTER = """127.0.0.1:{0} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
"""


class Postfix:
    """Debian's Postfix, which asks this milter and delivers into Maildirs; `more` are lines of its main.cf."""

    def __init__(self, milter, host, domain, more=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-postfix-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        for name in ("etc", "spool", "data", "mail"):
            (self.folder / name).mkdir()
        nobody = pwd.getpwnam("nobody").pw_uid
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", nobody)
        self.port = peer.free_port()
        (self.folder / "etc/main.cf").write_text(POSTFIX.format(self.folder, host, domain, nobody, milter.postfix if milter else "", more))
        (self.folder / "etc/boxes").write_text("".join(f"{name}@{domain} {name}/\n" for name in NAMES))
        (self.folder / "etc/master.cf").write_text(MASTER.format(self.port))
        subprocess.run(["postfix", "-c", str(self.folder / "etc"), "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.service = peer.Service(["/usr/lib/postfix/sbin/master", "-c", str(self.folder / "etc"), "-d"], PATHS,
                                    cwd=self.folder, stdout=subprocess.DEVNULL)
        if not peer.until(self.is_up, 60):
            raise TimeoutError("Postfix does not start: " + self.service.log())

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connect(self):
        return peer.Client(self.port)

    def stored(self, name):
        return [file.read_bytes() for file in sorted((self.folder / "mail" / name / "new").glob("*"))]

    def remove(self):
        self.service.stop()
        shutil.rmtree(self.folder)


def packet(letter, data=b""):
    return struct.pack(">I", len(data) + 1) + letter.encode() + data


def terms(actions=0x1FF, protocol=0, version=6):
    return packet("O", struct.pack(">III", version, actions, protocol))


class Standin(Listening):
    """`answers` by the letter of the command, else `c`; b"" ends the connection, None says nothing. `heard` has the letters of
    each connection."""

    def __init__(self, **answers):
        self.answers, self.heard = {"O": terms()} | answers, []
        super().__init__()
        self.filter = f"milter:{self.address}"

    def serve(self, connection):
        letters = []
        self.heard.append(letters)
        try:
            while True:
                head = self.read(connection, 4)
                command = self.read(connection, struct.unpack(">I", head)[0])
                letter = chr(command[0])
                letters.append(letter)
                if letter in "DQA":
                    continue
                answer = self.answers.get(letter, packet("c"))
                if answer == b"":
                    break
                if answer is not None:
                    connection.sendall(answer)
                    if answer.endswith(b"!"):  # half an answer, and the end
                        break
        except (OSError, EOFError):
            pass
        self.open.discard(connection)
        connection.close()

    @staticmethod
    def read(connection, octets):
        got = b""
        while len(got) < octets:
            more = connection.recv(octets - len(got))
            if not more:
                raise EOFError
            got += more
        return got
