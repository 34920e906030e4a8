"""Clients that vanish, crawl or fall silent: each ends as the spec says, and its process is gone.

timeoutsmtpd is 1 second where silence is tested; it is answered `421 timeout` where anybody could read that
(deviation D16), also during the handshake and inside TLS.
"""

import os
import re
import signal
import socket
import ssl
import struct
import time

import peer
from peer import HOST, OURS, USER, Client, encoded, plain_response

DIALOGUE = b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@postern.example>\r\n" \
           b"DATA\r\nS: x\r\n\r\n..\r\nx\r\n.\r\nXYZZY\r\nQUIT\r\n"


def reset(client):
    """Closes with RST instead of FIN."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class Vanishing(peer.Case):
    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)

    def connect(self):
        client = self.server.connect()
        self.addCleanup(client.close)
        return client

    def in_data(self, client, octets=100):
        self.assert_code(354, client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")[-1])
        client.send("Subject: x\r\n\r\n" + "x" * octets)
        return client

    def assert_nothing_left(self):
        self.assertTrue(self.server.is_idle(), self.server.log())
        self.assertEqual(self.home.stored() + self.home.leftovers(), [])

    def test_a_reset_in_data(self):
        for octets in (0, 100, 300_000):
            reset(self.in_data(self.connect(), octets))
            self.assert_nothing_left()

    def test_a_reset_in_data_inside_tls(self):
        reset(self.in_data(self.connect().starttls()))
        self.assert_nothing_left()

    def test_the_log_says_which_replies_nobody_heard(self):
        """After a wrong password the server waits before it answers, and meanwhile the client resets."""
        client = self.connect()
        client.say("EHLO client.example")
        client.send("AUTH PLAIN " + plain_response(USER, "wrong") + "\r\n")
        self.assertIn("result=rejected", self.server.wait_for_log("result=rejected"))
        reset(client)
        self.assertRegex(self.server.wait_for_log("by=close"), r"(?m) by=close errors=1 unsent=1$")

    def test_a_reply_that_was_heard_is_not_called_unsent(self):
        client = self.connect()
        client.say("XYZZY", "MAIL FROM:<a@b.example>", "QUIT")
        self.assertNotIn("unsent=", self.server.wait_for_log("by=quit"))

    def test_a_half_close_in_data(self):
        for client in (self.connect(), self.connect().starttls()):
            self.in_data(client).end()
            self.assertNotIn(b"250", client.rest())
        self.assert_nothing_left()

    def test_a_half_close_in_a_command_line(self):
        client = self.connect()
        client.send("NOOP\r\nNOO")
        client.end()
        self.assertEqual(client.rest(), b"250 ok\r\n")
        self.assert_nothing_left()

    def test_a_half_close_after_quit_loses_nothing(self):
        client = self.connect()
        client.send(DIALOGUE)
        client.end()
        lines = client.rest().decode().splitlines()
        self.assertEqual(lines[-1], f"221 {HOST}")
        self.assertRegex(lines[-3], r"\A250 ok \d+ qp \d+\Z")
        self.assertEqual(len(self.home.stored()), 1)
        self.assertTrue(self.server.is_idle())

    def say_all_and_leave(self, client, end, leave):
        """A refused AUTH is answered after two seconds; what follows it has come by then, and so has the end."""
        client.send("AUTH PLAIN " + plain_response(USER, "wrong") + "\r\n" + f"MAIL FROM:<>\r\nRCPT TO:<user@{OURS}>\r\n"
                    "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n" + end)
        leave(client)

    def test_who_has_left_before_it_is_stored(self):  # deviation D26
        for leave in (Client.end, Client.close, reset):
            for is_inside_tls in (False, True):
                with self.subTest(leave=leave.__name__, tls=is_inside_tls):
                    before = self.server.log().count("result=client_gone")
                    client = self.connect()
                    end = "" if is_inside_tls else "NOOP\r\n"
                    self.say_all_and_leave(client.starttls() if is_inside_tls else client, end, leave)
                    gone = lambda: self.server.log().count("result=client_gone") > before
                    # A reset may be met by the reply to AUTH already.
                    self.assertTrue(leave is reset or peer.until(gone), self.server.log())
                    self.assert_nothing_left()

    def test_quit_behind_the_message_wants_it_stored(self):  # deviation D26
        for leave in (Client.end, Client.close):
            for is_inside_tls in (False, True):
                with self.subTest(leave=leave.__name__, tls=is_inside_tls):
                    self.home.forget_mail()
                    client = self.connect()
                    self.say_all_and_leave(client.starttls() if is_inside_tls else client, "NOOP\r\nQUIT\r\n", leave)
                    self.assertTrue(peer.until(self.home.stored), self.server.log())
                    self.assertTrue(self.server.is_idle())
                    self.assertEqual(len(self.home.stored()), 1)

    def test_nothing_is_said_after_quit(self):
        client = self.connect()
        client.send("QUIT\r\nNOOP\r\nMAIL FROM:<>\r\n")
        self.assertEqual(client.rest().decode(), f"221 {HOST}\r\n")

    def test_gone_at_once(self):
        for _ in range(5):
            reset(Client(self.server.port, greeted=False))
            Client(self.server.port, greeted=False).close()
        self.assert_nothing_left()

    def test_gone_in_the_handshake(self):
        for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 50):
            for leave in (reset, Client.close):
                client = self.connect()
                client.say("EHLO client.example", "STARTTLS")
                client.send(sent)
                leave(client)
                self.assert_nothing_left()
        self.assertIn("TLS handshake", self.server.wait_for_log("TLS handshake"))

    def test_gone_after_the_handshake(self):
        for leave in (reset, Client.close):
            leave(self.connect().starttls())
        self.assert_nothing_left()

    def test_gone_before_the_answer_to_quit_can_be_said(self):
        """The answers before it fill the buffer, so that they are sent, and found unsendable, in the middle of QUIT."""
        client = self.connect()
        processes = peer.processes_of(self.server.pid)
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        client.send("NOOP\r\n" * (8192 // len("250 ok\r\n")) + "QUIT\r\n")
        reset(client)
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        self.assert_nothing_left()
        self.assertEqual(self.server.wait_for_log("]: end ").count("]: end "), 1)

    def test_gone_in_auth(self):
        for leave in (reset, Client.close):
            client = self.connect()
            client.say("AUTH LOGIN", encoded("alice"))
            leave(client)
        self.assert_nothing_left()

    def test_a_missing_close_notify_is_no_error(self):
        client = self.connect().starttls()
        self.assert_code(250, client.deliver("x"))
        self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        client.close()
        self.assertTrue(self.server.is_idle())
        self.assertIn("by=quit", self.server.wait_for_log("by=quit"))

    def test_the_server_says_close_notify(self):
        client = self.connect().starttls()
        client.socket.suppress_ragged_eofs = False
        client.say("QUIT")
        self.assertEqual(client.socket.recv(100), b"")  # an end without it would raise


class Crawling(peer.Case):
    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve()

    def answers(self, client, pieces, pause_seconds):
        with client:
            client.send_pieces(pieces, pause_seconds)
            return re.sub(rb"ok \d+ qp \d+", b"ok", client.rest())

    def test_one_octet_each_20_milliseconds_gets_the_same_answer(self):
        octets = [bytes([octet]) for octet in DIALOGUE]
        fast = self.answers(self.server.connect(), [DIALOGUE], 0)
        self.assertEqual(fast.count(b"\r\n"), 12)
        self.assertEqual(self.answers(self.server.connect(), octets, 0.02), fast)
        encrypted = self.answers(self.server.connect().starttls(), octets, 0.005)
        self.assertEqual(encrypted, fast.replace(b"250-STARTTLS\r\n", b""))
        first, *others = (message.split(b"\n", 3)[3] for message in self.home.stored())
        self.assertEqual(others, [first, first])

    def test_a_handshake_that_comes_octet_by_octet(self):
        with self.server.connect() as client:
            client.say("EHLO client.example", "STARTTLS")
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = peer.tls_context().wrap_bio(incoming, outgoing)
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    client.send_pieces([bytes([octet]) for octet in outgoing.read()], 0.001)
                    incoming.write(client.socket.recv(65536))
            session.write(b"QUIT\r\n")
            client.send_pieces([bytes([octet]) for octet in outgoing.read()], 0.001)
            incoming.write(client.socket.recv(65536))
            self.assertEqual(session.read(100), f"221 {HOST}\r\n".encode())


class Silence(peer.Case):
    """timeoutsmtpd=1"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.home.control / "timeoutsmtpd").write_text("1\n")

    def setUp(self):
        self.server = self.serve(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)

    def assert_timeout(self, client, is_said=True, began=None):
        began = began or time.monotonic()
        got = client.rest().decode("latin-1")
        self.assertEqual(got, self.replies["timeout"] + "\r\n" if is_said else "")
        self.assertLess(time.monotonic() - began, 4)
        self.assertGreater(time.monotonic() - began, 0.8)
        self.assertTrue(self.server.is_idle())
        self.assertEqual(self.home.stored() + self.home.leftovers(), [])
        client.close()

    def test_before_a_command(self):
        self.assert_timeout(self.server.connect())

    def test_within_a_command(self):
        client = self.server.connect()
        client.send("MAIL FR")
        self.assert_timeout(client)

    def test_in_data(self):
        client = self.server.connect()
        client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")
        client.send("Subject: x\r\n\r\nx\r\n.\r")
        self.assert_timeout(client)

    def test_in_auth(self):
        client = self.server.connect()
        client.say("AUTH LOGIN")
        self.assert_timeout(client)
        self.assertNotIn("auth client", self.server.log())

    def test_before_the_handshake(self):
        client = self.server.connect()
        client.say("EHLO client.example", "STARTTLS")
        self.assert_timeout(client, is_said=False)
        self.assertIn("handshake", self.server.wait_for_log("handshake"))

    def test_within_the_handshake(self):
        """A drop now and then does not prolong it: the time is for the handshake as a whole."""
        client = self.server.connect()
        client.say("EHLO client.example", "STARTTLS")
        began = time.monotonic()
        client.send_pieces([bytes([octet]) for octet in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"], 0.3)
        self.assert_timeout(client, is_said=False, began=began)

    def test_before_the_handshake_of_implicit_tls(self):
        self.server = self.serve(SSL=1)
        self.assert_timeout(Client(self.server.port, greeted=False), is_said=False)

    def test_inside_tls(self):
        client = self.server.connect().starttls()
        client.say("EHLO client.example")
        self.assert_timeout(client)

    def test_in_data_inside_tls(self):
        client = self.server.connect().starttls()
        client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")
        self.assert_timeout(client)

    def test_a_client_that_does_not_read(self):
        for is_encrypted in (False, True):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", self.server.port))
            client = Client(sock=sock)
            self.addCleanup(client.close)
            if is_encrypted:
                client.starttls()
            client.socket.settimeout(2)
            for _ in range(100):
                client.send("VRFY x\r\n" * 5000)
                if not self.server.others():
                    break
            self.assertTrue(self.server.is_idle())


if __name__ == "__main__":
    peer.main()
