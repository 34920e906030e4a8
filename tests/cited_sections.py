#!/usr/bin/env python3
"""Every section that the code cites is cited by a test (docs/decisions/0003-rooms.md).

usage: cited_sections.py SOURCE_FOLDER     prints the sections that no test cites, with where the code cites them

A citation is `RFC 5321 4.1.1, 4.2` (a list of sections of one document), `D12` or `deviation D12`. A test cites a section
by itself or by one inside it: who tests 4.1.1.4 tests some of 4.1.1.
"""
import pathlib
import re
import sys

CODE = ["grammar", "spec", "engine"]
TESTS = ["tests", "proptests", "fuzz"]
SUFFIXES = {".hpp", ".cpp", ".rl", ".toml", ".smtp", ".py"}
SECTION = r"(?:[A-Z]\.)?\d+(?:\.\d+)*|[A-Z]\.\d+(?:\.\d+)*"
RFC = re.compile(rf"RFC (\d+)((?:,? (?:and |to )?(?:{SECTION})(?![\w-]))*)")
DEVIATION = re.compile(r"\bD(\d+)\b")


def citations_in(text: str):
    text = re.sub(r"\n\s*(//|#)\s*", " ", text)  # a comment goes on in its next line
    for found in RFC.finditer(text):
        sections = re.findall(SECTION, found.group(2))
        for section in sections or [""]:
            yield f"RFC {found.group(1)} {section}".strip()
    for found in DEVIATION.finditer(text):
        yield f"D{found.group(1)}"


def citations_of(folder: pathlib.Path, rooms):
    where = {}
    for room in rooms:
        for path in sorted((folder / room).rglob("*")):
            if path.suffix not in SUFFIXES or not path.is_file() or "conformance" in path.parts:
                continue
            for citation in citations_in(path.read_text(encoding="utf-8", errors="replace")):
                where.setdefault(citation, path.relative_to(folder).as_posix())
    return where


def is_tested(citation: str, tested) -> bool:
    inside = citation + ("." if re.search(r" .* ", citation) else " ")
    return citation in tested or any(each.startswith(inside) for each in tested)


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    coded = citations_of(folder, CODE)
    tested = citations_of(folder, TESTS)
    missing = [f"{path}: {citation} is cited by no test" for citation, path in sorted(coded.items())
               if not is_tested(citation, tested)]
    print("\n".join(missing) or f"{len(coded)} sections and deviations are cited by the code, all of them by a test")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
