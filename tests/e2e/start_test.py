"""What is wrong at the start: every connect.* rule of the spec with its reply, its sentence in the log, exit code 1.

A sentence names the place (variable or file) and the remedy. And what STARTTLS does with each kind of certificate.
"""

import pathlib
import re
import shutil
import subprocess
import tomllib

import listener_rules
import peer
from peer import HOST, OURS, make_certificate, run


class Refusals(peer.Case):
    """The program is started directly on a socket pair, with one thing wrong."""

    def setUp(self):
        self.home = self.fresh_home()

    def assert_refused(self, rule, *sentences, arguments=(), inside_tls=False, **settings):
        reply = next(row["reply"] for row in policy() if row["id"] == rule)
        direct = self.start(arguments, **settings)
        if inside_tls:  # a client that waits for TLS cannot read a reply in clear
            direct.client.start_tls()
        self.assertEqual(direct.client.rest().decode(), self.replies[reply] + "\r\n", direct.log())
        self.assertEqual(direct.finish(), 1)
        log = direct.log()
        self.assertIn(f"refuse client=unknown rule={rule} ", log)
        for sentence in sentences:
            self.assertIn(sentence, log)

    def test_values_that_are_not_allowed(self):  # deviation D11
        for name in ("SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH", "STRICT_ADDRESSES",
                     "RELAYREJ", "DROP_PRE_GREET"):
            for value in ("O", "yes", " 1", "-1", "01", "2"):
                with self.subTest(name=name, value=value):
                    sentence = f'config: {name}="{value}" in the environment: only 0 and 1 are allowed'
                    self.assert_refused("connect.bad_value", sentence, **{name: value}, inside_tls=name == "SSL")

    def test_addresses_are_strict_where_the_operator_wants_it(self):  # deviation D13
        for settings, reply in (({}, "250 ok"), ({"STRICT_ADDRESSES": 0}, "250 ok"),
                                ({"STRICT_ADDRESSES": 1}, "555 syntax error (#5.5.4)")):
            direct = self.start(**settings)
            direct.client.reply()
            for path in ("<a@my_host.example>", "<.a@b.example>", "<a.@b.example>", "<a..b@c.example>"):
                with self.subTest(settings=settings, path=path):
                    self.assertEqual(direct.client.say(f"MAIL FROM:{path}"), reply)
                    direct.client.say("RSET")
            self.assertEqual(direct.client.say("MAIL FROM:<a@b.example.>"), "555 syntax error (#5.5.4)")

    def test_numbers_that_are_not_allowed(self):
        for name, value in (("DATABYTES", "1M"), ("DATABYTES", "-1"), ("MAXRCPT", "many"), ("GREETDELAY", "0x1"),
                            ("GREETDELAY", "99999"), ("PORT", "smtp"), ("PORT", "0"), ("PORT", "65536")):
            with self.subTest(name=name, value=value):
                sentence = f'config: {name}="{value}" in the environment: only '
                self.assert_refused("connect.bad_value", sentence, **{name: value})

    def test_what_relayclient_appends_is_no_longer_than_a_domain(self):  # RFC 5321 4.5.3.1.2: a domain has 255 octets
        sentence = "config: RELAYCLIENT in the environment is longer than 255 octets: shorten it"
        self.assert_refused("connect.bad_value", sentence, RELAYCLIENT="@" + "x" * 255)
        direct = self.start(RELAYCLIENT="@" + "x" * 254)
        direct.client.reply()
        direct.client.say("EHLO client.example", "MAIL FROM:<a@b.example>")
        longest = "y" * (899 - len(f"@{OURS}"))  # spec/limits.hpp: max_address_octets
        self.assertEqual(direct.client.say(f"RCPT TO:<{longest}@{OURS}>"), "250 ok")
        self.assertEqual(direct.client.say(f"RCPT TO:<y{longest}@{OURS}>"), "555 syntax error (#5.5.4)")

    def test_all_that_is_wrong_is_said_at_once(self):
        sentences = ('SSL="O"', 'AUTH="yes"', 'DATABYTES="x"')
        self.assert_refused("connect.bad_value", *sentences, SSL="O", AUTH="yes", DATABYTES="x", inside_tls=True)

    def test_control_files_with_a_wrong_value(self):
        for name, text in (("databytes", "1M\n"), ("timeoutsmtpd", "soon\n"), ("me", "mx.exam\x01ple\n"), ("rcpthosts", "a.example\rb.example\r"),
                           ("badmailfrom", "!good@example.org\n"), ("badrcptto", "^spam-.*\n"),
                           ("localiphost", "b\xfccher.example\n")):
            home = self.fresh_home()
            (home.control / name).write_bytes(text.encode("latin-1"))
            with self.subTest(name=name):
                self.assert_refused("connect.bad_value", f'config: control/{name} line 1: "', POSTERN_HOME=home.path)

    def test_texts_with_a_control_character(self):
        for name in ("SMTPGREETING", "RELAYCLIENT", "QMAILQUEUE", "POSTERN_LMTP", "TLS_SERVER_CERT", "TLSCIPHERS", "TMPDIR"):
            with self.subTest(name=name):
                self.assert_refused("connect.bad_value", f'config: {name}="value', "remove the control character",
                                    **{name: "value\r"})

    def test_lists_of_another_system_are_read_and_named(self):
        """Lines that end with CR LF, and a byte order mark: the domain is ours, the sender is refused, the log says it."""
        (self.home.control / "rcpthosts").write_bytes(b"\xef\xbb\xbfexample.com\r\nexample.net\r\n")
        (self.home.control / "badmailfrom").write_bytes(b"bad@example.org\r\n")
        direct = self.start(greeted=True)
        direct.client.say("EHLO client.example")
        direct.client.say("MAIL FROM:<good@example.org>")
        self.assertTrue(direct.client.say("RCPT TO:<bob@example.com>").startswith("250"))
        self.assertTrue(direct.client.say("RCPT TO:<bob@example.net>").startswith("250"))
        direct.client.say("RSET")
        direct.client.say("MAIL FROM:<bad@example.org>")
        self.assertTrue(direct.client.say("RCPT TO:<bob@example.com>").startswith("553"))
        direct.client.say("QUIT")
        direct.finish()
        for sentence in ("control/rcpthosts line 1: begins with a byte order mark, which is left out; and 1 more lines",
                         "control/badmailfrom line 1: ends with a carriage return, which is left out"):
            self.assertIn("warning: " + sentence, direct.log())

    def test_no_host_name(self):
        (self.home.control / "me").unlink()
        self.assert_refused("connect.no_controls", "config: no host name to greet with: write it into control/me")

    def test_no_home(self):
        sentence = "cannot enter the home: set POSTERN_HOME to a folder with control/ in it"
        self.assert_refused("connect.no_controls", sentence, POSTERN_HOME=self.home.path / "missing")

    def test_an_unreadable_control_file(self):
        for name in ("me", "databytes", "timeoutsmtpd", "smtpgreeting"):
            home = self.fresh_home()
            (home.control / name).unlink(missing_ok=True)
            (home.control / name).symlink_to(name)
            with self.subTest(name=name):
                sentence = f"config: control/{name}: cannot be read: "
                self.assert_refused("connect.no_controls", sentence, POSTERN_HOME=home.path)

    def test_of_two_mistakes_the_first_of_the_spec_is_told(self):  # spec/events.toml: the order of connect.*
        (self.home.control / "me").unlink()
        (self.home.control / "databytes").write_text("many\n")
        self.assert_refused("connect.bad_value", "control/databytes", "no host name to greet with")

    def test_an_unreadable_auth_cdb(self):
        (self.home.path / "text").write_text("no cdb")
        for path in (self.home.path / "missing.cdb", self.home.path, self.home.path / "text", ""):
            with self.subTest(path=path):
                sentence = f'config: AUTH_CDB="{path}" is not a readable cdb file: make it, or unset AUTH_CDB'
                self.assert_refused("connect.no_auth_cdb", sentence, AUTH_CDB=path)

    def test_a_check_program_that_cannot_be_run(self):
        program = self.home.path / "program"
        program.write_text("#!/bin/sh\n")
        for name, sentence in ((self.home.path / "missing", "it is not there: name a program, or set AUTH=0"),
                               ("no-such-program", "it is in no folder of PATH"), ("/bin", "it is a folder"),
                               (program, "it may not be executed by this user")):
            with self.subTest(name=name):
                self.assert_refused("connect.bad_value", f"config: the check program {name} cannot be run: {sentence}",
                                    arguments=(HOST, name, "/bin/true"))

    def test_a_queue_program_that_cannot_be_run(self):
        program = self.home.path / "queue"
        program.write_text("#!/bin/sh\r\nexit 0\r\n")
        self.assert_refused("connect.no_hand_over", f"config: cannot run {program}: it may not be executed", QMAILQUEUE=program)
        program.chmod(0o755)
        self.assert_refused("connect.no_hand_over", "it has a carriage return in its first line", QMAILQUEUE=program)

    def test_force_and_deny(self):
        self.assert_refused("connect.force_and_deny", "FORCE_TLS=1 requires STARTTLS before mail, DENY_TLS=1 refuses it",
                            FORCE_TLS=1, DENY_TLS=1)

    def test_force_without_a_certificate(self):
        self.home.pem.unlink()
        self.assert_refused("connect.force_without_certificate", "there is no certificate for it",
                            "STARTTLS is off: there is no control/servercert.pem", FORCE_TLS=1)

    def test_require_auth_without_auth(self):
        check_without_subprogram = (HOST, self.home.check_program)
        for arguments, settings in (((), {}), ((), {"AUTH": 0, "AUTH_CDB": self.home.users}),
                                    (check_without_subprogram, {"AUTH": 1})):
            self.assert_refused("connect.require_auth_without_auth", "AUTH is off or nothing can check a password",
                                arguments=arguments, REQUIRE_AUTH=1, **settings)

    def test_dead_settings(self):  # deviation D10
        self.assert_refused("connect.dead", "nothing can encrypt: set ALLOW_INSECURE_AUTH=1, or let STARTTLS work",
                            REQUIRE_AUTH=1, DENY_TLS=1, AUTH_CDB=self.home.users)

    def test_no_way_to_hand_over(self):
        missing = self.home.path / "missing"
        for sentence, settings in (
                (f"cannot run {missing}: set QMAILQUEUE to a queue program", {"QMAILQUEUE": missing}),
                ("cannot run bin/qmail-queue: set QMAILQUEUE", {"POSTERN_MAILDIR": None}),
                (f'POSTERN_MAILDIR="{missing}" is not a folder that this user can write in',
                 {"POSTERN_MAILDIR": missing})):
            with self.subTest(sentence=sentence):
                self.assert_refused("connect.no_hand_over", sentence, **settings)

    def test_an_early_talker(self):
        direct = self.start(DROP_PRE_GREET=1, GREETDELAY=3)
        direct.client.send("EHLO early\r\n")
        self.assertEqual(direct.client.rest().decode(), self.replies["protocol_violation"] + "\r\n")
        self.assertEqual(direct.finish(), 1)
        self.assertIn("rule=connect.early_talker ", direct.log())

    def test_a_patient_client_is_greeted_after_the_delay(self):
        for settings in ({"DROP_PRE_GREET": 1}, {}):
            direct = self.start(greeted=True, GREETDELAY=1, **settings)
            self.assertEqual(direct.client.greeting, f"220 {HOST} ESMTP")

    def test_every_rule_of_the_start_has_a_test_here(self):
        text = pathlib.Path(__file__).read_text()
        for row in policy():
            if row["id"].startswith("connect.") and row["id"] not in {"connect.greet", *listener_rules.RULES, *listener_rules.ELSEWHERE}:
                self.assertTrue(row["id"] in text, row["id"])

    def test_ssl_with_the_letter_o_explains_itself(self):
        for settings in (self.home.environment(SSL="O"), {"SSL": "O"}):
            done = run([peer.program()], env=settings, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 1)
            self.assertNotIn(b"421", done.stdout, "nothing is said in clear where TLS may come first")
            sentence = 'config: SSL="O" in the environment: only 0 and 1 are allowed (unset or empty means 0)\n'
            self.assertIn(sentence, done.stderr.decode())

    def test_a_variable_that_is_nearly_one_of_ours_is_warned_about_once(self):
        direct = self.start(greeted=True, FORCE_TSL=1, WHITELISTED=1)
        self.assertEqual(direct.client.greeting, f"220 {HOST} ESMTP")
        direct.client.say("QUIT")
        direct.finish()
        log = direct.log()
        self.assertEqual(log.count("warning: FORCE_TSL is not a variable: did you mean FORCE_TLS?"), 1, log)
        self.assertNotIn("WHITELISTED", log)

    def test_version_and_help(self):
        for option in ("--version", "-V"):
            done = run([peer.program(), option], stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout.decode(), r"^postern-smtpd [0-9.]+, policy [0-9a-f]{64}\n$")
        done = run([peer.program(), "--help"], stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"tcpserver", done.stdout)
        self.assertEqual(run([peer.program(), "--bogus"], stdin=subprocess.DEVNULL).returncode, 100)

    def test_the_sibling_alone_says_what_to_run(self):
        done = run([peer.program() + "-tls"], stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (100, b""))
        self.assertIn(b"run that", done.stderr)


