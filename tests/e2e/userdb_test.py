#!/usr/bin/env python3
"""POSTERN_USERDB: Dovecot is asked whether it has a user for each recipient, in both programs. Debian's Dovecot, and one that does what
it should not; ask_userdb_test.cpp has each reply and each cut of an answer."""

import os
import subprocess
import time
import urllib.request

import dovecot_test
import lmtp_peers
import peer
import policy_peers
from peer import OURS
from recipient_case import RecipientCase
from userdb_peers import Standin

FOREIGN = "far@elsewhere.example"
UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"
NOBODY = "NOTFOUND\t{id}\n"
SPARED_SECONDS = 5  # spec::max_probe_seconds


class Case(RecipientCase):
    def begin(self, userdb, arguments=(), **settings):
        address = userdb if isinstance(userdb, str) else userdb.address
        self.start_asking(arguments, POSTERN_USERDB=address, **settings)

    def standin(self, **manners):
        return self.own(Standin(**manners))


class IntoDovecot(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = dovecot_test.Dovecot()
        cls.addClassCleanup(cls.dovecot.remove)

    def test_users_are_taken_and_others_are_not(self):
        self.begin(self.dovecot.userdb)
        client = self.client()
        names = ("nobody", "alice", "no.one", "alice+lists", "ALICE", "postmaster", "+alice", "nobody+alice", '"a b"', "full")
        client.send("".join(f"RCPT TO:<{name}@{OURS}>\r\n" for name in names))
        known = ("alice", "alice+lists", "ALICE", "postmaster", "full")
        self.assertEqual({name: client.reply() for name in names}, {name: "250 ok" if name in known else UNKNOWN for name in names})
        self.assert_code(250, self.deliver(client))
        self.assert_logged(self.server, "rule=recipient.unknown ")
        self.assert_logged(self.server, f" said_by={self.dovecot.userdb} ")
        self.assert_logged(self.server, f" userdb={self.dovecot.userdb}")

    def test_before_a_mail_cluster_that_is_asked_about_nobody(self):
        self.begin(self.dovecot.userdb, POSTERN_LMTP=self.dovecot.unix)
        client = self.client()
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", "bob+x")], [UNKNOWN, "250 ok"])
        self.assert_code(250, self.deliver(client))
        self.assertEqual(len(self.dovecot.stored("bob")), 1)

    def test_down_and_back(self):
        self.begin(self.dovecot.userdb)
        self.assertEqual(self.rcpt(self.client(), "alice"), "250 ok")
        self.dovecot.stop()
        try:
            client = self.client()
            self.assertEqual([self.rcpt(client, name) for name in ("bob", "nobody")], [self.replies["recipient_unknowable"]] * 2)
            known = "250 ok" if peer.is_listener() else self.replies["recipient_unknowable"]
            self.assertEqual(self.rcpt(client, "alice"), known)
            self.assert_logged(self.server, f"userdb {self.dovecot.userdb}: no connection, ")
        finally:
            self.dovecot.start()
        client = self.client()
        self.assertTrue(peer.until(lambda: self.rcpt(client, "bob") == "250 ok", 10))
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)


