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
    """The files of this folder, and the automata that are made from them; a control hands in changed ones."""

    def __init__(self, **changed):
        self.smtp, self.edits, self.streams = (
            changed.get(name) or (HERE / f"{name}.abnf").read_text() for name in ("smtp", "edits", "streams"))
        self.built = {}

    def grammar(self, without=frozenset(), kinds=KINDS):
        grammar = Grammar(self.smtp)
        for edit in edits_of(self.edits):
            if edit.name not in without and edit.kind in kinds:
                edit.apply(grammar)
        return grammar

    def streams_grammar(self):
        grammar = Grammar(self.smtp)
        for statement in statements(self.streams):
            grammar.change(statement)
        return grammar

    def nfa(self, *names, of=grammar, **options):
        """What any of the productions produces, each marked as its own kind."""
        key = (names, of, str(options))
        if key not in self.built:
            kinds = [("field", f"is_{name}", ("name", name)) for name in names]
            self.built[key] = Builder(of(self, **options)).build(("alt", kinds))
        return self.built[key]


def verb_lines():
    """Which lines are a command at all, and whose: the verb in any case, then the end or SP and any octets."""
    text = "".join(f'{verb} = "{verb}" [SP *OCTET]\n' for verb in VERBS) + "SP = %x20\nOCTET = %x00-FF\n"
    return Builder(Grammar(text)).build(("alt", [("field", f"is_{verb}", ("name", verb)) for verb in VERBS]))


class AnyOctets:
    """A command machine, for the question which verb the octets so far have, wherever it stopped."""

    def __init__(self, command):
        self.machine, self.start = command, command.start

    def step(self, state, octet):
        return self.machine.step(state, octet)[0]

    def label(self, state):
        return self.machine.end(state)[0].verb if state is not None else None


def verb_of(state):
    return state.verb


def strict_verb_of(state):
    return None if "is_lenient" in state.facts else state.verb


def one_verb(verb):
    """Only for controls, which are in a hurry."""
    return lambda texts, command: compare.languages(
        texts.nfa(verb, kinds=KINDS - {"capture"}),
        compare.Lines(command, lambda state: verb if state.verb == verb else None), stops=False)


def fields_of(verb):
    return lambda texts, command: compare.Fields(texts.nfa(verb), command, {"size_octets"}, FIELDS).compare()


def of_streams(kind, label, **options):
    return lambda texts, machine_: compare.languages(
        texts.nfa(kind, of=Texts.streams_grammar), compare.Streams(machine_, label), **options)


def octets_of(kind, counted):
    return lambda texts, machine_: compare.Fields(
        texts.nfa(kind, of=Texts.streams_grammar), machine_, counted).compare()


def mail_data_without(fact, kind):
    return of_streams(
        kind, lambda state: kind if "ended" in state.facts and fact not in state.facts else None, stops=False)


COMPARISONS = {
    "command": {
        "every verb": lambda texts, command: compare.languages(
            texts.nfa(*VERBS, kinds=KINDS - {"capture"}), compare.Lines(command, verb_of)),
        "every verb, with fields": lambda texts, command: compare.languages(
            texts.nfa(*VERBS), compare.Lines(command, verb_of)),
        "every verb, STRICT_ADDRESSES=1": lambda texts, command: compare.languages(
            texts.nfa(*VERBS, without=STRICT), compare.Lines(command, strict_verb_of), stops=False),
        "which verb a line has": lambda texts, command: compare.languages(
            verb_lines(), AnyOctets(command), stops=False),
        "fields of mail": fields_of("mail"),
        "fields of rcpt": fields_of("rcpt"),
        "fields of auth": fields_of("auth"),
    },
    "base64": {
        "language": lambda texts, base64: compare.languages(
            texts.nfa("auth-response"), compare.Lines(base64, lambda state: "auth-response")),
        "sextets and quantums": lambda texts, base64: compare.Fields(
            texts.nfa("auth-response"), base64, SEXTETS, set()).compare(),
    },
    "line": {
        "language": of_streams("stream", lambda state: "stream"),
        "where lines end": octets_of("stream", {"complete", "bare_lf"}),
    },
    "mail_data": {
        "language": of_streams("mail-data", lambda state: "mail-data" if "ended" in state.facts else None),
        "output": lambda texts, data: compare.outputs(texts.nfa("mail-data", of=Texts.streams_grammar), data),
        "hops": octets_of("mail-data", {"hop"}),
        "saw_bare_cr": mail_data_without("saw_bare_cr", "no-bare-CR"),
        "saw_bare_lf": mail_data_without("saw_bare_lf", "no-bare-LF"),
        "saw_nul": mail_data_without("saw_nul", "no-NUL"),
    },
}


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


def print_comparisons(title, machine_, texts, comparisons):
    failures = 0
    for name, comparison in comparisons.items():
        difference, pairs = comparison(texts, machine_)
        failures += difference is not None
        said = "equal" if difference is None else f"DIFFERS: {difference.what}: {difference.octets!r}"
        print(f"{title:16} {name:31} {pairs:6} pairs  {said}", flush=True)
    return failures


def main(folder, alphabets):
    texts = Texts()
    failures = 0
    for why in [*check_names(texts, folder), *check_parts(texts)]:
        print(why)
        failures += 1
    for name, comparisons in COMPARISONS.items():
        for alphabet in ("classes", "octets") if name == "command" else (None,):
            compiled = machine.compiled(folder, name, alphabet and alphabets / alphabet)
            failures += print_comparisons(f"{name} {alphabet or ''}", compiled, texts, comparisons)
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
