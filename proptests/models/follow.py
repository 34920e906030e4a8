#!/usr/bin/env python3
"""Lets the models do what the program has done: a log of actions that its model cannot do is wrong.

    follow.py LOG...            logs of `simulate --actions`, or of play_questions
    follow.py --worlds N PROGRAM [--first SEED]    plays them first: `simulate`
    follow.py --questions N PROGRAM [--first SEED] the same: N runs of `play_questions`
    follow.py --spoil ...       spoils runs, one way after another: each must be something that the model cannot do

out     how many runs of each model there were; the first one that cannot be done, with the action at which the model ends: exit 1
how     the log is cut into runs of one model each (a session; a group of messages; a pool of connections), renumbered, and
        given to the search that spin(1) writes for -DTRACE: the model goes on where the log does, and the search is for its end.
        What a log does not say is put in: a message without a sync was not written, a mailbox without a link was not opened
bounds  groups of more than 8 messages or 12 mailboxes, with a copy for each mailbox, or during which the power ended, are passed
        over, and counted
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from check import FOLDER, Kind, build

MESSAGES, MAILBOXES, ACTIONS = 8, 12, 4000
QUESTIONS = 8  # of a run of play_questions
OUTCOMES = {0: 1, 1: 2, 3: 3}  # of deliver::Outcome::Result, as group_commit.pml has them
BOUNDS = {
    "tickets": [f"MOST_ACTIONS={ACTIONS}"],
    "questions": [f"MOST_ACTIONS={ACTIONS}", f"REQUESTS={QUESTIONS}", "FAULTS=200", "UNASKED=0"],
    "group_commit": [f"MOST_ACTIONS={ACTIONS}", f"CLIENTS={MESSAGES}", f"MOST={MESSAGES}", f"BOXES={MAILBOXES}", "FAULTS=200", f"LEAVERS={MESSAGES}"],
}


@dataclass
class Run:
    """What one model has to do: action, two numbers; and where it stands in the log."""

    model: str
    origin: str
    actions: list[tuple[str, int, int]] = field(default_factory=list)


def kind_of(model: str) -> Kind:
    return Kind.SHORT if model == "questions" else Kind.LONG  # it is compiled for longer than it runs


def numbers_of(model: str) -> dict[str, int]:
    found = re.findall(r"^#define ([A-Z_]+) (\d+)", (FOLDER / f"{model}.pml").read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


class Talks:
    """Sessions: one run each."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.runs: dict[str, Run] = {}

    def take(self, words: list[str]) -> None:
        life, what, *numbers = words
        run = self.runs.setdefault(life, Run("tickets", f"{self.origin}, session {life}"))
        run.actions.append((what.upper(), int(numbers[0]), int(numbers[1])))


@dataclass
class Group:
    """A commit: what one committer did, line by line, and of which messages."""

    by: int
    begun: int  # where in the log
    members: list[int]
    lines: list[tuple[int, list[str]]] = field(default_factory=list)
    events: list[tuple[int, str, int, int]] = field(default_factory=list)

    def add(self, at: int, action: str, subject: int, box: int | None, failed: bool) -> None:
        code = 2 * self.by + failed
        self.events.append((at, action, subject, code if box is None else 16 * code + box))


def parents_of(mailbox: str) -> list[str]:
    parts = mailbox.split("/")
    return [".", *["/".join(parts[: i + 1]) for i in range(len(parts))]]