def policy():
    return tomllib.loads((peer.ROOT / "spec/policy.toml").read_text())["rule"]


class Siblings(peer.Case):
    """postern-smtpd looks for postern-smtpd-tls beside itself."""

    def folder(self, *names):
        folder = self.home.path / "-".join(("bin", *names))
        folder.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(pathlib.Path(peer.program()).parent / name, folder / name)
        return folder

    def assert_refused_for(self, server, sentence):
        """Before anything is offered: a client that would go on in clear after a failed STARTTLS never comes so far."""
        with server.connect() as client:
            self.assertEqual(client.greeting, self.replies["certificate_broken"])
            self.assertEqual(client.rest(), b"")
        self.assertIn(sentence, server.wait_for_log("rule=connect.broken_certificate "))

    def test_without_its_sibling_nothing_is_offered(self):
        folder = self.folder("postern-smtpd")
        server = self.serve_by_tcpserver(path=folder / "postern-smtpd")
        self.assert_refused_for(server, f"cannot run {folder}/postern-smtpd-tls: No such file or directory: install "
                                        "postern-smtpd-tls beside postern-smtpd, or set DENY_TLS=1")

    def test_a_sibling_that_cannot_be_executed(self):
        folder = self.folder("postern-smtpd", "postern-smtpd-tls")
        (folder / "postern-smtpd-tls").chmod(0o644)
        server = self.serve_by_tcpserver(path=folder / "postern-smtpd")
        self.assert_refused_for(server, "postern-smtpd-tls: Permission denied")

    def test_without_its_sibling_and_without_tls_there_is_mail(self):
        path = self.folder("postern-smtpd") / "postern-smtpd"
        with self.serve_by_tcpserver(path=path, DENY_TLS=1).connect() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver("in clear"))

    def test_without_its_sibling_ssl_is_no_service(self):
        server = self.serve_by_tcpserver(path=self.folder("postern-smtpd") / "postern-smtpd", SSL=1)
        with server.connect(greeted=False) as client:
            self.assertEqual(client.rest(), b"")
        self.assertIn("cannot run postern-smtpd-tls", server.wait_for_log("cannot run"))

    def test_too_little_memory_for_tls_is_said_before_anything_is_offered(self):
        """softlimit -m 3000000 to 9000000: enough in clear, too little to load a TLS library."""
        for limit, name in (("--as=4000000", "RLIMIT_AS"), ("--as=9400000", "RLIMIT_AS"), ("--data=1000000", "RLIMIT_DATA")):
            with self.subTest(limit=limit):
                server = self.serve_by_tcpserver(before=("prlimit", limit))
                with server.connect() as client:
                    self.assertNotIn("STARTTLS", client.say("EHLO client.example"))
                    self.assertEqual(client.say("STARTTLS"), self.replies["tls_unavailable"])
                    self.assert_code(250, client.deliver("x" * 100_000))
                log = server.wait_for_log("warning: STARTTLS is off: the limit ")
                self.assertIn(f"STARTTLS is off: the limit {name} of this process is {limit.split('=')[1]} octets", log)
                with self.serve_by_tcpserver(before=("prlimit", limit), FORCE_TLS=1).connect() as client:
                    self.assertEqual(client.greeting, self.replies["force_without_certificate"])

    def test_the_memory_that_is_said_to_be_enough_is(self):
        limits = (peer.ROOT / "spec/limits.hpp").read_text()
        for option, name in (("as", "min_tls_address_octets"), ("data", "min_tls_data_octets")):
            octets = re.search(rf"{name} = ([0-9']+);", limits)[1].replace("'", "")
            with self.subTest(name):
                server = self.serve_by_tcpserver(before=("prlimit", f"--{option}={octets}"))
                with server.connect().starttls() as client:
                    client.say("EHLO client.example")
                    for _ in range(3):
                        self.assert_code(250, client.deliver("\r\n".join(["x" * 900] * 500)))

    def test_moved_together_and_through_a_symbolic_link(self):
        folder = self.folder("postern-smtpd", "postern-smtpd-tls")
        link = self.home.path / "qmail-smtpd"
        link.symlink_to(folder / "postern-smtpd")
        for path in (folder / "postern-smtpd", link):
            with self.subTest(path=path), self.serve_by_tcpserver(path=path).connect().starttls() as client:
                self.assertEqual(client.say("NOOP"), "250 ok")

    def test_by_a_relative_path(self):
        folder = self.folder("postern-smtpd", "postern-smtpd-tls")
        server = self.serve_by_tcpserver(before=("sh", "-c", f'cd {folder} && exec "$@"', "sh"), path="./postern-smtpd")
        with server.connect().starttls() as client:
            self.assertEqual(client.say("NOOP"), "250 ok")


