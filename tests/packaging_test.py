"""The unit files: systemd itself accepts them, and they protect as they say.

usage: packaging_test.py SOURCE_FOLDER
"""

import configparser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

FOLDER = pathlib.Path(sys.argv.pop(1)) / "packaging"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.socket")])
ANALYZE = shutil.which("systemd-analyze")
MAX_EXPOSURE = 20  # in tenths; an ordinary service has 96


def parsed(path):
    """Section -> list of (key, value): a key may stand more than once."""
    class Pairs(dict):
        def __setitem__(self, key, value):
            if key in self and isinstance(value, list):
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(dict_type=Pairs, strict=False, delimiters="=", comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(path.read_text())
    return parser


class Units(unittest.TestCase):
    def staged(self, folder, drop_in=None):
        """The units, with a program, a user and a kill that every machine has."""
        for path in UNITS:
            text = re.sub("/usr/local/bin/postern (serve|reload)", "/bin/true", path.read_text())
            (folder / path.name).write_text(text.replace("User=postern\n", "User=mail\n"))
        if drop_in:
            place = folder / "postern.service.d"
            place.mkdir()
            shutil.copy(FOLDER / drop_in, place / "drop-in.conf")
        return [str(folder / path.name) for path in UNITS]

    @unittest.skipUnless(ANALYZE, "no systemd-analyze")
    def test_systemd_accepts_them(self):
        for drop_in in (None, "postern-qmail-queue.conf"):
            with tempfile.TemporaryDirectory() as name:
                paths = self.staged(pathlib.Path(name), drop_in)
                done = subprocess.run([ANALYZE, "verify", "--man=no", *paths], capture_output=True, timeout=60)
                said = (done.stdout + done.stderr).decode()
                ours = [line for line in said.splitlines() if "postern" in line]
                self.assertEqual(ours, [])

    @unittest.skipUnless(ANALYZE, "no systemd-analyze")
    def test_a_mistake_would_be_found(self):
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "postern.service"
            path.write_text((FOLDER / "postern.service").read_text().replace("ProtectSystem=strict", "ProtectSystm=strict"))
            done = subprocess.run([ANALYZE, "verify", "--man=no", path], capture_output=True, timeout=60)
            self.assertIn(b"ProtectSystm", done.stderr)

    @unittest.skipUnless(ANALYZE, "no systemd-analyze")
    def test_the_service_is_little_exposed(self):
        with tempfile.TemporaryDirectory() as name:
            self.staged(pathlib.Path(name))
            done = subprocess.run([ANALYZE, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager",
                                   f"{name}/postern.service"], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout.decode()[-300:] + done.stderr.decode())

    def test_every_line_is_a_section_a_comment_or_an_assignment(self):
        for path in [*UNITS, *FOLDER.glob("*.conf")]:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                self.assertRegex(line, r"^($|#|\[[A-Z][a-z]+\]$|[A-Z][A-Za-z]+=)", f"{path.name}:{number}")

    def test_the_documentation_it_names_is_installed_by_its_head(self):
        text = (FOLDER / "postern.service").read_text()
        for path in re.findall(r"^Documentation=file:(.*)$", text, re.M):
            installed = re.search(rf"^#   install -D -m 644 (\S+) {re.escape(path)}$", text, re.M)
            self.assertTrue(installed and (FOLDER.parent / installed[1]).exists(), path)

    def test_sockets_have_the_names_the_listener_knows(self):
        names = {dict(parsed(path)["Socket"])["FileDescriptorName"]: dict(parsed(path)["Socket"])["ListenStream"]
                 for path in UNITS if path.suffix == ".socket"}
        self.assertEqual(names, {"smtp": "25", "submission": "587", "submissions": "465"})

    def test_a_reload_waits_for_its_verdict(self):
        service = dict(parsed(FOLDER / "postern.service")["Service"])
        self.assertEqual(service["ExecReload"], "/usr/local/bin/postern reload $MAINPID")

    def test_a_queue_program_may_be_set_user_id(self):
        text = (FOLDER / "postern-qmail-queue.conf").read_text()
        self.assertIn("\nNoNewPrivileges=no\n", text)
        self.assertNotRegex(text, re.compile(r"^User=(?!root$)", re.M))


TYPES = {"boolean": (bool,), "number": (int,), "text": (str,), "path": (str,), "address": (str,), "word": (str,),
         "list": (list,), "reply": (str,), "dns_lists": (str,), "setting": (int,)}


class Sample(unittest.TestCase):
    """packaging/postern.toml, whose settings are those of spec/options.toml."""

    def setUp(self):
        spec = FOLDER.parent / "spec"
        self.rows = {row["name"]: row for row in tomllib.loads((spec / "options.toml").read_text())["option"]}
        limits = re.findall(r"constexpr [\w:]+ (\w+) = ([\d']+);", (spec / "limits.hpp").read_text())
        self.limits = {name: int(number.replace("'", "")) for name, number in limits}

    def settings(self, text):
        """(table, key, value, whether it is a comment) of each line that sets one, if only as a comment."""
        table = None
        for line in text.splitlines():
            head = re.match(r"(?:# )?\[+(\w+)\]+", line)
            said = re.match(r"(# +)?(\w+) = (.*)", line)
            if head:
                table = head[1]
            elif said:
                value = tomllib.loads(f"it = {said[3]}")["it"]
                yield "listener" if said[1] and len(said[1]) > 2 else table, said[2], value, bool(said[1])

    def default_of(self, key, row):
        unset = {"DATABYTES": "default_databytes"}.get(key, row.get("limit"))  # of postern serve
        return self.limits[unset] if unset else row.get("default")

    def offences(self, text):
        for table, key, value, is_comment in self.settings(text):
            row = self.rows.get(key)
            if row is None or table not in row["where"]:
                yield f"[{table}] {key}: no setting that may stand there"
            elif type(value) not in TYPES[row["kind"]]:
                yield f"[{table}] {key} = {value}: is a {row['kind']}"
            elif is_comment and isinstance(value, int) and key != "port" and json.dumps(value) != str(self.default_of(key, row)):
                yield f"[{table}] {key} = {value}: a number or boolean in a comment is the default, {self.default_of(key, row)}"
            elif key == "exempt" and not set(json.loads(row["unset"].strip("`"))) <= set(value):
                yield f"[{table}] {key}: lacks the default, {row['unset']}"

    def test_each_setting_is_one_of_the_table(self):
        text = (FOLDER / "postern.toml").read_text()
        self.assertGreater(len(list(self.settings(text))), 20)
        self.assertEqual(list(self.offences(text)), [])

    def test_what_is_not_would_be_found(self):
        text = (FOLDER / "postern.toml").read_text()
        for there, instead in [("FORCE_TLS = 1", "FORCE_TSL = 1"), ("# DATABYTES = 10240000", "# DATABYTES = 10000000"),
                               ("# sessions_per_address = 50", "# sessions_per_address = 40"), ('# log = "json"', "# log = true"),
                               ('# metrics = ', '# metrik = '), ('"::1", ', ""), ("[variables]", "[server]")]:
            with self.subTest(instead):
                self.assertIn(there, text)
                self.assertNotEqual(list(self.offences(text.replace(there, instead))), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
