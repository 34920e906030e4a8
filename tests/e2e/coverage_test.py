#!/usr/bin/env python3
"""Every rule of spec/policy.toml decides at least once in postern-smtpd, but those of listener_rules.py, and in the
listener, all of them.

usage: coverage_test.py postern-smtpd postern trace_dialogues

The dialogues of tests/dialogues and tests/e2e/dialogues are held with postern-smtpd over a socket, each in a home of its
own, and with `postern serve` over TCP, where every outcome is brought about for real: control files, a check program, a queue program, TLS, silence. A
rule counts as taken when the program said line by line what the dialogue says; a rule that refuses also has to stand in
the log, in its place; the listener counts the rules itself, and its metrics have to name each. Dialogues whose outcomes no home can bring about in one session are listed, and count for nothing.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import casts
import listener_rules
import peer
import stage
from scenes import Impossible, Scene, exit_codes, rules

THREADS = 16
RULE = re.compile(r"refuse client=\S+ rule=(\S+) ")
# The sibling that shakes hands closes without asking its table (daemon/tls_main.cpp), as the rules say; so this one rule
# is obeyed, and never looked up. `handshake.failed` is looked up when there is no sibling to be found.
OBEYED_UNASKED = "timeout.in_handshake"

def hold(dialogue, program, folder, certificate, queue_exits, context):
    """(differences, rules taken)."""
    special = special_of(dialogue)
    if special:
        raise Impossible(f"only a listener takes {special}")
    folder.mkdir()
    scene = Scene(dialogue, folder, certificate, queue_exits)
    run = stage.ProcessStage([program, *scene.arguments], scene.variables(), context, scene.early)
    run.play(scene.steps())
    log = run.finish()
    differences = run.differences
    refusals = [rule for rule, code in dialogue["decisions"] if code >= 400]
    if RULE.findall(log) != refusals:
        differences.append(f"rules of the log {RULE.findall(log)}, wanted {refusals}")
    if scene.envelopes() and scene.found_envelopes() != scene.envelopes():
        differences.append(f"envelopes {scene.found_envelopes()!r}, wanted {scene.envelopes()!r}")
    if "handshake.failed" in dict(dialogue["decisions"]) and not differences:
        differences += hold_without_sibling(scene, program, folder)
    return differences + ([log] if differences else []), {rule for rule, _ in dialogue["decisions"]}


def hold_without_sibling(scene, program, folder):
    """A sibling that vanishes after the greeting: no handshake is possible, and the table says what then."""
    alone = shutil.copy(program, folder / "postern-smtpd")
    sibling = shutil.copy(f"{program}-tls", folder / "postern-smtpd-tls")  # its absence would refuse the start
    run = stage.ProcessStage([alone, *scene.arguments], scene.variables(), None)
    run.play([["S", f"220 {stage.HOST} ESMTP\r\n"]], is_whole=False)
    os.unlink(sibling)
    run.play([["C", "STARTTLS\r\n"], ["S", "220 ready for tls\r\n"], ["X"]])
    log = run.finish()
    return run.differences + ([] if " by=close " in log else ["a handshake without a sibling does not end by the table"])


def doctored(dialogues):
    """A dialogue that is said to take another rule than it does: that has to be found."""
    dialogue = next(each for each in dialogues if ["mail.starttls_first", 503] in each["decisions"])
    decisions = [["mail.auth_first" if rule == "mail.starttls_first" else rule, code] for rule, code in dialogue["decisions"]]
    return dialogue | {"decisions": decisions}


def special_of(dialogue):
    """The listener rule that makes it a dialogue for a listener."""
    return next((rule.removesuffix(".in_handshake") for rule, _ in dialogue["decisions"] if rule in listener_rules.RULES),
                None)


class Report:
    """What came of one program's dialogues."""

    def __init__(self, name):
        self.name, self.impossible, self.differing, self.taken, self.began = name, [], [], {}, time.monotonic()
        self.dialogues = 0

    def add(self, name, differences, rules_taken):
        self.dialogues += 1
        if differences:
            self.differing.append("\n".join([name, *differences]))
        for rule in () if differences else rules_taken:
            self.taken.setdefault(rule, []).append(name)

    def tell(self, wanted, note):
        missing = [rule for rule in wanted if rule not in self.taken]
        print(f"---- {self.name}")
        print(*(f"not to be had in one home: {each}" for each in self.impossible), sep="\n")
        print(*(f"differs: {each}" for each in self.differing), sep="\n")
        print(*(f"never taken: {each}" for each in missing), sep="\n")
        print(f"table coverage: {len(wanted) - len(missing)} of {len(wanted)} rules by {self.name}, {self.dialogues} "
              f"dialogues, {time.monotonic() - self.began:.1f} s ({note})")
        return bool(missing or self.differing)


