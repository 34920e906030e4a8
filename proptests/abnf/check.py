#!/usr/bin/env python3
"""The language of postern's machines is that of the RFCs' ABNF (smtp.abnf, streams.abnf) with the edits of edits.abnf.

  check.py GRAMMAR_FOLDER ALPHABETS_FOLDER     ALPHABETS_FOLDER holds classes/ and octets/, as the build made them

For each comparison one line: `equal` and how many pairs of states were looked at, or the shortest octets that show a
difference. Anything but `equal` is a failure.
"""
import pathlib
import re
import sys

import compare
import machine
from automata import Builder, combined, nfa_of
from productions import Grammar, edits_of, statements

HERE = pathlib.Path(__file__).parent
VERBS = "helo ehlo mail rcpt data rset noop vrfy expn help quit starttls auth".split()
KINDS = {"prose", "offered", "stricter", "later", "forgiven", "parts", "capture"}
STRICT = {"lenient_underscore", "lenient_dots"}  # STRICT_ADDRESSES=1 does without these
FIELDS = {"local_part", "domain", "auth_mailbox", "mechanism", "initial_response"}
SEXTETS = {"six_bits", "three_octets", "two_octets", "one_octet"}


class Texts:
    """The files of this folder; a control hands in changed ones."""

    def __init__(self, **changed):
        self.smtp, self.edits, self.streams = (
            changed.get(name) or (HERE / f"{name}.abnf").read_text() for name in ("smtp", "edits", "streams"))

    def grammar(self, without=frozenset(), kinds=None):
        grammar = Grammar(self.smtp)
        for edit in edits_of(self.edits):
            if edit.name not in without and (kinds is None or edit.kind in kinds):
                edit.apply(grammar)
        return grammar

    def streams_grammar(self):
        grammar = Grammar(self.smtp)
        for statement in statements(self.streams):
            grammar.change(statement)
        return grammar


def any_of(grammar, names):
    return Builder(grammar).build(("alt", [("field", f"is_{name}", ("name", name)) for name in names]))


def verb_lines():
    """Which lines are a command at all, and whose: the verb in any case, then the end or SP and any octets."""
    text = "".join(f'is-{verb} = "{verb}" [SP *OCTET]\n' for verb in VERBS) + "SP = %x20\nOCTET = %x00-FF\n"
    return Builder(Grammar(text)).build(("alt", [("field", f"is_{verb}", ("name", f"is-{verb}")) for verb in VERBS]))


class AnyOctets:
    """A command machine, for the question which verb the octets so far have, wherever it stopped."""

    def __init__(self, command):
        self.machine, self.start = command, command.start

    def step(self, state, octet):
        return self.machine.step(state, octet)[0]

    def label(self, state):
        return self.machine.end(state)[0].verb if state is not None else None


def check_commands(texts, command):
    grammar = texts.grammar()
    uncut = texts.grammar(kinds=KINDS - {"capture"})
    for name, productions in (("every verb", uncut), ("every verb, with fields", grammar)):
        yield name, compare.languages(any_of(productions, VERBS), compare.Lines(command, lambda state: state.verb))
    strict = any_of(texts.grammar(without=STRICT), VERBS)
    yield "every verb, STRICT_ADDRESSES=1", compare.languages(strict, compare.Lines(
        command, lambda state: None if "is_lenient" in state.facts else state.verb), stops=False)
    yield "which verb a line has", compare.languages(verb_lines(), AnyOctets(command), stops=False)
    for verb in ("mail", "rcpt", "auth"):
        yield f"fields of {verb}", compare.Fields(nfa_of(grammar, verb), command, {"size_octets"}, FIELDS).compare()


def check_base64(texts, base64):
    grammar = texts.grammar()
    yield "base64", compare.languages(any_of(grammar, ["auth-response"]), compare.Lines(
        base64, lambda state: "auth-response"))
    yield "base64: sextets and quantums", compare.Fields(
        nfa_of(grammar, "auth-response"), base64, SEXTETS, set()).compare()


def check_line(texts, line):
    grammar = texts.streams_grammar()
    yield "lines", compare.languages(any_of(grammar, ["stream"]), compare.Streams(line, lambda state: "stream"))
    yield "lines: where they end", compare.Fields(
        nfa_of(grammar, "stream"), line, {"complete", "bare_lf"}).compare()


def check_mail_data(texts, data):
    grammar = texts.streams_grammar()

    def ended_without(fact, kind):
        return compare.Streams(data, lambda state: kind if "ended" in state.facts and fact not in state.facts else None)

    yield "mail data: where they end", compare.languages(
        any_of(grammar, ["mail-data"]), ended_without(None, "mail-data"))
    yield "mail data: output", compare.outputs(nfa_of(grammar, "mail-data"), data)
    yield "mail data: hops", compare.Fields(nfa_of(grammar, "mail-data"), data, {"hop"}).compare()
    for kind, fact in (("no-bare-CR", "saw_bare_cr"), ("no-bare-LF", "saw_bare_lf"), ("no-NUL", "saw_nul")):
        yield f"mail data: {fact}", compare.languages(any_of(grammar, [kind]), ended_without(fact, kind), stops=False)


CHECKS = {"command": check_commands, "base64": check_base64, "line": check_line, "mail_data": check_mail_data}


def is_empty(nfa):
    return not nfa.steps[nfa.start] and not nfa.jumps[nfa.start]


def check_parts(texts):
    """Kind `parts` changes nothing: RFC 4954 8 has the command and its answers as one production."""
    grammar = texts.grammar(kinds={"parts"})
    grammar.change("exchange = auth *auth-response [auth-cancel]")
    one, other = (nfa_of(grammar, name) for name in ("auth-command", "exchange"))
    if not (is_empty(combined("minus", one, other)) and is_empty(combined("minus", other, one))):
        yield "auth is not what auth-command has"


def check_names(texts, folder):
    """Each rule of the machines that forgives has its edit, and stands in the head of a header."""
    rules = set(re.findall(r"^(lenient_\w+) =", "\n".join(path.read_text() for path in folder.glob("*.rl")), re.M))
    heads = "".join((folder / name).read_text() for name in ("command.hpp", "base64.hpp"))
    listed = set(re.findall(r"^//   (lenient_\w+) ", heads, re.M))
    edits = {edit.name for edit in edits_of(texts.edits) if edit.kind == "forgiven"}
    for name in sorted((rules | listed | edits) - (rules & listed & edits)):
        yield f"{name} is not in all of: the machines, the heads of their headers, the edits"


def print_comparisons(title, comparisons):
    failures = 0
    for name, (difference, pairs) in comparisons:
        failures += difference is not None
        said = "equal" if difference is None else f"DIFFERS: {difference.what}: {difference.octets!r}"
        print(f"{title:18} {name:32} {pairs:6} pairs  {said}", flush=True)
    return failures


def main(folder, alphabets):
    texts = Texts()
    failures = 0
    for why in [*check_names(texts, folder), *check_parts(texts)]:
        print(why)
        failures += 1
    for alphabet in ("classes", "octets"):
        command = machine.compiled(folder, "command", alphabets / alphabet)
        failures += print_comparisons(f"command {alphabet}", check_commands(texts, command))
    for name in ("base64", "line", "mail_data"):
        failures += print_comparisons(name, CHECKS[name](texts, machine.compiled(folder, name)))
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
