"""postern check: every setting gets its verdict; the mistakes of operators are found, with place and remedy."""
import json
import os
import re
import struct
import tempfile
import unittest

from cli_program import all_settings, password_in_clear, run, run_json, verdict

FINE, WARNINGS, REFUSED, USAGE = 0, 1, 2, 100
DANGEROUS = 1


def environment(settings, **more):
    return {name: str(value) for name, value in {**settings, **more}.items()}


def ids(judgement):
    return [piece["id"] for piece in judgement["advice"]]


def text_of(judgement, identity):
    return next(piece["text"] for piece in judgement["advice"] if piece["id"] == identity)


def cdb_hash(key):
    h = 5381
    for octet in key:
        h = (h * 33 & 0xFFFFFFFF) ^ octet
    return h


def write_cdb(path, records):
    """cdb.txt: 256 pairs, the records, the tables."""
    tables, body = [[] for _ in range(256)], b""
    for key, value in records:
        h = cdb_hash(key)
        tables[h % 256].append((h, 2048 + len(body)))
        body += struct.pack("<II", len(key), len(value)) + key + value
    head, tail = b"", b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        head += struct.pack("<II", 2048 + len(body) + len(tail), len(slots))
        for h, position in table:
            at = (h // 256) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (h, position)
        tail += b"".join(struct.pack("<II", *slot) for slot in slots)
    with open(path, "wb") as file:
        file.write(head + body + tail)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="latin-1") as file:
                file.write(text)
        return path


class Verdicts(unittest.TestCase):
    def test_all_64_settings_get_the_right_verdict(self):
        count = {"refused": 0, "dead": 0, "live": 0, "clear": 0, "clear and forced": 0}
        for settings in all_settings():
            wanted = verdict(settings)
            code = REFUSED if wanted != "live" else DANGEROUS if password_in_clear(settings) else FINE
            found = run_json("check", "--certificate", "yes", env=environment(settings), expect=code)
            self.assertEqual(found["verdict"], wanted, settings)
            self.assertEqual(found["password_in_clear"], password_in_clear(settings), settings)
            self.assertEqual("password_in_clear" in ids(found), password_in_clear(settings), settings)
            count[wanted] += 1
            count["clear"] += found["password_in_clear"]
            count["clear and forced"] += "force_tls_does_not_stop_auth" in ids(found)
        self.assertEqual(count, {"refused": 22, "dead": 1, "live": 41, "clear": 6, "clear and forced": 2})

    def test_the_dead_one_is_explained_in_a_sentence(self):
        found = run_json("check", env={"AUTH": "1", "REQUIRE_AUTH": "1", "DENY_TLS": "1"}, expect=REFUSED)
        self.assertTrue(text_of(found, "dead").startswith(
            "nothing can be accepted: AUTH is required, AUTH is only offered under TLS, and DENY_TLS=1 removes TLS."))
        for fix in ["SSL=1", "DENY_TLS=0", "REQUIRE_AUTH=0", "ALLOW_INSECURE_AUTH=1"]:
            self.assertIn(fix, text_of(found, "dead"))

    def test_every_fix_works(self):
        for settings in all_settings():
            if verdict(settings) == "live":
                continue
            found = run_json("check", "--certificate", "yes", env=environment(settings), expect=REFUSED)
            fixes = found["advice"][0]["text"].split("one of: ")[1].split(", or ")
            for fix in fixes:
                words = [word.split("=") for word in fix.split() if re.fullmatch("[A-Z_]+=[01]", word)]
                changed = {**settings, **{name: int(value) for name, value in words}}
                facts = [] if "check program" not in fix else ["--backend", "yes"]
                self.assertTrue(words or facts, fix)
                code = DANGEROUS if password_in_clear(changed) else FINE
                run("check", "--certificate", "yes", *facts, env=environment(changed), expect=code)

    def test_no_certificate_makes_force_tls_a_refusal_and_else_a_warning(self):
        found = run_json("check", "--certificate", "no", env={"FORCE_TLS": "1"}, expect=REFUSED)
        self.assertIn("no usable certificate", text_of(found, "refused"))
        run("check", "--certificate", "no", env={}, expect=FINE)
        found = run_json("check", "--certificate", "no", "--strict", env={}, expect=WARNINGS)
        self.assertIn("no_certificate", ids(found))


