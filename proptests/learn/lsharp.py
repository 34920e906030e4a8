"""L#: active learning of Mealy machines by apartness.

source  Vaandrager, Garhewal, Rot, Wissmann, A New Approach for Active Automata Learning Based on Apartness, TACAS 2022
in      `ask(words)` answers many words at once, each by its outputs, on one connection a word; `enabled(mode)` the inputs
out     a Mealy machine that answers as the server did to every word so far, with as few states as these words allow
why     each word is asked once: the tree of all answers is the cache; and the rules name many words that do not depend on one
        another, so that a server that thinks for two seconds after a wrong password is asked many things meanwhile
"""
from mealy import Mealy


class Node:
    """What is known after one word. `rows[input]` is (output, node)."""

    __slots__ = ("word", "mode", "rows", "changed", "sifted")

    def __init__(self, word, mode):
        self.word, self.mode, self.rows = word, mode, {}
        self.changed = self.sifted = 0  # when something below it was learnt, when its candidates were looked at; in words

    def at(self, word):
        """The node after `word`, as far as it is known, and the rest."""
        node = self
        for number, said in enumerate(word):
            if said not in node.rows:
                return node, word[number:]
            node = node.rows[said][1]
        return node, ()


class Contradiction(Exception):
    """The server answered the same word in two ways."""


class Tree:
    """All that the server has said: a cache, and the observation tree of the paper."""

    def __init__(self, ask, next_mode, first_mode):
        self.root, self.asked, self.symbols = Node((), first_mode), 0, 0
        self._ask, self._next_mode = ask, next_mode

    def know(self, words):
        """Asks what is not yet known of these words, and nothing twice."""
        unknown = maximal([word for word in dict.fromkeys(words) if self.is_unknown(word)])
        for word, outputs in zip(unknown, self._ask(unknown)):
            self.asked, self.symbols = self.asked + 1, self.symbols + len(outputs)
            self.add(word, outputs)
            if self.is_unknown(word):
                raise Contradiction(f"{[each.name for each in word]}: answered {outputs}, and no end")

    def is_unknown(self, word):
        node, rest = self.root.at(word)
        return bool(rest) and rest[0].mode == node.mode

    def add(self, word, outputs):
        node = self.root
        for said, output in zip(word, outputs):
            node.changed = self.asked
            if said not in node.rows:
                mode = self._next_mode(node.mode, said, output)
                node.rows[said] = output, Node((*node.word, said), mode)
            known, after = node.rows[said]
            if known != output:
                raise Contradiction(f"{[each.name for each in after.word]}: {known!r}, then {output!r}")
            node = after

    def outputs(self, word):
        node = self.root
        for said in word:
            if said not in node.rows:
                return
            output, node = node.rows[said]
            yield output


def maximal(words):
    """Without those that another one begins with."""
    begun = {word[:length] for word in words for length in range(len(word))}
    return [word for word in words if word not in begun]


def apart(one, other):
    """A word by which two nodes have been told apart, or None; () when not the same may be said."""
    if one.mode != other.mode:
        return ()
    if len(one.rows) > len(other.rows):
        one, other = other, one
    for said, (output, after) in one.rows.items():
        known = other.rows.get(said)
        if not known:
            continue
        if known[0] != output:
            return (said,)
        rest = apart(after, known[1])
        if rest is not None:
            return (said, *rest)
    return None


