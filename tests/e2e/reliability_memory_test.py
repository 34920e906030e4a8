#!/usr/bin/env python3
"""The n-th allocation fails, for n = 1, 2, 3, ...: through a start, a session of each kind, a reload and an end. A start
that fails says so and ends by 100 or 111; a reload that fails is refused; a session gets 4xx where a reply is possible
anything; and afterwards everybody is served."""

import base64
import errno
import re
import signal
import subprocess
import time

import peer
from peer import OURS, PASSWORD, USER

import listening
from reliability_backend_test import Cluster

STEP = 97  # of a start, which has some ten thousand; a session has few, and each of them is tried
NEVER = 1 << 40
JUDGED_AGAIN_SECONDS = 6
REFUSED = {100, 111}


class Memory(listening.Case):
    def setUp(self):
        super().setUp()
        self.trouble = listening.Trouble(self.home)

    def file(self, **more):
        variables = {"AUTH_CDB": str(self.home.users), "ALLOW_INSECURE_AUTH": 1, "TLS_SERVER_CERT": str(self.home.pem)}
        return listening.write_file(self.home, "loops = 1", "exempt = []\nconnections_per_minute = 0\nfailed_auths_per_hour = 0", **(variables | more))

    def begin(self, **more):
        server = self.serve(file=self.file(**more), **self.trouble.environment())
        self.assert_delivers(server)
        return server

    def passed(self):
        """How many allocations there were since fail() with a skip of NEVER."""
        skip = self.trouble.SHAPE.unpack((self.home.path / "trouble").read_bytes())[1]
        return NEVER - skip

    def arm(self, skip, count=1, passed=0):
        self.trouble.fail("malloc", errno.ENOMEM, skip, count, passed)

    def each_failure(self, act, count=1, is_judged_each_time=False):
        """act() while the n-th allocation fails, for all n that there are; yields what it gave. A class that is refused is
        judged again only for who comes JUDGED_AGAIN_SECONDS later."""
        passed = JUDGED_AGAIN_SECONDS if is_judged_each_time else 0
        self.arm(NEVER, passed=passed)
        act()
        total = self.passed()
        self.assertGreater(total, 0)
        for n in range(total + 2):
            self.arm(n, count, passed * (n + 2))
            yield n, act()
            self.trouble.fail("", passed=passed * (n + 2))

    def clear(self, server):
        with server.connect() as client:
            client.say("EHLO client.example", "NOOP", "RSET")
            replies = [client.greeting, *client.say("MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>")]
            return replies + [client.say("QUIT")]

    def letter(self, server, octets=600):
        with server.connect() as client:
            client.say("EHLO client.example")
            return [client.greeting, client.deliver("Subject: x\r\n\r\n" + "\r\n".join(["y" * 70] * (octets // 72)))]

    def encrypted(self, server):
        try:
            with server.connect() as client:
                client.starttls()
                return client.say("EHLO client.example").splitlines()[-1:]
        except (OSError, AssertionError) as why:
            return [f"421 in a handshake nothing can be said: {why}"]

    def login(self, server):
        with server.connect() as client:
            client.say("EHLO client.example")
            return [client.greeting, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD))]

    def assert_told(self, n, replies):
        """Each was served, or refused; a session that was ended has no more replies."""
        for reply in replies:
            if reply[:1] == "4":
                return
            self.assertIn(reply[:1], ("2", "3"), f"{n}: {replies}")

    def hold(self, server, act, count=1):
        tried = 0
        for n, replies in self.each_failure(lambda: act(server), count):
            self.assertTrue(server.is_alive(), f"allocation {n}: {server.log()[-1500:]}")
            self.assert_told(n, replies)
            tried += 1
        self.assert_recovers(server)
        print(f"{tried} failures", end=" ", flush=True)

    def test_a_session_in_clear(self):
        self.hold(self.begin(), self.clear)

    def test_a_letter_into_a_maildir(self):
        server = self.begin()
        self.hold(server, self.letter)
        self.hold(server, lambda at: self.letter(at, 200_000))
        self.assertEqual(self.home.leftovers(), [])

    def test_a_letter_for_a_queue_program(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null")
        self.hold(self.begin(maildir=None, QMAILQUEUE=str(queue)), self.letter)

    def test_a_letter_for_lmtp(self):
        cluster = Cluster()
        self.addCleanup(cluster.fall)
        server = self.begin(maildir=None, POSTERN_LMTP=f"tcp:127.0.0.1:{cluster.address[1]}", TMPDIR=str(self.home.path))
        self.hold(server, self.letter)
        self.hold(server, lambda at: self.letter(at, 200_000))

    def test_who_cannot_be_served_is_told_at_data(self):
        """Memory that runs out before DATA, or at it: no client sends a message in vain, and the transaction stays."""
        server = self.begin()
        with server.connect() as client:
            client.say("EHLO client.example")
            for n in range(3):
                client.say("MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>")
                self.arm(n, NEVER)
                self.assertEqual(client.say("DATA"), "451 no room for another message, try again later (#4.3.0)", n)
                self.trouble.fail("")
                self.assertEqual(client.say("DATA")[:3], "354")
                client.send("Subject: x\r\n\r\nx\r\n.\r\n")
                self.assertEqual(client.reply()[:3], "250")
        self.assert_logged(server, "no memory for another message")

    def test_starttls(self):
        self.hold(self.begin(), self.encrypted)

    def heard_in_clear(self, server):
        """By a client that leaves before it has said anything: no octet of it, and none to it, is TLS."""
        with server.connect(greeted=False) as client:
            client.end()
            return client.rest()

    def test_where_tls_comes_first_nothing_is_said_in_clear(self):  # deviation D22; RFC 8314 3.3
        """Whichever allocation fails on the way of a client, and of the class that is judged for it."""
        rules = peer.make_cdb(self.home.path / "tcp.smtp.cdb", {"127.": "+DATABYTES=many\0"})
        file = self.file(SSL=1)
        file.write_text(file.read_text() + f'tcprules = "{rules}"\n')
        server = self.serve(file=file, **self.trouble.environment())
        for n, heard in self.each_failure(lambda: self.heard_in_clear(server), is_judged_each_time=True):
            self.assertTrue(server.is_alive(), f"allocation {n}: {server.log()[-1500:]}")
            self.assertNotIn(b"421", heard, f"allocation {n}: {server.log()[-1500:]}")
        self.assert_logged(server, "rule=connect.before_tls cause=connect.exhausted")
        self.assertNotIn("rule=exhausted ", server.log())

    def test_a_login(self):
        self.hold(self.begin(), self.login)

    def test_a_login_when_memory_ends_is_of_the_user_who_asked(self):
        """No other user's name stands where a password's verdict finds its user, whichever allocation failed."""
        slow = self.home.script("slow", "sleep 0.4; exit 1")
        for n in range(10, 24):
            file = self.file(AUTH_CDB=None)
            file.write_text(file.read_text() + f'check_program = ["mx.example", "{slow}", "/bin/true"]\n')
            server = self.serve(file=file, **self.trouble.environment())
            with server.connect() as first, server.connect() as other:
                for client in (first, other):
                    client.say("EHLO client.example")
                self.arm(n)
                first.send("AUTH PLAIN " + peer.plain_response(USER, PASSWORD) + "\r\n")
                time.sleep(0.1)
                self.trouble.fail("")
                other.say("AUTH LOGIN " + base64.b64encode(b"somebody").decode())
                self.assertIn(first.reply()[:3], ("421", "454", "535"), n)
            for user in re.findall(r" auth .*user=(\S*)", server.log()):
                self.assertEqual(user, USER, f"allocation {n}: {server.log()[-1500:]}")

    def behind(self, server):
        with server.connect() as client:
            client.say("EHLO client.example")
            if client.say("MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>", "DATA")[-1][:3] != "354":
                return ["421"]
            client.send("Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\nNOOP\r\n")
            time.sleep(0.05)
            client.send("QUIT\r\n")
            replies = [client.reply()[:3]]
            while replies[-1] not in ("", "221", "421"):
                replies.append(client.reply()[:3])
            return replies

    def test_lines_behind_a_message_are_obeyed_or_the_session_ends(self):
        server = self.begin()
        for n, replies in self.each_failure(lambda: self.behind(server)):
            if replies[-1] == "221":
                self.assertEqual(replies[1:], ["250", "250", "221"], f"allocation {n}: {replies}")
        self.assert_recovers(server)

    def test_all_memory_is_gone_for_a_while(self):
        server = self.begin()
        for act in (self.clear, self.letter, self.encrypted, self.login):
            self.hold(server, act, count=NEVER)

    def test_a_reload(self):
        server = self.begin()
        self.arm(NEVER)
        self.reload(server)
        total = self.passed()
        results = set()
        for n in range(0, total + 2, max(1, total // 150)):
            self.arm(n)
            results.add(self.reload(server))
            self.trouble.fail("")
            self.assertTrue(server.is_alive(), f"allocation {n}: {server.log()[-1500:]}")
        self.assertEqual(results, {"done", "refused"})
        self.assert_recovers(server)

    def reload(self, server):
        told = len(re.findall("reload: ", server.log()))
        server.signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: len(re.findall("reload: ", server.log())) > told))
        return re.findall(r"reload: (done|refused)", server.log())[-1]

    def test_an_end(self):
        for n in range(12):
            server = self.begin()
            client = server.connect()
            self.arm(n, NEVER)
            server.signal(signal.SIGTERM)
            self.assertEqual(client.reply()[:3], "421")
            self.assertEqual(server.exit_code(5), 0)
            client.close()
            self.trouble.fail("")

    def test_a_start(self):
        """Refused with a sentence, or served: never an abort."""
        file = self.file()
        codes = {}
        n = 0
        while True:
            self.arm(n)
            code, log = self.start(file)
            codes[code] = codes.get(code, 0) + 1
            if code in REFUSED:
                self.assertTrue(log.strip(), f"allocation {n}: nothing is said")
            else:
                self.assertEqual(code, 0, f"allocation {n}: {log}")
            if not self.trouble.failed():
                break
            n += STEP if n > 40 else 1
        self.assertTrue(REFUSED & set(codes), codes)
        print(codes, end=" ", flush=True)

    def start(self, file):
        environment = {name: str(value) for name, value in self.trouble.environment().items()}
        with subprocess.Popen(listening.command()[:2] + ["-c", file], env=environment, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            log = ""
            for line in process.stderr:
                log += line
                if "ready: serving" in line:
                    process.send_signal(signal.SIGTERM)
            return process.wait(peer.PATIENCE_SECONDS), log


class AddressSpace(listening.Case):
    def test_it_ends_64_mib_above_what_is_used(self):
        """Where each thread's first allocation would take that much."""
        import resource
        server = self.serve()
        with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.prlimit(server.pid, resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        for _ in range(3):
            with server.connect() as first, server.connect() as second, server.connect() as third:
                for client in (first, second, third):
                    client.say("EHLO client.example")
                    reply = client.deliver("Subject: x\r\n\r\nx")
                    self.assertIn(reply[:3], ("250", "451", "421"))
        self.assertTrue(server.is_alive(), server.log())


if __name__ == "__main__":
    listening.main()
