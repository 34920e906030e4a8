#!/usr/bin/env python3
"""What people read of the spec (sources, meanings, reasons, ranges, defaults): each change of one of them is noticed by a check, or
proptests/readable.toml says why not. What machines read of it: kill_mutants, kill_law_mutants.

usage: readable.py SOURCE_FOLDER      exit 1: a source that leads nowhere, a key that is empty, a mutant that nothing notices and no row
                                      allows, a row that allows what is noticed

mutants     of each value of each row: emptied; without its first word; that of the next row; a number one more; of a source also a
            section, a deviation and a document that is not there
noticed by  `empty`, `source`, and `requirement` here: a law or rule names a document whose requirement cites it (docs/requirements.toml); `snapshot`: spec/policy.snapshot has it, and would not be the committed one any more; `manual`: a
            table of docs/operating.md has it (tests/manual_tables.py); `sections`: no test cites that section (tests/cited_sections.py)
"""
import collections
import pathlib
import re
import sys
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
sys.dont_write_bytecode = True
from cited_sections import TESTS, citations_in, citations_of, is_tested  # noqa: E402

SOURCES, NUMBERS = ("source",), ("least", "most", "default")
WORDS = ("meaning", "sentence", "reason", "decides", "why", "does", "instead", "unset", "unit", "limit")
SELDOM = ("default", "unset", "unit", "limit")  # a row may have none
CITED = {"laws.toml law": "law:{name}", "policy.toml rule": "rule:{id}"}
NOT_THERE = 99


class Checks:
    """What the checks of the tree look at."""

    def __init__(self, folder):
        self.folder = folder
        self.snapshot = flat(folder / "spec/policy.snapshot")
        self.manual = [plain(line) for line in (folder / "docs/operating.md").read_text().splitlines() if line.startswith("|")]
        self.tested = citations_of(folder, TESTS)
        self.deviations = set(re.findall(r"\bD\d+\b", (folder / "docs/deviations.md").read_text()))
        self.listed = tomllib.loads((folder / "proptests/readable.toml").read_text())
        self.documents = [re.compile(each) for each in self.listed["documents"]]
        self.required_by = collections.defaultdict(set)
        for row in tomllib.loads((folder / "docs/requirements.toml").read_text())["requirement"]:
            for what in row["covered_by"]:
                self.required_by[what].add({"seed": "seed: ", "deviations": "deviation"}.get(row["document"], row["document"]))

    def problem_of_source(self, source):
        """Why it leads nowhere; empty: it does not."""
        for item in re.split(r";\s*", source):
            missing = [each for each in citations_in(item) if each.startswith("D") and each not in self.deviations]
            if missing:
                return f"{missing[0]} is no deviation"
            for path in re.findall(r"\bdocs/[\w./-]+\.md", item):
                if not (self.folder / path).exists():
                    return f"{path} is not there"
            if not list(citations_in(item)) and not any(each.fullmatch(item) for each in self.documents):
                return f"nobody knows {item!r}"
        return ""

    def is_apart(self, place, row, source):
        """None of the documents that ask for this law or rule is among its sources."""
        if place not in CITED:
            return False
        documents = self.required_by.get(CITED[place].format(**row), set())
        from_seed = "original" in source and "seed: " in documents
        return bool(documents) and not from_seed and not any(each in source for each in documents)

    def noticed_by(self, place, row, key, old, new):
        if not str(new).strip():
            return "empty"
        if key in SOURCES:
            if self.problem_of_source(new):
                return "source"
            if any(not is_tested(each, self.tested) for each in citations_in(new)):
                return "sections"
            name = row.get("name", row.get("id", ""))
            if self.is_apart(place, row, new) and name not in self.listed["apart"]:
                return "requirement"
        name = str(row.get("name", row.get("id", "")))
        if key not in SOURCES and plain(old) in self.snapshot and plain(new) != plain(old) and (key in WORDS or name in self.snapshot):
            return "snapshot"
        if any((f"`{name}`" in line or key in WORDS) and plain(old).replace(",", "") in line.replace(",", "") for line in self.manual):
            return "manual"
        return ""


def plain(value):
    return " ".join(str(value).split())


def flat(path):
    return plain(path.read_text())


def mutants_of(key, value, other):
    if key in NUMBERS and isinstance(value, int) and not isinstance(value, bool):
        yield "one more", value + 1
        return
    value = str(value)
    yield "emptied", ""
    if other is not None and other != value:
        yield "the next row's", other
    if key in SOURCES:
        section = re.search(r"(RFC \d+ \d+)((?:\.\d+)*)", value)
        if section:
            yield "no such section", value.replace(section[0], f"{section[1]}.{NOT_THERE}", 1)
            yield "no such RFC", value.replace(section[0], f"RFC {NOT_THERE}{section[0].removeprefix('RFC ')}", 1)
        deviation = re.search(r"\bD\d+\b", value)
        if deviation:
            yield "no such deviation", value.replace(deviation[0], f"D{NOT_THERE}", 1)
        yield "an item more", value + "; hearsay"
    elif " " in value:
        yield "a word less", value.split(" ", 1)[1]


def rows_of(folder):
    for path in sorted((folder / "spec").glob("*.toml")):
        for table, rows in tomllib.loads(path.read_text()).items():
            if isinstance(rows, list):
                yield f"{path.name} {table}", rows


def judge(folder):
    checks = Checks(folder)
    counts, unnoticed, found = collections.Counter(), collections.Counter(), []
    for place, rows in rows_of(folder):
        for key in (*SOURCES, *WORDS, *NUMBERS):
            having = [row for row in rows if key in row]
            for at, row in enumerate(having):
                value = row[key]
                name = str(row.get("name", row.get("id", at)))
                if key in SOURCES and (problem := checks.problem_of_source(value)):
                    found.append(f"{place} {name}: {key}: {problem}")
                if key in SOURCES and place in CITED and checks.is_apart(place, row, value) != (name in checks.listed["apart"]):
                    found.append(f"{place} {name}: its source names no document that asks for it, or `apart` has it for nothing")
                if key not in SELDOM and not str(value).strip():
                    found.append(f"{place} {name}: {key} is empty")
                other = having[(at + 1) % len(having)][key]
                for how, mutant in mutants_of(key, value, other if isinstance(other, str) else None):
                    by = checks.noticed_by(place, row, key, value, mutant)
                    counts[by or "nobody"] += 1
                    if not by:
                        unnoticed[(f"{place} {key}", how)] += 1
    allowed = {(of, how) for row in checks.listed["unnoticed"] for of in row["of"] for how in row["mutants"]}
    found += [f"{of}: {how}: nobody notices {count} mutants" for (of, how), count in unnoticed.items() if (of, how) not in allowed]
    found += [f"{of}: {how}: is noticed, and readable.toml allows it" for of, how in sorted(allowed - set(unnoticed))]
    print("mutants of what is read: " + ", ".join(f"{count} {by}" for by, count in counts.most_common()))
    return found


def main():
    found = judge(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "each is noticed, or readable.toml says why not")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
