"""The seams of a session of `postern serve`: where one thing ends and the next begins, and a client that sends too early, does
not read, or is gone, must meet neither another's octets nor its own twice.
"""

import errno
import re
import signal
import socket
import ssl
import struct
import time

import peer
from peer import HOST, OURS, USER, encoded, plain_response

import listening

PROXY = b"PROXY TCP4 192.0.2.7 192.0.2.25 49152 25\r\n"
ENVELOPE = b"MAIL FROM:<me@sender.example>\r\nRCPT TO:<user@" + OURS.encode() + b">\r\nDATA\r\n"


def write_file(home, listener="", server="", limits=""):
    """postern.toml with one listener; `server` and `limits` are lines of those tables, `listener` of [[listener]]."""
    file = home.path / "postern.toml"
    server = server if "domains" in server else f'domains = ["{OURS}"]\n{server}'
    file.write_text(f'[server]\nhome = "{home.path}"\nloops = 1\n{server}\n[limits]\n{limits}\n'
                    f'[[listener]]\nip = "127.0.0.1"\nport = 0\n{listener}\n')
    return file


class Case(listening.Case):
    MAILDIR = 'POSTERN_MAILDIR = "mail"'

    def serve_file(self, listener=MAILDIR, environment=None, **more):
        return self.serve(file=write_file(self.home, listener, **more), **(environment or {}))

    def connect(self, server, **more):
        client = server.connect(**more)
        self.addCleanup(client.close)
        return client

    def troubled(self, *arguments, **more):
        """A server, and what troubles it."""
        trouble = listening.Trouble(self.home)
        return self.serve_file(*arguments, **more, environment=trouble.environment()), trouble


class Tls(Case):
    def test_a_proxy_header_with_the_client_hello_behind_it(self):
        server = self.serve_file(self.MAILDIR + '\nSSL = 1\nproxies = ["127.0.0.1"]')
        for cut in (0, 1, len(PROXY) - 1, len(PROXY), len(PROXY) + 1, len(PROXY) + 100):
            with self.subTest(cut=cut), self.connect(server, greeted=False) as client:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = peer.tls_context().wrap_bio(incoming, outgoing)
                with self.assertRaises(ssl.SSLWantReadError):
                    tls.do_handshake()
                flight = PROXY + outgoing.read()
                client.send_pieces([flight[:cut], flight[cut:]], 0.03)
                client.socket.settimeout(5)
                said = b""
                while b"\r\n" not in said:
                    incoming.write(client.socket.recv(65536))
                    try:
                        said += tls.read(4096)
                    except ssl.SSLWantReadError:
                        client.send(outgoing.read())
                self.assertEqual(said, f"220 {HOST} ESMTP\r\n".encode())

    def test_nothing_behind_a_proxy_header_is_served_inside_tls(self):
        server = self.serve_file(self.MAILDIR + '\nSSL = 1\nproxies = ["127.0.0.1"]')
        client = self.connect(server, greeted=False)
        client.send(PROXY + b"NOOP\r\n")
        time.sleep(0.2)  # so that the hello comes by itself
        with self.assertRaises((ssl.SSLError, OSError)):
            client.start_tls()

    def test_a_proxy_header_as_long_as_may_be_with_a_command_behind_it(self):
        server = self.serve_file(self.MAILDIR + '\nproxies = ["127.0.0.1"]')
        client = self.connect(server, greeted=False)
        addresses = bytes((192, 0, 2, 7, 192, 0, 2, 25, 192, 0, 0, 25))
        client.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x04\x00" + addresses.ljust(1024, b"\x04") + b"NOOP\r\n")
        self.assertEqual([client.reply()[:3], client.reply()], ["220", "250 ok"])

    def test_what_comes_while_the_220_waits_is_not_served_inside_tls(self):  # RFC 3207 4.2; CVE-2011-0411
        server, trouble = self.troubled()
        client = self.connect(server)
        client.say("EHLO client.example")
        trouble.fail("send", errno.EAGAIN, count=2)
        client.send("STARTTLS\r\n")
        self.assertTrue(peer.until(lambda: trouble.failed() == 2))
        client.send("NOOP\r\n")
        self.assertEqual(client.reply(), "220 ready for tls")
        with self.assertRaises((ssl.SSLError, OSError)):
            client.start_tls()
        self.assertIn("the TLS handshake failed", server.wait_for_log("]: end "))


