"""The machine of the table: what the rows that dump_table prints say to each input of the alphabet, in a given world.

The state is the word of the table, and what the session remembers beside it: which sender, which user of LOGIN, and how
many mistakes, AUTH commands and recipients. A decision is that of engine/policy.cpp (table_of_program.Table.decision).
"""
import dataclasses
import subprocess

import alphabet
from alphabet import CLOSED, SECURED

HOST = "mx.example.org"
TELLS_ITS_END = (221, 421)  # after these a client waits for the end (RFC 5321 3.8, 4.1.1.10); else it learns it by its next line
LIMITS = {"max_errors": 20, "max_auth_attempts": 10}  # spec/limits.hpp; learn.py compares
ALL_LIVE = 41


@dataclasses.dataclass(frozen=True)
class World:
    """The settings, the facts, and what the world answers where no input says it."""
    settings: tuple = ()
    certificate: bool = True
    backend: bool = True
    relay_client: bool = False
    local_only: bool = False
    lists_readable: bool = True
    has_room: bool = True

    def is_set(self, name):
        return dict(self.settings).get(name, 0)

    def text(self):
        words = [f"{name}={value}" for name, value in self.settings if value]
        words += [name for name in ("relay_client", "local_only") if getattr(self, name)]
        words += [f"no {name}" for name in ("certificate", "backend", "lists_readable", "has_room") if not getattr(self, name)]
        return " ".join(words).replace("lists_readable", "readable lists").replace("has_room", "room") or "all 0"


@dataclasses.dataclass(frozen=True)
class State:
    mode: str
    word: int
    sender: str = ""
    user: str = ""
    mistakes: int = 0
    attempts: int = 0
    is_full: bool = False
    is_over: bool = False  # closed, and the client has not seen it yet


END = State("end", 0)


