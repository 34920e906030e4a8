#!/usr/bin/env python3
"""Two readers of the spec, which share no code, have read the same: the generator's, as write_model prints it, and spec_reader.py.

  two_readers.py WRITE_MODEL SPEC_FOLDER

Then for every key of every kind of row one change of the files: both must read it, read the same, and not what they read before.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import spec_reader

# Neither reader keeps them: nothing depends on them, and tests/elsewhere.py checks those of [[decision]].
NOT_KEPT = {("policy", "capability", "meaning"), ("laws", "name", "meaning")} | {
    ("elsewhere", "decision", key) for key in ("where", "why", "source", "tests")}
PROSE = {"meaning", "source", "sentence", "reason", "text", "enhanced", "ciphers", "encryption", "auth", "decides", "id"}
# Names that nothing refers to.
FREE_NAMES = {("settings", "cell"), ("events", "question"), ("replies", "hand_over_text"), ("laws", "law"),
              ("laws", "possibility"), ("elsewhere", "decision")}
# Names that others use, renamed in all files.
RENAMED = {("settings", "setting"): "DENY_TLS", ("settings", "fact"): "errors_spent", ("settings", "state"): "greeting",
           ("settings", "derived"): "starttls_usable", ("events", "event"): "data_end.nul",
           ("events", "effect"): "abandon_message", ("replies", "reply"): "nul_in_data", ("laws", "name"): "can_judge",
           ("laws", "invariant"): "mail_data_only_for_recipients"}
# What stands there, and what shall: the first row of the kind that has it is changed.
CHANGED = {
    ("settings", "setting", "default"): ('"backend"', '"relay_client"'),
    ("settings", "setting", "unreadable"): ('"1"', '"0"'),
    ("settings", "fact", "counted"): ("true", "false"),
    ("settings", "state", "values"): ('["none", "helo", "ehlo"]', '["none", "ehlo", "helo"]'),
    ("settings", "state", "start"): ('value = "implicit", if = "SSL"', 'value = "implicit", if = "not SSL"'),
    ("settings", "derived", "is"): ('"AUTH and backend"', '"AUTH or backend"'),
    ("settings", "derived", "theorem"): ('source = "deviation D10"\n', 'source = "deviation D10"\ntheorem = true\n'),
    ("settings", "cipher_list", "if"): ('"REQUIRE_AUTH"', '"AUTH"'),
    ("settings", "cell", "settings"): ("PORT = 25", "PORT = 26"),
    ("settings", "cell", "marks"): ('["dangerous", "not_for_mx"]', '["not_for_mx"]'),
    ("events", "event", "while"): ('["plain_response", "username", "password"]', '["plain_response", "username"]'),
    ("events", "event", "auth_attempt"): ("true", "false"),
    ("events", "event", "forgives"): ("true", "false"),
    ("events", "question", "effect"): ('"hand_over"', '"abandon_message"'),
    ("events", "question", "waits"): ('"recipient"', '"credentials"'),
    ("events", "question", "nobody"): ('"credentials.broken"', '"credentials.rejected"'),
    ("events", "question", "seconds"): ("90", "91"),
    ("replies", "reply", "code"): ("421", "422"),
    ("replies", "reply", "lines"): ('lines = "capabilities"\n', ""),
    ("replies", "reply", "mistake"): ("true", "false"),
    ("replies", "hand_over_text", "permanent"): ("true", "false"),
    ("replies", "queue_exit", "first"): ("31", "30"),
    ("replies", "queue_exit", "last"): ("66", "67"),
    ("replies", "queue_exit", "permanent"): ("true", "false"),
    ("policy", "rule", "on"): ('["mail.*"]', '["mail.valid", "mail.too_big", "mail.malformed"]'),
    ("policy", "rule", "step"): ("2", "7"),
    ("policy", "rule", "if"): ('"force_tls and channel is clear"', '"force_tls or channel is clear"'),
    ("policy", "rule", "reply"): ('"second_mail"', '"ok"'),
    ("policy", "rule", "effect"): ('"close"', '"delay"'),
    ("policy", "rule", "then"): ('{ waiting = "password" }', '{ waiting = "username" }'),
    ("policy", "capability", "if"): ('"auth_offered"', '"auth_usable"'),
    ("laws", "name", "is"): ('"AUTH and backend"', '"AUTH"'),
    ("laws", "invariant", "never"): ("not can_serve", "can_serve"),
    ("laws", "invariant", "by"): ('["starttls_only_where_it_is_possible"]', "[]"),
    ("laws", "law", "never"): ("asks_for_password and in_clear", "asks_for_password and not in_clear"),
    ("laws", "law", "by"): ('["an_exchange_comes_first"]', "[]"),
    ("laws", "law", "only"): ('"lists_capabilities"', '"mistake"'),
    ("laws", "possibility", "when"): ('"can_serve"', '"can_serve and SSL"'),
    ("laws", "possibility", "some"): ("code is 250", "code is 2*"),
}


def texts_of(folder):
    return {name: (folder / f"{name}.toml").read_text("utf-8") for name in spec_reader.FILES}


def row_with(text, kind, pattern):
    """The place in `text` where the pattern first stands in a row of that kind."""
    for row in re.finditer(rf"^\[\[{kind}\]\]\n(.*?)(?=^\[\[|\Z)", text, re.M | re.S):
        if found := re.compile(pattern, re.M).search(text, row.start(1), row.end(1)):
            return found
    raise SystemExit(f"no [[{kind}]] has {pattern}")


def change_of(texts, file, kind, key):
    """The texts with the value of that key changed once."""
    old, new = CHANGED[file, kind, key]
    begin = "^" if old.endswith("\n") else rf"^(?:{key} = |  ?).*?"
    found = row_with(texts[file], kind, f"{begin}(?P<old>{re.escape(old)})")
    return texts | {file: texts[file][:found.start("old")] + new + texts[file][found.end("old"):]}


def mark(texts, file, kind, key, marker):
    """The texts with the marker at the end of the first such text, or of a name wherever it stands."""
    if key == "name" and (file, kind) in RENAMED:
        row_with(texts[file], kind, f'^name = "{re.escape(RENAMED[file, kind])}"$')
        word = re.compile(rf"(?<!\w){re.escape(RENAMED[file, kind])}(?![\w.])")
        return {name: word.sub(lambda found: found[0] + marker, text) for name, text in texts.items()}
    at = row_with(texts[file], kind, rf'^{key} = "[^"\n]*(?P<old>)"$').start("old")
    return texts | {file: texts[file][:at] + marker + texts[file][at:]}


def keys_of(spec):
    """Every key of every kind of row that the files have."""
    return sorted({(file, kind, key) for file, kinds in spec.files.items() for kind, rows in kinds.items()
                   for row in rows for key in row} - NOT_KEPT)


def is_known(file, kind, key):
    if key == "name":
        return (file, kind) in FREE_NAMES or (file, kind) in RENAMED
    return key in PROSE or (file, kind, key) in CHANGED


def read_twice(write_model, folder):
    """What each of the two has read."""
    run = subprocess.run([write_model, str(folder)], capture_output=True, text=True, timeout=60)
    if run.returncode:
        raise SystemExit(f"{write_model} refuses the files: {run.stderr}")
    return run.stdout.splitlines(), spec_reader.write_model(spec_reader.Spec(folder))


def differences(first, second):
    """The lines that only one of them has."""
    return [f"- {line}" for line in first if line not in set(second)] + [f"+ {line}" for line in second if line not in set(first)]


def read_changed(write_model, texts):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (pathlib.Path(folder) / f"{name}.toml").write_text(text, "utf-8")
        return read_twice(write_model, folder)


def problems_of_marks(write_model, texts, keys):
    """All prose and all names with a marker at their end: each marker must be read by both."""
    markers = {where: f"_marker{number}_" for number, where in enumerate(keys)}
    for where, marker in markers.items():
        texts = mark(texts, *where, marker)
    first, second = read_changed(write_model, texts)
    yield from (f"with markers: {line}" for line in differences(first, second))
    for where, marker in markers.items():
        if not any(marker in line for line in first) or not any(marker in line for line in second):
            yield f"nobody sees a change of {where}"


def problems_of_changes(write_model, texts, keys, unchanged):
    """One key changed at a time."""
    for where in keys:
        first, second = read_changed(write_model, change_of(texts, *where))
        yield from (f"with {where} changed: {line}" for line in differences(first, second))
        if first == unchanged or second == unchanged:
            yield f"nobody sees a change of {where}"


def main():
    write_model, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    first, second = read_twice(write_model, folder)
    if first != second:
        print("the generator (-) and the second reader (+) have not read the same:", *differences(first, second), sep="\n")
        return 1
    texts, keys = texts_of(folder), keys_of(spec_reader.Spec(folder))
    changed = [where for where in keys if where in CHANGED]
    marked = [where for where in keys if where not in CHANGED]
    failures = [f"no control for {where}" for where in keys if not is_known(*where)]
    if not failures:
        failures = [*problems_of_marks(write_model, texts, marked),
                    *problems_of_changes(write_model, texts, changed, first)]
    print(*failures, sep="\n")
    print(f"{len(first)} lines are read alike; {len(marked)} texts and names marked, {len(changed)} keys changed one at a "
          f"time, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
