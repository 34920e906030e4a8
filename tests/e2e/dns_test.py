#!/usr/bin/env python3
"""The DNS as the programs ask it, on a loop and waiting: real servers, one that is faulty, and none.

usage: dns_test.py PATH/resolve [TEST...]
"""

import os
import socket
import subprocess
import sys
import tempfile
import unittest

from dns_servers import Faulty, Rbldnsd, Unbound
from peer import free_port

PATIENCE = 1500  # milliseconds; a timer of the loop is up to 50 late
MODES = ("loop", "waits")


class Answer:
    def __init__(self, line):
        self.name, self.kind, self.why, ttl, addresses, texts, took = line.split("\t")
        self.ttl, self.took, self.addresses, self.texts = int(ttl), int(took), addresses.split(), texts.strip()

    def __repr__(self):
        return f"{self.name}: {self.kind} ({self.why}) {self.ttl} {self.addresses} {self.texts!r} after {self.took} ms"


def resolve(mode, servers, *words, patience=PATIENCE, before=(), **more):
    """name -> answer."""
    run = subprocess.run([*before, RESOLVE, mode, servers, str(patience), *words], capture_output=True, text=True, timeout=60,
                         **more)
    if run.returncode != 0:
        raise AssertionError(f"resolve ended with {run.returncode}: {run.stderr}")
    lines = run.stdout.splitlines()
    if "inheritable 0" not in lines:
        raise AssertionError(f"a program that is started would inherit descriptors: {run.stdout}")
    lines.remove("inheritable 0")
    return {answer.name: answer for answer in map(Answer, lines)}


class Case(unittest.TestCase):
    def in_each_mode(self, servers, *words, **more):
        return [resolve(mode, servers, *words, **more) for mode in MODES]

    def assert_listed(self, answer, *addresses, ttl=None):
        self.assertEqual((answer.kind, answer.why), ("found", "no failure"), answer)
        self.assertEqual(answer.addresses, list(addresses or ["127.0.0.2"]), answer)
        if ttl is not None:
            self.assertEqual(answer.ttl, ttl, answer)

    def assert_failed(self, answer, why):
        self.assertEqual((answer.kind, answer.why, answer.addresses), ("failed", why, []), answer)


