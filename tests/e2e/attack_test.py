"""Attacks that have worked on other servers, against ours: postern-smtpd under tcpserver, and the listener.

STARTTLS command injection (CVE-2011-0411 and successors), SMTP smuggling (CVE-2023-51764 and the like), log forging,
cross-protocol requests, guessing. Where segmentation may matter it is a dimension of the test: published scanners send
one segment, and servers were found that fail only when it is cut.
"""

import itertools
import re

import peer
from peer import HOST, OURS, PASSWORD, USER, encoded, plain_response

INJECTED = b"EHLO evil.example\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<user@postern.example>\r\n" \
           b"DATA\r\nSubject: injected\r\n\r\nx\r\n.\r\n"


def segmentations(before, middle, after):
    """Octets as lists of segments: whole, cut around and inside `middle`, and `middle` octet by octet."""
    whole = before + middle + after
    yield [whole]
    for at in range(len(before), len(before) + len(middle) + 1):
        yield [whole[:at], whole[at:]]
    yield [before, *(bytes([octet]) for octet in middle), after]


class Starttls(peer.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = peer.start_server(cls.home.environment(AUTH_CDB=cls.home.users, ALLOW_INSECURE_AUTH=1))
        cls.addClassCleanup(cls.server.stop)

    def connect(self):
        client = self.server.connect()
        self.addCleanup(client.close)
        return client

    def assert_clean_inside(self, client):
        """Inside TLS the first octets are the reply to the first command sent there, and nothing was stored."""
        self.assertEqual(client.say("NOOP"), "250 ok")
        self.assertEqual(client.say("RCPT TO:<user@postern.example>"), self.replies["mail_first"])
        self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        self.assertEqual(client.rest(), b"")
        self.assertEqual(self.home.stored(), [])

    def test_what_came_with_starttls_is_never_obeyed(self):
        injections = (b"NOOP\r\n", b"NOO", INJECTED, INJECTED + b"NOOP\r\n" * 20_000, b"MAIL FROM:<evil@evil.example>")
        for injected in injections:
            with self.subTest(injected=injected[:20], octets=len(injected)):
                client = self.connect()
                client.say("EHLO client.example")
                client.send(b"STARTTLS\r\n" + injected)
                self.assertEqual(client.reply(), self.replies["tls_ready"])
                if len(injected) > 64 * 1024:  # what was not read at once is no ClientHello: the handshake fails
                    self.assertNotIn(b"250", client.rest())
                    continue
                self.assert_clean_inside(client.start_tls())

    def test_what_follows_starttls_in_another_segment_is_never_obeyed(self):
        """It meets the handshake, which fails: nothing may be answered, in clear or otherwise."""
        for pieces in ([b"STARTTLS\r\n", INJECTED], [b"START", b"TLS\r\nNOO", b"P\r\n"],
                       [b"STARTTLS\r", b"\nNOOP", b"\r\n"], [b"STARTTLS\r\n", b"N", b"OOP\r\n"],
                       [b"NOOP\r\nSTARTTLS\r\n", b"QUIT\r\n"]):
            with self.subTest(pieces=pieces):
                client = self.connect()
                client.say("EHLO client.example")
                client.send_pieces(pieces, 0.05)
                client.end()  # what is shorter than the head of a TLS record would be waited for
                if pieces[0].startswith(b"NOOP"):
                    self.assertEqual(client.reply(), "250 ok")
                self.assertEqual(client.reply(), self.replies["tls_ready"])
                self.assertNotRegex(client.rest(), rb"[245][0-9][0-9] ")
        self.assertEqual(self.home.stored(), [])

    def test_after_220_there_is_tls_or_nothing(self):
        client = self.connect()
        client.say("EHLO client.example")
        self.assertEqual(client.say("STARTTLS"), self.replies["tls_ready"])
        client.send("EHLO client.example\r\nQUIT\r\n")
        self.assertNotRegex(client.rest(), rb"[245][0-9][0-9][ -]")
        self.assertRegex(self.server.wait_for_log("TLS handshake"),
                         r"trouble (session=\S+ )?client=127\.0\.0\.1: the TLS handshake failed")

    def test_starttls_twice(self):
        client = self.connect().starttls()
        client.say("EHLO client.example")
        self.assertEqual(client.say("STARTTLS"), self.replies["tls_already_active"])
        self.assertEqual(client.say("NOOP"), "250 ok")

    def test_starttls_with_a_parameter(self):
        client = self.connect()
        client.say("EHLO client.example")
        self.assertEqual(client.say("STARTTLS now"), self.replies["no_parameters_allowed"])
        self.assertEqual(client.say("NOOP"), "250 ok")
        client = client.starttls()
        self.assertEqual(client.say("STARTTLS now"), self.replies["no_parameters_allowed"])

    def test_starttls_in_a_transaction_forgets_it(self):
        client = self.connect()
        client.say("EHLO client.example", "MAIL FROM:<evil@evil.example>", "RCPT TO:<user@postern.example>")
        self.assertEqual(client.say("STARTTLS"), self.replies["tls_ready"])
        self.assertEqual(client.start_tls().say("DATA"), self.replies["mail_first"])
        self.assert_clean_inside(client)

    def test_starttls_forgets_authentication(self):
        client = self.connect()
        client.say("EHLO client.example")
        self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, PASSWORD)), self.replies["auth_accepted"])
        client = client.starttls()
        reply = client.deliver("x", recipient="far@elsewhere.example")
        self.assertEqual(reply, self.replies["not_our_domain"])
        client.say("RSET")
        self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, PASSWORD)), self.replies["auth_accepted"])

    def test_starttls_forgets_the_greeting(self):
        client = self.connect().starttls()
        self.assert_code(250, client.deliver("Subject: no EHLO inside\r\n\r\nx"))
        (message,) = self.home.stored()
        self.home.forget_mail()
        self.assertRegex(message.decode(), r"Received: from unknown \(127\.0\.0\.1\)\n")
        self.assertNotIn(b"client.example", message)


