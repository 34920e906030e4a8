#!/usr/bin/env python3
"""A misuse that the compiler must refuse (docs/decisions/0003-rooms.md).

usage: must_not_compile.py FILE.cpp COMPILER FLAG...

The file compiles as it is; with -DMISUSE it does not, and the compiler says what the file's `// wanted:` line wants (a
regular expression). `// flags:` adds flags.
"""
import pathlib
import re
import subprocess
import sys


def main() -> int:
    file, *command = sys.argv[1:]
    head = pathlib.Path(file).read_text()
    wanted = re.search(r"^// wanted: (.*)$", head, re.M).group(1)
    flags = re.search(r"^// flags: (.*)$", head, re.M)
    command += [*(flags.group(1).split() if flags else []), "-fsyntax-only", file]
    right = subprocess.run(command, capture_output=True, text=True)
    if right.returncode != 0:
        print(f"{file}:1: does not compile even without the misuse\n{right.stderr}")
        return 1
    wrong = subprocess.run([*command, "-DMISUSE"], capture_output=True, text=True)
    if wrong.returncode == 0:
        print(f"{file}:1: the misuse compiles")
        return 1
    if not re.search(wanted, wrong.stderr):
        print(f"{file}:1: refused, but nothing is said of `{wanted}`\n{wrong.stderr}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
