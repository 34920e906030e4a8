#!/usr/bin/env python3
"""The table that the programs hold is the policy: for every state and event z3 and cvc5 find no difference.

  compiled_table.py names SPEC_FOLDER HEADER              writes the names of the spec for dump_table to be compiled with
  compiled_table.py check DUMP_TABLE WRITE_PROOFS SPEC_FOLDER VERSION OUTPUT_FOLDER PROGRAM...

One side of each question is the rows as dump_table prints them, the first that fits decides (engine/policy.cpp); the other is
the policy as SMT-LIB, written from the guards. What is text or number, and is no function of the state, is compared with what
the second reader of the spec says (spec_reader.py). The tables in each PROGRAM must be those of dump_table, octet by octet.
A difference, a missing answer or `unknown` is a failure.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time

import prove
import spec_reader
from table_of_program import Table, octets_of_tables, problems_of_octets

# cvc5 is quick here only when it simplifies each `ite`, and makes single bits of the 64 first.
SOLVERS = {"z3": ["z3", "-smt2"], "cvc5": ["cvc5", "--incremental", "--produce-models", "--ite-simp", "--bitblast=eager",
                                              "--lang=smt2"]}
SECONDS = 300
KINDS = {"event": ("events", "event"), "effect": ("events", "effect"), "question": ("events", "question"),
         "reply": ("replies", "reply"), "rule": ("policy", "rule"), "hand_over_text": ("replies", "hand_over_text")}
ENUMS = {"event": "Event", "effect": "Effect", "question": "Question", "reply": "Reply", "rule": "Rule",
         "hand_over_text": "HandOverText"}
HEADER = """// Written by proptests/compiled_table.py from spec/*.toml: each name of the spec, and what the compiler makes of it.
#pragma once

#include "spec/policy_row.hpp"

