#!/usr/bin/env python3
"""The compiled command parser does at every transition what the XML of its machine says, which check.py has compared.

  compiled.py GRAMMAR_FOLDER ALPHABETS_FOLDER SAY_COMMANDS

For every state of the product in machine.py a shortest line that leads there; after it every octet of every class; after
that, where a command can still come of it, the shortest end. What the machine makes of each of these lines, by the XML,
is compared with what the compiled parser says: accepted or not, where it stopped, and the fields. Then one final state is
taken from the XML's machine, which must show.
"""
import pathlib
import subprocess
import sys
from collections import deque

import machine
from automata import classes_of

VERBS = "unknown helo ehlo mail rcpt data rset noop vrfy expn help quit starttls auth".split()
BODIES = ["unsaid", "seven_bit", "eight_bit_mime"]
FIELDS = ["local_part", "domain", "auth_mailbox", "mechanism"]


def run(command, line):
    """What say_commands prints for the line, by the XML; and the state it ends in."""
    state, mark, fields, body = command.start, 0, {}, "unsaid"
    for place in range(len(line) + 1):
        if place < len(line):
            after, done = command.step(state, line[place])
            if after.at is None:
                return "unknown" if state.verb is None else f"error {place}"
        else:
            after, done = command.end(state)
        for action in done:
            if action[0] == "mark":
                mark = place
            elif action[0] == "field":
                fields[action[1]] = (mark, place - mark)
            elif action[0] == "body":
                body = action[1]
        state = after
    if state.verb is None:
        return "unknown"
    if not command.is_final(state):
        return f"error {len(line)}"
    cuts = " ".join("%d %d" % fields.get(name, (-1, 0)) for name in FIELDS)
    flags = f"{int('is_lenient' in state.facts)} {int('size' in state.said)} {BODIES.index(body)}"
    return f"ok {VERBS.index(state.verb)} {cuts} {flags}"


def explored(command, octets):
    """The shortest line to each state, and the shortest end from it."""
    begins, left, back = {command.start: b""}, deque([command.start]), {}
    while left:
        state = left.popleft()
        for octet in octets:
            after = command.step(state, octet)[0]
            if after.at is None:
                continue
            back.setdefault(after, []).append((state, octet))
            if after not in begins:
                begins[after] = begins[state] + bytes([octet])
                left.append(after)
    ends = {state: b"" for state in begins if command.is_final(state)}
    left = deque(ends)
    while left:
        state = left.popleft()
        for before, octet in back.get(state, []):
            if before not in ends:
                ends[before] = bytes([octet]) + ends[state]
                left.append(before)
    return begins, ends


def lines_of(command):
    """Without lines that hold a control octet: where the parser says that it stopped, is then where that octet stands."""
    octets = classes_of(command.masks())
    begins, ends = explored(command, octets)
    yield from begins.values()
    for state, begin in begins.items():
        for octet in octets:
            line = begin + bytes([octet])
            after = command.step(state, octet)[0]
            yield line + ends.get(after, b"") if after.at is not None else line


def is_plain(line):
    return all(octet >= 32 and octet != 127 for octet in line)


def main(folder, alphabets, say_commands):
    failures = 0
    for alphabet in ("classes", "octets"):
        command = machine.compiled(folder, "command", alphabets / alphabet)
        lines = sorted({line for line in lines_of(command) if is_plain(line)})
        said = subprocess.run([say_commands, alphabet], input="".join(line.hex() + "\n" for line in lines),
                              capture_output=True, text=True, timeout=300, check=True).stdout.splitlines()
        differing = [(line, expected, found) for line, found in zip(lines, said, strict=True)
                     if (expected := run(command, line)) != found]
        for line, expected, found in differing[:5]:
            print(f"DIFFERS: {line!r}: the machine {expected}, compiled {found}")
        accepted = sum(answer.startswith("ok") for answer in said)
        print(f"{alphabet:8} {len(lines)} lines, {accepted} of them commands, {len(differing)} differ", flush=True)
        command.final.discard(max(command.final))
        is_noticed = any(run(command, line) != found for line, found in zip(lines, said))
        failures += bool(differing) or not is_noticed
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]))
