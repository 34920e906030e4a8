"""Holds one dialogue with the program under test and writes down what it answered.

postern-smtpd gets one end of a socket pair as descriptors 0 and 1, as from tcpserver, and is started again each time; the
listener is listener.py's matter.
"""

import os
import pathlib
import re
import select
import signal
import socket
import ssl

from recording import CLOSED, SKIPPED, TIMEOUT, Transcript, ended

TLS_ALERT = b"\x15\x03"  # the head of a TLS alert record; sent or not as the TLS library likes

# What differs from run to run, and the words the recording has for it.
VOLATILE = [
    (re.compile(r"(?m)^250 ok \d{9,11} qp \d+(?=\r|$)"), "250 ok <time> qp <qp>"),
    (re.compile(r" id \d{9,11}-\d+(?=; )"), ""),  # of a message, in Received: the original has none
    (re.compile(r"; \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}\n"), "; <date>\n"),
]


def settle(text):
    for pattern, word in VOLATILE:
        text = pattern.sub(word, text)
    return text


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """The client's end: replies out of a stream, in clear or over TLS."""

    def __init__(self, sock, timeout_seconds):
        sock.settimeout(timeout_seconds)
        self._socket, self._timeout_seconds = sock, timeout_seconds
        self._unread = b""

    def send(self, octets):
        try:
            self._socket.sendall(octets)
        except OSError:
            pass  # closed by the server: reading will tell

    def reply(self):
        """One reply with all its lines; raises Closed or TimeoutError."""
        lines = [self._line()]
        while re.match(rb"\d\d\d-", lines[-1]):
            lines.append(self._line())
        return b"".join(lines).decode("latin-1")

    def start_tls(self, context):
        """Says how the handshake went; plaintext still unread would be the server's mistake, so it is shown."""
        leftover = f"<cleartext {self.take_unread()!r}>" if self._unread else ""
        try:
            self._socket = context.wrap_socket(self._socket)
        except (OSError, ValueError):
            return leftover + CLOSED
        return leftover + "<ok>"

    def rest(self):
        """Ends the input (below TLS, if there is TLS) and returns all that still comes."""
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
        except OSError:
            pass
        try:
            while True:
                self._receive()
        except (Closed, TimeoutError):
            return self.take_unread()

    def take_unread(self):
        """What came and is not a whole reply, unless it is the end of TLS."""
        unread, self._unread = self._unread, b""
        return "" if unread.startswith(TLS_ALERT) else unread.decode("latin-1")

    def close(self):
        self._socket.close()

    def _line(self):
        while b"\n" not in self._unread:
            self._receive()
        end = self._unread.index(b"\n") + 1
        line, self._unread = self._unread[:end], self._unread[end:]
        return line

    def _receive(self):
        try:
            octets = self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            octets = b""
        if not octets:
            raise Closed
        self._unread += octets


