#!/usr/bin/env python3
"""Three ways, and a second opinion: random dialogues that the spec's interpreter, the generated table in the engine and
the reference of proptests/ agree on are held with postern-smtpd and with `postern serve`; every line must be the same.

usage: differential_test.py postern-smtpd postern write_random_dialogues [COUNT [SEED]]
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

import doors
import peer
import stage

USERS = {"tim": "$5$rounds=1000$postern$8JFuieepX8./9axwAGYGjBGoRIzRXH7MLSqzXkAufv."}  # tanstaaftanstaaf
THREADS = 24


class Theatre:
    """Two homes times two size limits, and all that a dialogue needs to be held in one of them by postern-smtpd."""

    name = "postern-smtpd"

    def __init__(self, root, program):
        self.program, self.root = program, root
        root.mkdir()
        stage.make_standins(root)
        peer.make_cdb(root / "users.cdb", USERS)
        peer.make_cdb(root / "valid.cdb", {"c@d.example": "", "c.d@d.example": ""})
        key, certificate = peer.make_certificate(root)
        (root / "server.pem").write_text(key + certificate)
        for has_certificate in (0, 1):
            for databytes in (0, 1000):
                stage.make_home(self.home(has_certificate, databytes), rcpthosts="d.example\n",
                                badmailfrom="spam@bad.example\n", badrcptto="gone@d.example\n", databytes=f"{databytes}\n",
                                servercert_pem=key + certificate if has_certificate else None)
        self.context = stage.tls_context()

    def home(self, has_certificate, databytes):
        return self.root / f"home-{has_certificate}-{databytes}"

    def variables(self, dialogue):
        _, backend, relay_client, local_only = dialogue["facts"]
        return dialogue["settings"] | {"QMAILQUEUE": self.root / "queue", "STANDIN_EXIT": dialogue["queue_exit"],
                                       "RELAYCLIENT": "" if relay_client else None,
                                       "POSTERN_RELAY": 0 if local_only else None,
                                       "AUTH_CDB": self.root / "users.cdb" if backend else None,
                                       "VALIDRCPTTO_CDB": self.root / "valid.cdb", "VALIDRCPTTO_LIMIT": 0}

    def hold(self, dialogue):
        """What differed, as sentences."""
        variables = stage.environment(self.home(dialogue["facts"][0], dialogue["databytes"]), **self.variables(dialogue))
        run = stage.ProcessStage([self.program], variables, self.context)
        run.cuts = cuts_of(dialogue)
        run.play(steps_of(dialogue))
        log = run.finish()
        return [*run.differences, *(["the log:", log] if run.differences else [])]

    def end(self):
        return []


class ListenerTheatre(Theatre):
    """The same by `postern serve`: a process a home, a class of clients for all dialogues with the same variables."""

    name = "postern serve"

    def __init__(self, root, program, dialogues):
        super().__init__(root, program)
        self._doors, self._processes = {}, []
        base = {"SMTPGREETING": "nobody.example", "DENY_TLS": 1, "QMAILQUEUE": str(root / "queue")}
        for dialogue in dialogues:
            home = self.home(dialogue["facts"][0], dialogue["databytes"])
            door = self._doors.setdefault(home, doors.Door(base))
            dialogue["address"] = door.classes.address_for(self._class_variables(dialogue))
        for number, (home, door) in enumerate(self._doors.items()):
            self._processes.append(doors.Listening(program, root / f"{number}", home, [door]))

    def _class_variables(self, dialogue):
        variables = {name: str(value) for name, value in self.variables(dialogue).items() if value is not None}
        # sslserver before postern-smtpd has a certificate of its own
        return variables | ({"TLS_SERVER_CERT": str(self.root / "server.pem")} if is_implicit(dialogue) else {})

    def hold(self, dialogue):
        door = self._doors[self.home(dialogue["facts"][0], dialogue["databytes"])]
        run = stage.ListenerStage(door.port, dialogue["address"], self.context, is_implicit(dialogue))
        run.cuts = cuts_of(dialogue)
        run.play(steps_of(dialogue)).close()
        return run.differences

    def end(self):
        return [f"the listener ended with {code}" for code in (process.end() for process in self._processes) if code]


def is_implicit(dialogue):
    return str(dialogue["settings"].get("SSL")) == "1"


def steps_of(dialogue):
    return stage.in_bursts(dialogue["steps"]) if dialogue["burst"] else dialogue["steps"]


def cuts_of(dialogue):
    """Every second dialogue is sent in pieces."""
    return random.Random(dialogue["number"]) if dialogue["number"] % 2 else None


def hold_some(dialogues):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return [(dialogue, found) for dialogue, found in zip(dialogues, pool.map(hold_some.theatre.hold, dialogues))
                if found]


def hold_all(theatre, dialogues):
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, fork, adopt, (theatre,)) as pool:
        return [each for some in pool.map(hold_some, [dialogues[0::2], dialogues[1::2]]) for each in some]


def adopt(theatre):
    hold_some.theatre = theatre


def written(dialogue):
    """As in tests/dialogues."""
    settings = " ".join(f"{name}={value}" for name, value in dialogue["settings"].items())
    facts = [name for name, is_there in zip(("certificate", "backend", "relay_client", "local_only"), dialogue["facts"]) if is_there]
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


def judge(theatre, dialogues, seed):
    """Prints what differs; whether anything does."""
    began = time.monotonic()
    try:
        noticed = is_noticed(theatre, dialogues[0])
        found = hold_all(theatre, dialogues)
    finally:
        troubles = theatre.end()
    tls = sum(any(step[0] == "tls" for step in dialogue["steps"]) for dialogue in dialogues)
    lines = sum(step[0] == "S" for dialogue in dialogues for step in dialogue["steps"])
    for dialogue, differences in found[:3]:
        print(written(dialogue), *differences, "", sep="\n")
    print(*troubles, sep="\n", end="\n" if troubles else "")
    if not noticed:
        print("a doctored dialogue is not noticed")
    print(f"held with {theatre.name}: {len(dialogues)} dialogues ({tls} with STARTTLS), {lines} lines compared, "
          f"{len(found)} dialogues differ, seed {seed}, {time.monotonic() - began:.1f} s")
    return bool(found or troubles or not noticed)


def main():
    smtpd, serve, writer = (str(pathlib.Path(word).resolve(strict=True)) for word in sys.argv[1:4])
    count, seed = (sys.argv[4:] + ["10000", "1"])[:2] if len(sys.argv) < 6 else sys.argv[4:6]
    made = subprocess.run([writer, count, seed, peer.ROOT / "spec"], stdout=subprocess.PIPE, check=True)
    dialogues = [json.loads(line) for line in made.stdout.splitlines()]
    for number, dialogue in enumerate(dialogues):
        dialogue["number"] = number
    random.Random(int(seed)).shuffle(dialogues)  # so that the slow ones overlap with all others
    with tempfile.TemporaryDirectory(prefix="postern-differential-") as root:
        root = pathlib.Path(root)
        differs = [judge(Theatre(root / "smtpd", smtpd), dialogues, seed),
                   judge(ListenerTheatre(root / "serve", serve, dialogues), dialogues, seed)]
    return 1 if any(differs) else 0


if __name__ == "__main__":
    sys.exit(main())
