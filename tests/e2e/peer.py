"""What the end-to-end tests stand on: a throw-away home, a real tcpserver before the program, a client with patience.

The program under test is the first argument of each test file, or POSTERN_SMTPD: postern-smtpd, or with POSTERN_SERVE or a
first argument that ends in /postern the listener, `postern serve`. Everything happens on the loopback
interface, every wait has an end, and what a test started is killed, as a process group, when the test is over.
"""

import base64
import contextlib
import functools
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
import urllib.request

import spec_replay

HOST = "mx.postern.example"
OURS = "postern.example"
USER, PASSWORD = "alice", "wonderland"
# crypt(3) of PASSWORD; cheap rounds on purpose
HASH = "$5$rounds=1000$oraclesalt$trnN8VapAOXiuXzdVSPJNrmg/ho5bvNky20PjOit3dA"
USERS = {USER: HASH, "bob": HASH + ',PASSWORD_EXPIRES="1"', "carol": HASH + ',PASSWORD_EXPIRES="4102444800"',
         "dave": HASH + ',DATABYTES="77"'}
PATIENCE_SECONDS = 30
ROOT = pathlib.Path(__file__).resolve().parents[2]

CHECK_PROGRAM = """#!/bin/sh
tr '\\000' '\\n' <&3 | {
  read -r user; read -r password
  case "$user" in crash) kill -SEGV $$; exit 0;; fail) exit 111;; esac
  [ "$user:$password" = alice:wonderland ] && exec "$@"
  exit 1
}
"""


def program():
    return os.environ["POSTERN_SMTPD"]


def postern():
    """Beside the program under test, or that one."""
    return pathlib.Path(os.environ.get("POSTERN_SERVE") or program()).with_name("postern")


def is_listener():
    """Whether `postern serve` is the program under test."""
    return "POSTERN_SERVE" in os.environ


def by_postern_smtpd_alone(reason):
    """For tests that mean nothing to a listener."""
    def decorate(test):
        @functools.wraps(test)
        def run(case):
            if is_listener():
                case.skipTest(reason)
            test(case)
        return run
    return decorate


def main():
    if len(sys.argv) > 1 and "/" in sys.argv[1]:
        path = os.path.abspath(sys.argv.pop(1))
        os.environ["POSTERN_SERVE" if path.endswith("/postern") else "POSTERN_SMTPD"] = path
    if not os.access(os.environ.get("POSTERN_SERVE") or os.environ.get("POSTERN_SMTPD", ""), os.X_OK):
        sys.exit("usage: FILE_test.py PATH/postern-smtpd|PATH/postern [TEST...], or POSTERN_SMTPD or POSTERN_SERVE set")
    unittest.main(verbosity=2)


def replies():
    """The reply lines of the spec by name: "220 ready for tls"."""
    rows = tomllib.loads((ROOT / "spec/replies.toml").read_text())["reply"]
    return {row["name"]: f"{row['code']} {row['text']}" for row in rows}


def encoded(text):
    return base64.b64encode(text.encode("latin-1")).decode()


def plain_response(user, password):
    return encoded(f"\0{user}\0{password}")


def write_script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(arguments, **more):
    return subprocess.run([str(word) for word in arguments], capture_output=True, timeout=6 * PATIENCE_SECONDS, **more)


