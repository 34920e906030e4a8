#!/usr/bin/env python3
"""Who may send through postern serve, and where the mail goes: AUTH_CDB and check programs, queue programs, Dovecot."""

import os
import pathlib
import time
import unittest

import dovecot_test
import peer
import serve
from peer import HOST, OURS, PASSWORD, USER

ALICE, BOB = (f"{name}@{OURS}" for name in ("alice", "bob"))


class Auth(serve.Case):
    def log_in(self, service, user=USER, password=PASSWORD, source="127.0.0.1"):
        client = service.connect(source=source)
        self.addCleanup(client.close)
        client.starttls().say("EHLO client.example")
        return client, client.say("AUTH PLAIN " + peer.plain_response(user, password))

    def test_a_cdb_judges(self):
        service = self.serving(variables={"AUTH_CDB": self.home.users, "POSTERN_RELAY": 1})
        client, reply = self.log_in(service)
        self.assertEqual(reply, self.replies["auth_accepted"])
        self.assert_code(250, client.deliver("x", recipient="who@elsewhere.example"))
        self.assertIn(b"ESMTPSA", self.home.stored("elsewhere.example/who")[0])
        self.assertEqual(self.log_in(service, password="wrong")[1], self.replies["auth_rejected"])
        self.assertEqual(self.log_in(service, "bob")[1], self.replies["auth_rejected"])  # it has expired
        self.home.users.unlink()
        self.assert_code(454, self.log_in(service)[1])
        for text in ("result=accepted user=alice", "result=rejected user=bob", "result=broken user=alice"):
            self.assert_logged(service, text)
        self.assertNotIn(PASSWORD, service.log())

    def test_a_users_databytes(self):
        service = self.serving(variables={"AUTH_CDB": self.home.users, "DATABYTES": 10_000})
        message = "\r\n".join(["x" * 70] * 3)
        dave, _ = self.log_in(service, "dave")
        self.assertIn("SIZE 77", dave.say("EHLO client.example"))
        self.assert_code(552, dave.deliver(message))
        self.assert_code(250, dave.deliver("x"))
        alice, _ = self.log_in(service)
        self.assert_code(250, alice.deliver(message))

    def test_a_check_program_judges_with_the_environment_of_its_client(self):
        checker = self.home.script("check", f"""tr '\\000' '|' <&3 >{self.home.path}/read
            env | grep -E '^(TCP|PROTO|MARK)' >{self.home.path}/env; exec "$@" """)
        service = self.serving({"check_program": [HOST, checker, "/bin/true"]}, environment={"MARK": "of-the-service"})
        client, reply = self.log_in(service, source="127.0.1.7")
        self.assertEqual(reply, self.replies["auth_accepted"])
        port = client.socket.getsockname()[1]
        variables = set((self.home.path / "env").read_text().split())
        self.assertLessEqual({"TCPREMOTEIP=127.0.1.7", f"TCPREMOTEPORT={port}", "TCPLOCALIP=127.0.0.1",
                              f"TCPLOCALPORT={service.port}", "PROTO=TCP", "MARK=of-the-service"}, variables)
        self.assertTrue((self.home.path / "read").read_text().startswith(f"{USER}|{PASSWORD}|"))
        self.assert_logged(service, "sandbox: seccomp o")  # open, or off where only root may have it

    def test_a_check_program_that_refuses_fails_or_dies(self):
        service = self.serving({"check_program": list(self.home.check_arguments())})
        for user, code in ((USER, 235), ("eve", 535), ("fail", 454), ("crash", 454)):
            self.assert_code(code, self.log_in(service, user)[1])

    def test_a_slow_judge_makes_nobody_else_wait(self):
        checker = self.home.script("check", 'sleep 1; exec "$@"')
        service = self.serving({"check_program": [HOST, checker, "/bin/true"]}, server={"checkers": 1, "loops": 1})

        def other():
            time.sleep(0.3)
            begun = time.monotonic()
            self.assert_serves(service)
            return time.monotonic() - begun

        *_, waited = serve.together(lambda: self.log_in(service), lambda: self.log_in(service), other)
        self.assertLess(waited, 0.7)


