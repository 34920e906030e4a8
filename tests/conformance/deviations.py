"""The differences that are meant: deviations.toml, whose head explains its keys."""

import collections
import dataclasses
import fnmatch
import functools
import hashlib
import re
import tomllib

from recording import CLOSED, HERE, Transcript

ANSWERS = ("ours", "ours_like", "refused", "same_as")
CLIPPED_CHARACTERS = 600  # longer stored messages stand in the recording as a start, a length and a digest


def clip(text):
    if len(text) <= CLIPPED_CHARACTERS:
        return text
    digest = hashlib.sha256(text.encode("latin-1")).hexdigest()[:12]
    return f"{text[:300]}...<{len(text)} chars, sha256 {digest}>"


def bare(text):
    """Replies as deviations.toml writes them: without the last CRLF."""
    return text.removesuffix("\r\n")


@dataclasses.dataclass(frozen=True)
class Place:
    configuration: str
    session: str
    sent: str = ""


class Globs:
    """One glob or several; none at all covers everything. `[` has no special meaning."""

    def __init__(self, value):
        patterns = [value] if isinstance(value, str) else value or ["*"]
        self._regex = re.compile("|".join(fnmatch.translate(pattern.replace("[", "[[]")) for pattern in patterns))
        self.covers = functools.lru_cache(maxsize=None)(lambda text: bool(self._regex.match(text)))


class Entry:
    """Where a deviation shows, and how."""

    def __init__(self, number, table):
        unknown = set(table) - {"id", "config", "session", "sent", "was", "why", *ANSWERS}
        if unknown or not table.get("id") or not table.get("why"):
            raise SystemExit(f"deviations.toml: an entry needs id and why, and knows no {sorted(unknown)}: {table}")
        if sum(key in table for key in ANSWERS) != 1:
            raise SystemExit(f"deviations.toml: an entry has one of {', '.join(ANSWERS)}: {table}")
        self.number, self.id, self.why = number, table["id"], table["why"]
        self._config, self._session, self._sent = (Globs(table.get(key)) for key in ("config", "session", "sent"))
        self._was = table.get("was")
        self.refused, self.same_as = table.get("refused"), table.get("same_as")
        pattern = table.get("ours_like") or re.escape(table.get("ours", ""))
        self._ours = re.compile(pattern, re.DOTALL)
        self.title = " ".join(f"{key}={table[key]!r}" for key in ("config", "session", "sent") if key in table)

    def is_about_dialogues(self):
        return self.refused is not None or self.same_as is not None

    def covers_dialogue(self, place):
        return self._config.covers(place.configuration) and self._session.covers(place.session)

    def may_explain(self, sent, want):
        return self._sent.covers(sent) and (self._was is None or self._was in want)

    def explains(self, place, want, got):
        """Whether `got` is what the entry says, and, with `was`, differs from `want` in nothing else."""
        if not (self.covers_dialogue(place) and self.may_explain(place.sent.rstrip("\r\n"), bare(want))):
            return False
        if self._was is None:
            return bool(self._ours.fullmatch(bare(got)))
        turned_back = self._ours.sub(lambda _: self._was, bare(got))
        return turned_back != bare(got) and bare(want) in (turned_back, clip(turned_back))


class Deviations:
    def __init__(self):
        with open(HERE / "deviations.toml", "rb") as file:
            data = tomllib.load(file)
        self.titles, self.unseen = data["titles"], data["unseen"]
        entries = [Entry(number, table) for number, table in enumerate(data.get("deviation", []))]
        self._steps = [entry for entry in entries if not entry.is_about_dialogues()]
        self._dialogues = [entry for entry in entries if entry.is_about_dialogues()]
        self.entries = entries
        self._check_ids()

    def expected(self, place, recording):
        """The transcript to expect in place of the recorded one, and the entry that says so; or two Nones."""
        entry = next((entry for entry in self._dialogues if entry.covers_dialogue(place)), None)
        if entry is None:
            return None, None
        if entry.same_as is not None:
            return recording.transcript(entry.same_as, place.session), entry
        return refusal(entry.refused, recording.transcript(place.configuration, place.session)), entry

    def explaining(self, place, want, got):
        return [entry for entry in self._steps if entry.explains(place, want, got)]

    def stale(self, used):
        return [entry for entry in self.entries if entry.number not in used]

    def count_by_id(self, used):
        counts = collections.Counter()
        for number, count in used.items():
            counts[self.entries[number].id] += count
        return counts

    def _check_ids(self):
        seen = {entry.id for entry in self.entries}
        if seen & set(self.unseen) or seen | set(self.unseen) != set(self.titles):
            raise SystemExit(f"deviations.toml: [titles] has {sorted(self.titles)}, entries and [unseen] have "
                             f"{sorted(seen)} and {sorted(self.unseen)}")


def refusal(reply, recorded):
    """One reply at once, then the end."""
    steps = [("@connect", reply + "\r\n")]
    if len(recorded.steps) > 1:
        steps.append((recorded.steps[1][0], CLOSED))
    return Transcript(steps, exit="1")