class TableMachine:
    """A Mealy machine. Counts are left out unless `counts`: words are kept so short that no limit is reached."""

    def __init__(self, table, world, inputs, counts=False):
        self.table, self.world, self.inputs, self.counts = table, world, inputs, counts
        self.bits, self.values, self.numbers = table.names["bit"], table.names["value"], table.names["event"]
        word = sum(self.bits[name] for name, value in world.settings if value)
        word |= sum(self.bits[name] for name in ("certificate", "backend", "relay_client", "local_only") if getattr(world, name))
        self.start = State("connect", table.starts[word][0])

    def enabled(self, state):
        return [said for said in self.inputs if said.mode == state.mode]

    def has(self, word, name):
        return bool(word & (self.values.get(name) or self.bits[name]))

    # ---- one input

    def step(self, state, said):
        if state.is_over:
            return CLOSED, END
        if said.event == "(message)":
            return self.steps(state, alphabet.MESSAGE)
        if said.event == "(recipients)":
            return self.fill(state, said)
        event = self.event_of(state, said)
        state = remembering(state, said, self.has(state.word, "transaction.none"))
        return self.happen(state, event, said)

    def steps(self, state, words):
        """Several inputs as one: the last reply tells, unless one is refused before."""
        for said in words:
            output, state = self.step(state, said)
            if state.mode not in ("command", "data") or output[0] in "45":
                break
        return output, state

    def fill(self, state, said):
        """RCPT until one is refused."""
        output, after = self.step(state, alphabet.RCPT)
        if output.startswith("250"):
            output, after = self.step(dataclasses.replace(after, is_full=True), alphabet.RCPT)
        return output, after

    def event_of(self, state, said):
        if said.mode == "connect":
            return "connect.ready"
        if said.mode == "answer" and said.event != "eof":
            meaning = said.plain if self.has(state.word, "waiting.plain_response") else said.word
            return meaning if meaning.startswith("response.") else "response.valid"
        if said.event == "rcpt.valid" and state.is_full:
            return "rcpt.too_many"
        return "data.no_room" if said.event == "data" and not self.world.has_room else said.event

    def happen(self, state, event, said):
        word = state.word
        if self.counts and state.mistakes >= LIMITS["max_errors"]:
            word |= self.bits["errors_spent"]
        if self.counts and state.attempts >= LIMITS["max_auth_attempts"]:
            word |= self.bits["auth_attempts_spent"]
        row = self.table.events[self.numbers[event]]
        _, reply_number, effect, after = self.table.decision(self.numbers[event], word)
        reply = self.table.replies[reply_number]
        after &= ~(self.bits["errors_spent"] | self.bits["auth_attempts_spent"])
        state = self.counted(dataclasses.replace(state, word=after), reply, row)
        effect = self.table.name_of("effect", effect)
        if effect in ("check_recipient", "check_credentials", "hand_over"):
            return self.happen(state, getattr(self, effect)(state, said), said)
        return self.answered(state, reply, effect, event, said)

    def counted(self, state, reply, row):
        if not self.counts:
            return state
        mistakes = 0 if row.forgives else state.mistakes + reply.mistake
        return dataclasses.replace(state, mistakes=mistakes, attempts=state.attempts + row.auth_attempt)

    # ---- what the world answers

    def check_recipient(self, state, said):
        may_relay = self.world.relay_client or self.has(state.word, "authentication.done")
        kind = said.fact("recipient")
        if kind == "relay" and not may_relay:
            return "recipient.relay_requested"
        if state.sender == "refused":
            return "recipient.sender_refused"
        if kind == "foreign":
            return "recipient.foreign" if self.world.lists_readable else "recipient.unknowable"
        if kind == "refused":
            return "recipient.refused"
        return "recipient.unknown" if kind == "unknown" and not may_relay else "recipient.ours"

    def check_credentials(self, state, said):
        user, password = said.fact("user"), said.fact("password")
        if said.mode == "answer":
            user, password = said.plain.split(" ") if " " in said.plain else (state.user, said.word)
        if user == alphabet.UNJUDGED:
            return "credentials.broken"
        is_right = (user, password) == (alphabet.USER, alphabet.PASSWORD)
        return "credentials.accepted" if is_right else "credentials.rejected"

    def hand_over(self, _state, said):
        code = said.fact("exit")
        return "hand_over.accepted" if code == 0 else "hand_over.refused" if 11 <= code <= 40 else "hand_over.deferred"

    # ---- what is said

    def answered(self, state, reply, effect, event, said):
        lines = [self.text(reply, said)] if reply.code else [SECURED] if event == "handshake.done" else []
        if reply.lines:
            lines += [row.text.replace("{size}", str(alphabet.DATABYTES)) for row in self.listed(state.word)]
        output = " / ".join(lines)
        if effect != "close":
            return output, self.tidied(state)
        if reply.code in TELLS_ITS_END or not reply.code:
            return f"{output}, {CLOSED}".lstrip(", "), END
        return output, State("command", 0, is_over=True)

    def listed(self, word):
        """In the order of the rows, each once."""
        seen = {row.number: row for row in reversed(self.table.capabilities) if word & row.care == row.want}
        return [seen[number] for number in sorted(seen)]

    def text(self, reply, said):
        text = reply.text.replace("{host}", HOST)
        if "{verdict}" in text and reply.code != 250:
            code = said.fact("exit")
            text = next(text for first, last, _, text in self.table.queue_exits if first <= code <= last)
        return f"{reply.code} {text}"

    def mode_of(self, word):
        waits = {"connect": "connect", "command": "command", "mail_data": "data", "handshake": "handshake",
                 "plain_response": "answer", "username": "answer", "password": "answer"}
        return next((mode for name, mode in waits.items() if self.has(word, f"waiting.{name}")), "")

    def tidied(self, state):
        """Without what the session has forgotten."""
        is_open = not self.has(state.word, "transaction.none")
        return dataclasses.replace(state, mode=self.mode_of(state.word), sender=state.sender if is_open else "",
                                   is_full=state.is_full and is_open,
                                   user=state.user if self.has(state.word, "waiting.password") else "")


def remembering(state, said, may_begin):
    if said.fact("sender") and may_begin:
        state = dataclasses.replace(state, sender=said.fact("sender"))
    if said.event == "auth.login_username":
        state = dataclasses.replace(state, user=said.fact("user"))
    if said.mode == "answer" and said.word and not state.user:
        state = dataclasses.replace(state, user=said.word)
    return state


def table_of(dump_table):
    """The rows of the linked table, by the class that compiled_table.py uses."""
    from table_of_program import Table  # beside the folder of this file
    return Table(subprocess.run([dump_table], capture_output=True, text=True, check=True).stdout)


def all_worlds():
    """The 64 settings, with a certificate, and a backend exactly where AUTH=1: those of `postern matrix`."""
    names = ("SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH")
    for number in range(64):
        settings = tuple((name, number >> (5 - at) & 1) for at, name in enumerate(names))
        yield World(settings, backend=bool(dict(settings)["AUTH"]))
