#!/usr/bin/env python3
"""Lists of the DNS about the domain of MAIL FROM and the name of HELO (DNSBL_SENDER, DNSBL_HELO), whose weights are added to those of the
client's address: a real rbldnsd behind a real unbound, and lists that do what they should not. In both programs; ask_dns_lists_test.cpp has
each name and each sum."""

import json
import time

import dns_lists_test
import peer
from dns_lists_test import LOCAL, MAIL, RCPT, SPARED_SECONDS, TED, TIM, TOM, Lists
from dns_servers import Rbldnsd, Unbound

SENDER = "dbl.test=127.0.1.[2..99]*2"


def refused(what):
    return f"550 mail from your address is not taken here: {what} (#5.7.1)"


class Case(dns_lists_test.Case):
    def rcpt_from(self, client, sender, helo=None, recipient=RCPT):
        if helo is not None:
            client.say(f"EHLO {helo}")
        return client.say(f"MAIL FROM:<{sender}>", recipient, "RSET")[1]


class RealLists(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lists = Rbldnsd({"bl.test": [":127.0.0.2:", "127.0.0.2", TIM]},
                            {"dbl.test": [":127.0.1.2:", "test", ".spam.example", "plain.example", "other.example :127.0.1.255:"],
                             "wl.test": [":127.0.2.3:", "good.spam.example"], "any.test": [":127.0.1.2:", "test", "invalid"]})
        cls.addClassCleanup(cls.lists.stop)
        cls.resolver = Unbound(["a.test 300 IN A 192.0.2.80"], {zone: cls.lists.port for zone in ("bl.test", "dbl.test", "wl.test", "any.test")})
        cls.addClassCleanup(cls.resolver.stop)

    def test_check_asks_each_list_about_the_domains_that_tell(self):
        lists = {"DNSBL": "bl.test=127.0.0.2", "DNSBL_SENDER": f"{SENDER} wl.test=127.0.2.3*-4 any.test=127.0.1.2", "DNSBL_HELO": "dbl.test=127.0.1.9"}
        environment = self.home.environment(POSTERN_DNS=self.resolver.address, **lists)
        found = peer.run([peer.postern(), "check", "--json"], env=environment)
        said = {piece["text"]: piece["grade"] for piece in json.loads(found.stdout)["advice"] if piece["id"] == "dns_list"}
        self.assertEqual(said, {
            "DNS list bl.test answers 127.0.0.2 for 127.0.0.2; weight 1": "note",
            "DNS list dbl.test of DNSBL_SENDER answers 127.0.1.2 for test; weight 2": "note",
            "DNS list wl.test of DNSBL_SENDER has no entry for test, which each list has: is that its name?": "warning",
            "DNS list any.test of DNSBL_SENDER has an entry for invalid, which no list has: it would refuse everybody": "warning",
            "DNS list dbl.test of DNSBL_HELO answers 127.0.1.2 for test, which is no listing here: it refuses this resolver, or other answers "
            "were meant": "warning"})

    def test_the_domain_of_a_sender(self):
        client = self.client(TOM, DNSBL_SENDER=SENDER)
        client.say("EHLO client.example")
        for sender, domain in (("a@spam.example", "spam.example"), ("a@b.SPAM.example", "b.spam.example"), ('"a@x.example"@plain.example', "plain.example")):
            self.assertEqual(self.rcpt_from(client, sender), refused(f"{domain} is on dbl.test"))
        for sender in ("", "a@example.com", "a@sub.plain.example", "a@other.example", "a@[127.0.0.2]", "a@localhost"):
            self.assertEqual(self.rcpt_from(client, sender), "250 ok", sender)
        self.assertEqual(self.rcpt_from(client, "a@spam.example", recipient="RCPT TO:<far@elsewhere.example>"), self.replies["not_our_domain"])
        self.assert_logged(self.server, "rule=recipient.client_listed ")
        self.assert_logged(self.server, " said_by=dbl.test*2 ")
        scores = lambda: [line for line in self.server.log().splitlines() if " score=2 " in line]
        self.assertTrue(peer.until(lambda: len(scores()) == 3), scores())
        self.assertIn("threshold=1", scores()[0])

    def test_the_name_of_helo(self):
        client = self.client(TOM, DNSBL_HELO="dbl.test=127.0.1.2")
        for helo, domain in (("spam.example", "spam.example"), ("mx.spam.example.", "mx.spam.example"), ("plain.example", "plain.example")):
            self.assertEqual(self.rcpt_from(client, "me@sender.example", helo), refused(f"{domain} is on dbl.test"))
        for helo in ("test", "[127.0.0.2]", "127.0.0.2", "good.example", "other.example", "a b"):
            self.assertEqual(self.rcpt_from(client, "me@spam.example", helo), "250 ok", helo)

    def test_weights_are_added_up(self):
        lists = {"DNSBL": "bl.test=127.0.0.2", "DNSBL_SENDER": f"{SENDER} wl.test=127.0.2.3*-4", "DNSBL_HELO": "dbl.test=127.0.1.2*3"}
        for threshold, source, sender, helo, wanted in (
                (6, TIM, "a@spam.example", "b.spam.example", f"{TIM} is on bl.test, spam.example is on dbl.test, b.spam.example is on dbl.test"),
                (4, TIM, "a@spam.example", "SPAM.example", f"{TIM} is on bl.test, spam.example is on dbl.test"),
                (5, TIM, "a@spam.example", "spam.example", None), (6, TIM, "a@spam.example", "x.example", None), (5, TOM, "a@plain.example", "spam.example", "plain.example is on dbl.test, spam.example is on dbl.test"),
                (1, TIM, "a@x.example", "x.example", f"{TIM} is on bl.test"), (1, TOM, "a@good.spam.example", "spam.example", "good.spam.example is on dbl.test, spam.example is on dbl.test"),
                (2, TOM, "a@good.spam.example", "spam.example", None), (1, TIM, "a@good.spam.example", "x.example", None)):
            with self.subTest(threshold=threshold, sender=sender, helo=helo):
                client = self.client(source, DNSBL_THRESHOLD=threshold, **lists)
                self.assertEqual(self.rcpt_from(client, sender, helo), refused(wanted) if wanted else "250 ok")
                client.close()

    def test_each_transaction_has_its_own(self):
        client = self.client(TOM, DNSBL_SENDER=SENDER, DNSBL_HELO="dbl.test=127.0.1.2")
        client.say("EHLO client.example")
        for sender, is_taken in (("a@x.example", True), ("a@spam.example", False), ("a@y.example", True), ("a@spam.example", False), ("", True)):
            self.assertEqual(self.rcpt_from(client, sender) == "250 ok", is_taken, sender)
        client.say("EHLO spam.example")
        self.assertEqual(self.rcpt_from(client, "a@x.example"), refused("spam.example is on dbl.test"))
        client.starttls()
        self.assertEqual(self.rcpt_from(client, "a@x.example", "client.example"), "250 ok")
        self.assertEqual(self.rcpt_from(client, "a@spam.example"), refused("spam.example is on dbl.test"))

    def test_who_may_relay_is_not_asked_about(self):
        self.assertEqual(self.rcpt_from(self.client(TOM, DNSBL_SENDER=SENDER, RELAYCLIENT=""), "a@spam.example"), "250 ok")
        client = self.client(TOM, DNSBL_SENDER=SENDER, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        client.say("EHLO client.example")
        self.assertEqual(self.rcpt_from(client, "a@spam.example"), refused("spam.example is on dbl.test"))
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        self.assertEqual(self.rcpt_from(client, "a@spam.example"), "250 ok")

    def test_a_threshold_that_nobody_reaches_is_a_warning(self):
        self.client(TOM, DNSBL_SENDER=SENDER, DNSBL_HELO="dbl.test=127.0.1.2", DNSBL_THRESHOLD=4)
        self.assert_logged(self.server, "the weights of DNSBL, DNSBL_SENDER and DNSBL_HELO come to 3: no client is ever refused by it")
        self.assert_logged(self.server, " dns_lists_of_sender=dbl.test ")


class Trouble(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.resolver = Lists()
        cls.addClassCleanup(cls.resolver.stop)

    def test_what_is_no_answer_refuses_nobody(self):
        for zone in ("error", "gone", "servfail", "refused", "nxdomain", "garbage"):
            with self.subTest(zone=zone):
                every = f"secret@{zone}.test=127.[0..255].[0..255].[0..255]"
                client = self.client(TOM, DNSBL_SENDER=every, DNSBL_HELO=every, POSTERN_LOG_DECISIONS=1)
                self.assertEqual(self.rcpt_from(client, "a@spam.example", "spam.example"), "250 ok")
                why = {"error": "127.255.255.254", "servfail": "SERVFAIL", "refused": "REFUSED"}.get(zone)
                if why is not None:
                    self.assert_logged(self.server, f"DNS lists did not answer: {zone}.test ({why})")
                self.assertNotIn("secret", self.server.log())
                client.close()

    def test_silence_refuses_nobody_has_an_end_and_others_are_served(self):
        client = self.client(TOM, DNSBL_SENDER="silent.test=127.0.0.2", DNSBL_HELO="silent.test=127.0.0.2")
        began = time.monotonic()
        client.send(f"EHLO client.example\r\n{MAIL}\r\n{RCPT}\r\nNOOP\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual(client.reply(), "250 ok")
        other = self.come(TED)
        self.assertEqual(other.say("NOOP"), "250 ok")
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual([client.reply(), client.reply()], ["250 ok", "250 ok"])
        self.assertLess(time.monotonic() - began, SPARED_SECONDS + 5)

    def test_a_client_that_leaves_while_it_waits(self):
        client = self.client(TOM, DNSBL_SENDER="silent.test=127.0.0.2")
        client.send(f"EHLO client.example\r\n{MAIL}\r\n{RCPT}\r\n")
        self.assert_code(250, client.reply())
        client.close()
        self.assertTrue(peer.until(self.server.is_idle, SPARED_SECONDS + 10))

    def test_nobody_is_asked_about_clients_that_lists_are_not_asked_about(self):
        self.resolver.asked.clear()
        settings = {"DNSBL_SENDER": "ok.test=127.0.0.2", "DNSBL_HELO": "ok.test=127.0.0.2"}
        self.assertEqual(self.rcpt_from(self.client(LOCAL, **settings), "a@spam.example", "spam.example"), "250 ok")
        self.assertEqual(self.rcpt_from(self.client(TOM, RBLSMTPD="", **settings), "a@spam.example", "spam.example"), "250 ok")
        if peer.is_listener():
            client = self.client(TED, limits={"exempt": [f"{TED}/32"]}, **settings)
            self.assertEqual(self.rcpt_from(client, "a@spam.example", "spam.example"), "250 ok")
        self.assertEqual(self.resolver.asked, [])
        self.assertEqual(self.rcpt_from(self.client(TOM, **settings), "a@x.example", "y.example", "RCPT TO:<a@elsewhere.example>"),
                         self.replies["not_our_domain"])
        self.assertEqual(self.resolver.asked, [], "only recipients that would be taken need lists")
        self.assertEqual(self.rcpt_from(self.client(TOM, **settings), "a@x.example", "y.example"),
                         refused("x.example is on ok.test, y.example is on ok.test"))
        self.assertEqual({name for name, _, _ in self.resolver.asked}, {"x.example.ok.test", "y.example.ok.test"})

    def test_a_list_for_ipv4_alone_refuses_the_start(self):
        lists = "ipv4:secret@ok.test=127.0.0.2"
        if peer.is_listener():
            with self.assertRaises(TimeoutError) as caught:
                self.client(TOM, DNSBL_SENDER=lists)
            log = str(caught.exception)
        else:
            self.assertEqual(self.client(TOM, DNSBL_SENDER=lists).greeting, self.replies["configuration_error"])
            log = self.server.log()
        self.assertIn('"ok.test=127.0.0.2": ipv4: is for lists of addresses', log)
        self.assertNotIn("secret", log)


if __name__ == "__main__":
    peer.main()
