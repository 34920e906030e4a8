"""A running server is learnt, and its machine compared with that of the table.

The table is asked which word to try, never what the answer is: where the machine learnt so far and the table differ, the server
has the word. When they differ nowhere, words of conformance.py ask for states that neither of them has.
"""
import dataclasses
import time

import alphabet
import mealy
from conformance import Words
from lsharp import Learner

BATCH = 500


@dataclasses.dataclass
class Result:
    """`difference` is a word with the outputs of the table and of the server, or nothing."""
    machine: mealy.Mealy
    asked: int = 0
    inputs: int = 0
    from_the_table: int = 0
    tried: int = 0
    seconds: float = 0.0
    difference: tuple | None = None


class Comparison:
    """`words(machine)` is a generator of what is tried at the end."""

    def __init__(self, server, inputs, reference, words):
        self.server, self.reference, self.words, self.is_finished = server, reference, words, False
        self.learner = Learner(server.ask, lambda mode: [said for said in inputs if said.mode == mode], alphabet.next_mode, "connect")
        self.result = Result(None)

    def run(self):
        began = time.monotonic()
        while True:
            machine = self.learner.hypothesis()
            found = self.next_difference(machine)
            if found is None or found[0] == "differs":
                break
            self.learner.learn_from(machine, found[1])
        tree = self.learner.tree
        self.result.machine, self.result.asked, self.result.inputs = machine, tree.asked, tree.symbols
        self.result.seconds += time.monotonic() - began
        return self.result

    def next_difference(self, machine):
        """("learn", word) where the server is not as the machine; ("differs", word) where both are not as the table."""
        word = mealy.difference(machine, self.reference) if self.reference else None
        if word:
            self.result.from_the_table += 1
            if self.answers(word) != heard(machine, word):
                return "learn", word
        wrong = None if self.is_finished else self.first_wrong(machine)
        if wrong:
            return "learn", wrong
        self.is_finished = True
        if word:
            self.result.difference = word, heard(self.reference, word), self.answers(word)
            return "differs", word
        return None

    def answers(self, word):
        self.learner.tree.know([word])
        return list(self.learner.tree.outputs(word))

    def first_wrong(self, machine):
        """The first word of those that look for more states which the server answers otherwise."""
        batch, self.result.tried = [], 0
        for word in [*self.words(Words(mealy.minimal(machine), mealy.Separations(mealy.minimal(machine)))), None]:
            if word is not None:
                batch.append(word)
            if len(batch) < BATCH and word is not None:
                continue
            self.learner.tree.know(batch)
            self.result.tried += len(batch)
            for each in batch:
                if list(self.learner.tree.outputs(each)) != heard(machine, each):
                    return each
            batch = []
        return None


def heard(machine, word):
    """Until the end, or what may not be said."""
    found, state = [], 0
    for said in word:
        if said not in machine.rows[state]:
            break
        output, state = machine.rows[state][said]
        found.append(output)
    return found


def dialogue(difference):
    """The word and both answers, line by line."""
    word, wanted, real = difference
    for number, said in enumerate(word):
        answers = [outputs[number] if number < len(outputs) else "nothing more" for outputs in (wanted, real)]
        yield f"    {said.name}: {answers[0]}" if answers[0] == answers[1] else \
            f"    {said.name}:\n      table:  {answers[0]}\n      server: {answers[1]}"
