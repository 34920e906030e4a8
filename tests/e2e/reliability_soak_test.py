"""Clients of all manners at once, for as long as RELIABILITY_SECONDS says: afterwards the process has the memory, the
descriptors and the threads that it had after the first part, and has lost nothing.
"""

import os
import random
import socket
import struct
import threading
import time

import peer
from peer import OURS

import listening

USUAL_SECONDS = 15
MOST_GROWTH_KIB = 2048


class Manner(threading.Thread):
    """Does the same again and again; only that it gets an answer matters."""

    def __init__(self, port, source):
        super().__init__(daemon=True)
        self.port, self.source, self.times, self.is_stopped = port, source, 0, False

    def run(self):
        while not self.is_stopped:
            try:
                with peer.Client(self.port, source=self.source, patience=10) as client:
                    self.act(client)
                self.times += 1
            except (OSError, AssertionError):
                time.sleep(0.01)


class RightPassword(Manner):
    def act(self, client):
        client.starttls()
        client.say("EHLO client.example")
        assert client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD))[:3] == "235"
        client.say("QUIT")


class WrongPassword(Manner):
    def act(self, client):
        client.say("EHLO client.example")
        client.say("AUTH PLAIN " + peer.plain_response(peer.USER, "guess"))


class Rubbish(Manner):
    def act(self, client):
        client.send(os.urandom(random.randrange(1, 20_000)) + b"\r\n")
        client.end()
        client.rest()


class NoHandshake(Manner):
    def act(self, client):
        client.say("EHLO client.example")
        client.say("STARTTLS")
        client.send(os.urandom(random.randrange(1, 2000)))
        client.end()
        client.rest()


class Vanishes(Manner):
    """By a reset, in the middle of a command, of mail data or of a handshake."""

    def act(self, client):
        client.say("EHLO client.example", "MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")
        client.send(listening.Letter(random.choice((100, 200_000))).wire()[:-random.randrange(4, 90)])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class HalfOpen(Manner):
    """Ends its side at once, and reads what comes."""

    def act(self, client):
        client.send(f"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<user@{OURS}>\r\nDATA\r\nnever ends")
        client.end()
        client.rest()


class SlowReader(Manner):
    """Asks a lot, and reads late."""

    def act(self, client):
        client.send(b"NOOP\r\n" * 2000 + b"QUIT\r\n")
        time.sleep(0.2)
        client.rest()


class SlowWriter(Manner):
    def act(self, client):
        for octet in b"EHLO client.example\r\n":
            client.send(bytes([octet]))
            time.sleep(0.02)
        client.reply()


MANNERS = (RightPassword, WrongPassword, Rubbish, NoHandshake, Vanishes, HalfOpen, SlowReader, SlowWriter)


class Soak(listening.Case):
    def load_for(self, server, seconds):
        """Everybody at once; returns what each manner did, and the senders."""
        senders = self.load(server, 3) + self.load(server, 1, tls=True)
        manners = [manner(server.port, f"127.0.3.{number + 1}") for number, manner in enumerate(MANNERS)]
        for each in manners:
            each.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and server.is_alive():
            time.sleep(min(5, end - time.monotonic()))
            answered = [letter for sender in senders for letter in sender.answered]
            self.clear(answered, senders)
        for each in manners + senders:
            each.is_stopped = True
        for each in manners + senders:
            each.join(2 * peer.PATIENCE_SECONDS)
        self.assertTrue(server.is_alive(), server.log()[-2000:])
        self.check(senders)
        return {type(each).__name__: each.times for each in manners}

    def clear(self, answered, senders):
        """Looks at what has come, and makes room: a soak of an hour is many letters."""
        self.letters += len(answered)
        problems = [problem for problem in listening.losses(self.home.mail, answered, [])
                    if "no client sent it" not in problem]
        self.assertEqual(problems[:5], [])
        names = {letter.name for letter in answered}
        for sender in senders:
            del sender.times[:]
            sender.answered = [letter for letter in sender.answered if letter.name not in names]
        for file in self.home.mail.rglob("new/*"):
            if listening.name_of(file.read_bytes()) in names:
                file.unlink()

    def check(self, senders):
        self.clear([letter for sender in senders for letter in sender.answered], senders)
        self.assertEqual([reply for sender in senders for reply in sender.other + sender.broken], [])
        self.assertEqual(self.home.stored(), [])

    def figures(self, server):
        """Once everybody has gone."""
        self.assertTrue(peer.until(lambda: server.descriptors() <= self.descriptors))
        return {"KiB": server.memory(), "descriptors": server.descriptors(), "threads": server.threads()}

    def test_everything_at_once(self):
        seconds, self.letters = listening.seconds(USUAL_SECONDS), 0
        server = self.serve(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        self.descriptors = server.descriptors()
        self.load_for(server, max(5, seconds / 5))
        before = self.figures(server)
        done = self.load_for(server, seconds * 4 / 5)
        after = self.figures(server)
        print(f"{seconds:.0f} s: {self.letters} letters, {done}; before {before}, after {after}", end=" ", flush=True)
        self.assertTrue(all(done.values()), done)
        self.assertEqual(after["descriptors"], before["descriptors"])
        self.assertEqual(after["threads"], before["threads"])
        self.assertLess(after["KiB"], before["KiB"] + MOST_GROWTH_KIB)


if __name__ == "__main__":
    listening.main()
