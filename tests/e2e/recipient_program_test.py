#!/usr/bin/env python3
"""RCPTCHECK (D34): a program that is asked last about a recipient, in both programs. ask_recipient_program_test.cpp has each exit
code and what a program may do to its descriptor; this has what it finds, who is asked about, and what a client hears."""

import time

import peer
from peer import OURS

FOREIGN = "far@elsewhere.example"
MESSAGE = "Subject: x\r\n\r\nx"
USUAL = "553 sorry, no mailbox here by that name (#5.1.1)"
PROGRAM = """#!/bin/sh
echo "$SENDER $RECIPIENT $HELO $USE_FD4 $TCPREMOTEIP ${COLOUR-none}" >>%s
case "$RECIPIENT" in
  never@*) echo "not here, thank you (#5.7.1)" >&4; exit 100;;
  silent@*) exit 100;;
  later@*) echo ask me later >&4; exit 111;;
  broken@*) exit 120;;
  crash@*) kill -SEGV $$;;
  rubbish@*) head -c 1000000 /dev/urandom >&4; exit 100;;
  long@*) head -c 1000000 /dev/zero | tr '\\000' x >&4; exit 100;;
  early@*) exec 4>&-; exit 100;;
  talks@*) printf 'one\\r\\n250 two' >&4; exit 100;;
  slow@*) sleep 2;;
esac
exit 0
"""


class Programs(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()
        self.asked = self.home.path / "asked"
        self.program = peer.write_script(self.home.path / "rcptcheck", PROGRAM % self.asked)

    def client(self, arguments=(), **settings):
        self.server = peer.start_server(self.home.environment(**{"RCPTCHECK": self.program} | settings), arguments)
        self.addCleanup(self.server.stop)
        return self.another()

    def another(self):
        client = self.server.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example")
        self.assertEqual(client.say("MAIL FROM:<me@sender.example>"), "250 ok")
        return client

    def rcpt(self, client, name):
        return client.say(f"RCPT TO:<{name if '@' in name else f'{name}@{OURS}'}>")

    def recipients(self):
        """Those that the program was asked about."""
        return [line.split()[1] for line in self.asked.read_text().splitlines()] if self.asked.exists() else []

    def test_each_answer(self):
        client = self.client()
        for name, reply in (("user", "250 ok"), ("never", "553 not here, thank you (#5.7.1)"), ("silent", USUAL),
                            ("later", self.replies["recipient_program_deferred"]), ("early", USUAL),
                            ("broken", self.replies["recipient_unknowable"]), ("crash", self.replies["recipient_unknowable"]),
                            ("long", "553 " + "x" * 255), ("talks", "553 one??250 two")):
            self.assertEqual(self.rcpt(client, name), reply, name)
        rubbish = self.rcpt(client, "rubbish")
        self.assertRegex(rubbish, "^553 [ -~]{255}$")
        self.assertEqual(client.say("NOOP"), "250 ok")  # and nothing more was said
        self.assert_code(354, client.say("DATA"))
        client.send(MESSAGE + "\r\n.\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual({path.name for path in self.home.mail.joinpath(OURS).iterdir()}, {"user"})
        for sentence in ("rule=recipient.program_refused ", " said_by=RCPTCHECK ", "rule=recipient.program_deferred ", "exit code 120", "was killed by SIGSEGV"):
            self.assert_logged(self.server, sentence)

    def test_what_it_finds(self):
        client = self.client()
        self.rcpt(client, "User")
        client.say("RSET", "MAIL FROM:<>")
        self.rcpt(client, "postmaster")
        self.assertEqual(self.asked.read_text().splitlines(),
                         [f"me@sender.example User@{OURS} client.example 1 127.0.0.1 none",
                          f" postmaster@{OURS} client.example 1 127.0.0.1 none"])

    def test_it_is_asked_last_and_only_about_what_would_be_taken(self):
        self.home.control.joinpath("badrcptto").write_text(f"gone@{OURS}\n")
        self.home.control.joinpath("badmailfrom").write_text("bad@sender.example\n")
        peer.make_cdb(self.home.control / "validrcptto.cdb", {f"{name}@{OURS}": "" for name in ("gone", "user", "boxless")})
        self.home.mail.joinpath(OURS, "user").mkdir(parents=True)
        client = self.client(POSTERN_UNKNOWN_RECIPIENTS="refuse")
        for name, code in (("gone", 553), ("nobody", 550), ("boxless", 550), (FOREIGN, 553), ("user", 250)):
            self.assert_code(code, self.rcpt(client, name))
        for said_by in ("validrcptto", "mailbox"):
            self.assert_logged(self.server, f" said_by={said_by} ")
        client.say("RSET", "MAIL FROM:<bad@sender.example>")
        self.assert_code(553, self.rcpt(client, "user"))
        self.assertEqual(self.recipients(), [f"user@{OURS}"])

    def test_who_may_relay_is_not_asked_about(self):
        client = self.client(RELAYCLIENT="", POSTERN_RELAY=1)
        self.assertEqual(self.rcpt(client, "never"), "250 ok")
        self.assertEqual(self.rcpt(client, FOREIGN), "250 ok")
        client = self.client(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        self.assert_code(553, self.rcpt(client, "never"))
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual(self.rcpt(client, "never"), "250 ok")
        self.assertEqual(self.recipients(), [f"never@{OURS}"])

    def test_inside_tls_too(self):
        client = self.client()
        client.starttls()
        client.say("EHLO tls.example", "MAIL FROM:<me@sender.example>")
        self.assertEqual(self.rcpt(client, "never"), "553 not here, thank you (#5.7.1)")
        self.assertIn(" tls.example 1 ", self.asked.read_text())

    def test_one_that_cannot_be_run_defers_and_is_told_at_the_start(self):
        text = self.home.path / "text"
        text.write_text("#!/bin/sh\n")
        text.chmod(0o644)
        for program, why in (("nowhere", "is not there"), (text, "may not be executed"), ("/", "is a folder")):
            with self.subTest(program=program):
                client = self.client(RCPTCHECK=program)
                self.assertEqual(self.rcpt(client, "user"), self.replies["recipient_unknowable"])
                self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
                self.assert_logged(self.server, f'RCPTCHECK="{program}"')
                self.assert_logged(self.server, why)
                self.assert_logged(self.server, "cannot be run: ")

    def test_pipelined_recipients_are_each_asked(self):
        client = self.client()
        names = ["user", "never", "later", "user"] * 3
        client.send("".join(f"RCPT TO:<{name}@{OURS}>\r\n" for name in names) + "NOOP\r\n")
        self.assertEqual([client.reply()[:3] for _ in names], ["250", "553", "450", "250"] * 3)
        self.assertEqual(client.reply(), "250 ok")

    def test_a_client_that_leaves_meanwhile_is_no_trouble(self):
        client = self.client()
        client.send(f"RCPT TO:<slow@{OURS}>\r\n")
        client.close()
        self.assertEqual(self.rcpt(self.another(), "user"), "250 ok")

    def test_others_are_served_while_one_waits(self):
        slow = self.client()
        other = self.another()
        began = time.monotonic()
        slow.send(f"RCPT TO:<slow@{OURS}>\r\n")
        self.assertEqual(self.rcpt(other, "never"), "553 not here, thank you (#5.7.1)")
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(slow.reply(), "250 ok")
        self.assertGreaterEqual(time.monotonic() - began, 2)


if __name__ == "__main__":
    peer.main()