CA_CONFIGURATION = """[ca]
default_ca = authority
[authority]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = names
[names]
commonName = supplied
[signer]
basicConstraints = critical,CA:TRUE
"""


class Certificates(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()

    def sign(self, subject, issuer, *options):
        """Certificate of a new key, in the home: KEY, CERTIFICATE in PEM."""
        (self.home.path / "index").write_text("")
        (self.home.path / "ca.cnf").write_text(CA_CONFIGURATION)
        files = ["-keyout", f"{subject}.key", "-out", f"{subject}.csr", "-subj", f"/CN={subject}"]
        signer = ["-selfsign", "-keyfile", f"{subject}.key"] if issuer is None else \
                 ["-cert", f"{issuer}.crt", "-keyfile", f"{issuer}.key"]
        for words in (["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *files],
                      ["ca", "-batch", "-notext", "-config", "ca.cnf", *signer, "-in", f"{subject}.csr",
                       "-out", f"{subject}.crt", "-rand_serial", *options]):
            run(["openssl", *words], cwd=self.home.path).check_returncode()
        return [(self.home.path / f"{subject}.{kind}").read_text() for kind in ("key", "crt")]

    def dates(self, first_year, last_year):
        return "-startdate", f"{first_year}0101000000Z", "-enddate", f"{last_year}0101000000Z"

    def assert_serves(self, algorithm, certificates=1, options=()):
        server = self.serve()
        done = run(["openssl", "s_client", "-starttls", "smtp", "-showcerts", *options,
                    "-connect", f"127.0.0.1:{server.port}"], input=b"QUIT\n")
        self.assertEqual(done.stdout.count(b"-----BEGIN CERTIFICATE-----"), certificates, done.stderr.decode())
        self.assertIn(algorithm, done.stdout.decode())
        return server.log(), done.stdout.decode()

    def assert_broken(self, sentence):
        direct = self.start()
        self.assertEqual(direct.client.rest().decode(), self.replies["certificate_broken"] + "\r\n")
        self.assertEqual(direct.finish(), 1)
        self.assertIn("rule=connect.broken_certificate ", direct.log())
        self.assertIn(f"config: control/servercert.pem{sentence}", direct.log())
        for settings in ({"DENY_TLS": 1}, {"SSL": 1, "PROTO": "SSL"}):  # it is not used: no reason to refuse
            self.assertEqual(self.start(greeted=True, **settings).client.greeting, f"220 {HOST} ESMTP")

    def test_ec(self):
        self.assert_serves("Server public key is 256 bit")

    def test_rsa(self):
        self.home.pem.write_text("".join(make_certificate(self.home.path, "rsa", ("rsa:2048",))))
        self.assert_serves("Server public key is 2048 bit")

    def test_the_certificate_before_its_key(self):
        self.home.pem.write_text(self.home.certificate + self.home.key)
        self.assert_serves("Server public key is 256 bit")

    def test_a_chain_is_served_and_verifies(self):
        self.sign("root", None, "-extensions", "signer", "-days", "9")
        _, middle = self.sign("middle", "root", "-extensions", "signer", "-days", "9")
        key, leaf = self.sign(HOST, "middle", "-days", "9")
        self.home.pem.write_text(key + leaf + middle)
        _, said = self.assert_serves("256 bit", 2, ("-CAfile", self.home.path / "root.crt", "-verify_return_error"))
        self.assertIn("Verify return code: 0 (ok)", said)

    def test_an_expired_one_warns_and_works(self):  # deviation D12
        self.home.pem.write_text("".join(self.sign(HOST, None, *self.dates(2020, 2021))))
        log, _ = self.assert_serves("256 bit")
        self.assertIn("control/servercert.pem: the certificate expired on 2021-01-01: renew it", log)

    def test_one_of_the_future_warns_and_works(self):
        self.home.pem.write_text("".join(self.sign(HOST, None, *self.dates(2040, 2041))))
        log, _ = self.assert_serves("256 bit")
        self.assertIn("control/servercert.pem: the certificate begins on 2040-01-01", log)

    def test_another_file_by_tls_server_cert(self):
        other = self.home.path / "other.pem"
        self.home.pem.rename(other)
        with self.serve(TLS_SERVER_CERT=other).connect().starttls() as client:
            self.assertEqual(client.say("NOOP"), "250 ok")

    def test_one_that_is_named_and_missing_is_broken(self):
        """The original goes on in clear; a name is a wish for TLS."""
        direct = self.start(TLS_SERVER_CERT="none.pem")
        self.assertEqual(direct.client.rest().decode(), self.replies["certificate_broken"] + "\r\n")
        self.assertIn("config: none.pem does not exist, and TLS_SERVER_CERT names it", direct.log())

    def test_a_key_in_a_file_of_its_own(self):
        """As certbot writes them."""
        chain, key = self.home.path / "fullchain.pem", self.home.path / "privkey.pem"
        chain.write_text(self.home.certificate)
        key.write_text(self.home.key)
        self.home.pem.unlink()
        settings = {"TLS_SERVER_CERT": chain, "TLS_SERVER_KEY": key}
        for more in ({}, {"TLSCIPHERS": "HIGH"}):  # what is judged without OpenSSL, and by the sibling
            with self.serve(**settings, **more).connect().starttls() as client:
                self.assertEqual(client.say("NOOP"), "250 ok")
        for file, text, sentence in ((key, make_certificate(self.home.path, "other")[0], f"{chain} line 1: this certificate does not belong to "),
                                     (key, "", f"{key} holds no private key in PEM"), (key, None, f"{key} does not exist"),
                                     (chain, "", f"{chain} holds no certificate"), (chain, None, f"{chain} does not exist")):
            with self.subTest(sentence=sentence):
                before = file.read_text()
                file.unlink()
                if text is not None:
                    file.write_text(text)
                direct = self.start(**settings)
                self.assertEqual(direct.client.rest().decode(), self.replies["certificate_broken"] + "\r\n")
                self.assertIn(f"config: {sentence}", direct.log())
                file.write_text(before)

    def test_mismatch(self):
        for newkey in (("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("rsa:2048",)):
            other_key, _ = make_certificate(self.home.path, "other", newkey)
            self.home.pem.write_text(other_key + self.home.certificate)
            self.assert_broken(" line ")

    def make_rsa(self, bits, *options):
        self.home.pem.write_text("".join(make_certificate(self.home.path, "rsa", (f"rsa:{bits}", *options))))

    def test_below_the_security_level_of_openssl(self):
        """Seen before STARTTLS is offered, not after its 220."""
        self.make_rsa(1024)
        self.assert_broken(": no usable certificate: ee key too small: OpenSSL serves no key below 112 bits of security")
        key, certificate = self.sign("root", None, "-extensions", "signer", "-days", "9")
        (self.home.path / "root.crt").write_text(certificate)
        self.home.pem.write_text("".join(self.sign(HOST, "root", "-days", "9", "-md", "sha1")))
        self.assert_broken(": no usable certificate: ca md too weak")

    def test_a_key_of_another_kind_that_only_openssl_can_compare(self):
        key, certificate = make_certificate(self.home.path, "one", ("ed25519",))
        self.home.pem.write_text(key + certificate)
        self.assert_serves("Peer signature type: ed25519")
        self.home.pem.write_text(make_certificate(self.home.path, "other", ("ed25519",))[0] + certificate)
        self.assert_broken(": no usable private key: ")

    def test_a_damaged_chain(self):
        lines = self.home.certificate.splitlines(keepends=True)
        self.home.pem.write_text(self.home.key + self.home.certificate + "".join(lines[:2] + lines[3:]))
        self.assert_broken(": no usable certificate: ")

    def cipher_of(self, *options, **settings):
        server = self.serve(**settings)
        done = run(["openssl", "s_client", "-starttls", "smtp", "-tls1_2", *options,
                    "-connect", f"127.0.0.1:{server.port}"], input=b"QUIT\n")
        return re.search(r"Cipher is (\S+)", done.stdout.decode())[1], done.stdout.decode()

    def test_ciphers_with_finite_field_diffie_hellman(self):
        self.make_rsa(2048)
        cipher, said = self.cipher_of(TLSCIPHERS="DHE-RSA-AES128-GCM-SHA256")
        self.assertEqual(cipher, "DHE-RSA-AES128-GCM-SHA256")
        self.assertIn("Server Temp Key: DH, 3072 bits", said)  # RFC 7919 A.2

    def test_cbc_is_for_the_world_and_not_for_users(self):  # spec/settings.toml: cipher_list; RFC 9325 4.2
        cbc = ("-cipher", "ECDHE-ECDSA-AES128-SHA256")
        self.assertEqual(self.cipher_of(*cbc)[0], "ECDHE-ECDSA-AES128-SHA256")
        users = {"REQUIRE_AUTH": 1, "AUTH_CDB": self.home.users}
        self.assertEqual(self.cipher_of(*cbc, **users)[0], "(NONE)")
        self.assertIn("-GCM-", self.cipher_of(**users)[0])

    def test_ciphers_that_select_nothing_for_this_key(self):
        for ciphers, sentence in (("DHE-RSA-AES128-GCM-SHA256", "no client gets through in TLS 1.2: no shared cipher"),
                                  ("ECDHE-RSA-AES128-GCM-SHA256", "no client gets through in TLS 1.2: no shared cipher"),
                                  ("NOSUCHCIPHER", "TLSCIPHERS selects no cipher: NOSUCHCIPHER"),
                                  ("AES128-SHA", "TLSCIPHERS selects no cipher: AES128-SHA"),
                                  ("TLS_NO_SUCH_SUITE", "TLSCIPHERS: no TLS 1.3 suite is called TLS_NO_SUCH_SUITE")):
            with self.subTest(ciphers=ciphers):
                direct = self.start(TLSCIPHERS=ciphers)
                self.assertEqual(direct.client.rest().decode(), self.replies["certificate_broken"] + "\r\n")
                self.assertIn("config: TLSCIPHERS", direct.log())
                self.assertIn(sentence, direct.log())

    def test_unreadable(self):
        self.home.pem.unlink()
        self.home.pem.symlink_to(self.home.pem.name)
        self.assert_broken(" cannot be read: Too many levels of symbolic links: let the user that postern runs as")

    def test_malformed(self):
        key, certificate = self.home.key, self.home.certificate
        for text, sentence in (("", " holds neither"), ("garbage\n", " holds neither"), (key, " holds no certificate"),
                               (certificate, " holds no private key"), (key + certificate[:300], " line "),
                               (key + certificate.replace("\nMII", "\nM!I"), " line ")):
            with self.subTest(sentence=sentence):
                self.home.pem.write_text(text)
                self.assert_broken(sentence)

    def test_an_absent_one_turns_starttls_off_with_a_warning(self):
        self.home.pem.unlink()
        direct = self.start(greeted=True)
        self.assertNotIn("STARTTLS", direct.client.say("EHLO client.example"))
        self.assertEqual(direct.client.say("STARTTLS"), self.replies["tls_unavailable"])
        self.assertIn("warning: STARTTLS is off: there is no control/servercert.pem\n", direct.log())


if __name__ == "__main__":
    peer.main()