def cover_smtpd(program, dialogues, root, common):
    report = Report("postern-smtpd")
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        if not hold(doctored(dialogues), program, root / "doctored", *common)[0]:
            report.differing.append("a doctored dialogue is not noticed")
        runs = [(dialogue["name"], pool.submit(hold, dialogue, program, root / f"{number}", *common))
                for number, dialogue in enumerate(dialogues)]
        for name, run in runs:
            try:
                report.add(name, *run.result())
            except Impossible as why:
                report.impossible.append(f"{name}: {why}")
    report.differing += listener_rules.offences(rules(), report.taken)
    report.differing += listener_rules.untested_elsewhere(pathlib.Path(__file__).parent)
    wanted = [rule for rule in rules() if rule not in {**listener_rules.RULES, **listener_rules.ELSEWHERE}]
    return report.tell(wanted, f"{OBEYED_UNASKED} by what it does alone; {len(listener_rules.RULES)} more are the listener's")


def cover_listener(program, dialogues, root, common):
    certificate, queue_exits, context = common
    report, groups = Report("postern serve"), {}
    (root / "server.pem").write_text(certificate)
    for number, dialogue in enumerate(dialogues):
        folder = root / f"scene-{number}"
        folder.mkdir()
        try:
            scene = Scene(dialogue, folder, certificate, queue_exits)
            special = special_of(dialogue) if dialogue["has_room"] else "data.no_room"
            key = special, tuple(sorted(scene.files.items(), key=str))
            cast = groups.setdefault(key, casts.Cast(key[0], scene.files))
            cast.add(dialogue, scene, root / "server.pem", root / "queue")
        except Impossible as why:
            report.impossible.append(f"{dialogue['name']}: {why}")
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for run in [pool.submit(cast.perform, program, root / f"cast-{number}", context)
                    for number, cast in enumerate(groups.values())]:
            held, counted = run.result()
            for dialogue, differences in held:
                wanted = {rule for rule, _ in dialogue["decisions"]}
                uncounted = [f"the listener never counted {rule}" for rule in sorted(wanted - counted)]
                report.add(dialogue["name"], differences + uncounted, wanted)
    scene = Scene(doctored(dialogues), root / "scene-0", certificate, queue_exits)
    cast = casts.Cast(None, scene.files)
    cast.add(doctored(dialogues), scene, root / "server.pem", root / "queue")
    if not cast.perform(program, root / "cast-doctored", context)[0][0][1]:
        report.differing.append("a doctored dialogue is not noticed")
    wanted = [rule for rule in rules() if rule not in listener_rules.ELSEWHERE]
    return report.tell(wanted, f"{len(groups)} processes, which count the rules themselves")


def main():
    smtpd, serve, tracer = (str(pathlib.Path(word).resolve(strict=True)) for word in sys.argv[1:4])
    folders = [peer.ROOT / "tests/dialogues", peer.ROOT / "tests/e2e/dialogues"]
    told = subprocess.run([tracer, *folders], stdout=subprocess.PIPE, check=True).stdout
    dialogues = [json.loads(line) for line in told.splitlines()]
    with tempfile.TemporaryDirectory(prefix="postern-coverage-") as root:
        root = pathlib.Path(root)
        stage.make_standins(root)
        common = ("".join(peer.make_certificate(root)), exit_codes(), stage.tls_context())
        failed = [cover_smtpd(smtpd, dialogues, root, common), cover_listener(serve, dialogues, root, common)]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