class Gone(Case):
    def ends(self, server):
        return re.findall(r"\]: end (session=\S+)", server.log())

    def test_a_client_that_is_gone_ends_once(self):
        """What is written fails at the very reply that ends the session, begins a message or asks for a password."""
        server, trouble = self.troubled(self.MAILDIR + '\nAUTH_CDB = "users.cdb"\nALLOW_INSECURE_AUTH = 1')
        almost_full = b"NOOP\r\n" * 1023  # 8 octets a reply; the buffer has 8192
        for last in (b"QUIT\r\n", b"QUIT\r\nNOOP\r\n"):
            client = self.connect(server)
            trouble.fail("send", errno.ECONNRESET)
            client.send(almost_full + last)
            self.assertEqual(client.rest(), b"")
        self.assertTrue(peer.until(lambda: len(self.ends(server)) >= 2))
        time.sleep(0.1)
        ends = self.ends(server)
        self.assertEqual(sorted(ends), sorted(set(ends)))

    def test_a_client_that_is_gone_is_counted_once(self):
        server, trouble = self.troubled(limits="sessions_per_address = 2\nexempt = []")
        self.connect(server)
        client = self.connect(server)
        self.assertEqual(self.connect(server).greeting[:3], "421")
        trouble.fail("send", errno.ECONNRESET)
        client.send(b"NOOP\r\n" * 1023 + b"QUIT\r\n")
        self.assertEqual(client.rest(), b"")
        self.assertEqual(self.connect(server).greeting[:3], "220")
        self.assertEqual(self.connect(server).greeting[:3], "421")


class Guesses(Case):
    AUTH = Case.MAILDIR + '\nAUTH_CDB = "users.cdb"\nALLOW_INSECURE_AUTH = 1'

    def test_a_wrong_password_is_counted_once_however_it_came(self):  # deviation D22
        server = self.serve_file(self.AUTH, limits="failed_auths_per_hour = 4\nexempt = []")
        guesses = (["AUTH PLAIN " + plain_response(USER, "wrong")],
                   ["AUTH PLAIN", plain_response(USER, "wrong")],
                   ["AUTH LOGIN", encoded(USER), encoded("wrong")])
        clients = [self.connect(server) for _ in guesses]
        for client, guess in zip(clients, guesses):
            client.send("".join(line + "\r\n" for line in guess))
        for client, guess in zip(clients, guesses):
            self.assertEqual([client.reply() for _ in guess][-1], "535 authorization failed (#5.7.0)")
        self.assertNotIn("change=shut", server.log())
        last = self.connect(server)
        self.assertEqual(last.say("AUTH PLAIN", "=")[-1], "501 malformed auth input (#5.5.4)")
        self.assertEqual(last.say("AUTH PLAIN " + plain_response(USER, "wrong"))[:3], "535")
        self.assertEqual(last.say("AUTH PLAIN " + plain_response(USER, "wrong"))[:3], "454")
        self.assertIn("kind=user change=shut", server.wait_for_log("change=shut"))

    def test_who_waited_for_his_refusal_is_not_timed_out_for_it(self):
        (self.home.control / "timeoutsmtpd").write_text("2\n")
        client = self.connect(self.serve_file(self.AUTH))
        self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, "wrong"))[:3], "535")
        time.sleep(0.5)
        self.assertEqual(client.say("NOOP"), "250 ok")


    def test_a_password_that_nobody_judges_in_time(self):
        """The only judge is busy with another one; when he comes to this one it is too late."""
        judge = self.home.script("judge", f'cd {self.home.path}; : >judging; while [ ! -e judged ]; do sleep 0.05; done')
        server, trouble = self.troubled(f'{self.MAILDIR}\nAUTH = 1\nALLOW_INSECURE_AUTH = 1\n'
                                        f'check_program = ["{HOST}", "{judge}", "/bin/true"]', server="checkers = 1")
        first, second, other = (self.connect(server) for _ in range(3))
        first.send("AUTH PLAIN " + plain_response(USER, "secret") + "\r\n")
        self.assertTrue(peer.until((self.home.path / "judging").exists))
        second.send("AUTH PLAIN " + plain_response(USER, "secret") + "\r\nNOOP\r\n")
        self.assertEqual(other.say("NOOP"), "250 ok")
        trouble.let_pass(91)
        self.assertEqual(other.say("NOOP"), "250 ok")
        self.assertEqual(second.reply()[:3], "454")
        self.assertEqual(second.reply(), "250 ok")
        self.assertEqual(first.reply()[:3], "454")
        (self.home.path / "judged").touch()
        self.assertTrue(peer.until(lambda: len(server.others()) == 0))
        self.assertEqual(second.say("NOOP"), "250 ok")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.exit_code(), 0)
        self.assertIn("no answer in time", server.log())  # its thread writes it at the end: it waits by the true clock
        self.assertNotIn("result=accepted", server.log())


