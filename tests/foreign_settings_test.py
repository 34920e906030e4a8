"""Settings of the program that stood here before: a start that would ignore a filter is refused, all else is reported; the manual
lists exactly those of spec/foreign.toml.

usage: foreign_settings_test.py POSTERN POSTERN_SMTPD
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = tomllib.loads((ROOT / "spec/foreign.toml").read_text())["foreign"]
PATIENCE_SECONDS = 60


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "control").mkdir()
        (self.home / "control/me").write_text("mx.example.org\n")
        (self.home / "control/rcpthosts").write_text("example.org\n")
        self.env = {"POSTERN_HOME": str(self.home), "POSTERN_DISCARD": "1", "DENY_TLS": "1"}

    def run_program(self, *words, env):
        return subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def smtpd(self, **env):
        return self.run_program(SMTPD, env=self.env | env)

    def check(self, **env):
        done = self.run_program(POSTERN, "check", "--json", env=self.env | env)
        return done.returncode, done.stdout

    def serve(self, *lines):
        file = self.home / "postern.toml"
        file.write_text(f'[server]\nhome = "{self.home}"\n[[listener]]\nip = "127.0.0.1"\nport = 0\nPOSTERN_DISCARD = 1\n'
                        "DENY_TLS = 1\n" + "".join(line + "\n" for line in lines))
        return self.run_program(POSTERN, "check", "-c", str(file), "--json", env={})

    def judged(self, action, place, **env):
        """Both programs do what the row says, and check reports it."""
        started, (code, said) = self.smtpd(**env), self.check(**env)
        self.assertEqual(started.stdout.startswith("421"), action == "refuse", started)
        self.assertEqual(code, 2 if action == "refuse" else 0, said)
        event = {"refuse": "config", "warn": "warning"}.get(action)
        if event:
            self.assertIn(f"{event}: {place}", started.stderr)
        else:
            self.assertNotIn(place, started.stderr)
        self.assertIn(place.replace('"', '\\"'), said)


class Foreign(Case):
    def test_each_variable(self):
        for row in ROWS:
            if row["kind"] != "variable":
                continue
            name = row["name"]
            with self.subTest(name=name):
                self.judged(row["start"], f'{name}="7" in the environment: in {row["source"]} it {row["does"]}', **{name: "7"})
                for value in ["", *row.get("idle", [])]:
                    self.assertNotRegex(self.smtpd(**{name: value}).stderr, f": {name}=")
                for value in row.get("warns_at", []):
                    self.judged("warn", f'{name}="{value}" in the environment', **{name: value})
                done = self.serve(f'{name} = "7"')
                self.assertEqual(done.returncode, 2)
                self.assertIn(f'{name} is of {row["source"]}', done.stdout)

    def test_each_control_file(self):
        for row in ROWS:
            if row["kind"] != "control":
                continue
            path = self.home / "control" / row["name"]
            with self.subTest(name=row["name"]):
                self.addCleanup(path.unlink, missing_ok=True)
                path.write_text("7\n")
                self.judged(row["start"], f'control/{row["name"]}: in ')
                self.assertEqual(self.serve().returncode, 2 if row["start"] == "refuse" else 0)
                self.assertIn(f'control/{row["name"]}: in ', self.serve().stdout)
                path.write_text("" if row["content"] == "value" else "# nobody\n\n")
                self.assertNotIn("control/" + row["name"], self.smtpd().stderr)
                for value in row.get("idle", []):
                    path.write_text(value + "\n")
                    self.assertNotIn("control/" + row["name"], self.smtpd().stderr)
                for value in row.get("warns_at", []):
                    path.write_text(value + "\n")
                    self.judged("warn", f'control/{row["name"]}: in ')
                path.unlink()

    def test_what_users_would_get_by_auth(self):
        self.judged("refuse", 'AUTH_SET_SPFBEHAVIOR="3" in the environment', AUTH_SET_SPFBEHAVIOR="3")

    def test_the_manual_lists_them_all(self):
        text = (ROOT / "docs/operating.md").read_text().split("## Settings of other programs")[1].split("\n## ")[0]
        listed = {(name, cells[1].strip()) for cells in (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `"))
                  for name in re.findall(r"`(?:control/)?([\w.]+)`", cells[0])}
        self.assertEqual(listed, {(row["name"], row["start"]) for row in ROWS})


class Built(Case):
    """maxrcpt and tlsserverciphers mean what their variables do."""

    def test_maxrcpt(self):
        (self.home / "control/maxrcpt").write_text("10k\n")
        self.assertIn('config: control/maxrcpt line 1: "10k"', self.smtpd().stderr)
        (self.home / "control/maxrcpt").write_text("1\n")
        self.assertEqual(self.accepted(), 100)
        self.assertEqual(self.accepted(MAXRCPT="110"), 110)
        self.assertEqual(self.accepted(MAXRCPT="0"), 120)

    def accepted(self, **env):
        says = "HELO x\r\nMAIL FROM:<a@b.example>\r\n" + "RCPT TO:<c@example.org>\r\n" * 120 + "QUIT\r\n"
        done = subprocess.run([SMTPD], env=self.env | env, input=says, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        self.assertIn("220", done.stdout)
        return done.stdout.count("250 ok") - 1 - done.stdout.count("250 ok mail")


if __name__ == "__main__":
    POSTERN, SMTPD = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1], verbosity=2)
