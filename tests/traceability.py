#!/usr/bin/env python3
"""Something that exists verifies every requirement; docs/traceability.md lists it.

usage: traceability.py SOURCE_FOLDER            fails on an open row, a reference to nothing, or a stale page
       traceability.py SOURCE_FOLDER --write    writes the page
       traceability.py SOURCE_FOLDER --self-test
       traceability.py SOURCE_FOLDER --mutants  how many wrong citations are noticed
"""

import collections
import pathlib
import re
import sys
import tomllib

PAGE = "docs/traceability.md"
HEAD = """# The requirements that bind us, and what verifies each

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


def answer_of(reply):
    """As a dialogue shows it; nothing when nothing is said. What is in braces differs from session to session."""
    text = re.sub(r"\\\{\w+\\\}", ".*", re.escape(reply["text"]))
    return re.compile(rf"^S(?:\*\d+)?: {reply['code']}[ -]{text}", re.M) if reply["code"] else None


class Known:
    """What a reference may name."""

    def __init__(self, folder):
        laws = table(folder, "spec/laws.toml")
        rules = table(folder, "spec/policy.toml")["rule"]
        self.rule = {row["id"] for row in rules}
        self.spec_law = {row["name"] for kind in ("law", "invariant", "possibility") for row in laws[kind]}
        self.law = self.spec_law | set(re.findall(r"inline bool (\w+)\(const Moment&", read(folder, "testing/laws.hpp")))
        self.said = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "tests/dialogues").glob("*.smtp")}
        self.dialogue = set(self.said)
        replies = {row["name"]: row for row in table(folder, "spec/replies.toml")["reply"]}
        self.answer = {row["id"]: answer_of(replies[row.get("reply", "none")]) for row in rules}
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


def miscounted(rows, counts):
    """A row that is dropped, or a new one, is said in the table of counts, too."""
    found = collections.Counter(row["document"] for row in rows)
    return (f"rows: {counts.get(name, 0)} of {name}, and there are {found[name]}"
            for name in sorted(found.keys() | counts.keys()) if found[name] != counts.get(name, 0))


def offences(rows, gaps, known):
    seen = set()
    for row in rows:
        if row.get("document", "seed") not in DOCUMENTS:
            yield f"{row['id']}: {row['document']} has no table in the page"
        if row["id"] in seen:
            yield f"{row['id']}: a second row of this id"
        seen.add(row["id"])
        if not row["covered_by"]:
            yield f"{row['id']}: open, nothing verifies it: {row['requirement']}"
        for reference in row["covered_by"]:
            kind, _, name = reference.partition(":")
            if kind not in KINDS or not known.has(kind, name):
                yield f"{row['id']}: {reference} does not exist"
        yield from (f"{row['id']}: no dialogue that it cites gets the answer of rule {rule}" for rule in unshown(row, known))
        if has_gap(row) != bool(row.get("better")):
            yield f"{row['id']}: a gap, and nothing but a gap, says in `better` why a user is better off as it is"
    cited = {reference.removeprefix("law:") for row in rows for reference in row["covered_by"]}
    yield from (f"law {name}: no requirement cites it" for name in sorted(known.spec_law - cited))
    found = sum(has_gap(row) for row in rows)
    if found != gaps:
        yield f"gaps = {gaps}, and {found} rows have one: a gap that comes or goes is said there"


def named(row, kind):
    return [each.removeprefix(f"{kind}:") for each in row["covered_by"] if each.startswith(f"{kind}:")]


def unshown(row, known):
    """The rules of this row whose answer no dialogue of this row gets: one that is not meant, most often."""
    said = "\n".join(known.said.get(name, "") for name in named(row, "dialogue"))
    return [rule for rule in named(row, "rule") if known.answer.get(rule) and not known.answer[rule].search(said)]


def has_gap(row):
    return any(reference.startswith("gap:") for reference in row["covered_by"])


def told(reference):
    kind, _, name = reference.partition(":")
    words = {"not_applicable": f"not applicable: {name}", "gap": f"**gap**: {name}", "deviation": f"deviation {name}"}
    return words.get(kind, f"{kind} `{name}`")


def page_of(rows):
    lines = [HEAD, f"{len(rows)} requirements, {sum(map(has_gap, rows))} with a gap.\n"]
    for document, title in DOCUMENTS.items():
        lines += [f"## {title}\n", "| id | | binds | requirement | verified by |", "|---|---|---|---|---|"]
        for row in rows:
            if row["document"] == document:
                references = "; ".join(told(each) for each in row["covered_by"]).replace("|", "\\|")
                lines.append(f"| {row['id']} | {row['level']} | {row['binds']} | {row['requirement']} | {references} |")
        lines.append("")
    lines += ["## Gaps\n", "Where postern differs from what the documents ask for, and why a user is better off so.\n"]
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
           [row | {"covered_by": ["not_applicable:"]}],
           [row | {"covered_by": ["rule:quit", "dialogue:auth_off", "rule:connect.dead"]}]]
    laws = {"id": "laws", "requirement": "r", "covered_by": [f"law:{name}" for name in sorted(known.spec_law)]}
    missed = [rows for rows in bad if not list(offences([laws, *rows], 0, known))]
    if not list(offences([laws | {"covered_by": laws["covered_by"][1:]}], 0, known)):
        missed.append("a law that no requirement cites")
    documented = [{"document": "RFC 3207"}, {"document": "RFC 4954"}]
    for i, counts in enumerate(({"RFC 3207": 1}, {"RFC 3207": 2, "RFC 4954": 1}, {"RFC 3207": 1, "RFC 4954": 1, "x": 1})):
        if not list(miscounted(documented, counts)):
            missed.append(f"a wrong count, {i}")
    fine = list(offences([laws, row | {"covered_by": ["rule:quit", "dialogue:auth_off", "not_applicable:why"]}], 0, known))
    if fine:
        print("a good row is blamed:", *fine, sep="\n  ")
    print(f"{len(bad) + 4 - len(missed)} of {len(bad) + 4} offences found out")
    return 1 if missed or fine else 0


def judge_mutants(rows, counts, known):
    """Each rule that is cited put in the place of each other, and each row dropped: how many are noticed, and by what."""
    kept = sum(not list(miscounted([*rows[:i], *rows[i + 1:]], counts)) for i in range(len(rows)))
    swapped = unnoticed = 0
    for row in rows:
        others = [each for each in row["covered_by"] if not each.startswith("rule:")]
        for rule in sorted(known.rule - set(named(row, "rule"))) if named(row, "rule") else ():
            swapped += 1
            unnoticed += not unshown(row | {"covered_by": [*others, f"rule:{rule}"]}, known)
    print(f"mutants of requirements: {swapped} rules in the place of another, {swapped - unnoticed} noticed by a dialogue "
          f"and {unnoticed} answer as it does or say nothing; {len(rows)} rows dropped, {len(rows) - kept} noticed by the count")
    return 1 if kept else 0


def main():
    folder = pathlib.Path(sys.argv[1])
    known, data = Known(folder), table(folder, "docs/requirements.toml")
    if "--self-test" in sys.argv:
        return self_test(known)
    rows = data["requirement"]
    if "--mutants" in sys.argv:
        return judge_mutants(rows, data["rows"], known)
    found = [*offences(rows, data["gaps"], known), *miscounted(rows, data["rows"])]
    page = page_of(rows)
    if "--write" in sys.argv:
        (folder / PAGE).write_text(page, encoding="utf-8")
    elif not (folder / PAGE).exists() or read(folder, PAGE) != page:
        found.append(f"{PAGE} is stale: run tests/traceability.py {folder} --write")
    print("\n".join(found) or f"{len(rows)} requirements, none open, {data['gaps']} with a gap that is explained")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
