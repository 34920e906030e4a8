#!/usr/bin/env python3
"""Three ways, and a second opinion: random dialogues that the spec's interpreter, the generated table in the engine and
the reference of proptests/ agree on are held with the real program over a socket; every line must be the same.

usage: differential_test.py postern-smtpd write_random_dialogues [COUNT [SEED]]
"""

import concurrent.futures
import json
import multiprocessing
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import peer
import stage

USERS = {"tim": "$5$rounds=1000$postern$8JFuieepX8./9axwAGYGjBGoRIzRXH7MLSqzXkAufv."}  # tanstaaftanstaaf
THREADS = 24


class Theatre:
    """Two homes times two size limits, and all that a dialogue needs to be held in one of them."""

    def __init__(self, root, program):
        self._program, self._root = program, root
        stage.make_standins(root)
        peer.make_cdb(root / "users.cdb", USERS)
        key, certificate = peer.make_certificate(root)
        for has_certificate in (0, 1):
            for databytes in (0, 1000):
                stage.make_home(self._home(has_certificate, databytes), rcpthosts="d.example\n",
                                badmailfrom="spam@bad.example\n", databytes=f"{databytes}\n",
                                servercert_pem=key + certificate if has_certificate else None)
        self._context = stage.tls_context()

    def _home(self, has_certificate, databytes):
        return self._root / f"home-{has_certificate}-{databytes}"

    def hold(self, dialogue):
        """What differed, as sentences."""
        certificate, backend, relay_client = dialogue["facts"]
        variables = stage.environment(
            self._home(certificate, dialogue["databytes"]), **dialogue["settings"], QMAILQUEUE=self._root / "queue",
            STANDIN_EXIT=dialogue["queue_exit"], RELAYCLIENT="" if relay_client else None,
            AUTH_CDB=self._root / "users.cdb" if backend else None)
        steps = stage.in_bursts(dialogue["steps"]) if dialogue["burst"] else dialogue["steps"]
        run = stage.Stage([self._program], variables, self._context).play(steps)
        log = run.finish()
        return [*run.differences, *(["the log:", log] if run.differences else [])]


def hold_some(dialogues):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return [(dialogue, found) for dialogue, found in zip(dialogues, pool.map(hold_some.theatre.hold, dialogues))
                if found]


def adopt(theatre):
    hold_some.theatre = theatre


def written(dialogue):
    """As in tests/dialogues."""
    settings = " ".join(f"{name}={value}" for name, value in dialogue["settings"].items())
    facts = [name for name, is_there in zip(("certificate", "backend", "relay_client"), dialogue["facts"]) if is_there]
    lines = [" ".join(["with", settings, *facts, f"databytes={dialogue['databytes']}"])]
    for step in dialogue["steps"]:
        words = {"tls": "= handshake.done", "garbage": "= handshake.failed", "X": "S closes"}.get(step[0])
        lines.append(words or f"{step[0]}| " + step[1].encode("unicode_escape").decode())
    return "\n".join(lines)


def is_noticed(theatre, dialogue):
    """Whether a dialogue with one word changed is found to differ: a comparison that cannot fail proves nothing."""
    steps = [list(step) for step in dialogue["steps"]]
    steps[0][1] = steps[0][1].replace("ESMTP", "SMTP").replace("421", "450")
    return bool(theatre.hold(dialogue | {"steps": steps}))


def main():
    program, writer = (str(pathlib.Path(word).resolve(strict=True)) for word in sys.argv[1:3])
    count, seed = (sys.argv[3:] + ["10000", "1"])[:2] if len(sys.argv) < 5 else sys.argv[3:5]
    made = subprocess.run([writer, count, seed, peer.ROOT / "spec"], stdout=subprocess.PIPE, check=True)
    dialogues = [json.loads(line) for line in made.stdout.splitlines()]
    random.Random(int(seed)).shuffle(dialogues)  # so that the slow ones overlap with all others
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postern-differential-") as root:
        theatre = Theatre(pathlib.Path(root), program)
        fork = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, fork, adopt, (theatre,)) as pool:
            noticed = is_noticed(theatre, dialogues[0])
            found = [each for some in pool.map(hold_some, [dialogues[0::2], dialogues[1::2]]) for each in some]
    tls = sum(any(step[0] == "tls" for step in dialogue["steps"]) for dialogue in dialogues)
    lines = sum(step[0] == "S" for dialogue in dialogues for step in dialogue["steps"])
    for dialogue, differences in found[:3]:
        print(written(dialogue), *differences, "", sep="\n")
    if not noticed:
        print("a doctored dialogue is not noticed")
    print(f"held with the real program: {len(dialogues)} dialogues ({tls} with TLS), {lines} lines compared, "
          f"{len(found)} dialogues differ, seed {seed}, {time.monotonic() - began:.1f} s")
    return 1 if found or not noticed else 0


if __name__ == "__main__":
    sys.exit(main())
