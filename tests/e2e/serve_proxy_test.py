#!/usr/bin/env python3
"""postern serve with the real haproxy before it, by PROXY versions 1 and 2; and what it makes of headers that are none."""

import socket
import struct
import subprocess
import time

import peer
import serve
from peer import OURS, free_port

PROXY = "127.0.0.9"
CLIENT = "127.0.1.7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

HAPROXY = """
global
  maxconn 100
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen mail
  bind 127.0.0.1:{port}
  source {source}
  server postern 127.0.0.1:{behind} {send}
"""


def version_1(source=CLIENT, family="TCP4", destination="127.0.0.1"):
    return f"PROXY {family} {source} {destination} 4711 25\r\n".encode()


def version_2(source, command=1):
    addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 25)
    return SIGNATURE + bytes([0x20 | command, 0x11]) + struct.pack("!H", len(addresses)) + addresses


class Case(serve.Case):
    def proxied(self, listener=(), **tables):
        return self.serving({"proxies": [PROXY]} | dict(listener), **tables)

    def direct(self, service, *octets, source=PROXY, greeted=True):
        """A connection of the proxy's own, which begins with these octets, a segment each."""
        client = service.connect(source=source, greeted=False)
        self.addCleanup(client.close)
        client.send_pieces(octets)
        if greeted:
            self.assert_code(220, client.reply())
        return client

    def rules(self, *lines):
        cdb = self.home.path / "tcp.smtp.cdb"
        self.assert_ok(peer.run(["tcprules", cdb, self.home.path / "tmp"], input="\n".join([*lines, ""]).encode()))
        return cdb


class BehindHaproxy(Case):
    def haproxy(self, service, send):
        port = free_port()
        file = self.home.path / "haproxy.cfg"
        file.write_text(HAPROXY.format(port=port, source=PROXY, behind=service.port, send=send))
        process = peer.Service(["haproxy", "-db", "-f", file], {"PATH": "/usr/sbin:/usr/bin:/bin"},
                               stdin=subprocess.DEVNULL)
        self.addCleanup(process.stop)

        def is_up():
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return True
            except OSError:
                return process.process.poll() is not None

        self.assertTrue(peer.until(is_up))
        self.assertIsNone(process.process.poll(), process.log())
        return port

    def by_both_versions(self, service):
        for send in ("send-proxy", "send-proxy-v2"):
            with self.subTest(send=send):
                yield self.haproxy(service, send)

    def test_log_and_received_line_have_the_client(self):
        service = self.proxied()
        for port in self.by_both_versions(service):
            self.home.forget_mail()
            with peer.Client(port, source=CLIENT) as client:
                client.say("EHLO client.example")
                self.assert_code(250, client.deliver("Subject: x\r\n\r\nx"))
                self.assertEqual(client.say("QUIT")[:3], "221")
            message, = self.home.stored()
            self.assertIn(f"({CLIENT})".encode(), message.split(b"\n")[1])
            self.assertNotIn(PROXY.encode(), message)
        self.assertTrue(peer.until(lambda: service.log().count(f"client={CLIENT} by=quit") == 2), service.log())

    def test_starttls_goes_through(self):
        service = self.proxied()
        for port in self.by_both_versions(service):
            with peer.Client(port, source=CLIENT) as client:
                client.starttls()
                self.assertIn("PIPELINING", client.say("EHLO client.example"))

    def test_the_class_of_the_tcprules_is_the_client_s(self):
        cdb = self.rules(f'{CLIENT}:allow,RELAYCLIENT=""', "127.0.1.8:deny", f"{PROXY}:deny", ":allow")
        service = self.proxied({"tcprules": cdb, "relay": True})
        for port in self.by_both_versions(service):
            for source, code in ((CLIENT, 250), ("127.0.1.9", 553)):
                with peer.Client(port, source=source) as client:
                    client.say("EHLO client.example")
                    self.assert_code(code, client.deliver("x", recipient="who@elsewhere.example"))
            with peer.Client(port, source="127.0.1.8") as client:
                self.assertEqual(client.greeting, self.replies["denied"])

    def test_limits_are_of_the_client_not_of_the_proxy(self):
        service = self.proxied(limits={"exempt": [], "sessions_per_address": 1})
        for which, port in enumerate(self.by_both_versions(service)):
            one, another = f"127.0.1.{10 + which}", f"127.0.1.{20 + which}"
            with peer.Client(port, source=one) as first, peer.Client(port, source=another) as other:
                self.assert_code(220, first.greeting), self.assert_code(220, other.greeting)
                with peer.Client(port, source=one) as second:
                    self.assertEqual(second.greeting, self.replies["client_busy"])

    def test_a_health_check_is_the_proxy_s_own(self):
        service = self.proxied()
        self.haproxy(service, "send-proxy-v2 check inter 200ms")
        self.assert_logged(service, f"client={PROXY} ")
        self.assertNotIn("rule=connect.malformed_proxy", service.log())


