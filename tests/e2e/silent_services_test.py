#!/usr/bin/env python3
"""What a start and a reload of postern serve, and postern check, say of services that do not answer: the mail cluster, Dovecot's userdb
and resolvers. Policy services are in serve_rules_test.py, filters in rspamd_test.py and milter_test.py."""

import json
import signal

import dns_servers
import lmtp_peers
import peer
import serve
import userdb_peers

MARK = " does not answer, "


class Resolver(dns_servers.Faulty):
    manner = "ok"  # of each answer

    def manner_of(self, query):
        return self.manner

    def localhost(self, query):
        return getattr(self, self.manner)(query)


class Silent(serve.Case):
    def setUp(self):
        super().setUp()
        self.free = f"127.0.0.1:{peer.free_port()}"  # nobody is there

    def standin(self, kind, **more):
        standin = kind(**more)
        self.addCleanup(standin.stop)
        return standin

    def checked(self, *arguments, **more):
        found = peer.run([peer.postern(), "check", "--json", *arguments], **more)
        return [each for each in json.loads(found.stdout)["advice"] if MARK in each["text"]]

    def checked_variables(self, **variables):
        return self.checked(env=self.home.environment(POSTERN_MAILDIR="", **variables))

    def warnings(self, service):
        return [line for line in service.log().splitlines() if MARK in line]

    def test_who_is_not_there_is_told_at_the_start_and_by_check_and_by_a_reload_of_one_that_left(self):
        variables = {"POSTERN_MAILDIR": None, "TMPDIR": self.home.path, "POSTERN_LMTP": "unix:/nobody/lmtp",
                     "POSTERN_USERDB": f"tcp:{self.free}"}
        told = [f"POSTERN_USERDB: userdb tcp:{self.free} does not answer, ECONNREFUSED: until it does, each recipient of ours that is not "
                "remembered gets 451; start it, or correct its address",
                "POSTERN_LMTP: mail cluster unix:/nobody/lmtp does not answer, ENOENT: until it does, each message gets 451; "]
        service = self.serving(variables=variables)
        self.assert_logged(service, "mail cluster unix:/nobody/lmtp does not answer")
        said = [each["text"] for each in self.checked("-c", self.file)]
        for lines in (self.warnings(service), said):
            self.assertEqual(len(lines), 2, lines)
            for line, sentence in zip(lines, told):
                self.assertIn(sentence, line)
        cluster = self.standin(lmtp_peers.Standin)
        variables |= {"POSTERN_LMTP": cluster.address, "POSTERN_USERDB": self.standin(userdb_peers.Standin).address}
        self.write_file({"unknown_recipients": "refuse"}, variables=variables)
        self.assert_logged(service, "reload: done")
        self.assertEqual(self.checked("-c", self.file), [])
        self.assertEqual(len(self.warnings(service)), 2, service.log())
        cluster.stop()
        service.process.send_signal(signal.SIGHUP)
        self.assert_logged(service, f"mail cluster {cluster.address} does not answer, ")
        self.assertIn(": until it does, each message, and each recipient of ours that is not remembered, gets 451", self.warnings(service)[-1])
        self.assertEqual(len(self.warnings(service)), 3)

    def test_a_mail_cluster_that_is_not_the_way_out_is_not_tried(self):
        self.assertEqual(self.checked(env=self.home.environment(POSTERN_LMTP="unix:/nobody/lmtp", POSTERN_DISCARD=1)), [])

    def test_check_of_variables_names_the_kind(self):
        said = self.checked_variables(POSTERN_LMTP="unix:/nobody/lmtp", POSTERN_USERDB="unix:/nobody/users")
        self.assertEqual([(each["grade"], each["id"]) for each in said], [("warning", "userdb"), ("warning", "mail_cluster")])

    def test_a_resolver_is_told_where_somebody_is_looked_up(self):
        there = self.standin(Resolver)
        alone = f"dns: resolver {self.free} does not answer, no server answers: until it does, "
        for server, listener, without in (({"client_names": True}, {}, "no client has a name"),
                                          ({}, {"DNSBL": "ok.test=127.0.0.2"}, "no DNS list counts; "),
                                          ({}, {"DNSBL_HELO": "ok.test=127.0.0.2"}, "no DNS list counts; "),
                                          ({"client_names": True}, {"DNSBL": "ok.test=127.0.0.2"}, "no DNS list counts, and no client has a name")):
            service = self.serving(listener, server=server | {"dns": self.free})
            self.assert_logged(service, MARK)
            line, = self.warnings(service)
            self.assertIn(alone + without, line)
            service.stop()
        self.write_file(server={"dns": self.free})
        self.assertEqual(self.checked("-c", self.file), [], "nobody is looked up")
        self.write_file({"DNSBL": "ok.test=127.0.0.2"}, server={"dns": f"{self.free} {there.address}"})
        line, = self.checked("-c", self.file)
        self.assertIn(f"dns: resolver {self.free} does not answer, no server answers: until it does, the others are asked in its place", line["text"])
        self.write_file({"DNSBL": "ok.test=127.0.0.2"}, server={"dns": there.address})
        self.assertEqual(self.checked("-c", self.file), [])

    def test_a_start_waits_for_nobody(self):
        """It serves, and asks then: so a restart beside a dead resolver is no pause."""
        resolver = self.standin(Resolver)
        resolver.manner = "silent"
        service = self.serving({"DNSBL": "ok.test=127.0.0.2"}, server={"dns": resolver.address}, variables={"POSTERN_USERDB": f"tcp:{self.free}"})
        self.assert_logged(service, f"resolver {resolver.address} does not answer, timed out")
        lines = service.log().splitlines()
        ready, = [number for number, line in enumerate(lines) if line.endswith("ready: serving")]
        told = [number for number, line in enumerate(lines) if MARK in line]
        self.assertEqual(len(told), 2, service.log())
        self.assertLess(ready, min(told), service.log())

    def test_a_resolver_that_says_nothing_is_told_and_one_that_refuses_is_not(self):
        resolver = self.standin(Resolver)
        lists = {"DNSBL_SENDER": "ok.test=127.0.0.2", "POSTERN_DNS": resolver.address}
        for resolver.manner, words in (("silent", "timed out"), ("servfail", None), ("refused", None)):
            said = [each["text"] for each in self.checked_variables(**lists) if each["id"] == "resolver"]
            self.assertEqual(len(said), 1 if words else 0, (resolver.manner, said))
            if words:
                self.assertIn(f"POSTERN_DNS: resolver {resolver.address} does not answer, {words}: until it does, no DNS list counts", said[0])

    def test_that_names_are_looked_up_is_in_the_start_line_and_in_check(self):
        resolver = self.standin(Resolver)
        for server, wanted in (({"client_names": True, "dns": resolver.address}, "1"), ({"dns": resolver.address}, None)):
            service = self.serving(server=server)
            start, = [line for line in service.log().splitlines() if "]: start " in line]
            self.assertEqual(" client_names=1" in start, wanted is not None, start)
            judged, = json.loads(peer.run([peer.postern(), "check", "--json", "-c", self.file]).stdout)["listeners"]
            self.assertEqual(judged["asked"].get("client_names"), wanted)
            service.stop()


