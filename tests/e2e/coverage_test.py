#!/usr/bin/env python3
"""Every rule of spec/policy.toml, but those of listener_rules.py, decides at least once in the real program.

usage: coverage_test.py postern-smtpd trace_dialogues

The dialogues of tests/dialogues and tests/e2e/dialogues are held with the program over a socket, each in a home of its
own, where every outcome is brought about for real: control files, a check program, a queue program, TLS, silence. A
rule counts as taken when the program said line by line what the dialogue says; a rule that refuses also has to stand in
the log, in its place. Dialogues whose outcomes no home can bring about in one session are listed, and count for nothing.
"""

import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import listener_rules
import peer
import stage

THREADS = 16
SPEC = peer.ROOT / "spec"
RULE = re.compile(r"refuse client=\S+ rule=(\S+) ")
CHECK_EXITS = {"credentials.accepted": 0, "credentials.rejected": 1, "credentials.broken": 111}
# The sibling that shakes hands closes without asking its table (daemon/tls_main.cpp), as the rules say; so this one rule
# is obeyed, and never looked up. `handshake.failed` is looked up when there is no sibling to be found.
OBEYED_UNASKED = "timeout.in_handshake"
SILENT_HANDSHAKES = {"handshake.failed": "garbage", "timeout": "wait", "eof": "eof"}


class Impossible(Exception):
    """No home can bring it about."""


def exit_codes():
    """The first exit code for each text of a queue program."""
    rows = tomllib.loads((SPEC / "replies.toml").read_text())
    found = {}
    for row in rows["queue_exit"]:
        found.setdefault(row["text"], row["first"])
    return found


def rules():
    return [row["id"] for row in tomllib.loads((SPEC / "policy.toml").read_text())["rule"]]


class Scene:
    """A dialogue, made ready in a folder."""

    def __init__(self, dialogue, folder, certificate, queue_exits):
        only_listener = [rule for rule, _ in dialogue["decisions"] if rule in listener_rules.RULES]
        if only_listener:
            raise Impossible(f"only a listener takes {only_listener[0]}")
        self._dialogue, self._folder, self._queue_exits = dialogue, folder, queue_exits
        world = dialogue["world"]
        self._events = [(item[1], item[2]) for item in dialogue["items"] if item[0] == "="]
        self._files = {"databytes": f"{dialogue['databytes']}\n"}
        self._settings = {name: world[name] for name in world if name.isupper()}
        self._settings |= {"QMAILQUEUE": folder.parent / "queue", "STANDIN_ENVELOPES": folder / "envelopes"}
        self.arguments = [stage.HOST, folder.parent / "check", "/bin/true"] if world["backend"] else []
        self.early = b""
        if world["certificate"]:
            self._files["servercert_pem"] = certificate
        if dialogue["max_recipients"] < 1000:
            if dialogue["max_recipients"] < 100:
                raise Impossible("MAXRCPT is at least 100")
            self._settings["MAXRCPT"] = dialogue["max_recipients"]
        self._start()
        self._recipients()
        if any(name == "timeout" for name, _ in self._events):
            self._files["timeoutsmtpd"] = "1\n"

    def variables(self):
        check = [CHECK_EXITS[name] for name, _ in self._events if name in CHECK_EXITS]
        queue = [self._queue_exit(name, text) for name, text in self._events if name.startswith("hand_over.")]
        if not (self._folder / "home").exists():
            stage.make_home(self._folder / "home", **self._files)
        return stage.environment(self._folder / "home", STANDIN_CHECK_EXITS=self._list("check", check),
                                 STANDIN_EXITS=self._list("queue", queue), **self._settings)

    def _list(self, name, codes):
        file = self._folder / f"{name}-exits"
        file.write_text("".join(f"{code}\n" for code in codes))
        return file

    def _queue_exit(self, name, text):
        if name == "hand_over.accepted":
            return 0
        if text not in self._queue_exits:
            raise Impossible(f"no exit code says {text!r}")
        return self._queue_exits[text]

    def _start(self):
        event = self._events[0][0]
        if event == "connect.bad_value":
            self._settings["MAXRCPT"] = "many"
        elif event == "connect.no_controls":
            self._files["me"] = None
        elif event == "connect.no_auth_cdb":
            self._settings["AUTH_CDB"] = self._folder / "nowhere.cdb"
        elif event == "connect.broken_certificate":
            self._files["servercert_pem"] = "no certificate\n"
        elif event == "connect.no_hand_over":
            self._settings["QMAILQUEUE"] = self._folder / "nowhere"
        elif event == "connect.early_talker":
            self._settings["DROP_PRE_GREET"] = 1
            self.early = b"EHLO client.example.com\r\n"

    def _recipients(self):
        standing, senders = {}, {}
        for sender, mailbox, event in self._dialogue["lookups"]:
            is_refused = event == "recipient.sender_refused"
            if senders.setdefault(sender, is_refused) != is_refused:
                raise Impossible(f"{sender} is refused and is not")
            domain = mailbox.rpartition("@")[2] if "@" in mailbox else None
            if not is_refused and domain and standing.setdefault(domain, event) != event:
                raise Impossible(f"{domain} is {standing[domain]} and {event}")
        events = set(standing.values())
        if {"recipient.unknowable", "recipient.foreign"} <= events:
            raise Impossible("lists that are readable and are not")
        ours = [domain for domain, event in standing.items() if event == "recipient.ours"]
        self._files["rcpthosts"] = "".join(f"{domain}\n" for domain in ours) or "nobody.example\n"
        self._files["badmailfrom"] = "".join(f"{sender}\n" for sender, is_refused in senders.items() if is_refused)
        if "recipient.unknowable" in events:
            self._files["morercpthosts_cdb"] = "no cdb"
        if self._dialogue["world"]["relay_client"]:
            self._settings["RELAYCLIENT"] = self._added_by_relay_client()

    def _added_by_relay_client(self):
        texts = [text for name, text in self._events if name.startswith("recipient.")]
        pairs = zip(texts, (mailbox for _, mailbox, _ in self._dialogue["lookups"]))
        return next((text.removeprefix(mailbox) for text, mailbox in pairs if text), "")

    def steps(self):
        """What the client says until it listens is one burst."""
        steps = []
        for item in self._dialogue["items"]:
            if item[0] == "C" and steps and steps[-1][0] == "C":
                steps[-1][1] += item[1] * item[2]
            elif item[0] == "C":
                steps.append(["C", item[1] * item[2]])
            elif item[0] in "SX":
                line = re.sub(r"^250 ok \d+ qp \d+\r\n$", "250 ok <time> qp <qp>\r\n", item[1])
                steps.append([item[0], line])
            elif item[0] == "=":
                steps += self._act(item[1], steps)
        return steps

    def _act(self, event, steps):
        if event == "handshake.done":
            return [["tls"]]
        is_in_handshake = any(step == ["S", "220 ready for tls\r\n"] for step in steps) and ["tls"] not in steps
        acts = SILENT_HANDSHAKES if is_in_handshake else {"timeout": "wait", "eof": "eof"}
        return [[acts[event]]] if event in acts else []

    def envelopes(self):
        """As the queue program must have got them; nothing when the dialogue does not show them."""
        all_items = [item for item in self._dialogue["items"] if item[0] in "FT"]
        text = "".join(f"{item[0]}{item[1]}\0" for item in all_items)
        return text.replace("\0F", "\0\0\nF") + "\0\n" if text else ""

    def found_envelopes(self):
        file = self._folder / "envelopes"
        return file.read_bytes().decode("latin-1") if file.exists() else ""


