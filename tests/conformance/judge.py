"""Compares one dialogue with the recording, step by step.

A step is equal, or explained by exactly one entry of deviations.toml, or follows from one explained, or unexplained.
Only this can follow: what the client then did not do (it did not send octets whose turn did not come, or after the
connection was closed, so nothing was stored), and the exit code of a session that ended otherwise.
"""

import collections
import dataclasses
import itertools

from deviations import Place, clip
from recording import MISSING, SKIPPED, ended

ACCEPTED = "250 ok <time> qp <qp>\r\n"


@dataclasses.dataclass
class Unexplained:
    place: Place
    want: str
    got: str
    note: str = ""


@dataclasses.dataclass
class Verdict:
    """Counts of steps, and the unexplained differences."""
    dialogues: int = 0
    steps: int = 0
    equal: int = 0
    used: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # entry number -> steps
    unexplained: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.dialogues += other.dialogues
        self.steps += other.steps
        self.equal += other.equal
        self.used += other.used
        self.unexplained += other.unexplained


class Judge:
    """The comparison of one dialogue. Expected is what was recorded, unless an entry refuses or replaces it."""

    def __init__(self, recording, deviations, configuration, session):
        self._deviations = deviations
        self._place = Place(configuration, session)
        self._recorded = recording.transcript(configuration, session)
        expected, self._instead = deviations.expected(self._place, recording)
        self._expected = expected or self._recorded
        self._reason = None  # the entry that explained the last difference
        self.verdict = Verdict(dialogues=1)

    def compare(self, got):
        self._compare_steps(got)
        self._compare_queue(got)
        self._compare_exit(got)
        return self.verdict

    def _compare_steps(self, got):
        over = False  # on our side
        sides = (self._recorded.steps, self._expected.steps, got.steps)
        for steps in itertools.zip_longest(*sides):
            sent = next(step[0] for step in steps if step)
            recorded, expected, ours = (step[1] if step else MISSING for step in steps)
            self._step(sent, recorded, expected, ours, follows=over or ours == SKIPPED)
            over = over or ended(ours)

    def _compare_queue(self, got):
        accepted = len(accepted_steps(got))
        if accepted != len(got.queued):
            self._explain("@queue", f"{accepted} messages accepted", f"{len(got.queued)} messages stored")
            return
        sides = [dict(zip(accepted_steps(side), side.queued)) for side in (self._recorded, self._expected, got)]
        for at in sorted(set().union(*sides)):
            messages = [side.get(at, (MISSING, MISSING)) for side in sides]
            for part, texts in zip(("@queue.env", "@queue.msg"), zip(*messages)):
                self._step(part, *texts, follows=at not in sides[-1])

    def _compare_exit(self, got):
        if got.exit not in ("0", "1"):  # a crash is a crash, even where the original crashed
            self._explain("@exit", self._expected.exit, got.exit)
            return
        usual = "0" if last_answer(got).startswith("221 ") else "1"
        self._step("@exit", self._recorded.exit, self._expected.exit, got.exit, follows=got.exit == usual)

    def _step(self, sent, recorded, expected, ours, follows):
        """`follows`: the client did nothing here, because of something earlier."""
        self.verdict.steps += 1
        if ours == expected or (sent == "@queue.msg" and clip(ours) == expected):
            self._count(self._instead if expected != recorded else None)
        elif follows and self._reason:
            self._count(self._reason)
        else:
            self._explain(sent, expected, ours)

    def _count(self, entry):
        if entry is None:
            self.verdict.equal += 1
        else:
            self._reason = entry
            self.verdict.used[entry.number] += 1

    def _explain(self, sent, expected, ours):
        place = dataclasses.replace(self._place, sent=sent)
        entries = self._deviations.explaining(place, expected, ours)
        if len(entries) == 1:
            self._count(entries[0])
            return
        note = "explained twice: " + "; ".join(f"{entry.id} {entry.title}" for entry in entries) if entries else ""
        self.verdict.unexplained.append(Unexplained(place, expected, ours, note))


def accepted_steps(transcript):
    return [at for at, (_, text) in enumerate(transcript.steps) if text.endswith(ACCEPTED)]


def last_answer(transcript):
    answers = [text for _, text in transcript.steps if text not in (SKIPPED, "")]
    return answers[-1].splitlines()[-1] if answers else ""
