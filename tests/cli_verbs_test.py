"""postern explain, matrix, diff, replay, judge, spec."""
import glob
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest

from cli_program import SETTINGS, SOURCE, all_settings, password_in_clear, run, run_json, verdict, words

VERBS = ["ask", "check", "explain", "matrix", "diff", "rule", "replay", "judge", "spec"]


class Help(unittest.TestCase):
    def test_every_verb_teaches_with_examples_and_exit_codes(self):
        self.assertIn("postern check", run("--help", expect=0)[1])
        for verb in VERBS:
            text = run(verb, "--help", expect=0)[1]
            self.assertIn(f"\n  postern {verb}", text)
            self.assertIn("Exit code", text)
            self.assertIn("--json", text)

    def test_what_is_not_understood_says_so_and_is_100(self):
        for arguments in [[], ["sing"], ["explain", "FORCETLS=1"], ["explain", "SSL=O"], ["explain", "SSL"],
                          ["explain", "SSL=1", "SSL=0"], ["explain", "PORT=70000"], ["diff", "AUTH=1"],
                          ["replay", "/nowhere.smtp"], ["spec", "-o", "/nowhere/x"]]:
            _, out, err = run(*arguments, expect=100)
            self.assertTrue(out + err, arguments)


    def test_help_is_where_it_is_looked_for(self):
        whole = run("--help", expect=0)[1]
        self.assertIn("postern serve -c", whole)
        self.assertEqual(run("help", expect=0)[1], whole)
        self.assertEqual(run(expect=100)[2], whole)
        self.assertEqual(run("help", "check", expect=0)[1], run("check", "--help", expect=0)[1])
        self.assertEqual(run("-V", expect=0)[1], run("--version", expect=0)[1])
        self.assertIn("bogus is not a verb. There are ", run("bogus", expect=100)[2])
        self.assertIn("chek is not a verb: did you mean check?", run("chek", expect=100)[2])

    def test_a_name_that_is_nearly_right_is_told(self):
        for word, meant in [("force_tls=1", "FORCE_TLS=1"), ("FORCETLS=1", "FORCE_TLS=1"), ("FORCE_TSL=0", "FORCE_TLS=0"),
                            ("Certificate=1", "certificate=1"), ("require-auth=1", "REQUIRE_AUTH=1"), ("port=25", "PORT=25")]:
            self.assertIn(f"{word}: write {meant}", run("explain", word, expect=100)[2])
        self.assertIn("there is no setting or fact of that name, only PORT, SSL", run("explain", "COLOUR=1", expect=100)[2])


