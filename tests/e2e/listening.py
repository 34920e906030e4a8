"""A running `postern serve`, senders that load it, and what is left in the Maildirs: what the tests of its reliability share.

POSTERN names the program, or the first argument of a test file does. RELIABILITY_SECONDS makes each test that repeats
itself go on for so long; without it each takes a few seconds.
"""

import itertools
import json
import os
import pathlib
import random
import re
import resource
import struct
import subprocess
import sys
import threading
import time
import unittest

import peer
from peer import HOST, OURS

HERE = pathlib.Path(__file__).resolve().parent
TRACE = re.compile(rb"\AReturn-Path: <[^\n]*>\nReceived: from [^\n]*\n  by [^\n]*\n")
numbers = itertools.count(1)


def main():
    if len(sys.argv) > 1 and "/" in sys.argv[1]:
        os.environ["POSTERN"] = os.path.abspath(sys.argv.pop(1))
    if not os.access(os.environ.get("POSTERN", ""), os.X_OK):
        sys.exit("usage: FILE_test.py PATH/postern [TEST...], or POSTERN in the environment")
    unittest.main(verbosity=2)


def seconds(usual):
    return float(os.environ.get("RELIABILITY_SECONDS", usual))


def command(port=0):
    return [os.environ["POSTERN"], "serve", "--listen", f"127.0.0.1:{port}", "--host", HOST, "--domain", OURS]


def write_file(home, server="", limits="", maildir="mail", **variables):
    """postern.toml in this home, put into place by a rename; `server` and `limits` are lines of those tables."""
    variables = {"SMTPGREETING": HOST, "POSTERN_MAILDIR": maildir} | variables
    lines = "".join(f"{name} = {json.dumps(value, default=str)}\n" for name, value in variables.items() if value)
    text = f'[server]\nhome = "{home.path}"\ndomains = ["{OURS}"]\n{server}\n[limits]\n{limits}\n[variables]\n{lines}'
    new, file = home.path / "postern.toml.new", home.path / "postern.toml"
    new.write_text(text + '[[listener]]\nip = "127.0.0.1"\nport = 0\n')
    return new.rename(file)


class Serve(peer.Service):
    """`postern serve` in a home; `port` is where it listens. `limits` are set before it starts: {RLIMIT_...: number}. With
    `file` it gets all settings from that file."""

    def __init__(self, home, limits=None, maildir="mail", file=None, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": "/"} | {name: str(value) for name, value in settings.items()}

        def limit():
            for name, number in (limits or {}).items():
                resource.setrlimit(name, (number, number))

        arguments = [*command(), *(["--maildir", maildir] if maildir else [])]
        if file:
            arguments = [os.environ["POSTERN"], "serve", "-c", file]
        super().__init__(arguments, environment, cwd=home.path, stdin=subprocess.DEVNULL, preexec_fn=limit)
        if "ready: serving" not in self.wait_for_log("ready: serving"):
            log = self.log()
            self.stop()
            raise TimeoutError("postern serve does not start:\n" + log)
        self.port = int(re.search(r"listen: 127\.0\.0\.1:(\d+)", self.log())[1])

    def connect(self, **more):
        return peer.Client(self.port, **more)

    def signal(self, number):
        self.process.send_signal(number)

    def is_alive(self):
        return self.process.poll() is None

    def exit_code(self, patience=peer.PATIENCE_SECONDS):
        return self.process.wait(patience)

    def memory(self, line="Pss"):
        """KiB that this process alone is to be charged for."""
        return int(re.search(rf"^{line}:\s+(\d+)", self._proc("smaps_rollup").read_text(), re.M)[1])

    def descriptors(self):
        return len(list(self._proc("fd").iterdir()))

    def threads(self):
        return len(list(self._proc("task").iterdir()))

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}") / name


class Letter:
    """A message that is found again; `text` is what the Maildir must hold after the trace fields."""

    def __init__(self, octets=600):
        self.name = f"letter-{next(numbers)}-{random.getrandbits(64):016x}"
        lines = [f"Subject: {self.name}", ""]
        left = octets
        while left > 0:
            lines.append("".join(random.choices("abcdefghijklmnop .", k=min(left, 70))).replace(" .", ".") + "x")
            left -= 72
        self.text = "\n".join(lines).encode() + b"\n"

    def wire(self):
        """With CRLF and dot-stuffing, to the final dot."""
        lines = self.text.decode().splitlines()
        return "\r\n".join("." + line if line.startswith(".") else line for line in lines).encode() + b"\r\n.\r\n"


class Sender(threading.Thread):
    """One client that delivers letter after letter, until it is stopped or the server is gone.

    answered: letters with a 250; unanswered: what was on its way without any answer; other: replies that were no 250."""

    def __init__(self, port, sizes=(200, 3000, 100_000), per_session=20, tls=False, source="127.0.0.1", patience=20):
        super().__init__(daemon=True)
        self.port, self.sizes, self.per_session, self.tls = port, sizes, per_session, tls
        self.source, self.patience = source, patience
        self.answered, self.unanswered, self.other, self.broken = [], [], [], []
        self.times, self.is_stopped = [], False

    def run(self):
        while not self.is_stopped:
            try:
                self.session()
            except (OSError, AssertionError) as error:
                self.broken.append(repr(error))
                time.sleep(0.005)

    def session(self):
        with peer.Client(self.port, source=self.source, patience=self.patience) as client:
            if not self.hears(client.greeting, "220"):
                return
            if self.tls:
                client.starttls()
            client.say("EHLO client.example")
            for _ in range(self.per_session):
                if self.is_stopped or not self.deliver(client):
                    return client.say("QUIT")

    def deliver(self, client):
        letter = Letter(random.choice(self.sizes))
        began = time.monotonic()
        names = random.sample(("user", "other", "third"), random.choice((1, 1, 2)))
        recipients = [f"RCPT TO:<{name}@{OURS}>" for name in names]
        replies = client.say("MAIL FROM:<me@sender.example>", *recipients, "DATA")
        if not all(self.hears(reply, code) for reply, code in zip(replies, ["250"] * (len(replies) - 1) + ["354"])):
            return False
        self.unanswered.append(letter)
        client.send(letter.wire())
        reply = client.reply()
        is_accepted = self.hears(reply, "250")
        self.unanswered.pop()
        letter.copies = len(recipients)
        self.answered += [letter] * is_accepted
        self.times.append(time.monotonic() - began)
        return True

    def hears(self, reply, code):
        if not reply:
            raise ConnectionError("the server is gone")
        if reply[:3] != code:
            self.other.append(reply)
        return reply[:3] == code


