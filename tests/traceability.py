#!/usr/bin/env python3
"""Every requirement has something that makes it sure, and all of that exists; docs/traceability.md tells it.

usage: traceability.py SOURCE_FOLDER            fails on an open row, a reference to nothing, or a stale page
       traceability.py SOURCE_FOLDER --write    writes the page
       traceability.py SOURCE_FOLDER --self-test
"""

import pathlib
import re
import sys
import tomllib

PAGE = "docs/traceability.md"
HEAD = """# What binds us, and what makes it sure

Made from `docs/requirements.toml` by `tests/traceability.py --write`; a test fails when it is stale, when a row is open, or
when it refers to something that does not exist. The words are ours; read the documents for theirs.
"""
DOCUMENTS = {"RFC 3207": "RFC 3207: STARTTLS", "RFC 4954": "RFC 4954: AUTH", "RFC 5321": "RFC 5321: SMTP",
             "RFC 1870": "RFC 1870: SIZE", "RFC 2033": "RFC 2033: LMTP", "RFC 2920": "RFC 2920: PIPELINING",
             "RFC 1047": "RFC 1047: Duplicate messages", "RFC 4616": "RFC 4616: PLAIN", "RFC 6152": "RFC 6152: 8BITMIME", "seed": "The seed document, sentence by sentence",
             "deviations": "What postern promises besides them (docs/deviations.md)"}
KINDS = ("rule", "law", "dialogue", "test", "deviation", "not_applicable", "gap")


def read(folder, path):
    return (folder / path).read_text(encoding="utf-8")


def table(folder, path):
    return tomllib.loads(read(folder, path))


class Known:
    """What a reference may name."""

    def __init__(self, folder):
        laws = table(folder, "spec/laws.toml")
        self.rule = {row["id"] for row in table(folder, "spec/policy.toml")["rule"]}
        self.spec_law = {row["name"] for kind in ("law", "invariant", "possibility") for row in laws[kind]}
        self.law = self.spec_law | set(re.findall(r"inline bool (\w+)\(const Moment&", read(folder, "testing/laws.hpp")))
        self.dialogue = {path.stem for path in (folder / "tests/dialogues").glob("*.smtp")}
        self.deviation = set(re.findall(r"^\| (D\d+) \|", read(folder, "docs/deviations.md"), re.M))
        self.test = set(self._cpp_tests(folder)) | set(self._python_tests(folder))

    @staticmethod
    def _cpp_tests(folder):
        for path in [*(folder / "tests").glob("*.cpp"), *(folder / "proptests").glob("*.cpp")]:
            text = path.read_text(encoding="utf-8")
            for suite, name in re.findall(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\((\w+),\s*(\w+)", text, re.M):
                yield f"{suite}.{name}"

    @staticmethod
    def _python_tests(folder):
        for path in (folder / "tests").rglob("*_test.py"):
            for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8")):
                yield f"{path.name}:{name}"

    def has(self, kind, name):
        return bool(name) if kind in ("not_applicable", "gap") else name in getattr(self, kind)


def offences(rows, gaps, known):
    seen = set()
    for row in rows:
        if row.get("document", "seed") not in DOCUMENTS:
            yield f"{row['id']}: {row['document']} has no table in the page"
        if row["id"] in seen:
            yield f"{row['id']}: a second row of this id"
        seen.add(row["id"])
        if not row["covered_by"]:
            yield f"{row['id']}: open, nothing makes it sure: {row['requirement']}"
        for reference in row["covered_by"]:
            kind, _, name = reference.partition(":")
            if kind not in KINDS or not known.has(kind, name):
                yield f"{row['id']}: {reference} does not exist"
        if has_gap(row) != bool(row.get("better")):
            yield f"{row['id']}: a gap, and nothing but a gap, says in `better` why a user is better off as it is"
    cited = {reference.removeprefix("law:") for row in rows for reference in row["covered_by"]}
    yield from (f"law {name}: no requirement cites it" for name in sorted(known.spec_law - cited))
    found = sum(has_gap(row) for row in rows)
    if found != gaps:
        yield f"gaps = {gaps}, and {found} rows have one: a gap that comes or goes is said there"


def has_gap(row):
    return any(reference.startswith("gap:") for reference in row["covered_by"])


def told(reference):
    kind, _, name = reference.partition(":")
    words = {"not_applicable": f"not applicable: {name}", "gap": f"**gap**: {name}", "deviation": f"deviation {name}"}
    return words.get(kind, f"{kind} `{name}`")


def page_of(rows):
    lines = [HEAD, f"{len(rows)} requirements, {sum(map(has_gap, rows))} with a gap.\n"]
    for document, title in DOCUMENTS.items():
        lines += [f"## {title}\n", "| id | | binds | requirement | made sure by |", "|---|---|---|---|---|"]
        for row in rows:
            if row["document"] == document:
                references = "; ".join(told(each) for each in row["covered_by"]).replace("|", "\\|")
                lines.append(f"| {row['id']} | {row['level']} | {row['binds']} | {row['requirement']} | {references} |")
        lines.append("")
    lines += ["## Gaps\n", "What a reader of the documents would expect otherwise, and why a user is better off as it is.\n"]
    lines += [f"- {row['id']} ({row['document']} {row['section']}, {row['level']}): {row['requirement']}. "
              + "; ".join(each.removeprefix("gap:") for each in row["covered_by"] if each.startswith("gap:"))
              + f". Better so, because {row['better']}."
              for row in rows if has_gap(row)]
    return "\n".join(lines) + "\n"


def self_test(known):
    row = {"id": "x", "requirement": "r", "covered_by": []}
    bad = [[row], [row | {"covered_by": ["rule:no.such"]}], [row | {"covered_by": ["word:quit"]}],
           [row | {"covered_by": ["gap:why"]}], [row | {"covered_by": ["test:No.test"]}],
           [row | {"covered_by": ["rule:quit"], "better": "it has no gap"}],
           [row | {"covered_by": ["rule:quit"]}, row | {"covered_by": ["rule:quit"]}],
           [row | {"covered_by": ["not_applicable:"]}]]
    laws = {"id": "laws", "requirement": "r", "covered_by": [f"law:{name}" for name in sorted(known.spec_law)]}
    missed = [rows for rows in bad if not list(offences([laws, *rows], 0, known))]
    if not list(offences([laws | {"covered_by": laws["covered_by"][1:]}], 0, known)):
        missed.append("a law that no requirement cites")
    fine = list(offences([laws, row | {"covered_by": ["rule:quit", "not_applicable:why"]}], 0, known))
    print(f"{len(bad) + 1 - len(missed)} of {len(bad) + 1} offences found out")
    return 1 if missed or fine else 0


def main():
    folder = pathlib.Path(sys.argv[1])
    known, data = Known(folder), table(folder, "docs/requirements.toml")
    if "--self-test" in sys.argv:
        return self_test(known)
    rows = data["requirement"]
    found = list(offences(rows, data["gaps"], known))
    page = page_of(rows)
    if "--write" in sys.argv:
        (folder / PAGE).write_text(page, encoding="utf-8")
    elif not (folder / PAGE).exists() or read(folder, PAGE) != page:
        found.append(f"{PAGE} is stale: run tests/traceability.py {folder} --write")
    print("\n".join(found) or f"{len(rows)} requirements, none open, {data['gaps']} with a gap that is told")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