class InHand(Case):
    """A hand-over that takes its time: queue programs that sleep."""

    def slow_queue(self, seconds):
        return f'QMAILQUEUE = "{self.home.script("slow", f"cat >/dev/null; sleep {seconds}; exit 0")}"'

    def test_who_goes_on_behind_the_last_patience_is_told(self):  # deviation D23
        server = self.serve_file(self.slow_queue(2), server="shutdown_seconds = 1")
        client = self.connect(server)
        client.send(ENVELOPE + b"Subject: x\r\n\r\n.\r\n" + ENVELOPE + b"Subject: y\r\n\r\n")
        self.assertTrue(peer.until(lambda: len(server.others()) > 0))
        server.signal(signal.SIGTERM)
        replies = [client.reply() for _ in range(4)]
        self.assertEqual([reply[:3] for reply in replies], ["250", "250", "354", "250"])
        self.assertEqual(client.reply(), "421 shutting down (#4.3.2)")
        self.assertEqual(server.exit_code(), 0)
        self.assertNotIn("broken off", server.log())

    def test_who_comes_too_late_is_refused_by_the_kernel(self):
        server = self.serve_file(self.slow_queue(2))
        client = self.connect(server)
        client.send(ENVELOPE + b"Subject: x\r\n\r\n.\r\n")
        self.assertTrue(peer.until(lambda: len(server.others()) > 0))
        server.signal(signal.SIGTERM)
        server.wait_for_log("shutting down")

        def is_refused():
            try:
                server.connect(greeted=False).close()
            except ConnectionRefusedError:
                return True

        self.assertTrue(peer.until(is_refused, 1))
        self.assertEqual([client.reply()[:3] for _ in range(4)], ["250", "250", "354", "250"])
        self.assertEqual(server.exit_code(), 0)

    def test_a_client_sends_on_while_the_only_thread_is_busy(self):
        server = self.serve_file(self.slow_queue(6), server="hand_overs = 1")
        first, second = self.connect(server), self.connect(server)
        # The kernel holds little of what the server has not read.
        second.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        second.send(ENVELOPE)
        self.assertEqual([second.reply()[:3] for _ in range(3)], ["250", "250", "354"])
        first.send(ENVELOPE + b"Subject: x\r\n\r\n.\r\n")
        self.assertTrue(peer.until(lambda: len(server.others()) > 0))
        began = time.monotonic()
        second.send((b"x" * 70 + b"\r\n") * 5000)
        self.assertLess(time.monotonic() - began, 3)
        second.send(b".\r\n")
        self.assertEqual([first.reply()[:3] for _ in range(4)], ["250", "250", "354", "250"])
        self.assertEqual(second.reply()[:3], "250")

    def held_up(self, seconds):
        """A client in the middle of its mail data, of which nothing was read for so long; it must send 100,000 octets a second."""
        server = self.serve_file(self.slow_queue(seconds), server="hand_overs = 1",
                                 limits="min_data_octets_per_second = 100_000\ndata_rate_seconds = 1")
        first, second = self.connect(server), self.connect(server)
        second.send(ENVELOPE)
        self.assertEqual([second.reply()[:3] for _ in range(3)], ["250", "250", "354"])
        first.send(ENVELOPE + b"Subject: x\r\n\r\n.\r\n")
        self.assertTrue(peer.until(lambda: len(server.others()) > 0))
        second.send((b"x" * 70 + b"\r\n") * 5000)  # more than is kept in memory while the only thread is busy
        self.assertEqual([first.reply()[:3] for _ in range(4)], ["250", "250", "354", "250"])
        return second

    def test_a_client_is_not_called_slow_for_what_it_waited(self):  # deviation D24
        second = self.held_up(3)
        time.sleep(0.4)
        second.send(b".\r\n")
        self.assertEqual(second.reply()[:3], "250")

    def test_a_client_that_was_held_up_must_go_on_sending(self):  # deviation D24
        second = self.held_up(2)
        began = time.monotonic()
        self.assertEqual(second.reply()[:3], "421")
        self.assertLess(time.monotonic() - began, 6)

    def test_who_is_gone_counts_while_threads_work_for_it(self):
        server = self.serve_file(self.slow_queue(5), server="hand_overs = 1", limits="sessions_per_address = 3\nexempt = []")
        first = self.connect(server)
        first.send(ENVELOPE + b"Subject: x\r\n\r\n.\r\n")
        self.assertTrue(peer.until(lambda: len(server.others()) > 0))
        for _ in range(2):
            client = server.connect()
            client.send(ENVELOPE)
            self.assertEqual([client.reply()[:3] for _ in range(3)], ["250", "250", "354"])
            client.send((b"x" * 70 + b"\r\n") * 1100)  # one piece, which waits for the thread
            time.sleep(0.3)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        time.sleep(0.3)
        self.assertEqual(self.connect(server, greeted=False).reply()[:3], "421")
        self.assertEqual([first.reply()[:3] for _ in range(4)], ["250", "250", "354", "250"])

        def is_let_in():
            with server.connect(greeted=False) as client:
                return client.reply()[:3] == "220"

        self.assertTrue(peer.until(is_let_in))


