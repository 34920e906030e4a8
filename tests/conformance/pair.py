"""Compares what the two programs answered in one dialogue, octet by octet; differences that are meant are in pair.toml."""

import collections
import dataclasses
import itertools
import tomllib

from deviations import Globs
from recording import HERE, MISSING


@dataclasses.dataclass
class Comparison:
    """Counts of steps, and the unexplained differences."""
    dialogues: int = 0
    steps: int = 0
    equal: int = 0
    used: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # entry number -> dialogues
    unexplained: list = dataclasses.field(default_factory=list)  # Place, postern-smtpd's answer, the listener's

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Pairs:
    def __init__(self):
        with open(HERE / "pair.toml", "rb") as file:
            data = tomllib.load(file)
        self.entries, self._left_out = data.get("difference", []), data.get("left_out", [])
        self._globs = [[Globs(entry.get(key)) for key in ("config", "session", "sent")] for entry in self.entries]
        self._left_out_globs = [[Globs(entry.get(key)) for key in ("config", "session")] for entry in self._left_out]

    def can_be_told(self, place):
        return not any(config.covers(place.configuration) and session.covers(place.session)
                       for config, session in self._left_out_globs)

    def compare(self, place, smtpd, serve):
        comparison = Comparison(dialogues=1)
        for ours, theirs in itertools.zip_longest(told(smtpd), told(serve), fillvalue=(MISSING, MISSING)):
            comparison.steps += 1
            if ours == theirs:
                comparison.equal += 1
                continue
            self._explain(comparison, dataclasses.replace(place, sent=ours[0]), ours, theirs)
            break  # what follows is another dialogue
        return comparison

    def _explain(self, comparison, place, ours, theirs):
        for number, (entry, globs) in enumerate(zip(self.entries, self._globs)):
            names = (place.configuration, place.session, place.sent.rstrip("\r\n"))
            if (all(glob.covers(name) for glob, name in zip(globs, names)) and
                    (ours[1], theirs[1]) == (entry["smtpd"], entry["serve"])):
                comparison.used[number] += 1
                return
        comparison.unexplained.append((place, ours[1], theirs[1]))

    def stale(self, used, places):
        """Entries that cover nothing of these places."""
        unused = [entry for number, entry in enumerate(self.entries) if number not in used]
        return unused + [entry for entry, (config, session) in zip(self._left_out, self._left_out_globs)
                         if not any(config.covers(place.configuration) and session.covers(place.session)
                                    for place in places)]


def told(transcript):
    """All that a dialogue left, as (what it is, octets)."""
    yield from transcript.steps
    for envelope, message in transcript.queued:
        yield "@queue.env", envelope
        yield "@queue.msg", message
    yield "@exit", transcript.exit
