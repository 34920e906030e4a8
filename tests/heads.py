"""The head of a header: entries `// key     text`, their texts in one column, each entry on lines of its own.

A formatter that fills comments breaks such heads: a key then stands in the middle of a line, or a text begins at its start.
"""
import re

ENTRY = re.compile(r"// (?:in|out|errors|source|lives|limits|units|how|rule|order|cost|memory|states|used|sees|shared|turn) +\S")
KEY_INSIDE = re.compile(r"\S.* (?:in|out|errors|source|lives|limits) {2,}\S")


def offences(path, source):
    if not path.endswith(".hpp"):
        return
    is_entry = False
    for number, line in enumerate(source.split("\n"), 1):
        if not line.startswith("//"):
            return
        text = line[2:].strip()
        if KEY_INSIDE.match(text) and not ENTRY.match(line) and not text.startswith("in, out, errors "):
            yield f"{path}:{number}: a key in the middle of a line: give each entry of the head a line of its own"
        elif is_entry and 0 < len(text.split()) < 3 and not re.match(r"// {3,}|// \w+ {2,}", line):
            yield f"{path}:{number}: the text of an entry goes on at the start of a line: indent it to its column"
        is_entry = bool(ENTRY.match(line)) or (is_entry and line.startswith("//   "))


def self_test():
    bad = ["// What it is. in      a line\n#pragma once", "// What.\n// source  RFC 5321; deviations\n// D9-D12\n"]
    good = ["// What it is, in two\n// lines.\n// in      a line\n//         or two\n// source  RFC 5321\n"]
    failed = [f"a broken head is not found: {text!r}" for text in bad if not list(offences("a.hpp", text))]
    return failed + [found for text in good for found in offences("a.hpp", text)]
