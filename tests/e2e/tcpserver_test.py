"""Everyday mail through a real tcpserver, sent by the clients that people use: swaks, curl, msmtp, openssl, and ours.

What is stored must be, below the trace fields, octet for octet what was sent (lines end with LF on disk). The trace
fields must say who brought it, by which protocol word, and with which TLS.
"""

import re
import subprocess

import peer
from peer import HOST, OURS, PASSWORD, USER, encoded, plain_response, run

HEADER = "From: <me@sender.example>\r\nTo: <user@postern.example>\r\nSubject: e2e\r\n" \
         "Date: Thu, 01 Jan 2026 00:00:00 -0000\r\nMessage-ID: <1@sender.example>\r\n\r\n"
MESSAGE = HEADER + "first line\r\nthe last line\r\n"
AUTH = ("--auth-user", USER, "--auth-password", PASSWORD)


def split_trace(stored):
    """The Return-Path line, the Received field, and what was sent."""
    lines = stored.decode("latin-1").split("\n", 3)
    return lines[0], "\n".join(lines[1:3]), lines[3]


class Sending(peer.Case):
    """One service: STARTTLS there, AUTH_CDB, AUTH when encrypted."""

    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve(AUTH_CDB=self.home.users)
        self.file = self.home.path / "message"
        self.file.write_bytes(MESSAGE.encode())

    def stored(self):
        messages = self.home.stored(f"{OURS}/user")
        self.assertEqual(len(messages), 1, self.server.log())
        return split_trace(messages[0])

    def assert_stored(self, protocol_pattern, message=MESSAGE):
        return_path, received, sent = self.stored()
        self.assertEqual(return_path, "Return-Path: <me@sender.example>")
        self.assertRegex(received, rf"\AReceived: from unknown \(HELO [^ ]+\) \((alice@)?127\.0\.0\.1\)\n"
                                   rf"  by {re.escape(HOST)} with {protocol_pattern} id \d+-\d+; "
                                   r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000\Z")
        self.assertEqual(sent, message.replace("\r\n", "\n"))

    TLS_13 = r"ESMTPS \(TLSv1\.3 TLS_[A-Z0-9_]+\)"
    TLS_13_AUTH = r"ESMTPSA \(TLSv1\.3 TLS_[A-Z0-9_]+\)"

    def swaks(self, *options):
        return run(["swaks", "--server", "127.0.0.1", "--port", self.server.port, "--from", "me@sender.example",
                    "--to", f"user@{OURS}", "--helo", "client.example", "--data", f"@{self.file}", *options])

    def curl(self, *options):
        return run(["curl", "-sS", "--max-time", 10, f"smtp://127.0.0.1:{self.server.port}/client.example",
                    "--mail-from", "me@sender.example", "--mail-rcpt", f"user@{OURS}", "-T", self.file, *options])

    def msmtp(self, *options):
        return run(["msmtp", "-C", "/dev/null", "--host=127.0.0.1", f"--port={self.server.port}",
                    "--domain=client.example", "--from=me@sender.example", "--timeout=10", *options, f"user@{OURS}"],
                   input=MESSAGE.replace("\r\n", "\n").encode())

    def test_swaks_in_clear(self):
        self.assert_ok(self.swaks())
        _, received, sent = self.stored()
        self.assertIn(" with ESMTP id ", received)
        self.assertTrue(sent.startswith(MESSAGE.replace("\r\n", "\n")), sent)  # swaks ends with one more line

    def test_swaks_with_starttls(self):
        self.assert_ok(self.swaks("--tls"))
        self.assertRegex(self.stored()[1], self.TLS_13)

    def test_swaks_with_starttls_and_auth_plain(self):
        self.assert_ok(self.swaks("--tls", "--auth", "PLAIN", *AUTH))
        self.assertRegex(self.stored()[1], self.TLS_13_AUTH)

    def test_swaks_with_starttls_and_auth_login(self):
        self.assert_ok(self.swaks("--tls", "--auth", "LOGIN", *AUTH))
        self.assertRegex(self.stored()[1], r"\(alice@127\.0\.0\.1\)")

    def test_each_message_has_a_name_of_its_own_in_reply_trace_and_log(self):
        count = 20
        with self.server.connect() as client:
            client.say("EHLO client.example")
            replies = [client.deliver(f"Subject: {number}") for number in range(count)]
        names = [re.fullmatch(r"250 ok (\d+) qp (\d+)", reply).groups() for reply in replies]
        self.assertEqual(len(set(names)), count, names)
        received = [message.split(b"\n")[2].decode() for message in self.home.stored()]
        self.assertEqual(sorted(re.search(r" id (\d+)-(\d+); ", line).groups() for line in received), sorted(names))
        log = self.server.wait_for_log("id={}-{} ".format(*names[-1]))
        logged = re.findall(r"result=accepted id=(\d+)-(\d+) ", log)
        self.assertEqual(logged[-count:], names)

    def test_curl_in_clear(self):
        self.assert_ok(self.curl())
        self.assert_stored("ESMTP")

    def test_curl_with_starttls(self):
        self.assert_ok(self.curl("--ssl-reqd", "--insecure"))
        self.assert_stored(self.TLS_13)

    def test_curl_with_starttls_of_tls_12(self):
        self.assert_ok(self.curl("--ssl-reqd", "--insecure", "--tls-max", "1.2"))
        self.assert_stored(r"ESMTPS \(TLSv1\.2 ECDHE-[A-Z0-9-]+\)")

    def test_curl_with_starttls_and_auth(self):
        self.assert_ok(self.curl("--ssl-reqd", "--insecure", "--user", f"{USER}:{PASSWORD}"))
        self.assert_stored(self.TLS_13_AUTH)

    def test_curl_with_a_wrong_password(self):
        failed = self.curl("--ssl-reqd", "--insecure", "--user", f"{USER}:wrong")
        self.assertEqual(failed.returncode, 67, failed.stderr)  # CURLE_LOGIN_DENIED
        self.assertEqual(self.home.stored(), [])

    def test_msmtp_in_clear(self):
        self.assert_ok(self.msmtp())
        self.assert_stored("ESMTP")

    def test_msmtp_with_starttls(self):
        self.assert_ok(self.msmtp("--tls=on", "--tls-starttls=on", "--tls-certcheck=off"))
        self.assert_stored(self.TLS_13)

    def test_msmtp_with_starttls_and_auth(self):
        self.assert_ok(self.msmtp("--tls=on", "--tls-starttls=on", "--tls-certcheck=off", "--auth=login",
                                  f"--user={USER}", f"--passwordeval=echo {PASSWORD}"))
        self.assert_stored(self.TLS_13_AUTH)

    def test_msmtp_that_trusts_our_certificate_only(self):
        trust = self.home.path / "trusted.pem"
        trust.write_text(self.home.certificate)
        starttls = ("--tls=on", "--tls-starttls=on", f"--tls-trust-file={trust}")
        self.assert_ok(self.msmtp(*starttls, f"--tls-host-override={HOST}"))
        self.assert_stored(self.TLS_13)
        self.assertNotEqual(self.msmtp(*starttls).returncode, 0)  # the certificate is for HOST, not for 127.0.0.1

    def test_openssl_s_client(self):
        dialogue = f"EHLO client.example\nMAIL FROM:<me@sender.example>\nRCPT TO:<user@{OURS}>\nDATA\n" \
                   + MESSAGE.replace("\r\n", "\n") + ".\nQUIT\n"
        done = run(["openssl", "s_client", "-quiet", "-crlf", "-starttls", "smtp", "-connect",
                    f"127.0.0.1:{self.server.port}"], input=dialogue.encode())
        self.assert_ok(done)
        self.assertIn(b"\n221 " + HOST.encode(), done.stdout)
        self.assert_stored(self.TLS_13)

    def test_helo_and_nothing_else(self):
        with self.server.connect() as client:
            client.say("HELO client.example")
            self.assert_code(250, client.deliver(MESSAGE.removesuffix("\r\n")))
        self.assert_stored("SMTP")

    def test_every_octet_comes_through(self):
        octets = "".join(map(chr, range(1, 256))).replace("\r", "").replace("\n", "")
        message = HEADER + octets + "\r\n" + octets * 40 + "\r\n\r\n" + "x" * 100_000 + "\r\nend"
        with self.server.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver(message))
        self.assertEqual(self.stored()[2], (message + "\r\n").replace("\r\n", "\n"))

    def test_transparency_is_undone(self):
        with self.server.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver(HEADER + "..\r\n...\r\n..two\r\nx."))
        self.assertEqual(self.stored()[2], HEADER.replace("\r\n", "\n") + ".\n..\n.two\nx.\n")

    def test_a_megabyte_inside_tls(self):
        message = HEADER + "\r\n".join(f"{i} " + "x" * 60 for i in range(16_000))
        with self.server.connect().starttls() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver(message))
        self.assertEqual(self.stored()[2], (message + "\r\n").replace("\r\n", "\n"))

    def test_three_messages_and_three_recipients_in_one_session(self):
        with self.server.connect() as client:
            client.say("EHLO client.example")
            for number in range(3):
                client.say("MAIL FROM:<me@sender.example>", *(f"RCPT TO:<{n}{number}@{OURS}>" for n in "abc"), "DATA")
                client.send(f"Subject: {number}\r\n\r\ntext {number}\r\n.\r\n")
                self.assertRegex(client.reply(), r"\A250 ok \d+ qp \d+\Z")
            self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        for name in ("a0", "b1", "c2"):
            (message,) = self.home.stored(f"{OURS}/{name}")
            self.assertTrue(message.endswith(f"text {name[1]}\n".encode()))
        self.assertEqual(self.home.leftovers(), [])


