"""Three comparisons of productions with a machine, each state pair by state pair, for lines of every length.

languages   do both accept the same octets, as the same thing?
fields      does every way to read an accepted line by the productions put its fields where the machine puts them?
outputs     does every way to read accepted octets give the output that the machine writes?

Each returns None, or a Difference with the shortest octets that show it, and how many pairs of states it looked at.
Octets that no production and no transition divides stand for one another: one of each class is tried.
"""
from collections import deque, namedtuple

from automata import Subsets, classes_of, masks_of

Difference = namedtuple("Difference", "what octets")
CR, LF = 13, 10


class Lines:
    """A machine that reads lines without their CRLF, as the productions have them: with it."""

    def __init__(self, machine, label):
        self.machine, self.label_of = machine, label
        self.start = ("in line", machine.start)

    def step(self, state, octet):
        where, inner = state
        if where == "cr":
            return ("done", inner) if octet == LF else None
        if where == "done":
            return None
        after, _ = self.machine.step(inner, octet)
        if octet == CR:
            if after.at is not None:
                raise ValueError("the machine takes CR; where a line ends is not clear")
            end, _ = self.machine.end(inner)
            return ("cr", end) if self.machine.is_final(inner) else None
        return ("in line", after) if after.at is not None else None

    def label(self, state):
        return self.label_of(state[1]) if state is not None and state[0] == "done" else None


class Streams:
    """A machine that reads all octets there are, until it has noted that it ended."""

    def __init__(self, machine, label):
        self.machine, self.label_of = machine, label
        self.start = machine.start

    def step(self, state, octet):
        after, _ = self.machine.step(state, octet)
        return None if after.at is None or "ended" in state.facts else after

    def label(self, state):
        return self.label_of(state) if state is not None else None


def kinds_of(nfa):
    """For each state that ends a `{is_KIND ...}`: the kind."""
    ends = {}
    for q, jumps in enumerate(nfa.jumps):
        for mark, _ in jumps:
            if mark and mark[0] == "end" and mark[1].startswith("is_"):
                ends[q] = mark[1][3:]
    return ends


class Numbered:
    """States by number, and the followers of each, one for each octet, worked out once."""

    def __init__(self, first, followers):
        self.numbers, self.states, self.rows, self.followers = {first: 0}, [first], [None], followers

    def row(self, number):
        if self.rows[number] is None:
            self.rows[number] = [self.number(state) for state in self.followers(self.states[number])]
        return self.rows[number]

    def number(self, state):
        if state not in self.numbers:
            self.numbers[state] = len(self.states)
            self.states.append(state)
            self.rows.append(None)
        return self.numbers[state]


def word_of(pair, parents, octets):
    word = []
    while parents[pair] is not None:
        pair, index = parents[pair]
        word.append(octets[index])
    return bytes(reversed(word))


def languages(nfa, reader, stops=True):
    """`nfa` marks what it accepts with fields is_KIND; `reader` says the kind as a label. With `stops` the machine also
    has to stop at the first octet with which nothing of the language begins."""
    subsets, kinds = Subsets(nfa), kinds_of(nfa)
    octets = classes_of(masks_of(nfa) | reader.machine.masks() | {1 << CR, 1 << LF})
    by_productions = Numbered(subsets.start, lambda subset: subsets.row(subset, octets))
    by_machine = Numbered(reader.start, lambda state: [state and reader.step(state, octet) for octet in octets])
    parents, left, late = {(0, 0): None}, deque([(0, 0)]), None
    while left:
        pair = left.popleft()
        subset, state = by_productions.states[pair[0]], by_machine.states[pair[1]]
        found = {kinds[q] for q in subset if q in kinds}
        label = reader.label(state)
        if found != ({label} if label else set()):
            return Difference(f"productions: {' '.join(sorted(found)) or 'refused'}; machine: {label or 'refused'}",
                              word_of(pair, parents, octets)), len(parents)
        if not subset and state is None:
            continue
        late = late or (pair if stops and not subset else None)
        for index, target in enumerate(zip(by_productions.row(pair[0]), by_machine.row(pair[1]))):
            if target not in parents:
                parents[target] = (pair, index)
                left.append(target)
    if late is not None:
        return Difference("the machine goes on where no line begins so", word_of(late, parents, octets)), len(parents)
    return None, len(parents)


def word_to(pair, parents):
    octets = []
    while parents[pair] is not None:
        pair, octet = parents[pair]
        if octet is not None:
            octets.append(octet)
    return bytes(reversed(octets))


Reading = namedtuple("Reading", "q state here past open body mark fields ended")


