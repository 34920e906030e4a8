#!/usr/bin/env python3
"""Lists of the DNS about the client's address, of which trouble refuses nobody: a real rbldnsd behind a real unbound, and lists that
do what they should not. In both programs; ask_dns_lists_test.cpp has each score, this has the ways to it."""

import json
import os
import subprocess
import time

import peer
from dns_servers import Faulty, Rbldnsd, Unbound, record
from peer import OURS

TIM, TOM, TED, TEA = (f"198.51.100.{number}" for number in (101, 102, 103, 104))  # about private addresses nobody is asked
LOCAL = "127.0.0.105"
FOREIGN = "far@elsewhere.example"
RCPT = f"RCPT TO:<user@{OURS}>"
MAIL = "MAIL FROM:<me@sender.example>"
LISTS = "bl.test=127.0.0.[2..11]*3 two.test=127.0.0.2 wl.test=127.0.[0..255].[1..3]*-3"
SPARED_SECONDS = 5  # spec::max_dns_seconds


def refused(client, lists):
    return f"550 mail from your address is not taken here: {client} is on {lists} (#5.7.1)"


class Lists(Faulty):
    """Answers by the zone: `1.100.51.198.late.test`."""

    def manner_of(self, query):
        query.manner = query.name.split(".")[-2]
        return query.manner

    def error(self, query):
        """As lists answer a resolver that they refuse."""
        return [query.reply(record(query.name, bytes([127, 255, 255, 254])))]

    def gone(self, query):
        """As one who bought the domain of a list that is gone answers."""
        return [query.reply(record(query.name, bytes([203, 0, 113, 7])))]

    def slow(self, query):
        return [2.5] if self.times(query.name) == 1 else []

    def late(self, query):
        return [1.0] if self.times(query.name) == 1 else []


class Case(peer.Case):
    """Clients come from 127.0.0.x, and from 198.51.100.x by what stands before the program: a proxy, or a wrapper that sets the
    variables of tcpserver."""

    def start(self, arguments=(), limits=None, **settings):
        environment = self.home.environment(POSTERN_DNS=self.resolver.address, **settings)
        if peer.is_listener():
            self.server = peer.Serve(environment, arguments, limits, proxies=["127.0.0.0/8"])
        else:
            wrapper = self.home.script("from", 'test $TCPREMOTEIP = %s || export TCPREMOTEIP=198.51.100.${TCPREMOTEIP##*.}\nexec "$@"' % LOCAL)
            self.server = peer.Tcpserver(environment, arguments, before=[wrapper])
        self.addCleanup(self.server.stop)

    def client(self, source=TIM, **more):
        self.start(**more)
        return self.come(source)

    def connect(self, source):
        client = self.server.connect(source=f"127.0.0.{source.rpartition('.')[2]}", greeted=False)
        if peer.is_listener():
            client.send(f"PROXY TCP4 {source} 127.0.0.1 50000 25\r\n")
        self.addCleanup(client.close)
        return client

    def come(self, source=TIM):
        client = self.connect(source)
        client.greeting = client.reply()
        return client

    def rcpt(self, client, recipient=RCPT):
        return client.say(MAIL, recipient, "RSET")[1]


