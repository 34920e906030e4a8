#!/usr/bin/env python3
"""Every limit of spec/limits.hpp keeps what is promised of it elsewhere, and a mutant of a limit does not.

usage: bounds.py SOURCE_FOLDER      exit 1 for a limit that breaks its bound, or a mutant that nothing notices and no row allows
"""
import collections
import pathlib
import re
import sys
import tomllib

UNITS = {"KiB": 1024, "MiB": 1024 ** 2}
WORDS = {"a minute": 60, "an hour": 3600, "a day": 86400}


def limits_of(header):
    """Name and value; a value is a product of numbers."""
    limits = {}
    for name, value in re.findall(r"inline constexpr [\w:]+ (\w+) =\s*([^;]+);", header):
        factors = re.findall(r"\d[\d']*", value)
        limits[name] = 1
        for factor in factors:
            limits[name] *= int(factor.replace("'", ""))
    return limits


def number_in(words):
    if words in WORDS:
        return WORDS[words]
    number, _, unit = words.replace(",", "").partition(" ")
    return int(number) * UNITS.get(unit, 1)


def number_of(bound, limits):
    return limits[bound] if isinstance(bound, str) else bound


def broken(row, limits, text_of):
    """By what; nothing when the limit keeps its row."""
    value = limits[row["limit"]]
    if "promise" in row:
        promised = re.search(r"\{(.+?)\}", row["promise"])[1]
        words = re.sub(r"[{}]", "", row["promise"])
        if words not in text_of(row.get("where", "docs/deviations.md")) or number_in(promised) != value:
            yield "promise"
    if value < number_of(row.get("least", 1), limits) or value > number_of(row.get("most", float("inf")), limits):
        yield "bound"


def notices(rows, limits, text_of):
    return [by for row in rows for by in broken(row, limits, text_of)]


def mutants_of(value):
    return {"0": 0, "half": value // 2, "one less": value - 1, "one more": value + 1, "double": value * 2}


def judge_mutants(rows, limits, text_of):
    counts = collections.Counter()
    for row in rows:
        name = row["limit"]
        unnoticed = []
        for how, value in mutants_of(limits[name]).items():
            by = notices(rows, limits | {name: value}, text_of)
            counts[by[0] if by else "free"] += 1
            unnoticed += [] if by else [how]
        if bool(unnoticed) != ("free" in row):
            yield f"{name}: " + (f"nobody notices {', '.join(unnoticed)}" if unnoticed else "free for nothing")
    print("mutants of limits: " + ", ".join(f"{count} {by}" for by, count in sorted(counts.items())))


def main():
    folder = pathlib.Path(sys.argv[1])
    texts = {}

    def text_of(path):
        if path not in texts:
            texts[path] = re.sub(r"\s+", " ", (folder / path).read_text(encoding="utf-8"))
        return texts[path]

    limits = limits_of((folder / "spec/limits.hpp").read_text(encoding="utf-8"))
    rows = tomllib.loads((folder / "proptests/bounds.toml").read_text(encoding="utf-8"))["bound"]
    named = collections.Counter(row["limit"] for row in rows)
    found = [f"{name}: no row of bounds.toml" for name in limits if named[name] != 1]
    found += [f"{name}: no such limit" for name in named if name not in limits]
    if not found:
        found = [f"{row['limit']}: not as {by} says" for row in rows for by in broken(row, limits, text_of)]
        found += judge_mutants(rows, limits, text_of)
    print("\n".join(found) or f"{len(limits)} limits keep their bounds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
