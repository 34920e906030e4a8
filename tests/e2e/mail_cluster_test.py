#!/usr/bin/env python3
"""POSTERN_UNKNOWN_RECIPIENTS=refuse with POSTERN_LMTP: the mail cluster is asked about each recipient, in both programs. A real one,
Dovecot's, and one that does what it should not; deliver_lmtp_probe_test.cpp has each reply and each cut of an answer."""

import time

import dovecot_test
import peer
import policy_peers
from lmtp_peers import Standin
from peer import OURS
from recipient_case import MESSAGE, RecipientCase

FOREIGN = "far@elsewhere.example"
UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"
SPARED_SECONDS = 5  # spec::max_probe_seconds


class Case(RecipientCase):
    def begin(self, cluster, arguments=(), **settings):
        address = cluster if isinstance(cluster, str) else cluster.address
        self.start_asking(arguments, **({"POSTERN_LMTP": address, "POSTERN_UNKNOWN_RECIPIENTS": "refuse"} | settings))

    def standin(self, **manners):
        return self.own(Standin(**manners))


class IntoDovecot(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = dovecot_test.Dovecot()
        cls.addClassCleanup(cls.dovecot.remove)

    def setUp(self):
        self.dovecot.forget_mail()

    def test_of_a_pipelined_mixture_each_known_one_gets_the_message(self):
        for address in (self.dovecot.unix, self.dovecot.tcp):
            with self.subTest(address=address):
                self.dovecot.forget_mail()
                self.begin(address)
                client = self.client()
                names = ("nobody", "alice", "no.one", "bob", "nobody")
                client.send("".join(f"RCPT TO:<{name}@{OURS}>\r\n" for name in names) + "DATA\r\n")
                self.assertEqual([client.reply() for _ in names], [UNKNOWN, "250 ok", UNKNOWN, "250 ok", UNKNOWN])
                self.assert_code(354, client.reply())
                client.send(MESSAGE + ".\r\n")
                self.assertRegex(client.reply(), r"^250 ok \d+ lmtp 2\.0\.0 ")
                for name in ("alice", "bob"):
                    message, = self.dovecot.stored(name)
                    self.assertTrue(message.endswith(b"Subject: x\n\nx\n"), message)
                self.assert_logged(self.server, "rule=recipient.unknown ")
                self.assert_logged(self.server, f" said_by={address} ")
                self.assert_logged(self.server, " unknown_recipients=refuse")

    def test_all_unknown_is_no_transaction(self):
        self.begin(self.dovecot.unix)
        client = self.client()
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assert_code(503, client.say("DATA"))

    def test_a_full_mailbox_is_one_that_is_there(self):
        """Dovecot says so at the end of the data."""
        self.begin(self.dovecot.unix)
        client = self.client()
        self.assertEqual(self.rcpt(client, "full"), "250 ok")
        self.assert_code(451, self.deliver(client))

    def test_down_and_back(self):
        self.begin(self.dovecot.unix)
        self.assertEqual(self.rcpt(self.client(), "alice"), "250 ok")
        self.dovecot.stop()
        try:
            client = self.client()
            self.assertEqual(self.rcpt(client, "bob"), self.replies["recipient_unknowable"])
            self.assertEqual(self.rcpt(client, "nobody"), self.replies["recipient_unknowable"])
            known = "250 ok" if peer.is_listener() else self.replies["recipient_unknowable"]
            self.assertEqual(self.rcpt(client, "alice"), known)
            self.assert_logged(self.server, f"mail cluster {self.dovecot.unix}: no connection, ")
            self.assert_logged(self.server, "rule=recipient.unknowable ")
        finally:
            self.dovecot.start()
        client = self.client()
        self.assertTrue(peer.until(lambda: self.rcpt(client, "bob") == "250 ok", 10))
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assert_code(250, self.deliver(client))


class Standins(Case):
    def test_each_answer(self):
        unknowable = self.replies["recipient_unknowable"]
        answers = {"gone": "550 5.1.1 nobody", "odd": "501 5.1.3 what is that", "lines": "550-n\to\xff\r\n550 really", "later": "450 4.2.1 later",
                   "closing": "421 closing", "data": "354 go on", "rubbish": "what?", "mixed": "250-one\r\n550 two", "more": "250 one\r\n550 two",
                   "ends": "", "long": "250 " + "x" * 3000}
        standin = self.standin(**answers)
        self.begin(standin, VALIDRCPTTO_LIMIT=0)
        client = self.client()
        for name in answers:
            wanted = UNKNOWN if name in ("gone", "odd", "lines") else unknowable
            self.assertEqual(self.rcpt(client, name), wanted, name)
            self.assertEqual(self.rcpt(client, "user"), "250 ok", name)
        self.assertEqual(client.say("NOOP"), "250 ok")  # and nothing more was said
        for words in ("answered 450 4.2.1 later, at RCPT", "answered 421 closing, at RCPT", "no valid reply, at RCPT", "connection closed, at "):
            self.assert_logged(self.server, f"mail cluster {standin.address}: {words}")
        for words in ("550 5.1.1 nobody", "501 5.1.3 what is that", "550 n?o?? really"):
            self.assert_logged(self.server, f' said_by={standin.address} said="{words}" ')
        self.assertEqual(self.server.log().count(" said="), 3)
        self.assertNotIn("DATA", standin.commands)
        self.assertEqual({command for command in standin.commands if command.startswith("MAIL")}, {"MAIL FROM:<>"})

    def test_what_is_not_said_of_the_recipient_refuses_none(self):
        for manner in ({"mail": "550 5.7.1 not from you"}, {"mail": "451 later"}, {"lhlo": "502 what?"}, {"lhlo": "250-x"}):
            with self.subTest(manner=manner):
                standin = self.standin(nobody="550 nobody", **manner)
                self.begin(standin)
                client = self.client()
                begun = time.monotonic()
                for name in ("user", "nobody"):
                    self.assertEqual(self.rcpt(client, name), self.replies["recipient_unknowable"])
                self.assertLess(time.monotonic() - begun, 2 * SPARED_SECONDS + 5)
                self.assert_logged(self.server, f"mail cluster {standin.address}: ")
                self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])

    def test_silence_ends_in_time_and_others_are_served_meanwhile(self):
        standin = self.standin(silent=None)
        self.begin(standin)
        client = self.client()
        begun = time.monotonic()
        client.send(f"RCPT TO:<silent@{OURS}>\r\n")
        other = self.client()
        self.assertEqual(self.rcpt(other, "user"), "250 ok")
        self.assert_code(250, self.deliver(other))
        self.assertLess(time.monotonic() - begun, SPARED_SECONDS)
        self.assertEqual(client.reply(), self.replies["recipient_unknowable"])
        self.assertLess(time.monotonic() - begun, SPARED_SECONDS + 5)
        self.assert_logged(self.server, f"mail cluster {standin.address}: timed out, at ")

    def test_it_is_asked_after_the_lists_and_before_policy_services(self):
        home = self.home = self.fresh_home()
        home.control.joinpath("badrcptto").write_text(f"gone@{OURS}\n")
        home.control.joinpath("badmailfrom").write_text("bad@sender.example\n")
        peer.make_cdb(home.control / "validrcptto.cdb", {f"{name}@{OURS}": "" for name in ("gone", "user", "program", "missing")})
        program = home.script("rcptcheck", 'case "$RECIPIENT" in program@*) exit 100;; esac\nexit 0\n')
        service = policy_peers.Standin()
        self.addCleanup(service.stop)
        cluster = self.standin(missing="550 nobody")
        self.begin(cluster, RCPTCHECK=program, POSTERN_POLICY_SERVICE=service.address)
        client = self.client()
        for name, code in (("gone", 553), ("nobody", 550), ("program", 553), (FOREIGN, 553), ("missing", 550), ("user", 250)):
            self.assert_code(code, self.rcpt(client, name))
        client.say("RSET", "MAIL FROM:<bad@sender.example>")
        self.assert_code(553, self.rcpt(client, "user"))
        self.assertEqual(cluster.recipients(), [f"missing@{OURS}", f"user@{OURS}"])
        self.assertEqual(service.recipients(), [f"user@{OURS}"])

    def test_who_may_relay_is_not_asked_about(self):
        cluster = self.standin(nobody="550 nobody")
        self.begin(cluster, RELAYCLIENT="", POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", FOREIGN)], ["250 ok"] * 2)
        self.begin(cluster, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1, POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", FOREIGN)], ["250 ok"] * 2)
        self.assertEqual(cluster.recipients(), [f"nobody@{OURS}"])

    def test_without_the_setting_nobody_is_asked(self):
        cluster = self.standin(nobody="550 5.1.1 nobody")
        for settings in ({"POSTERN_UNKNOWN_RECIPIENTS": "accept"}, {"POSTERN_UNKNOWN_RECIPIENTS": ""}):
            self.begin(cluster, **settings)
            client = self.client()
            self.assertEqual([self.rcpt(client, name) for name in ("nobody", "user")], ["250 ok"] * 2)
            self.assertEqual(cluster.recipients(), [])
            self.assertNotIn("unknown_recipients=", self.server.log())
        self.assert_code(554, self.deliver(client))
        self.assertEqual(cluster.taken, [])

    def test_postmaster_is_asked_about_with_our_domain(self):
        cluster = self.standin()
        self.begin(cluster)
        client = self.client()
        self.assertEqual(client.say("RCPT TO:<postmaster>"), "250 ok")
        self.assert_code(250, self.deliver(client))
        self.assertEqual(len(set(cluster.recipients())), 1)
        self.assertRegex(cluster.recipients()[0], "^postmaster@.")

    def test_after_the_limit_the_session_ends(self):
        self.begin(self.standin(**{f"no{i}": "550 nobody" for i in range(4)}), VALIDRCPTTO_LIMIT=3)
        client = self.client()
        for i in range(3):
            self.assertEqual(self.rcpt(client, f"no{i}"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.rcpt(client, "no3"), self.replies["too_many_unknown"])
        self.assertEqual(client.rest(), b"")

    def test_inside_tls_too(self):
        self.begin(self.standin(nobody="550 nobody"))
        client = self.client().starttls()
        client.say("EHLO tls.example", "MAIL FROM:<me@sender.example>")
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assert_code(250, self.deliver(client))

    def test_a_client_that_leaves_meanwhile_is_no_trouble(self):
        standin = self.standin(silent=None)
        self.begin(standin)
        client = self.client()
        client.send(f"RCPT TO:<silent@{OURS}>\r\n")
        self.assertTrue(peer.until(lambda: standin.recipients() == [f"silent@{OURS}"]))
        client.close()
        other = self.client()
        self.assertEqual(self.rcpt(other, "user"), "250 ok")
        other.close()
        self.assertTrue(self.server.is_idle())

    def test_one_connection_serves_a_whole_session(self):
        standin = self.standin(nobody="550 nobody")
        self.begin(standin)
        client = self.client()
        for _ in range(3):
            self.assertEqual([self.rcpt(client, name) for name in ("user", "nobody", "other")], ["250 ok", UNKNOWN, "250 ok"])
        asked_once = 3 if peer.is_listener() else 9
        self.assertEqual(len(standin.recipients()), asked_once)
        tries = 1 if peer.is_listener() else 0  # once it serves, it tries whether anybody is there
        self.assertIn(standin.connections, (1, 1 + tries))


if __name__ == "__main__":
    peer.main()
