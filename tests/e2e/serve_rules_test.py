#!/usr/bin/env python3
"""The tcprules of postern serve, made by the real tcprules: who may come, and with which settings."""

import json
import os
import re
import signal
import socket
import time
import unittest

import peer
import serve

TIM, TOM, TED, TIA, TEA = (f"127.0.1.{number}" for number in range(1, 6))


class Rules(serve.Case):
    def setUp(self):
        super().setUp()
        self.cdb = self.home.path / "tcp.smtp.cdb"

    def rules(self, *lines):
        made = peer.run(["tcprules", self.cdb, self.home.path / "tcp.tmp"], input="\n".join([*lines, ""]).encode())
        self.assertEqual(made.returncode, 0, made.stderr)

    def ruled(self, *lines, **more):
        self.rules(*lines)
        return self.serving({"tcprules": self.cdb} | more.pop("listener", {}), **more)

    def ehlo(self, service, source):
        with service.connect(source=source) as client:
            return client.say("EHLO client.example")

    def mail(self, service, source):
        with service.connect(source=source) as client:
            client.say("EHLO client.example")
            return client.say("MAIL FROM:<a@b.example>")

    def test_a_class_sets_and_overrides_what_the_listener_says(self):
        service = self.ruled(f'{TIM}:allow,FORCE_TLS="1"', f'{TOM}:allow,DENY_TLS="1"', f'{TED}:allow,AUTH="0"',
                             f'{TIA}:allow,REQUIRE_AUTH="1",DATABYTES="10"', ":allow",
                             variables={"AUTH_CDB": self.home.users, "ALLOW_INSECURE_AUTH": 1, "DATABYTES": 1000})
        self.assertEqual(self.mail(service, TIM), self.replies["starttls_first"])
        self.assertNotIn("STARTTLS", self.ehlo(service, TOM))
        self.assertNotIn("AUTH", self.ehlo(service, TED))
        self.assertEqual(self.mail(service, TIA), self.replies["auth_first"])
        self.assertIn("250-SIZE 10\n", self.ehlo(service, TIA))
        everybody = self.ehlo(service, TEA)
        for text in ("STARTTLS", "AUTH LOGIN PLAIN", "SIZE 1000\n"):
            self.assertIn(text, everybody)
        self.assert_serves(service, source=TEA)

    def test_implicit_tls_by_class(self):
        service = self.ruled(f'{TIM}:allow,SSL="1"', ":allow")
        with service.connect(source=TIM, greeted=False) as client:
            client.start_tls()
            self.assert_code(220, client.reply())
        self.assert_serves(service, source=TOM)

    def test_deny_is_told(self):
        service = self.ruled(f"{TIM}:deny", ":allow")
        self.assert_refused(service, "connect.denied", self.replies["denied"], source=TIM)
        self.assert_serves(service, source=TOM)

    def test_rblsmtpd_s_variable_is_obeyed_with_its_own_text(self):  # deviation D32
        service = self.ruled(f'{TIM}:allow,RBLSMTPD="-not from there (#5.7.1)"', f'{TOM}:allow,RBLSMTPD="come back (#4.7.1)"',
                             f'{TED}:allow,RBLSMTPD=""', f"{TEA}:allow", ":allow")
        self.assert_refused(service, "connect.listed_permanently", "553 not from there (#5.7.1)", source=TIM)
        self.assert_refused(service, "connect.listed_for_now", "451 come back (#4.7.1)", source=TOM)
        self.assert_serves(service, source=TED)
        self.assert_serves(service, source=TEA)

    def test_a_class_lifts_the_listing_of_its_listener(self):  # deviation D32
        service = self.ruled(f'{TIM}:allow,RBLSMTPD=""', ":allow", variables={"RBLSMTPD": "-closed"})
        self.assert_refused(service, "connect.listed_permanently", "553 closed", source=TOM)
        self.assert_serves(service, source=TIM)

    def test_a_listing_that_no_client_could_read_refuses_its_class_and_a_listener(self):  # deviation D32
        service = self.ruled(f'{TIM}:allow,RBLSMTPD="-"', f'{TOM}:allow,RBLSMTPD="-no\u00e9"',
                             f'{TED}:allow,RBLSMTPD="{256 * "x"}"', ":allow")
        for source in (TIM, TOM, TED):
            self.assert_refused(service, "connect.bad_value", self.replies["configuration_error"], source=source)
        self.assert_serves(service, source=TEA)
        self.assertIn("RBLSMTPD", self.refused(variables={"RBLSMTPD": "-"}))

    def test_a_listed_client_hears_nothing_before_tls(self):  # deviations D22, D32
        service = self.ruled(f'{TIM}:allow,RBLSMTPD="-no"', ":allow", listener={"SSL": 1})
        with service.connect(source=TIM, greeted=False) as client:
            self.assertEqual(client.rest(), b"")
        self.assertRegex(service.wait_for_log("rule=connect.before_tls "), r"cause=connect\.listed_permanently")

    def test_where_tls_comes_first_nothing_is_said_and_the_log_shows_no_reply(self):  # deviation D22
        service = self.ruled(f"{TIM}:deny", ":allow", listener={"SSL": 1})
        with service.connect(source=TIM, greeted=False) as client:
            self.assertEqual(client.rest(), b"")
        log = service.wait_for_log("rule=connect.before_tls ")
        self.assertRegex(log, r"rule=connect\.before_tls cause=connect\.denied")
        self.assertNotIn("reply=", log)

    def test_a_class_whose_ssl_cannot_be_read_is_answered_inside_tls(self):  # deviations D11, D22
        for listener in ({"SSL": 1}, {}):
            service = self.ruled(f'{TIM}:allow,SSL="yes"', f'{TOM}:allow,SSL="2"', ":allow", listener=listener)
            for source in (TIM, TOM):
                with self.subTest(listener=listener, source=source), service.connect(source=source, greeted=False) as client:
                    client.start_tls()
                    self.assertEqual(client.reply(), self.replies["configuration_error"])
                    self.assertEqual(client.rest(), b"")
            self.assert_logged(service, 'SSL="yes" in the class')

    def test_who_is_turned_away_hears_nothing_before_tls_where_its_class_begins_with_it(self):  # deviation D22
        service = self.ruled(f'{TIM}:allow,SSL="1"', f'{TOM}:allow,SSL="0"', f'{TED}:deny,SSL="1"', ":allow",
                             limits={"sessions": 1, "exempt": []})
        with service.connect(source=TEA):
            for source in (TIM, TED):
                with service.connect(source=source, greeted=False) as client:
                    self.assertEqual(client.rest(), b"", source)
            with service.connect(source=TOM) as client:
                self.assertEqual(client.greeting[:3], "421")
        silent = lambda: re.findall(r"refuse .*rule=connect\.before_tls ", service.log())
        self.assertTrue(peer.until(lambda: len(silent()) == 2, 5), service.log())
        service.stop()
        service = self.ruled(f'{TOM}:allow,SSL="0"', ":allow", listener={"SSL": 1}, limits={"sessions": 1, "exempt": []})
        with service.connect(source=TEA, greeted=False) as first:
            first.start_tls()
            self.assert_code(220, first.reply())
            with service.connect(source=TOM) as client:
                self.assertEqual(client.greeting[:3], "421", "this class is in clear")

    def test_relayclient_opens_every_domain_to_its_class_alone(self):
        service = self.ruled(f'{TIM}:allow,RELAYCLIENT="",POSTERN_RELAY="1"', f'{TEA}:allow,RELAYCLIENT=""', ":allow")
        for source, code in ((TIM, "250"), (TOM, "553"), (TEA, "550")):  # deviation D25
            with service.connect(source=source) as client:
                client.say("EHLO client.example")
                client.say("MAIL FROM:<a@b.example>")
                self.assert_code(code, client.say("RCPT TO:<who@elsewhere.example>"))

    def test_what_is_wrong_with_a_class_is_told_once_and_only_its_clients_suffer(self):
        service = self.ruled(f'{TIM}:allow,FORCE_TLS="yes"', f'{TOM}:allow,FORCE_TLS="1",DENY_TLS="1"', ":allow")
        for _ in range(2):
            self.assert_refused(service, "connect.bad_value", self.replies["configuration_error"], source=TIM)
        self.assert_refused(service, "connect.force_and_deny", self.replies["force_and_deny"], source=TOM)
        self.assert_serves(service, source=TEA)
        self.assertEqual(service.log().count('FORCE_TLS="yes"'), 1)

    def test_a_reload_that_shuts_a_class_out_says_so(self):
        service = self.ruled(":allow")
        self.rules(f'{TIM}:allow,DATABYTES="10k"', ":allow")
        done = peer.run([peer.postern(), "reload", service.pid])
        self.assertEqual(done.returncode, 0)
        self.assertIn(b'done: new sessions are served with it; but ', done.stdout)
        self.assertIn(b'DATABYTES="10k"', done.stdout)

    def test_a_rule_for_a_name_or_a_user_is_warned_about(self):
        service = self.ruled("=localhost:deny", f"joe@{TIM}:allow,DENY_TLS=\"1\"", ":allow")
        self.assert_logged(service, "class =localhost of ")
        self.assert_logged(service, "so this rule never matches, and denies nobody: write addresses")
        self.assert_logged(service, f"class joe@{TIM} of ")
        self.assert_serves(service, source=TIM)

    def test_a_change_is_seen_within_two_seconds(self):
        service = self.ruled(":allow")
        self.assert_serves(service, source=TIM)
        self.rules(f"{TIM}:deny", ":allow")
        begun = time.monotonic()
        self.assertTrue(peer.until(lambda: self.ehlo(service, TIM) == "", 5))
        self.assertLess(time.monotonic() - begun, 2.2)
        self.assert_serves(service, source=TOM)

    def test_a_file_that_breaks_is_told_and_its_last_rules_stay(self):
        service = self.ruled(f"{TIM}:deny", ":allow")
        self.assert_refused(service, "connect.denied", self.replies["denied"], source=TIM)
        broken = self.home.path / "broken"
        broken.write_bytes(b"no cdb at all")
        os.rename(broken, self.cdb)
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assertIn(str(self.cdb), service.log())
        self.assertNotEqual(self.ehlo(service, TOM), "")
        self.assert_refused(service, "connect.denied", self.replies["denied"], source=TIM)
        self.rules(":allow")
        self.assertTrue(peer.until(lambda: self.ehlo(service, TIM) != "", 5), service.log())

    def test_a_misspelt_name_refuses_a_reload_and_a_start(self):
        service = self.ruled(":allow")
        self.rules(f'{TIM}:allow,FORCE_TSL="1"', ":allow")
        self.assert_logged(service, "FORCE_TSL is not a variable: did you mean FORCE_TLS?")
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assert_serves(service, source=TOM)
        self.assertIn("did you mean FORCE_TLS?", self.refused({"tcprules": self.cdb}))

    def test_a_name_of_another_program_is_warned_about_where_none_is_run(self):
        service = self.ruled(f'{TIM}:allow,WHITELISTED="1",TCPREMOTEHOST="x"', ":allow")
        self.assert_serves(service, source=TIM)
        self.assert_logged(service, "WHITELISTED is not a variable of postern")
        self.assertNotIn("TCPREMOTEHOST is not a variable", service.log())

    def test_a_policy_service_that_takes_no_connection_is_warned_about(self):
        place, nobody, nowhere = str(self.home.path / "policy"), "unix:/nobody/there", "tcp:127.0.0.1:9"
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(place)
        listening.listen()
        of_class = f"{self.cdb}: POSTERN_POLICY_SERVICE: policy service {nobody} does not answer, ENOENT: until it does, each recipient"
        of_variables = f"POSTERN_POLICY_SERVICE: policy service {nowhere} does not answer, ECONNREFUSED: until it does"
        service = self.ruled(f'{TIM}:allow,POSTERN_POLICY_SERVICE="{nobody}"', ":allow",
                             variables={"POSTERN_POLICY_SERVICE": f"unix:{place} {nowhere}"})
        for sentence in (of_class, of_variables):
            self.assert_logged(service, sentence)
        warnings = [line for line in service.log().splitlines() if "policy service" in line]
        self.assertEqual(len(warnings), 2, service.log())
        found = peer.run([peer.postern(), "check", "--json", "-c", self.file])
        told = [piece["text"] for piece in json.loads(found.stdout)["advice"] if "policy service" in piece["text"]]
        self.assertEqual(len(told), 2, told)
        for sentence in (of_class, of_variables):
            for texts in (warnings, told):
                self.assertEqual(len([text for text in texts if sentence in text]), 1, (sentence, texts))
        self.assertTrue(all("]: warning: " in line for line in warnings), warnings)
        listening.close()
        service.process.send_signal(signal.SIGHUP)
        self.assert_logged(service, "reload: done")
        self.assert_logged(service, f"policy service unix:{place} does not answer, ECONNREFUSED")

    def test_a_broken_file_refuses_the_start(self):
        self.rules(f"{TIM}:deny")
        torn = bytearray(self.cdb.read_bytes())
        torn[2048 + 4:2048 + 6] = b"\xff\xff"  # the length of a value
        self.cdb.unlink()
        for octets in (None, b"no cdb at all", torn):
            with self.subTest(octets=octets):
                if octets:
                    self.cdb.write_bytes(octets)
                self.assertIn(str(self.cdb), self.refused({"tcprules": self.cdb}))

    @unittest.skipIf(os.geteuid(), "only root can become another user")
    def test_they_are_read_again_by_the_user_who_serves(self):
        self.home.path.chmod(0o755)
        os.chown(self.home.mail, 65534, 65534)
        service = self.ruled(":allow", server={"user": "nobody"})
        self.rules(f"{TIM}:deny", ":allow")
        self.assertTrue(peer.until(lambda: self.ehlo(service, TIM) == "", 5), service.log())


if __name__ == "__main__":
    peer.main()
