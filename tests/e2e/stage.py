"""Where a written dialogue meets the real program: homes without stories, stand-ins that do as told, one run of a dialogue.

postern-smtpd gets one end of a socket pair as descriptors 0 and 1, the listener is called over TCP. Steps are lists:
["C", octets] the client sends, ["drip", octets] and takes its time for it, ["S", line] must come back, ["X", ""] the server
must close, ["tls"] a handshake, ["garbage"] none, ["wait"] silence, ["eof"] the client ends its side. Octets are texts in
Latin-1.
"""

import os
import pathlib
import re
import socket
import subprocess
import time

import doors
import peer

HOST = "mx.example.org"
HERE = pathlib.Path(__file__).resolve().parent
NUMBERS = re.compile(r"^250 ok \d{9,11} qp \d+\r\n$")  # the verdict of an accepted message
MOST_CUT = 10_000  # octets; larger bursts go as they are
TLS_ALERT = b"\x15\x03"


def make_standins(folder):
    """`queue` and `check`; they run thousands of times, so no scripts."""
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O1", "-o", folder / "queue", HERE / "standin.c"], check=True)
    (folder / "check").hardlink_to(folder / "queue")


def make_home(folder, **files):
    """A home with control/me and the control files named; a value of None is a file that is not there."""
    control = folder / "control"
    control.mkdir(parents=True)
    for name, text in ({"me": HOST + "\n", "databytes": "0\n"} | files).items():
        if text is not None:
            (control / name.replace("_", ".")).write_text(text)
    return folder


def environment(home, **more):
    base = {"PATH": "/usr/bin:/bin", "POSTERN_HOME": str(home), "PROTO": "TCP", "TCPREMOTEIP": "127.0.0.1",
            "TCPLOCALIP": "127.0.0.1"}
    if str(more.get("SSL")) == "1":
        base["PROTO"] = "SSL"  # as sslserver sets it: the octets that arrive are decrypted
    return base | {name: str(value) for name, value in more.items() if value is not None}


class Stage:
    """One dialogue over one socket; `differences` are sentences, and empty when all was as written. With `cuts`, a
    random.Random, the client sends in small pieces, each in a segment of its own."""

    def __init__(self, sock, tls_context, patience_seconds=30):
        self.cuts = None
        self.differences, self.heard = [], []
        self._unread, self._context, self._socket = b"", tls_context, sock
        sock.settimeout(patience_seconds)

    def play(self, steps, is_whole=True):
        """All steps, and then the end, unless more will be played."""
        for step in steps:
            if self.differences:
                break
            getattr(self, "_" + {"C": "send", "S": "hear", "X": "hear_end"}.get(step[0], step[0]))(*step[1:])
        if is_whole and not self.differences and not (steps and steps[-1][0] == "X"):
            self._eof()
            self._hear_end()
        return self

    def close(self):
        self._socket.close()

    def _send(self, octets):
        octets = octets.encode("latin-1")
        try:
            while self.cuts and len(octets) > 1 and len(octets) < MOST_CUT:
                piece = self.cuts.randint(1, min(len(octets), 20))
                self._socket.sendall(octets[:piece])
                octets = octets[piece:]
            self._socket.sendall(octets)
        except OSError:
            pass  # closed by the server: reading will tell

    def _drip(self, octets):
        for octet in octets:
            self._send(octet)
            time.sleep(0.1)

    def _hear(self, wanted):
        while b"\n" not in self._unread and self._receive():
            pass
        end = self._unread.find(b"\n") + 1 or len(self._unread)
        line, self._unread = self._unread[:end].decode("latin-1"), self._unread[end:]
        self.heard.append(line)
        if line != wanted and not (wanted == "250 ok <time> qp <qp>\r\n" and NUMBERS.match(line)):
            self.differences.append(f"wanted {wanted!r}, heard {line!r}")

    def _hear_end(self, _=None):
        while self._receive():
            pass
        if self._unread and not self._unread.startswith(TLS_ALERT):
            self.differences.append(f"wanted the end, heard {self._unread!r}")

    def _tls(self):
        if self._unread:
            self.differences.append(f"octets in clear after 220: {self._unread!r}")
        try:
            self._socket = self._context.wrap_socket(self._socket)
        except (OSError, ValueError) as error:
            self.differences.append(f"no handshake: {error}")

    def _garbage(self):
        self._send("this is no TLS at all\r\n")

    def _wait(self):
        pass  # to read what comes next takes as long as the server is patient

    def _eof(self):
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
        except OSError:
            pass

    def _receive(self):
        try:
            octets = self._socket.recv(65536)
        except TimeoutError:
            self.differences.append("nothing comes any more")
            octets = b""
        except OSError:
            octets = b""
        self._unread += octets
        return len(octets)


class ProcessStage(Stage):
    """A process of postern-smtpd for this dialogue alone."""

    def __init__(self, arguments, variables, tls_context, early=b""):
        ours, its = socket.socketpair()
        super().__init__(ours, tls_context)
        if early:
            ours.sendall(early)
        self._log = os.memfd_create("log")
        actions = [(os.POSIX_SPAWN_DUP2, its.fileno(), 0), (os.POSIX_SPAWN_DUP2, its.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, self._log, 2)]
        self._pid = os.posix_spawn(arguments[0], [str(word) for word in arguments], variables, file_actions=actions)
        its.close()

    def finish(self):
        """The log."""
        self.close()
        os.waitpid(self._pid, 0)
        log = os.pread(self._log, 1 << 24, 0).decode("latin-1")
        os.close(self._log)
        return log


class ListenerStage(Stage):
    """A connection to the listener; where TLS comes first it begins here."""

    def __init__(self, port, address, tls_context, is_implicit=False, early=b""):
        super().__init__(doors.connect(port, address), tls_context)
        if is_implicit:
            self._tls()
        if early:
            self._send(early.decode())


def in_bursts(steps):
    """The same steps, with all that the client sends up to a handshake sent at once."""
    done = []
    while steps:
        end = next((at + 1 for at, step in enumerate(steps) if step[0] in ("tls", "garbage")), len(steps))
        part, steps = steps[:end], steps[end:]
        octets = "".join(step[1] for step in part if step[0] == "C")
        done += [["C", octets]] + [step for step in part if step[0] != "C"]
    return done


def tls_context():
    return peer.tls_context()
