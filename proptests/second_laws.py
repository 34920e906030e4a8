#!/usr/bin/env python3
"""Two sets of laws that were written apart say the same: what one of them allows and the other forbids is a failure.

  second_laws.py WRITE_PROOFS SPEC_FOLDER SECOND_LAWS APART OUTPUT_FOLDER

The sets are spec/laws.toml and proptests/second_laws.toml. z3 and cvc5 are asked whether the policy keeps the second set, and
whether each clause of one set follows from the whole other set: for any outcome of any event in any state, not only for those
of the table. APART says which clauses do not, and why; it must be exact. A missing answer or `unknown` is a failure.
"""
import concurrent.futures
import dataclasses
import pathlib
import re
import sys
import time
import tomllib

import compiled_table
import law_sets
import spec_reader
from law_decision import Decision, assert_that, question

CONSTANT = re.compile(r"^\(define-fun (\w+)\.(\S+) \(\) \w+ #b([01]+)\)$", re.M)
TWIN = "twin."
SECONDS = 800   # for a file


class Apart:
    """The list of what does not follow, and for each the assumption with which it does."""

    def __init__(self, rows, names):
        self.assumptions = {row["name"]: names.of(row["holds"]) for row in rows["because"]}
        self.rows = {(row["given"], row["law"], clause): row["because"] for row in rows["apart"] for clause in row["clauses"]}

    def reason(self, given, clause):
        return self.rows.get((given, clause.law, clause.text))

    def problems(self, sets, invariants):
        """Rows that speak of nothing."""
        for given, law, text in self.rows:
            if given == "laws":
                yield f"{law} must follow from spec/laws.toml: {text}"
            asked = [clause for name, each in sets.items() if name != given for clause in each.clauses()] + invariants
            if not any((clause.law, clause.text) == (law, text) for clause in asked):
                yield f"{law} has no clause that is apart from {given}: {text}"
        for name in self.assumptions.keys() - set(self.rows.values()):
            yield f"nothing is apart because of {name}"


@dataclasses.dataclass
class Asked:
    """A file of questions, and the clause that each is about."""
    text: str = ""
    clauses: dict = dataclasses.field(default_factory=dict)

    def add(self, expected, what, *terms, clause=None):
        self.text += question(expected, what, *terms)
        if clause:
            self.clauses[what.replace('"', "'")] = clause


# ---- does the policy keep the second set?

def of_the_policy(decision, second):
    """Its standings by induction, each duty with the standings that it needs, and controls against empty proofs."""
    asked = Asked(decision.declare([("event", "Event")]) + decision.declare(decision.outcome) + decision.declare(decision.flags) +
                  decision.decided())
    happens, start = "(can-happen event waiting)", decision.start()
    for law in second.invariants.values():
        before = law_sets.conjunction(second.terms_of((*law.needs, law.name)))
        later = f"(not {law_sets.conjunction(law.after)})"
        asked.add("unsat", f"base {law.name}", *start, f"(not {law.clauses[0].term})")
        asked.add("unsat", f"step {law.name}", happens, before, later)
        if law.needs:
            asked.add("sat", f"control: {law.name} needs the others", happens, law.clauses[0].term, later)
    for law in second.laws.values():
        before = law_sets.conjunction(second.terms_of(law.needs))
        broken = f"(not {law_sets.conjunction(clause.term for clause in law.clauses)})"
        asked.add("unsat", f"law {law.name}", happens, before, broken)
        asked.add("sat", f"control: {law.name} speaks of something", happens, before, law.clauses[0].when)
        if law.needs:
            asked.add("sat", f"control: {law.name} needs its standings", happens, broken)
    return asked


# ---- does one set follow from the other?

