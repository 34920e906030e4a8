#!/usr/bin/env python3
"""postern judge: every law holds for both programs of the house, each fault of a faulty server is found with its dialogue, and
whatever answers there, or does not, ends in a clear sentence."""

import functools
import json
import os
import resource
import ssl
import time
import unittest
import xml.etree.ElementTree

import faulty_server
import peer
import serve
from peer import OURS

RECIPIENT, FOREIGN = f"someone@{OURS}", "someone@elsewhere.example"
HOLDS, BROKEN, NOT_JUDGED, USAGE = 0, 1, 2, 100
JUDGED = ["--rate", "500", "--recipient", RECIPIENT, "--foreign", FOREIGN]
LOGIN = ["--user", peer.USER]
ENVIRONMENT = {"POSTERN_JUDGE_PASSWORD": peer.PASSWORD}


def judge(port, *words, expect=None, environment=None, **more):
    """What was said. A server is judged as `words` say."""
    done = peer.run([peer.postern(), "judge", f"127.0.0.1:{port}", *words], env=environment or {}, **more)
    said = done.stdout.decode() + done.stderr.decode()
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{words}: exit {done.returncode}, wanted {expect}\n{said}")
    return said


def side_by_side(work, *of):
    """What the work makes of each, all at once: to judge is to wait, most of the time."""
    return serve.together(*(functools.partial(work, *each) for each in zip(*of)))


def judge_json(port, *words, expect=None, login=True):
    words = [*JUDGED, *(LOGIN if login else []), "--format", "json", *words]
    return json.loads(judge(port, *words, expect=expect, environment=ENVIRONMENT if login else None))


def broken(report):
    return {law["name"] for law in report["laws"] if law["finding"] == "broken"}


def law(report, name):
    return next(law for law in report["laws"] if law["name"] == name)


def context_of(home):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.pem)
    return context


