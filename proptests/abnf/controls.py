#!/usr/bin/env python3
"""check.py can fail: every control of controls.toml is found, by the comparison and with the octets that stand there.

  controls.py GRAMMAR_FOLDER ALPHABETS_FOLDER     as check.py
"""
import pathlib
import shutil
import sys
import tempfile
import time
import tomllib

import check
import machine
from productions import Grammar, Refused

HERE = pathlib.Path(__file__).parent


def changed(text, control):
    if text.count(control["old"]) != 1:
        raise SystemExit(f"{control['name']}: {control['old']!r} does not stand exactly once in {control['file']}")
    return text.replace(control["old"], control["new"])


def texts_for(control, unchanged):
    name = pathlib.Path(control["file"])
    if name.suffix != ".abnf":
        return unchanged
    return check.Texts(**{name.stem: changed((HERE / name).read_text(), control)})


def machine_for(control, name, folder, alphabets):
    with tempfile.TemporaryDirectory() as copy:
        for rules in folder.glob("*.rl"):
            shutil.copy(rules, copy)
        if control["file"].endswith(".rl"):
            path = pathlib.Path(copy) / control["file"]
            path.write_text(changed(path.read_text(), control))
        return machine.compiled(copy, name, alphabets / "classes" if name == "command" else None)


def found(control, unchanged, folder, alphabets):
    name, _, comparison = control["check"].partition(": ")
    run = check.COMPARISONS[name].get(comparison) or check.one_verb(comparison)
    return run(texts_for(control, unchanged), machine_for(control, name, folder, alphabets))[0]


def run_controls(folder, alphabets):
    unchanged, failures = check.Texts(), 0
    for control in tomllib.loads((HERE / "controls.toml").read_text())["control"]:
        begin = time.process_time()
        difference = found(control, unchanged, folder, alphabets)
        good = difference is not None and difference.octets == control["shows"].encode("latin-1")
        failures += not good
        said = f"{difference.octets!r} ({difference.what})" if difference else "MISSED"
        seconds = time.process_time() - begin
        print(f"{'found' if good else 'WRONG'}  {control['name']:52} {seconds:4.1f} s  {said}", flush=True)
    return failures


def refuses(what, action):
    try:
        action()
    except (Refused, machine.NotUnderstood) as why:
        print(f"refused  {what}: {why}")
        return 0
    print(f"WRONG  {what} is taken")
    return 1


def not_understood(folder, alphabets):
    """An action that does something else than machine.py knows."""
    control = {"name": "unknown action", "file": "command.rl", "old": "said |= said_size;",
               "new": "said |= said_size; said = 0;"}
    return lambda: machine_for(control, "command", folder, alphabets)


def run_refusals(folder, alphabets):
    once = Grammar('a = "x" "x"')
    edits = (HERE / "edits.abnf").read_text()
    without = edits.replace(";; lenient_dots  forgiven", ";; lenient_dots  later")
    cut = edits.replace("auth-response = [base64] CRLF", "auth-response = base64 CRLF")
    failures = [
        refuses("an action that is not known", not_understood(folder, alphabets)),
        refuses("an edit whose place is not clear", lambda: once.change('a : "x" => "y"')),
        refuses("an edit of no production", lambda: once.change("a ; b")),
        refuses("a production that is there twice", lambda: Grammar("a = %x30\na = %x31")),
    ]
    for what, whys in (("a leniency without its edit", check.check_names(check.Texts(edits=without), folder)),
                       ("an AUTH that was cut wrongly", check.check_parts(check.Texts(edits=cut)))):
        whys = list(whys)
        print(f"{'found' if whys else 'WRONG'}  {what}: {whys}")
        failures.append(not whys)
    return sum(failures)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    FOLDERS = tuple(map(pathlib.Path, sys.argv[1:]))
    sys.exit(1 if run_controls(*FOLDERS) + run_refusals(*FOLDERS) else 0)
