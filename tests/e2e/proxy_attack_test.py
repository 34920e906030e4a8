"""Attacks by way of the PROXY header, which the listener reads before anything else: a client that may not say it is not
believed, and what comes after it is the client's, in clear or for TLS to read, wherever the segments end.
"""

import ssl
import time

import peer
from peer import HOST, Client

HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n"
INJECTED = b"EHLO evil.example\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<user@postern.example>\r\n"


class Proxied(peer.Case):
    def proxied(self, proxies=("127.0.0.0/8",), **settings):
        server = peer.Serve(self.home.environment(**settings), proxies=list(proxies))
        self.addCleanup(server.stop)
        return server

    def call(self, server):
        client = Client(server.port, greeted=False)
        self.addCleanup(client.close)
        return client

    def greeted_in_tls(self, client, before=b""):
        """A handshake whose first octets are in one segment with what goes before it."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = peer.tls_context().wrap_bio(incoming, outgoing)
        while True:
            try:
                session.do_handshake()
                client.send(outgoing.read())
                break
            except ssl.SSLWantReadError:
                client.send(before + outgoing.read())
                before = b""
                octets = client.socket.recv(65536)
                if not octets:
                    return None, None
                incoming.write(octets)
        return session, incoming

    def first_octets(self, client, session, incoming):
        while True:
            try:
                return session.read(1000)
            except ssl.SSLWantReadError:
                incoming.write(client.socket.recv(65536))

    def test_who_is_no_proxy_is_not_believed(self):
        client = self.call(self.proxied(proxies=["192.0.2.0/24"]))
        self.assert_code(220, client.reply())
        client.send(HEADER)
        self.assertEqual(client.reply(), self.replies["unimplemented"])
        self.assertEqual(client.say("NOOP"), "250 ok")

    def test_a_second_header_is_a_command(self):
        server = self.proxied()
        client = self.call(server)
        client.send(HEADER + HEADER.replace(b"192.0.2.7", b"192.0.2.8") + b"QUIT\r\n")
        said = client.rest().decode().splitlines()
        self.assertEqual(said, [f"220 {HOST} ESMTP", self.replies["unimplemented"], f"221 {HOST}"])
        log = server.wait_for_log("]: end ")
        self.assertIn("client=192.0.2.7 ", log)
        self.assertNotIn("192.0.2.8", log)

    def test_a_header_is_found_however_it_is_cut(self):
        server = self.proxied()
        whole = HEADER + b"NOOP\r\nQUIT\r\n"
        for at in (*range(1, len(whole), 5), len(HEADER) - 1, len(HEADER), len(HEADER) + 1):
            with self.subTest(at=at), Client(server.port, greeted=False) as client:
                client.send_pieces([whole[:at], whole[at:]])
                self.assertEqual(client.rest().decode(), f"220 {HOST} ESMTP\r\n250 ok\r\n221 {HOST}\r\n")
        with Client(server.port, greeted=False) as client:
            client.send_pieces([bytes([octet]) for octet in whole], 0.001)
            self.assertEqual(client.rest().decode(), f"220 {HOST} ESMTP\r\n250 ok\r\n221 {HOST}\r\n")

    def test_a_header_and_the_first_record_in_one_segment(self):
        server = self.proxied(SSL=1)
        for before in (HEADER, b"PROXY UNKNOWN\r\n"):
            client = self.call(server)
            session, incoming = self.greeted_in_tls(client, before)
            self.assertIsNotNone(session, server.log())
            self.assertEqual(self.first_octets(client, session, incoming), f"220 {HOST} ESMTP\r\n".encode())

    def test_what_comes_in_clear_behind_a_header_never_gets_into_tls(self):
        """An attacker between the proxy and us, or before the proxy, must not speak for the client of the handshake."""
        server = self.proxied(SSL=1)
        for pause in (0, 0.2):
            client = self.call(server)
            client.send(HEADER + INJECTED)
            time.sleep(pause)
            try:
                session, incoming = self.greeted_in_tls(client)
            except (OSError, ssl.SSLError):
                session = None  # plaintext is no ClientHello
            if session:
                self.assertEqual(self.first_octets(client, session, incoming), f"220 {HOST} ESMTP\r\n".encode())
                time.sleep(0.2)  # an answer to what was injected would be there by now
                with self.assertRaises(BlockingIOError):
                    client.socket.setblocking(False)
                    client.socket.recv(1000)
        self.assertNotIn("evil", server.log())
        self.assertEqual(self.home.stored(), [])

    def test_starttls_behind_a_header_forgets_what_came_with_it(self):
        client = self.call(self.proxied())
        client.send(HEADER + b"EHLO client.example\r\nSTARTTLS\r\n" + INJECTED)
        self.assert_code(220, client.reply())
        self.assert_code(250, client.reply())
        self.assertEqual(client.reply(), self.replies["tls_ready"])
        client.start_tls()
        self.assertEqual(client.say("RCPT TO:<user@postern.example>"), self.replies["mail_first"])

    def test_half_a_header_and_the_end(self):
        server = self.proxied()
        for sent in (b"", HEADER[:10], HEADER[:-1], b"\r\n\r\n\0\r\nQUIT\n"):
            client = self.call(server)
            client.send(sent)
            client.end()
            self.assertEqual(client.rest(), b"")
        self.assertTrue(server.is_idle())


if __name__ == "__main__":
    peer.main()