class Standins(Case):
    def test_each_answer(self):
        answers = {"gone": NOBODY, "fail": "FAIL\t{id}\n", "why": "FAIL\t{id}\treason=no database\n", "other": "USER\t77\tother\n",
                   "nameless": "USER\t{id}\n", "rubbish": "what?\n" * 4000, "ends": "", "half": "NOTFOUND\t{id}", "more": "USER\t{id}\tmore\nUSER\t{id}\tmore\n",
                   "two": NOBODY + "USER\t{id}\ttwo\n", "later": "LATER\t{id}\tnews\nUSER\t{id}\tlater\n"}
        standin = self.standin(**answers)
        self.begin(standin, VALIDRCPTTO_LIMIT=0)
        client = self.client()
        wanted = {"gone": UNKNOWN, "two": UNKNOWN, "more": "250 ok", "later": "250 ok"}
        for name in answers:
            self.assertEqual(self.rcpt(client, name), wanted.get(name, self.replies["recipient_unknowable"]), name)
            self.assertEqual(self.rcpt(client, "user"), "250 ok", name)
        for words in ("answered FAIL", "answered FAIL reason=no database", "an answer to another question", "an answer without a name",
                      "an answer without an end", "connection closed"):
            self.assert_logged(self.server, f"userdb {standin.address}: {words}: whether there is such a user cannot be known")
        self.assertEqual({tuple(command[3:]) for command in standin.commands if command[0] == "USER"}, {("service=smtp",)})

    def test_one_that_cannot_be_asked_is_counted(self):
        if not peer.is_listener():
            return  # it has no page of figures
        self.begin("unix:/nobody/there")
        client = self.client()
        for name in ("one", "two", "one"):
            self.assertEqual(self.rcpt(client, name), self.replies["recipient_unknowable"])
        with urllib.request.urlopen(f"http://{self.server._metrics}/metrics", timeout=10) as opened:
            page = opened.read().decode()
        self.assertIn('postern_questions_total{source="userdb",name="unix:/nobody/there"} 3\n', page)
        self.assertIn('postern_answers_total{source="userdb",name="unix:/nobody/there",outcome="failed"} 3\n', page)
        self.assertIn('postern_open_questions{source="userdb",name="unix:/nobody/there"} 0\n', page)

    def test_another_protocol_refuses_nobody(self):
        for greeting in ("VERSION\t2\t0\n", "220 cluster\r\n", "NOTFOUND\t1\n", "USER\t1\tuser\n"):
            with self.subTest(greeting=greeting):
                standin = self.standin(greeting=greeting, nobody=NOBODY)
                self.begin(standin)
                client = self.client()
                self.assertEqual([self.rcpt(client, name) for name in ("user", "nobody")], [self.replies["recipient_unknowable"]] * 2)
                self.assert_logged(self.server, "it does not speak version 1 of Dovecot's auth protocol")
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
        self.assert_logged(self.server, f"userdb {standin.address}: timed out: ")

    def test_no_name_is_another_command(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        self.assertEqual(client.say(f'RCPT TO:<"a b=c"@{OURS}>'), "250 ok")
        self.assertEqual(client.say(f"RCPT TO:<x+y@{OURS}>"), "250 ok")
        self.assertEqual(standin.names(), [f"a b=c@{OURS}", f"x@{OURS}"])

    def test_it_is_asked_after_the_lists_and_before_the_mail_cluster_and_policy_services(self):
        home = self.home = self.fresh_home()
        home.control.joinpath("badrcptto").write_text(f"gone@{OURS}\n")
        peer.make_cdb(home.control / "validrcptto.cdb", {f"{name}@{OURS}": "" for name in ("gone", "user", "program", "missing", "refused")})
        program = home.script("rcptcheck", 'case "$RECIPIENT" in program@*) exit 100;; esac\nexit 0\n')
        service = self.own(policy_peers.Standin())
        cluster = self.own(lmtp_peers.Standin(refused="550 nobody"))
        userdb = self.standin(missing=NOBODY)
        self.begin(userdb, RCPTCHECK=program, POSTERN_POLICY_SERVICE=service.address, POSTERN_LMTP=cluster.address,
                   POSTERN_UNKNOWN_RECIPIENTS="refuse")
        client = self.client()
        for name, code in (("gone", 553), ("nobody", 550), ("program", 553), (FOREIGN, 553), ("missing", 550), ("refused", 550), ("user", 250),
                           ("postmaster", 250)):
            self.assert_code(code, self.rcpt(client, name))
        self.assertEqual(userdb.names(), [f"{name}@{OURS}" for name in ("missing", "refused", "user")])
        self.assertEqual(cluster.recipients(), [f"{name}@{OURS}" for name in ("refused", "user", "postmaster")])
        self.assertEqual(service.recipients(), [f"{name}@{OURS}" for name in ("user", "postmaster")])

    def test_who_may_relay_is_not_asked_about(self):
        userdb = self.standin(nobody=NOBODY)
        self.begin(userdb, RELAYCLIENT="", POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", FOREIGN)], ["250 ok"] * 2)
        self.begin(userdb, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1, POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", FOREIGN)], ["250 ok"] * 2)
        self.assertEqual(userdb.names(), [f"nobody@{OURS}"])

    def test_after_the_limit_the_session_ends(self):
        self.begin(self.standin(**{f"no{i}": NOBODY for i in range(4)}), VALIDRCPTTO_LIMIT=3)
        client = self.client()
        for i in range(3):
            self.assertEqual(self.rcpt(client, f"no{i}"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.rcpt(client, "no3"), self.replies["too_many_unknown"])
        self.assertEqual(client.rest(), b"")

    def test_inside_tls_too(self):
        self.begin(self.standin(nobody=NOBODY))
        client = self.client().starttls()
        client.say("EHLO tls.example", "MAIL FROM:<me@sender.example>")
        self.assertEqual([self.rcpt(client, name) for name in ("nobody", "user")], [UNKNOWN, "250 ok"])
        self.assert_code(250, self.deliver(client))

    def test_a_client_that_leaves_meanwhile_is_no_trouble(self):
        standin = self.standin(silent=None)
        self.begin(standin)
        client = self.client()
        client.send(f"RCPT TO:<silent@{OURS}>\r\n")
        self.assertTrue(peer.until(lambda: standin.names() == [f"silent@{OURS}"]))
        client.close()
        other = self.client()
        self.assertEqual(self.rcpt(other, "user"), "250 ok")
        other.close()
        self.assertTrue(self.server.is_idle())

    def test_a_wrong_address_refuses_the_start_and_check(self):
        for address, why in (("/run/dovecot/auth-userdb", "an address begins with unix: or tcp:"), ("tcp:dovecot.example:1", "is not an IP address")):
            settings = self.home.environment(POSTERN_USERDB=address)
            found = subprocess.run([peer.postern(), "check"], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True)
            self.assertRegex(found.stdout, f'POSTERN_USERDB="{address}"(.|\n)*{why}')
            if not peer.is_listener():
                self.assertEqual(self.start(greeted=True, POSTERN_USERDB=address).client.greeting, self.replies["configuration_error"])

    def test_what_was_said_is_remembered(self):
        standin = self.standin(nobody=NOBODY, odd="FAIL\t{id}\n")
        self.begin(standin)
        for _ in range(3):
            client = self.client()
            self.assertEqual([self.rcpt(client, name) for name in ("user", "user+detail", "nobody", "nobody+detail", "odd")],
                             ["250 ok"] * 2 + [UNKNOWN] * 2 + [self.replies["recipient_unknowable"]])
            client.close()
        self.assertEqual(len(standin.names()), 5 if peer.is_listener() else 15)
        # Each loop has its own; a dry run and the start try whether anybody is there.
        self.assertLessEqual(standin.connections, os.cpu_count() + 2 if peer.is_listener() else 15)


if __name__ == "__main__":
    peer.main()