class Queue(serve.Case):
    def test_a_queue_program_gets_the_message_and_the_client_s_environment(self):
        queue = self.home.script("queue", f"cd {self.home.path}; cat >message; tr '\\000' '|' <&1 >envelope\n"
                                          "echo $TCPREMOTEIP >client")
        service = self.serving(variables={"QMAILQUEUE": queue, "POSTERN_MAILDIR": None})
        self.assert_serves(service, source="127.0.1.7")
        self.assertIn("Subject: x\n\nx\n", (self.home.path / "message").read_text())
        self.assertEqual((self.home.path / "envelope").read_text(), f"Fme@sender.example|Tuser@{OURS}||")
        self.assertEqual((self.home.path / "client").read_text(), "127.0.1.7\n")

    def test_its_answers(self):
        queue = self.home.script("queue", "cat >/dev/null; grep -cz refused <&1 >/dev/null && exit 31; exit 71")
        service = self.serving(variables={"QMAILQUEUE": queue, "POSTERN_MAILDIR": None})
        with service.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(554, client.deliver("x", recipient=f"refused@{OURS}"))
            self.assert_code(451, client.deliver("x"))
        self.assert_logged(service, "result=refused")
        self.assert_logged(service, "result=deferred")

    def test_never_more_at_once_than_hand_overs(self):
        here = self.home.path
        queue = self.home.script("queue", f"cd {here}; : >running.$$; ls running.* | wc -l >>counts; cat >/dev/null\n"
                                          "cat <&1 >/dev/null; sleep 0.1; rm running.$$")
        service = self.serving(server={"hand_overs": 2}, variables={"QMAILQUEUE": queue, "POSTERN_MAILDIR": None})
        serve.together(*[lambda: self.assert_serves(service)] * 12)
        counts = [int(count) for count in (here / "counts").read_text().split()]
        self.assertEqual(len(counts), 12)
        self.assertEqual(max(counts), 2)


    def test_who_leaves_while_its_message_waits_in_line_is_not_stored(self):  # deviation D26
        queue = self.home.script("queue", f"echo run >>{self.home.path}/runs; cat >/dev/null; cat <&1 >/dev/null; sleep 1")
        service = self.serving(server={"hand_overs": 1}, variables={"QMAILQUEUE": queue, "POSTERN_MAILDIR": None})
        with service.connect() as first, service.connect() as second, service.connect() as third:
            for client in (first, second, third):
                self.assert_code(354, client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")[-1])
            first.send("x\r\n.\r\n")
            self.assertTrue(peer.until(lambda: (self.home.path / "runs").exists()))
            second.send("x\r\n.\r\n")
            third.send("x\r\n.\r\nQUIT\r\n")
            second.end()
            third.end()
            self.assert_code(250, first.reply())
            self.assertEqual(second.rest(), b"")
            self.assert_code(250, third.reply())
        self.assert_logged(service, "result=client_gone")
        self.assertEqual((self.home.path / "runs").read_text(), "run\n" * 2)


class OnAnotherFileSystem(serve.Case):
    """A mount below the root of the Maildirs, in a mount namespace of the server's own."""

    @unittest.skipUnless(os.geteuid() == 0, "only root may mount")
    def test_mail_is_stored_and_the_start_says_what_it_costs(self):
        place = self.home.mail / OURS
        place.mkdir()
        self.write_file()
        mounting = f'mount --make-rprivate / && mount -t tmpfs none "{place}" && exec "$@"'
        service = self.start_serve(before=["unshare", "-m", "sh", "-c", mounting, "sh"])
        self.assertTrue(service.is_ready(), service.log())
        self.assert_logged(service, f"{place} is a mount below POSTERN_MAILDIR")
        for message in ("x", "y" * 200_000):
            with service.connect() as client:
                client.say("EHLO client.example")
                self.assert_code(250, client.deliver(message))
        inside = pathlib.Path(f"/proc/{service.process.pid}/root{place}/user")
        sizes = sorted(path.stat().st_size for path in (inside / "new").iterdir())
        self.assertEqual(len(sizes), 2)
        self.assertGreater(sizes[1], 200_000)
        self.assertEqual(list((inside / "tmp").iterdir()), [])
        self.assertEqual(self.home.stored() + self.home.leftovers(), [], "nothing is below the mount")


class IntoDovecot(serve.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = dovecot_test.Dovecot()
        cls.addClassCleanup(cls.dovecot.remove)

    def setUp(self):
        super().setUp()
        self.dovecot.forget_mail()

    def delivering(self, address):
        service = self.serving(variables={"POSTERN_LMTP": address, "POSTERN_MAILDIR": None, "TMPDIR": self.home.path})
        self.assertRegex(service.log(), "sandbox: seccomp strict, Landlock")
        return service

    def deliver(self, service, *recipients, message="Subject: hello\r\n\r\nhello\r\n"):
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            for recipient in recipients:
                self.assertEqual(client.say(f"RCPT TO:<{recipient}>"), "250 ok")
            self.assert_code(354, client.say("DATA"))
            client.send(message + ".\r\n")
            return client.reply()

    def test_two_users_an_unknown_one_and_a_large_message_from_inside_the_sandbox(self):
        for address in (self.dovecot.unix, self.dovecot.tcp):
            with self.subTest(address=address):
                self.dovecot.forget_mail()
                service = self.delivering(address)
                self.assertRegex(self.deliver(service, ALICE, BOB), r"^250 ok \d+ lmtp 2\.0\.0 ")
                for name in ("alice", "bob"):
                    message, = self.dovecot.stored(name)
                    self.assertTrue(message.startswith(b"Return-Path: <me@sender.example>\n"), message)
                    self.assertTrue(message.endswith(b"Subject: hello\n\nhello\n"), message)
                self.assertRegex(self.deliver(service, ALICE, f"nobody@{OURS}"), "^554 5\\.1\\.1 ")
                large = "Subject: large\r\n\r\n" + ("x" * 900 + "\r\n") * 2000  # waits in TMPDIR
                self.assert_code(250, self.deliver(service, BOB, message=large))
                self.assertEqual([len(self.dovecot.stored(name)) for name in ("alice", "bob")], [1, 2])

    def test_down_and_back(self):
        service = self.delivering(self.dovecot.unix)
        self.assert_code(250, self.deliver(service, ALICE))
        self.dovecot.stop()
        try:
            self.assertEqual(self.deliver(service, ALICE), "451 unable to reach mail cluster (#4.4.1)")
        finally:
            self.dovecot.start()
        self.assert_code(250, self.deliver(service, ALICE))
        self.assertEqual(len(self.dovecot.stored("alice")), 2)

    def test_many_senders_at_once(self):
        service = self.delivering(self.dovecot.tcp)
        replies = serve.together(*[lambda: self.deliver(service, ALICE, BOB)] * 16)
        self.assertEqual([reply[:3] for reply in replies], ["250"] * 16)
        self.assertEqual([len(self.dovecot.stored(name)) for name in ("alice", "bob")], [16, 16])


if __name__ == "__main__":
    peer.main()
