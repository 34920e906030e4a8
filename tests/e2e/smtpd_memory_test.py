#!/usr/bin/env python3
"""The n-th allocation of postern-smtpd fails, for n = 1, 2, 3, ...: the client is served or gets 4xx, the program ends by
itself with a line of the log, and what was answered with 250 is there.

The first argument is the program linked with tests/fail_allocation.cpp; postern-smtpd itself stands beside it."""

import contextlib
import errno
import pathlib

import listening
import peer
from peer import OURS, PASSWORD, USER
from reliability_backend_test import Cluster

EXHAUSTED = 111
FOREVER = 1 << 40
LETTER = "Subject: x\r\n\r\n" + "\r\n".join(["y" * 70] * 20)
LARGE = "Subject: x\r\n\r\n" + "\r\n".join(["y" * 70] * 2000)  # more than is held in memory


@contextlib.contextmanager
def held(environment, arguments=(), **more):
    """A process that has ended by itself when this is over, or is stopped; to look for what a thousand left is slow."""
    direct = peer.Direct(environment, arguments, **more)
    try:
        yield direct
    except BaseException:
        direct.stop()
        raise


class Memory(peer.Case):
    def setUp(self):
        self.home.forget_mail()
        self.file = self.home.path / "failing"

    def talk(self, act, skip, count, **settings):
        """What the client heard, the exit code, the log."""
        self.file.write_text(f"{skip} {count}\n")
        arguments = self.home.check_arguments() if settings.pop("has_check_program", False) else ()
        with held(self.home.environment(FAIL_ALLOCATION=self.file, **settings), arguments) as direct:
            replies = [direct.client.reply()]
            if replies[0][:1] == "2":
                replies += act(direct.client)
            direct.client.close()
            return replies, direct.finish(), direct.log()

    def letter(self, text):
        def act(client):
            client.say("EHLO client.example")
            return [client.deliver(text), client.say("QUIT")]
        return act

    def judge(self, n, heard):
        """Served, or refused; then nothing more comes. 250 for a letter counts."""
        replies, code, log = heard
        self.assertIn(code, (0, 1, EXHAUSTED), f"allocation {n}: {replies} {log}")
        for number, reply in enumerate(replies):
            if reply[:1] == "4":
                self.assertTrue(log, n)
                break
            self.assertIn(reply[:1], ("2", "3"), f"allocation {n}, reply {number}: {replies} {log}")
        if code == EXHAUSTED:
            self.assertRegex(log, "no memory|rule=exhausted", f"allocation {n}")

    accepted = 0

    def allocations(self, act, **settings):
        self.judge("none", self.talk(act, FOREVER, 0, **settings))
        return int(self.file.read_text())

    def hold(self, act, from_the_start=False, more=None, **settings):
        """act() with each allocation failing alone, and with all from it on; the start, which all have, by one of them.
        `more`: how many are tried where they are not counted."""
        started = self.allocations(lambda client: [client.say("QUIT")], **settings)
        begin = 0 if from_the_start else started - 5
        total = started + more if more else self.allocations(act, **settings)
        ends = set()
        for count in (1, FOREVER):
            for n in range(begin, total):
                heard = self.talk(act, n, count, **settings)
                self.judge(n, heard)
                ends.add(heard[1])
        self.assertIn(EXHAUSTED, ends)
        print(f"allocations {begin} to {total}, ends {sorted(ends)}", end=" ", flush=True)

    def test_a_session_in_clear(self):
        def act(client):
            client.say("EHLO client.example", "NOOP", "RSET")
            replies = client.say("MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>")
            return [*replies, client.say("QUIT")]
        self.hold(act, from_the_start=True, DENY_TLS=1)

    def count_accepted(self, act):
        def counted(client):
            replies = act(client)
            self.accepted += replies[0][:3] == "250"
            return replies
        return counted

    def test_a_letter_into_a_maildir(self):
        self.hold(self.count_accepted(self.letter(LETTER)), DENY_TLS=1)
        self.assertGreaterEqual(len(self.home.stored()), self.accepted)
        self.assertGreater(self.accepted, 0)
        self.assertEqual(self.home.leftovers(), [])

    def test_a_large_letter_into_a_maildir(self):
        self.hold(self.count_accepted(self.letter(LARGE)), DENY_TLS=1)
        self.assertGreaterEqual(len(self.home.stored()), self.accepted)
        self.assertEqual(self.home.leftovers(), [])

    def test_a_letter_for_a_queue_program(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >>envelopes; exit 0")
        self.hold(self.count_accepted(self.letter(LETTER)), DENY_TLS=1, POSTERN_MAILDIR=None, QMAILQUEUE=queue)
        taken = (self.home.path / "envelopes").read_bytes().count(b"Fme@sender.example\0")
        self.assertGreaterEqual(taken, self.accepted)
        self.assertGreater(self.accepted, 0)

    def test_a_letter_for_lmtp(self):
        cluster = Cluster()
        self.addCleanup(cluster.fall)
        host, port = cluster.address
        for text in (LETTER, LARGE):
            self.accepted = 0
            before = len(cluster.taken)
            self.hold(self.count_accepted(self.letter(text)), DENY_TLS=1, POSTERN_MAILDIR=None,
                      POSTERN_LMTP=f"tcp:{host}:{port}")
            self.assertGreaterEqual(len(cluster.taken) - before, self.accepted)
            self.assertGreater(self.accepted, 0)

    def login(self, client):
        client.say("EHLO client.example")
        return [client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)), client.say("QUIT")]

    def test_a_login_by_a_cdb(self):
        self.hold(self.login, DENY_TLS=1, ALLOW_INSECURE_AUTH=1, AUTH_CDB=self.home.users)

    def test_a_login_by_a_check_program(self):
        self.hold(self.login, DENY_TLS=1, ALLOW_INSECURE_AUTH=1, has_check_program=True)

    def test_starttls_in_the_program_itself(self):
        """What fails after 220 gets no reply in a handshake; the connection ends."""
        def act(client):
            client.say("EHLO client.example")
            told = client.say("STARTTLS")
            if told[:3] != "220":
                return [told]
            try:
                return [told, client.start_tls().say("EHLO client.example"), client.say("QUIT")]
            except OSError:
                return [told, "421 nothing can be said"]
        self.hold(act, more=12)  # the program becomes its sibling


