#!/usr/bin/env python3
"""Other receivers of mail, learnt by the same learner, and what laws of ours their machines keep.

  rivals.py FOLDER POSTERN_SMTPD [NAME...]     writes FOLDER/NAME.svg, FOLDER/NAME.json; all that rival_setups.py knows, or those named

Needs root, unshare(1), graphviz, and a network for the packages: each is fetched with `apt-get download`, unpacked into a folder of
its own, and run in namespaces of its own, so that nothing is installed or started as a service. Debian's MTAs exclude one another.
"""
import contextlib
import itertools
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import alphabet
import judge
import mealy
import rival_setups
import servers
import talk
from alphabet import CONNECT
from comparison import Comparison, heard
from table_machine import World

LEFT_OUT = {"MAIL refused sender", "AUTH PLAIN unjudged", "RCPT percent", "EXPN", "HELO alone", "AUTH LOGIN user",
            "too long", "NOOP with control octet"}
BODIES = {"message", "message of commands", "message, LF alone", "message with NUL"}
ANSWERS = {"= right", "= wrong", "= user", "= password", "= *", "= no base64"}
INPUTS = [CONNECT, *(said for said in alphabet.COMMANDS if said.name not in LEFT_OUT),
          *(said for said in alphabet.ANSWERS if said.name in ANSWERS),
          *(said for said in alphabet.BODIES if said.name in BODIES), alphabet.HANDSHAKES[0]]
PATIENCE_SECONDS = 5
WORDS = 150


def by_code(lines):
    """The code, and of EHLO the keywords: words differ from server to server, and a client may act on no more (RFC 5321 4.2)."""
    code = lines[-1][:3]
    if len(lines) > 1 and any("PIPELINING" in line or "8BITMIME" in line or "SIZE" in line for line in lines):
        words = sorted({listed(line[4:]) for line in lines[1:]})
        return " / ".join([code, *words])
    return code


def listed(line):
    keyword, _, rest = line.partition(" ")
    return f"AUTH {' '.join(sorted(rest.split()))}" if keyword == "AUTH" else keyword.partition("=")[0]


class Rival(servers.Server):
    def __init__(self, port):
        super().__init__()
        self._port, self._count = port, itertools.count()

    @contextlib.contextmanager
    def connection(self):
        sock = socket.create_connection(("127.0.0.1", self._port), 30)
        try:
            yield sock
        finally:
            sock.close()

    def outputs(self, word):
        with self.connection() as sock:
            conversation = talk.Talk(sock, text_of=by_code)
            found = conversation.outputs(word)
            conversation.close()
        return found


class Ours(servers.Smtpd):
    """The same eyes on postern-smtpd: what they see broken there would be their fault, or ours."""

    def outputs(self, word):
        with self.connection() as sock:
            return talk.Talk(sock, text_of=by_code).outputs(word)


def words(of):
    yield from of.all(0)
    yield from of.some(WORDS, 1)


def learnt(server):
    """No law is said to be broken by a word that the server itself was not asked."""
    comparison = Comparison(server, INPUTS, None, words)
    while True:
        machine = comparison.run().machine
        wrong = [word for word in judge.offences(machine).values() if comparison.answers(word) != heard(machine, word)]
        if not wrong:
            return comparison.result
        comparison.learner.learn_from(machine, wrong[0])


def drawn(name, machine):
    """As graphviz reads it: the arrows that lead elsewhere; what leaves a state as it is is not drawn."""
    lines = [f'digraph "{name}" {{', 'rankdir=LR; node [shape=circle fontname="sans-serif"]; edge [fontname="sans-serif" fontsize=9];']
    for state, row in enumerate(machine.rows):
        arrows = {}
        for said, (output, to) in row.items():
            if to != state:
                arrows.setdefault(to, []).append(f"{said.name}: {output.partition(' / ')[0]}")
        for to, texts in arrows.items():
            shown = sorted(texts)[:8] + [f"and {len(texts) - 8} more"] * (len(texts) > 8)
            lines.append(f"{state} -> {to} [label={json.dumps(chr(10).join(shown))}];")
    return "\n".join([*lines, "}"])


def write(folder, name, version, result):
    machine = mealy.minimal(result.machine)
    svg = subprocess.run(["dot", "-Tsvg"], input=drawn(name, machine), capture_output=True, text=True, check=True, timeout=120).stdout
    (folder / f"{name}.svg").write_text(svg)
    found = {"version": version, "states": len(machine), "arrows": sum(map(len, machine.rows)), "words": result.asked,
             "inputs": result.inputs, "tried": result.tried, "seconds": round(result.seconds), "breaks": {law: [(said.name, output) for said, (output, _) in zip(word, machine.walk(word))]
                        for law, word in judge.offences(machine).items()},
             "rows": [{said.name: [output, to] for said, (output, to) in row.items()} for row in machine.rows]}
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1))
    print(f"{name} {version}: {len(machine)} states, {result.asked} words, {result.seconds:.0f} s, breaks {sorted(found['breaks'])}",
          flush=True)


def learn_ours(folder, program):
    with tempfile.TemporaryDirectory(prefix="postern-rivals-") as stage:
        stage = pathlib.Path(stage)
        servers.make_stage(stage)
        server = Ours(pathlib.Path(program).resolve(strict=True), stage, World((("AUTH", 1),)))
        try:
            write(folder, "postern", "this tree", learnt(server))
        finally:
            server.end()


def learn_rival(folder, name):
    with rival_setups.running(name) as (port, version):
        wait_until_it_greets(port)
        write(folder, name, version, learnt(Rival(port)))


def wait_until_it_greets(port):
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            with socket.create_connection(("127.0.0.1", port), 30) as sock:
                if sock.recv(3) == b"220":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("it does not greet")


def main():
    folder, program, *names = sys.argv[1:]
    talk.PATIENCE_SECONDS = PATIENCE_SECONDS
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ["postern", *rival_setups.SETUPS]:
        learn_ours(folder, program) if name == "postern" else learn_rival(folder, name)


if __name__ == "__main__":
    main()