BARE = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n.\r\r\n",
        b"\n\n.\r\n", b"\r\r\n.\r\r\n", b"\r\n.\n\r\n", b"\n\r.\r\n", b"\r\n\n.\r\n", b"\0\n.\r\n", b"\r\n.\r\0\n",
        b"\r\0\n.\r\n", b"\n.\0\r\n"]
NUL = [b"\r\n.\0\r\n", b"\r\n\0.\r\n", b"\0", b"x" * 200 + b"\0" + b"x" * 200]
NOT_THE_END = [b"\r\n. \r\n", b"\r\n .\r\n", b"\r\n..\r\n", b"\r\n.\xe2\x80\xa8\r\n",
               b"\x85.\x85", b"\r\n.\x0b\r\n", b"\r\n.\x0c\r\n"]
SMUGGLED = b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<user@postern.example>\r\n" \
           b"DATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


class Smuggling(peer.Case):
    """Only CRLF.CRLF ends mail data, however it is cut (deviation D4)."""

    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve()

    def send_data(self, client, segments):
        self.assertEqual(client.say("MAIL FROM:<me@sender.example>", "RCPT TO:<user@postern.example>", "DATA")[-1],
                         self.replies["go_ahead"])
        client.send_pieces(segments)
        return client.reply()

    def test_bare_cr_or_lf_is_refused_at_the_true_end(self):
        for sequence in BARE:
            with self.subTest(sequence=sequence), self.server.connect() as client:
                client.say("EHLO client.example")
                for segments in segmentations(b"Subject: x\r\n\r\ntext", sequence, SMUGGLED):
                    self.assertEqual(self.send_data(client, segments), self.replies["bare_cr_or_lf"], segments)
                    self.assertEqual(client.say("NOOP"), "250 ok")  # and no reply to what was smuggled
        self.assertEqual(self.home.stored(), [])

    def test_nul_is_refused_at_the_true_end(self):  # RFC 5321 2.3.8, RFC 6152 2
        for sequence in NUL:
            for segments in segmentations(b"Subject: x\r\n\r\ntext", sequence, SMUGGLED):
                with self.subTest(sequence=sequence[:8]), self.server.connect() as client:
                    client.say("EHLO client.example")
                    self.assertEqual(self.send_data(client, segments), self.replies["nul_in_data"], segments)
                    self.assertEqual(client.say("NOOP"), "250 ok")
        self.assertEqual(self.home.stored(), [])

    def test_what_only_looks_like_an_end_is_text(self):
        for sequence in NOT_THE_END:
            with self.subTest(sequence=sequence), self.server.connect() as client:
                client.say("EHLO client.example")
                for segments in segmentations(b"Subject: x\r\n\r\ntext", sequence, SMUGGLED):
                    self.home.forget_mail()
                    self.assert_code(250, self.send_data(client, segments))
                    self.assertEqual(client.say("NOOP"), "250 ok")
                    (message,) = self.home.stored()
                    self.assertTrue(message.endswith(SMUGGLED[:-3].replace(b"\r\n", b"\n")), message)

    def test_the_true_end_is_found_however_it_is_cut(self):
        with self.server.connect() as client:
            client.say("EHLO client.example")
            count = 0
            for segments in segmentations(b"Subject: x\r\n\r\ntext", b"\r\n.\r\n", b"NOOP\r\n"):
                self.assert_code(250, self.send_data(client, segments))
                self.assertEqual(client.reply(), "250 ok")  # the NOOP that followed
                count += 1
        self.assertEqual(len(self.home.stored()), count)

    def test_an_empty_message(self):
        with self.server.connect() as client:
            for segments in ([b".\r\n"], [b".", b"\r\n"], [b".\r", b"\n"]):
                self.assert_code(250, self.send_data(client, segments))
        self.assertEqual(len(self.home.stored()), 3)

    def test_nothing_is_executed_after_a_bare_lf(self):  # deviation D3
        lines = b"MAIL FROM:<me@sender.example>\nRCPT TO:<user@postern.example>\r\nDATA\r\n.\r\n"
        cut = lines.index(b"\n")
        for segments in ([lines], [lines[:cut], lines[cut:]], [lines[:cut + 1], lines[cut + 1:]],
                         [lines[i:i + 1] for i in range(len(lines))]):
            with self.subTest(segments=segments[:2]), self.server.connect() as client:
                client.say("EHLO client.example")
                client.send_pieces(segments)
                self.assertEqual(client.rest(), self.replies["bare_lf_line"].encode() + b"\r\n")
        self.assertEqual(self.home.stored(), [])

    def test_a_bare_lf_alone_is_answered_at_once(self):  # nothing else has to come
        with self.server.connect() as client:
            client.send(b"NOOP\n")
            self.assertEqual(client.rest(), self.replies["bare_lf_line"].encode() + b"\r\n")

    def test_long_lines_are_never_cut_so_that_a_dot_lands_first(self):
        sizes = [*range(995, 1003), *range(2045, 2051), *range(4094, 4099), *range(8190, 8195), *range(32764, 32772)]
        with self.server.connect() as client:
            client.say("EHLO client.example")
            for size in sizes:
                self.assert_code(250, self.send_data(client, [b"x" * size + b".\r\nDATA\r\n.\r\n"]))
                self.assertEqual(client.say("NOOP"), "250 ok")
        self.assertEqual(len(self.home.stored()), len(sizes))