class Comparison:
    """Any decision that keeps one set; and beside it what EHLO would be answered in that state, which says what is advertised."""

    def __init__(self, decision, sets, apart):
        self.decision, self.sets, self.apart = decision, sets, apart
        self.state = decision.configuration + decision.states
        self.invariants = [clause for each in sets.values() for clause in each.invariant_clauses()]
        self.after = {clause.title: after for each in sets.values() for law in each.invariants.values()
                      for clause, after in zip(law.clauses, law.after)}
        counts = [flag for flag in decision.flags if not flag[0].startswith("advertised.")]
        self.of_twin = decision.outcome + counts
        self.twin = {name: TWIN + name for name, _ in self.of_twin}
        self.twin |= {"event": "event.ehlo", "waiting": "waiting.command", "errors_spent": "false"}

    def declared(self):
        """One decision, its twin, and for each set what keeps it."""
        decision = self.decision
        parts = [decision.declare([("event", "Event")]), decision.declare_outcome(), decision.declare(decision.flags),
                 decision.declare_outcome(TWIN), decision.declare(self.of_twin[len(decision.outcome):], TWIN)]
        for each in self.sets.values():
            parts.append(decision.function(f"keeps.{each.name}", law_sets.conjunction(c.term for c in each.clauses())))
        return "".join(parts)

    def of_any_state(self, given):
        """A state that a session can come to: the invariants of both sets that follow from this one."""
        stands = law_sets.conjunction(c.term for c in self.invariants if not self.apart.reason(given, c))
        name = f"stands.{given}"
        return (self.decision.function(name, stands, self.state) +
                assert_that("(can-happen event waiting)") + assert_that(self.decision.call(name, None, self.state)))

    def twin_keeps(self, given, term):
        """What EHLO would list in this state, where it could be sent."""
        return assert_that(f"(=> {self.decision.call(f'stands.{given}', self.twin, self.state)} {term})")

    def questions(self, given):
        """Whether each clause of the other set, and each invariant, follows from the given one."""
        decision, asked = self.decision, Asked(self.declared())
        for clause in self.invariants:
            asked.add("unsat", f"{given}, base: {clause.title}", *decision.start(), f"(not {clause.term})")
        asked.text += self.of_any_state(given) + self.twin_keeps(given, decision.call(f"keeps.{given}", self.twin))
        asked.text += assert_that(decision.call(f"keeps.{given}"))
        for row in decision.spec.events:
            asked.add("sat", f"control: {given} allows something at {row['name']}", f"(= event event.{row['name']})")
        for clause in self.invariants:
            self.ask_one(asked, given, clause, self.after[clause.title])
        for name, each in self.sets.items():
            for clause in each.clauses() if name != given else []:
                self.ask_one(asked, given, clause, clause.term)
        return asked

    def ask_one(self, asked, given, clause, term):
        reason = self.apart.reason(given, clause)
        asked.add("sat" if reason else "unsat", f"{given}: {clause.title}", f"(not {term})", clause=clause)
        if reason:
            asked.add("unsat", f"{given} and {reason}: {clause.title}", self.apart.assumptions[reason], f"(not {term})", clause=clause)


# ---- is there a way to what must be possible?

MESSAGE = [["mail.valid", "rcpt.valid", "recipient.ours", "data", "data_end.complete", "hand_over.accepted"],
           ["mail.valid", "rcpt.valid", "recipient.foreign"]]
LOGINS = [["auth.plain_response", "credentials.accepted"],
          ["auth.login", "response.valid", "response.valid", "credentials.accepted"]]
CHANNELS = [["connect.ready", "ehlo"], ["connect.ready", "ehlo", "starttls", "handshake.done", "ehlo"]]


def ways(decision, given, all_ways):
    """Each way follows from the laws of one set alone: a client that makes no mistake gets there by one of these dialogues, by
    whatever outcomes the laws allow."""
    asked = Asked(decision.function(f"keeps.{given.name}", law_sets.conjunction(c.term for c in given.clauses())) +
                  assert_that("(not errors_spent)") + assert_that("(not auth_attempts_spent)"))
    nodes = {(): ({name: f"({'start.' + name} {decision.arguments})" for name, _ in decision.states}, "true")}
    for channel in CHANNELS:
        for login in [[], *LOGINS]:
            for message in MESSAGE:
                dialogue = channel + login + message
                for length in range(1, len(dialogue) + 1):
                    add_node(asked, decision, given, nodes, tuple(dialogue[:length]))
    for index, way in enumerate(all_ways):
        asked.text += decision.function(f"some.{index}", way.some)
        reached = [f"(and {alive} {decision.call(f'some.{index}', places)})" for places, alive in list(nodes.values())[1:]]
        asked.add("sat", f"control: {given.name} allows a service for {way.name}", way.when)
        asked.add("unsat", f"way {given.name}: {way.name}", way.when, f"(not (or {' '.join(reached)}))")
    return asked


def add_node(asked, decision, given, nodes, dialogue):
    """One decision after those before it; the places of its names, and whether the dialogue has come so far."""
    if dialogue in nodes:
        return
    before, alive = nodes[dialogue[:-1]]
    prefix = f"n{len(nodes)}."
    states = {name: before.get(f"after.{name}", before.get(name)) for name, _ in decision.states}
    places = declare_decision(asked, decision, prefix) | states | {"event": f"event.{dialogue[-1]}"}
    asked.text += f"(define-fun {prefix}alive () Bool (and {alive} (can-happen {places['event']} {places['waiting']})))\n"
    asked.text += assert_that(f"(=> {prefix}alive {decision.call(f'keeps.{given.name}', places)})")
    if dialogue[-1] == "starttls" or dialogue[-1].startswith("auth."):
        twin = declare_decision(asked, decision, prefix + TWIN) | states | {"event": "event.ehlo"}
        twin |= {name: place for name, place in places.items() if name.startswith("advertised.")}
        asked.text += assert_that(f"(=> {prefix}alive {decision.call(f'keeps.{given.name}', twin)})")
    nodes[dialogue] = (places, f"{prefix}alive")


