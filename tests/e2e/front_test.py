"""SSL=1 in each way that it can be true: our own handshake, a program in front of us that terminates TLS, UCSPI-TLS.

SSL=1 is believed with evidence only (deviation D9): under plain tcpserver the first octet that a client gets is one of
TLS, and a client that speaks cleartext gets none that it could read.
"""

import select
import socket
import ssl
import subprocess
import threading
import warnings

import peer
from peer import HOST, OURS, PASSWORD, USER, Client, free_port, plain_response, run, until

MESSAGE = "Subject: front\r\n\r\nhello"


class Front(peer.Case):
    def setUp(self):
        self.home.forget_mail()

    def connect_tls(self, port, context=None):
        """A client of a service that is encrypted from its first octet."""
        sock = socket.create_connection(("127.0.0.1", port), peer.PATIENCE_SECONDS)
        self.addCleanup(sock.close)
        client = Client(sock=(context or peer.tls_context()).wrap_socket(sock))
        self.addCleanup(client.close)
        return client

    def assert_serves(self, port, received_pattern):
        """Mail and AUTH work, STARTTLS is neither offered nor obeyed, and Received says what is known."""
        client = self.connect_tls(port)
        self.assertEqual(client.greeting, f"220 {HOST} ESMTP")
        capabilities = client.say("EHLO client.example")
        self.assertIn("250-AUTH LOGIN PLAIN", capabilities)
        self.assertNotIn("STARTTLS", capabilities)
        self.assertEqual(client.say("STARTTLS"), self.replies["tls_already_secured"])
        self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, PASSWORD)), self.replies["auth_accepted"])
        self.assert_code(250, client.deliver(MESSAGE))
        self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        (message,) = self.home.stored()
        self.assertRegex(message.decode(), received_pattern)

    def assert_no_plaintext(self, port, sent):
        """Whatever a client says in clear, it gets nothing but at most a TLS alert."""
        with Client(port, greeted=False) as client:
            client.send(sent)
            client.end()
            got = client.rest()
        self.assertNotRegex(got, rb"[0-9]{3}[ -]|[A-Za-z]{4}")
        self.assertTrue(got == b"" or got[:1] == b"\x15", got)  # RFC 8446 5.1: alert(21)