class Mistakes(Folder):
    def test_ssl_with_the_letter_o_is_refused_with_place_and_remedy(self):
        found = run_json("check", env={"SSL": "O"}, expect=REFUSED)
        self.assertEqual(found["start"]["rule"], "connect.bad_value")
        self.assertEqual(text_of(found, "bad_value"),
                         'SSL="O" in the environment: only 0 and 1 are allowed (unset or empty means 0)')

    def test_values_are_strict(self):
        for value in ["yes", "O", " 1", "-1", "01", "2", "1x"]:
            for name in ["SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH"]:
                run("check", env={name: value}, expect=REFUSED)
        run("check", env={"SSL": "", "AUTH": ""}, expect=FINE)
        run("check", env={"PORT": "0"}, expect=REFUSED)

    def test_a_value_gives_no_orders_to_the_terminal(self):
        out = run("check", env={"SSL": "\x1b[31m"}, expect=REFUSED)[1]
        self.assertNotIn("\x1b", out)
        found = run_json("check", env={b"SSL": b"\xff\x1b"}, expect=REFUSED)
        self.assertIn("bad_value", ids(found))

    def test_a_run_script_is_read_as_it_is(self):
        script = self.path("run", '#!/bin/sh\n# comment\nSSL=O  # the letter\nFORCE_TLS=1\nexport AUTH="1"\nexec 2>&1\n')
        found = run_json("check", "--env", script, expect=REFUSED)
        self.assertIn(f'SSL="O" in {script}', text_of(found, "bad_value"))
        self.assertEqual(found["settings"]["FORCE_TLS"], 1)
        self.assertEqual(found["settings"]["AUTH"], 1)

    def test_a_misspelt_name_in_a_file_of_variables_is_a_warning(self):
        file = self.path("misspelt", "AUTH=0\nFORCE_TSL=1\nHOSTNAME=mx\n")
        found = run_json("check", "--env", file)
        self.assertIn("did you mean FORCE_TLS?", text_of(found, "misspelt_variable"))
        self.assertEqual(ids(found).count("misspelt_variable"), 1)

    def test_a_misspelt_name_in_the_own_environment_is_a_warning(self):
        found = run_json("check", "--certificate", "yes", env={"FORCE_TSL": "1", "WHITELISTED": "1", "HOSTNAME": "mx"})
        self.assertIn("FORCE_TSL is not a variable: did you mean FORCE_TLS?", text_of(found, "misspelt_variable"))
        self.assertEqual(ids(found).count("misspelt_variable"), 1)
        write_cdb(self.path("own.cdb"), [(b"10.", b"")])
        found = run_json("check", "--tcprules", self.path("own.cdb"), "--certificate", "yes", env={"FORCE_TSL": "1"})
        for each in found["classes"]:
            self.assertEqual(ids(each["judgement"] if "judgement" in each else each).count("misspelt_variable"), 1, each)

    def test_a_substitution_that_hit_three_lines_shows(self):
        # sed "s|AUTH=.*|AUTH=1|" also rewrites REQUIRE_AUTH and ALLOW_INSECURE_AUTH
        file = self.path("env", "AUTH=1\nREQUIRE_AUTH=1\nALLOW_INSECURE_AUTH=1\nPORT=25\n")
        found = run_json("check", "--strict", "--certificate", "yes", "--env", file, expect=WARNINGS)
        self.assertIn("password_in_clear", ids(found))
        self.assertIn("require_auth_on_port_25", ids(found))

    def test_an_envdir_is_read_as_envdir_reads_it(self):
        self.path("env/AUTH", "1  \nignored\n")
        self.path("env/FORCE_TLS", "")
        self.path("env/PORT", "587\n")
        found = run_json("check", "--envdir", self.path("env"), expect=FINE)
        self.assertEqual((found["settings"]["AUTH"], found["settings"]["FORCE_TLS"], found["settings"]["PORT"]), (1, 0, 587))

    def test_what_is_not_there_is_a_usage_error(self):
        run("check", "--env", self.path("none"), expect=USAGE)
        run("check", "--envdir", self.path("none"), expect=USAGE)
        run("check", "--tcprules", self.path("none"), expect=USAGE)
        run("check", "--tcprules", self.path("text.cdb", ":allow\n"), expect=USAGE)
        run("check", "--certificate", "perhaps", expect=USAGE)

    def test_names_of_other_servers_are_told(self):
        found = run_json("check", "--strict", env={"FORCETLS": "1", "SMTPAUTH": "!"}, expect=WARNINGS)
        self.assertEqual(ids(found).count("foreign_name"), 2)