def declare_decision(asked, decision, prefix):
    asked.text += decision.declare_outcome(prefix) + decision.declare(decision.flags, prefix)
    return {name: prefix + name for name, _ in decision.outcome + decision.flags}


# ---- the answers

def ask_all(common, files, folder):
    """{name of the file: {solver: answers}}."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, asked in files.items():
        paths[name] = folder / f"{name}.smt2"
        paths[name].write_text(common + asked.text)
    jobs = [(name, solver) for name in files for solver in compiled_table.SOLVERS]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda job: compiled_table.ask(job[1], paths[job[0]], SECONDS), jobs))
    found = {name: {} for name in files}
    for (name, solver), answer in zip(jobs, answers):
        found[name][solver] = answer
    return {name: (paths[name], by_solver) for name, by_solver in found.items()}


def said(constants, found, names):
    """`AUTH channel=clear reply=ok`: what is true, or has a value, of these names."""
    parts = []
    for name, sort in names:
        value = found.get(name)
        if sort == "Bool":
            parts += [name] if value == "true" else []
        elif value is not None:
            parts.append(f"{name}={constants.get((sort.lower(), int(value, 2)), value)}")
    return " ".join(parts)


def witness(common, decision, asked, term, path):
    """A decision that gets through, in words."""
    shown = [name for name, _ in decision.all]
    path.write_text(common + asked + question("sat", "witness", term, shown=shown))
    _, _, answer, values = compiled_table.ask("z3", path)[-1]
    if answer != "sat":
        return f"    {answer}"
    constants = {(kind, int(bits, 2)): name for kind, name, bits in CONSTANT.findall(common)}
    found = dict(re.findall(r"\(([^\s()]+) (?:#b)?(\w+)\)", re.sub(r"#x(\w)", lambda m: f"#b{int(m[1], 16):04b}", values)))
    state, outcome = decision.configuration + decision.states, [("event", "Event")] + decision.outcome
    return f"    in {said(constants, found, state)}\n    {said(constants, found, outcome)}"


@dataclasses.dataclass
class Subject:
    """What is compared, as loaded."""
    common: str
    spec: object
    decision: object
    sets: dict
    apart: object


def load(write_proofs, folder, second_laws, apart):
    spec = spec_reader.Spec(folder)
    sets = {each.name: each for each in (law_sets.first_set(spec), law_sets.second_set(spec, pathlib.Path(second_laws)))}
    decision = Decision(spec)
    common = re.split(r"^; event ", compiled_table.run([write_proofs, "--policy", folder]), maxsplit=1, flags=re.M)[0]
    rows = tomllib.loads(pathlib.Path(apart).read_text("utf-8"))
    return Subject(common, spec, decision, sets, Apart(rows, sets["second_laws"].names))


def show(subject, comparison, given, asked, answers, folder):
    """For each clause that was expected to follow and does not: a decision that gets through."""
    assumed = comparison.declared() + comparison.of_any_state(given)
    assumed += comparison.twin_keeps(given, subject.decision.call(f"keeps.{given}", comparison.twin))
    assumed += assert_that(subject.decision.call(f"keeps.{given}"))
    for expected, what, answer, _ in answers:
        clause = asked.clauses.get(what)
        if clause and (expected, answer) == ("unsat", "sat"):
            term = f"(not {comparison.after.get(clause.title, clause.term)})"
            yield f"{what}\n{witness(subject.common, subject.decision, assumed, term, folder / 'witness.smt2')}"


def questions_of(subject):
    """All files of questions, by name."""
    comparison = Comparison(subject.decision, subject.sets, subject.apart)
    all_ways = [way for each in subject.sets.values() for way in each.ways]
    files = {"policy": of_the_policy(subject.decision, subject.sets["second_laws"])}
    files |= {f"from_{name}": comparison.questions(name) for name in subject.sets}
    return files | {f"ways_of_{name}": ways(subject.decision, each, all_ways) for name, each in subject.sets.items()}


def main():
    begin = time.monotonic()
    subject, folder = load(*sys.argv[1:5]), pathlib.Path(sys.argv[5])
    files, sets = questions_of(subject), subject.sets
    comparison = Comparison(subject.decision, sets, subject.apart)
    problems, asked = list(subject.apart.problems(sets, comparison.invariants)), 0
    for name, (path, by_solver) in ask_all(subject.common, files, folder).items():
        problems += [f"{name}: {problem}" for problem in compiled_table.problems_of_answers(path, by_solver)]
        asked += len(by_solver["z3"])
        if name.startswith("from_"):
            print(*show(subject, comparison, name.removeprefix("from_"), files[name], by_solver["z3"], folder), sep="\n")
    print(*problems, sep="\n")
    counts = ", ".join(f"{len(each.laws)} laws in {len(each.clauses())} clauses of {name}" for name, each in sets.items())
    print(f"{counts}; {len(subject.apart.rows)} clauses apart; {asked} questions to each of z3 and cvc5; {len(problems)} problems, "
          f"{time.monotonic() - begin:.1f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
