#!/usr/bin/env python3
"""The rows of docs/deviations.md are in order, each number is there once, the numbers that stand for nothing are said, and every
deviation that a file of the project cites is a row.

usage: deviations.py SOURCE_FOLDER [--self-test]
"""
import os
import pathlib
import re
import sys

ROW = re.compile(r"^\| D(\d+) \|", re.M)
NEVER = re.compile(r"D(\d+) to D(\d+) stand for nothing")
CITED = re.compile(r"(?:deviations? (?:D\d+(?:, | and | to )?)+|\bD\d+\b)")
TEXTS = {".cpp", ".hpp", ".toml", ".py", ".md", ".smtp", ".rl", ".abnf"}


def offences(table, texts):
    numbers = [int(number) for number in ROW.findall(table)]
    if numbers != sorted(set(numbers)):
        yield "docs/deviations.md: the rows are not in order, or a number stands twice"
    said = NEVER.search(" ".join(table.split()))
    unused = set(range(int(said[1]), int(said[2]) + 1)) if said else set()
    missing = set(range(1, max(numbers) + 1)) - set(numbers)
    if missing != unused:
        yield f"docs/deviations.md: says that {sorted(unused)} stand for nothing, and {sorted(missing)} have no row"
    for name, text in texts:
        for citation in CITED.findall(text):
            for number in map(int, re.findall(r"D(\d+)", citation)):
                if number not in numbers and number != 0:  # D0: DENY_TLS=0 in names of recordings
                    yield f"{name}: cites D{number}, which is no row of docs/deviations.md"


def texts_of(folder):
    for path, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each != "build" and not each.startswith(".")]
        for file in (pathlib.Path(path) / name for name in files):
            inside = str(file.relative_to(folder))
            if file.suffix in TEXTS and inside not in ("docs/deviations.md", "tests/deviations.py"):
                yield inside, file.read_text(encoding="utf-8")


def self_test():
    table = "| D1 | a |\n| D2 | b |\n| D5 | c |\nD3 to D4 stand for\nnothing.\n"
    assert not list(offences(table, [("a.cpp", "// deviation D5; deviations D1 and D2")]))
    assert len(list(offences(table.replace("| D2 | b |\n", ""), []))) == 1
    assert len(list(offences("| D2 | b |\n" + table, []))) == 1
    assert len(list(offences(table, [("a.cpp", "deviations D2, D3"), ("b.md", "(D17)")]))) == 2
    print("rows out of order, gaps and citations of nothing are found")
    return 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    folder = sys.argv[1]
    found = list(offences((pathlib.Path(folder) / "docs/deviations.md").read_text(), texts_of(folder)))
    print("\n".join(found) or "every deviation that is cited is a row, and the rows are in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
