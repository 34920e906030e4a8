#!/usr/bin/env python3
"""Spoils the two sets of laws, one clause at a time: the comparison must notice, and name what gets through.

  second_laws_controls.py WRITE_PROOFS SPEC_FOLDER SECOND_LAWS APART OUTPUT_FOLDER [--all]

Every clause of both sets is dropped, and weakened by some conditions on the state before (by every one with --all): it no longer
holds where the condition does. Is there a decision that the clause alone forbids? If not, the rest of the set says the same. If so,
the other set must forbid it, and its laws are named; or the clause stands in APART, whose row would speak of nothing. Then the
list, duties and laws are spoiled one by one.
"""
import copy
import dataclasses
import pathlib
import re
import sys
import time

import compiled_table
import law_sets
import second_laws
from law_decision import assert_that, question
from law_sets import Clause, Law
from second_laws import Asked, Comparison

TOUCHED = 10   # bits of a number for each clause
SOME = 2       # weakenings of each clause, when not all are asked for


# ---- every clause dropped, and weakened

class Touching:
    """One set with the clause `touched` holding only where there is no excuse; what the other set says is lost by that?"""

    def __init__(self, subject, given):
        self.comparison = Comparison(subject.decision, subject.sets, subject.apart)
        self.decision, self.given = subject.decision, given
        self.clauses = subject.sets[given].clauses()
        other = next(name for name in subject.sets if name != given)
        self.others = [(clause, self.compared(subject, clause)) for clause in subject.sets[other].clauses()]
        self.listed = [subject.apart.reason(other, clause) is not None for clause in self.clauses]

    def compared(self, subject, clause):
        """What the comparison wants of a clause of the other set: all of it, or, where the list says so, what an assumption leaves."""
        reason = subject.apart.reason(self.given, clause)
        return f"(=> {subject.apart.assumptions[reason]} {clause.term})" if reason else clause.term

    def text(self):
        decision, comparison = self.decision, self.comparison
        parts = [comparison.declared(), comparison.of_any_state(self.given),
                 f"(declare-const touched (_ BitVec {TOUCHED}))\n(declare-const excuse Bool)\n(declare-const twin-excuse Bool)\n"]
        for index, clause in enumerate(self.clauses):
            parts.append(decision.function(f"clause.{index}", clause.term))
            is_touched = f"(= touched {number(index)})"
            parts.append(assert_that(f"(or (and {is_touched} excuse) {decision.call(f'clause.{index}')})"))
            twin = decision.call(f"clause.{index}", comparison.twin)
            parts.append(comparison.twin_keeps(self.given, f"(or (and {is_touched} twin-excuse) {twin})"))
        for index, (_, term) in enumerate(self.others):
            parts.append(f"(define-fun other.{index} () Bool {term})\n")
        lost = law_sets.conjunction(f"other.{index}" for index in range(len(self.others)))
        return "".join(parts) + f"(define-fun lost () Bool (not {lost}))\n"

    def changes(self, everything):
        """(number of the clause, what is excused in words, its term here and in the twin)."""
        every = list(excuses(self.decision))
        for index in range(len(self.clauses)):
            yield index, "dropped", "true", "true"
            for words, term, twin in every if everything else [every[(SOME * index + at) % len(every)] for at in range(SOME)]:
                yield index, f"not where {words}", term, twin

    def broken(self, index, term, twin):
        """A decision that the changed set allows, and the clause forbids."""
        return [f"(= touched {number(index)})", f"(= excuse {term})", f"(= twin-excuse {twin})",
                f"(not {self.decision.call(f'clause.{index}')})"]


def number(index):
    return f"(_ bv{index} {TOUCHED})"


def excuses(decision):
    """Each setting, fact and value of a state, and its contrary: in words, as a term, and as one of the twin."""
    for name, _ in decision.configuration:
        twin = "false" if name == "errors_spent" else name
        yield name, name, twin
        yield f"not {name}", f"(not {name})", f"(not {twin})"
    for row in decision.spec.states:
        for value in row["values"]:
            term = f"(= {row['name']} {row['name']}.{value})"
            twin = ("true" if value == "command" else "false") if row["name"] == "waiting" else term
            yield f"{row['name']} is {value}", term, twin
            yield f"not {row['name']} is {value}", f"(not {term})", f"(not {twin})"