def hold(dialogue, program, folder, certificate, queue_exits, context):
    """(differences, rules taken)."""
    folder.mkdir()
    scene = Scene(dialogue, folder, certificate, queue_exits)
    run = stage.Stage([program, *scene.arguments], scene.variables(), context, scene.early)
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
    """The program alone in a folder: nobody can shake hands, and its own table says what then."""
    alone = shutil.copy(program, folder / "postern-smtpd")
    run = stage.Stage([alone, *scene.arguments], scene.variables(), None).play([
        ["S", f"220 {stage.HOST} ESMTP\r\n"], ["C", "STARTTLS\r\n"], ["S", "220 ready for tls\r\n"], ["X"]])
    log = run.finish()
    return run.differences + ([] if " by=close " in log else ["a handshake without a sibling does not end by the table"])


def is_noticed(dialogues, *stage_of):
    """Whether a dialogue said to take another rule than it does is found to differ."""
    dialogue = next(each for each in dialogues if ["mail.starttls_first", 503] in each["decisions"])
    doctored = [["mail.auth_first" if rule == "mail.starttls_first" else rule, code] for rule, code in dialogue["decisions"]]
    return bool(hold(dialogue | {"decisions": doctored}, *stage_of)[0])


def main():
    program, tracer = (str(pathlib.Path(word).resolve(strict=True)) for word in sys.argv[1:3])
    folders = [peer.ROOT / "tests/dialogues", peer.ROOT / "tests/e2e/dialogues"]
    told = subprocess.run([tracer, *folders], stdout=subprocess.PIPE, check=True).stdout
    dialogues = [json.loads(line) for line in told.splitlines()]
    began, taken, impossible, differing = time.monotonic(), {}, [], []
    with tempfile.TemporaryDirectory(prefix="postern-coverage-") as root, \
            concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        root = pathlib.Path(root)
        stage.make_standins(root)
        certificate = "".join(peer.make_certificate(root))
        common = (certificate, exit_codes(), stage.tls_context())
        noticed = is_noticed(dialogues, program, root / "doctored", *common)
        runs = [(dialogue["name"], pool.submit(hold, dialogue, program, root / f"{number}", *common))
                for number, dialogue in enumerate(dialogues)]
        for name, run in runs:
            try:
                differences, rules_taken = run.result()
            except Impossible as why:
                impossible.append(f"{name}: {why}")
                continue
            if differences:
                differing.append("\n".join([name, *differences]))
                continue
            for rule in rules_taken:
                taken.setdefault(rule, []).append(name)
    if not noticed:
        differing.append("a doctored dialogue is not noticed")
    differing += listener_rules.offences(rules(), taken)
    wanted = [rule for rule in rules() if rule not in listener_rules.RULES]
    missing = [rule for rule in wanted if rule not in taken]
    print(*(f"not to be had in one home: {each}" for each in impossible), sep="\n")
    print(*(f"differs: {each}" for each in differing), sep="\n")
    print(*(f"never taken: {each}" for each in missing), sep="\n")
    print(f"table coverage: {len(wanted) - len(missing)} of {len(wanted)} rules by the real daemon, "
          f"{len(runs) - len(impossible)} dialogues, {time.monotonic() - began:.1f} s "
          f"({OBEYED_UNASKED} by what it does alone; {len(listener_rules.RULES)} more are the listener's)")
    return 1 if missing or differing else 0


if __name__ == "__main__":
    sys.exit(main())
