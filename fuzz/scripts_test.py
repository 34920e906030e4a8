"""The scripts of fuzz/ with a stand-in for libFuzzer: which inputs stay, and how a finding becomes short."""
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import closer_look  # noqa: E402
from ragel_machine import Machine  # noqa: E402


def script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class InAFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, text):
        path = self.folder / "program"
        path.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{text}")
        path.chmod(0o755)
        return path


class Shrinking(InAFolder):
    # It adds to the first folder each input whose first octet none of that folder has: the smallest ones first.
    MERGE = """
folders = [pathlib.Path(word) for word in sys.argv if not word.startswith("-")][1:]
seen = {f.read_bytes()[:1] for f in folders[0].iterdir()}
for file in sorted((f for folder in folders[1:] for f in folder.iterdir()), key=lambda f: f.stat().st_size):
    if file.read_bytes()[:1] not in seen:
        seen.add(file.read_bytes()[:1])
        (folders[0] / file.name).write_bytes(file.read_bytes())
"""

    def target(self, campaign, kept, new, needed=()):
        campaign.needed = lambda *_: list(needed)
        target = object.__new__(campaign.Target)
        target.name, target.longest, target.program = "path", "10", self.program(self.MERGE)
        target.artifacts = self.folder
        for name, files in ("kept", kept), ("new", new), ("seeds", {}):
            folder = self.folder / name
            folder.mkdir()
            setattr(target, name, folder)
            for file, octets in files.items():
                (folder / file).write_bytes(octets)
        return target

    def kept_of(self, kept, new, needed=(), grows=False):
        target = self.target(script("campaign"), kept, new, needed)
        target.merge(self.folder, grows)
        return sorted(f.name for f in target.kept.iterdir())

    def test_what_adds_nothing_goes(self):
        kept = {40 * "a": b"xlong", 40 * "b": b"xx", "walk.12": b"xxx"}
        self.assertEqual(self.kept_of(kept, {40 * "c": b"y"}), [40 * "b", 40 * "c"])

    def test_what_is_kept_by_hand_or_needed_by_a_closer_look_stays(self):
        kept = {"by_hand": b"x1", 40 * "a": b"x22", 40 * "b": b"x333"}
        self.assertEqual(self.kept_of(kept, {}, needed=[40 * "b"]), [40 * "b", "by_hand"])

    def test_nothing_goes_from_a_corpus_that_grows(self):
        kept = {40 * "a": b"xlong", 40 * "b": b"xx"}
        self.assertEqual(self.kept_of(kept, {40 * "c": b"y", 40 * "d": b"x"}, grows=True), [letter * 40 for letter in "abc"])

    def test_nothing_goes_when_the_merge_fails(self):
        target = self.target(script("campaign"), {40 * "a": b"x1", 40 * "b": b"x"}, {})
        target.program = self.program("sys.exit(1)")
        target.merge(self.folder, False)
        self.assertEqual(len(list(target.kept.iterdir())), 2)


class CloserLook(unittest.TestCase):
    def test_the_fewest_take_all_that_all_take(self):
        taken = {"a": {1, 2, 3}, "b": {3, 4}, "c": {1, 2}, "d": {4, 5, 6, 7}, "e": set(), "f": {8}}
        self.assertEqual(closer_look.fewest(taken), ["d", "a", "f"])
        self.assertEqual(closer_look.fewest({}), [])

    def test_each_step_has_the_number_of_its_edge(self):
        machine = object.__new__(Machine)
        machine.edges = [(1, frozenset({5, 6})), (2, frozenset({5}))]
        self.assertEqual(machine.numbers_by_step(), {(1, 5): 0, (1, 6): 0, (2, 5): 1})


class Minimising(InAFolder):
    # RSET and a handshake after it are one failure; RSET alone is another; with the first fact there is a third.
    FAILS = """
octets = pathlib.Path(sys.argv[1]).read_bytes()
rset = octets.find(b"RSET\\r\\n", 7)
if rset < 0 or octets[0] & 2 == 0:
    sys.exit(0)
print("INFO: noise")
print(sys.argv[0] + ": Running 1 inputs 1 time(s) each.")
print("the third" if octets[1] & 1 else "the first" if octets.find(b"\\xF0", rset) > 0 else "another")
print("with SSL=0\\nC: RSET\\n# in pieces of 1 octets")
sys.exit(1)
"""

    def small_of(self, octets, program):
        source = self.folder / "found"
        source.write_bytes(octets)
        done = subprocess.run([sys.executable, str(HERE / "minimise"), str(source), str(program)], capture_output=True,
                              text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        return done, pathlib.Path(f"{source}.small")

    def test_only_what_the_failure_needs_remains(self):
        head = bytes([0xFF, 0xFE, 9, 0x21, 0x43, 0x65, 0x77])
        body = b"EHLO c\r\nNOOP\r\n\xF2RSET\r\nMAIL FROM:<>\r\n\xF0DATA\r\nx\r\n.\r\n\xF0QUIT\r\n"
        done, small = self.small_of(head + body, self.program(self.FAILS))
        self.assertEqual(small.read_bytes(), bytes([2, 0, 0, 0, 0, 0, 0]) + b"RSET\r\n\xF0", done.stderr)
        self.assertTrue(done.stdout.startswith("# the first\n"), done.stdout)
        self.assertTrue(done.stdout.endswith("with SSL=0\nC: RSET\n# in pieces of 1 octets\n"), done.stdout)

    def test_what_does_not_fail_is_not_reduced(self):
        done, small = self.small_of(bytes(7) + b"RSET\r\n", self.program(self.FAILS))
        self.assertIn("does not fail", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(small.exists())

    def test_a_session_that_says_nothing_stays_as_it_is(self):
        done, small = self.small_of(b"", self.program('print("it fails")\nsys.exit(1)'))
        self.assertEqual(small.read_bytes(), b"")
        self.assertTrue(done.stdout.startswith("# it fails\n"), done.stdout + done.stderr)

    def test_data_for_ever_stay_meant(self):
        minimise = script("minimise")
        body = b"A\r\nB\r\n"
        octets = bytes(7) + body + bytes([0xF6, sum(body) % 256]) + b"C\r\n"
        steps = minimise.steps_of(octets[7:])
        self.assertEqual(minimise.written(octets[:7], steps), octets)
        self.assertEqual(minimise.written(b"", steps[1:3]), b"B\r\n" + bytes([0xF6, sum(b"B\r\n")]))

    def test_a_sanitizer_is_told_by_where_it_was(self):
        died = self.program('print("==1==ERROR: AddressSanitizer: x\\nSUMMARY: AddressSanitizer: x line.cpp:7")\n'
                            'sys.exit(len(pathlib.Path(sys.argv[1]).read_bytes()) > 7)')
        done, small = self.small_of(bytes(7) + b"A\r\nB\r\n", died)
        self.assertTrue(done.stdout.startswith("# AddressSanitizer: x line.cpp:7\n"), done.stdout)
        self.assertIn("C| B\\r\\n", done.stdout)
        self.assertEqual(small.read_bytes(), bytes(7) + b"B\r\n")


if __name__ == "__main__":
    unittest.main()
