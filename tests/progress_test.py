"""The scripts show that they go on: a line before each step, and at each tenth of a build; and no step hides another.

usage: progress_test.py SOURCE_FOLDER
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(sys.argv.pop(1)) / "scripts"


class Progress(unittest.TestCase):
    def test_a_build_shows_each_tenth_and_what_is_no_step(self):
        with tempfile.TemporaryDirectory() as folder:
            cmake = pathlib.Path(folder) / "cmake"
            cmake.write_text('#!/bin/sh\n[ "$1" = --build ] || exit 0\n'
                             'for i in $(seq 200); do echo "[$i/200] Building $i"; done\necho "error: x"\nexit 3\n')
            cmake.chmod(0o755)
            done = subprocess.run(["bash", "-c", f'set -o pipefail; PATH={folder}:$PATH; . {SCRIPTS}/progress.sh; step one; build demo postern'],
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        lines = done.stdout.splitlines()
        self.assertRegex(done.stdout, r"(?m)^== \[0:\d\d\] one$")
        shown = [line for line in lines if line.startswith("[")]
        self.assertEqual(shown[0], "[1/200] Building 1")
        self.assertEqual(shown[-1], "[200/200] Building 200")
        self.assertEqual(len(shown), 11)
        self.assertEqual(lines[-1], "error: x")

    def run_steps(self, functions, *steps):
        return subprocess.run(["bash", "-c", f". {SCRIPTS}/progress.sh; {functions}; set -e; run_steps {' '.join(steps)}"],
                              capture_output=True, text=True, timeout=60)

    def test_a_step_that_fails_hides_none_after_it_and_is_named_at_the_end(self):
        done = self.run_steps("one() { false; echo hidden; }; two() { echo heard; }", "one", "two")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("hidden", done.stdout)
        lines = done.stdout.splitlines()
        self.assertIn("heard", lines)
        self.assertRegex(lines[-2], r"^one +0:\d\d  FAILED$")
        self.assertRegex(lines[-1], r"^two +0:\d\d  passed$")

    def test_steps_that_pass_pass(self):
        self.assertEqual(self.run_steps("one() { :; }; two() { ! false; }", "one", "two").returncode, 0)

    def test_each_named_list_has_known_steps(self):
        text = (SCRIPTS / "test").read_text()
        known = re.search(r'known="([a-z ]+)"', text)[1].split()
        lists = re.findall(r"steps=\(([a-z ]+)\)", text)
        self.assertEqual(len(lists), 3)
        for steps in lists:
            self.assertLessEqual(set(steps.split()), set(known))

    def test_what_has_changed_is_bounded(self):
        """clang-tidy is asked about so many files at most, those that changed most."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "scripts").mkdir()
            (folder / "cli").mkdir()
            shutil.copy(SCRIPTS / "lint", folder / "scripts")
            (folder / "build").mkdir()
            (folder / "build/compile_commands.json").write_text("[]")
            tidy = folder / "clang-tidy-19"
            tidy.write_text('#!/bin/sh\nshift 4\necho asked "$@"\n')
            tidy.chmod(0o755)
            for commit in range(2):
                for number in range(5):
                    (folder / f"cli/{number}.cpp").write_text("// x\n" * (1 + commit * number))
                for words in (["init", "-q"], ["add", "cli"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
                    subprocess.run(["git", "-C", folder, *words], check=True, timeout=60)
            done = subprocess.run([folder / "scripts/lint", "build", "HEAD~1", "2"], capture_output=True, text=True, timeout=60,
                                  env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("clang-tidy: 2 of 4 files that have changed since ", done.stdout)
        self.assertCountEqual(re.findall(r"asked (.*)", done.stdout), ["cli/4.cpp", "cli/3.cpp"], "one a process")

    def test_the_demo_and_the_tests_use_it(self):
        for name in ("demo", "test"):
            text = (SCRIPTS / name).read_text()
            self.assertNotRegex(text, r"cmake --build.*\| tail")
            self.assertIn(". scripts/progress.sh", text)
            self.assertLess(text.index('step "install'), text.index("./scripts/install"))


if __name__ == "__main__":
    unittest.main()