class Verdict(Folder):
    """The last line says what comes of it, and the exit code the same."""

    def last(self, *arguments, expect, **env):
        return run("check", "--certificate", "yes", *arguments, env=env, expect=expect)[1].splitlines()[-1]

    def test_it_is_the_last_line(self):
        self.assertEqual(self.last(expect=FINE), "verdict  fit to start; no objection (exit code 0)")
        self.assertEqual(self.last(expect=FINE, FORCE_TLS="1"), "verdict  fit to start; 1 warning (exit code 0)")
        self.assertEqual(self.last("--strict", expect=WARNINGS, FORCE_TLS="1"), "verdict  fit to start; 1 warning (exit code 1)")
        self.assertEqual(self.last(expect=DANGEROUS, RELAYCLIENT=""),
                         "verdict  dangerous: it would start, but read the dangers above; 1 danger (exit code 1)")
        self.assertTrue(self.last(expect=REFUSED, SSL="O", AUTH="x").startswith("verdict  refused: it would not start; 2 refusals"))

    def test_every_hint_can_be_followed(self):
        out = run("check", env={"AUTH": "1", "REQUIRE_AUTH": "1"}, expect=FINE)[1]
        out += run("check", "--backend", "no", env={"AUTH": "1", "REQUIRE_AUTH": "1"}, expect=REFUSED)[1]
        out += run("check", "--certificate", "no", env={"FORCE_TLS": "1"}, expect=REFUSED)[1]
        hints = out.split("To fix it, one of:", 1)[1]
        self.assertNotRegex(hints.split("table ")[0], "(backend|certificate)=1")
        self.assertIn("TLS_SERVER_CERT", out)

    def test_that_a_mail_cluster_is_asked_about_recipients_is_told(self):
        text = '[server]\nhome = "{}"\n[variables]\nPOSTERN_LMTP = "unix:/run/lmtp"\n[[listener]]\nip = "127.0.0.1"\nport = 2525\n'.format(self.folder)
        told = "the mail cluster unix:/run/lmtp is asked about"
        asking = self.path("asking.toml", text + 'unknown_recipients = "refuse"\n')
        self.assertIn(told, run("check", "-c", asking)[1])
        self.assertNotIn(told, run("check", "-c", self.path("silent.toml", text))[1])

    def test_a_choice_for_policy_services_that_no_listener_asks_is_told(self):
        text = '[server]\nhome = "{}"\n[variables]\nPOSTERN_DISCARD = 1\nPOSTERN_POLICY_FAILURE = "accept"\n'.format(self.folder)
        listener = '[[listener]]\nip = "127.0.0.1"\nport = {}\n'
        idle = self.path("idle.toml", text + listener.format(2525) + listener.format(2526))
        self.assertIn("policy_failure", ids(run_json("check", "-c", idle)))
        used = self.path("used.toml", text + listener.format(2525) + 'POSTERN_POLICY_SERVICE = "unix:/x"\n' + listener.format(2526))
        self.assertNotIn("policy_failure", ids(run_json("check", "-c", used)))

    def test_a_policy_service_where_all_clients_may_relay_is_told(self):
        text = '[server]\nhome = "{}"\n[variables]\nPOSTERN_DISCARD = 1\nPOSTERN_POLICY_SERVICE = "unix:/x"\n'.format(self.folder)
        relaying, other = ('[[listener]]\nip = "127.0.0.1"\nport = {}\n'.format(port) for port in (2525, 2526))
        relaying += 'RELAYCLIENT = ""\nrelay = true\n'
        for name, listeners, is_told in (("all", relaying, True), ("one", relaying + other, False), ("none", other, False)):
            said = run_json("check", "-c", self.path(name + ".toml", text + listeners))
            self.assertEqual("is asked about such a client, so about nobody" in json.dumps(said), is_told, name)

    def test_a_file_that_is_not_there_is_no_verdict(self):
        self.assertIn("cannot be read: No such file", run("check", "-c", self.path("none.toml"), expect=USAGE)[2])
        self.assertIn("is a folder", run("check", "-c", self.folder, expect=USAGE)[2])


