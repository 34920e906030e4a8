#!/usr/bin/env python3
"""Spoils the dumped table, one field at a time: each defect must be found, by both solvers with a state to look at.

  compiled_table_controls.py DUMP_TABLE WRITE_PROOFS SPEC_FOLDER VERSION OUTPUT_FOLDER PROGRAM
"""
import copy
import pathlib
import sys
import time

import compiled_table
from table_of_program import PREFIX, octets_of_tables, problems_of_octets


class Spoiler:
    """Spoils a copy of the table; names are those of the spec."""

    def __init__(self, table):
        self.table = copy.deepcopy(table)

    def number(self, kind, name):
        return self.table.names[kind][name]

    def event(self, name):
        return self.table.events[self.number("event", name)]

    def row(self, event, rule):
        return next(row for row in self.event(event).rows if row.rule == self.number("rule", rule))

    def bit(self, name):
        return self.number("value" if "." in name else "bit", name)


def swapped(spoiler, event, first):
    rows = spoiler.event(event).rows
    at = rows.index(spoiler.row(event, first))
    rows[at], rows[at + 1] = rows[at + 1], rows[at]


def put(thing, **fields):
    for name, value in fields.items():
        setattr(thing, name, value)


# What is spoiled, the event where it must be found, and how.
EVENT_DEFECTS = [
    ("care: a bit too many", "starttls", lambda s: put(r := s.row("starttls", "starttls.already_active"), care=r.care | s.bit("AUTH"))),
    ("care: a bit too few", "mail.valid", lambda s: put(r := s.row("mail.valid", "mail.auth_first"), care=r.care & ~s.bit("REQUIRE_AUTH"), want=r.want & ~s.bit("REQUIRE_AUTH"))),
    ("want: a bit turned", "data", lambda s: put(r := s.row("data", "data.no_mail"), want=r.want ^ s.bit("transaction.none"))),
    ("care and want: bit 40 of the word", "ehlo", lambda s: put(r := s.row("ehlo", "ehlo"), care=r.care | 1 << 40, want=r.want | 1 << 40)),
    ("clear: a bit too few", "rset", lambda s: put(r := s.row("rset", "rset"), clear=r.clear & ~s.bit("transaction.rcpt"))),
    ("clear: a bit too many", "noop", lambda s: put(r := s.row("noop", "noop"), clear=r.clear | s.bit("authentication.done"))),
    ("clear: a setting", "handshake.done", lambda s: put(r := s.row("handshake.done", "handshake.done"), clear=r.clear | s.bit("FORCE_TLS"))),
    ("set: another target", "starttls", lambda s: put(s.row("starttls", "starttls.accepted"), set=s.bit("waiting.command"))),
    ("set: two values at once", "helo", lambda s: put(r := s.row("helo", "helo"), set=r.set | s.bit("transaction.mail"))),
    ("set: a fact", "quit", lambda s: put(r := s.row("quit", "quit"), set=r.set | s.bit("relay_client"))),
    ("rule", "vrfy", lambda s: put(s.row("vrfy", "vrfy"), rule=s.number("rule", "help"))),
    ("reply", "mail.valid", lambda s: put(s.row("mail.valid", "mail.starttls_first"), reply=s.number("reply", "auth_first"))),
    ("effect", "rcpt.valid", lambda s: put(s.row("rcpt.valid", "rcpt.check"), effect=s.number("effect", "add_recipient"))),
    ("two rows swapped", "recipient.foreign", lambda s: swapped_and_widened(s)),
    ("two rows swapped: attempts before mistakes", "auth.plain", lambda s: swapped(s, "auth.plain", "command.too_many_errors")),
    ("a row left out", "auth.login", lambda s: s.event("auth.login").rows.remove(s.row("auth.login", "auth.in_transaction"))),
    ("a row too many", "eof", lambda s: s.event("eof").rows.insert(0, copy.copy(s.row("timeout", "timeout")))),
    ("no row at all", "noop", lambda s: s.event("noop").rows.clear()),
    ("rows of another event", "data_end.nul", lambda s: put(s.event("data_end.nul"), rows=s.event("data_end.complete").rows)),
    ("while: a bit too many", "timeout", lambda s: put(e := s.event("timeout"), waiting=e.waiting | s.bit("waiting.credentials"))),
    ("while: a bit too few", "shutting_down", lambda s: put(e := s.event("shutting_down"), waiting=e.waiting & ~s.bit("waiting.connect"))),
    ("auth_attempt", "auth.malformed", lambda s: put(s.event("auth.malformed"), auth_attempt=0)),
    ("forgives", "hand_over.deferred", lambda s: put(s.event("hand_over.deferred"), forgives=1)),
    ("code of a reply", "hand_over.accepted", lambda s: put(s.table.replies[s.number("reply", "message_accepted")], code=251)),
    ("mistake of a reply", "unknown", lambda s: put(s.table.replies[s.number("reply", "unimplemented")], mistake=0)),
    ("capability lines of a reply", "ehlo", lambda s: put(s.table.replies[s.number("reply", "capabilities")], lines=0)),
    ("question: it waits elsewhere", "rcpt.valid", lambda s: s.table.questions[s.number("question", "recipient")].__setitem__(0, s.bit("waiting.command"))),
    ("a number of the compiler: two effects", "quit", lambda s: exchange(s.table.names["effect"], "close", "none")),
    ("a number of the compiler: two bits", "starttls", lambda s: exchange(s.table.names["bit"], "DENY_TLS", "certificate")),
]
CAPABILITY_DEFECTS = [
    ("capability: care and want", lambda s: put(r := capability(s, "STARTTLS"), care=r.care & ~s.bit("DENY_TLS"))),
    ("capability: want", lambda s: put(r := capability(s, "AUTH LOGIN PLAIN"), want=r.want ^ s.bit("backend"))),
    ("capability: number", lambda s: put(capability(s, "8BITMIME"), number=5)),
    ("capability: one left out", lambda s: s.table.capabilities.remove(capability(s, "PIPELINING"))),
]
QUESTION_DEFECTS = [
    ("question: when it is open", "hand_over", lambda s: s.table.questions[s.number("question", "hand_over")].__setitem__(0, s.bit("waiting.mail_data"))),
    ("question: the answer of nobody", "credentials", lambda s: s.table.questions[s.number("question", "credentials")].__setitem__(1, s.number("event", "credentials.accepted"))),
    ("question: its time", "credentials", lambda s: s.table.questions[s.number("question", "credentials")].__setitem__(2, 91)),
]
# What no solver is asked about: a name of the part that must find it, and how it is spoiled.
DATA_DEFECTS = [
    ("order of events", lambda s: exchange(s.table.names["event"], "connect.busy", "connect.denied")),
    ("a number of the compiler: twice", lambda s: s.table.names["reply"].update(busy=s.number("reply", "denied"))),
    ("waiting_for_answer", lambda s: put(s.table, waiting_for_answer=s.table.waiting_for_answer | s.bit("waiting.end"))),
    ("name of an event", lambda s: put(s.event("quit"), name="quits")),
    ("reason of a rule", lambda s: s.table.rules.__setitem__(0, (s.table.rules[0][0], ""))),
    ("text of a reply", lambda s: put(s.table.replies[s.number("reply", "ok")], text="Ok")),
    ("hand_over_text", lambda s: s.table.hand_over_texts.reverse()),
    ("queue_exit", lambda s: s.table.queue_exits.insert(0, s.table.queue_exits.pop())),
    ("capability: text", lambda s: put(capability(s, "HELP"), text="HELPS")),
    ("capability: order", lambda s: s.table.capabilities.reverse()),
    ("default of a setting", lambda s: s.table.settings.__setitem__(0, (*s.table.settings[0][:2], 1, s.table.settings[0][3]))),
    ("first state", lambda s: s.table.starts.__setitem__(0, (s.table.starts[0][0] | s.bit("authentication.done"), s.table.starts[0][1]))),
    ("ciphers", lambda s: s.table.starts.__setitem__(0, (s.table.starts[0][0], "ALL"))),
]