class Senders(list):
    """Several at once; their letters together."""

    def __init__(self, port, count=8, **more):
        super().__init__(Sender(port, source=f"127.0.0.{number + 1}", **more) for number in range(count))
        for sender in self:
            sender.start()

    def stop(self):
        for sender in self:
            sender.is_stopped = True
        for sender in self:
            sender.join(2 * peer.PATIENCE_SECONDS)
        return self

    def __getattr__(self, name):
        return [item for sender in self for item in getattr(sender, name)]


def name_of(octets):
    found = re.search(rb"^Subject: (letter-\S+)$", octets, re.M)
    return found and found[1].decode()


def found_in(mail):
    """How often each letter is in new/, by name; and sentences about files that are no whole message."""
    counts, problems = {}, []
    for file in mail.rglob("*"):
        if not file.is_file():
            continue
        octets = file.read_bytes()
        name = name_of(octets)
        if file.parent.name != "new" or not TRACE.match(octets) or not name:
            problems.append(f"{file}: {octets[:200]!r}")
            continue
        counts.setdefault(name, []).append(TRACE.sub(b"", octets, count=1))
    return counts, problems


def losses(mail, answered, unanswered):
    """What is wrong between the letters that were answered with 250 and the Maildirs: sentences."""
    counts, problems = found_in(mail)
    for letter in answered:
        texts = counts.pop(letter.name, [])
        if len(texts) != letter.copies:
            problems.append(f"{letter.name}: answered 250, to be there {letter.copies} times, found {len(texts)} times")
        if any(text != letter.text for text in texts):
            problems.append(f"{letter.name}: other octets than were sent")
    for letter in unanswered:
        texts = counts.pop(letter.name, [])
        if len(texts) > 2 or any(text != letter.text for text in texts):
            problems.append(f"{letter.name}: never answered, and there {len(texts)} times or not whole")
    return problems + [f"{name}: no client sent it, or it was answered with an error" for name in counts]


class Case(unittest.TestCase):
    """A home of its own for each test."""

    maxDiff = None

    def assert_logged(self, service, text):
        self.assertIn(text, service.wait_for_log(text))

    def setUp(self):
        self.home = peer.Home()
        self.addCleanup(self.home.remove)

    def serve(self, *arguments, **more):
        server = Serve(self.home, *arguments, **more)
        self.addCleanup(server.stop)
        return server

    def load(self, server, count=8, **more):
        senders = Senders(server.port, count, **more)
        self.addCleanup(senders.stop)
        return senders

    def assert_nothing_lost(self, senders, mail=None):
        self.assertEqual(losses(mail or self.home.mail, senders.answered, senders.unanswered)[:5], [])

    def deliver(self, server, octets=600):
        """The reply to one letter of one client."""
        with server.connect() as client:
            client.say("EHLO client.example")
            return client.deliver(Letter(octets).wire()[:-5].decode())

    def assert_delivers(self, server, code="250", octets=600):
        reply = self.deliver(server, octets)
        self.assertEqual(reply[:3], code, reply)
        return reply

    def assert_recovers(self, server):
        """Clients that have left may still be there for a moment."""
        self.assertTrue(peer.until(lambda: self.deliver(server)[:3] == "250"), server.log()[-1000:])


class Trouble:
    """What tests/e2e/trouble.c does to a process: compiled once a home, steered while the process runs."""

    SHAPE = struct.Struct("=16s7q")

    def __init__(self, home):
        self._library, self._file = home.path / "trouble.so", home.path / "trouble"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", self._library, HERE / "trouble.c", "-ldl"], check=True)
        self._file.write_bytes(bytes(self.SHAPE.size))
        self._file.chmod(0o666)

    def environment(self):
        return {"LD_PRELOAD": self._library, "TROUBLE": self._file}

    def fail(self, call, error=0, skip=0, count=1, passed=0):
        """From now on: after `skip` calls, `count` fail; `passed` is as in let_pass()."""
        self._write(self.SHAPE.pack(call.encode(), skip, count, error, 0, 0, 0, passed))

    def jump(self, seconds):
        """The wall clock is so far from the true one."""
        self._write(self.SHAPE.pack(b"", 0, 0, 0, 0, seconds, 0, 0))

    def stop_the_clock(self, moment):
        self._write(self.SHAPE.pack(b"", 0, 0, 0, 0, 0, moment, 0))

    def let_pass(self, seconds):
        """So much time has passed; the process notices when something wakes it."""
        self._write(self.SHAPE.pack(b"", 0, 0, 0, 0, 0, 0, seconds))

    def failed(self):
        """How many calls have failed."""
        return self.SHAPE.unpack(self._file.read_bytes())[4]

    def _write(self, octets):
        with open(self._file, "r+b") as file:  # the same file: it is mapped
            file.write(octets)