def until(is_true, seconds=PATIENCE_SECONDS):
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def free_port():
    """Free for TCP and UDP on all addresses, and none that the kernel gives to a connection before the server starts."""
    first_given = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(first_given // 2, first_given), 100):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind(("", port))
            udp.bind(("", port))
            return port
    raise AssertionError("no port is free")


def tls_context(**attributes):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def make_certificate(folder, name="server", newkey=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), days=7):
    """KEY, CERTIFICATE: two texts in PEM."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    made = run(["openssl", "req", "-x509", "-nodes", "-days", days, "-subj", f"/CN={HOST}", "-newkey", *newkey,
                "-keyout", key, "-out", certificate])
    made.check_returncode()
    return key.read_text(), certificate.read_text()


def make_cdb(path, records):
    text = "".join(f"+{len(key)},{len(value)}:{key}->{value}\n" for key, value in records.items()) + "\n"
    subprocess.run(["cdb", "-c", path], input=text.encode(), check=True, timeout=PATIENCE_SECONDS)
    return path


class Home:
    """A folder with control/, users.cdb, a check program, a certificate, and mail/ as the Maildir root."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="postern-e2e-"))
        self.control, self.mail = self.path / "control", self.path / "mail"
        self.control.mkdir()
        self.mail.mkdir()
        (self.control / "me").write_text(HOST + "\n")
        (self.control / "rcpthosts").write_text(OURS + "\n")
        (self.control / "databytes").write_text("0\n")  # both programs without a bound, unless a test sets one
        self.pem = self.control / "servercert.pem"
        self.key, self.certificate = make_certificate(self.path)
        self.pem.write_text(self.key + self.certificate)
        self.users = make_cdb(self.path / "users.cdb", USERS)
        self.check_program = write_script(self.path / "checkpw", CHECK_PROGRAM)

    def environment(self, **settings):
        """For a server of this home; a setting of None is left out."""
        all_settings = {"PATH": os.environ["PATH"], "POSTERN_HOME": str(self.path), "POSTERN_MAILDIR": str(self.mail),
                        "POSTERN_LOG_DECISIONS": "1"}
        all_settings |= settings
        return {name: str(value) for name, value in all_settings.items() if value is not None}

    def check_arguments(self):
        return HOST, self.check_program, "/bin/true"

    def script(self, name, text):
        return write_script(self.path / name, "#!/bin/sh\n" + text)

    def stored(self, mailbox="*/*"):
        """The messages in new/, oldest first."""
        files = sorted(self.mail.glob(f"{mailbox}/new/*"), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_bytes() for file in files]

    def leftovers(self):
        """Files below the Maildir root that are not delivered messages."""
        return [file for file in self.mail.rglob("*") if file.is_file() and file.parent.name != "new"]

    def forget_mail(self):
        for folder in self.mail.iterdir():  # the root stays: a session may hold it open
            shutil.rmtree(folder)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Service:
    """A process group that is killed at the end; its log goes to a file."""

    def __init__(self, arguments, environment, **more):
        self._log = tempfile.NamedTemporaryFile(prefix="postern-e2e-log-")
        self.process = subprocess.Popen([str(word) for word in arguments], env=environment, stderr=self._log,
                                        start_new_session=True, **more)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return pathlib.Path(self._log.name).read_bytes().decode("latin-1")

    def wait_for_log(self, text):
        """The log, once it has the text in it, or as it is when patience ends."""
        until(lambda: text in self.log())
        return self.log()

    def others(self):
        """Living processes of this session but its first one."""
        return [pid for pid in processes_of(self.pid) if pid != self.pid]

    def is_idle(self):
        return until(lambda: not self.others())

    def stop(self):
        for pid in processes_of(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        if self._log.closed:
            return
        log = self.log()
        self._log.close()
        assert_nothing_strayed(log)
        assert_follows_the_spec(log)


def assert_nothing_strayed(log):
    """No answer came to a session that waited for something else: a defect that the program itself notices."""
    lines = [line for line in log.splitlines() if " stray_reports=" in line]
    if lines:
        raise AssertionError("\n".join(lines))


def assert_follows_the_spec(log):
    """What the sessions of this log decided, did and said is what the rules of spec/*.toml say."""
    problems = spec_replay.problems_of(log)
    if problems:
        raise AssertionError("\n".join(problems))


def processes_of(session):
    """By pid, from /proc: neither zombies nor anybody else's."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its_session) == session and state not in "ZX":
            found.append(int(folder.name))
    return found


class Tcpserver(Service):
    """tcpserver on a free port of 127.0.0.1, as in a run file; `before` are programs that exec what follows them."""

    def __init__(self, environment, arguments=(), options=(), before=(), path=None):
        words = ["tcpserver", "-1", "-H", "-R", "-l0", *options, "127.0.0.1", "0"]
        words += [*before, path or program(), *arguments]
        super().__init__(words, environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not select.select([self.process.stdout], [], [], PATIENCE_SECONDS)[0]:
            self.stop()
            raise TimeoutError("tcpserver does not start")
        self.port = int(self.process.stdout.readline())

    def connect(self, **more):
        return Client(self.port, **more)


LISTENER_VARIABLES = {
    "PORT", "SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH", "QMAILQUEUE", "ERROR_FD",
    "POSTERN_LMTP", "POSTERN_MAILDIR", "POSTERN_DISCARD", "POSTERN_RELAY", "POSTERN_DELIVERED_TO",
    "POSTERN_HIDE_USER", "POSTERN_LOG_DECISIONS", "TMPDIR", "AUTH_CDB", "RELAYCLIENT", "DATABYTES", "SMTPGREETING", "MAXRCPT", "STRICT_ADDRESSES",
    "RELAYREJ", "VALIDRCPTTO_CDB", "VALIDRCPTTO_LIMIT", "POSTERN_UNKNOWN_RECIPIENTS", "POSTERN_USERDB", "POSTERN_POLICY_SERVICE", "POSTERN_POLICY_FAILURE",
    "POSTERN_FILTERS", "POSTERN_FILTER_FAILURE", "POSTERN_FILTER_MAX_OCTETS", "POSTERN_RSPAMD_SETTINGS", "RCPTCHECK", "DNSBL", "DNSBL_SENDER", "DNSBL_HELO",
    "DNSBL_THRESHOLD", "DNSBL_AT_CONNECT", "RBLSMTPD", "GREETDELAY", "DROP_PRE_GREET", "TLS_SERVER_CERT", "TLS_SERVER_KEY", "TLSCIPHERS"}
SESSIONS = re.compile(r"^postern_open_sessions (\d+)$", re.MULTILINE)


class Serve(Service):
    """`postern serve` on a free port, with the home, the variables and the check program of postern-smtpd's environment;
    `limits` are keys of [limits], `server` lines of [server], `keys` are more of its [[listener]]."""

    def __init__(self, environment, arguments=(), limits=None, server=(), **keys):
        variables = {name: value for name, value in environment.items() if name in LISTENER_VARIABLES}
        of_the_process = {name: value for name, value in environment.items() if name not in variables}
        if variables.keys() & {"QMAILQUEUE", "POSTERN_LMTP"}:
            variables.pop("POSTERN_MAILDIR", None)
        self._file = tempfile.NamedTemporaryFile("w", prefix="postern-e2e-", suffix=".toml")
        listener = [f"{name} = {value if value.isdecimal() else json.dumps(value)}" for name, value in variables.items()]
        listener += [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        listener += [f"check_program = {json.dumps([str(word) for word in arguments])}"] if arguments else []
        resolvers = [f'dns = "{of_the_process.pop("POSTERN_DNS")}"'] if "POSTERN_DNS" in of_the_process else []
        self._file.write("\n".join(["[server]", f'home = "{of_the_process.pop("POSTERN_HOME")}"', 'metrics = "127.0.0.1:0"', *resolvers, *server,
                                    "[limits]", *(f"{name} = {json.dumps(value)}" for name, value in (limits or {}).items()),
                                    "[[listener]]", 'ip = "127.0.0.1"', "port = 0", *listener, ""]))
        self._file.flush()
        super().__init__([os.environ["POSTERN_SERVE"], "serve", "-c", self._file.name],
                         of_the_process, stdin=subprocess.DEVNULL)
        if "]: ready: " not in self.wait_for_log("]: ready: "):
            log = self.log()
            self.stop()
            raise TimeoutError("postern serve does not start:\n" + log)
        self.port = int(re.search(r"\]: listen: \S+:(\d+)\n", self.log())[1])
        self._metrics = re.search(r"\]: metrics: (\S+)\n", self.log())[1]

    def connect(self, **more):
        return Client(self.port, **more)

    def others(self):
        """Open sessions, and programs that were run for them."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=PATIENCE_SECONDS) as page:
            sessions = int(SESSIONS.search(page.read().decode())[1])
        return super().others() + sessions * ["session"]

    def stop(self):
        super().stop()
        self._file.close()


def start_server(environment, arguments=(), tcprules=None):
    """The program under test, ready for clients: postern-smtpd under tcpserver, or the listener."""
    if is_listener():
        return Serve(environment, arguments, **({"tcprules": str(tcprules)} if tcprules else {}))
    return Tcpserver(environment, arguments, ("-x", tcprules) if tcprules else ())


class Client:
    """The client's end of one connection, in clear or over TLS; every receive has a deadline."""

    def __init__(self, port=None, source="127.0.0.1", sock=None, greeted=True, patience=PATIENCE_SECONDS):
        self.socket = sock or socket.create_connection(("127.0.0.1", port), patience, source_address=(source, 0))
        self.socket.settimeout(patience)
        if self.socket.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        if greeted:
            self.greeting = self.reply()

    def send(self, octets):
        try:
            self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode("latin-1"))
        except OSError:
            pass  # closed by the server: reading will tell

    def send_pieces(self, pieces, pause_seconds=0.003):
        """Each in a segment of its own."""
        for piece in pieces:
            self.send(piece)
            time.sleep(pause_seconds)

    def reply(self):
        """One reply, lines joined by LF; "" when the server has closed."""
        lines = [self._line()]
        while lines[-1][3:4] == "-":
            lines.append(self._line())
        return "\n".join(lines)

    def say(self, *commands):
        """Sends command lines at once; the replies, or the one reply to one command."""
        self.send("".join(command + "\r\n" for command in commands))
        got = [self.reply() for _ in commands]
        return got[0] if len(got) == 1 else got

    def start_tls(self, context=None):
        """The handshake alone."""
        if self._unread:
            raise AssertionError(f"octets in clear after 220: {self._unread!r}")
        self.socket = (context or tls_context()).wrap_socket(self.socket)
        return self

    def starttls(self):
        self.say("EHLO client.example")
        assert self.say("STARTTLS") == "220 ready for tls"
        return self.start_tls()

    def end(self):
        """Says that nothing more will be sent, below TLS if there is TLS."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def rest(self):
        """All that comes until the server closes."""
        try:
            while octets := self.socket.recv(65536):
                self._unread += octets
        except TimeoutError as error:
            raise AssertionError(f"not closed by the server: {self._unread!r}") from error
        except OSError:
            pass
        unread, self._unread = self._unread, b""
        return unread

    def deliver(self, message, sender="me@sender.example", recipient=f"user@{OURS}"):
        """The reply to the end of mail data, or to the command that was refused. `message` is transparent already."""
        for command, code in ((f"MAIL FROM:<{sender}>", "250"), (f"RCPT TO:<{recipient}>", "250"), ("DATA", "354")):
            reply = self.say(command)
            if not reply.startswith(code):
                return reply
        self.send(message + "\r\n.\r\n")
        return self.reply()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _line(self):
        while b"\n" not in self._unread:
            try:
                octets = self.socket.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                octets = b""
            if not octets:
                return ""
            self._unread += octets
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode("latin-1").removesuffix("\r")


class Direct(Service):
    """The program itself on one end of a socket pair, without tcpserver; `client` is at the other."""

    def __init__(self, environment, arguments=(), greeted=False, path=None):
        ours, its = socket.socketpair()
        with its:
            super().__init__([path or program(), *arguments], environment, stdin=its, stdout=its)
        self.client = Client(sock=ours, greeted=greeted)

    def finish(self):
        """Its exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self):
        self.client.close()
        super().stop()


class Case(unittest.TestCase):
    """A home for each class; `serve` and `start` make what the test's end stops."""

    maxDiff = None

    def assert_logged(self, service, text):
        self.assertIn(text, service.wait_for_log(text))

    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.addClassCleanup(cls.home.remove)
        cls.replies = replies()

    def serve(self, arguments=(), tcprules=None, **settings):
        server = start_server(self.home.environment(**settings), arguments, tcprules)
        self.addCleanup(server.stop)
        return server

    def serve_by_tcpserver(self, arguments=(), options=(), before=(), path=None, **settings):
        server = Tcpserver(self.home.environment(**settings), arguments, options, before, path)
        self.addCleanup(server.stop)
        return server

    def start(self, arguments=(), greeted=False, path=None, **settings):
        direct = Direct(self.home.environment(**settings), arguments, greeted, path)
        self.addCleanup(direct.stop)
        return direct

    def fresh_home(self):
        home = Home()
        self.addCleanup(home.remove)
        return home

    def assert_ok(self, completed):
        self.assertEqual(completed.returncode, 0, (completed.stdout + completed.stderr).decode("latin-1"))

    def assert_code(self, code, reply):
        self.assertEqual(reply[:3], str(code), reply)
