"""What of the kept inputs is needed for what libFuzzer does not count: changes of state, edges of the Ragel machines.

machines(build)                     {name: Machine}, of a build with POSTERN_FUZZ or POSTERN_TESTS
needed(build, corpus, target)       the fewest names of corpus/TARGET (nearly) that take all that all of them take
"""
import collections
import pathlib
import re
import subprocess

from ragel_machine import Machine

HERE = pathlib.Path(__file__).resolve().parent
# Machine, and what stands before the octets in an input of which target.
MACHINES = {"command": ("command_line", b""), "base64": ("sasl", b"\0"), "line": ("session", bytes(7)),
            "mail_data": ("mail_data", b"\5")}


def classes():
    """An octet of each class, in their order."""
    lines = re.findall(r"^\w+\s*= (.*);$", (HERE.parent / "grammar/octets.rl").read_text(), re.M)
    first = [re.match(r"0x(\w\w)|'\\?(.)'", line) for line in lines]
    return [int(m.group(1), 16) if m.group(1) else ord(m.group(2)) for m in first]


def machines(build):
    return {name: Machine(build / f"edges/{name}.xml", range(len(classes())) if name == "command" else range(-128, 128))
            for name in MACHINES}


def lines_of(*command):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()


def edges_by_input(build, corpus, target):
    """{name: edges}: of each step the number of its edge."""
    numbers = {name: machine.numbers_by_step() for name, machine in machines(build).items()}
    taken = {}
    for line in lines_of(build / "bin/edges", "--each", corpus):
        of, name, *steps = line.split(" ")
        if of == target:
            words = (step.split(".") for step in steps)
            taken[name] = {(machine, numbers[machine].get((int(state), int(octet)))) for machine, state, octet in words}
    return taken


def fewest(taken):
    """Takes the input with most of what is missing, again and again: {name: things} to a list of names."""
    by_gain = collections.defaultdict(list)
    for name in sorted(taken):
        by_gain[len(taken[name])].append(name)
    covered, chosen = set(), []
    for gain in range(max(by_gain, default=0), 0, -1):
        for name in by_gain[gain]:  # what has become less since waits for its turn
            left = len(taken[name] - covered)
            if left == gain:
                chosen.append(name)
                covered |= taken[name]
            elif left:
                by_gain[left].append(name)
    return chosen


def needed(build, corpus, target):
    taken = collections.defaultdict(set)
    for name, edges in edges_by_input(build, corpus, target).items():
        taken[name] |= edges
    if target == "session":
        for line in lines_of(build / "bin/transitions", "--each", corpus / target):
            name, *things = line.split(" ")
            taken[name].update(things)
    return fewest(taken)
