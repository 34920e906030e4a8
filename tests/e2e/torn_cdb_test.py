#!/usr/bin/env python3
"""A cdb that is written over in place, cut and made long again, while logins and recipients are looked up in it, in both
programs: no session ends by it, and no client with a wrong password, or for a foreign domain, ever gets in."""

import concurrent.futures
import threading
import time

import peer
from peer import OURS, PASSWORD, USER

CLIENTS = 6
SECONDS = 4


class Writer(threading.Thread):
    """Writes versions of one file over it, in turn, in place; now and then it is cut first."""

    def __init__(self, path, versions):
        super().__init__(daemon=True)
        self._path, self._versions, self._is_over = path, versions, threading.Event()
        self.rounds = 0

    def run(self):
        with open(self._path, "r+b", buffering=0) as file:
            while not self._is_over.is_set():
                octets = self._versions[self.rounds % len(self._versions)]
                if self.rounds % 3 == 0:
                    file.truncate(100)
                file.seek(0)
                file.write(octets)
                file.truncate(len(octets))
                self.rounds += 1
                time.sleep((0, 0.001, 0.15)[self.rounds % 3])

    def stop(self):
        self._is_over.set()
        self.join()


class Torn(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()

    def versions(self, records):
        """The file as it is, and one of another length in which every record stands elsewhere."""
        other = {f"user{number}": "x" * 40 for number in range(300)} | records
        return [peer.make_cdb(self.home.path / f"version-{number}", each).read_bytes()
                for number, each in enumerate((records, other))]

    def hammer(self, path, records, ask):
        """What clients are answered while the file is written over."""
        writer = Writer(path, self.versions(records))
        writer.start()
        end = time.monotonic() + SECONDS
        answers = []

        def client(number):
            while time.monotonic() < end:
                answers.extend(ask(number))

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(client, number) for number in range(CLIENTS)]:
                done.result()
        writer.stop()
        print(f"{len(answers)} answers, {writer.rounds} times written over", end=" ", flush=True)
        return answers

    def test_logins(self):
        records = dict(peer.USERS)
        server = peer.start_server(self.home.environment(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1))
        self.addCleanup(server.stop)

        def ask(number):
            password = PASSWORD if number % 3 else "wrong"
            with server.connect() as client:
                if client.greeting.startswith("421 cannot read AUTH_CDB"):  # postern-smtpd begins with each client
                    return [(password, "454")]
                client.say("EHLO client.example")
                reply = client.say("AUTH PLAIN " + peer.plain_response(USER, password))
                return [(password, reply[:3])]

        answers = set(self.hammer(self.home.users, records, ask))
        self.assertLessEqual(answers, {(PASSWORD, "235"), (PASSWORD, "454"), ("wrong", "535"), ("wrong", "454")})
        self.assertIn((PASSWORD, "235"), answers)
        self.assertIsNone(server.process.poll())

    def test_recipients(self):
        path = self.home.control / "morercpthosts.cdb"
        peer.make_cdb(path, {"more.example": ""})
        server = peer.start_server(self.home.environment())
        self.addCleanup(server.stop)

        def ask(number):
            with server.connect() as client:
                client.say("EHLO client.example", "MAIL FROM:<a@b.example>")
                said = client.say("RCPT TO:<x@more.example>", "RCPT TO:<x@foreign.example>", f"RCPT TO:<x@{OURS}>")
                return list(zip(("more", "foreign", "ours"), [reply[:3] for reply in said]))

        answers = set(self.hammer(path, {"more.example": ""}, ask))
        self.assertLessEqual(answers, {("more", "250"), ("more", "451"), ("more", "421"), ("foreign", "553"), ("foreign", "451"),
                                       ("ours", "250")})
        self.assertIn(("more", "250"), answers)
        self.assertIsNone(server.process.poll())


if __name__ == "__main__":
    peer.main()