class OwnHandshake(Front):
    """SSL=1 under plain tcpserver: no other program encrypts, so we do."""

    def setUp(self):
        super().setUp()
        self.server = self.serve(SSL=1, AUTH_CDB=self.home.users)

    def test_python_over_tls(self):
        self.assert_serves(self.server.port, r"with ESMTPSA \(TLSv1\.3 TLS_[A-Z0-9_]+\)")

    def test_openssl_s_client(self):
        done = run(["openssl", "s_client", "-quiet", "-crlf", "-connect", f"127.0.0.1:{self.server.port}"],
                   input=f"EHLO c\nMAIL FROM:<>\nRCPT TO:<user@{OURS}>\nDATA\nSubject: x\n\ntext\n.\nQUIT\n".encode())
        self.assert_ok(done)
        self.assertEqual(len(self.home.stored()), 1, done.stdout)

    def test_curl_with_smtps(self):
        file = self.home.path / "message"
        file.write_text("Subject: curl\r\n\r\ntext\r\n")
        self.assert_ok(run(["curl", "-sS", "--max-time", 10, "--insecure", f"smtps://127.0.0.1:{self.server.port}",
                            "--mail-from", "a@b.example", "--mail-rcpt", f"user@{OURS}", "-T", file]))
        self.assertEqual(len(self.home.stored(f"{OURS}/user")), 1)

    def test_tls_12_and_nothing_older(self):
        warnings.simplefilter("ignore", DeprecationWarning)  # the old versions are here to be refused
        modern = peer.tls_context(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(self.connect_tls(self.server.port, modern).greeting, f"220 {HOST} ESMTP")
        old = peer.tls_context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect_tls(self.server.port, old)

    def test_the_first_octet_is_not_ours(self):
        with Client(self.server.port, greeted=False) as client:
            readable, _, _ = select.select([client.socket], [], [], 0.3)
            self.assertEqual(readable, [])

    def test_a_client_in_clear_gets_no_plaintext(self):
        for sent in (b"EHLO client.example\r\n", b"", b"QUIT\r\n", b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n",
                     b"MAIL FROM:<>\r\nRCPT TO:<user@postern.example>\r\nDATA\r\nx\r\n.\r\n" * 10):
            with self.subTest(sent=sent[:20]):
                self.assert_no_plaintext(self.server.port, sent)
        self.assertEqual(self.home.stored(), [])
        self.assertTrue(self.server.is_idle())

    def early_talker(self, words, **settings):
        """A client whose first words come together with the end of its handshake."""
        server = self.serve(SSL=1, GREETDELAY=1, **settings)
        sock = socket.create_connection(("127.0.0.1", server.port), peer.PATIENCE_SECONDS)
        self.addCleanup(sock.close)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = peer.tls_context(minimum_version=ssl.TLSVersion.TLSv1_3).wrap_bio(incoming, outgoing)
        with self.assertRaises(ssl.SSLWantReadError):
            session.do_handshake()
        sock.sendall(outgoing.read())
        incoming.write(sock.recv(65536))
        session.do_handshake()
        session.write(words)
        sock.sendall(outgoing.read())
        return sock, session, incoming, outgoing

    def replies_to(self, sock, session, incoming, outgoing, words=b""):
        """What comes until the server closes."""
        session.write(words)
        sock.sendall(outgoing.read())
        got = b""
        while octets := sock.recv(65536):
            incoming.write(octets)
        try:
            while octets := session.read(65536):
                got += octets
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # all of it was read
        return got.decode()

    def test_an_early_talker_inside_tls_is_dropped(self):
        early = self.early_talker(b"EHLO early\r\n", DROP_PRE_GREET=1)
        self.assertEqual(self.replies_to(*early), self.replies["protocol_violation"] + "\r\n")

    def test_what_is_said_before_a_delayed_greeting_is_not_served(self):
        early = self.early_talker(b"XYZZY\r\n")
        sock, session, incoming, _ = early
        incoming.write(sock.recv(65536))
        self.assertEqual(session.read(100).decode(), f"220 {HOST} ESMTP\r\n")
        self.assertEqual(self.replies_to(*early, b"QUIT\r\n"), f"221 {HOST}\r\n")

    @peer.by_postern_smtpd_alone("a listener has no front end that could lie")
    def test_a_lie_about_ucspi_tls_is_not_believed(self):
        variables = {"SSLCTLFD": "97", "SSLREADFD": "98", "SSLWRITEFD": "99"}
        for more in ({}, {"PROTO": "SSL"}):
            words = ["env", *(f"{name}={value}" for name, value in (variables | more).items())]
            server = self.serve_by_tcpserver(SSL=1, before=words)
            with self.subTest(more=more):
                self.assert_no_plaintext(server.port, b"EHLO client.example\r\n")

    @peer.by_postern_smtpd_alone("the listener does not start: cli_serve_test.py")
    def test_without_a_certificate_there_is_no_service(self):
        server = self.serve(SSL=1, TLS_SERVER_CERT=self.home.path / "missing.pem")
        self.assert_no_plaintext(server.port, b"EHLO client.example\r\n")
        self.assert_logged(server, "missing.pem")


class Terminated(Front):
    """Another program terminates TLS and says so by PROTO=SSL; tcpserver says PROTO=TCP, so env corrects it."""

    def service(self, arguments):
        service = peer.Service(arguments, self.home.environment(SSL=1, PROTO="SSL", AUTH_CDB=self.home.users),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(service.stop)
        return service

    def wait_for_port(self, port, service):
        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        self.assertTrue(until(answers), service.log())

    def stunnel(self, target):
        port = free_port()
        configuration = self.home.path / "stunnel.conf"
        configuration.write_text(f"foreground = yes\npid =\nsyslog = no\n[smtps]\naccept = 127.0.0.1:{port}\n"
                                 f"cert = {self.home.pem}\n{target}\nTIMEOUTclose = 0\n")
        service = self.service(["stunnel4", configuration])
        self.wait_for_port(port, service)
        return port

    def test_behind_stunnel_that_connects(self):
        server = self.serve_by_tcpserver(SSL=1, AUTH_CDB=self.home.users, before=("env", "PROTO=SSL"))
        self.assert_serves(self.stunnel(f"connect = 127.0.0.1:{server.port}"), r"with ESMTPSA id \d+-\d+; ")

    def test_behind_stunnel_that_runs_us(self):
        port = self.stunnel(f"exec = {peer.program()}\nexecArgs = postern-smtpd")
        self.assert_serves(port, r"with ESMTPSA id \d+-\d+; ")

    def test_behind_stunnel_as_the_manual_has_it(self):
        """Its recipe, word by word, with a free port and the folders of this test in the places of the usual ones."""
        manual = (peer.ROOT / "docs/operating.md").read_text()
        recipe = "".join(line.strip() + "\n" for line in manual.split("[smtps]\n")[1].split("\n\n")[0].splitlines())
        port = free_port()
        for usual, ours in (("accept = 465", f"accept = 127.0.0.1:{port}"), ("/var/qmail/control/servercert.pem", self.home.pem),
                            ("/usr/local/bin/postern-smtpd", peer.program()), (" REQUIRE_AUTH=1", "")):
            self.assertIn(usual, recipe)
            recipe = recipe.replace(usual, str(ours))
        configuration = self.home.path / "stunnel.conf"
        configuration.write_text("foreground = yes\npid =\nsyslog = no\n[smtps]\n" + recipe)
        service = peer.Service(["stunnel4", configuration], self.home.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
        self.addCleanup(service.stop)
        self.wait_for_port(port, service)
        self.assert_serves(port, r"with ESMTPSA id \d")

    def test_behind_socat(self):
        port = free_port()
        service = self.service(["socat", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,verify=0,"
                                         f"cert={self.home.pem}", f"EXEC:{peer.program()}"])
        self.wait_for_port(port, service)
        self.assert_serves(port, r"with ESMTPSA id \d+-\d+; ")

    def test_what_the_front_says_of_tls_is_in_the_received_field(self):
        server = self.serve_by_tcpserver(SSL=1, AUTH_CDB=self.home.users,
                                         before=("env", "SSL_PROTOCOL=TLSv1.2", "SSL_CIPHER=ECDHE-RSA-AES128-GCM-SHA256"))
        port = self.stunnel(f"connect = 127.0.0.1:{server.port}")
        self.assert_serves(port, r"with ESMTPSA \(TLSv1\.2 ECDHE-RSA-AES128-GCM-SHA256\) id \d+-\d+; ")


class UcspiTls:
    """The front end of UCSPI-TLS, for one client: serves TLS on the network when the program asks on its control.

    `asked` becomes what the program wrote there. As with sslserver -n the program has the network itself as 0 and 1.
    """

    def __init__(self, case, environment, answers=True):
        self.asked, self._case, self._answers = b"", case, answers
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(case.home.pem)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._environment, self.service = environment, None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        case.addCleanup(self._finish)

    def _serve(self):
        network, _ = self._listener.accept()
        control, its_control = socket.socketpair()
        clear, its_clear = socket.socketpair()
        numbers = {"SSLCTLFD": its_control.fileno(), "SSLREADFD": its_clear.fileno(), "SSLWRITEFD": its_clear.fileno()}
        environment = self._environment | {name: str(number) for name, number in numbers.items()} | {"PROTO": "SSL"}
        self.service = peer.Service([peer.program()], environment, stdin=network, stdout=network,
                                    pass_fds=[its_control.fileno(), its_clear.fileno()])
        its_control.close()
        its_clear.close()
        control.settimeout(peer.PATIENCE_SECONDS)
        self.asked = control.recv(1)
        if self.asked and self._answers:
            self._pump(self._context.wrap_socket(network, server_side=True), clear)
        for sock in (network, control, clear):
            sock.close()

    def _pump(self, tls, clear):
        """One direction at a time is enough for a client that waits for its replies."""
        while True:
            if not tls.pending():
                readable, _, _ = select.select([tls, clear], [], [], peer.PATIENCE_SECONDS)
            else:
                readable = [tls]
            if not readable:
                return
            for source, target in ((clear, tls), (tls, clear)):
                if source in readable:
                    octets = source.recv(65536)
                    if not octets:
                        tls.close()
                        return
                    target.sendall(octets)

    def _finish(self):
        if self.service:
            self.service.stop()
        self._thread.join(peer.PATIENCE_SECONDS)
        self._listener.close()


class DelayedEncryption(Front):
    """UCSPI-TLS: SSL=1 asks for TLS before the greeting."""

    def test_it_asks_and_serves_inside(self):
        front = UcspiTls(self, self.home.environment(SSL=1, AUTH_CDB=self.home.users))
        self.assert_serves(front.port, r"with ESMTPSA id \d+-\d+; ")
        self.assertIn(front.asked, (b"y", b"Y"))

    def test_a_front_that_goes_away_means_the_end(self):
        front = UcspiTls(self, self.home.environment(SSL=1), answers=False)
        with Client(front.port, greeted=False) as client:
            self.assertEqual(client.rest(), b"")
        self.assertTrue(front.service.is_idle())


if __name__ == "__main__":
    peer.main()