class Classes(Folder):
    def classes(self, records, *arguments, env=None, expect=None):
        path = self.path("tcp.cdb")
        write_cdb(path, records)
        found = run_json("check", "--certificate", "yes", "--tcprules", path, *arguments, env=env, expect=expect)
        return {each["address"]: each for each in found["classes"]}

    def test_relayclient_for_everybody_is_an_open_relay(self):
        # `:allow,RELAYCLIENT=""`
        found = self.classes([(b"", b"+RELAYCLIENT=\0")], "--strict", expect=WARNINGS)
        self.assertIn("open_relay", ids(found[""]))

    def test_relayclient_for_ones_own_network_is_fine(self):
        found = self.classes([(b"127.", b"+RELAYCLIENT=\0"), (b"", b"")], "--strict", expect=FINE)
        self.assertEqual(ids(found["127."]), ["relayclient"])
        self.assertNotIn("open_relay", ids(found[""]))

    def test_relayclient_does_not_relay_where_auth_is_required(self):
        found = self.classes([(b"", b"+RELAYCLIENT=\0")], env={"AUTH": "1", "REQUIRE_AUTH": "1", "PORT": "587"})
        self.assertNotIn("open_relay", ids(found[""]))

    def test_a_class_overrides_the_environment_and_is_judged_by_itself(self):
        records = [(b"192.0.2.", b"+FORCE_TLS=1\0+DENY_TLS=1\0"), (b"10.", b"+SSL=O\0"), (b"6.6.6.", b"D\0"), (b"", b"")]
        found = self.classes(records, env={"AUTH": "1"}, expect=REFUSED)
        self.assertEqual(found["192.0.2."]["verdict"], "refused")
        self.assertIn('SSL="O" in class 10. of', text_of(found["10."], "bad_value"))
        self.assertEqual(found["6.6.6."]["verdict"], "denied")
        self.assertEqual(found[""]["verdict"], "live")

    def test_the_verdict_says_which_clients_a_start_would_refuse(self):
        cdb = self.path("tcp.cdb")
        write_cdb(cdb, [(b"%d." % i, b"+SSL=O\0") for i in range(10, 15)] + [(b"", b"")])
        said = run("check", "--certificate", "yes", "--tcprules", cdb, expect=REFUSED)[1]
        self.assertIn("refused: it would start, and refuse the clients of class 10., class 11., class 12. and 2 more; ", said)
        write_cdb(cdb, [(b"10.", b"D\0"), (b"", b"+SSL=O\0")])
        self.assertIn("refused: it would not start; ", run("check", "--tcprules", cdb, expect=REFUSED)[1])

    def test_a_policy_service_of_a_class_that_takes_no_connection_is_told_once(self):
        records = [(b"10.", b"+POSTERN_POLICY_SERVICE=unix:/nobody/there\0"), (b"11.", b"+POSTERN_POLICY_SERVICE=unix:/nobody/there\0"),
                   (b"12.", b"+POSTERN_POLICY_SERVICE=\0"), (b"", b"")]
        found = self.classes(records, "--strict", expect=WARNINGS)
        self.assertIn("policy service unix:/nobody/there does not answer, ENOENT", text_of(found["10."], "policy_service"))
        for address in ("11.", "12.", ""):
            self.assertNotIn("policy_service", ids(found[address]))
        found = self.classes(records, env={"POSTERN_POLICY_SERVICE": "unix:/else/where", "POSTERN_POLICY_FAILURE": "accept"})
        self.assertIn("is taken unjudged", text_of(found["10."], "policy_service"))
        self.assertIn("unix:/else/where", text_of(found[""], "policy_service"))
        self.assertNotIn("policy_service", ids(found["12."]))

    def test_a_choice_for_policy_services_that_nobody_asks_is_told_once(self):
        failure = {"POSTERN_POLICY_FAILURE": "accept"}
        found = self.classes([(b"10.", b""), (b"", b"")], "--strict", env=failure, expect=WARNINGS)
        self.assertEqual(sum(ids(each).count("policy_failure") for each in found.values()), 1)
        found = self.classes([(b"10.", b"+POSTERN_POLICY_SERVICE=unix:/nobody/there\0"), (b"", b"")], env=failure)
        self.assertFalse([each for each in found.values() if "policy_failure" in ids(each)])

    def test_a_policy_service_where_each_class_may_relay_is_told_once(self):
        service = {"POSTERN_POLICY_SERVICE": "unix:/nobody/there"}
        for last, count in ((b"D\0", 1), (b"+RELAYCLIENT=\0", 1), (b"", 0)):
            found = self.classes([(b"10.", b"+RELAYCLIENT=\0"), (b"", last)], env=service)
            self.assertEqual(json.dumps(found).count("is asked about such a client, so about nobody"), count, last)

    def test_a_name_that_is_nearly_one_of_ours_is_told(self):
        records = [(b"10.", b"+FORCE_TSL=1\0"), (b"11.", b"+force_tls=1\0"), (b"12.", b"+WHITELISTED=1\0"), (b"", b"")]
        found = self.classes(records, "--strict", expect=WARNINGS)
        for address in ("10.", "11."):
            self.assertIn("did you mean FORCE_TLS?", text_of(found[address], "misspelt_variable"))
        self.assertNotIn("misspelt_variable", ids(found["12."]))

    def test_everybody_else_is_judged_even_without_a_record(self):
        self.assertIn("", self.classes([(b"127.", b"+RELAYCLIENT=\0")], expect=FINE))

    def test_a_line_that_was_no_address_is_told(self):
        # a here-document with `echo '127.:allow,RELAYCLIENT=""' >>file` in it
        found = self.classes([(b"echo '127.", b"+RELAYCLIENT=\0"), (b"", b"")], "--strict", expect=WARNINGS)
        self.assertIn("idle_class", ids(found["echo '127."]))

    def test_a_network_as_the_forks_write_it_is_an_address(self):
        # 10.0.0.0/8 and 2001:db8::/32 of ucspi-tcp6
        networks = [(b"_0000e0g0", b""), (b"^00`000000000000a0000bc0de0fgh000", b""), (b"^" + bytes(range(96, 224)), b"")]
        for each in self.classes(networks, "--strict", expect=FINE).values():
            self.assertNotIn("idle_class", ids(each))


