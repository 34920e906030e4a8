#!/usr/bin/env python3
"""The tables of docs/operating.md that say what an operator can set are those made from spec/options.toml.

usage: manual_tables.py TABLES MANUAL            names each table that is missing or stale; exit 1 when there is one
       manual_tables.py TABLES MANUAL --write    puts them into the manual
       manual_tables.py --self-test              a stale and a missing table are found

TABLES is generated/spec/option_tables.md of a build; a table is known by its first line.
"""
import pathlib
import re
import sys


def tables_of(text):
    return [table.rstrip("\n") + "\n" for table in text.split("\n\n") if table.startswith("|")]


def place_of(manual, table):
    """Where the table of that name stands in the manual: its rows, up to the first line that is none."""
    name = table.split(" | ", 1)[0]
    return re.search("^" + re.escape(name) + r" \|.*\n(?:\|.*\n)*", manual, re.M)


def judge(tables, manual):
    for table in tables_of(tables):
        found, head = place_of(manual, table), table.split("\n", 1)[0]
        if not found:
            yield f"no table begins with: {head}"
        elif found[0] != table:
            lines = zip(table.splitlines(), found[0].splitlines())
            at = next((wanted for wanted, is_there in lines if wanted != is_there), "the number of rows")
            yield f"a table is stale, run tests/manual_tables.py TABLES MANUAL --write: {head}: {at}"


def rewritten(tables, manual):
    for table in tables_of(tables):
        if found := place_of(manual, table):
            manual = manual[:found.start()] + table + manual[found.end():]
    return manual


def self_test():
    tables = "| a | b |\n|---|---|\n| `X` | 1 |\n\n| c | b |\n|---|---|\n| `Y` | 2 |\n"
    manual = "text\n| a | b |\n|---|---|\n| `X` | 3 |\n\nmore\n| c | b |\n|---|---|\n| `Y` | 2 |\nend\n"
    assert [("stale" in each, "| `X` | 1 |" in each) for each in judge(tables, manual)] == [(True, True)]
    assert rewritten(tables, manual) == manual.replace("3", "1") and not list(judge(tables, rewritten(tables, manual)))
    assert [each.startswith("no table") for each in judge(tables, "text\n")] == [True, True]
    print("a stale and a missing table are found")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    tables, manual = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
    if "--write" in sys.argv:
        manual.write_text(rewritten(tables, manual.read_text()))
    found = list(judge(tables, manual.read_text()))
    print("\n".join(found) or f"{len(tables_of(tables))} tables are those of spec/options.toml")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
