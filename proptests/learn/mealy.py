"""Mealy machines as tables: walked, minimised, compared, told apart."""
from collections import deque


class Mealy:
    """`rows[state][input]` is (output, state after it); a state is a number, 0 is the first; inputs are those that may be said."""

    def __init__(self, rows, access=None):
        self.rows, self.access = rows, access or shortest_ways(rows)

    def __len__(self):
        return len(self.rows)

    def walk(self, word, state=0):
        for said in word:
            output, state = self.rows[state][said]
            yield output, state

    def outputs(self, word):
        return [output for output, _ in self.walk(word)]

    def after(self, word, state=0):
        for _, state in self.walk(word, state):
            pass
        return state


def shortest_ways(rows):
    """For each state a shortest word that leads to it."""
    ways, todo = {0: ()}, deque([0])
    while todo:
        state = todo.popleft()
        for said, (_, after) in rows[state].items():
            if after not in ways:
                ways[after] = (*ways[state], said)
                todo.append(after)
    return ways


def explored(machine):
    """The whole of a machine that has `start`, `enabled` and `step`."""
    numbers, todo, rows = {machine.start: 0}, deque([machine.start]), []
    while todo:
        state, row = todo.popleft(), {}
        for said in machine.enabled(state):
            output, after = machine.step(state, said)
            if after not in numbers:
                numbers[after] = len(numbers)
                todo.append(after)
            row[said] = (output, numbers[after])
        rows.append(row)
    return Mealy(rows)


def minimal(machine):
    """Moore 1956: classes of states are split until none splits any more."""
    classes = [0] * len(machine)
    while True:
        seen, after = {}, []
        for state, row in enumerate(machine.rows):
            signature = (classes[state], frozenset((said, output, classes[to]) for said, (output, to) in row.items()))
            after.append(seen.setdefault(signature, len(seen)))
        if len(seen) == len(set(classes)):
            break
        classes = after
    rows = {}
    for state, row in enumerate(machine.rows):
        rows.setdefault(classes[state], {said: (output, classes[to]) for said, (output, to) in row.items()})
    return renumbered(rows, classes[0])


def renumbered(rows, first):
    numbers, todo = {first: 0}, deque([first])
    while todo:
        for _, to in rows[todo.popleft()].values():
            if to not in numbers:
                numbers[to] = len(numbers)
                todo.append(to)
    return Mealy([{said: (output, numbers[to]) for said, (output, to) in rows[old].items()} for old in numbers])


def difference(one, other, begin=(0, 0)):
    """A shortest word to which they answer differently, or None: breadth first through the pairs of states."""
    ways, todo = {begin: ()}, deque([begin])
    while todo:
        pair = todo.popleft()
        here, there = one.rows[pair[0]], other.rows[pair[1]]
        for said in here.keys() | there.keys() if here.keys() != there.keys() else here:
            word = (*ways[pair], said)
            if said not in here or said not in there or here[said][0] != there[said][0]:
                return word
            after = here[said][1], there[said][1]
            if after not in ways:
                ways[after] = word
                todo.append(after)
    return None


class Separations:
    """For each two states of a minimal machine a shortest word that tells them apart; () when what may be said does."""

    def __init__(self, machine):
        self.machine, self.steps = machine, {}
        frontier = self.told_apart_at_once()
        while frontier:
            frontier = self.told_apart_by(frontier)

    def told_apart_at_once(self):
        states, found = range(len(self.machine)), set()
        for one in states:
            for other in range(one):
                here, there = self.machine.rows[one], self.machine.rows[other]
                said = None if here.keys() != there.keys() else next((x for x in here if here[x][0] != there[x][0]), False)
                if said is not False:
                    self.steps[other, one] = said
                    found.add((other, one))
        return found

    def told_apart_by(self, frontier):
        found = set()
        for one in range(len(self.machine)):
            for other in range(one):
                if (other, one) in self.steps:
                    continue
                here, there = self.machine.rows[one], self.machine.rows[other]
                said = next((x for x in here if pair(here[x][1], there[x][1]) in frontier), None)
                if said:
                    self.steps[other, one] = said
                    found.add((other, one))
        return found

    def word(self, one, other):
        word = []
        while said := self.steps[pair(one, other)]:
            word.append(said)
            (here, one), (there, other) = self.machine.rows[one][said], self.machine.rows[other][said]
            if here != there:
                break
        return tuple(word)


def pair(one, other):
    return (one, other) if one < other else (other, one)