namespace postern::proptests {

struct NameOfTheSpec {
  const char* kind;
  const char* name;
  std::uint64_t number;
};

inline constexpr NameOfTheSpec names_of_the_spec[] = {
%s
};

}  // namespace postern::proptests
"""


def names_of(spec, kind):
    return [row["id" if kind == "rule" else "name"] for row in spec.rows(*KINDS[kind])]


def write_names(spec):
    lines = [f'    {{"{kind}", "{name}", static_cast<std::uint64_t>(spec::{enum}::{name.replace(".", "_")})}},'
             for kind, enum in ENUMS.items() for name in names_of(spec, kind)]
    lines += [f'    {{"{"value" if "." in name else "bit"}", "{name}", spec::bit::{name.replace(".", "_")}}},'
              for name in spec.bits]
    return HEADER % "\n".join(lines)


# ---- what is no function of the state: compared with the second reader

def problems_of_names(table, spec):
    for kind in KINDS:
        numbers = [table.names[kind][name] for name in names_of(spec, kind)]
        if sorted(numbers) != list(range(table.counts[kind])):
            yield f"the numbers of each {kind} are {numbers}, of {table.counts[kind]}"
    events = [table.names["event"][name] for name in names_of(spec, "event")]
    if events != sorted(events):
        yield "the events do not stand in the order of spec/events.toml"
    bits = [*table.names["bit"].values(), *table.names["value"].values()]
    if len(set(bits)) != len(spec.bits) or any(bit.bit_count() != 1 or bit >> 64 for bit in bits):
        yield f"the names of the word have the bits {bits}: not one for each"
    waits = {table.names["value"][f"waiting.{row['waits']}"] for row in spec.rows("events", "question")}
    if table.waiting_for_answer != sum(waits):
        yield f"waiting_for_answer is {table.waiting_for_answer:#x}"


def problems_of_texts(table, spec, version):
    for row in spec.events:
        number = table.names["event"][row["name"]]
        yield from unequal(f"event {row['name']}", table.events[number].name, row["name"])
    for row in spec.rules:
        number = table.names["rule"][row["id"]]
        yield from unequal(f"rule {row['id']}", table.rules[number], (row["id"], row.get("reason", "")))
    for row in spec.replies:
        reply = table.replies[table.names["reply"][row["name"]]]
        said = (reply.code, reply.lines, reply.mistake, reply.text)
        wanted = (row["code"], "lines" in row, row.get("mistake", False), row["text"].replace("{version}", version))
        yield from unequal(f"reply {row['name']}", said, wanted)
    for row in spec.rows("replies", "hand_over_text"):
        number = table.names["hand_over_text"][row["name"]]
        yield from unequal(f"hand_over_text {row['name']}", table.hand_over_texts[number], row["text"])
    exits = [(row["first"], row.get("last", row["first"]), spec_reader.is_permanent(row), row["text"])
             for row in spec.rows("replies", "queue_exit")]
    yield from unequal("queue_exit", table.queue_exits, exits)
    texts = [row["text"] for row in spec.capabilities]
    said = [(row.number, row.text) for row in table.capabilities]
    yield from unequal("capabilities", said, [(number, texts[number]) for number in sorted(number for number, _ in said)])


def problems_of_settings(table, spec):
    bits = table.names["bit"]
    wanted = {(bits[row["name"]], bits.get(row["default"], 0), row["default"] == "1", row["name"]) for row in spec.settings}
    yield from unequal("settings", set(table.settings), wanted)


def problems_of_starts(table, spec):
    """The first state of a session and the ciphers, for every combination of settings and facts."""
    names = [row["name"] for row in spec.settings + spec.facts]
    lists = [(row["ciphers"], spec.guard(row.get("if", ""))) for row in spec.rows("settings", "cipher_list")]
    states = [(row["name"], [(start["value"], spec.guard(start.get("if", ""))) for start in row["start"]]) for row in spec.states]
    yield from unequal("combinations of settings and facts", len(table.starts), 2 ** len(names))
    for word, (state, ciphers) in table.starts.items():
        values = {name: str(int(bool(word & table.names["bit"][name]))) for name in names}
        first = [(name, next(value for value, when in starts if spec.diagrams.holds(when, values))) for name, starts in states]
        wanted = word | sum(table.names["value"][f"{name}.{value}"] for name, value in first)
        text = next(text for text, when in lists if spec.diagrams.holds(when, values))
        yield from unequal(f"at the start, with {table.state(word)}", (table.state(state), ciphers), (table.state(wanted), text))


def unequal(what, said, wanted):
    if said != wanted:
        yield f"{what}: the program has {said}, the spec {wanted}"


def problems_of_data(table, spec, version):
    return [*problems_of_names(table, spec), *problems_of_texts(table, spec, version), *problems_of_settings(table, spec),
            *problems_of_starts(table, spec)]


# ---- what is a function of the state: asked of two solvers

CONSTANT = re.compile(r"^\(define-fun (waiting|event|reply|effect|code|rule)\.(\S+) \(\) \w+ #b([01]+)\)$", re.M)
SHOWN = ["word", "happens", "rule", "reply", "effect", "code-number", "word-after"]


def octets(number):
    return f"#x{number:016x}"


def chosen(cases, otherwise):
    """The value of the first condition that holds."""
    return "".join(f"(ite {condition} {value} " for condition, value in cases) + otherwise + ")" * len(cases)


def word(table, prefix):
    """A state as the programs hold it: a bit for each setting, fact and value that it has."""
    conditions = {bit: name for name, bit in table.names["bit"].items()}
    for name, bit in table.names["value"].items():
        conditions[bit] = f"(= {prefix}{name.partition('.')[0]} {name})"
    bits = [f"(ite {conditions[1 << at]} #b1 #b0)" if 1 << at in conditions else "#b0" for at in reversed(range(64))]
    return "".join(f"(concat {bit} " for bit in bits[:-1]) + bits[-1] + ")" * 63


class Policy:
    """What `write_proofs --policy` prints: what is common to all events, and what is decided of each. To it is added what word a
    state is, by the numbers of the table."""

    def __init__(self, text, table):
        self.text, self.constants = text, CONSTANT.findall(text)
        self.common, *events = re.split(r"^; event (.*)\n", text, flags=re.M)
        codes = [(f"(= code code.{name})", f"(_ bv{name} 16)") for kind, name, _ in self.constants if kind == "code"]
        self.state = named("word", "(_ BitVec 64)", word(table, ""))
        outcome = named("word-after", "(_ BitVec 64)", word(table, "after."))
        outcome += f"(define-fun code-number () (_ BitVec 16) {chosen(codes, '(_ bv65535 16)')})\n"
        self.events = {name: text + outcome for name, text in zip(events[::2], events[1::2])}


def named(name, sort, value):
    return f"(declare-const {name} {sort})\n(assert (= {name} {value}))\n"


def fits(row):
    return f"(= (bvand word {octets(row.care)}) {octets(row.want)})"


def true(value):
    return "true" if value else "false"


def definitions(table, event):
    """What the rows say of one event, in the names table.*."""
    rows, replies = table.events[event].rows, table.replies
    conditions = [f"table.row.{number}" for number in range(len(rows))]
    lines = [f"(define-fun {name} () Bool {fits(row)})" for name, row in zip(conditions, rows)]

    def define(name, sort, otherwise, value):
        cases = [(condition, value(row)) for condition, row in zip(conditions, rows)]
        lines.append(f"(define-fun table.{name} () {sort} {chosen(cases, otherwise)})")

    lines.append(f"(define-fun table.happens () Bool (and (distinct (bvand word {octets(table.events[event].waiting)}) "
                 f"{octets(0)}) (or false {' '.join(conditions)})))")
    define("rule", "Rule", "rule.none", lambda row: f"rule.{table.name_of('rule', row.rule)}")
    define("reply", "Reply", "reply.none", lambda row: f"reply.{table.name_of('reply', row.reply)}")
    define("effect", "Effect", "effect.none", lambda row: f"effect.{table.name_of('effect', row.effect)}")
    define("code", "(_ BitVec 16)", "(_ bv0 16)", lambda row: f"(_ bv{replies[row.reply].code} 16)")
    define("mistake", "Bool", "false", lambda row: true(replies[row.reply].mistake))
    define("lists", "Bool", "false", lambda row: true(replies[row.reply].lines))
    define("after", "(_ BitVec 64)", "word",
           lambda row: f"(bvor (bvand word {octets(~row.clear & (1 << 64) - 1)}) {octets(row.set)})")
    return "\n".join(lines)


PAIRS = [("table.rule", "rule"), ("table.reply", "reply"), ("table.effect", "effect"), ("table.code", "code-number"),
         ("table.mistake", "mistake"), ("table.lists", "lists_capabilities"), ("table.after", "word-after")]


def question(expected, what, assertions, shown=()):
    show = f"(get-value ({' '.join(shown)}))\n" if shown else ""
    return f"(push 1)\n{assertions}\n(echo \"expect {expected}: {what}\")\n(check-sat)\n{show}(pop 1)\n"


def about_event(policy, table, name, questions):
    """These questions, with what both sides say of the event declared."""
    declared = f"{policy.events[name]}{definitions(table, table.names['event'][name])}\n"
    return f"(push 1)\n{declared}{''.join(questions)}(pop 1)\n"


def event_differs(table, name, expected, what):
    """Is there a state in which the rows and the policy do not say the same of this event?"""
    event = table.events[table.names["event"][name]]
    differs = " ".join([f"(not (= {one} {other}))" for one, other in PAIRS] +
                       [other_way(table, each) for each in table.names["question"]])
    counts = f"(not (= auth_attempt {true(event.auth_attempt)})) (not (= forgives {true(event.forgives)}))"
    shown = SHOWN + ["table.happens"] + [one for one, _ in PAIRS]
    return question(expected, what, f"(assert (or {counts} (not (= happens table.happens)) (and happens (or {differs}))))",
                    shown if expected == "sat" else ())


def other_way(table, name):
    """The effect that asks this question does not lead to where the question's row waits, or something else does."""
    waiting = octets(table.questions[table.names["question"][name]][0])
    before, after = (f"(distinct (bvand {word} {waiting}) {octets(0)})" for word in ("word", "word-after"))
    return f"(not (= (and {after} (not {before})) (= effect question.{name}.effect)))"


