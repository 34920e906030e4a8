"""Words that tell a server from its learnt machine, should it have more states than that.

source  Chow 1978 (W-method): after each state all words of `more` + 1 inputs, then all words that tell the state reached from
        others; Fujiwara et al. 1991 (Wp): of these only those that the state reached needs
what    a server with at most `more` states more than the machine, that answers all of them as the machine does, is that machine
"""
import random

LONGEST_MIDDLE = 12
MOST_AUTH, MOST_MISTAKES = 10, 19  # below the limits that the machine without counts leaves out


class Words:
    def __init__(self, machine, separations):
        self.machine, self.identify = machine, [set() for _ in range(len(machine))]
        for one in range(len(machine)):
            for other in range(one):
                word = separations.word(one, other)
                self.identify[one].add(word)
                self.identify[other].add(word)

    def all(self, more):
        """The whole of it, to a depth."""
        for state, access in self.machine.access.items():
            for middle, reached in self.middles(state, more + 1):
                for rest in self.identify[reached] or {()}:
                    yield (*access, *middle, *rest)

    def middles(self, state, length):
        yield (), state
        if length:
            for said, (_, after) in self.machine.rows[state].items():
                for middle, reached in self.middles(after, length - 1):
                    yield (said, *middle), reached

    def some(self, count, seed):
        """At random, and deeper: a state, a random walk from there, and one of the words that identify the state reached."""
        chance = random.Random(seed)
        ways = sorted(self.machine.access.items())
        for _ in range(count):
            state, word = chance.choice(ways)
            word = list(word)
            for _ in range(chance.randint(2, LONGEST_MIDDLE)):
                if not self.machine.rows[state]:
                    break
                said = chance.choice(sorted(self.machine.rows[state], key=lambda each: (each.mode, each.name)))
                word.append(said)
                state = self.machine.rows[state][said][1]
            word += chance.choice(sorted(self.identify[state], key=names) or [()])
            yield self.bounded(tuple(word))

    def bounded(self, word):
        """Cut before a limit of mistakes or AUTH commands."""
        auth = mistakes = 0
        for number, (said, (output, _)) in enumerate(zip(word, self.machine.walk(word))):
            auth += said.event.startswith("auth.")
            mistakes += output.startswith("5")
            if auth > MOST_AUTH or mistakes > MOST_MISTAKES:
                return word[:number]
        return word


def names(word):
    return [said.name for said in word]