class OfTheHouse(serve.Case):
    def assert_all_hold(self, report):
        self.assertEqual(broken(report), set())
        otherwise = [(rule["id"], rule["reason"], rule["dialogue"]) for rule in report["rules"] if rule["finding"] == "otherwise"]
        self.assertEqual(otherwise, [])
        self.assertGreater(sum(law["finding"] == "holds" for law in report["laws"]), 20)

    def test_every_law_holds_for_postern_serve(self):
        users = {"AUTH_CDB": self.home.users}
        listeners = [{}, {"FORCE_TLS": 1} | users, {"REQUIRE_AUTH": 1} | users, {"ALLOW_INSECURE_AUTH": 1} | users,
                     {"DENY_TLS": 1}, {"SSL": 1, "REQUIRE_AUTH": 1} | users]
        service = self.serving(*listeners)

        def judged(port, listener):
            settings = [f"{name}={value}" for name, value in listener.items() if name != "AUTH_CDB"]
            has_users = "AUTH_CDB" in listener
            return settings, judge_json(port, *settings, f"AUTH={int(has_users)}", "local_only=1", expect=HOLDS, login=has_users)

        for settings, report in side_by_side(judged, service.ports, listeners):
            with self.subTest(settings):
                self.assert_all_hold(report)
        self.assertEqual(self.home.stored(), [])

    def test_every_law_holds_for_postern_smtpd(self):
        def judged(settings):
            server = peer.Tcpserver(self.home.environment(**settings, AUTH_CDB=self.home.users))
            self.addCleanup(server.stop)
            words = [f"{name}={value}" for name, value in settings.items()]
            return settings, judge_json(server.port, *words, "AUTH=1", "local_only=1", "--strict", expect=HOLDS)

        for settings, report in side_by_side(judged, ({}, {"FORCE_TLS": 1}, {"ALLOW_INSECURE_AUTH": 1, "REQUIRE_AUTH": 1})):
            with self.subTest(settings):
                self.assert_all_hold(report)

    def by_file(self, name, *listeners):
        """Another file than the server's own: that has no ports."""
        self.file = self.home.path / name
        self.write_file(*listeners)
        return self.file

    def test_a_server_is_judged_by_its_own_file(self):
        users = {"AUTH_CDB": self.home.users}
        kinds = [{}, {"FORCE_TLS": 1} | users, {"ALLOW_INSECURE_AUTH": 1, "REQUIRE_AUTH": 1} | users]
        service = self.serving(*kinds)
        file = self.by_file("own.toml", *[{"port": port} | kind for port, kind in zip(service.ports, kinds)])

        def judged(port, kind):
            login = LOGIN if "AUTH_CDB" in kind else []
            done = peer.run([peer.postern(), "judge", "-c", file, "--listener", f"127.0.0.1:{port}", *JUDGED, *login, "--json"],
                            env=ENVIRONMENT if login else {})
            self.assertEqual(done.returncode, HOLDS, done.stderr)
            return kind, json.loads(done.stdout)

        for kind, report in side_by_side(judged, service.ports, kinds):
            with self.subTest(kind):
                self.assert_all_hold(report)
        # Without --listener it is the one at that port, whose settings are others than the server's here.
        other = self.by_file("other.toml", {"port": service.ports[1]}, {"port": service.ports[0], "FORCE_TLS": 1})
        done = peer.run([peer.postern(), "judge", f"127.0.0.1:{service.ports[0]}", "-c", other, *JUDGED, "--json"], env={})
        self.assertEqual(done.returncode, BROKEN, done.stderr)
        self.assertIn("no_mail_before_tls_when_forced", broken(json.loads(done.stdout)))

    def test_a_file_that_says_nothing_of_this_client(self):
        rules = self.home.path / "tcp.cdb"
        self.assertEqual(peer.run(["tcprules", rules, self.home.path / "tcp.tmp"], input=b"127.:deny\n").returncode, 0)
        listeners = [{"port": 2525, "tcprules": rules}, {"port": 2526, "proxies": ["127.0.0.0/8"]}]
        for words, sentence in ((["--listener", "127.0.0.1:2525"], "is turned away (connect.denied)"),
                                (["127.0.0.1:2526"], "has to say PROXY first"),
                                (["127.0.0.1:2527"], "no listener of"),
                                (["--listener", "127.0.0.1:1"], "there is no such listener")):
            with self.subTest(words):
                file = self.by_file("odd.toml", *listeners)
                done = peer.run([peer.postern(), "judge", "-c", file, *words], env={})
                self.assertEqual(done.returncode, USAGE)
                self.assertIn(sentence, " ".join(done.stderr.decode().split()))

    def test_a_message_is_sent_with_send_alone(self):
        service = self.serving({})
        report = judge_json(service.port, "AUTH=0", "local_only=1", expect=HOLDS, login=False)
        self.assertEqual(law(report, "every_live_configuration_accepts_mail")["clauses"][0]["reason"],
                         "no message is begun without --send")
        self.assertEqual(self.home.stored(), [])
        report = json.loads(judge(service.port, "--rate", "500", "AUTH=0", "local_only=1", "--foreign", FOREIGN, "--send",
                                  RECIPIENT, "--format", "json", expect=HOLDS))
        self.assert_all_hold(report)
        for name in ("every_live_configuration_accepts_mail", "only_the_hand_over_accepts_a_message",
                     "spoiled_mail_data_is_never_kept"):
            self.assertIn(law(report, name)["finding"], ("holds", "holds in part"), name)
        self.assertEqual(len(self.home.stored()), 1)

    def test_what_was_not_tried_is_no_comfort(self):
        service = self.serving({"AUTH_CDB": self.home.users})
        said = judge(service.port, "--rate", "500", "AUTH=1", "local_only=1", expect=HOLDS)
        for reason in ("(--recipient)", "(--foreign)", "(--user and --password-file)"):  # --send: where it has a recipient
            self.assertIn(reason, " ".join(said.split()))
        self.assertIn("as far as it was tried", " ".join(said.split()))

    def test_other_settings_than_it_has_are_found_out(self):
        service = self.serving({})
        report = judge_json(service.port, "FORCE_TLS=1", "AUTH=0", expect=BROKEN, login=False)
        self.assertIn("no_mail_before_tls_when_forced", broken(report))

    def test_a_busy_server_is_waited_for(self):
        service = self.serving({}, limits={"connections_per_minute": 3, "exempt": []})
        began = time.monotonic()
        said = judge(service.port, *JUDGED, "AUTH=0", "local_only=1", "--seconds", "8", expect=NOT_JUDGED)
        self.assertIn("the server has no time for clients: it greets with `421", " ".join(said.split()))
        self.assertGreater(time.monotonic() - began, 5)