def question_differs(table, name, expected, what):
    """Is there a state in which this question is open by its row and not by the spec? Or has it another answer of nobody, or
    another time?"""
    waiting, nobody, seconds = table.questions[table.names["question"][name]]
    is_open = f"(distinct (bvand word {octets(waiting)}) {octets(0)})"
    differs = (f"(not (= {is_open} (= waiting question.{name}.waits))) "
               f"(not (= event.{table.name_of('event', nobody)} question.{name}.nobody)) "
               f"(not (= (_ bv{seconds} 16) question.{name}.seconds))")
    return question(expected, what, f"(assert (or {differs}))", ["word"] if expected == "sat" else ())


def capabilities_differ(policy, table, spec, expected, what):
    """Is there a state in which another list of capabilities would be sent?"""
    keywords = dict(enumerate(spec.keywords()))
    listed = {number: [fits(row) for row in table.capabilities if row.number == number]
              for number in keywords | {row.number: "" for row in table.capabilities}}
    pairs = [f"(xor (or false {' '.join(rows)}) {'advertised.' + keywords[number] if number in keywords else 'false'})"
             for number, rows in listed.items()]
    asked = question(expected, what, f"(assert (or {' '.join(pairs)}))", ["word"] if expected == "sat" else ())
    return f"(push 1)\n{policy.events['ehlo']}{asked}(pop 1)\n"


def all_questions(policy, table, spec):
    names = [row["name"] for row in spec.rows("events", "question")]
    parts = [policy.common, policy.state]
    for event in [row["name"] for row in spec.events]:
        asked = [event_differs(table, event, "unsat", f"event {event}"),
                 question("sat", f"control: {event} may happen", "(assert table.happens)")]
        parts.append(about_event(policy, table, event, asked))
    parts.append(capabilities_differ(policy, table, spec, "unsat", "capabilities"))
    parts += [question_differs(table, name, "unsat", f"question {name}") for name in names]
    return "".join(parts)


