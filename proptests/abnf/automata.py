"""Automata over the 256 octets, made from the trees of productions.py.

Nfa      states are numbers; `steps[q]` are (mask of octets, state), `jumps[q]` are (mark, state) and take no octet. A
         mark is None or ("begin" | "end", field).
Subsets  what an Nfa is in after the octets so far: the set of its states; empty when nothing of the language begins so.
"""
from productions import ALL


class Nfa:
    def __init__(self):
        self.steps = []
        self.jumps = []
        self.start = self.state()
        self.accept = None

    def state(self):
        self.steps.append([])
        self.jumps.append([])
        return len(self.steps) - 1


class Builder:
    def __init__(self, grammar, built=None):
        self.grammar = grammar
        self.built = {} if built is None else built
        self.nfa = Nfa()

    def build(self, tree):
        self.nfa.accept = self.add(tree, self.nfa.start)
        return trimmed(self.nfa)

    def add(self, tree, begin):
        """Adds what leads from `begin` through the tree, and says where it ends."""
        kind = tree[0]
        if kind == "octets":
            end = self.nfa.state()
            self.nfa.steps[begin].append((tree[1], end))
            return end
        if kind == "cat":
            for part in tree[1]:
                begin = self.add(part, begin)
            return begin
        if kind == "alt":
            return self.join([self.add(part, self.jump(begin)) for part in tree[1]])
        if kind == "name":
            return self.add(self.grammar.tree(tree[1]), begin)
        if kind == "field":
            return self.jump(self.add(tree[2], self.jump(begin, ("begin", tree[1]))), ("end", tree[1]))
        if kind == "repeat":
            return self.repeat(*tree[1:], begin)
        return self.embed(self.combined(tree), begin)

    def combined(self, tree):
        """Of "and" and "minus"; each is built once, and as small as can be if no field is in it."""
        name = repr(tree)
        if name not in self.built:
            left, right = (smallest(Builder(self.grammar, self.built).build(part)) for part in tree[1:])
            self.built[name] = smallest(combined(tree[0], left, right))
        return self.built[name]

    def jump(self, begin, mark=None):
        end = self.nfa.state()
        self.nfa.jumps[begin].append((mark, end))
        return end

    def join(self, ends):
        end = self.nfa.state()
        for one in ends:
            self.nfa.jumps[one].append((None, end))
        return end

    def repeat(self, least, most, part, begin):
        for _ in range(least):
            begin = self.add(part, begin)
        if most is None:
            loop = self.jump(begin)
            self.nfa.jumps[self.add(part, loop)].append((None, loop))
            return self.jump(loop)
        ends = [begin]
        for _ in range(most - least):
            ends.append(self.add(part, self.jump(ends[-1])))
        return self.join(ends)

    def embed(self, other, begin):
        states = [self.nfa.state() for _ in other.steps]
        for q, state in enumerate(states):
            self.nfa.steps[state] = [(mask, states[target]) for mask, target in other.steps[q]]
            self.nfa.jumps[state] = [(mark, states[target]) for mark, target in other.jumps[q]]
        self.nfa.jumps[begin].append((None, states[other.start]))
        return states[other.accept]


def nfa_of(grammar, name):
    return Builder(grammar).build(("name", name))


def reached(starts, followers):
    seen = set(starts)
    left = list(seen)
    while left:
        for one in followers(left.pop()):
            if one not in seen:
                seen.add(one)
                left.append(one)
    return seen


def trimmed(nfa):
    """Only states on a way from the start to the end; the start and the end always stay."""
    forward = reached([nfa.start], lambda q: [target for _, target in nfa.steps[q] + nfa.jumps[q]])
    back = [[] for _ in nfa.steps]
    for q in forward:
        for _, target in nfa.steps[q] + nfa.jumps[q]:
            back[target].append(q)
    useful = sorted((reached([nfa.accept], lambda q: back[q]) & forward) | {nfa.start, nfa.accept})
    number = {q: i for i, q in enumerate(useful)}
    small = Nfa()
    small.steps = [[(mask, number[t]) for mask, t in nfa.steps[q] if mask and t in number] for q in useful]
    small.jumps = [[(mark, number[t]) for mark, t in nfa.jumps[q] if t in number] for q in useful]
    small.start, small.accept = number[nfa.start], number[nfa.accept]
    return small


