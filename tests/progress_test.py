"""The scripts show that they go on: a line before each step, and at each tenth of a build.

usage: progress_test.py SOURCE_FOLDER
"""
import pathlib
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
        self.assertIn("== [0:00] one", lines)
        shown = [line for line in lines if line.startswith("[")]
        self.assertEqual(shown[0], "[1/200] Building 1")
        self.assertEqual(shown[-1], "[200/200] Building 200")
        self.assertEqual(len(shown), 11)
        self.assertEqual(lines[-1], "error: x")

    def test_the_demo_and_the_tests_use_it(self):
        for name in ("demo", "test"):
            text = (SCRIPTS / name).read_text()
            self.assertNotRegex(text, r"cmake --build.*\| tail")
            self.assertIn(". scripts/progress.sh", text)
            self.assertLess(text.index('step "install'), text.index("./scripts/install"))


if __name__ == "__main__":
    unittest.main()
