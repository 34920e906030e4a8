#!/usr/bin/env python3
"""The compiled command parser does at every transition what the XML of its machine says, which check.py has compared.

  compiled.py GRAMMAR_FOLDER ALPHABETS_FOLDER SAY_COMMANDS

For every state of the product in machine.py a shortest line that leads there; after it every octet of every class; after
that, where a command can still come of it, the shortest end. What the machine makes of each of these lines, by the XML,
is compared with what the compiled parser says: accepted or not, where it stopped, and the fields. Then a final state is
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
    octets = classes_of(command.masks())
    begins, ends = explored(command, octets)
    yield from begins.values()
    for state, begin in begins.items():
        for octet in octets:
            line = begin + bytes([octet])
            after = command.step(state, octet)[0]
            yield line + ends.get(after, b"") if after.at is not None else line


def comparable(line, answer):
    """Of a line with a control octet the parser says where that octet stands, not where it stopped."""
    is_plain = all(octet >= 32 and octet != 127 for octet in line)
    return answer if is_plain or not answer.startswith("error") else "error"


def without_end_of(command, line):
    """A control: the machine, but for one final state."""
    state = command.start
    for octet in line:
        state = command.step(state, octet)[0]
    command.final.discard(state.at)
    return command


def differences(command, lines, said):
    for line, found in zip(lines, said, strict=True):
        expected = run(command, line)
        if comparable(line, expected) != comparable(line, found):
            yield f"{line!r}: the machine {expected}, compiled {found}"


def main(folder, alphabets, say_commands):
    command = machine.compiled(folder, "command", alphabets / "classes")
    lines = sorted({line for line in lines_of(command) if b"\n" not in line})
    said = subprocess.run([say_commands], input="".join(line.hex() + "\n" for line in lines),
                          capture_output=True, text=True, timeout=300, check=True).stdout.splitlines()
    differing = list(differences(command, lines, said))
    print("".join(f"DIFFERS: {difference}\n" for difference in differing[:5]), end="")
    control = next(differences(without_end_of(command, b"RCPT TO:<0@0>"), lines, said), None)
    accepted = sum(answer.startswith("ok") for answer in said)
    print(f"{len(lines)} lines, {accepted} of them commands, {len(differing)} differ; with a state changed: {control}")
    return 1 if differing or control is None else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]))