class Faults(peer.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = peer.Home()
        cls.addClassCleanup(cls.home.remove)
        cls.context = context_of(cls.home)

    def judged(self, *faults, expect):
        server = faulty_server.FaultyServer(self.context, *faults)
        self.addCleanup(server.close)
        report = judge_json(server.port, "AUTH=1", "--reply-seconds", "2", expect=expect)
        self.assertEqual(server.messages, [])
        return report

    def test_without_a_fault_every_law_holds(self):
        report = self.judged(expect=HOLDS)
        self.assertEqual(report["stopped"], "")
        self.assertEqual([rule["id"] for rule in report["rules"] if rule["finding"] == "otherwise"], [])
        codes = {rule["id"]: rule["other_codes"] for rule in report["rules"] if rule["other_codes"]}
        self.assertEqual(codes["recipient.not_ours"], [550])

    def test_each_fault_is_found_with_a_dialogue(self):
        """Several at once; with JUDGE_EACH=1 each by itself."""
        each = [[fault] for fault in faulty_server.FAULTS]
        tried = each if os.environ.get("JUDGE_EACH") == "1" else faulty_server.TOGETHER
        for faults, report in zip(tried, side_by_side(lambda faults: self.judged(*faults, expect=BROKEN), tried)):
            with self.subTest(faults):
                laws = set().union(*(faulty_server.FAULTS[fault] for fault in faults))
                self.assertLessEqual(laws, broken(report), faults)
                for name in laws:
                    shown = [clause["dialogue"] for clause in law(report, name)["clauses"] if clause["finding"] == "broken"]
                    self.assertTrue(shown and all(any(line.startswith("C") for line in lines) for lines in shown), name)

    def test_every_fault_is_among_those_that_are_tried(self):
        self.assertEqual(sorted(sum(faulty_server.TOGETHER, [])), sorted(faulty_server.FAULTS))

    def test_the_dialogue_is_the_shortest_that_shows_it(self):
        report = self.judged("auth_in_clear", expect=BROKEN)
        clause = next(clause for clause in law(report, "no_auth_on_cleartext_unless_allowed")["clauses"] if clause["dialogue"])
        said = [line for line in clause["dialogue"] if line.startswith("C")]
        self.assertEqual(said[0], "C: EHLO judge.example.net")
        self.assertTrue(said[1].startswith("C: AUTH "), said)

    def test_the_login_is_in_no_report(self):
        server = faulty_server.FaultyServer(self.context, "second_auth")
        self.addCleanup(server.close)
        for said in side_by_side(lambda form: judge(server.port, *JUDGED, *LOGIN, "AUTH=1", "--format", form, expect=BROKEN,
                                                    environment=ENVIRONMENT), ("text", "json", "html")):
            for secret in (peer.PASSWORD, peer.encoded(peer.PASSWORD), peer.plain_response(peer.USER, peer.PASSWORD)):
                self.assertNotIn(secret, said)

    def test_the_login_never_crosses_in_clear(self):
        heard = []

        class Listening(faulty_server.Session):
            def command(self, line):
                heard.append((self.is_tls, line))
                super().command(line)

            def ask(self, text):
                heard.append((self.is_tls, (super().ask(text) or "").encode()))
                return heard[-1][1].decode()

        server = faulty_server.FaultyServer(self.context, "auth_in_clear")
        self.addCleanup(server.close)
        server.serve = lambda client: Listening(server, client).start()
        judge_json(server.port, "AUTH=1", expect=BROKEN)
        secrets = [peer.encoded(peer.PASSWORD).encode(), peer.plain_response(peer.USER, peer.PASSWORD).encode()]
        in_clear = [line for is_tls, line in heard if not is_tls]
        self.assertTrue(any(secret in line for is_tls, line in heard if is_tls for secret in secrets))
        self.assertFalse(any(secret in line for line in in_clear for secret in secrets))


class Reports(peer.Case):
    """One server, and a report of it in each form."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.page = cls.home.path / "judge.html"
        server = faulty_server.FaultyServer(context_of(cls.home), "rset_forgets_nothing", "bare_lf")
        cls.addClassCleanup(server.close)
        forms = {"sarif": [], "junit": [], "html": ["-o", str(cls.page)], "text": []}
        cls.reports = dict(side_by_side(lambda form: (form, judge(server.port, *JUDGED, "AUTH=1", "--format", form, *forms[form],
                                                                  expect=BROKEN)), forms))

    def test_sarif(self):
        """What SARIF 2.1.0 requires: 3.13 log, 3.14 run, 3.18, 3.19 tool, 3.20 invocation, 3.27 result, 3.49 rules."""
        log = json.loads(self.reports["sarif"])
        self.assertEqual(log["version"], "2.1.0")
        self.assertIn("sarif-2.1.0", log["$schema"])
        (run,) = log["runs"]
        driver = run["tool"]["driver"]
        self.assertEqual(driver["name"], "postern judge")
        ids = [rule["id"] for rule in driver["rules"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertIs(run["invocations"][0]["executionSuccessful"], True)
        failed = []
        for result in run["results"]:
            self.assertIn(result["ruleId"], ids)
            self.assertIn(result["kind"], ("pass", "fail", "open", "notApplicable"))
            self.assertEqual(result["level"] == "none", result["kind"] != "fail")
            self.assertIn(result["level"], ("none", "note", "error"))
            self.assertTrue(result["message"]["text"])
            place = result["locations"][0]["physicalLocation"]
            self.assertIn(place["artifactLocation"]["uriBaseId"], run["originalUriBaseIds"])
            lines = (peer.ROOT / place["artifactLocation"]["uri"]).read_text().splitlines()
            self.assertIn(result["ruleId"].removeprefix("rule/"), "\n".join(lines[place["region"]["startLine"] - 1:][:3]))
            failed += [result["ruleId"]] if result["kind"] == "fail" else []
        self.assertIn("reset_clears_the_transaction", failed)

    def test_junit(self):
        root = xml.etree.ElementTree.fromstring(self.reports["junit"])
        self.assertEqual(root.tag, "testsuites")
        for suite in root:
            cases = suite.findall("testcase")
            self.assertEqual(int(suite.get("tests")), len(cases))
            for kind, attribute in (("failure", "failures"), ("skipped", "skipped")):
                self.assertEqual(int(suite.get(attribute)), sum(case.find(kind) is not None for case in cases))
            self.assertTrue(all(case.get("name") and case.get("classname") for case in cases))
        failure = root.find(".//testcase[@name='reset_clears_the_transaction']/failure")
        self.assertIn("C: RSET", failure.text)

    def test_html_needs_nothing_else(self):
        self.assertEqual(self.reports["html"], "")
        text = self.page.read_text()
        self.assertTrue(text.startswith("<!doctype html>") and text.endswith("</html>\n"))
        self.assertIn("C: RSET", text)
        for other in ("src=", "href=", "<script", "url(", "@import"):
            self.assertNotIn(other, text)

    def test_the_summary_is_one_screen_and_comes_first(self):
        lines = self.reports["text"].splitlines()
        verdict = next(at for at, line in enumerate(lines) if line.startswith("verdict"))
        self.assertLess(verdict, 24)
        self.assertIn("(exit code 1)", " ".join(lines[verdict:verdict + 2]))
        self.assertLess(verdict, next(at for at, line in enumerate(lines) if line.startswith("broken")))


class Strangers(peer.Case):
    """Whatever answers there: a clear sentence, in time, with bounded memory."""

    def judged(self, port, *words, within, expect=NOT_JUDGED):
        def limit():
            resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))

        began = time.monotonic()
        said = judge(port, "--rate", "500", "--reply-seconds", "1", *words, expect=expect, preexec_fn=limit)
        self.assertLess(time.monotonic() - began, within)
        return " ".join(said.split())

    def of(self, talk):
        server = faulty_server.Speaker(talk)
        self.addCleanup(server.close)
        return server.port

    def test_nobody_listens(self):
        server = faulty_server.Speaker(lambda client: None)
        server.close()
        self.assertIn("cannot be reached: Connection refused", self.judged(server.port, within=30))

    def test_it_closes_at_once(self):
        self.assertIn("the server closes and greets nobody", self.judged(self.of(lambda client: None), within=30))

    def test_it_never_answers(self):
        said = self.judged(self.of(lambda client: client.recv(100)), within=30)
        self.assertIn("the server does not greet within 1 seconds", said)

    def test_it_greets_and_then_never_answers(self):
        def talk(client):
            client.sendall(b"220 hello\r\n")
            while client.recv(100):
                pass

        said = self.judged(self.of(talk), within=60, expect=BROKEN)
        self.assertIn("the server has answered nothing in 3 sessions one after the other", said)
        self.assertIn("one_reply_per_command", said)

    def test_garbage(self):
        said = self.judged(self.of(lambda client: client.sendall(b"\x00\xff\x1b[2J nonsense\r\n")), within=30)
        self.assertIn("what greets there is no SMTP server", said)
        self.assertNotIn("\x1b", said)

    def test_endless_lines_and_endless_replies(self):
        for octets in (b"x" * 65536, b"220-more\r\n" * 4096):
            def talk(client, octets=octets):
                for _ in range(4096):
                    client.sendall(octets)

            self.assertIn("what greets there is no SMTP server", self.judged(self.of(talk), within=30))

    def test_one_octet_at_a_time(self):
        def talk(client):
            for _ in range(100):
                client.sendall(b"2")
                time.sleep(0.2)

        self.assertIn("does not greet within 1 seconds", self.judged(self.of(talk), within=30))

    def test_it_drops_every_connection_after_some_octets(self):
        def talk(client):
            client.sendall(b"220 hello\r\n")
            client.recv(100)

        said = self.judged(self.of(talk), within=90, expect=BROKEN)
        self.assertIn("nobody_is_sent_away_without_cause", said)

    def test_all_of_it_has_an_end(self):
        def talk(client):
            client.sendall(b"220 hello\r\n")
            while client.recv(100):
                time.sleep(0.3)
                client.sendall(b"250 ok\r\n")

        said = self.judged(self.of(talk), "--seconds", "3", within=60, expect=BROKEN)
        self.assertIn("the time is over: 3 seconds (--seconds)", said)

    def test_the_rate_is_kept(self):
        times = []

        def talk(client):
            times.append(time.monotonic())
            client.sendall(b"220 hello\r\n")

        peer.run([peer.postern(), "judge", f"127.0.0.1:{self.of(talk)}", "--rate", "10", "--seconds", "2"])
        self.assertGreater(len(times), 3)
        self.assertGreater((times[-1] - times[0]) / (len(times) - 1), 0.09)


class Usage(unittest.TestCase):
    def test_only_this_machine_without_leave(self):
        said = judge(25, expect=None, environment={})
        self.assertTrue(said)
        done = peer.run([peer.postern(), "judge", "192.0.2.1:25"])
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(b"--i-may", done.stderr)

    def test_what_is_not_understood_is_100(self):
        for words in (["127.0.0.1"], [":25"], ["127.0.0.1:"], ["127.0.0.1:smtpp"], ["127.0.0.1:25", "AUTH=2"],
                      ["127.0.0.1:25", "--user", "x"], ["127.0.0.1:25", "--password-file", "/nowhere"],
                      ["127.0.0.1:25", "--recipient", "a b"], ["127.0.0.1:25", "--from", "a>\r\nRSET"],
                      ["127.0.0.1:25", "--send", "a@b.c", "--recipient", "d@b.c"], ["127.0.0.1:25", "--format", "pdf"],
                      ["127.0.0.1:25", "--rate", "0"], [], ["127.0.0.1:25", "--listener", "127.0.0.1:25"], ["-c", "/nowhere.toml"],
                      ["127.0.0.1:25", "-c", "/dev/null", "AUTH=1"], ["127.0.0.1:25", "-c", "/dev/null", "--backend", "yes"]):
            with self.subTest(words):
                self.assertEqual(peer.run([peer.postern(), "judge", *words], env={}).returncode, USAGE)


if __name__ == "__main__":
    peer.main()
