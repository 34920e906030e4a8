#!/usr/bin/env python3
"""Every decision of spec/elsewhere.toml stands where it says, and its tests exist; the documents count the laws and the
recorded dialogues rightly.

usage: elsewhere.py SOURCE_FOLDER [--self-test]
"""
import json
import pathlib
import re
import sys
import tomllib

from traceability import Known

KEYS = {"name", "where", "decides", "why", "source", "tests"}
CLAIM = re.compile(r"`spec/laws\.toml`: (\d+) laws, (\d+) invariants and (\d+) possibilities")


def offences(rows, folder, known):
    for row in rows:
        if set(row) != KEYS or not all(row.values()):
            yield f"{row.get('name')}: needs each of {', '.join(sorted(KEYS))}, and nothing else"
            continue
        file, _, function = row["where"].partition(":")
        path = folder / file
        if not path.is_file():
            yield f"{row['name']}: {file} does not exist"
        elif not re.search(rf"\b{re.escape(function)}\(", path.read_text(encoding="utf-8")):
            yield f"{row['name']}: {file} has no {function}"
        for test in row["tests"]:
            if not known.has("test", test):
                yield f"{row['name']}: test {test} does not exist"


def miscounts(claim, laws):
    real = tuple(len(laws[kind]) for kind in ("law", "invariant", "possibility"))
    said = CLAIM.search(" ".join(claim.split()))
    if not said or tuple(map(int, said.groups())) != real:
        yield f"docs/proof.md must say: `spec/laws.toml`: {real[0]} laws, {real[1]} invariants and {real[2]} possibilities"


def misrecorded(pages, recorded):
    """`pages` by name; what each must say of tests/conformance/recorded.json."""
    held = sum(len(recorded["behaviours"][number]) for number in recorded["configurations"].values())
    said = {"README.md": f"{held:,} recorded dialogues",
            "tests/conformance/README.md": f"{held:,} dialogues as transcripts; {len(recorded['behaviours'])} distinct "
                                           f"behaviours of the {len(recorded['configurations'])} configurations"}
    yield from (f"{page} must say: {text}" for page, text in said.items() if text not in pages[page])


def self_test(folder, known):
    row = {"name": "n", "where": "tests/elsewhere.py:offences", "decides": "d", "why": "w", "source": "s",
           "tests": ["TlsTransport.refuses_tls_1_1"]}
    bad = [row | {"where": "tests/none.py:offences"}, row | {"where": "tests/elsewhere.py:no_such" + "_function"},
           row | {"tests": ["No.test"]}, row | {"why": ""}, {"name": "n"}]
    missed = [each for each in bad if not list(offences([each], folder, known))]
    laws = {"law": [1], "invariant": [1], "possibility": [1]}
    stale = list(miscounts("`spec/laws.toml`: 2 laws, 1 invariants and 1 possibilities", laws))
    pages = dict.fromkeys(("README.md", "tests/conformance/README.md"), "2 recorded dialogues")
    stale_pages = list(misrecorded(pages, {"behaviours": [{"a": 1}], "configurations": {"c": 0}}))
    print(f"{len(bad) - len(missed)} of {len(bad)} offences found out")
    return 1 if missed or not stale or len(stale_pages) != 2 or list(offences([row], folder, known)) else 0


def main():
    folder = pathlib.Path(sys.argv[1])
    known = Known(folder)
    if "--self-test" in sys.argv:
        return self_test(folder, known)
    rows = tomllib.loads((folder / "spec/elsewhere.toml").read_text(encoding="utf-8"))["decision"]
    laws = tomllib.loads((folder / "spec/laws.toml").read_text(encoding="utf-8"))
    pages = {page: (folder / page).read_text(encoding="utf-8") for page in ("README.md", "tests/conformance/README.md")}
    recorded = json.loads((folder / "tests/conformance/recorded.json").read_text(encoding="utf-8"))
    found = [*offences(rows, folder, known), *miscounts((folder / "docs/proof.md").read_text(encoding="utf-8"), laws),
             *misrecorded(pages, recorded)]
    print("\n".join(found) or f"{len(rows)} decisions outside the table, each where it says; laws and recorded dialogues are counted rightly")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
