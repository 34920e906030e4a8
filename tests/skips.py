#!/usr/bin/env python3
"""A skipped test is red unless tests/allowed_skips.toml has its reason and that reason's condition holds on this machine.

usage: skips.py ALLOWED LOG      LOG is Testing/Temporary/LastTest.log of a ctest run; names every skip that is allowed
       skips.py --self-test
"""
import ctypes
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib

BEGIN = re.compile(r"^\d+/\d+ Testing: (.*)$")
PYTHON = re.compile(r"""skipped (['"])(.*)\1$""")
PYTHON_COUNT = re.compile(r"^(?:OK|FAILED) \(.*?skipped=(\d+)")
GTEST = re.compile(r"^\S+:\d+: Skipped$")
GTEST_COUNT = re.compile(r"^\[  SKIPPED \] .*\(\d+ ms\)$")


def skips_in(text):
    """(ctest's name, the reason) of each skip; a skip that does not say its reason has an empty one."""
    test, lines, found, counted = "", text.splitlines(), [], 0
    for number, line in enumerate(lines):
        if begin := BEGIN.match(line):
            test = begin[1]
        elif reason := PYTHON.search(line):
            found.append((test, reason[2]))
        elif GTEST.match(line):
            found.append((test, lines[number + 1].strip() if number + 1 < len(lines) else ""))
        elif GTEST_COUNT.match(line):
            counted += 1
        elif count := PYTHON_COUNT.match(line):
            counted += int(count[1])
    if counted > len(found):
        found.append((test, ""))
    return found


def no_tracing():
    strace = shutil.which("strace")
    return strace is None or subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True).returncode != 0


def no_mount():
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "skips", folder], capture_output=True)
    return run.returncode != 0


def landlock():
    """The version of Landlock; 0 without it. 444 is landlock_create_ruleset on every architecture."""
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


def no_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return False
    except OSError:
        return True


def no_unnamed_files():
    try:
        os.close(os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_WRONLY, 0o600))
        return False
    except OSError:
        return True


CONDITIONS = {
    "not_root": lambda test: os.geteuid() != 0,
    "no_mount": lambda test: no_mount(),
    "landlock_before_2": lambda test: landlock() < 2,
    "landlock_before_4": lambda test: landlock() < 4,
    "no_tracing": lambda test: no_tracing(),
    "no_ipv6": lambda test: no_ipv6(),
    "few_descriptors": lambda test: resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 21_000,
    "one_file_system": lambda test: os.stat(tempfile.gettempdir()).st_dev == os.stat("/dev/shm").st_dev,
    "no_unnamed_files": lambda test: no_unnamed_files(),
    "not_x86": lambda test: os.uname().machine != "x86_64",
    "told_by_the_listener": lambda test: test.startswith("listener."),
}


def judge(skips, allowed, conditions):
    """(what is allowed, what is not), each a line."""
    fine, wrong = [], []
    for test, reason in skips:
        row = next((row for row in allowed if reason.startswith(row["reason"])), None)
        if row is None:
            wrong.append(f"{test}: skipped: {reason or 'no reason is given'}: no reason of tests/allowed_skips.toml")
        elif not conditions[row["when"]](test):
            wrong.append(f"{test}: skipped: {reason}: but {row['when']} does not hold here")
        else:
            fine.append(f"{test}: {reason} ({row['when']})")
    return fine, wrong


def self_test():
    log = """1/9 Testing: a.cpp
../../tests/a.cpp:7: Skipped
only root can
[  SKIPPED ] A.a (0 ms)
2/9 Testing: listener.front
test_a (__main__.A.test_a) ... skipped 'a listener has none'
test_b (__main__.A.test_b)
What it does. ... skipped "it's not here"
Ran 3 tests
OK (skipped=2)
3/9 Testing: silent
OK (skipped=1)
"""
    found = skips_in(log)
    assert found == [("a.cpp", "only root can"), ("listener.front", "a listener has none"),
                     ("listener.front", "it's not here"), ("silent", "")], found
    allowed = [{"reason": "only root", "when": "yes"}, {"reason": "a listener", "when": "no"}]
    fine, wrong = judge(found, allowed, {"yes": lambda test: True, "no": lambda test: False})
    assert len(fine) == 1 and len(wrong) == 3, (fine, wrong)
    rows = tomllib.loads((pathlib.Path(__file__).parent / "allowed_skips.toml").read_text())["skip"]
    assert all(row["when"] in CONDITIONS for row in rows)
    print(f"4 skips found, 3 of them refused; {len(rows)} reasons have conditions")
    return 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    allowed = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["skip"]
    skips = skips_in(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8", errors="replace"))
    fine, wrong = judge(skips, allowed, CONDITIONS)
    if fine:
        print("what this run could not show:", *sorted(set(fine)), sep="\n  ")
    print(*wrong, sep="\n")
    print(f"{len(fine)} skips with a reason that holds, {len(wrong)} without")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