class RealLists(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = [":127.0.0.2:", "127.0.0.2"]
        cls.lists = Rbldnsd({"bl.test": [*test, TIM, f"{TED} :127.0.0.10:", f"{TEA} :127.0.0.30:"],
                             "two.test": [*test, TIM], "wl.test": [":127.0.5.2:", TED]})
        cls.addClassCleanup(cls.lists.stop)
        zones = ("bl.test", "two.test", "wl.test")
        cls.resolver = Unbound(["a.test 300 IN A 192.0.2.80"], {zone: cls.lists.port for zone in zones})
        cls.addClassCleanup(cls.resolver.stop)

    def test_weights_refuse_recipients_of_ours(self):
        tim = self.client(DNSBL=LISTS, DNSBL_THRESHOLD=2)
        self.assert_code(250, tim.say("EHLO client.example"))
        self.assertEqual(self.rcpt(tim), refused(TIM, "bl.test, two.test"))
        self.assertEqual(self.rcpt(tim, f"RCPT TO:<{FOREIGN}>"), self.replies["not_our_domain"])
        self.assertEqual(tim.say(MAIL, RCPT, "DATA")[2], self.replies["rcpt_first"])
        self.assert_logged(self.server, "rule=recipient.client_listed ")
        line = next(each for each in self.server.log().splitlines() if "dns_listed: " in each or " dns_listed " in each)
        for part in (TIM, "score=4", "threshold=2", "bl.test*3 two.test*1"):
            self.assertIn(part, line)
        self.assertEqual(self.server.log().count("score="), 1)
        for other in (TOM, TED, TEA):  # on none; on one, and on a white one; with an answer that is no listing
            client = self.come(other)
            self.assertEqual(self.rcpt(client), "250 ok", other)

    def test_a_threshold(self):
        self.assertEqual(self.rcpt(self.client(DNSBL=LISTS, DNSBL_THRESHOLD=4)), refused(TIM, "bl.test, two.test"))
        self.assertEqual(self.rcpt(self.client(DNSBL=LISTS, DNSBL_THRESHOLD=5)), "250 ok")
        self.assert_logged(self.server, "no client is ever refused by it")

    def test_who_may_relay_is_not_refused(self):
        self.assertEqual(self.rcpt(self.client(DNSBL=LISTS, RELAYCLIENT="")), "250 ok")
        client = self.client(DNSBL=LISTS, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1, POSTERN_LOG_DECISIONS=1)
        self.assertEqual(self.rcpt(client), refused(TIM, "bl.test, two.test"))
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        self.assertEqual(self.rcpt(client), "250 ok")
        self.assert_logged(self.server, "rule=recipient.client_listed_may_relay ")

    def test_after_starttls(self):
        client = self.client(DNSBL=LISTS).starttls()
        self.assertEqual(self.rcpt(client), refused(TIM, "bl.test, two.test"))

    def test_at_connect(self):
        client = self.client(DNSBL=LISTS, DNSBL_AT_CONNECT=1)
        self.assertEqual(client.greeting, f"554 no mail service for your address: {TIM} is on bl.test, two.test (#5.7.1)")
        self.assertEqual(client.rest(), b"")
        self.assert_logged(self.server, "rule=connect.dns_listed ")
        other = self.come(TOM)
        self.assert_code(220, other.greeting)
        self.assertEqual(self.rcpt(other), "250 ok")
        self.assert_code(554, self.client(DNSBL=LISTS, DNSBL_AT_CONNECT=1, GREETDELAY=1).greeting)
        self.assert_code(220, self.client(DNSBL=LISTS, DNSBL_AT_CONNECT=1, RELAYCLIENT="").greeting)

    def test_check_asks_each_list_about_the_addresses_that_tell(self):
        lists = "bl.test=127.0.0.2*3 wl.test=127.0.0.2 secret@gone.test=127.0.0.2"
        environment = self.home.environment(POSTERN_DNS=self.resolver.address, DNSBL=lists)
        found = subprocess.run([peer.postern(), "check", "--json"], env=environment, stdout=subprocess.PIPE, timeout=60)
        said = {piece["text"]: piece["grade"] for piece in json.loads(found.stdout)["advice"] if piece["id"] == "dns_list"}
        self.assertEqual(said.pop("DNS list bl.test answers 127.0.0.2 for 127.0.0.2; weight 3"), "note")
        self.assertEqual(said.pop("DNS list wl.test has no entry for 127.0.0.2, which each list has: is that its name?"), "warning")
        self.assertEqual(list(said.values()), ["warning"])
        self.assertNotIn(b"secret", found.stdout)

    def test_check_knows_entries_of_one_zone_and_lists_of_ipv6(self):
        def six(query):
            return [query.reply(record(query.name))] if query.name.startswith("2.0.0.0.0.0.f.7.f.f.f.f.") else resolver.nxdomain(query)
        resolver = Lists()
        self.addCleanup(resolver.stop)
        resolver.six = six
        said = {}
        for server, lists in ((resolver, "six.test=127.0.0.2"), (self.resolver, "bl.test=127.0.0.2*3 bl.test=127.0.0.9*2")):
            environment = self.home.environment(POSTERN_DNS=server.address, DNSBL=lists)
            found = subprocess.run([peer.postern(), "check", "--json"], env=environment, stdout=subprocess.PIPE, timeout=60)
            said |= {piece["text"]: piece["grade"] for piece in json.loads(found.stdout)["advice"] if piece["id"] == "dns_list"}
        self.assertEqual(said, {"DNS list six.test answers 127.0.0.2 for ::ffff:7f00:2, and nothing for IPv4; weight 1": "note",
                                "DNS list bl.test answers 127.0.0.2 for 127.0.0.2; weights 3, 2": "note"})

    def test_rblsmtpd_says_that_nobody_is_asked(self):
        self.assertEqual(self.rcpt(self.client(DNSBL=LISTS, RBLSMTPD="")), "250 ok")


class Trouble(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.resolver = Lists()
        cls.addClassCleanup(cls.resolver.stop)

    def test_what_is_no_answer_refuses_nobody(self):
        for zone in ("error", "gone", "servfail", "refused", "nxdomain", "garbage"):
            with self.subTest(zone=zone):
                client = self.client(DNSBL=f"{zone}.test=127.[0..255].[0..255].[0..255]")
                self.assertEqual(self.rcpt(client), "250 ok")
                why = {"error": "127.255.255.254", "servfail": "SERVFAIL", "refused": "REFUSED"}.get(zone)
                if why is not None:
                    self.assert_logged(self.server, f"DNS lists did not answer: {zone}.test ({why})")
                client.close()

    def test_silence_refuses_nobody_and_has_an_end(self):
        for settings in ({}, {"DNSBL_AT_CONNECT": 1}):
            began = time.monotonic()
            client = self.client(DNSBL="silent.test=127.0.0.2", **settings)
            self.assertEqual(self.rcpt(client), "250 ok")
            self.assertLess(time.monotonic() - began, SPARED_SECONDS + 5)

    def test_silence_inside_tls_is_no_speech(self):
        """DROP_PRE_GREET is for who speaks, not for who has just ended a handshake."""
        for settings in ({"DNSBL_AT_CONNECT": 1}, {"GREETDELAY": 2}):
            with self.subTest(settings):
                self.start(DNSBL="late.test=127.0.0.9", SSL=1, DROP_PRE_GREET=1, **settings)
                client = self.connect(TEA if "GREETDELAY" in settings else TOM)
                client.start_tls()
                self.assert_code(220, client.reply())

    def test_what_is_said_while_lists_are_slower_than_the_greeting_is_dropped(self):
        client = self.client_that_speaks_early(GREETDELAY=1, DNSBL_AT_CONNECT=1, DNSBL="slow.test=127.0.0.9")
        self.assert_code(220, client.reply())
        self.assertEqual(client.say("NOOP"), "250 ok", "and not the reply to an earlier line")

    def client_that_speaks_early(self, **settings):
        self.start(**settings)
        client = self.connect(TIM)
        time.sleep(1.5)
        client.send("HELP\r\n")
        return client

    def test_others_are_served_while_one_waits(self):
        tim = self.client(DNSBL="silent.test=127.0.0.2")
        tom = self.come(TOM)
        tim.send(f"{MAIL}\r\n{RCPT}\r\nNOOP\r\n")
        self.assertEqual(tim.reply(), "250 ok")
        for _ in range(10):
            began = time.monotonic()
            self.assertEqual(tom.say("NOOP"), "250 ok")
            self.assertLess(time.monotonic() - began, 2)
        self.assertEqual([tim.reply(), tim.reply()], ["250 ok", "250 ok"])

    def test_lines_that_came_meanwhile_have_their_replies(self):
        client = self.client(DNSBL="late.test=127.0.0.2")
        client.send(f"EHLO client.example\r\n{MAIL}\r\n{RCPT}\r\nRCPT TO:<{FOREIGN}>\r\n{RCPT}\r\nNOOP\r\nQUIT\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual([client.reply() for _ in range(6)],
                         ["250 ok", refused(TIM, "late.test"), self.replies["not_our_domain"], refused(TIM, "late.test"), "250 ok",
                          "221 mx." + OURS])

    def test_a_client_that_leaves_while_it_waits(self):
        client = self.client(DNSBL="silent.test=127.0.0.2")
        client.send(f"{MAIL}\r\n{RCPT}\r\n")
        self.assertEqual(client.reply(), "250 ok")
        client.close()
        self.assertTrue(peer.until(self.server.is_idle, SPARED_SECONDS + 10))

    def test_a_name_is_asked_once_and_remembered(self):
        self.resolver.asked.clear()
        client = self.client(DNSBL="ok.test=127.0.0.2*3 ok.test=127.0.0.[2..4]*2", DNSBL_THRESHOLD=5, source=TED)
        self.assertEqual(self.rcpt(client), refused(TED, "ok.test"))
        for _ in range(7):
            self.assertEqual(self.rcpt(self.come(TED)), refused(TED, "ok.test"))
        loops = os.cpu_count()  # each remembers for itself
        self.assertLessEqual(len(self.resolver.asked), min(loops, 8) if peer.is_listener() else 8)

    def test_who_may_relay_is_not_asked_about(self):
        self.resolver.asked.clear()
        self.assertEqual(self.rcpt(self.client(DNSBL="ok.test=127.0.0.2", RELAYCLIENT="")), "250 ok")
        self.assertEqual(self.resolver.asked, [])

    def test_an_address_that_no_host_of_the_internet_has_is_not_asked_about(self):
        self.resolver.asked.clear()
        for source in (LOCAL, "192.168.0.105") if peer.is_listener() else (LOCAL,):
            self.assertEqual(self.rcpt(self.client(DNSBL="ok.test=127.0.0.2", source=source)), "250 ok")
        if peer.is_listener():  # who is exempt from limits neither: postern-smtpd has none
            client = self.client(DNSBL="ok.test=127.0.0.2", limits={"exempt": [f"{TED}/32"]}, source=TED)
            self.assertEqual(self.rcpt(client), "250 ok")
        self.assertEqual(self.resolver.asked, [])
        self.assertEqual(self.rcpt(self.come(TIM)), refused(TIM, "ok.test"))

    def test_a_key_is_asked_and_never_shown(self):
        self.resolver.asked.clear()
        client = self.client(DNSBL="sEcReT@ok.test=127.0.0.2 secret@error.test=127.0.0.2", POSTERN_LOG_DECISIONS=1)
        self.assertEqual(self.rcpt(client), refused(TIM, "ok.test"))
        self.assertIn("101.100.51.198.secret.ok.test", [name for name, _, _ in self.resolver.asked])
        self.assert_logged(self.server, "DNS lists did not answer: error.test (127.255.255.254)")
        self.assertNotIn("secret", self.server.log().lower())

    def refusal_of_start(self, **settings):
        if peer.is_listener():
            with self.assertRaises(TimeoutError) as caught:
                self.client(**settings)
            return str(caught.exception)
        self.assertEqual(self.client(**settings).greeting, self.replies["configuration_error"])
        return self.server.log()

    def test_a_list_without_its_answers_refuses_the_start(self):
        for lists, why in (("secret@zen.test", "write which answers are a listing"),
                           ("secret.zen.dq.spamhaus.net=127.0.0.2", "write KEY@ before this zone")):
            log = self.refusal_of_start(DNSBL=lists)
            self.assertIn(why, log)
            self.assertNotIn("secret", log)


if __name__ == "__main__":
    peer.main()