def by_touching(subject, given, folder, everything):
    """Problems; prints what gets through without each clause."""
    touching = Touching(subject, given)
    text, changes = touching.text(), list(touching.changes(everything))
    questions = Asked(text)
    for index, words, term, twin in changes:
        questions.add("sat", f"{touching.clauses[index].title} ({words})", *touching.broken(index, term, twin))
    _, by_solver = second_laws.ask_all(subject.common, {f"touched_{given}": questions}, folder)[f"touched_{given}"]
    answers = {solver: [answer for _, _, answer, _ in each] for solver, each in by_solver.items()}
    for solver, each in answers.items():
        if len(each) != len(changes) or set(each) - {"sat", "unsat"}:
            yield f"{given}: {solver} answers {len(each)} of {len(changes)} questions: {set(each)}"
            return
    if answers["z3"] != answers["cvc5"]:
        yield f"{given}: the solvers disagree"
    open_ones = [change for change, answer in zip(changes, answers["z3"]) if answer == "sat"]
    lost = losses(subject, touching, text, open_ones, folder)
    unseen = [change for change in open_ones if not lost[change]]   # the decision that z3 has shown is forbidden by no one else
    lost |= losses(subject, touching, text + assert_that("lost"), unseen, folder)
    yield from judge(touching, len(changes), lost)


def losses(subject, touching, text, changes, folder):
    """For each change the other set's laws that forbid a decision that gets through."""
    names = [f"other.{index}" for index in range(len(touching.others))]
    path = folder / f"losses_{touching.given}.smt2"
    path.write_text(subject.common + text + "".join(
        question("sat", "loss", *touching.broken(index, term, twin), shown=names) for index, _, term, twin in changes))
    found = {}
    for change, (_, _, _, values) in zip(changes, compiled_table.ask("z3", path)):
        broken = [touching.others[int(index)][0].law for index in re.findall(r"\(other\.(\d+) false\)", values)]
        found[change] = list(dict.fromkeys(broken))
    return {change: found.get(change, []) for change in changes}


def judge(touching, asked, lost):
    counts = {"noticed": 0, "noticed by the list": 0}
    for (index, words, _, _), broken in lost.items():
        clause = touching.clauses[index]
        if words == "dropped":
            print(f"  without {clause.title[:110]}\n    gets through what is forbidden by: {', '.join(broken) or 'nothing, as listed'}")
        counts["noticed" if broken else "noticed by the list"] += 1
        if not broken and not touching.listed[index]:
            yield f"{touching.given}: nobody notices {clause.title} ({words})"
    print(f"{touching.given}: {len(touching.clauses)} clauses, {asked} changes: {asked - len(lost)} that the rest of the set says, too, " +
          ", ".join(f"{count} {kind}" for kind, count in counts.items()))


# ---- the lists spoiled

def changed(subject, name, law, change):
    """A copy in which the clauses of one law are others."""
    spoiled = copy.copy(subject)
    spoiled.sets = dict(subject.sets)
    spoiled.sets[name] = copy.copy(subject.sets[name])
    spoiled.sets[name].laws = dict(subject.sets[name].laws)
    old = spoiled.sets[name].laws[law]
    spoiled.sets[name].laws[law] = dataclasses.replace(old, clauses=tuple(change(old.clauses)))
    return spoiled


def added(subject, name, term, when="true"):
    spoiled = copy.copy(subject)
    spoiled.sets = dict(subject.sets)
    spoiled.sets[name] = copy.copy(subject.sets[name])
    spoiled.sets[name].laws = subject.sets[name].laws | {"spoiled": Law("spoiled", (Clause("spoiled", term, term, when),), ())}
    return spoiled


def relisted(subject, change):
    """A copy with another list."""
    spoiled = copy.copy(subject)
    spoiled.apart = copy.copy(subject.apart)
    spoiled.apart.rows = dict(subject.apart.rows)
    change(spoiled.apart.rows)
    return spoiled


def moved(rows, clause, because):
    rows[next(key for key in rows if key[2] == clause)] = because


