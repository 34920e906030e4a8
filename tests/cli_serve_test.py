"""postern serve -c and postern check -c: what is wrong with a file is reported with its place, by both in the same words."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
import unittest

from cli_check_test import Folder, write_cdb
from cli_program import PROGRAM, SOURCE, run, run_json

FINE, REFUSED, USAGE = 0, 2, 100
PATIENCE_SECONDS = 30
LISTENER = '[[listener]]\nip = "127.0.0.1"\nport = 0\n'
DISCARDING = LISTENER + "POSTERN_DISCARD = 1\n"
IS_ROOT = os.geteuid() == 0


def log_of(text):
    """(event, sentence) of each line of the log."""
    return re.findall(r"^postern\[\d+\]: ([a-z]+): (.*)$", text, re.M)


def problems_of(text):
    return [sentence for event, sentence in log_of(text) if event == "config"]


def refusals_of(judgement):
    return [piece["text"] for piece in judgement["advice"] if piece["grade"] == "refusal"]


def make_certificate(path):
    made = subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "7", "-subj", "/CN=mx.example.org", "-newkey", "ec",
                           "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{path}.key", "-out", f"{path}.crt"],
                          capture_output=True, timeout=PATIENCE_SECONDS)
    made.check_returncode()
    with open(path, "w") as file:
        for part in ("key", "crt"):
            with open(f"{path}.{part}") as source:
                file.write(source.read())


class Home(Folder):
    """A home with control/, a certificate, users.cdb and mail/; a file beside it."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.path("home/control/me", "mx.example.org\n")
        self.path("home/control/rcpthosts", "example.org\n")
        make_certificate(self.path("home/control/servercert.pem"))
        write_cdb(self.path("home/users.cdb"), [(b"alice", b"$5$x$y")])
        os.mkdir(self.path("home/mail"))
        self.home = self.path("home")

    def file(self, text, server=""):
        return self.path("postern.toml", f'[server]\nhome = "{self.home}"\n{server}{text}')

    def check(self, text, server="", expect=None, env=None):
        return run_json("check", "-c", self.file(text, server), expect=expect, env=env)

    def refused_alike(self, text, server="", env=None):
        """The sentences of serve, which are those of check."""
        file = self.file(text, server)
        said = problems_of(run("serve", "-c", file, expect=USAGE, env=env)[2])
        self.assertEqual(said, refusals_of(run_json("check", "-c", file, expect=REFUSED, env=env)))
        self.assertNotEqual(said, [])
        return [sentence.replace(file, "FILE") for sentence in said]