class IdleFilterSettings(serve.Case):
    """Settings of filters without a filter for them."""

    FAILURE = "POSTERN_FILTER_FAILURE has no effect without POSTERN_FILTERS: "
    OCTETS = "POSTERN_FILTER_MAX_OCTETS has no effect without POSTERN_FILTERS: "
    RSPAMD = "POSTERN_RSPAMD_SETTINGS has no effect without a filter of rspamd in POSTERN_FILTERS: "
    ALL = {"POSTERN_FILTER_FAILURE": "accept", "POSTERN_FILTER_MAX_OCTETS": 1000, "POSTERN_RSPAMD_SETTINGS": "id"}

    def told(self, lines):
        return [line[line.index("POSTERN_"):].partition(": ")[0] + ": " for line in lines if " has no effect without " in line]

    def checked(self, *arguments, env=None):
        found = json.loads(peer.run([peer.postern(), "check", "--json", *arguments], env=env).stdout)
        return self.told(each["text"] for each in found["advice"])

    def test_they_are_told_at_the_start_and_by_check(self):
        wanted = [self.FAILURE, self.OCTETS, self.RSPAMD]
        service = self.serving(variables=self.ALL)
        self.assertEqual(self.told(service.log().splitlines()), wanted)
        self.assertEqual(self.checked("-c", self.file), wanted)
        self.assertEqual(self.checked(env=self.home.environment(**self.ALL)), wanted)
        service.stop()
        self.write_file(variables=self.ALL | {"POSTERN_FILTERS": "policy:unix:/nobody/there"})
        self.assertEqual(self.checked("-c", self.file), [self.RSPAMD])

    def test_one_listener_with_a_filter_is_enough(self):
        self.write_file({"POSTERN_FILTERS": "rspamd:unix:/nobody/there"}, {}, variables=self.ALL)
        self.assertEqual(self.checked("-c", self.file), [])
        self.assertEqual(self.checked(env=self.home.environment(POSTERN_FILTERS="rspamd:unix:/nobody/there", **self.ALL)), [])
        self.assertEqual(self.checked(env=self.home.environment()), [])


if __name__ == "__main__":
    peer.main()