class Home(Folder):
    def setUp(self):
        super().setUp()
        self.path("control/me", "mx.example.org\n")
        self.env = {"POSTERN_HOME": self.folder, "POSTERN_DISCARD": "1"}

    def texts(self, grade, expect, **env):
        found = run_json("check", "--certificate", "yes", "--strict", env=self.env | env, expect=expect)
        return [piece["text"] for piece in found["advice"] if piece["grade"] == grade]

    def test_everything_that_a_start_refuses_is_told_at_once(self):
        for name, text in [("databytes", "10k\n"), ("timeoutsmtpd", "x\n"), ("rcpthosts", "a.org\rb.org\r"),
                           ("badmailfrom", "^spam\n")]:
            self.path("control/" + name, text)
        said = self.texts("refusal", REFUSED, POSTERN_DISCARD="0", QMAILQUEUE="bin/none", SSL="O")
        for part in ['SSL="O"', "control/databytes line 1", "control/timeoutsmtpd line 1", "control/rcpthosts line 1",
                     "control/badmailfrom line 1", "cannot run bin/none"]:
            self.assertEqual(len([text for text in said if part in text]), 1, (part, said))

    def test_a_dns_list_without_its_answers_is_refused_and_its_key_is_not_shown(self):
        for env in (self.env, {}):
            found = run_json("check", "--certificate", "yes", env=env | {"DNSBL": "secret@zen.example"}, expect=REFUSED)
            said = [piece["text"] for piece in found["advice"] if "zen.example" in piece["text"]]
            self.assertEqual(len(said), 1, said)
            self.assertIn("write which answers are a listing", said[0])
            self.assertNotIn("secret", str(found))

    def test_lists_that_are_read_otherwise_than_they_stand_are_named(self):
        self.path("control/rcpthosts", "a.org\r\nuser@b.org\r\n")
        self.assertEqual(self.texts("warning", WARNINGS), [
            "control/rcpthosts line 1: ends with a carriage return, which is left out; and 1 more lines",
            'control/rcpthosts line 2: "user@b.org" never matches: write the domain without @',
            "POSTERN_DISCARD=1: all mail is accepted and thrown away"])

    def test_a_variable_keeps_its_carriage_return_and_is_refused(self):
        self.path("control/rcpthosts", "a.org\n")
        self.path("env/SMTPGREETING", "mx.example.org\r\n")
        found = run_json("check", "--envdir", self.path("env"), env={}, expect=REFUSED)
        self.assertIn("remove the control character", text_of(found, "bad_value"))

    def test_without_rcpthosts_nothing_is_ours(self):
        found = run_json("check", "--certificate", "yes", "--strict", env=self.env, expect=WARNINGS)
        self.assertIn("no_rcpthosts", ids(found))

    def test_the_certificate_is_looked_for_and_the_place_is_told(self):
        self.path("control/rcpthosts", "example.org\n")
        found = run_json("check", env=self.env, expect=FINE)
        self.assertEqual(found["facts"]["certificate"], 0)
        self.assertEqual(found["certificate_from"], "there is no " + self.path("control/servercert.pem"))
        self.path("control/servercert.pem", "not a certificate\n")
        found = run_json("check", env=self.env, expect=REFUSED)
        self.assertEqual(found["start"]["rule"], "connect.broken_certificate")
        run("check", env=self.env | {"DENY_TLS": "1"}, expect=FINE)

    def test_auth_cdb_must_be_a_cdb(self):
        self.path("control/rcpthosts", "example.org\n")
        env = self.env | {"AUTH_CDB": "auth.cdb"}
        self.assertIn("no_auth_cdb", ids(run_json("check", "--certificate", "yes", env=env, expect=REFUSED)))
        write_cdb(self.path("auth.cdb"), [(b"user", b"hash")])
        found = run_json("check", "--certificate", "yes", env=env, expect=FINE)
        self.assertEqual((found["facts"]["backend"], found["settings"]["AUTH"]), (1, 1))

    def test_a_list_of_recipients_that_nobody_matches_is_named(self):
        self.path("control/rcpthosts", "example.org\n")
        write_cdb(self.path("control/validrcptto.cdb"), [(b"User@example.org", b""), (b"@other.example", b"")])
        said = self.texts("warning", WARNINGS)
        for part in ('control/validrcptto.cdb: "User@example.org" never matches: write it in lower case',
                     'control/validrcptto.cdb: "@other.example" is of a domain that is not ours'):
            self.assertEqual(len([text for text in said if part in text]), 1, (part, said))
        write_cdb(self.path("empty.cdb"), [])
        said = self.texts("warning", WARNINGS, VALIDRCPTTO_CDB="empty.cdb")
        self.assertEqual(len([text for text in said if text.startswith("empty.cdb has no record: ")]), 1, said)

    def test_a_program_that_cannot_be_asked_about_recipients_is_named(self):
        self.path("control/rcpthosts", "example.org\n")
        for program, why in (("bin/none", "is not there: name a program, or unset it; as it is"),
                             (self.folder, "is a folder: name the program in it, or unset RCPTCHECK; as it is"),
                             ("/bin/true -x", "is not there: RCPTCHECK takes no arguments; name a program alone")):
            said = self.texts("warning", WARNINGS, RCPTCHECK=program)
            self.assertEqual(len([text for text in said if f'RCPTCHECK="{program}"' in text and why in text]), 1, said)
        self.assertNotIn("RCPTCHECK", "".join(self.texts("warning", WARNINGS, RCPTCHECK="/bin/true")))

    def test_a_mail_cluster_must_have_an_ip_address(self):
        env = {"POSTERN_LMTP": "tcp:localhost:24"}
        found = run_json("check", "--certificate", "yes", env=env, expect=REFUSED)
        self.assertEqual(found["start"]["rule"], "connect.no_hand_over")
        self.assertIn("no_hand_over", ids(found))
        run("check", "--certificate", "yes", env=env | {"QMAILQUEUE": "/bin/queue"}, expect=FINE)
        run("check", "--certificate", "yes", env={"POSTERN_LMTP": "tcp:[::1]:24"}, expect=FINE)