class Sentences(Home):
    def said_of(self, line, table="listener"):
        """What is said of one line more in a file that is fine without it."""
        heads = {"listener": DISCARDING, "variables": DISCARDING + "[variables]\n", "limits": DISCARDING + "[limits]\n",
                 "tls": DISCARDING + "[tls]\n", "": DISCARDING}
        if table == "server":
            said = self.refused_alike(DISCARDING, server=line + "\n")
        else:
            said = self.refused_alike(heads[table] + line + "\n")
        self.assertEqual(len(said), 1, said)
        place, sentence = said[0].split(": ", 1)
        number = 3 if table == "server" else 3 + heads[table].count("\n")
        self.assertEqual(place, f"FILE line {number}", said)
        return sentence

    def test_a_value_is_told_with_what_is_allowed(self):
        for table, line, wanted in [
                ("server", 'loops = "two"', 'loops = "two": only a number from 1 to 256 is allowed'),
                ("server", "loops = 0", "loops = 0: only a number from 1 to 256 is allowed"),
                ("server", "sandbox = 1", "sandbox = 1: only true and false are allowed"),
                ("server", 'user = ""', 'user = "": only a text in quotes is allowed, not empty and without control characters'),
                ("server", 'log = "xml"', 'log = "xml": only "text" and "json" are allowed'),
                ("server", 'log = "jsn"', 'log = "jsn": only "text" and "json" are allowed: did you mean "json"?'),
                ("tls", 'minimum = "1.1"', 'minimum = "1.1": only "1.2" and "1.3" are allowed'),
                ("server", "domains = \"example.org\"",
                 'domains = "example.org": only an array of texts is allowed, as ["one", "two"]'),
                ("server", 'domains = ["*.example.org"]',
                 'domains = "*.example.org": never matches: write .example.org for all below example.org, without *'),
                ("server", 'metrics = "localhost:9925"', 'metrics = "localhost:9925": only an address and a port are allowed, '
                 'as "127.0.0.1:9925" or "[::1]:9925"'),
                ("limits", "sessions = -1", "sessions = -1: only a number from 0 to 4294967295 is allowed"),
                ("limits", 'exempt = ["10.0.0.1/8"]',
                 'exempt = "10.0.0.1/8": 10.0.0.1/8: has bits set after its prefix; write 10.0.0.0/8'),
                ("limits", "exempt = [10]", 'exempt = 10: only a network in quotes is allowed, as "10.0.0.0/8"'),
                ("tls", "minimum = 1.3", 'minimum = 1.3: only "1.2" and "1.3" are allowed'),
                ("variables", "SSL = 2", "SSL = 2: only 0 and 1 are allowed (unset or empty means 0)"),
                ("variables", "SSL = true", "SSL = true: only 0 and 1 are allowed (unset or empty means 0)"),
                ("variables", 'SSL = "1"', 'SSL = "1": only a number without quotes is allowed'),
                ("variables", "AUTH_CDB = 1", "AUTH_CDB = 1: only a text in quotes is allowed, without control characters"),
                ("listener", "GREETDELAY = 3601",
                 "GREETDELAY = 3601: only a number from 0 to 3600 is allowed (unset or empty means 0)"),
                ("listener", "ERROR_FD = 1", "ERROR_FD = 1: only a number from 2 to 255 is allowed (unset or empty means 4 and 6)"),
                ("listener", 'check_program = ["/bin/checkpassword"]', "check_program = an array: only a host name, a program "
                 'and what it is to run are allowed, as ["mx.example.org", "/bin/checkpassword", "/bin/true"]')]:
            with self.subTest(line):
                self.assertEqual(self.said_of(line, table), wanted)

    def test_no_domain_at_all_is_refused(self):
        # It would be neither that list nor control/rcpthosts.
        self.assertEqual(self.said_of("domains = []", "server"), "domains = an array: name at least one domain, or leave the key "
                         "out: then control/rcpthosts has them")

    def test_a_sentence_is_one_line_of_text(self):
        for table, line, wanted in [
                ("server", '"a\\nb" = 1', "a key that is empty or has control characters is not a key here, only home, "),
                ("variables", '"A\\u001b[31m" = 1', "a key that is empty or has control characters is not a variable of "),
                ("tls", "x" * 300 + " = 1", "x" * 100 + "... is not a key here, only minimum, "),
                ("server", 'loops = "' + 98 * "x" + "\u00c3\u00a4\"", 'loops = "' + 98 * "x" + "...: only a number "),
                ("limits", 'exempt = ["10.0.0.1\\n"]', 'exempt = a text with control characters: only a network in quotes '),
                ("listener", 'proxies = ["' + 200 * "1" + '"]', 'proxies = "' + 99 * "1" + "...: only a network in quotes ")]:
            with self.subTest(line):
                self.assertEqual(self.said_of(line, table)[:len(wanted)], wanted)
        for line, wanted in [
                ("SSL = fals", "SSL = fals: no TOML: boolean: expected 'false', saw 'fals?'"),
                ("SSL = \x07", "no TOML: ")]:
            with self.subTest(line):
                self.assertTrue(self.refused_alike(DISCARDING + line + "\n")[0].split(": ", 1)[1].startswith(wanted), wanted)

    def test_a_line_that_is_no_toml_is_shown(self):
        value = "; a number is digits alone, and any other text stands in quotes"
        for line, wanted in [
                ("DATABYTES = 50k", "DATABYTES = 50k: no TOML: decimal integer: expected digit, saw 'k'" + value),
                ("AUTH_CDB = users.cdb", "AUTH_CDB = users.cdb: no TOML: value: could not determine value type" + value),
                ("SSL 1", "SSL 1: no TOML: key-value pair: expected '=', saw '1'"),
                ("SSL = 1\nSSL = 0", "SSL = 0: no TOML: key-value pair: cannot redefine existing integer 'SSL'"),
                ('DATABYTES = "50k"', 'DATABYTES = "50k": only a number without quotes is allowed'),
                ("SMTPGREETING = '" + 200 * "x", "SMTPGREETING = '" + 84 * "x" + "...: no TOML: literal string: ")]:
            with self.subTest(line):
                place, sentence = self.refused_alike(DISCARDING + line + "\n")[0].split(": ", 1)
                self.assertRegex(place, "^FILE line [789]$")
                self.assertTrue(sentence.startswith(wanted), sentence)

    def test_a_misspelt_variable_of_the_process_is_a_warning(self):
        self.maxDiff = None
        wanted = "the environment: FORCE_TSL is not a variable: did you mean FORCE_TLS?"
        found = self.check(DISCARDING, env={"FORCE_TSL": "1", "WHITELISTED": "1"})
        self.assertEqual([piece["text"] for piece in found["advice"] if "did you mean" in piece["text"]], [wanted])

    def test_a_key_that_is_none_is_told_where_it_belongs(self):
        for table, line, wanted in [
                ("server", "group = 1", "group is not a key here, only home, user, chroot, "),
                ("", "[listeners]", "listeners is not a key here: did you mean listener? Only server, limits, tls, variables, listener are"),
                ("tls", 'ciphers = "x"', "ciphers is the variable TLSCIPHERS, in [variables] or [[listener]]"),
                ("listener", "ssl = 1", "ssl is written SSL"),
                ("listener", 'prot = "x"', "prot is not a key here, only ip, port, socket, certificates, "),
                ("listener", 'sockets = "x"', "sockets is not a key here: did you mean socket? Only ip, port, socket, certificates, "),
                ("listener", "force_tsl = 1", "force_tsl is neither a key nor a variable: did you mean FORCE_TLS?"),
                ("server", "lops = 2", "lops is not a key here: did you mean loops? Only home, user, chroot, "),
                ("limits", "session = 2", "session is not a key here: did you mean sessions? Only sessions, "),
                ("tls", "ticket = true", "ticket is not a key here: did you mean tickets? Only minimum, "),
                ("variables", "FORCE_TSL = 1", "FORCE_TSL is not a variable of postern: did you mean FORCE_TLS? Only PORT, SSL, FORCE_TLS, "),
                ("variables", "PORT = 25", "PORT belongs in a [[listener]]"),
                ("variables", 'POSTERN_HOME = "/"', "POSTERN_HOME is home in [server] here"),
                ("variables", 'POSTERN_DNS = "127.0.0.1"', "POSTERN_DNS is dns in [server] here"),
                ("variables", 'TCPREMOTEIP = "::1"', "TCPREMOTEIP is set for each client by the listener itself")]:
            with self.subTest(line):
                said = self.said_of(line, table) if table else self.refused_alike(DISCARDING + line + "\n")[0]
                self.assertIn(wanted, said)

    def test_an_address_is_complete_and_there_once(self):
        for text, wanted in [
                ("", "there is no [[listener]]: write one"),
                ("[listener]\n", "write [[listener]], with two brackets"),
                ("[[listener]]\nport = 25\n", "a [[listener]] has ip and port, or socket, the name of one that systemd holds"),
                ('[[listener]]\nip = "localhost"\nport = 1\n', 'ip = "localhost": only an IP address in quotes is allowed'),
                ('[[listener]]\nip = "::1"\nport = 65536\n', "port = 65536: only a number from 0 to 65535 is allowed"),
                ('[[listener]]\nip = "::1"\nport = 25\n' * 2, "a second listener at [::1]:25: FILE line 3 is the first"),
                ('[[listener]]\nsocket = "smtp"\n' * 2, "a second listener at socket smtp: FILE line 3 is the first")]:
            with self.subTest(text):
                said = self.refused_alike(text)
                self.assertTrue(any(wanted in each for each in said), said)

    def test_mail_goes_one_way_and_one_judges_passwords(self):
        said = self.refused_alike(LISTENER + 'POSTERN_MAILDIR = "mail"\nPOSTERN_LMTP = "unix:/x"\n')
        self.assertIn("POSTERN_MAILDIR and POSTERN_LMTP: mail has one way out; write one of them", said[0])
        said = self.refused_alike(DISCARDING + 'AUTH_CDB = "users.cdb"\ncheck_program = ["a", "b", "c"]\n')
        self.assertIn("AUTH_CDB and check_program: one of them checks passwords; write only that one", said[0])

    def test_everything_is_told_at_once_in_the_order_of_the_file(self):
        said = self.refused_alike(LISTENER + "SSL = 2\nAUTH = 3\n[variables]\nDENY_TLS = 4\n[server.x]\n[limits]\nsessions = 1.5\n",
                                  server="loops = 0\n")
        self.assertEqual([int(re.search(r"line (\d+)", sentence)[1]) for sentence in said], [3, 7, 8, 10, 11, 13])

    def test_what_the_machine_lacks_is_told_with_what_is_wrong_in_the_file(self):
        self.path("home/control/rcpthosts", "a.org\rb.org\r")
        said = self.refused_alike(
            LISTENER + 'POSTERN_MAILDIR = "none"\ncolour = "red"\nTLS_SERVER_CERT = "none.pem"\nFORCE_TLS = 1\n'
            '[[listener]]\nip = "::1"\nport = 0\nPOSTERN_MAILDIR = "gone"\nAUTH_CDB = "none.cdb"\n'
            "[limits]\nsessions = 1.5\n", server='loops = "two"\n')
        for wanted in ("FILE line 3: loops", "FILE line 8: colour is not a key here", "FILE line 17: sessions = 1.5",
                       'FILE line 7: POSTERN_MAILDIR="none" is not', "FILE line 4: none.pem", "control/rcpthosts line 1",
                       'FILE line 15: AUTH_CDB="none.cdb" is not a readable cdb file', 'FILE line 14: POSTERN_MAILDIR="gone"'):
            self.assertTrue(any(wanted in each for each in said), (wanted, said))
        lines = [int(line[1]) for line in (re.match(r"FILE line (\d+)", sentence) for sentence in said) if line]
        self.assertEqual((lines, len(said)), (sorted(lines), len(lines) + 1), said)
        self.assertTrue(said[-1].startswith("control/rcpthosts line 1"), said)

    def test_what_is_wrong_for_each_listener_is_told_once_in_the_order_of_the_file(self):
        said = self.refused_alike('[variables]\nPOSTERN_MAILDIR = "none"\nVALIDRCPTTO_CDB = "none.cdb"\n' +
                                  LISTENER.replace("= 0", "= 1") + 'AUTH_CDB = "gone.cdb"\n' + LISTENER + 'AUTH_CDB = "none.cdb"\n')
        self.assertEqual([int(re.match(r"FILE line (\d+)", sentence)[1]) for sentence in said], [4, 5, 9, 13], said)

    def test_what_follows_from_a_mistake_in_the_file_is_not_told(self):
        wrong = 'POSTERN_MAILDIR = 1\n'
        for text, server, count in [
                (LISTENER + wrong, "", 1),
                (LISTENER + 'POSTERN_MALIDIR = "mail"\n', "", 1),
                (f"[variables]\n{wrong}" + LISTENER + "REQUIRE_AUTH = 1\n", "", 1),
                ('[varables]\nPOSTERN_MAILDIR = "mail"\n' + LISTENER, "", 1),
                (LISTENER + 'POSTERN_MAILDIR = "none"\n', "user = 1\n", 1),
                (LISTENER + 'POSTERN_MAILDIR = "none"\n', 'chrot = "/x"\n', 1),
                (DISCARDING + "REQUIRE_AUTH = 1\nAUTH_CDB = 1\n", "", 1),
                (DISCARDING + 'FORCE_TLS = 1\nTLS_SERVER_CERT = ""\nTLS_SERVER_KEY = 1\n', "", 1),
                (LISTENER + 'POSTERN_MAILDIR = "none"\n', "loops = 0\n", 2)]:
            with self.subTest(text + server):
                self.assertEqual(len(self.refused_alike(text, server)), count)
        file = self.path("no_home.toml", '[server]\nhmoe = "/x"\n' + LISTENER + 'POSTERN_MAILDIR = "none"\n')
        self.assertEqual(len(refusals_of(run_json("check", "-c", file, expect=REFUSED))), 1)

    def test_what_is_no_toml_is_told_with_its_line(self):
        self.assertRegex(self.refused_alike("a = = 1\n")[0], r"^FILE line 3: ")
        code, _, log = run("serve", "-c", self.path("none.toml"))
        self.assertEqual((code, problems_of(log)), (USAGE, [self.path("none.toml") + ": cannot be read: No such file or directory"]))
        self.assertIn("is a folder", run("serve", "-c", self.folder, expect=USAGE)[2])

    def test_a_variable_of_the_environment_has_no_say_beside_a_file(self):
        said = self.refused_alike(DISCARDING, env={"FORCE_TLS": "1", "TMPDIR": "/tmp", "PATH": "/bin"})
        self.assertEqual(said, ["FORCE_TLS in the environment: with a file it has no effect; write it into FILE, or unset it"])

    def test_one_that_is_empty_is_as_good_as_unset_unless_it_counts_so(self):
        run("check", "-c", self.file(DISCARDING), env={"FORCE_TLS": "", "DATABYTES": "", "RBLSMTPD": "", "PATH": "/bin"}, expect=FINE)
        for name in ("RELAYCLIENT", "AUTH_CDB"):
            self.assertEqual(len(self.refused_alike(DISCARDING, env={name: "", "PATH": "/bin"})), 1)

    def test_the_manual_knows_the_variables_that_the_file_knows(self):
        names = re.search(r"only (.*?) are;", self.said_of("NONE = 1", "variables"))[1].split(", ")
        with open(os.path.join(SOURCE, "docs/operating.md")) as file:
            table = file.read().split("## Variables")[1].split("\n## ")[0]
        documented = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([A-Z_]+)`", row)}
        self.assertEqual(documented - {"POSTERN_HOME", "POSTERN_DNS", "TCPREMOTEIP"}, set(names))


    def test_the_keys_of_a_listener_are_those_of_the_table(self):
        with open(os.path.join(SOURCE, "spec/options.toml"), "rb") as file:
            rows = tomllib.load(file)["option"]
        said = re.search(r"a key here, only (.*?) are", self.said_of("none = 1", "listener"))[1].split(", ")
        self.assertEqual(said, [row["name"] for row in rows if "listener" in row["where"] and row["name"].islower()])


class Judgements(Home):
    def test_each_listener_is_judged_for_its_port(self):
        found = self.check(DISCARDING.replace("port = 0", "port = 587") + "PORT = 25\nFORCE_TLS = 1\n"
                           '[[listener]]\nsocket = "submissions"\nPOSTERN_DISCARD = 1\n', expect=FINE)
        first, second = ([piece["id"] for piece in each["advice"]] for each in found["listeners"])
        self.assertIn("force_tls_on_port_25", first)
        self.assertIn("clear_on_port_465", second)

    def test_a_check_program_and_domains_are_seen(self):
        os.unlink(self.path("home/control/rcpthosts"))
        ids = lambda found: [piece["id"] for piece in found["listeners"][0]["advice"]]
        self.assertIn("no_rcpthosts", ids(self.check(DISCARDING)))
        text = DISCARDING + 'check_program = ["mx.example.org", "/bin/true", "/bin/true"]\n'
        found = self.check(text, 'domains = ["example.org"]\n', expect=FINE)
        self.assertNotIn("no_rcpthosts", ids(found))
        self.assertEqual((found["listeners"][0]["settings"]["AUTH"], found["listeners"][0]["backend_from"]), (1, "check_program"))

    def test_a_maildir_that_relays_nothing_is_told(self):  # deviation D25
        os.makedirs(self.path("home/mail"), exist_ok=True)
        ids = lambda found: [piece["id"] for piece in found["listeners"][0]["advice"]]
        maildir = LISTENER + 'POSTERN_MAILDIR = "mail"\n'
        users = 'check_program = ["mx.example.org", "/bin/true", "/bin/true"]\nALLOW_INSECURE_AUTH = 1\n'
        self.assertNotIn("relays_no_mail", ids(self.check(maildir)))
        self.assertIn("relays_no_mail", ids(self.check(maildir + users)))
        self.assertIn("relays_no_mail", ids(self.check(maildir + 'RELAYCLIENT = ""\n')))
        found = self.check(maildir + users + "relay = true\n")
        self.assertNotIn("relays_no_mail", ids(found))
        self.assertIn("something there must send it on", str(found))
        said = self.refused_alike(maildir + "POSTERN_RELAY = 1\nrelay = true\n")
        self.assertIn("POSTERN_RELAY sets the same", said[0])

    def test_each_class_of_tcprules_is_judged(self):
        write_cdb(self.path("home/tcp.cdb"), [(b"10.", b"D\0"), (b"127.", b"+SSL=O\0"), (b"", b"+RELAYCLIENT=\0")])
        found = self.check(DISCARDING + 'tcprules = "tcp.cdb"\n', expect=REFUSED)
        classes = {each["address"]: each for each in found["listeners"][0]["classes"]}
        self.assertEqual(classes["10."]["verdict"], "denied")
        self.assertIn("bad_value", [piece["id"] for piece in classes["127."]["advice"]])
        self.assertIn("open_relay", [piece["id"] for piece in classes[""]["advice"]])
        self.assertEqual(found["verdict"], "live")
        said = run("check", "-c", self.file(DISCARDING + 'tcprules = "tcp.cdb"\n'), expect=REFUSED)[1]
        self.assertIn("verdict  refused: it would start, and refuse the clients of class 127.; 1 refusal", said)

    def test_a_list_of_recipients_that_is_named_and_missing_is_told(self):
        sentence = 'VALIDRCPTTO_CDB="none.cdb" does not exist: make it with cdb -c, or unset VALIDRCPTTO_CDB'
        said = self.refused_alike(DISCARDING + 'VALIDRCPTTO_CDB = "none.cdb"\n')
        self.assertEqual(len(said), 1)
        self.assertIn(sentence, said[0])
        write_cdb(self.path("home/tcp.cdb"), [(b"10.", b"+VALIDRCPTTO_CDB=none.cdb\0"), (b"11.", b"+VALIDRCPTTO_CDB=torn.cdb\0"), (b"", b"")])
        self.path("home/torn.cdb", "torn")
        found = self.check(DISCARDING + 'tcprules = "tcp.cdb"\n', expect=REFUSED)
        advice = {each["address"]: [piece["text"] for piece in each["advice"]] for each in found["listeners"][0]["classes"]}
        self.assertIn(sentence, str(advice["10."]))
        self.assertNotIn("cdb", str(advice[""]))

    def test_what_would_defer_recipients_is_a_danger_also_of_a_class(self):
        dangers = lambda text: [piece["text"] for piece in self.check(text, expect=1)["advice"] if piece["grade"] == "danger"]
        self.path("home/torn.cdb", "torn")
        self.path("home/check", "#!/bin/sh\n")
        os.chmod(self.path("home/check"), 0o644)
        why = "as it is, each recipient of ours gets 451"
        for setting, sign in (("VALIDRCPTTO_CDB", "torn.cdb: cannot be read: not a well-formed cdb"),
                              ("RCPTCHECK", 'RCPTCHECK="check" ')):
            value = "torn.cdb" if setting == "VALIDRCPTTO_CDB" else "check"
            with self.subTest(setting):
                said = dangers(DISCARDING + f'{setting} = "{value}"\n')
                self.assertEqual(len([each for each in said if sign in each and why in each]), 1, said)
                write_cdb(self.path("home/tcp.cdb"), [(b"11.", f"+{setting}={value}\0".encode()), (b"", b"")])
                said = dangers(DISCARDING + 'tcprules = "tcp.cdb"\n')
                self.assertEqual(len([each for each in said if "class 11. of tcp.cdb: " in each and sign in each]), 1, said)

    def test_a_variable_has_its_own_line(self):
        text = DISCARDING + '\n# a line more\nDNSBL = "list.invalid"\n'
        said = self.refused_alike(text)
        line = text.splitlines().index('DNSBL = "list.invalid"') + 1 + 2
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], rf"^FILE line {line}: DNSBL: ")

    def test_a_wrong_resolver_is_told_once_with_its_line(self):
        text = DISCARDING + 'DNSBL = "list.invalid=127.0.0.2"\n'
        said = self.refused_alike(text, server='dns = "127.0.0.1x"\n')
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r'^FILE line \d+: dns: "127.0.0.1x" is no address of a server: write one such as ')

    def test_settings_of_dns_lists_that_do_not_go_together(self):
        lists = 'DNSBL = "list.invalid=127.0.0.2"\n'
        for text, sign in ((DISCARDING + "DNSBL_THRESHOLD = 2\n", "DNSBL_THRESHOLD has no effect without DNSBL, DNSBL_SENDER or DNSBL_HELO"),
                           (DISCARDING + "DNSBL_AT_CONNECT = 1\n", "DNSBL_AT_CONNECT=1 has no effect without DNSBL"),
                           (DISCARDING + lists + 'RBLSMTPD = ""\n', "no DNS list is asked"),
                           (DISCARDING + lists + "DNSBL_AT_CONNECT = 1\nREQUIRE_AUTH = 1\nAUTH_CDB = 'users.cdb'\nALLOW_INSECURE_AUTH = 1\n", "cannot log in")):
            write_cdb(self.path("home/users.cdb"), [(b"user", b"hash")])
            found = self.check(text, 'dns = "127.0.0.1:1"\n')
            warned = [piece["text"] for piece in found["advice"] if piece["grade"] == "warning" and sign in piece["text"]]
            self.assertEqual(len(warned), 1, (text, found["advice"]))
            self.assertNotIn(sign, str(self.check(DISCARDING + lists, 'dns = "127.0.0.1:1"\n')["advice"]))

    def test_what_a_class_is_warned_of_is_told_once(self):
        write_cdb(self.path("home/tcp.cdb"), [(b"10.", b"+DNSBL_THRESHOLD=3\0"), (b"11.", b"+DNSBL_THRESHOLD=3\0"), (b"", b"")])
        found = self.check(DISCARDING + 'tcprules = "tcp.cdb"\nDNSBL = "ipv4:list.invalid=127.0.0.2"\n', 'dns = "127.0.0.1:1"\n')
        said = [piece["text"] for piece in found["advice"] if "DNSBL_THRESHOLD is 3" in piece["text"]]
        self.assertEqual(len(said), 1, said)
        self.assertIn("class 10. of tcp.cdb: ", said[0])

    def test_a_class_that_rblsmtpd_refuses_is_told_so(self):  # deviation D32
        write_cdb(self.path("home/tcp.cdb"), [(b"10.", b"+RBLSMTPD=-go away\0+RELAYCLIENT=\0"), (b"11.", b"+RBLSMTPD=try later\0"),
                                              (b"12.", b"+RBLSMTPD=\0"), (b"13.", b"+RBLSMTPD=\xe4\0"), (b"", b"")])
        text = DISCARDING + 'tcprules = "tcp.cdb"\n'
        found = self.check(text, expect=REFUSED)
        classes = {each["address"]: each for each in found["listeners"][0]["classes"]}
        self.assertEqual([(classes[each]["verdict"], classes[each].get("listed")) for each in ("10.", "11.", "12.")],
                         [("refused", "553 go away"), ("refused", "451 try later"), ("live", None)])
        self.assertEqual(classes["10."]["advice"], [])
        self.assertIn("bad_value", [piece["id"] for piece in classes["13."]["advice"]])
        self.assertIn("class 10.\nrefused  by RBLSMTPD: 553 go away\n", run("check", "-c", self.file(text))[1])
        with_tls = self.check(text + "SSL = 1\n", expect=REFUSED)["listeners"][0]["classes"]
        self.assertIn("no reply: TLS comes first", [each["listed"] for each in with_tls if each["address"] == "10."][0])
        everybody = self.check(DISCARDING + 'RBLSMTPD = "-nobody"\n')["listeners"][0]
        self.assertEqual((everybody["verdict"], everybody["listed"]), ("refused", "553 nobody"))

    def test_a_misspelt_name_in_tcprules_is_told_as_the_start_tells_it(self):
        write_cdb(self.path("home/tcp.cdb"), [(b"10.", b"+FORCE_TSL=1\0"), (b"", b"")])
        found = self.check(DISCARDING + 'tcprules = "tcp.cdb"\n', expect=REFUSED)
        self.assertIn("FORCE_TSL is not a variable: did you mean FORCE_TLS?", str(found["advice"]))

    def test_the_control_file_of_ciphers_is_read_where_no_variable_is(self):
        self.path("home/control/tlsserverciphers", "NO-SUCH-CIPHER\n")
        self.assertIn("TLSCIPHERS selects no cipher: NO-SUCH-CIPHER", self.refused_alike(DISCARDING)[0])
        self.check(DISCARDING + 'TLSCIPHERS = "HIGH"\n', expect=FINE)

    def test_a_listener_that_names_a_way_has_no_other(self):
        text = '[variables]\nQMAILQUEUE = "/no/queue"\nAUTH_CDB = "none.cdb"\n'
        self.check(text + DISCARDING + 'check_program = ["a", "/bin/true", "c"]\n', expect=FINE)

    def test_text_and_strictness(self):
        file = self.file(DISCARDING)
        text = run("check", "-c", file, expect=FINE)[1]
        self.assertIn(f"{file} line 3, 127.0.0.1:0\n", text)
        self.assertIn("warning  runs as root" if IS_ROOT else "POSTERN_DISCARD=1: all mail", text)
        run("check", "--strict", "-c", file, expect=1)

    def test_other_options_do_not_go_with_a_file(self):
        file = self.file(DISCARDING)
        for arguments in (["check", "--env", file], ["check", "--tcprules", file], ["check", "--backend", "yes"],
                          ["serve", "--listen", "127.0.0.1:0"], ["serve", "--discard"]):
            self.assertIn("excludes", run(*arguments, "-c", file, expect=USAGE)[2])
        run("serve", expect=USAGE)

    def test_the_help_teaches(self):
        text = run("serve", "--help", expect=FINE)[1]
        for words in ("postern serve -c", "postern check -c", "--listen 127.0.0.1:2525 --maildir", "[[listener]]", "SIGHUP",
                      "Exit code"):
            self.assertIn(words, text)
        example = "".join(line.strip() + "\n" for line in text.split("as short as this:")[1].split("SIGHUP")[0].splitlines())
        example = example.replace("/var/mail", self.path("home/mail")).replace("/var/lib/postern", self.home)
        run("check", "-c", self.path("example.toml", example), expect=FINE)

    def test_the_sample_is_fine(self):
        with open(os.path.join(SOURCE, "packaging/postern.toml")) as file:
            text = file.read()
        self.assertIn('home = "/var/lib/postern"', text)
        file = self.path("sample.toml", text.replace("/var/lib/postern", self.home))
        found = run_json("check", "-c", file, expect=FINE)
        self.assertEqual([each["settings"]["PORT"] for each in found["listeners"]], [25, 587, 465])
        for each in found["listeners"]:
            self.assertTrue(each["table"]["exact"], each["of"])
            self.assertLessEqual({piece["grade"] for piece in each["advice"]}, {"note"}, each["advice"])
        settings = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.M)  # what it leaves out is right, too
        write_cdb(self.path("home/tcp.smtp.cdb"), [(b"", b"")])
        os.mkdir(self.path("home/greylist"))  # as the sample says
        settings = settings.replace("/var/lib/postern", self.home).replace('user = "postern"', "").replace("# [limits]", "[limits]")
        run("check", "-c", self.path("sample.toml", settings), expect=FINE)


class Running(Home):
    def start(self, text, server=""):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([PROGRAM, "serve", "-c", self.file(text, server)], stderr=self.log, env={})
        self.addCleanup(self.end)
        self.until(lambda: "ready" in self.events())

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def lines(self):
        self.log.seek(0)
        return log_of(self.log.read().decode())

    def events(self):
        return [event for event, _ in self.lines()]

    def until(self, is_true):
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            if time.monotonic() > end or self.process.poll() is not None:
                self.fail(self.lines())
            time.sleep(0.02)

    def greeting(self):
        port = next(int(said.rsplit(":", 1)[1]) for event, said in self.lines() if event == "listen")
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as client:
            return client.makefile("rb").readline().decode()

    def reload(self, text, server=""):
        """The sentence of the reload."""
        count = self.events().count("reload")
        self.file(text, server)
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.events().count("reload") > count)
        return [said for event, said in self.lines() if event == "reload"][-1]

    def test_a_reload_takes_what_it_can_and_says_what_it_cannot(self):
        self.start(DISCARDING + 'SMTPGREETING = "one"\n')
        self.assertEqual(self.greeting(), "220 one ESMTP\r\n")
        self.assertIn("done", self.reload(DISCARDING + 'SMTPGREETING = "two"\n'))
        self.assertEqual(self.greeting(), "220 two ESMTP\r\n")
        for greeting in ("three", "four"):
            said = self.reload(DISCARDING + f'SMTPGREETING = "{greeting}"\n', "loops = 7\ncheckers = 9\n")
            self.assertEqual(said, "done: new sessions are served with it; loops, checkers: as before until a restart")
            self.assertEqual(self.greeting(), f"220 {greeting} ESMTP\r\n")
        said = self.reload((DISCARDING + 'SMTPGREETING = "five"\n').replace("127.0.0.1", "127.0.0.2"))
        self.assertEqual(said, "refused, and nothing has changed: ip, port or socket of a [[listener]] cannot change in a server "
                               "that runs: restart, after postern check -c finds the file fit, or undo that to have the rest")
        said = self.reload(DISCARDING + "SSL = 2\n")
        self.assertIn("line 7: SSL = 2: only 0 and 1 are allowed", said)
        self.assertEqual(self.greeting(), "220 four ESMTP\r\n")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)

    def test_a_file_that_leads_to_itself_refuses_a_reload_and_ends_nothing(self):
        self.start(DISCARDING + 'SMTPGREETING = "one"\n')
        file = self.path("postern.toml")
        os.rename(file, file + ".away")
        os.symlink("postern.toml", file)
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: "reload" in self.events())
        self.assertRegex(self.lines()[[event for event, _ in self.lines()].index("reload")][1], "^refused, .*symbolic links")
        self.assertEqual(self.greeting(), "220 one ESMTP\r\n")
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)

    def test_a_reload_does_not_promise_what_the_sandbox_forbids(self):
        os.mkdir(self.path("home/other"))
        self.start(LISTENER + 'POSTERN_MAILDIR = "mail"\n')
        if not any("Landlock ABI" in said for event, said in self.lines() if event == "sandbox"):
            self.skipTest("no Landlock here")
        said = self.reload(LISTENER + 'POSTERN_LMTP = "tcp:127.0.0.1:24"\n')
        self.assertIn("the sandbox does not include", said)

    def test_metrics_are_where_they_are_said_to_be(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        self.start(DISCARDING, 'metrics = "[::1]:0"\n')
        at = next(said for event, said in self.lines() if event == "metrics")
        self.assertRegex(at, r"^\[::1\]:\d+$")
        with socket.create_connection(("::1", int(at.rsplit(":", 1)[1])), PATIENCE_SECONDS) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200", client.makefile("rb").readline())

    @unittest.skipUnless(IS_ROOT, "only root can change the root")
    def test_with_another_root_a_path_means_the_same_at_start_and_reload(self):
        self.home, root = "/home", self.folder
        text, server = LISTENER + 'POSTERN_MAILDIR = "/home/mail"\nSMTPGREETING = "one"\n', f'chroot = "{root}"\n'
        found = self.check(text, server, expect=FINE)
        self.assertEqual(found["listeners"][0]["facts"]["certificate"], 1)
        self.start(text, server)
        self.assertEqual(self.greeting(), "220 one ESMTP\r\n")
        self.assertIn("done", self.reload(text.replace("one", "two"), server))
        self.assertEqual(self.greeting(), "220 two ESMTP\r\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