def ask_both(path):
    """[(expected, what, answer, values)] of each solver; values as the solver writes them."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(SOLVERS, pool.map(lambda solver: ask(solver, path), SOLVERS)))


def ask(solver, path, seconds=SECONDS):
    try:
        run = subprocess.run(SOLVERS[solver] + [str(path)], capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return []
    answers = []
    for line in (run.stdout + run.stderr).splitlines():
        if expectation := prove.EXPECTATION.match(line):
            answers.append([expectation[1], expectation[2], "no answer", ""])
        elif answers and answers[-1][2] == "no answer":
            answers[-1][2] = line
        elif answers and answers[-1][2] == "sat":
            answers[-1][3] += line
        elif line.strip():
            answers.append(["silence", "output", line, ""])
    return answers


def witness(policy, table, values):
    """The state, and what each side says of it, from the values of a solver."""
    names = {(kind, int(bits, 2)): name for kind, name, bits in policy.constants}
    found = {}
    for name, base, digits, truth in re.findall(r"\(([^\s()]+) (?:#([xb])(\w+)|(true|false))\)", values):
        found[name] = truth or int(digits, 16 if base == "x" else 2)
    lines = [f"    state: {table.state(found['word'])}"]
    for side, happens, pairs in (("policy", "happens", SHOWN[2:]), ("table", "table.happens", [one for one, _ in PAIRS])):
        if found.get(happens, "true") == "false":
            lines.append(f"    {side}: may not happen")
        elif happens in found:
            shown = [(name.rpartition(".")[2], found[name]) for name in pairs]
            lines.append(f"    {side}: " + ", ".join(spoken(table, names, name, value) for name, value in shown))
    return "\n".join(lines)


def spoken(table, names, name, value):
    if name in ("word-after", "after"):
        return f"then {table.state(value)}"
    return f"{name.removesuffix('-number')} {names.get((name, value), value)}"


def problems_of_answers(path, answers_by_solver):
    asked = path.read_text().count("(check-sat)")
    for solver, answers in answers_by_solver.items():
        yield from (f"{solver} says {answer} for {what}, not {expected}" for expected, what, answer, _ in answers
                    if answer != expected)
        if len(answers) != asked:
            yield f"{solver} answers {len(answers)} of {asked} questions"


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def load(dump_table, write_proofs, folder):
    """The two sides, and what the second reader says."""
    table = Table(run([dump_table]))
    return table, Policy(run([write_proofs, "--policy", folder]), table), spec_reader.Spec(folder)


def show_differences(policy, table, spec, path, problems):
    """Asks again about the events in which there is a difference, for a state to look at."""
    names = [row["name"] for row in spec.events if any(f" for event {row['name']}, " in problem for problem in problems)]
    if names:
        path.write_text(policy.common + policy.state + "".join(
            about_event(policy, table, name, [event_differs(table, name, "sat", name)]) for name in names))
        for _, name, answer, values in ask("z3", path):
            print(f"  {name}:\n{witness(policy, table, values)}" if answer == "sat" else f"  {name}: {answer}")


def check(dump_table, write_proofs, folder, version, output, *programs):
    begin = time.monotonic()
    table, policy, spec = load(dump_table, write_proofs, folder)
    output = pathlib.Path(output)
    output.mkdir(parents=True, exist_ok=True)
    path = output / "compiled_table.smt2"
    path.write_text(all_questions(policy, table, spec))
    problems = problems_of_data(table, spec, version)
    dumped = octets_of_tables(pathlib.Path(dump_table))
    for program in programs:
        problems += problems_of_octets(dumped, octets_of_tables(pathlib.Path(program)), program)
    answers = ask_both(path)
    problems += problems_of_answers(path, answers)
    print(*problems, sep="\n")
    show_differences(policy, table, spec, output / "differences.smt2", problems)
    print(f"{sum(len(event.rows) for event in table.events)} rows of {len(table.events)} events, {len(table.capabilities)} of "
          f"capabilities, {len(table.questions)} of questions, {len(table.starts)} starts, {len(programs)} programs; "
          f"{len(answers['z3'])} questions to each of {' and '.join(answers)}; {len(problems)} problems, "
          f"{time.monotonic() - begin:.1f} s")
    return 1 if problems else 0


def main():
    if sys.argv[1] == "names":
        pathlib.Path(sys.argv[3]).write_text(write_names(spec_reader.Spec(sys.argv[2])), "utf-8")
        return 0
    return check(*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