class Credentials(peer.Case):
    """AUTH PLAIN and LOGIN with each backend; what goes wrong, and what it is worth."""

    def backends(self, **settings):
        yield "cdb", self.serve(AUTH_CDB=self.home.users, **settings)
        yield "program", self.serve(self.home.check_arguments(), **settings)

    def encrypted(self, server):
        client = server.connect().starttls()
        self.addCleanup(client.close)
        self.assertIn("250-AUTH LOGIN PLAIN", client.say("EHLO client.example"))
        return client

    def login(self, client, user, password):
        self.assertEqual(client.say("AUTH LOGIN"), "334 VXNlcm5hbWU6")
        self.assertEqual(client.say(encoded(user)), "334 UGFzc3dvcmQ6")
        return client.say(encoded(password))

    def test_every_form_of_auth_with_each_backend(self):
        for name, server in self.backends():
            with self.subTest(backend=name):
                plain = plain_response(USER, PASSWORD)
                self.assertEqual(self.encrypted(server).say("AUTH PLAIN " + plain), self.replies["auth_accepted"])
                client = self.encrypted(server)
                self.assertEqual(client.say("AUTH PLAIN"), "334 ")
                self.assertEqual(client.say(plain), self.replies["auth_accepted"])
                self.assertEqual(self.login(self.encrypted(server), USER, PASSWORD), self.replies["auth_accepted"])
                client = self.encrypted(server)
                self.assertEqual(client.say("AUTH LOGIN " + encoded(USER)), "334 UGFzc3dvcmQ6")
                self.assertEqual(client.say(encoded(PASSWORD)), self.replies["auth_accepted"])
                self.assertEqual(client.say("AUTH PLAIN " + plain), self.replies["already_authenticated"])

    def test_a_wrong_password_with_each_backend(self):
        for name, server in self.backends():
            with self.subTest(backend=name):
                client = self.encrypted(server)
                self.assertEqual(self.login(client, USER, "wrong"), self.replies["auth_rejected"])
                self.assertEqual(client.deliver("x", recipient="x@elsewhere.example"), self.replies["not_our_domain"])
                self.assertEqual(client.say("RSET"), "250 flushed")
                self.assertEqual(self.login(client, USER, PASSWORD), self.replies["auth_accepted"])
                self.assertNotIn(PASSWORD, server.log())
                self.assert_logged(server, "user=alice")

    def test_an_expired_password_is_refused_and_a_lasting_one_is_not(self):  # deviation D8
        server = self.serve(AUTH_CDB=self.home.users)
        self.assertEqual(self.login(self.encrypted(server), "bob", PASSWORD), self.replies["auth_rejected"])
        self.assertEqual(self.login(self.encrypted(server), "carol", PASSWORD), self.replies["auth_accepted"])

    def test_a_broken_check_program_is_no_wrong_password(self):  # deviation D7
        server = self.serve(self.home.check_arguments())
        for user in ("crash", "fail"):
            client = self.encrypted(server)
            self.assertEqual(self.login(client, user, PASSWORD), self.replies["auth_broken"])
            self.assertEqual(self.login(client, USER, PASSWORD), self.replies["auth_accepted"])
        self.assertTrue(peer.until(lambda: server.log().count("result=broken") == 2), server.log())

    def test_a_check_program_that_is_gone(self):
        gone = self.home.path / "gone"
        gone.write_text("#!/bin/sh\n")
        gone.chmod(0o755)
        server = self.serve((HOST, gone, "/bin/true"))
        client = self.encrypted(server)
        gone.unlink()
        self.assertEqual(self.login(client, USER, PASSWORD), self.replies["auth_broken"])

    def test_no_auth_in_clear(self):
        for name, server in self.backends():
            with self.subTest(backend=name), server.connect() as client:
                self.assertNotIn("AUTH", client.say("EHLO client.example"))
                for command in ("AUTH PLAIN", "AUTH LOGIN", "AUTH PLAIN " + plain_response(USER, PASSWORD)):
                    self.assertEqual(client.say(command), self.replies["auth_type_unavailable"])
                self.assertNotIn(encoded(PASSWORD), server.log())

    def test_auth_in_clear_when_allowed(self):
        for name, server in self.backends(ALLOW_INSECURE_AUTH=1, POSTERN_RELAY=1):
            with self.subTest(backend=name), server.connect() as client:
                capabilities = client.say("EHLO client.example")
                self.assertIn("250-AUTH LOGIN PLAIN\n250-AUTH=LOGIN PLAIN\n250-STARTTLS\n", capabilities)
                self.assertEqual(self.login(client, USER, PASSWORD), self.replies["auth_accepted"])
                self.assert_code(250, client.deliver("in clear", recipient=f"{name}@elsewhere.example"))
                (message,) = self.home.stored(f"elsewhere.example/{name}")
                self.assertIn(b" with ESMTPA id ", message)

    def test_a_wish_to_be_sent_on_is_refused_to_who_may_not_relay(self):  # original: RELAYREJ
        asking = (f"user%other.example@{OURS}", f"other.example!user@{OURS}", f'"user@other.example"@{OURS}')
        refused = self.replies["relay_refused"]
        for settings, reply in (({}, "250 ok"), ({"RELAYREJ": 0}, "250 ok"), ({"RELAYREJ": 1, "RELAYCLIENT": ""}, "250 ok"),
                                ({"RELAYREJ": 1}, refused)):
            server = self.serve(DENY_TLS=1, ALLOW_INSECURE_AUTH=1, AUTH_CDB=self.home.users, **settings)
            with server.connect() as client:
                client.say("EHLO client.example")
                client.say("MAIL FROM:<a@b.example>")
                for path in asking:
                    with self.subTest(settings=settings, path=path):
                        self.assertEqual(client.say(f"RCPT TO:<{path}>"), reply)
                self.assertEqual(client.say(f"RCPT TO:<user@{OURS}>"), "250 ok")
                client.say("RSET")
                self.assertEqual(self.login(client, USER, PASSWORD), self.replies["auth_accepted"])
                client.say("MAIL FROM:<a@b.example>")
                self.assertEqual(client.say(f"RCPT TO:<{asking[0]}>"), "250 ok")

    def test_relaying_only_after_auth(self):
        server = self.serve(AUTH_CDB=self.home.users, POSTERN_RELAY=1)
        client = self.encrypted(server)
        self.assertEqual(client.deliver("x", recipient="far@elsewhere.example"), self.replies["not_our_domain"])
        client.say("RSET")
        client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))
        self.assert_code(250, client.deliver("x", recipient="far@elsewhere.example"))
        (message,) = self.home.stored("elsewhere.example/far")
        self.assertRegex(message.decode(), r"\(alice@127\.0\.0\.1\)\n  by [^ ]+ with ESMTPSA \(TLSv1\.3 ")

    def test_a_maildir_relays_nothing_for_a_user_either(self):  # deviation D25
        client = self.encrypted(self.serve(AUTH_CDB=self.home.users))
        client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))
        self.assertEqual(client.deliver("x", recipient="far@elsewhere.example"), self.replies["relays_no_mail"])
        client.say("RSET")
        self.assert_code(250, client.deliver("x"))
        self.assertEqual(self.home.stored("elsewhere.example/far"), [])

    def test_the_user_is_named_in_received_unless_hidden(self):
        for hides, pattern in ((0, r"\(alice@127\.0\.0\.1\)\n"), (1, r" \(127\.0\.0\.1\)\n")):
            client = self.encrypted(self.serve(AUTH_CDB=self.home.users, POSTERN_HIDE_USER=hides, POSTERN_DELIVERED_TO=1))
            client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))
            self.assert_code(250, client.deliver("Return-Path: <old@x.example>\r\n\r\nx"))
            message = self.home.stored()[-1].decode()
            self.assertRegex(message, rf"\AReturn-Path: <me@sender\.example>\nDelivered-To: user@{OURS}\nReceived: ")
            self.assertRegex(message, pattern)
            self.assertEqual(message.count("Return-Path"), 1)

    def test_a_user_of_the_cdb_may_have_settings_of_its_own(self):
        client = self.encrypted(self.serve(AUTH_CDB=self.home.users, DATABYTES=9999, AUTH_UNSET_NOTHING=1))
        self.assertIn("250-SIZE 9999", client.say("EHLO client.example"))
        self.assertEqual(client.say("AUTH PLAIN " + plain_response("dave", PASSWORD)), self.replies["auth_accepted"])
        self.assertIn("250-SIZE 77", client.say("EHLO client.example"))
        self.assertEqual(client.deliver("x" * 78), self.replies["size_exceeded"])

    def test_require_auth(self):
        server = self.serve(AUTH_CDB=self.home.users, REQUIRE_AUTH=1, RELAYCLIENT="")
        with server.connect() as client:
            client.say("EHLO client.example")
            self.assertEqual(client.deliver("x"), self.replies["auth_first"])
        client = self.encrypted(server)
        self.assertEqual(client.deliver("x"), self.replies["auth_first"])
        client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))
        self.assert_code(250, client.deliver("x"))

    def test_force_tls(self):
        server = self.serve(FORCE_TLS=1)
        with server.connect() as client:
            self.assertIn("250-STARTTLS", client.say("EHLO client.example"))
            self.assertEqual(client.deliver("x"), self.replies["starttls_first"])
        with server.connect().starttls() as client:
            self.assertNotIn("STARTTLS", client.say("EHLO client.example"))
            self.assert_code(250, client.deliver("x"))

    def test_deny_tls(self):
        with self.serve(DENY_TLS=1).connect() as client:
            self.assertNotIn("STARTTLS", client.say("EHLO client.example"))
            self.assertEqual(client.say("STARTTLS"), self.replies["tls_unavailable"])
            self.assert_code(250, client.deliver("x"))