class RealServers(Case):
    @classmethod
    def setUpClass(cls):
        cls.list = Rbldnsd({
            "bl.test": ["$SOA 3600 ns.bl.test admin.bl.test 1 600 300 86400 150", "$TTL 600",
                        ":127.0.0.2:Listed, see https://bl.test/$", "127.0.0.2", "192.0.2.1",
                        "192.0.2.4 :127.0.0.4:", "192.0.2.4 :127.0.0.10:Twice"],
            "nosoa.test": ["127.0.0.2"]})
        cls.addClassCleanup(cls.list.stop)
        cls.resolver = Unbound(["a.test 300 IN A 192.0.2.80", "alias.test 60 IN CNAME a.test",
                                "1.2.0.192.in-addr.arpa 70 IN PTR mail.test", "six.test 50 IN AAAA 2001:db8::1",
                                "80.2.0.192.in-addr.arpa 70 IN PTR other.test", "80.2.0.192.in-addr.arpa 70 IN PTR a.test",
                                f"{'1' + '.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa 70 IN PTR six.test",
                                "7.2.0.192.in-addr.arpa 70 IN PTR gone.bl.test",
                                *[f"many.test 40 IN A 127.0.0.{i}" for i in range(1, 101)]],
                               {"bl.test": cls.list.port, "mail.test": cls.list.port, "other.test": cls.list.port})
        cls.addClassCleanup(cls.resolver.stop)

    def test_rbldnsd(self):
        for heard in self.in_each_mode(self.list.address, "a", "1.2.0.192.bl.test", "4.2.0.192.bl.test", "9.2.0.192.bl.test",
                                       "9.2.0.192.nosoa.test", "1.2.0.192.other.test"):
            self.assert_listed(heard["1.2.0.192.bl.test"], ttl=600)
            self.assertEqual(sorted(heard["4.2.0.192.bl.test"].addresses), ["127.0.0.10", "127.0.0.4"])
            self.assertEqual((heard["9.2.0.192.bl.test"].kind, heard["9.2.0.192.bl.test"].ttl), ("none", 150))
            self.assertEqual((heard["9.2.0.192.nosoa.test"].kind, heard["9.2.0.192.nosoa.test"].ttl), ("none", 0))
            self.assert_failed(heard["1.2.0.192.other.test"], "REFUSED")

    def test_the_text_of_a_listing(self):
        for heard in self.in_each_mode(self.list.address, "txt", "1.2.0.192.bl.test", "9.2.0.192.bl.test"):
            self.assertEqual(heard["1.2.0.192.bl.test"].texts, "Listed, see https://bl.test/192.0.2.1")
            self.assertEqual(heard["9.2.0.192.bl.test"].kind, "none")

    def test_unbound_before_rbldnsd(self):
        for heard in self.in_each_mode(self.resolver.address, "a", "1.2.0.192.bl.test", "9.2.0.192.bl.test", "a.test"):
            self.assert_listed(heard["1.2.0.192.bl.test"])
            self.assertLessEqual(heard["1.2.0.192.bl.test"].ttl, 600)
            self.assertEqual(heard["9.2.0.192.bl.test"].kind, "none")
            self.assertTrue(100 < heard["9.2.0.192.bl.test"].ttl <= 150, heard)
            self.assert_listed(heard["a.test"], "192.0.2.80", ttl=300)

    def test_other_types(self):
        for heard in self.in_each_mode(self.resolver.address, "ptr", "1.2.0.192.in-addr.arpa", "then", "aaaa", "six.test"):
            self.assertEqual((heard["1.2.0.192.in-addr.arpa"].texts, heard["1.2.0.192.in-addr.arpa"].ttl), ("mail.test", 70))
            self.assertEqual(heard["six.test"].addresses, ["2001:db8::1"])

    def test_names_that_their_address_confirms(self):
        run = subprocess.run([RESOLVE, "name", self.resolver.address, str(PATIENCE), "192.0.2.80", "2001:db8::1", "192.0.2.1",
                              "192.0.2.7"], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(run.stdout.splitlines(), ["192.0.2.80\tconfirmed\ta.test", "2001:db8::1\tconfirmed\tsix.test",
                                                   "192.0.2.1\tfailed\t", "192.0.2.7\tnone\t"])  # nobody answers for mail.test

    def test_an_answer_too_large_for_a_datagram(self):
        for heard in self.in_each_mode(self.resolver.address, "a", "many.test"):
            self.assertEqual(len(heard["many.test"].addresses), 16)

    def test_a_hundred_questions_at_once(self):
        names = [f"{i}.2.0.192.bl.test" for i in range(100)]
        for heard in self.in_each_mode(self.list.address, "a", *names):
            self.assertEqual({name for name in names if heard[name].kind == "found"}, {names[1], names[4]})
            self.assertEqual({answer.kind for answer in heard.values()}, {"found", "none"})

    def test_more_questions_than_fit_fail_at_once(self):
        for heard in self.in_each_mode(self.list.address, "a", *[f"{i}.2.0.192.bl.test" for i in range(300)]):
            crowded = [answer for answer in heard.values() if answer.why == "too many questions"]
            self.assertEqual(len(crowded), 300 - 256)

    def test_within_the_sandbox(self):
        for heard in self.in_each_mode(self.resolver.address, "sandbox", "a", "1.2.0.192.bl.test", "many.test"):
            self.assert_listed(heard["1.2.0.192.bl.test"])
            self.assertEqual(len(heard["many.test"].addresses), 16)  # by TCP


class Faults(Case):
    """Each of the faults, alone; nothing ends later than its time."""

    def setUp(self):
        self.server = Faulty()
        self.addCleanup(self.server.stop)

    def each(self, manner, *more, kind="a", **settings):
        """In each mode, under a name of its own."""
        answers = []
        for number, mode in enumerate(MODES):
            name = f"{manner}{number}.test"
            answers.append(resolve(mode, " ".join([self.server.address, *more]), kind, name, **settings)[name])
            self.assertLess(answers[-1].took, settings.get("patience", PATIENCE) + 500, answers)
        return answers

    def test_a_late_answer_is_taken(self):
        for answer in self.each("late"):
            self.assert_listed(answer)
            self.assertGreaterEqual(answer.took, 390)

    def test_a_lost_query_is_sent_again(self):
        for answer in self.each("lost"):
            self.assert_listed(answer)
            self.assertEqual(self.server.times(answer.name), 2)

    def test_silence_ends_in_time(self):
        for answer in self.each("silent"):
            self.assert_failed(answer, "timed out")
            self.assertGreater(answer.took, PATIENCE / 2)
            self.assertEqual(self.server.times(answer.name), 3)

    def test_a_truncated_answer_comes_by_tcp(self):
        for manner in ("truncated", "slow"):
            for answer in self.each(manner):
                self.assert_listed(answer)
                self.assertEqual(self.server.times(answer.name, "tcp"), 1)

    def test_tcp_that_fails(self):
        for manner in ("closed", "cut"):
            for answer in self.each(manner):
                self.assert_failed(answer, "no server answers")
        for answer in self.each("tcpsilent"):
            self.assert_failed(answer, "timed out")
        for answer in self.each("again"):  # truncated also by TCP
            self.assert_failed(answer, "malformed answer")

    def test_a_huge_answer_is_cut_to_its_first_addresses(self):
        for answer in self.each("huge"):
            self.assertEqual((answer.kind, len(answer.addresses)), ("found", 16), answer)
            self.assertEqual(self.server.times(answer.name, "tcp"), 1)

    def test_a_server_that_does_not_want_to_answer(self):
        for manner, why in (("servfail", "SERVFAIL"), ("refused", "REFUSED"), ("notimp", "no server answers"), ("formerr", "no server answers")):
            for answer in self.each(manner):
                self.assert_failed(answer, why)
                self.assertLess(answer.took, PATIENCE / 2)

    def test_a_server_that_fails_once(self):
        for answer in self.each("recovers"):
            self.assert_listed(answer)

    def test_the_next_server_answers_for_one_that_does_not(self):
        other = Faulty()
        self.addCleanup(other.stop)
        other.refused = other.silent = other.ok
        for manner in ("refused", "silent"):
            for answer in self.each(manner, other.address):
                self.assert_listed(answer)
                self.assertEqual(other.times(answer.name), 1)

    def test_a_silent_first_server_costs_one_question_its_wait(self):
        other = Faulty()
        self.addCleanup(other.stop)
        other.silent = other.ok
        for number, mode in enumerate(MODES):
            names = [f"silent{number}{turn}.test" for turn in range(4)]
            later = [f"ok{number}{turn}.test" for turn in range(110)]
            words = [word for name in names + later for word in ("then", "a", name)][1:]
            heard = resolve(mode, f"{self.server.address} {other.address}", *words, patience=5000)
            for name in names + later:
                self.assert_listed(heard[name])
            self.assertGreater(heard[names[0]].took, 200)
            for name in names[1:]:
                self.assertLess(heard[name].took, 150, heard)
                self.assertEqual((self.server.times(name), other.times(name)), (0, 1))
            self.assertEqual(self.server.times(later[0]), 0)
            self.assertEqual(self.server.times(later[-1]), 1)  # it is preferred, and has come back

    def test_an_answer_with_another_identifier_is_none(self):
        for answer in self.each("wrongid"):
            self.assert_failed(answer, "timed out")
        for answer in self.each("wrongidfirst"):
            self.assert_listed(answer)

    def test_an_answer_to_another_question_is_none(self):
        for answer in self.each("otherquestion"):
            self.assert_failed(answer, "timed out")
        for manner in ("otherquestionfirst", "othertypefirst"):
            for answer in self.each(manner):
                self.assert_listed(answer)

    def test_a_query_that_comes_back_is_no_answer(self):
        for answer in self.each("echo"):
            self.assert_failed(answer, "malformed answer")

    def test_garbage_is_dropped(self):
        for answer in self.each("garbage"):
            self.assert_failed(answer, "timed out")
        for answer in self.each("garbagefirst"):
            self.assert_listed(answer)

    def test_an_empty_datagram_is_dropped(self):
        for answer in self.each("empty"):
            self.assert_listed(answer)
            self.assertEqual(self.server.times(answer.name), 1)

    def test_what_is_not_well_formed_fails(self):
        for manner in ("noise", "short", "pointer", "loop"):
            for answer in self.each(manner):
                self.assert_failed(answer, "malformed answer")

    def test_an_alias_is_followed(self):
        for answer in self.each("alias"):
            self.assert_listed(answer, ttl=30)

    def test_ttls(self):
        for manner, ttl in ("zerottl", 0), ("largettl", 0), ("longttl", 2 ** 31 - 1):
            for answer in self.each(manner):
                self.assert_listed(answer, ttl=ttl)
        for manner, ttl in ("nodata", 150), ("nxdomain", 100), ("nosoa", 0):
            for answer in self.each(manner):
                self.assertEqual((answer.kind, answer.ttl), ("none", ttl), answer)

    def test_what_is_known_is_not_asked_again(self):
        for number, mode in enumerate(MODES):
            for manner, times in ("ok", 1), ("nxdomain", 1), ("servfail", 3), ("zerottl", 2), ("largettl", 2), ("nosoa", 2):
                name = f"{manner}{number}.test"
                resolve(mode, self.server.address, "a", name, "then", "a", name.upper())
                asked = self.server.times(name) + self.server.times(name.upper())
                self.assertEqual(asked, times, (mode, name))

    def test_equal_names_on_their_way_are_asked_once(self):
        for number, mode in enumerate(MODES):
            resolve(mode, self.server.address, "a", *[f"late{number}.test"] * 20, patience=4000)
            self.assertEqual(self.server.times(f"late{number}.test"), 1)

    def test_one_that_is_silent_delays_no_other(self):
        heard = resolve("loop", self.server.address, "a", "silent.test", "ok.test", "late.test", "refused.test")
        self.assertLess(heard["ok.test"].took, 300)
        self.assertLess(heard["late.test"].took, 1000)
        self.assert_failed(heard["silent.test"], "timed out")

    def test_identifiers_are_not_those_of_a_counter(self):
        resolve("loop", self.server.address, "a", *[f"ok{i}.test" for i in range(100)])
        identifiers = [identifier for _, _, identifier in self.server.asked]
        steps = {after - before for before, after in zip(identifiers, identifiers[1:])}
        self.assertGreater(len(steps), 90)
        self.assertNotEqual(identifiers, sorted(identifiers))

    def test_answers_that_came_before_we_waited_are_taken(self):
        heard = resolve("late", self.server.address, "a", "ok.test", "late.test", "nxdomain.test", patience=600)
        self.assert_listed(heard["ok.test"])
        self.assert_listed(heard["late.test"])
        self.assertEqual(heard["nxdomain.test"].kind, "none")
        self.assertLess(heard["ok.test"].took, 1300)
        self.assertEqual(len(self.server.asked), 3)


class NoServer(Case):
    def test_a_closed_port_fails_at_once(self):
        with socket.socket(type=socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.connect(("127.0.0.1", 9))  # from nobody else it takes anything: the kernel answers by ICMP
            port = taken.getsockname()[1]
            for heard in self.in_each_mode(f"127.0.0.1:{port}", "a", "ok.test"):
                self.assert_failed(heard["ok.test"], "no server answers")
                self.assertLess(heard["ok.test"].took, 500)

    def test_the_next_one_answers_for_a_closed_port(self):
        server = Faulty()
        self.addCleanup(server.stop)
        for number, mode in enumerate(MODES):
            name = f"ok{number}.test"
            self.assert_listed(resolve(mode, f"127.0.0.1:{free_port()} {server.address}", "a", name)[name])

    def test_what_is_no_name_is_not_asked(self):
        for heard in self.in_each_mode(f"127.0.0.1:{free_port()}", "a", "a..test", "a.test.", "a b.test"):
            for answer in heard.values():
                self.assert_failed(answer, "no name to ask for")

    def test_neither_hosts_nor_search_domains_nor_the_environment_count(self):
        server = Faulty()
        self.addCleanup(server.stop)
        environment = os.environ | {"LOCALDOMAIN": "ok.test", "RES_OPTIONS": "ndots:9 attempts:9 timeout:9", "HOSTALIASES": "/x"}
        for mode in MODES:
            for answer in resolve(mode, server.address, "a", "silent", "refused", env=environment).values():
                self.assertEqual(answer.kind, "failed", answer)
                self.assertLess(answer.took, PATIENCE + 500)
        self.assertEqual({name for name, _, _ in server.asked}, {"silent", "refused"})

    def test_no_file_is_read(self):
        with tempfile.NamedTemporaryFile() as trace:
            resolve("loop", f"127.0.0.1:{free_port()}", "a", "localhost",
                    before=["strace", "-f", "-qq", "-e", "trace=open,openat,execve", "-o", trace.name])
            opened = [line for line in trace.read().decode().splitlines() if "open" in line]
        read = [line.split('"')[1] for line in opened if " = -1 " not in line and ".so" not in line]
        self.assertEqual([path for path in read if not path.startswith(("/proc/self/", "/sys/"))], ["/dev/urandom"])


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(__doc__)
    RESOLVE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