class Sibling(peer.Case):
    """postern-smtpd-tls is no static program: there the allocations of the TLS library fail, too."""

    def setUp(self):
        self.trouble = listening.Trouble(self.home)
        self.path = pathlib.Path(peer.program()).with_name("postern-smtpd")

    def talk(self):
        with held(self.home.environment(**self.trouble.environment()), path=self.path, greeted=True) as direct:
            return self.say_all(direct.client), direct.finish(), direct.log()

    def say_all(self, client):
        replies = []
        client.say("EHLO client.example")
        try:
            replies.append(client.say("STARTTLS"))
            if replies[0][:3] == "220":
                client.start_tls()
                replies += client.say("EHLO client.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>")
                replies.append(client.say("DATA"))
                if replies[-1][:3] == "354":
                    client.send("Subject: x\r\n\r\nx\r\n.\r\n")
                    replies += [client.reply(), client.say("QUIT")]
        except OSError as why:
            replies.append(f"421 nothing can be said: {why}")
        client.close()
        return replies

    def test_a_session_after_starttls(self):
        self.trouble.fail("malloc", errno.ENOMEM, FOREVER, 1)
        replies, code, log = self.talk()
        self.assertEqual((replies[-1][:3], code), ("221", 0), log)
        total = FOREVER - self.trouble.SHAPE.unpack((self.home.path / "trouble").read_bytes())[1]
        step = max(1, total // 150)
        for n in range(0, total, step):
            self.trouble.fail("malloc", errno.ENOMEM, n, 1)
            replies, code, log = self.talk()
            self.assertIn(code, (0, 1, EXHAUSTED), f"allocation {n} of {total}: {replies} {log}")
            for reply in replies:
                if reply[:1] in ("4", ""):
                    self.assertRegex(log, "trouble|rule=|config|unsent=", f"allocation {n}: {replies}")
                    break
                self.assertIn(reply[:1], ("2", "3"), f"allocation {n}: {replies} {log}")
        print(f"{total} allocations, every {step}", end=" ", flush=True)


if __name__ == "__main__":
    peer.main()
