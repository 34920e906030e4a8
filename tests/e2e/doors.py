"""`postern serve` for tests that want many configurations: one process a home, one listener a check program, and after
each the classes of its tcprules. A configuration that is postern-smtpd's environment is here a class of clients, and the
class is a /24 of 127.0.0.0/8: a client is served with the variables of the address that it comes from. So what
refuses the start of postern-smtpd can be asked of the listener, too, and each dialogue finds its own lines in the log.
"""

import itertools
import json
import re
import signal
import socket
import subprocess
import time

import peer

START_SECONDS = 120
LISTENS = re.compile(r"^postern\[\d+\]: listen: \S+:(\d+)$", re.MULTILINE)
CLIENT = re.compile(r" client=(\S+)")
LAST_HOST = 254
networks = itertools.count(1 << 8)  # from 127.1.0.0/24 on


def at(network, host):
    return f"127.{network >> 8}.{network & 255}.{host}"


class Classes:
    """Which address gets which variables. `base` are those of the listener, fit to start; a class begins without them."""

    def __init__(self, base):
        self._base, self._open, self._records = base, {}, {}

    def address_for(self, variables):
        """Not used before."""
        value = self._value(variables)
        network, host = self._open.get(value, (None, LAST_HOST))
        if host == LAST_HOST:
            network, host = next(networks), 0
            self._records[at(network, "")] = value
        self._open[value] = network, host + 1
        return at(network, host + 1)

    def records(self):
        return self._records

    def _value(self, variables):
        settings = dict.fromkeys(self._base, "") | variables
        return "".join(f"+{name}={value}\0" for name, value in sorted(settings.items()))


class Door:
    """One listener of a process: its check program, and its classes."""

    def __init__(self, base, check_words=(), proxies=None):
        self.base, self.check_words, self.proxies, self.denied = base, check_words, proxies, []
        self.classes, self.port = Classes(base), None

    def lines(self, rules):
        yield from ("[[listener]]", 'ip = "127.0.0.1"', "port = 0", f"tcprules = {written(str(rules))}")
        yield from (f"{name} = {written(value)}" for name, value in self.base.items())
        if self.check_words:
            yield f"check_program = {written([str(word) for word in self.check_words])}"
        if self.proxies:
            yield f"proxies = {written([self.proxies])}"

    def records(self):
        return self.classes.records() | {address: "D" for address in self.denied}


def written(value):
    """As TOML has it: JSON, here."""
    return json.dumps(value)


class Listening:
    """One process. Its log is a file, so that many may read it."""

    def __init__(self, program, folder, home, doors, environment=None, server=None, limits=None):
        folder.mkdir(parents=True, exist_ok=True)
        self._log_path, self._doors = folder / "log", doors
        server = {"home": str(home)} | (server or {})
        lines = ["[server]", *(f"{name} = {written(value)}" for name, value in server.items())]
        lines += ["[limits]", *(f"{name} = {written(value)}" for name, value in (limits or {}).items())]
        for number, door in enumerate(doors):
            lines += door.lines(peer.make_cdb(folder / f"rules-{number}.cdb", door.records()))
        (folder / "postern.toml").write_text("".join(line + "\n" for line in lines))
        with open(self._log_path, "wb") as log:
            self.process = subprocess.Popen([str(program), "serve", "-c", str(folder / "postern.toml")],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                            env={"PATH": "/usr/bin:/bin"} | (environment or {}))
        self._wait_until_ready()

    def _wait_until_ready(self):
        # Each class of its tcprules is judged before, by a handshake in memory where it has a certificate.
        ready = peer.until(lambda: "]: ready: " in self.log() or self.process.poll() is not None, START_SECONDS)
        if not ready or self.process.poll() is not None:
            self.process.kill()
            raise AssertionError("the listener does not start:\n" + self.log())
        for door, port in zip(self._doors, LISTENS.findall(self.log()), strict=True):
            door.port = int(port)

    def log(self):
        return self._log_path.read_bytes().decode("latin-1")

    def logs(self, sessions, patience_seconds=10):
        """{address: its log}, once the number of sessions in `sessions[address]` have an end, or patience has."""
        limit = time.monotonic() + patience_seconds
        while True:
            found = dict.fromkeys(sessions, "")
            for line in self.log().splitlines(keepends=True):
                client = CLIENT.search(line)
                if client and client[1] in found:
                    found[client[1]] += line
            is_whole = all(found[client].count("]: end ") >= number for client, number in sessions.items())
            if is_whole or time.monotonic() > limit:
                return found
            time.sleep(0.1)

    def end(self):
        """SIGTERM, and its exit code; a negative one when it had to be killed or had crashed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(peer.PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        peer.assert_nothing_strayed(self.log())
        return code


def connect(port, address="127.0.0.1", patience_seconds=peer.PATIENCE_SECONDS):
    sock = socket.socket()
    sock.settimeout(patience_seconds)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