class Completion(unittest.TestCase):
    def offered(self, *words):
        """What bash offers for the last word."""
        script = run("completion", "bash", expect=0)[1] + """
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _postern postern "${@: -1}" "${@: -2:1}"; printf '%s\\n' "${COMPREPLY[@]}" """
        done = subprocess.run(["bash", "-c", script, "bash", "postern", *words], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash_offers_verbs_options_and_settings(self):
        self.assertEqual(self.offered("ch"), ["check"])
        self.assertLess({"check", "serve", "completion"}, set(self.offered("")))
        self.assertEqual(set(self.offered("check", "--env")), {"--env", "--envdir"})
        self.assertEqual(self.offered("explain", "FORCE"), ["FORCE_TLS="])
        self.assertEqual(self.offered("serve", "FORCE"), [])
        self.assertIn("--discard", self.offered("serve", "--"))

    def test_zsh_is_given_the_same_words(self):
        bash, zsh = (run("completion", shell, expect=0)[1] for shell in ("bash", "zsh"))
        self.assertTrue(zsh.startswith("#compdef postern\n"))
        for offered in re.findall("words='(.+)'", bash):
            names = [word for word in offered.split() if not word.endswith("=")]
            settings = [word for word in offered.split() if word.endswith("=")]
            self.assertIn(f"compadd -- {' '.join(names)}", zsh)
            self.assertIn(f"compadd -S '' -- {' '.join(settings)}" if settings else "", zsh)
        run("completion", "fish", expect=100)

    def typed_into_zsh(self, line):
        """The words that postern gets when somebody types this line into a zsh; each Tab completes."""
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder)
            (home / "_postern").write_text(run("completion", "zsh", expect=0)[1])
            (home / ".zshrc").write_text(f"""PS1='> '; setopt NO_BEEP; fpath=({home} $fpath)
autoload -Uz compinit; compinit -D -u
postern() {{ print -r -- "got [${{(j:|:)@}}]" }}
print READY
""")
            master, slave = pty.openpty()
            with subprocess.Popen(["zsh", "-d", "-i"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  cwd=folder, env={"PATH": os.environ["PATH"], "TERM": "dumb", "ZDOTDIR": folder}) as shell:
                os.close(slave)
                try:
                    self.read_until(master, r"READY")
                    os.write(master, line.encode() + b"\r")
                    return self.read_until(master, r"got \[(.*)\]")[1].split("|")
                finally:
                    shell.kill()
                    os.close(master)

    def read_until(self, terminal, pattern, seconds=60):
        seen, end = "", time.monotonic() + seconds
        while (found := re.search(pattern, seen)) is None:
            if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
                self.fail(f"zsh shows no {pattern}: {seen!r}")
            seen += os.read(terminal, 65536).decode()
        return found

    def test_a_zsh_completes_verbs_options_settings_and_files(self):
        self.assertEqual(self.typed_into_zsh("postern ch\t"), ["check"])
        self.assertEqual(self.typed_into_zsh("postern serve --disc\t"), ["serve", "--discard"])
        # a setting wants its value at once
        self.assertEqual(self.typed_into_zsh("postern explain FORCE\t1"), ["explain", "FORCE_TLS=1"])
        self.assertEqual(self.typed_into_zsh("postern replay _post\t"), ["replay", "_postern"])


class Rule(unittest.TestCase):
    def test_every_rule_is_explained_and_what_can_be_shown_goes_as_written(self):
        rows = next(s for s in run_json("spec")["sections"] if s["title"] == "Rules")["rows"]
        ids = [row["rule"] for row in rows]
        shown = 0
        for name in ids[::4] + ["mail.starttls_first", "mail.auth_first", "recipient.not_ours"]:
            found = run_json("rule", name, expect=0)
            self.assertEqual((found["rule"], len(found["policy"])), (name, 64))
            if not found["session"]:
                continue
            shown += 1
            played = run_json("replay", name, expect=0)
            self.assertTrue(played["as_written"], name)
            self.assertEqual(played["steps"][-1]["rule"], name)
        self.assertGreater(shown, len(ids) // 8)
        self.assertIn("mail.starttls_first", run("rule", expect=0)[1])

    def test_it_is_told_without_the_sources(self):
        out = run("rule", "mail.starttls_first", expect=0)[1]
        for part in ["503 STARTTLS first (#5.5.1)", "FORCE_TLS=1: no mail before STARTTLS", "seed: FORCE_TLS", "force_tls: FORCE_TLS and not SSL",
                     "C: MAIL FROM", run("--version")[1].split("policy ")[1][:16]]:
            self.assertIn(part, out)
        self.assertIn("did you mean mail.starttls_first?", run("rule", "mail.starttls_frst", expect=100)[2])

    def test_a_rule_is_replayed_under_the_settings_that_are_given(self):
        found = run_json("replay", "FORCE_TLS=1", "AUTH=1", "mail.starttls_first", expect=0)
        self.assertEqual(found["steps"][-1]["rule"], "mail.starttls_first")
        self.assertIn("no session that can be shown", run("replay", "FORCE_TLS=0", "mail.starttls_first", expect=100)[2])


class Explain(unittest.TestCase):
    def test_ehlo_lists_exactly_what_is_granted(self):
        for settings in all_settings():
            found = run_json("explain", *words(settings), expect=0)
            self.assertEqual(found["verdict"], verdict(settings), settings)
            self.assertEqual(found["password_in_clear"], password_in_clear(settings), settings)
            self.assertEqual(found["password_sentence"].startswith("YES"), password_in_clear(settings))
            self.assertEqual(bool(found["situations"]), found["verdict"] == "live")
            for situation in found["situations"]:
                if situation["authentication"] == "none":
                    self.assertEqual("250-AUTH LOGIN PLAIN" in situation["ehlo"], situation["gates"]["AUTH"]["open"])
                self.assertEqual("250-STARTTLS" in situation["ehlo"], situation["gates"]["STARTTLS"]["open"])

    def test_the_gates_of_a_submission_service(self):
        found = run_json("explain", "FORCE_TLS=1 AUTH=1", "REQUIRE_AUTH=1", "PORT=587")
        clear = next(s for s in found["situations"] if s["name"] == "in clear")
        self.assertEqual(clear["gates"]["MAIL"], {"rule": "mail.starttls_first", "code": 503,
                                                  "reply": "503 STARTTLS first (#5.5.1)", "open": False})
        tls = next(s for s in found["situations"] if s["name"] == "after STARTTLS")
        self.assertEqual(tls["gates"]["MAIL"]["reply"], "503 AUTH first (#5.5.1)")
        done = next(s for s in found["situations"] if s["name"] == "after STARTTLS, authenticated")
        self.assertTrue(done["gates"]["RCPT other"]["open"])

    def test_facts_count(self):
        self.assertEqual(run_json("explain", "FORCE_TLS=1", "--certificate", "no")["verdict"], "refused")
        self.assertEqual(run_json("explain", "AUTH=1", "REQUIRE_AUTH=1", "--backend", "no")["verdict"], "refused")
        self.assertTrue(run_json("explain", "relay_client=1")["relays_for_strangers"])

    def test_the_text_answers_first(self):
        out = run("explain", "AUTH=1", "ALLOW_INSECURE_AUTH=1", expect=0)[1]
        self.assertIn("May a password cross in clear? YES", "\n".join(out.splitlines()[:5]))


class Matrix(unittest.TestCase):
    def test_the_counts_are_those_of_the_seed(self):
        found = run_json("matrix", expect=0)
        self.assertEqual({k: found[k] for k in ["refused", "dead", "live", "behaviours", "password_in_clear",
                                                "password_in_clear_with_force_tls"]},
                         {"refused": 22, "dead": 1, "live": 41, "behaviours": 16, "password_in_clear": 6,
                          "password_in_clear_with_force_tls": 2})
        self.assertEqual(len(found["cells"]), 14)
        self.assertEqual(sum(len(group["settings"]) for group in found["groups"]), 64)
        self.assertEqual(sum(cell["password_in_clear"] for cell in found["cells"]), 4)
        for cell in found["cells"]:
            self.assertEqual("dangerous" in cell["marks"], cell["password_in_clear"])

    def test_it_is_written_three_ways(self):
        self.assertIn("41 live in 16 behaviours", " ".join(run("matrix", expect=0)[1].split()))
        self.assertIn("| TLS required |", run("matrix", "--format", "markdown", expect=0)[1])
        html = run("matrix", "--format", "html", expect=0)[1]
        self.assertTrue(html.startswith("<!doctype html>") and html.rstrip().endswith("</html>"))


class Diff(unittest.TestCase):
    def replays(self, parting, side):
        """The witness, replayed on an engine, goes as diff said, and ends with the rule that diff named."""
        text = parting["witness_" + side]
        if not text:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".smtp") as file:
            file.write(text)
            file.flush()
            found = run_json("replay", file.name, expect=0)
        self.assertIn(parting[side]["rule"], [step["rule"] for step in found["steps"]][-3:], text)

    def test_force_tls_makes_mail_wait(self):
        found = run_json("diff", "AUTH=1", "AUTH=1 FORCE_TLS=1", expect=1)
        rules = [(p["a"]["rule"], p["b"]["rule"]) for p in found["partings"]]
        self.assertIn(("mail.accepted", "mail.starttls_first"), rules)
        self.assertNotIn("mail.accepted", [b for _, b in rules])

    def test_the_same_is_the_same(self):
        self.assertEqual(run_json("diff", "AUTH=1", "AUTH=1", expect=0)["partings"], [])
        found = run_json("diff", "SSL=1 FORCE_TLS=1", "SSL=1", expect=0)
        self.assertEqual(found["same"], found["decisions"])

    def test_every_witness_is_true(self):
        pairs = [("AUTH=1", "AUTH=1 FORCE_TLS=1"), ("AUTH=1", "AUTH=1 ALLOW_INSECURE_AUTH=1"), ("AUTH=1", "AUTH=0"),
                 ("AUTH=1", "AUTH=1 REQUIRE_AUTH=1"), ("", "relay_client=1"), ("", "SSL=1"), ("", "DENY_TLS=1"),
                 ("AUTH=1 backend=1", "AUTH=1 backend=0"), ("certificate=1", "certificate=0"),
                 ("AUTH=1 SSL=1", "AUTH=1 FORCE_TLS=1 DENY_TLS=1")]
        for a, b in pairs:
            found = run_json("diff", a, b, expect=1)
            self.assertTrue(found["partings"], (a, b))
            for parting in found["partings"]:
                for side in "ab":
                    with self.subTest(a=a, b=b, change=parting["change"], side=side):
                        self.replays(parting, side)

    def test_stricter_by_one_setting_accepts_nothing_new(self):
        # the law of monotonicity, seen from here
        for settings in all_settings():
            for name in ["FORCE_TLS", "REQUIRE_AUTH"]:
                if settings[name] or verdict(settings) != "live" or verdict({**settings, name: 1}) != "live":
                    continue
                if settings["AUTH"] + settings["DENY_TLS"] != 1:
                    continue  # a sample: all of them take long
                found = run_json("diff", " ".join(words(settings)), " ".join(words({**settings, name: 1})))
                changes = {p["change"] for p in found["partings"]}
                self.assertNotIn("refused by A, accepted by B", changes, (settings, name))


class Replay(unittest.TestCase):
    def test_the_dialogues_of_the_tests_go_as_written(self):
        files = sorted(glob.glob(os.path.join(SOURCE, "tests/dialogues/*.smtp")))
        self.assertGreater(len(files), 30)
        for file in files:
            found = run_json("replay", file)
            self.assertTrue(found["as_written"], (file, found.get("mismatch")))

    def test_other_settings_end_otherwise(self):
        file = os.path.join(SOURCE, "tests/dialogues/rfc5321_d1_typical.smtp")
        run("replay", file, expect=0)
        found = run_json("replay", "FORCE_TLS=1", file, expect=1)
        self.assertFalse(found["as_written"])
        self.assertIn("mail.starttls_first", [step["rule"] for step in found["steps"]])


class Spec(unittest.TestCase):
    def test_the_document_names_every_rule_and_the_snapshot(self):
        out = run("spec", expect=0)[1]
        found = run_json("spec", expect=0)
        self.assertIn(found["policy"], out)
        self.assertEqual(len(found["policy"]), 64)
        with open(os.path.join(SOURCE, "spec/policy.toml"), encoding="utf-8") as file:
            rules = [line.split('"')[1] for line in file if line.startswith("id = ")]
        section = next(s for s in found["sections"] if s["title"] == "Rules")
        self.assertEqual([row["rule"] for row in section["rows"]], rules)
        for rule in rules:
            self.assertIn(f"| {rule} |", out)

    def test_what_an_auditor_asks_is_answered_with_laws_and_a_session(self):
        sections = {section["title"]: section["rows"] for section in run_json("spec", expect=0)["sections"]}
        answers = {row["question"]: row for row in sections["What an auditor asks"]}
        laws = {row["law"] for row in sections["Laws"]}
        for question, row in answers.items():
            self.assertTrue(question.endswith("?") and row["answer"].endswith("."), row)
            self.assertLessEqual(set(row["laws"].split(", ")), laws, question)
        said = {question: row["answer"] for question, row in answers.items()}
        clear = [settings for settings in all_settings() if password_in_clear(settings)]
        self.assertTrue(all(settings["ALLOW_INSECURE_AUTH"] == 1 and settings["SSL"] == 0 for settings in clear))
        self.assertIn("only with SSL=0, AUTH=1, ALLOW_INSECURE_AUTH=1, backend=1", said["May a password cross in clear?"])
        self.assertIn("only with SSL=0, FORCE_TLS=0, channel clear", said["May a message be taken that crossed in clear?"])
        bypass = said["What does RELAYCLIENT let a client by-pass?"]
        self.assertEqual(bypass.count("recipient.not_ours would"), 2)
        self.assertIn("recipient.client_listed_may_relay decides where recipient.client_listed would", bypass)
        self.assertEqual(bypass.count(" would"), 3)
        mistakes = said["What does a client see that makes one mistake after another?"]
        self.assertIn("After 20 mistakes the next one of 32 events is answered `421 too many errors", mistakes)
        self.assertIn("recipient.unknowable (451)", said["Which answer from outside the policy can refuse something?"])
        self.assertIn("follows hand_over.accepted, hand_over.filter_discarded, hand_over.filter_too_big, hand_over.filter_waived and nothing else", said["What acknowledges a message?"])

    def test_the_sessions_that_an_auditor_is_shown_go_as_written(self):
        rows = next(s for s in run_json("spec")["sections"] if s["title"] == "What an auditor asks")["rows"]
        sessions = [row["session"] for row in rows if row["session"]]
        self.assertGreater(len(sessions), 10)
        with tempfile.TemporaryDirectory() as folder:
            for session in sessions:
                path = os.path.join(folder, "x.smtp")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(session)
                run("replay", path, expect=0)

    def test_the_limits_are_all_there(self):
        limits = next(s for s in run_json("spec")["sections"] if s["title"] == "Limits")["rows"]
        names = [row["limit"] for row in limits]
        for name in ["max_command_line_octets", "max_errors", "default_timeout_seconds"]:
            self.assertIn(name, names)
        self.assertTrue(all(row["value"] and row["source"] for row in limits), limits)

    def test_the_page_is_one_file_without_network(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "policy.html")
            run("spec", "--format", "html", "-o", path, env={"PATH": os.environ["PATH"]}, expect=0)
            with open(path, encoding="utf-8") as file:
                page = file.read()
        for foreign in ["src=", "@import", "url(http", "<link", "fetch(", "XMLHttpRequest"]:
            self.assertNotIn(foreign, page)
        self.assertNotIn("@data@", page)
        for name in SETTINGS:
            self.assertIn(name, page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
