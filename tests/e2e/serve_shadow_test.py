#!/usr/bin/env python3
"""The shadow of postern serve: a second file by which live sessions are judged, counted and logged, and that has no effect."""

import re
import signal
import urllib.request

import peer
import serve
from peer import PASSWORD, USER

SAMPLE = re.compile(r'^postern_shadow_differences_total\{rule="([^"]+)",would="([^"]+)"\} (\d+)$', re.M)
FORCED = {"FORCE_TLS": 1}


class Case(serve.Case):
    def setUp(self):
        super().setUp()
        self.shadow = self.home.path / "next.toml"

    def write_shadow(self, *listeners, **variables):
        self.shadow.write_text(serve.as_file({"server": {"home": self.home.path},
                                              "variables": {"POSTERN_MAILDIR": self.home.mail} | variables},
                                             listeners or [{}]))

    def shadowed(self, *listeners, **tables):
        """A server whose shadow is the file as it stands."""
        server = {"shadow": self.shadow, "metrics": "127.0.0.1:0"} | tables.pop("server", {})
        service = self.serving(*listeners, server=server, **tables)
        self.assertIn(f"shadow: sessions are judged by {self.shadow} too, without effect\n", service.log())
        return service

    def page(self, service):
        self.assert_logged(service, "metrics: 127.0.0.1:")
        at = re.search(r"metrics: (127\.0\.0\.1:\d+)", service.log())[1]
        with urllib.request.urlopen(f"http://{at}/metrics", timeout=peer.PATIENCE_SECONDS) as page:
            return page.read().decode()

    def counted(self, service):
        """How many sessions, and {(rule, would): number}."""
        text = self.page(service)
        sessions = re.search(r"^postern_shadow_sessions_total (\d+)$", text, re.M)
        return int(sessions[1]), {(rule, would): int(number) for rule, would, number in SAMPLE.findall(text)}

    def lines(self, service):
        return [line.partition("]: ")[2] for line in service.log().splitlines() if "]: shadow session=" in line]

    def first_line(self, service):
        service.wait_for_log("]: shadow session=")
        return self.lines(service)[0]

    def reports(self, service):
        return [line.partition("]: ")[2] for line in service.log().splitlines() if "]: shadow_report " in line]

    def assert_reloaded(self, service, count=1):
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") >= count), service.log())


class Differences(Case):
    def test_what_another_policy_refuses_is_counted_and_taken(self):
        self.write_shadow(**FORCED)
        service = self.shadowed()
        for _ in range(2):
            self.assert_serves(service)
        self.assertEqual(self.counted(service), (2, {("mail.accepted", "mail.starttls_first"): 2}))
        self.assertEqual(len(self.home.stored()), 2)
        self.assertRegex(self.first_line(service), r"^shadow session=\d+\.\d+ client=127\.0\.0\.1 listener=127\.0\.0\.1:\d+ rule=mail\.accepted "
                               r"would=mail\.starttls_first cause=mail\.valid number=1$")
        self.assertEqual(len(self.lines(service)), 1)  # the second one came within the minute
        self.assertEqual(service.terminate(), 0)
        self.assertEqual(self.reports(service), [
            "shadow_report sessions=2 differences=2",
            "shadow_report rule=mail.accepted would=mail.starttls_first number=2"])

    def test_who_does_as_it_wants_differs_in_nothing(self):
        self.write_shadow(**FORCED)
        service = self.shadowed()
        with service.connect() as client:
            client.starttls().say("EHLO client.example")
            self.assert_code(250, client.deliver("x"))
            client.say("QUIT")
        self.assertEqual(self.counted(service), (1, {}))
        self.assertEqual(self.lines(service), [])

    def test_equal_policies(self):
        self.write_shadow()
        service = self.shadowed()
        self.assert_serves(service)
        with service.connect() as client:
            client.say("EHLO client.example", "NONSENSE", "MAIL FROM:<>", "RCPT TO:<user@elsewhere.example>", "DATA", "QUIT")
        self.assertEqual(self.counted(service), (2, {}))
        self.assertEqual(service.terminate(), 0)
        self.assertEqual(self.reports(service), ["shadow_report sessions=2 differences=0"])

    def test_the_first_difference_of_a_session_is_the_last(self):
        self.write_shadow(**FORCED)
        service = self.shadowed()
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<>", "RSET", "MAIL FROM:<>", "RSET", "MAIL FROM:<>", "QUIT")
        self.assertEqual(self.counted(service), (1, {("mail.accepted", "mail.starttls_first"): 1}))

    def test_what_only_the_shadow_would_ask_is_not_asked(self):
        self.write_shadow(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        service = self.shadowed(variables={"AUTH_CDB": self.home.users})
        secret = peer.plain_response(USER, PASSWORD)
        with service.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(5, client.say(f"AUTH PLAIN {secret}")[:1])
        sessions, differences = self.counted(service)
        (rule, would), = differences
        self.assertEqual((sessions, would), (1, "ask.credentials"))
        self.assertIn(f" rule={rule} would=ask.credentials cause=auth.plain_response number=1", self.first_line(service))
        for word in (secret, PASSWORD, USER):
            self.assertNotIn(word, service.log())
        self.assertNotIn("postern_auth_total{result=\"accepted\"} 1", self.page(service))

    def test_rules_for_clients_are_its_own(self):
        (self.home.path / "rules").write_text("127.:deny\n:allow\n")
        rules = self.home.path / "rules.cdb"
        peer.run(["tcprules", rules, self.home.path / "rules.tmp"],
                 input=(self.home.path / "rules").read_bytes()).check_returncode()
        self.write_shadow({"tcprules": rules})
        service = self.shadowed()
        self.assert_serves(service)
        self.assertEqual(self.counted(service), (1, {("connect.greet", "connect.denied"): 1}))

    def test_a_smaller_limit_of_size_counts_at_the_end_of_mail_data(self):
        self.write_shadow(DATABYTES=1000)
        service = self.shadowed()
        self.assert_serves(service)
        with service.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver("x" * 500 + "\r\n" + "y" * 600))
            client.say("QUIT")
        sessions, differences = self.counted(service)
        self.assertEqual((sessions, list(differences.values())), (2, [1]))
        self.assertIn("cause=data_end.complete", self.first_line(service))

    def test_a_listener_that_it_lacks_is_not_compared(self):
        self.shadow.write_text(serve.as_file({"server": {"home": self.home.path}}, [{"port": 1, "POSTERN_DISCARD": 1}]))
        service = self.shadowed()
        self.assertIn("its clients are not compared", service.log())
        self.assert_serves(service)
        self.assertEqual(self.counted(service), (0, {}))

    def test_by_an_option(self):
        self.write_shadow(**FORCED)
        self.write_file()
        service = peer.Service([peer.postern(), "serve", "-c", self.file, "--shadow", self.shadow], {})
        self.addCleanup(service.stop)
        self.assert_logged(service, "ready: serving")
        port = int(re.search(r"listen: 127\.0\.0\.1:(\d+)", service.log())[1])
        with peer.Client(port) as client:
            client.say("EHLO client.example", "MAIL FROM:<>", "QUIT")
        self.assert_logged(service, "would=mail.starttls_first")

    def test_without_one_nothing_of_it_is_seen(self):
        service = self.serving(server={"metrics": "127.0.0.1:0"})
        self.assert_serves(service)
        self.assertNotIn("shadow", self.page(service))
        self.assertEqual(service.terminate(), 0)
        self.assertNotIn("shadow", service.log())