class Misuse(peer.Case):
    """Forged log lines, requests of other protocols, NULs, guessing, errors without end."""

    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve(AUTH_CDB=self.home.users)

    def test_a_user_name_cannot_forge_a_log_line(self):  # deviation D17
        forged = "\npostern-smtpd[1]: auth client=127.0.0.1 result=accepted user=root\r\n\t\x1b[31m\"x\" =\xff"
        with self.server.connect().starttls() as client:
            client.say("AUTH LOGIN", encoded(forged))
            self.assertEqual(client.say(encoded("wrong")), self.replies["auth_rejected"])
        lines = self.server.wait_for_log("user=").splitlines()
        self.assertEqual(sum(bool(re.search(r"\]: auth (session=\S+ )?client=", line)) for line in lines), 1, lines)
        self.assertTrue(all(re.match(r"postern(-smtpd)?\[\d+\]: ", line) and line.isascii() for line in lines), lines)
        self.assertNotIn("accepted user=root", "".join(lines))
        self.assertIn(r"user=\x0apostern-smtpd[1]:", self.server.wait_for_log("user="))

    def test_addresses_and_names_cannot_forge_a_log_line(self):
        with self.server.connect() as client:
            client.say("EHLO a b\tc\x1b[0m", 'MAIL FROM:<"x\\\\ y=1 \\"z"@sender.example>')
            client.say("RCPT TO:<\"a b=c\"@elsewhere.example>", "RCPT TO:<user@postern.example>\0\n")
        for line in self.server.log().splitlines():
            if " client=" in line or not peer.is_listener():
                pattern = r"\Apostern(-smtpd)?\[\d+\]: (start|refuse|end|decision|sent) (session=\S+ )?client=127\.0\.0\.1 [ -~]+\Z"
                self.assertRegex(line, pattern)

    def test_an_http_request_is_no_mail(self):  # deviation D21
        body = "EHLO evil.example\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<user@postern.example>\r\n" \
               "DATA\r\nSubject: from a browser\r\n\r\nx\r\n.\r\nQUIT\r\n"
        with self.server.connect() as client:
            client.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
            self.assertEqual(client.rest().decode().splitlines(), [self.replies["not_http"]])
        self.assertEqual(self.home.stored(), [])

    def test_a_nul_truncates_nothing(self):  # deviation D5
        with self.server.connect() as client:
            client.say("EHLO client.example")
            for command in ("MAIL FROM:<me@sender.example>\0", "MAIL FROM:<me@sender\0.example>", "EHLO \0client",
                            "AUTH PLAIN\0 x"):
                self.assertEqual(client.say(command), self.replies["control_octet"])
            client.say("MAIL FROM:<me@sender.example>")
            self.assertEqual(client.say(f"RCPT TO:<user@{OURS}\0@elsewhere.example>"), self.replies["control_octet"])
            self.assertEqual(client.say(f"RCPT TO:<user@elsewhere.example\0@{OURS}>"), self.replies["control_octet"])
            self.assertEqual(client.say("DATA"), self.replies["rcpt_first"])
            self.assertEqual(client.say("\0QUIT"), self.replies["unimplemented"])

    def test_a_nul_in_credentials_never_reaches_a_backend(self):
        for arguments, settings in (((), {"AUTH_CDB": self.home.users}), (self.home.check_arguments(), {})):
            with self.serve(arguments, **settings).connect().starttls() as client:
                for response in ("\0alice\0wonderland\0x", "\0alice\0\0wonderland", "\0\0alice\0wonderland"):
                    self.assertNotEqual(client.say("AUTH PLAIN " + encoded(response)), self.replies["auth_accepted"])

    def test_errors_without_end_are_ended(self):  # deviation D6
        with self.server.connect() as client:
            self.assertEqual(client.say(*["XYZZY"] * 20), [self.replies["unimplemented"]] * 20)
            self.assertEqual(client.say("XYZZY"), self.replies["too_many_errors"])
            self.assertEqual(client.rest(), b"")

    def test_recipients_beyond_the_limit_cost_no_recipient(self):  # RFC 5321 4.5.3.1.8, 4.5.3.1.10
        self.home.forget_mail()
        server = self.serve(MAXRCPT="100")
        with server.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            good = client.say(*[f"RCPT TO:<user{i}@postern.example>" for i in range(100)])
            self.assertEqual(good, [self.replies["ok"]] * 100)
            more = client.say(*[f"RCPT TO:<more{i}@postern.example>" for i in range(30)])
            self.assertEqual(more, [self.replies["too_many_recipients"]] * 30)
            self.assertEqual(client.say("DATA"), self.replies["go_ahead"])
            client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
            self.assert_code(250, client.reply())
        self.assertEqual(len(self.home.stored()), 100)
        self.home.forget_mail()

    def test_an_accepted_message_forgives_errors(self):
        with self.server.connect() as client:
            for _ in range(3):
                client.say(*["XYZZY"] * 19)
                self.assert_code(250, client.deliver("x"))
            self.assertEqual(client.say("NOOP"), "250 ok")

    def test_quit_works_whatever_was_done(self):
        with self.server.connect() as client:
            client.say(*["XYZZY"] * 20)
            self.assertEqual(client.say("QUIT"), f"221 {HOST}")

    def test_errors_are_carried_over_starttls(self):
        with self.server.connect() as client:
            client.say(*["XYZZY"] * 15)
            client = client.starttls()
            self.assertEqual(client.say(*["XYZZY"] * 5), [self.replies["unimplemented"]] * 5)
            self.assertEqual(client.say("XYZZY"), self.replies["too_many_errors"])
            self.assertEqual(client.rest(), b"")

    def test_auth_attempts_are_carried_over_starttls(self):  # deviation D7
        with self.server.connect() as client:
            client.say("EHLO client.example")
            self.assertEqual(client.say(*["AUTH LOGIN"] * 7), [self.replies["auth_type_unavailable"]] * 7)
            client = client.starttls()
            self.assertEqual(client.say(*["AUTH PLAIN !"] * 3), [self.replies["auth_malformed"]] * 3)
            reply = client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))
            self.assertEqual(reply, self.replies["too_many_auth_attempts"])
            self.assertEqual(client.rest(), b"")

    def test_guesses_wait(self):  # deviation D7: 2 seconds each, and no other client waits with them
        with self.server.connect().starttls() as guesser, self.server.connect() as other:
            guesser.send("AUTH PLAIN " + plain_response(USER, "wrong") + "\r\n")
            self.assert_code(250, other.deliver("x"))
            guesser.socket.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                guesser.reply()
            guesser.socket.settimeout(peer.PATIENCE_SECONDS)
            self.assertEqual(guesser.reply(), self.replies["auth_rejected"])

    def test_lines_without_end(self):
        with self.server.connect() as client:
            client.say("EHLO client.example")
            for octets in (2047, 5000, 100_000):
                self.assertEqual(client.say("NOOP " + "x" * octets), self.replies["line_too_long"])
            self.assertEqual(client.say("NOOP " + "x" * 2041), "250 ok")

    def test_a_message_without_end_that_is_refused_is_ended(self):
        megabyte = b"x" * 1_048_576
        with self.serve(DATABYTES=1000).connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<>", "RCPT TO:<user@postern.example>", "DATA")
            for _ in itertools.repeat(None, 70):
                client.send(megabyte)
            self.assertEqual(client.rest().decode().strip(), self.replies["data_without_end"])
        self.assertEqual(self.home.stored(), [])


if __name__ == "__main__":
    peer.main()