class Process:
    """The program under test; what it logs goes to memory."""

    def __init__(self, arguments, environment, sock):
        self._log = os.memfd_create("log")
        descriptors = [(os.POSIX_SPAWN_DUP2, sock.fileno(), 0), (os.POSIX_SPAWN_DUP2, sock.fileno(), 1),
                       (os.POSIX_SPAWN_DUP2, self._log, 2)]
        self._pid = os.posix_spawn(arguments[0], arguments, environment, file_actions=descriptors, setpgroup=0)

    def finish(self, timeout_seconds):
        """Returns its exit code or signal, as the recording writes them, and its log."""
        handle = os.pidfd_open(self._pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        overdue = not poll.poll(1000 * timeout_seconds)
        os.close(handle)
        if overdue:
            os.killpg(self._pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        log = os.pread(self._log, 1 << 20, 0).decode("latin-1")
        os.close(self._log)
        return ("<killed>" if overdue else describe_exit(code)), log


def describe_exit(code):
    return str(code) if code >= 0 else "signal " + signal.Signals(-code).name


class Dialogue:
    """The steps of one session, performed on one connection."""

    def __init__(self, connection, tls_context):
        self._connection, self._tls_context = connection, tls_context
        self.steps = []
        self._code = ""  # of the last reply

    def open(self, early):
        if early is None:
            self._note("@connect", self._replies(1))
        else:  # already sent, before the program was started
            self._note(early.octets.decode("latin-1"), self._replies(early.replies))

    def perform(self, step):
        if step.kind == "tls":
            self._handshake()
        elif step.kind == "sync":
            self._synchronise()
        elif step.kind == "cram":
            # Only a server with CRAM-MD5 sends the challenge; ours skips it.
            self._exchange("@cram", b"*\r\n", 1, needs=("334",))
        else:
            needs = {"ifgo": ("334", "354"), "if220": ("220",)}.get(step.kind)
            self._exchange(step.octets.decode("latin-1"), step.octets, step.replies, needs)

    def close(self):
        rest = "" if self.is_over() else self._connection.rest()
        if rest:
            self._note("@end", [rest])

    def is_over(self):
        return ended(self.steps[-1][1])

    def _exchange(self, sent, octets, replies, needs):
        if needs and self._code not in needs:
            self.steps.append((sent, SKIPPED))  # and the code stays
            return
        self._connection.send(octets)
        self._note(sent, self._replies(replies))

    def _handshake(self):
        if self._code != "220":
            self.steps.append(("@tls", SKIPPED))
            return
        self._note("@tls", [self._connection.start_tls(self._tls_context)])

    def _synchronise(self):
        """Collects the replies to whatever the server may still have in mind, up to the one to this VRFY."""
        self._connection.send(b"VRFY sync\r\n")
        got = self._replies(1)
        while not ended(got[-1]) and got[-1][:3] not in ("252", "502"):
            got += self._replies(1)
        self._note("@sync", got)

    def _note(self, sent, replies):
        self.steps.append((sent, settle("".join(replies))))
        self._code = replies[-1][:3] if replies else ""

    def _replies(self, count):
        got = []
        try:
            for _ in range(count):
                got.append(self._connection.reply())
        except Closed:
            got += [part for part in (self._connection.take_unread(), CLOSED) if part]
        except TimeoutError:
            got.append(TIMEOUT)
        return got


class Client:
    """Runs sessions against postern-smtpd; may be used by many threads at once."""

    def __init__(self, program, homes, timeout_seconds):
        self._program, self._homes, self._timeout_seconds = program, homes, timeout_seconds
        self._tls_context = make_tls_context()

    def hold(self, configuration, session, queue_prefix):
        environment = self._homes.environment(configuration, session) | {"QUEUE_PREFIX": queue_prefix}
        arguments = [self._program, *self._homes.arguments(configuration)]
        ours, its = socket.socketpair()
        connection = Connection(ours, self._timeout_seconds)
        early, steps = early_and_later(session)
        if early:
            connection.send(early.octets)
        process = Process(arguments, environment, its)
        its.close()
        spoken = speak(Dialogue(connection, self._tls_context), early, steps)
        connection.close()
        code, log = process.finish(self._timeout_seconds)
        return Transcript(spoken, code, collect_queue(queue_prefix), log)


def make_tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def early_and_later(session):
    """What is sent before the program is there, or None; and all other steps."""
    has_early = session.steps and session.steps[0].kind == "early"
    return (session.steps[0], session.steps[1:]) if has_early else (None, session.steps)


def speak(dialogue, early, steps):
    """All steps, in the words of the recording."""
    dialogue.open(early)
    for step in steps:
        if dialogue.is_over():
            break
        dialogue.perform(step)
    dialogue.close()
    return dialogue.steps


def collect_queue(prefix):
    """What the stand-in for qmail-queue stored, in order of arrival."""
    queued = []
    while os.path.exists(f"{prefix}.{len(queued)}.env"):
        number = len(queued)
        queued.append(tuple(take_file(pathlib.Path(f"{prefix}.{number}.{part}")) for part in ("env", "msg")))
    return queued


def take_file(path):
    text = path.read_bytes().decode("latin-1")
    path.unlink()
    return settle(text)