class Files(Case):
    def test_a_bad_one_refuses_the_start(self):
        for text, sentence in (("nonsense", r"shadow: \S+/next\.toml line 1: "),
                               ("[server]\nhome = \"/\"\nfunny = 1\n", r"shadow: \S+/next\.toml line 3: "),
                               (None, r"shadow: \S+/next\.toml: cannot be read: No such file")):
            with self.subTest(text):
                self.shadow.unlink(missing_ok=True)
                if text is not None:
                    self.shadow.write_text(text)
                self.assertRegex(self.refused(server={"shadow": self.shadow}), sentence)

    def test_one_that_no_start_would_take_refuses_the_start(self):
        self.write_shadow(POSTERN_MAILDIR=self.home.path / "nowhere")
        self.assertRegex(self.refused(server={"shadow": self.shadow}), r"shadow: \S+ line \d+: .*nowhere")

    def test_check_says_so(self):
        self.shadow.write_text("nonsense")
        self.write_file(server={"shadow": self.shadow})
        done = peer.run([peer.postern(), "check", "-c", self.file])
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(b"next.toml line 1", done.stdout + done.stderr)

    def test_a_reload_reads_it_again(self):
        self.write_shadow()
        service = self.shadowed()
        self.assert_serves(service)
        self.write_shadow(**FORCED)
        done = peer.run([peer.postern(), "reload", service.pid])
        self.assertIn(b"by its shadow 0 of 1 sessions would have gone another way", done.stdout)
        self.assert_serves(service)
        self.assertEqual(self.counted(service), (2, {("mail.accepted", "mail.starttls_first"): 1}))
        self.assertEqual(service.terminate(), 0)
        self.assertIn("shadow_report sessions=1 differences=1", self.reports(service))

    def test_a_change_of_the_file_is_a_reload(self):
        self.write_shadow()
        service = self.shadowed()
        self.write_shadow(**FORCED)
        self.assert_reloaded(service)
        self.assert_serves(service)
        self.assertEqual(self.counted(service), (1, {("mail.accepted", "mail.starttls_first"): 1}))

    def test_a_reload_with_a_bad_one_keeps_the_one_before(self):
        self.write_shadow(**FORCED)
        service = self.shadowed()
        self.shadow.write_text("nonsense")
        self.write_file({"SMTPGREETING": "other.example"}, server={"shadow": self.shadow, "metrics": "127.0.0.1:0"})
        done = peer.run([peer.postern(), "reload", service.pid])
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"; but shadow: \S+/next\.toml line 1: .*; it stays as it was")
        with service.connect() as client:
            self.assertIn("other.example", client.greeting)  # what serves is not held up by what is tried
        self.assert_serves(service)
        self.assertEqual(self.counted(service)[1], {("mail.accepted", "mail.starttls_first"): 1})

    def test_a_reload_begins_and_ends_it(self):
        self.write_shadow(**FORCED)
        service = self.serving(server={"metrics": "127.0.0.1:0"})
        self.write_file(server={"metrics": "127.0.0.1:0", "shadow": self.shadow})
        self.assert_reloaded(service)
        self.assert_serves(service)
        self.assertEqual(self.counted(service)[0], 1)
        self.write_file(server={"metrics": "127.0.0.1:0"})
        self.assert_reloaded(service, 2)
        self.assert_serves(service)
        self.assertEqual(self.counted(service)[0], 1)

    def test_sessions_outlive_it(self):
        self.write_shadow(**FORCED)
        service = self.shadowed()
        with service.connect() as client:
            client.say("EHLO client.example")
            self.write_shadow()
            service.process.send_signal(signal.SIGHUP)
            self.assert_reloaded(service)
            self.assert_code(250, client.deliver("x"))
            client.say("QUIT")
        self.assertEqual(self.counted(service), (1, {}))


if __name__ == "__main__":
    peer.main()