class Retelling:
    """One group in the words of the model."""

    def __init__(self, group: Group, boxes: dict[str, int], wanted: dict[int, list[str]], numbers: dict[int, int]) -> None:
        self.group, self.boxes, self.wanted, self.numbers = group, boxes, wanted, numbers
        self.sound: list[int] = []
        self.opened: dict[str, bool] = {}  # whether the folders above are needed
        self.marked: set[int] = set()  # boxes that had the mark before
        self.left = list(group.lines)

    def tell(self) -> None:
        if not self.left:
            return self.write_and_sync([], self.group.begun)
        syncs = [line for line in self.left if line[1][0] == "sync-file"]
        self.left = [line for line in self.left if line[1][0] != "sync-file"]
        self.write_and_sync(syncs, (syncs or self.left)[0][0])
        folders = [line for line in self.left if line[1][0] == "sync-folder"]
        end = folders[0][0] if folders else sys.maxsize
        links = [line for line in self.left if line[0] < end]
        for message in list(self.sound):
            links = self.link(message, links)
        self.sync_folders(folders)
        for at, line in self.left:
            if at > end and line[0] == "unlink":
                self.take_back(at, line)
            if at > end and line[0] == "unmark" and line[2] == "0":
                self.unmark(at, self.boxes[line[1].removesuffix("/new")])
        return None

    def write_and_sync(self, syncs: list[tuple[int, list[str]]], at: int) -> None:
        synced = {int(line[1]): (where, line[2] != "0") for where, line in syncs}
        for message in self.group.members:
            self.group.add(at, "WRITE", self.numbers[message], None, message not in synced)
        for message in self.group.members:
            if message in synced:
                where, failed = synced[message]
                self.group.add(where, "SYNC_FILE", self.numbers[message], None, failed)
                if not failed:
                    self.sound.append(message)

    def link(self, message: int, lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
        at = lines[0][0] if lines else self.group.events[-1][0]
        for mailbox in sorted(self.wanted[message]):
            box = self.boxes[mailbox]
            while lines and lines[0][1][0] in ("make", "look"):
                at, line = lines.pop(0)
                self.open(at, line, mailbox)
            is_link = bool(lines) and lines[0][1][:3] == ["link", str(message), mailbox + "/new"]
            if is_link:
                at, line = lines.pop(0)
                self.opened.setdefault(mailbox, box in self.made())
            failed = not is_link or line[3] != "0"
            self.group.add(at, "LINK", self.numbers[message], box, failed)
            if failed:
                break
        while lines and lines[0][1][:2] == ["unlink", str(message)]:
            self.take_back(*lines.pop(0))
        return lines

    def open(self, at: int, line: list[str], mailbox: str) -> None:
        box = self.boxes[mailbox]
        if line[0] == "look":
            is_marked, failed = line[2] == "1", line[3] != "0"
            if is_marked and box not in self.made():
                self.marked.add(box)
            self.opened.setdefault(mailbox, is_marked or failed)
            self.group.add(at, "LOOK", box, None, is_marked or failed)
        elif line[1] == mailbox + "/new" and line[2] in ("0", "17"):
            self.group.events.append((at, "MAKE", box, self.group.by))

    def unmark(self, at: int, box: int) -> None:
        if box not in self.made():
            self.marked.add(box)
        self.group.events.append((at, "UNMARK", box, self.group.by))

    def made(self) -> set[int]:
        return {box for _, action, box, _ in self.group.events if action == "MAKE"}

    def sync_folders(self, lines: list[tuple[int, list[str]]]) -> None:
        found = {line[1]: (at, line[2] != "0") for at, line in lines}
        last = lines[-1][0] if lines else (self.group.events[-1][0] if self.group.events else 0)
        for mailbox in sorted(self.opened, key=lambda each: self.boxes[each]):
            at, failed = found.get(mailbox + "/new", (last, True))
            if self.opened[mailbox]:
                above = [found.get(each, (last, True)) for each in parents_of(mailbox)]
                self.group.add(at, "SYNC_ABOVE", self.boxes[mailbox], None, any(bad for _, bad in above))
            self.group.add(at, "SYNC_BOX", self.boxes[mailbox], None, failed)

    def take_back(self, at: int, line: list[str]) -> None:
        self.group.add(at, "TAKE_BACK", self.numbers[int(line[1])], self.boxes[line[2].split("/new/")[0]], False)


class Mail:
    """Messages of a log, cut into groups."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.wanted: dict[int, list[str]] = {}
        self.submitted: dict[int, int] = {}
        self.answers: list[tuple[int, int, int]] = []
        self.withdrawn: dict[int, int] = {}
        self.groups: list[Group] = []
        self.expected: list[int] = []  # members of each group
        self.passed_over = Counter()
        self.open: Group | None = None

    def take(self, at: int, words: list[str]) -> None:
        what, message = words[0], int(words[1])
        if what == "submit":
            self.wanted[message] = words[2:]
            self.submitted[message] = at
        elif what == "withdraw":
            self.withdrawn[message] = at
        else:
            self.answers.append((at, message, int(words[2])))
            if self.open is not None and message not in self.withdrawn:
                self.open.members.append(message)

    def begin_group(self, at: int, words: list[str]) -> None:
        self.open = Group(0, at, [])
        self.groups.append(self.open)
        self.expected.append(-1 if "copies" in words else int(words[0]))

    def disk(self, at: int, line: list[str]) -> None:
        if self.open is not None:
            self.open.lines.append((at, line))

    def runs(self) -> list[Run]:
        runs = []
        for group, expected in zip(self.groups, self.expected, strict=True):
            boxes = {box for message in group.members for box in self.wanted.get(message, [])}
            if expected == -1 or len(group.members) != expected:
                self.passed_over["with copies" if expected == -1 else "power ended"] += 1
            elif expected > MESSAGES or len(boxes) > MAILBOXES:
                self.passed_over["too large"] += 1
            else:
                runs.append(self.run_of(group, group.members))
        return runs + [self.run_of(None, [message]) for message in self.withdrawn]

    def run_of(self, group: Group | None, messages: list[int]) -> Run:
        boxes = {box: i for i, box in enumerate(sorted({box for message in messages for box in self.wanted[message]}))}
        numbers = {message: i for i, message in enumerate(messages)}
        events = [(self.submitted[m], "SUBMIT", numbers[m], sum(1 << boxes[b] for b in self.wanted[m])) for m in messages]
        events += [(self.withdrawn[m], "WITHDRAW", numbers[m], 0) for m in messages if m in self.withdrawn]
        made, marked = set(), set()
        if group is not None:
            retelling = Retelling(group, boxes, self.wanted, numbers)
            retelling.tell()
            events += group.events
            made, marked = retelling.made(), retelling.marked
        events += [(at, "ANSWER", numbers[m], OUTCOMES[result]) for at, m, result in self.answers if m in numbers]
        events.sort(key=lambda event: event[0])
        there = [("IS_THERE", box, int(box in marked)) for box in boxes.values() if box not in made]
        return Run("group_commit", f"{self.origin}, messages {messages}", there + [event[1:] for event in events])


def read_questions(path: Path) -> list[Run]:
    runs: list[Run] = []
    for line in path.read_text().splitlines():
        what, *numbers = line.split(" ")
        if what == "run":
            runs.append(Run("questions", f"{path}, {line}"))
        else:
            runs[-1].actions.append((what, int(numbers[0]), int(numbers[1])))
    return runs


def read(path: Path) -> tuple[list[Run], Counter]:
    if path.read_text().startswith("run "):
        return read_questions(path), Counter()
    runs: list[Run] = []
    passed_over: Counter = Counter()
    talks = mail = None

    def finish() -> None:
        if talks is not None and mail is not None:
            runs.extend([*talks.runs.values(), *mail.runs()])
            passed_over.update(mail.passed_over)

    for at, line in enumerate(path.read_text().splitlines()):
        kind, *words = line.split(" ")
        if kind == "world":
            finish()
            talks, mail = Talks(line), Mail(line)
        elif talks is None or mail is None:
            raise SystemExit(f"{path} does not begin with a world")
        elif kind == "talk":
            talks.take(words)
        elif kind == "mail":
            mail.take(at, words)
        elif kind == "group":
            mail.begin_group(at, words)
        else:
            mail.disk(at, words)
    finish()
    return runs, passed_over


def can_do(run: Run, folder: str, name: str) -> str:
    """Empty, or what the model cannot do."""
    numbers = numbers_of(run.model)
    path = Path(folder) / f"{name}.log"
    path.write_text("".join(f"{numbers[what]} {a} {b}\n" for what, a, b in run.actions))
    words = ["./pan", "-E", "-m50000", "-w18"]  # where the log does not go on, it stops
    done = subprocess.run(words, cwd=folder, env={"POSTERN_TRACE": str(path)}, capture_output=True, text=True, timeout=300, check=False)
    if "assertion violated 0" in done.stdout:
        return ""
    if done.returncode != 0 or "errors: 0" not in done.stdout or "max search depth" in done.stdout:
        return f"{run.origin}: the search went wrong:\n{done.stdout}{done.stderr}"
    reached = int(re.findall(r"reached (\d+)", done.stdout)[-1])
    before = "\n".join(f"    {what} {a} {b}" for what, a, b in run.actions[max(0, reached - 12) : reached])
    return f"{run.origin}: {run.model} cannot do {' '.join(map(str, run.actions[reached]))} after\n{before}"


def follow(model: str, runs: list[Run]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        build(model, ["TRACE", *BOUNDS[model]], folder, [kind_of(model).value, "-DSAFETY"])
        said = [can_do(run, folder, str(number)) for number, run in enumerate(runs)]
    wrong = [each for each in said if each]
    actions = sum(len(run.actions) for run in runs)
    print(f"{model:12} {len(runs):5} runs, {actions:6} actions: " + ("all can be done" if not wrong else f"{len(wrong)} CANNOT\n{wrong[0]}"), flush=True)
    return not wrong


def without(run: Run, at: int) -> list[tuple[str, int, int]]:
    return run.actions[:at] + run.actions[at + 1 :]


def places(run: Run, what: str, *numbers: int | None) -> list[int]:
    """Where an action stands; None is any number."""
    return [i for i, (name, *own) in enumerate(run.actions) if name == what and all(want in (None, got) for want, got in zip(numbers, own, strict=False))]


def answered_before_sync(run: Run) -> list[tuple[str, int, int]] | None:
    syncs, answers = places(run, "SYNC_BOX"), places(run, "ANSWER", None, 1)
    return [*run.actions[: syncs[0]], run.actions[answers[0]], *without(run, answers[0])[syncs[0] :]] if syncs and answers else None


def failed_sync_accepted(run: Run) -> list[tuple[str, int, int]] | None:
    syncs, answers = places(run, "SYNC_BOX"), places(run, "ANSWER", None, 1)
    if not syncs or not answers or places(run, "SYNC_BOX", None, 1):
        return None
    at, (what, box, code) = syncs[0], run.actions[syncs[0]]
    return [*run.actions[:at], (what, box, code + 1), *run.actions[at + 1 :]]


def linked_before_its_sync(run: Run) -> list[tuple[str, int, int]] | None:
    syncs, links = places(run, "SYNC_FILE"), places(run, "LINK")
    return [*run.actions[: syncs[0]], run.actions[links[0]], *without(run, links[0])[syncs[0] :]] if syncs and links else None


def sync_left_out(run: Run) -> list[tuple[str, int, int]] | None:
    syncs = places(run, "SYNC_BOX")
    return without(run, syncs[-1]) if syncs and places(run, "ANSWER") else None


def unmarked_before_sync(run: Run) -> list[tuple[str, int, int]] | None:
    syncs, marks = places(run, "SYNC_ABOVE"), places(run, "UNMARK")
    return [*run.actions[: syncs[0]], run.actions[marks[0]], *without(run, marks[0])[syncs[0] :]] if syncs and marks else None


def mark_overlooked(run: Run) -> list[tuple[str, int, int]] | None:
    looks = places(run, "LOOK", None, 1)
    return [*run.actions[: looks[0]], ("LOOK", run.actions[looks[0]][1], 0), *run.actions[looks[0] + 1 :]] if looks else None


def answered_twice(run: Run) -> list[tuple[str, int, int]] | None:
    answers = places(run, "ANSWER", None, 1)
    return [*run.actions, run.actions[answers[-1]]] if answers else None


def withdrawn_is_accepted(run: Run) -> list[tuple[str, int, int]] | None:
    found = places(run, "WITHDRAW")
    return [(what, a, 1) if what == "ANSWER" else (what, a, b) for what, a, b in run.actions] if found and not places(run, "WRITE") else None


def old_ticket_counts(run: Run) -> list[tuple[str, int, int]] | None:
    found = [at for at in places(run, "ANSWER", None, 1) if run.actions[at][1] > 1]
    if run.model != "tickets" or not found:
        return None
    return [*run.actions[: found[0]], ("ANSWER", run.actions[found[0]][1] - 1, 1), *run.actions[found[0] + 1 :]]


def ticket_used_again(run: Run) -> list[tuple[str, int, int]] | None:
    asks = places(run, "ASK")
    if len(asks) < 2:
        return None
    return [*run.actions[: asks[1]], ("ASK", 1, run.actions[asks[1]][2]), *run.actions[asks[1] + 1 :]]


def hand_over_has_a_limit(run: Run) -> list[tuple[str, int, int]] | None:
    asks = places(run, "ASK", None, 0)
    return [*run.actions[: asks[0] + 1], ("TIME", run.actions[asks[0]][1], 0)] if asks else None


def another_s_answer(run: Run) -> list[tuple[str, int, int]] | None:
    found = [at for at in places(run, "ANSWER") if run.actions[at][1] > 0]
    return [*run.actions[: found[0]], ("ANSWER", run.actions[found[0]][1], 0), *run.actions[found[0] + 1 :]] if found else None


def withdrawn_and_answered(run: Run) -> list[tuple[str, int, int]] | None:
    found = places(run, "WITHDRAW")
    return [*run.actions, ("ANSWER", run.actions[found[0]][1], run.actions[found[0]][1])] if found else None


def withdrawn_and_begun(run: Run) -> list[tuple[str, int, int]] | None:
    found = places(run, "WITHDRAW")
    return [*run.actions, ("BEGIN", run.actions[found[0]][1], 0)] if found else None


def refused_and_begun(run: Run) -> list[tuple[str, int, int]] | None:
    found = places(run, "REFUSE")
    return [*run.actions, ("BEGIN", run.actions[found[0]][1], 0)] if found else None


def ended_twice(run: Run) -> list[tuple[str, int, int]] | None:
    found = [*places(run, "ANSWER"), *places(run, "FAIL")]
    return [*run.actions, ("FAIL", run.actions[found[0]][1], 0)] if found else None


def three_at_once(run: Run) -> list[tuple[str, int, int]] | None:
    """None of the first three has ended, and all are with connections: one more than max_in_flight."""
    submits = places(run, "SUBMIT")
    return [("SUBMIT", 0, 0), ("SUBMIT", 1, 0), ("SUBMIT", 2, 0), ("BEGIN", 0, 0), ("BEGIN", 1, 0), ("BEGIN", 2, 0)] if submits else None


QUESTION_SPOILERS = (
    another_s_answer,
    withdrawn_and_answered,
    withdrawn_and_begun,
    refused_and_begun,
    ended_twice,
    three_at_once,
)
SPOILERS = (
    answered_before_sync,
    failed_sync_accepted,
    linked_before_its_sync,
    sync_left_out,
    unmarked_before_sync,
    mark_overlooked,
    withdrawn_is_accepted,
    old_ticket_counts,
    answered_twice,
    ticket_used_again,
    hand_over_has_a_limit,
)


def spoil(runs: list[Run]) -> bool:
    """Each way to spoil a run, on the first few that it fits."""
    folders = {model: tempfile.TemporaryDirectory() for model in BOUNDS if any(run.model == model for run in runs)}
    for model, folder in folders.items():
        build(model, ["TRACE", *BOUNDS[model]], folder.name, [kind_of(model).value, "-DSAFETY"])
    is_well = True
    for spoiler in QUESTION_SPOILERS if "questions" in folders else SPOILERS:
        spoilt = [(run, spoiler(run)) for run in runs]
        chosen = [Run(run.model, run.origin, actions) for run, actions in spoilt if actions is not None][:5]
        missed = [run for run in chosen if "cannot do" not in can_do(run, folders[run.model].name, "spoilt")]
        found = bool(chosen) and not missed
        is_well &= found
        print(f"{spoiler.__name__:24} {len(chosen)} runs: " + ("found" if found else f"NOT FOUND {missed[:1]}"), flush=True)
    return is_well


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--worlds", type=int)
    arguments.add_argument("--questions", type=int)
    arguments.add_argument("--spoil", action="store_true")
    arguments.add_argument("--first", type=int, default=1)
    arguments.add_argument("paths", nargs="+", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        logs = given.paths
        if given.worlds:
            log = Path(folder) / "actions"
            words = [str(given.paths[0]), "--sessions", str(32 * given.worlds), "--seed", str(given.first), "--actions", str(log)]
            subprocess.run(words, stdout=subprocess.DEVNULL, timeout=300, check=False)  # what it finds itself is not asked here
            logs = [log]
        if given.questions:
            log = Path(folder) / "questions"
            words = [str(given.paths[0]), str(given.questions), str(given.first)]
            log.write_text(subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout)
            logs = [log]
        found = [read(log) for log in logs]
    runs = [run for some, _ in found for run in some]
    passed_over = sum((each for _, each in found), Counter())
    if passed_over:
        print("passed over:", ", ".join(f"{count} {why}" for why, count in sorted(passed_over.items())))
    if given.spoil:
        return 0 if spoil(runs) else 1
    models = [model for model in BOUNDS if any(run.model == model for run in runs)]
    return 0 if models and all([follow(model, [run for run in runs if run.model == model]) for model in models]) else 1


if __name__ == "__main__":
    sys.exit(main())