class Reload(Case):
    def test_a_way_out_is_made_again_when_our_name_changes(self):
        server = self.serve_file(self.MAILDIR + f'\nSMTPGREETING = "{HOST}"', server='domains = ["new.example"]')
        (self.home.control / "me").write_text("new.example\n")
        server.signal(signal.SIGHUP)
        self.assertIn("reload: done", server.wait_for_log("reload: "))
        with self.connect(server) as client:
            self.assertEqual(client.deliver("Subject: x\r\n", recipient="postmaster")[:3], "250")
        self.assertEqual(len(self.home.stored("new.example/postmaster")), 1)

    def test_no_thread_to_be_had(self):
        server, trouble = self.troubled()
        client = self.connect(server)
        write_file(self.home, self.MAILDIR + '\nSMTPGREETING = "other.example"')
        trouble.fail("pthread_create", errno.EAGAIN, count=1000)
        server.signal(signal.SIGHUP)
        self.assertIn("reload: refused", server.wait_for_log("reload: "))
        self.assertEqual(client.say("NOOP"), "250 ok")
        trouble.fail("pthread_create", errno.EAGAIN, skip=3, count=1000)
        server.signal(signal.SIGHUP)
        self.assert_logged(server, "reload: done")
        self.assert_delivers(server)


if __name__ == "__main__":
    listening.main()