CLOSING = "effect is close and changed.greeting"
# What is spoiled, the file that is asked, and what must be named.
DEFECTS = [
    ("a clause of the first set dropped", "from_laws", "quit_is_221: code is 221",
     lambda s: changed(s, "laws", "quit_is_always_221", lambda clauses: clauses[1:])),
    ("a clause of the first set weakened", "from_laws", "no_relay_for_strangers",
     lambda s: changed(s, "laws", "a_refused_recipient_has_the_code_of_its_reason",
                       lambda clauses: [dataclasses.replace(clauses[0], term=f"(or SSL {clauses[0].term})"), *clauses[1:]])),
    ("a duty dropped", "from_second_laws", "starttls_forgets_everything: event is handshake.done and not after.authentication is none",
     lambda s: changed(s, "second_laws", "handshake_forgets_everything", lambda clauses: [clauses[0], clauses[1], *clauses[3:]])),
    ("a duty weakened", "from_second_laws", "no_way_back_to_cleartext: changed.channel and not event is handshake.done",
     lambda s: changed(s, "second_laws", "channel_changes", lambda clauses:
                       [dataclasses.replace(each, term=f"(or relay_client {each.term})") for each in clauses])),
    ("a row of the list left out", "from_second_laws", f"a_close_is_the_end: {CLOSING}",
     lambda s: relisted(s, lambda rows: rows.pop(next(key for key in rows if key[2] == CLOSING)))),
    ("a row of the list with another reason", "from_second_laws", f"second_laws and unknown_commands: a_close_is_the_end: {CLOSING}",
     lambda s: relisted(s, lambda rows: moved(rows, CLOSING, "unknown_commands"))),
    ("a row of the list for what follows", "from_second_laws", "quit_is_always_221: code is 221 and not event is quit",
     lambda s: relisted(s, lambda rows: rows.update(
         {("second_laws", "quit_is_always_221", "code is 221 and not event is quit"): "after_the_end"}))),
    ("laws that nothing can keep", "from_laws", "control: laws allows something at noop",
     lambda s: added(s, "laws", "(not (= event event.noop))")),
    ("a duty that the policy does not keep", "policy", "law spoiled", lambda s: added(s, "second_laws", "(not (= code code.454))")),
    ("a duty that speaks of nothing", "policy", "control: spoiled speaks of something",
     lambda s: added(s, "second_laws", "true", when="(and (= event event.eof) (= waiting waiting.connect))")),
    ("no login can begin", "ways_of_second_laws", "way second_laws: login_succeeds",
     lambda s: changed(s, "second_laws", "auth_begins", lambda clauses: [dataclasses.replace(each, term="true") for each in clauses])),
]


def by_defects(subject, folder):
    for what, file, named, spoil in DEFECTS:
        spoiled = spoil(subject)
        asked = second_laws.questions_of(spoiled)[file]
        path = folder / "defect.smt2"
        path.write_text(spoiled.common + asked.text)
        found = list(compiled_table.problems_of_answers(path, {"z3": compiled_table.ask("z3", path)}))
        hits = [problem for problem in found if named in problem]
        print(f"{what}: {hits[0] if hits else 'not named'}")
        if not hits:
            yield f"{what}: {named} is not named in {len(found)} problems"


def by_list(subject):
    """Rows that speak of nothing, or of what the first set must say itself."""
    invariants = Comparison(subject.decision, subject.sets, subject.apart).invariants
    for row in [("second_laws", "quit_is_always_221", "no such clause"), ("laws", "quit_is_221", "code is 221")]:
        spoiled = relisted(subject, lambda rows, row=row: rows.update({row: "after_the_end"}))
        if not list(spoiled.apart.problems(subject.sets, invariants)):
            yield f"the list may say {row}"
    unused = relisted(subject, lambda rows: [rows.pop(key) for key in list(rows) if rows[key] == "unknown_commands"])
    if not list(unused.apart.problems(subject.sets, invariants)):
        yield "a reason that nothing has is not found"


def main():
    begin = time.monotonic()
    subject, folder = second_laws.load(*sys.argv[1:5]), pathlib.Path(sys.argv[5])
    folder.mkdir(parents=True, exist_ok=True)
    problems = [*by_defects(subject, folder), *by_list(subject)]
    for given in subject.sets:
        problems += by_touching(subject, given, folder, "--all" in sys.argv[6:])
    print(*problems, sep="\n")
    print(f"{len(DEFECTS)} defects of sets and list, {len(problems)} problems, {time.monotonic() - begin:.1f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
