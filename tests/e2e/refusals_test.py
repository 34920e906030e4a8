#!/usr/bin/env python3
"""The line that the log has of a refusal: whose mail it was, how large, who refuses it, and why. In both programs.
observe_refusal_test.cpp has every rule that refuses."""

import re

import peer
from peer import OURS

DRAIN = "cat >/dev/null; cat <&1 >/dev/null; "


class Refusals(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()

    def client(self, **settings):
        self.server = peer.start_server(self.home.environment(**settings))
        self.addCleanup(self.server.stop)
        client = self.server.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example")
        return client

    def assert_line(self, rule, *parts):
        """The fields and words of the line of a rule."""
        log = self.server.wait_for_log(f"rule={rule} ")
        lines = [line for line in log.splitlines() if "]: refuse " in line and f"rule={rule} " in line]
        self.assertEqual(len(lines), 1, log)
        for part in parts:
            self.assertIn(f" {part}", lines[0] + " ")
        return lines[0]

    def begin(self, client, *recipients):
        client.say("MAIL FROM:<me@sender.example>", *(f"RCPT TO:<{each}@{OURS}>" for each in recipients), "DATA")

    def test_a_size_that_mail_declares(self):
        client = self.client(DATABYTES=1000)
        self.assert_code(552, client.say("MAIL FROM:<me@sender.example> SIZE=1001"))
        self.assert_line("mail.too_big", "octets=1001 ", "from=me@sender.example ")

    def test_a_message_that_is_too_large(self):
        client = self.client(DATABYTES=1000)
        self.begin(client, "user", "other")
        self.assert_code(552, client.say("x" * 998 + "\r\nyy\r\n."))
        line = self.assert_line("data_end.too_big", "octets=1002 ", "recipients=2 ", "from=me@sender.example ", f"to=user@{OURS} ")
        self.assertRegex(line, r" id=\d+-\d+ ")
        self.assertNotIn(" said_by=", line)

    def test_a_way_out_that_refuses(self):
        for code, rule in ((31, "hand_over.refused"), (53, "hand_over.deferred")):
            client = self.client(QMAILQUEUE=self.home.script("queue", f"{DRAIN}exit {code}\n"))
            self.begin(client, "user")
            client.say("Subject: x\r\n\r\nx\r\n.")
            line = self.assert_line(rule, "said_by=queue-program ", "octets=", "from=me@sender.example ", f"to=user@{OURS} ")
            message, = [each for each in self.server.log().splitlines() if "]: message " in each]
            self.assertIn(re.search(r" id=\S+", line)[0], message)
            self.assertIn(f" result={rule.removeprefix('hand_over.')} ", message)

    def test_who_cannot_be_asked(self):
        address = f"tcp:127.0.0.1:{peer.free_port()}"
        client = self.client(POSTERN_USERDB=address)
        client.say("MAIL FROM:<me@sender.example>")
        self.assert_code(451, client.say(f"RCPT TO:<user@{OURS}>"))
        self.assert_line("recipient.unknowable", f"said_by={address} ", f'why="userdb {address}: no connection, ECONNREFUSED: ', "from=me@sender.example ",
                         f"to=user@{OURS} ")

    def test_a_program_that_defers(self):
        program = self.home.script("rcptcheck", "echo ask me later >&4; exit 111\n")
        client = self.client(RCPTCHECK=program)
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual(client.say(f"RCPT TO:<user@{OURS}>"), self.replies["recipient_program_deferred"])
        self.assert_line("recipient.program_deferred", "said_by=RCPTCHECK ", 'said="ask me later" ', f"to=user@{OURS}")


if __name__ == "__main__":
    peer.main()