def swapped_and_widened(spoiler):
    """The guards of the rows of this event exclude one another: so the later one must fit more, and come first."""
    rows = spoiler.event("recipient.foreign").rows
    rows.insert(0, rows.pop())
    rows[0].care &= ~spoiler.bit("relay_client")


def exchange(names, one, other):
    names[one], names[other] = names[other], names[one]


def capability(spoiler, text):
    return next(row for row in spoiler.table.capabilities if row.text == text)


def spoiled(table, spoil):
    spoiler = Spoiler(table)
    spoil(spoiler)
    return spoiler.table


def questions_about_defects(policy, table, spec):
    """The file of all of them, and {what: the table that was asked about}."""
    parts, tables = [], {}
    for what, event, spoil in EVENT_DEFECTS:
        tables[what] = spoiled(table, spoil)
        declared = compiled_table.Policy(policy.text, tables[what])
        asked = compiled_table.event_differs(tables[what], event, "sat", what)
        parts.append(f"(push 1)\n{declared.state}{compiled_table.about_event(declared, tables[what], event, [asked])}(pop 1)\n")
    parts.append(f"(push 1)\n{policy.state}")
    for what, spoil in CAPABILITY_DEFECTS:
        tables[what] = spoiled(table, spoil)
        parts.append(compiled_table.capabilities_differ(policy, tables[what], spec, "sat", what))
    for what, name, spoil in QUESTION_DEFECTS:
        tables[what] = spoiled(table, spoil)
        parts.append(compiled_table.question_differs(tables[what], name, "sat", what))
    return policy.common + "".join(parts) + "(pop 1)\n", tables