class Learner:
    def __init__(self, ask, enabled, next_mode, first_mode):
        self.tree, self.enabled = Tree(ask, next_mode, first_mode), enabled
        self.basis, self.candidates = [self.tree.root], {}  # of each node at the frontier: which of the basis it may be
        self.told = {}

    # ---- the rules of the paper

    def hypothesis(self):
        """Learns until each node at the frontier is one of the basis, then builds."""
        while True:
            self.extend()
            if self.promote():
                continue
            if not self.separate():
                machine = self.build()
                lie = self.first_lie(machine)
                if lie is None:
                    return machine
                self.learn_from(machine, lie)

    def extend(self):
        """Each input is tried at each node of the basis."""
        self.tree.know([(*node.word, said) for node in self.basis for said in self.enabled(node.mode)
                        if said not in node.rows])
        inside = set(map(id, self.basis))
        for node in self.basis:
            for _, after in node.rows.values():
                if id(after) not in inside:
                    self.candidates.setdefault(after, range(len(self.basis)))
        self.sift()

    def sift(self):
        """What has been told apart since is no candidate any more."""
        for node, known in self.candidates.items():
            self.candidates[node] = [number for number in known if self.may_be(node, self.basis[number])]
            node.sifted = self.tree.asked

    def may_be(self, node, known):
        is_news = max(node.changed, known.changed) > node.sifted or node.sifted == 0
        return not is_news or apart(node, known) is None

    def promote(self):
        """A node that is none of the basis becomes one of it: the one with the shortest word."""
        new = [node for node, known in self.candidates.items() if not known]
        if not new:
            return False
        node = min(new, key=lambda each: len(each.word))
        del self.candidates[node]
        for other, known in self.candidates.items():
            if apart(other, node) is None:
                self.candidates[other] = [*known, len(self.basis)]
        self.basis.append(node)
        return True

    def separate(self):
        """Two candidates of one node differ in some word: that is asked of the node."""
        words = []
        for node, known in self.candidates.items():
            if len(known) > 1:
                words.append((*node.word, *self.witness(known[0], known[1])))
        self.tree.know(words)
        self.sift()
        return bool(words)

    def witness(self, one, other):
        if (one, other) not in self.told:
            self.told[one, other] = apart(self.basis[one], self.basis[other])
        return self.told[one, other]

    def build(self):
        numbers = {id(node): number for number, node in enumerate(self.basis)}
        rows = []
        for node in self.basis:
            rows.append({said: (output, numbers[id(after)] if id(after) in numbers else self.candidates[after][0])
                         for said, (output, after) in node.rows.items()})
        return Mealy(rows, {number: node.word for number, node in enumerate(self.basis)})

    # ---- counterexamples

    def first_lie(self, machine):
        """The shortest word of the tree that the machine answers otherwise."""
        todo = [(self.tree.root, 0)]
        for node, state in todo:
            for said, (output, after) in node.rows.items():
                predicted, next_state = machine.rows[state][said]
                if predicted != output:
                    return after.word
                todo.append((after, next_state))
        return None

    def learn_from(self, machine, word):
        """A word that the server answers otherwise than the machine: halved until a node at the frontier is told apart from
        the state that it was taken for."""
        self.tree.know([word])
        word = self.shortest_conflict(machine, word)
        while word is not None:
            node, state = self.tree.root.at(word)[0], machine.after(word)
            way = self.way_to_frontier(word)
            if way >= len(word):
                return self.sift()
            half = (way + len(word)) // 2
            there, left = machine.after(word[:half]), self.tree.root.at(word[:half])[0]
            same = (*self.basis[there].word, *word[half:])
            self.tree.know([(*same, *apart(node, self.basis[state]))])
            word = same if apart(left, self.basis[there]) is None else word[:half]

    def shortest_conflict(self, machine, word):
        """The shortest beginning after which the server is in another state than the machine."""
        node, state = self.tree.root, 0
        for number, said in enumerate(word):
            if said not in node.rows or said not in machine.rows[state]:
                return None
            node, state = node.rows[said][1], machine.rows[state][said][1]
            if apart(node, self.basis[state]) is not None:
                return word[:number + 1]
        return None

    def way_to_frontier(self, word):
        node, inside = self.tree.root, set(map(id, self.basis))
        for number, said in enumerate(word):
            node = node.rows[said][1]
            if id(node) not in inside:
                return number + 1
        return len(word)