class Headers(Case):
    def test_from_somebody_who_is_no_proxy_it_is_a_command_that_nobody_knows(self):
        service = self.proxied()
        with service.connect(source="127.0.0.5") as client:
            self.assertRegex(client.say(version_1().decode().strip()), "^5..")
            self.assertRegex(client.say("MAIL FROM:<a@b.example>"), "^250 ")
        with service.connect(source="127.0.0.5") as client:
            client.send(version_2(CLIENT))
            self.assertRegex(client.reply(), "^5..")
        self.assertNotIn(CLIENT, service.log())

    def test_without_one_a_proxy_is_closed_without_a_word(self):
        service = self.proxied()
        for octets in (b"EHLO client.example\r\n", b"\x16\x03\x01\x02\x00\x01", version_1("256.0.0.1"),
                       version_1(family="TCP6"), SIGNATURE + b"\x31\x11\x00\x00", b"PROXY " + b"x" * 200):
            with self.subTest(octets=octets):
                self.assertEqual(self.direct(service, octets, greeted=False).rest(), b"")
        self.assert_logged(service, "rule=connect.malformed_proxy ")

    def test_a_proxy_that_leaves_or_waits_too_long_is_closed(self):
        service = self.proxied()
        begun = time.monotonic()
        slow = self.direct(service, b"PROXY TCP4", greeted=False)
        left = self.direct(service, b"PROXY TCP4", greeted=False)
        left.end()
        self.assertEqual(left.rest(), b"")
        self.assert_logged(service, "the proxy left before its header was complete")
        self.assertEqual(slow.rest(), b"")
        self.assertTrue(9.9 < time.monotonic() - begun < 12)  # spec/limits.hpp: max_proxy_header_seconds

    def test_one_in_many_pieces_with_the_client_s_octets_behind_it(self):
        service = self.proxied()
        for header in (version_1(), version_2(CLIENT)):
            pieces = [bytes([octet]) for octet in header[:-1]] + [header[-1:] + b"EHLO client.example\r\nNOOP\r\n"]
            client = self.direct(service, *pieces)
            self.assert_code(250, client.reply()), self.assert_code(250, client.reply())
            client.say("QUIT")
            client.rest()
        self.assertTrue(peer.until(lambda: service.log().count(f"client={CLIENT} by=quit") == 2), service.log())

    def test_ipv6_and_unknown(self):
        service = self.proxied()
        self.direct(service, version_1("2001:db8::7", "TCP6", "2001:db8::1")).say("QUIT")
        self.assert_logged(service, "client=2001:db8::7 by=quit")
        self.direct(service, b"PROXY UNKNOWN\r\n").say("QUIT")
        self.assert_logged(service, f"client={PROXY} by=quit")
        self.direct(service, version_2("0.0.0.0", command=0)).say("QUIT")
        self.assertTrue(peer.until(lambda: service.log().count(f"client={PROXY} by=quit") == 2))

    def test_the_header_goes_before_implicit_tls(self):
        service = self.proxied({"SSL": 1})
        client = self.direct(service, version_1(), greeted=False)
        client.start_tls()
        self.assert_code(220, client.reply())
        self.assert_code(221, client.say("QUIT"))
        self.assert_logged(service, f"client={CLIENT} by=quit")

    def test_a_plain_text_behind_the_header_is_not_served_inside_tls(self):
        """RFC 3207 4.2: what came before the handshake is forgotten."""
        service = self.proxied()
        client = self.direct(service, version_1())
        client.send("EHLO client.example\r\nSTARTTLS\r\nMAIL FROM:<injected@b.example>\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual(client.reply(), "220 ready for tls")
        client.start_tls()
        self.assertEqual(client.say(f"RCPT TO:<user@{OURS}>"), "503 MAIL first (#5.5.1)")


if __name__ == "__main__":
    peer.main()