class Subsets:
    """The subset construction, as far as it is asked for."""

    def __init__(self, nfa):
        self.nfa = nfa
        self.closures = {}
        self.known = {}
        self.start = frozenset(self.closure(nfa.start))

    def closure(self, state):
        if state not in self.closures:
            self.closures[state] = reached([state], lambda q: [target for _, target in self.nfa.jumps[q]])
        return self.closures[state]

    def accepts(self, subset):
        return self.nfa.accept in subset

    def moves(self, subset):
        """(mask, subset) for all 256 octets; the masks do not overlap."""
        if subset not in self.known:
            parts = {ALL: frozenset()}
            for q in subset:
                for mask, target in self.nfa.steps[q]:
                    split = {}
                    for part, targets in parts.items():
                        if part & mask:
                            split[part & mask] = targets | {target}
                        if part & ~mask:
                            split[part & ~mask] = targets
                    parts = split
            self.known[subset] = [(part, frozenset().union(*(self.closure(t) for t in targets)))
                                  for part, targets in merged(parts)]
        return self.known[subset]

    def row(self, subset, octets):
        """The subset after each of the octets."""
        moves = self.moves(subset)
        return [next(target for mask, target in moves if mask >> octet & 1) for octet in octets]


def merged(parts):
    by_target = {}
    for part, targets in parts.items():
        by_target[targets] = by_target.get(targets, 0) | part
    return [(part, targets) for targets, part in by_target.items()]


def smallest(nfa):
    """The minimal deterministic automaton, unless marks are in the way."""
    if any(mark for jumps in nfa.jumps for mark, _ in jumps):
        return nfa
    subsets = Subsets(nfa)
    states = reached([subsets.start], lambda subset: [target for _, target in subsets.moves(subset)])
    block = {state: subsets.accepts(state) for state in states}
    while True:  # Moore: two states stay together while they accept alike and lead to the same blocks
        seen = {}
        finer = {}
        for state in states:
            leads = frozenset(merged_blocks(subsets.moves(state), block).items())
            finer[state] = seen.setdefault((block[state], leads), len(seen))
        if len(seen) == len(set(block.values())):
            return deterministic(subsets, finer)
        block = finer


def merged_blocks(moves, block):
    masks = {}
    for mask, target in moves:
        masks[block[target]] = masks.get(block[target], 0) | mask
    return masks


def deterministic(subsets, block):
    small = Nfa()
    number = {}
    for name in block.values():
        if name not in number:
            number[name] = small.state()
    small.accept = small.state()
    for subset, name in block.items():
        here = number[name]
        small.steps[here] = [(mask, number[to]) for to, mask in merged_blocks(subsets.moves(subset), block).items()]
        if subsets.accepts(subset):
            small.jumps[here] = [(None, small.accept)]
    small.jumps[small.start] = [(None, number[block[subsets.start]])]
    return trimmed(small)


def combined(kind, left, right):
    """The Nfa of what both produce, or of what `left` produces and `right` does not; marks are those of `left`, and for
    "and" those of `right`, too."""
    if kind == "minus":
        subsets = Subsets(right)
        return product(left, subsets.start, subsets.moves, lambda _: [], lambda subset: not subsets.accepts(subset))
    return product(left, right.start, lambda q: right.steps[q], lambda q: right.jumps[q], lambda q: q == right.accept)


def product(left, start, steps, jumps, accepts):
    nfa = Nfa()
    number = {(left.start, start): nfa.start}
    nfa.accept = nfa.state()
    left_to_do = [(left.start, start)]

    def numbered(pair):
        if pair not in number:
            number[pair] = nfa.state()
            left_to_do.append(pair)
        return number[pair]

    while left_to_do:
        q, other = pair = left_to_do.pop()
        here = number[pair]
        for mask, target in left.steps[q]:
            for mask2, target2 in steps(other):
                if mask & mask2:
                    nfa.steps[here].append((mask & mask2, numbered((target, target2))))
        nfa.jumps[here] += [(mark, numbered((target, other))) for mark, target in left.jumps[q]]
        nfa.jumps[here] += [(mark, numbered((q, target))) for mark, target in jumps(other)]
        if q == left.accept and accepts(other):
            nfa.jumps[here].append((None, nfa.accept))
    return trimmed(nfa)


def classes_of(masks):
    """One octet of each class that no mask divides; printable octets first, so that witnesses can be read."""
    masks = list(masks)
    found = {}
    for number in sorted(range(256), key=lambda n: (not chr(n).isalnum() or n > 126, not 32 <= n < 127, n)):
        found.setdefault(tuple(mask >> number & 1 for mask in masks), number)
    return list(found.values())


def masks_of(nfa):
    return {mask for steps in nfa.steps for mask, _ in steps}