def by_solvers(policy, table, spec, path):
    text, tables = questions_about_defects(policy, table, spec)
    path.write_text(text)
    answers = compiled_table.ask_both(path)
    for _, what, answer, values in answers["z3"]:
        print(f"{what}: {answer}\n{compiled_table.witness(policy, tables[what], values) if answer == 'sat' else ''}")
    yield from compiled_table.problems_of_answers(path, answers)


def by_data(table, spec, version):
    for what, spoil in DATA_DEFECTS:
        found = compiled_table.problems_of_data(spoiled(table, spoil), spec, version)
        print(f"{what}: {found[0][:150] if found else 'not found'}")
        if not found:
            yield f"{what}: nobody notices"


def by_octets(dump_table, program):
    """One octet of one array of the program turned, each array once; and an array that is not there."""
    dumped, shipped = octets_of_tables(pathlib.Path(dump_table)), octets_of_tables(pathlib.Path(program))
    yield from problems_of_octets(dumped, shipped, program)
    for symbol, octets in shipped.items():
        turned = bytes([octets[0], octets[1] ^ 1]) + octets[2:]
        if not list(problems_of_octets(dumped, shipped | {symbol: turned}, program)):
            yield f"an octet of {symbol} turned: nobody notices"
    if not list(problems_of_octets(dumped, {symbol: shipped[symbol] for symbol in shipped if symbol != f"{PREFIX}4rowsE"}, program)):
        yield "a program without rows: nobody notices"


def main():
    dump_table, write_proofs, folder, version, output, program = sys.argv[1:]
    begin = time.monotonic()
    table, policy, spec = compiled_table.load(dump_table, write_proofs, folder)
    pathlib.Path(output).mkdir(parents=True, exist_ok=True)
    problems = [*by_solvers(policy, table, spec, pathlib.Path(output) / "controls.smt2"), *by_data(table, spec, version),
                *by_octets(dump_table, program)]
    print(*problems, sep="\n")
    print(f"{len(EVENT_DEFECTS) + len(CAPABILITY_DEFECTS) + len(QUESTION_DEFECTS)} defects for the solvers, {len(DATA_DEFECTS)} "
          f"for the comparison of data, {len(problems)} not found, {time.monotonic() - begin:.1f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