RULES = """# one client a line; all of them are on the loopback interface
127.0.0.2:allow,RELAYCLIENT=""
127.0.0.3:allow,FORCE_TLS="1"
127.0.0.4:allow,RELAYCLIENT=".relay.example"
127.0.0.5:deny
127.0.0.6:allow,DATABYTES="100"
127.0.0.7:allow,SSL="yes"
127.:allow
"""


class Rules(peer.Case):
    """A tcprules database decides for each client."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rules = cls.home.path / "tcp.smtp.cdb"
        subprocess.run(["tcprules", cls.rules, cls.home.path / "tcp.smtp.tmp"], input=RULES.encode(), check=True,
                       timeout=peer.PATIENCE_SECONDS)

    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve(tcprules=self.rules, POSTERN_RELAY=1)

    def deliver_from(self, source, recipient="far@elsewhere.example", message="x"):
        with self.server.connect(source=source) as client:
            client.say("EHLO client.example")
            return client.deliver(message, recipient=recipient)

    def test_the_world_may_not_relay(self):
        self.assertEqual(self.deliver_from("127.0.0.1"), self.replies["not_our_domain"])
        self.assert_code(250, self.deliver_from("127.0.0.1", f"user@{OURS}"))

    def test_relayclient(self):
        self.assert_code(250, self.deliver_from("127.0.0.2"))
        (message,) = self.home.stored("elsewhere.example/far")
        self.assertIn(b"(127.0.0.2)", message)

    def test_the_value_of_relayclient_is_appended(self):
        self.assert_code(250, self.deliver_from("127.0.0.4"))
        self.assertEqual(len(self.home.stored("elsewhere.example.relay.example/far")), 1)

    def test_nothing_is_appended_for_an_authenticated_client(self):
        # As in the original: a successful AUTH sets relayclient to "", whatever the rules gave this client.
        self.server = self.serve(tcprules=self.rules, POSTERN_RELAY=1, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        with self.server.connect(source="127.0.0.4") as client:
            client.say("EHLO client.example")
            self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, PASSWORD)), self.replies["auth_accepted"])
            self.assert_code(250, client.deliver("x", recipient="far@elsewhere.example"))
        self.assertEqual(len(self.home.stored("elsewhere.example/far")), 1)
        self.assertEqual(self.home.stored("elsewhere.example.relay.example/far"), [])

    def test_a_setting_of_one_client(self):
        self.assertEqual(self.deliver_from("127.0.0.3"), self.replies["starttls_first"])

    def test_a_size_limit_of_one_client(self):
        with self.server.connect(source="127.0.0.6") as client:
            self.assertIn("250-SIZE 100", client.say("EHLO client.example"))
            self.assertEqual(client.say("MAIL FROM:<a@b.example> SIZE=101"), self.replies["size_exceeded"])
            self.assertEqual(client.deliver("x" * 200), self.replies["size_exceeded"])
            self.assert_code(250, client.deliver("x" * 20))
        self.assertEqual(len(self.home.stored()), 1)

    def test_a_wrong_value_in_the_rules_refuses_that_client_only(self):  # deviation D11
        with self.server.connect(source="127.0.0.7", greeted=False) as client:
            self.assertEqual(client.start_tls().reply(), self.replies["configuration_error"])
            self.assertEqual(client.rest(), b"")
        self.assertRegex(self.server.wait_for_log('SSL="yes"'), r'(config|warning): .*SSL="yes"')
        self.assert_code(250, self.deliver_from("127.0.0.1", f"user@{OURS}"))

    def test_a_denied_client(self):
        with self.server.connect(source="127.0.0.5", greeted=False) as client:
            said = self.replies["denied"] + "\r\n" if peer.is_listener() else ""  # deviation D22
            self.assertEqual(client.rest().decode(), said)


if __name__ == "__main__":
    peer.main()