class Advice(unittest.TestCase):
    def found(self, **env):
        return ids(run_json("check", "--certificate", "yes", env={name: str(value) for name, value in env.items()}))

    def test_port_25_must_not_require_tls_or_auth(self):
        self.assertIn("force_tls_on_port_25", self.found(FORCE_TLS=1))
        self.assertNotIn("force_tls_on_port_25", self.found(FORCE_TLS=1, PORT=587))
        self.assertNotIn("force_tls_on_port_25", self.found(FORCE_TLS=1, SSL=1))
        self.assertIn("require_auth_on_port_25", self.found(AUTH=1, REQUIRE_AUTH=1))
        self.assertNotIn("require_auth_on_port_25", self.found(AUTH=1, REQUIRE_AUTH=1, FORCE_TLS=1, PORT=587))

    def test_settings_without_effect_are_told(self):
        self.assertIn("idle_force_tls", self.found(SSL=1, FORCE_TLS=1, PORT=465))
        self.assertIn("idle_deny_tls", self.found(SSL=1, DENY_TLS=1, PORT=465))
        self.assertIn("idle_allow_insecure_auth", self.found(ALLOW_INSECURE_AUTH=1))
        self.assertIn("idle_allow_insecure_auth", self.found(ALLOW_INSECURE_AUTH=1, AUTH=1, SSL=1, PORT=465))
        self.assertIn("redundant_force_tls", self.found(AUTH=1, REQUIRE_AUTH=1, FORCE_TLS=1, PORT=587))
        self.assertFalse([i for i in self.found(AUTH=1) if i.startswith("idle_")])

    def test_the_seeds_cells_are_recognised(self):
        exact = run_json("check", "--certificate", "yes", env={"PORT": "587", "FORCE_TLS": "1", "AUTH": "1", "REQUIRE_AUTH": "1"})
        self.assertTrue(exact["table"]["exact"])
        self.assertEqual(exact["table"]["nearest"][0]["cell"], "TLS required; AUTH required")
        near = run_json("check", "--certificate", "yes", env={"PORT": "465", "SSL": "1", "AUTH": "1", "FORCE_TLS": "1"})
        self.assertEqual(near["table"]["nearest"][0]["differs"], ["FORCE_TLS=1 instead of 0"])

    def test_the_standard_cells_are_clean(self):
        for env in [dict(PORT=25, AUTH=1), dict(PORT=25), dict(PORT=587, FORCE_TLS=1, AUTH=1, REQUIRE_AUTH=1),
                    dict(PORT=465, SSL=1, AUTH=1, REQUIRE_AUTH=1)]:
            run("check", "--certificate", "yes", "--strict", env={n: str(v) for n, v in env.items()}, expect=FINE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