class Fields:
    """Walks all ways to read a line by the productions beside the machine. A field of the machine agrees when it was
    cut where the productions begin and end theirs: `mark` is which of theirs begin where the machine's mark is."""

    def __init__(self, nfa, machine, counted, fields=None):
        self.nfa, self.machine, self.counted, self.fields, self.rows = nfa, machine, counted, fields or set(), {}
        self.by_lines = fields is not None
        self.octets = classes_of(masks_of(nfa) | machine.masks() | {1 << CR, 1 << LF, 1 << ord("7"), 1 << ord("8")})

    def compare(self):
        none = frozenset()
        first = Reading(self.nfa.start, self.machine.start, none, none, none, None, none, none, False)
        parents, left = {first: None}, deque([first])
        while left:
            reading = left.popleft()
            if reading.q == self.nfa.accept and (why := self.disagreement(reading)):
                return Difference(why, word_to(reading, parents)), len(parents)
            for octet, after in self.followers(reading):
                if isinstance(after, str):
                    return Difference(after, word_to(reading, parents) + bytes([octet])), len(parents)
                if after not in parents:
                    parents[after] = (reading, octet)
                    (left.appendleft if octet is None else left.append)(after)
        return None, len(parents)

    def followers(self, reading):
        for mark, target in self.nfa.jumps[reading.q]:
            yield None, self.marked(reading, mark, target)
        body_begins = "body" in reading.open and not reading.body
        for mask, target in self.nfa.steps[reading.q]:
            tried = set()  # octets that the machine treats alike are alike here, unless they matter for BODY=
            for octet, stepped in zip(self.octets, self.row(reading.state)):
                if mask >> octet & 1 and (body_begins or stepped not in tried):
                    tried.add(stepped)
                    yield octet, self.stepped(reading, octet, stepped, target)

    def row(self, state):
        if state not in self.rows:
            self.rows[state] = [self.machine.end(state) if octet == CR and self.by_lines
                                else self.machine.step(state, octet) for octet in self.octets]
        return self.rows[state]

    @staticmethod
    def marked(reading, mark, target):
        if mark is None or mark[1].startswith("is_"):
            return reading._replace(q=target)
        change = {"begin": reading.open | {mark[1]}, "end": reading.open - {mark[1]}}[mark[0]]
        return reading._replace(q=target, here=reading.here | {mark}, past=reading.past | {mark}, open=change)

    def stepped(self, reading, octet, stepped, target):
        if reading.ended:
            return reading._replace(q=target, here=frozenset())
        state, done = stepped
        after = reading._replace(ended=octet == CR and self.by_lines)
        counted = {action[1] for action in done if action[0] == "octet"} & self.counted
        if counted != reading.open & self.counted:
            return f"octet is {' '.join(sorted(counted)) or 'nothing'} to the machine, " \
                   f"{' '.join(sorted(reading.open & self.counted)) or 'nothing'} to the productions"
        if "body" in reading.open and not reading.body:
            after = after._replace(body={"7": "seven_bit", "8": "eight_bit_mime"}.get(chr(octet)))
        after = self.cut(after, done)
        return after._replace(q=target, state=state, here=frozenset())

    @staticmethod
    def cut(reading, done):
        mark, fields = reading.mark, dict(reading.fields)
        for action in done:
            if action[0] == "mark":
                mark = frozenset(name for kind, name in reading.here if kind == "begin")
            elif action[0] == "field":
                fields[action[1]] = (action[1] in mark, ("end", action[1]) in reading.here)
            elif action[0] == "begin":
                fields[action[1]] = (("begin", action[1]) in reading.here, True)
            elif action[0] == "body":
                fields["body"] = action[1]
        return reading._replace(mark=mark, fields=frozenset(fields.items()))

    def disagreement(self, reading):
        cut = dict(reading.fields)
        if cut.pop("body", None) != reading.body:
            return f"body is {reading.body} to the productions"
        if ("size" in reading.state.said) != (("end", "size_octets") in reading.past):
            return "SIZE= is there to one of both only"
        for field in self.fields:
            if (field in cut) != (("end", field) in reading.past):
                return f"{field} is {'there' if field in cut else 'not there'} to the machine only"
            if field in cut and cut[field] != (True, True):
                return f"{field} begins or ends elsewhere: {cut[field]}"
        return None


LONGEST_DELAY = 8
Flow = namedtuple("Flow", "q state open owed")  # owed: what only the productions, only the machine have said yet


def outputs(nfa, machine):
    """CRLF in `{newline ...}` is LF, octets in `{deleted ...}` and `{end_of_data ...}` are nothing; others are kept."""
    octets = classes_of(masks_of(nfa) | machine.masks())
    first = Flow(nfa.start, machine.start, frozenset(), (b"", b""))
    parents, left = {first: None}, deque([first])
    while left:
        flow = left.popleft()
        if flow.q == nfa.accept and flow.owed != (b"", b""):
            return Difference(f"output differs by {flow.owed}", word_to(flow, parents)), len(parents)
        for octet, after in flows(nfa, machine, octets, flow):
            if after is None:
                return Difference("output differs", word_to(flow, parents) + bytes([octet])), len(parents)
            if after not in parents:
                parents[after] = (flow, octet)
                (left.appendleft if octet is None else left.append)(after)
    return None, len(parents)


def flows(nfa, machine, octets, flow):
    for mark, target in nfa.jumps[flow.q]:
        change = flow.open
        if mark:
            change = change | {mark[1]} if mark[0] == "begin" else change - {mark[1]}
        yield None, flow._replace(q=target, open=change)
    for mask, target in nfa.steps[flow.q]:
        for octet in octets:
            if mask >> octet & 1:
                state, done = machine.step(flow.state, octet)
                written = b"".join(bytes([octet]) if action[1] == "octet" else action[1].encode()
                                   for action in done if action[0] == "write")
                owed = settled(flow.owed[0] + said_by_productions(flow.open, octet), flow.owed[1] + written)
                yield octet, None if owed is None else Flow(target, state, flow.open, owed)


def said_by_productions(open_fields, octet):
    if "newline" in open_fields:
        return b"\n" if octet == LF else b""
    return b"" if {"deleted", "end_of_data"} & open_fields else bytes([octet])


def settled(left, right):
    """Drops what both have said; None when they differ, or when one is so far ahead that it can only differ."""
    common = min(len(left), len(right))
    if left[:common] != right[:common] or abs(len(left) - len(right)) > LONGEST_DELAY:
        return None
    return left[common:], right[common:]
