#!/usr/bin/env python3
"""client_names of postern serve: the name of a client as a real unbound gives and confirms it, and a server of the DNS that does
what it should not (RFC 1912 2.1: PTR and A must match). For postern-smtpd tcpserver looks up names (TCPREMOTEHOST)."""

import time

import peer
from dns_servers import Faulty, Unbound
from policy_peers import Standin

NAMED, LIAR, NAMELESS, SIX = "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"
LONGEST_SECONDS = 10  # two times spec::max_dns_seconds


class Case(peer.Case):
    def start(self, **more):
        environment = self.home.environment(POSTERN_DNS=self.resolver.address, **more.pop("settings", {}))
        self.server = peer.Serve(environment, proxies=["127.0.0.0/8"], server=["client_names = true"], **more)
        self.addCleanup(self.server.stop)

    def come(self, source):
        client = self.server.connect(greeted=False)
        self.addCleanup(client.close)
        six = ":" in source
        client.send(f"PROXY TCP{6 if six else 4} {source} {'::1' if six else '127.0.0.1'} 50000 25\r\n")
        self.assert_code(220, client.reply())
        return client

    def received(self, source):
        """Who the message is from, by the first words of its Received field."""
        self.home.forget_mail()
        client = self.come(source)
        self.assert_code(250, client.say("EHLO client.example"))
        self.assert_code(250, client.deliver("x"))
        stored, = self.home.stored()
        return stored.decode().partition("Received: from ")[2].splitlines()[0]


class Names(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.resolver = Unbound(["mail.test 60 IN A 192.0.2.1", "1.2.0.192.in-addr.arpa 60 IN PTR other.test",
                                "1.2.0.192.in-addr.arpa 60 IN PTR mail.test", "other.test 60 IN A 192.0.2.99",
                                "2.2.0.192.in-addr.arpa 60 IN PTR mail.test", "six.test 60 IN AAAA 2001:db8::1",
                                f"{'1' + '.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa 60 IN PTR six.test"], {})
        cls.addClassCleanup(cls.resolver.stop)

    def test_a_name_whose_addresses_have_the_client(self):
        self.start()
        self.assertEqual(self.received(NAMED), f"mail.test (HELO client.example) ({NAMED})")
        self.assertIn(" name=mail.test", self.server.wait_for_log(" name=mail.test"))
        self.assertEqual(self.received(SIX), f"six.test (HELO client.example) ({SIX})")

    def test_a_name_that_others_have_and_no_name(self):
        self.start()
        for source in (LIAR, NAMELESS):
            self.assertEqual(self.received(source), f"unknown (HELO client.example) ({source})")
        self.assertNotIn(" name=", self.server.log())

    def test_who_is_told(self):
        found = self.home.path / "found"
        queue = self.home.script("queue", f'echo "$TCPREMOTEHOST" >{found}\ncat >/dev/null\n')
        service = Standin()
        self.addCleanup(service.stop)
        self.start(settings={"QMAILQUEUE": queue, "POSTERN_POLICY_SERVICE": service.address})
        for source, name in ((NAMED, "mail.test"), (LIAR, "")):
            client = self.come(source)
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver("x"))
            self.assertEqual(found.read_text(), name + "\n")
            self.assertEqual([service.asked[-1][key] for key in ("client_name", "reverse_client_name")], 2 * [name or "unknown"])

    def test_after_the_handshake_of_implicit_tls(self):
        self.start(settings={"SSL": 1})
        client = self.server.connect(greeted=False)
        client.send(f"PROXY TCP4 {NAMED} 127.0.0.1 50000 25\r\n")
        client.start_tls()
        self.assert_code(220, client.reply())
        client.close()
        self.assertIn(" name=mail.test", self.server.wait_for_log(" name=mail.test"))


class Trouble(Case):
    class Faulty(Faulty):
        def manner_of(self, query):
            return "silent" if query.name.startswith("1.") else "servfail"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.resolver = cls.Faulty()
        cls.addClassCleanup(cls.resolver.stop)

    def test_no_answer_is_no_name(self):
        self.start()
        for source in (NAMED, LIAR):
            began = time.monotonic()
            self.assertEqual(self.received(source), f"unknown (HELO client.example) ({source})")
            self.assertLess(time.monotonic() - began, LONGEST_SECONDS + 3)
        log = self.server.wait_for_log("cannot be looked up")
        self.assertRegex(log, "the name of this client cannot be looked up: (timed out|SERVFAIL)")

    def test_one_that_leaves_while_its_name_is_awaited(self):
        self.start()
        client = self.server.connect(greeted=False)
        client.send(f"PROXY TCP4 {NAMED} 127.0.0.1 50000 25\r\n")
        client.close()
        self.assertTrue(peer.until(self.server.is_idle, LONGEST_SECONDS + 5))

    def test_early_speech(self):
        self.start(settings={"DROP_PRE_GREET": 1})
        client = self.server.connect(greeted=False)
        self.addCleanup(client.close)
        client.send(f"PROXY TCP4 {NAMED} 127.0.0.1 50000 25\r\n")
        time.sleep(0.5)
        client.send("EHLO client.example\r\n")
        self.assert_code(554, client.reply())


if __name__ == "__main__":
    peer.main()
