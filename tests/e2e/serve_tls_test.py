#!/usr/bin/env python3
"""TLS of postern serve with real peers: openssl s_client, curl, swaks: versions, certificates, tickets."""

import os
import signal

import peer
import serve
from peer import HOST, OURS

OTHER = "mail.other.example"


def certificate(folder, host, name):
    file = folder / f"{name}.pem"
    made = peer.run(["openssl", "req", "-x509", "-nodes", "-days", 7, "-subj", f"/CN={host}", "-newkey", "ec",
                     "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", folder / f"{name}.key", "-out",
                     folder / f"{name}.crt"])
    made.check_returncode()
    beside = file.with_suffix(".new")
    beside.write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    beside.rename(file)
    return file


class Tls(serve.Case):
    def s_client(self, port, *options, starttls=True):
        """What openssl says of a session that ends with QUIT."""
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-crlf", "-ign_eof", *options]
        words += ["-starttls", "smtp"] if starttls else []
        done = peer.run(words, input=b"QUIT\n")
        return (done.stdout + done.stderr).decode("latin-1")

    def both(self, listener=None, **tables):
        """STARTTLS at port 0 of the listeners, implicit TLS at port 1."""
        return self.serving(listener or {}, {"SSL": 1} | (listener or {}), **tables)

    def assert_connected(self, said, what=""):
        self.assertIn("Cipher is TLS" if "TLSv1.3" in what else "Cipher is ", said)
        self.assertIn("\n221 ", said)
        self.assertIn(what, said)

    def test_openssl(self):
        service = self.both()
        for port, starttls in zip(service.ports, (True, False)):
            self.assert_connected(self.s_client(port, "-tls1_3", starttls=starttls), "TLSv1.3")
            self.assert_connected(self.s_client(port, "-tls1_2", starttls=starttls), "TLSv1.2")
        self.assert_logged(service, "client=127.0.0.1 version=TLSv1.3")

    def test_old_versions_are_not_spoken(self):
        service = self.both()
        for option in ("-tls1_1", "-tls1"):
            said = self.s_client(service.ports[1], option, "-cipher", "DEFAULT:@SECLEVEL=0", starttls=False)
            self.assertNotIn("\n221 ", said)
        self.assert_logged(service, "the TLS handshake failed: ")

    def test_curl(self):
        service = self.both(variables={"AUTH_CDB": self.home.users, "POSTERN_RELAY": 1})
        message = self.home.path / "message"
        message.write_text("Subject: by curl\r\n\r\nhello\r\n")
        for url in (f"smtp://127.0.0.1:{service.ports[0]}", f"smtps://127.0.0.1:{service.ports[1]}"):
            self.assert_ok(peer.run(["curl", "-sS", "--ssl-reqd", "-k", "--url", url + "/client.example", "--mail-from",
                                     "a@b.example", "--mail-rcpt", "who@elsewhere.example", "--user",
                                     f"{peer.USER}:{peer.PASSWORD}", "--upload-file", message]))
        self.assertEqual(len(self.home.stored("elsewhere.example/who")), 2)

    def test_swaks(self):
        service = self.both(variables={"AUTH_CDB": self.home.users})
        for port, option in zip(service.ports, ("--tls", "--tls-on-connect")):
            self.assert_ok(peer.run(["swaks", "--server", "127.0.0.1", "--port", port, option, "--auth", "LOGIN",
                                     "--auth-user", peer.USER, "--auth-password", peer.PASSWORD,
                                     "--from", "a@b.example", "--to", f"user@{OURS}", "--ehlo", "client.example"],
                                    env=os.environ | {"HOME": str(self.home.path)}))
        received = [message.split(b"\n")[2] for message in self.home.stored(f"{OURS}/user")]
        self.assertEqual([b"ESMTPSA" in line for line in received], [True, True], received)

    def test_the_name_chooses_the_certificate(self):
        other = certificate(self.home.path, OTHER, "other")
        wild = certificate(self.home.path, "*.wild.example", "wild")
        service = self.serving({"certificates": [other, wild]})
        for name, shown in ((OTHER, OTHER), ("a.wild.example", r"\*\.wild\.example"), ("unknown.example", HOST),
                            (HOST, HOST)):
            said = self.s_client(service.port, "-servername", name)
            self.assertRegex(said, rf"subject=CN ?= ?{shown}\n")
        self.assertRegex(self.s_client(service.port, "-noservername"), rf"subject=CN ?= ?{HOST}\n")

    def test_a_client_that_knows_only_rsa_and_gives_a_name(self):
        """Certificates of two kinds for one name: the client's signature algorithms choose."""
        rsa = self.home.path / "rsa.pem"
        rsa.write_text("".join(peer.make_certificate(self.home.path, "rsa", ("rsa:2048",))))
        service = self.both(listener={"certificates": [rsa]})
        for port, starttls in zip(service.ports, (True, False)):
            for version in ("-tls1_2", "-tls1_3"):
                for name in (("-servername", HOST), ("-servername", "unknown.example"), ("-noservername",)):
                    said = self.s_client(port, version, *name, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256", starttls=starttls)
                    self.assert_connected(said, "Server public key is 2048 bit")
                    said = self.s_client(port, version, *name, "-sigalgs", "ECDSA+SHA256", starttls=starttls)
                    self.assert_connected(said, "Server public key is 256 bit")

    def test_certificate_and_key_in_two_files(self):
        """As certbot writes them, for the listener and for a name, and taken again when they are renewed."""
        for name, host in (("one", HOST), ("two", OTHER)):
            certificate(self.home.path, host, name)  # one.key and one.crt beside one.pem
        one, two = ({kind: self.home.path / f"{name}.{kind}" for kind in ("crt", "key")} for name in ("one", "two"))
        self.home.pem.unlink()
        self.write_file({"TLS_SERVER_CERT": one["crt"], "TLS_SERVER_KEY": one["key"]})
        text = self.file.read_text() + f'certificates = [{{cert = "{two["crt"]}", key = "{two["key"]}"}}]\n'
        self.file.write_text(text)
        service = self.start_serve()
        self.assertTrue(service.is_ready(), service.log())
        for name in (HOST, OTHER):
            self.assertRegex(self.s_client(service.port, "-servername", name), rf"subject=CN ?= ?{name}\n")
        certificate(self.home.path, "new.example", "three")
        for kind, path in one.items():
            (self.home.path / f"three.{kind}").rename(path)
        self.assert_logged(service, "reload: done")
        self.assertRegex(self.s_client(service.port), r"subject=CN ?= ?new\.example\n")

    def test_tickets_only_when_set(self):
        session = self.home.path / "session"
        for tickets in (False, True):
            with self.subTest(tickets=tickets):
                service = self.both(tls={"tickets": tickets})
                for version in ("-tls1_3", "-tls1_2"):
                    session.unlink(missing_ok=True)
                    said = self.s_client(service.port, version, "-sess_out", session)
                    self.assertEqual("TLS session ticket:" in said, tickets, said)
                    if version == "-tls1_3":
                        self.assertEqual(session.exists(), tickets)
                    if tickets:
                        self.assertIn("Reused, TLSv1", self.s_client(service.port, version, "-sess_in", session))
                    elif session.exists():
                        self.assertNotIn("Reused", self.s_client(service.port, version, "-sess_in", session))
                service.stop()

    def test_a_minimum_of_1_3(self):
        service = self.both(tls={"minimum": "1.3"})
        for port, starttls in zip(service.ports, (True, False)):
            self.assert_connected(self.s_client(port, "-tls1_3", starttls=starttls), "TLSv1.3")
            self.assertNotIn("\n221 ", self.s_client(port, "-tls1_2", starttls=starttls))

    def test_groups(self):
        service = self.both(tls={"groups": "P-384"})
        self.assertIn("Server Temp Key: ECDH, secp384r1", self.s_client(service.port))
        self.assertNotIn("\n221 ", self.s_client(service.port, "-groups", "X25519"))
        self.assertIn("nonsense", self.refused(tls={"groups": "nonsense"}))

    def test_ciphers(self):
        service = self.both(variables={"TLSCIPHERS": "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"})
        self.assertIn("Cipher is TLS_CHACHA20_POLY1305_SHA256", self.s_client(service.port))
        self.assertIn("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384", self.s_client(service.port, "-tls1_2"))

    def test_ciphers_with_finite_field_diffie_hellman(self):
        self.home.pem.write_text("".join(peer.make_certificate(self.home.path, "rsa", ("rsa:2048",))))
        service = self.both(variables={"TLSCIPHERS": "DHE-RSA-AES128-GCM-SHA256"})
        for port, starttls in zip(service.ports, (True, False)):
            said = self.s_client(port, "-tls1_2", starttls=starttls)
            self.assert_connected(said, "Cipher is DHE-RSA-AES128-GCM-SHA256")
            self.assertIn("Server Temp Key: DH, 3072 bits", said)  # RFC 7919 A.2

    def test_cbc_is_for_the_world_and_not_for_users(self):  # spec/settings.toml: cipher_list
        users = {"REQUIRE_AUTH": 1, "AUTH_CDB": self.home.users}
        service = self.serving({}, users, users | {"SSL": 1})
        for cipher, is_for_users in (("ECDHE-ECDSA-AES128-SHA256", False), ("ECDHE-ECDSA-AES256-SHA", False),
                                     ("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True)):
            for which, (port, served) in enumerate(zip(service.ports, (True, is_for_users, is_for_users))):
                with self.subTest(cipher=cipher, which=which):
                    said = self.s_client(port, "-tls1_2", "-cipher", cipher, starttls=which < 2)
                    self.assertEqual("\n221 " in said, served, said)

    def test_static_rsa_is_never_spoken(self):
        self.home.pem.write_text("".join(peer.make_certificate(self.home.path, "rsa", ("rsa:2048",))))
        service = self.serving({}, {"TLSCIPHERS": "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"})
        for port in service.ports:
            self.assertNotIn("\n221 ", self.s_client(port, "-tls1_2", "-cipher", "AES128-GCM-SHA256"))
            self.assert_connected(self.s_client(port, "-tls1_2"), "Cipher is ECDHE-RSA-AES")

    def test_what_no_client_could_use_refuses_the_start(self):
        """A whole handshake is tried in memory, with the context that will serve."""
        for ciphers in ("DHE-RSA-AES128-GCM-SHA256", "NOSUCHCIPHER", "AES128-SHA"):
            with self.subTest(ciphers=ciphers):
                self.assertIn("TLSCIPHERS", self.refused(variables={"TLSCIPHERS": ciphers}))
        self.home.pem.write_text("".join(peer.make_certificate(self.home.path, "weak", ("rsa:1024",))))
        self.assertIn("ee key too small: OpenSSL serves no key below 112 bits", self.refused())
        curve = ("ec", "-pkeyopt", "ec_paramgen_curve:secp224r1")
        self.home.pem.write_text("".join(peer.make_certificate(self.home.path, "rare", curve)))
        self.assertIn("servercert.pem: no client gets through in TLS 1.3", self.refused())

    def test_a_certificate_that_is_replaced_is_shown_to_new_sessions(self):
        service = self.both()
        with service.connect() as before:
            before.starttls()
            certificate(self.home.control, "new.example", "servercert")
            self.assert_logged(service, "reload: done")
            for port, starttls in zip(service.ports, (True, False)):
                self.assertRegex(self.s_client(port, starttls=starttls), r"subject=CN ?= ?new\.example\n")
            self.assert_code(250, before.say("EHLO client.example"))

    def test_one_that_is_broken_changes_nothing_and_is_told(self):
        service = self.both()
        self.home.pem.write_text("no certificate")
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assert_logged(service, "servercert.pem")
        self.assertRegex(self.s_client(service.port), rf"subject=CN ?= ?{HOST}\n")

    def test_one_that_is_gone_changes_nothing_and_is_told(self):
        """Neither the one at the usual place nor one that is named: a lost file must lead no client back to clear."""
        for tables in ({}, {"variables": {"TLS_SERVER_CERT": self.home.pem}}):
            with self.subTest(tables=tables):
                service = self.serving(**tables)
                text = self.home.pem.read_text()
                self.home.pem.unlink()
                service.process.send_signal(signal.SIGHUP)
                self.assert_logged(service, "reload: refused, and nothing has changed: ")
                self.assert_logged(service, "servercert.pem")
                self.assertRegex(self.s_client(service.port), rf"subject=CN ?= ?{HOST}\n")
                self.home.pem.write_text(text)
                self.assert_logged(service, "reload: done")
                service.stop()

    def test_a_fifo_in_the_place_of_a_file_refuses_the_reload_and_holds_nothing_up(self):
        service = self.serving()
        for file in (self.home.pem, self.file, self.home.path / "control" / "databytes"):
            with self.subTest(file=file):
                text = file.read_text()
                file.unlink()
                os.mkfifo(file)
                told = service.log().count("reload: refused")
                service.process.send_signal(signal.SIGHUP)
                self.assertTrue(peer.until(lambda: service.log().count("reload: refused") > told), service.log())
                file.unlink()
                file.write_text(text)
                done = service.log().count("reload: done")
                self.assertTrue(peer.until(lambda: service.log().count("reload: done") > done), service.log())
        service.process.send_signal(signal.SIGTERM)
        self.assertEqual(service.process.wait(peer.PATIENCE_SECONDS), 0)

    def test_one_that_is_named_and_missing_refuses_the_start(self):
        said = self.refused(variables={"TLS_SERVER_CERT": "none.pem"})
        self.assertIn("none.pem does not exist, and TLS_SERVER_CERT names it", said)

    def test_none_at_the_usual_place_is_a_warning_unless_tls_is_denied(self):
        self.home.pem.unlink()
        self.assertIn("STARTTLS is off: there is no control/servercert.pem", self.serving().log())
        self.assertNotIn("STARTTLS is off", self.serving({"DENY_TLS": 1}).log())

    def test_what_is_no_handshake_is_told_and_closed(self):
        service = self.both()
        with service.connect(1, greeted=False) as client:
            client.send("EHLO client.example\r\n")
            client.rest()
        self.assert_logged(service, "the TLS handshake failed: ")

    def test_a_message_above_every_buffer(self):
        service = self.both()
        with service.connect() as client:
            client.starttls().say("EHLO client.example")
            self.assert_code(250, client.deliver("\r\n".join(["x" * 900] * 3000)))
        message, = self.home.stored()
        self.assertEqual(message.count(b"x" * 900 + b"\n"), 3000)


if __name__ == "__main__":
    peer.main()
