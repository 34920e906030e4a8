"""A machine of grammar/*.rl as Ragel wrote it in XML (`ragel -x`), run octet by octet.

What Ragel's machine alone does not say is in its actions. Each is taken apart into what is known below; a statement
that is not known is refused, so that an action cannot change without this file. A state is therefore a product:
  at        state of Ragel's machine; None when an octet did not fit
  back      where the one call in progress returns to (`fcall` and `fret` of the address literal), or None
  said      parameters seen so far (what `said & said_size` asks)
  verb      of the command, once its last letter has been read
  facts     what was noted for good: is_lenient, saw_bare_cr, saw_bare_lf, saw_nul, ended
"""
import pathlib
import re
import subprocess
import xml.etree.ElementTree
from collections import namedtuple

State = namedtuple("State", "at back said verb facts")

# Each statement that an action may hold, and what it means here.
STATEMENTS = [
    (r"mark = p;", lambda: ("mark",)),
    (r"command\.initial_response = \{p, pe\};", lambda: ("begin", "initial_response")),
    (r"command\.(?:path\.|parameters\.)?(\w+) = \{mark, p\};", lambda field: ("field", field)),
    (r"command\.path\.is_lenient = true;", lambda: ("fact", "is_lenient")),
    (r"command\.verb = Verb::(\w+); verb_end = p;", lambda verb: ("verb", verb)),
    (r"path_end = p;", lambda: ("point", "path_end")),
    (r"command\.parameters\.size_octets = appended\(command\.parameters\.size_octets, \*p\);",
     lambda: ("octet", "size_octets")),
    (r"command\.parameters\.body = Body::(\w+);", lambda body: ("body", body)),
    (r"if \(said & said_(\w+)\) \{ fhold; fgoto (\d+); \}", lambda bit, state: ("refuse_if_said", bit, int(state))),
    (r"said \|= said_(\w+);", lambda bit: ("say", bit)),
    (r"fcall (\d+);", lambda state: ("call", int(state))),
    (r"fret;", lambda: ("return",)),
    (r"\*written\+\+ = \*p;", lambda: ("write", "octet")),
    (r"\*written\+\+ = '(\\[rn])';", lambda octet: ("write", {"\\n": "\n", "\\r": "\r"}[octet])),
    (r"(saw_\w+)_ = true;", lambda fact: ("fact", fact)),
    (r"\+\+hops_;", lambda: ("octet", "hop")),
    (r"ended = true; fbreak;", lambda: ("fact", "ended")),
    (r"text_ \+= \*p;", lambda: ("octet", "take")),
    (r"finish\(LineKind::complete, 2, lines\);", lambda: ("octet", "complete")),
    (r"finish\(LineKind::bare_lf, 1, lines\);", lambda: ("octet", "bare_lf")),
    (r"quantum = quantum << 6 \| value_of\(\*p\);", lambda: ("octet", "six_bits")),
    (r"put\(out, written, quantum, 3\); written \+= 3;", lambda: ("octet", "three_octets")),
    (r"put\(out, written, quantum << 6, 2\); written \+= 2;", lambda: ("octet", "two_octets")),
    (r"put\(out, written, quantum << 12, 1\); written \+= 1;", lambda: ("octet", "one_octet")),
]
JUMPS = {"call": "fcall {};", "ret": "fret;", "hold": "fhold;", "goto": "fgoto {};", "break": "fbreak;"}


class NotUnderstood(Exception):
    """The machine does something that this file has no meaning for."""


def text_of(action):
    parts = [JUMPS[part.tag].format(part.text) if part.tag in JUMPS else part.text or "" for part in action]
    return " ".join("".join(parts).split())


def meaning_of(action):
    text, meanings = text_of(action), []
    while text:
        for pattern, meaning in STATEMENTS:
            if found := re.match(pattern, text):
                meanings.append(meaning(*found.groups()))
                text = text[found.end():].strip()
                break
        else:
            raise NotUnderstood(f"action {action.get('name')}: {text}")
    return meanings


def key_of(alphabet):
    """alphabet_key of the alphabet.hpp that the machine is built with."""
    numbers = re.search(r"alphabet_key\[256\] = \{(.*?)\}", alphabet.read_text(), re.S).group(1)
    return [int(number) for number in re.findall(r"\d+", numbers)]


class Machine:
    def __init__(self, xml_text, key=None):
        root = xml.etree.ElementTree.fromstring(xml_text)
        known = {"action_list", "action_table_list", "start_state", "error_state", "entry_points", "state_list"}
        body = root.find(".//machine")
        if others := {part.tag for part in body} - known:
            raise NotUnderstood(f"Ragel's machine has {others}")
        meanings = [meaning_of(action) for action in body.find("action_list")]
        self.actions = {table.get("id"): [meaning for number in table.text.split() for meaning in meanings[int(number)]]
                        for table in body.find("action_table_list")}
        self.actions["x"] = []
        self.key = key or list(range(256))
        self.start = State(int(body.find("start_state").text), None, frozenset(), None, frozenset())
        self.final, self.table, self.at_end = set(), {}, {}
        for state in body.find("state_list"):
            self.read_state(state)

    def read_state(self, state):
        number = int(state.get("id"))
        if others := {part.tag for part in state} - {"state_actions", "trans_list"}:
            raise NotUnderstood(f"a state has {others}")
        if state.get("final"):
            self.final.add(number)
        on_entry, on_exit, at_end = (state.findtext("state_actions") or "x x x").split()
        if (on_entry, on_exit) != ("x", "x"):
            raise NotUnderstood("actions of a state")
        self.at_end[number] = self.actions[at_end]
        by_symbol = {}
        for step in state.find("trans_list"):
            low, high, target, table = step.text.split()
            for symbol in range(int(low), int(high) + 1):
                by_symbol[symbol % 256] = (int(target), self.actions[table])
        self.table[number] = [by_symbol.get(self.key[octet]) for octet in range(256)]

    def masks(self):
        """Sets of octets such that octets which stand in the same ones are alike to every state."""
        masks = {}
        for number, row in self.table.items():
            for octet, step in enumerate(row):
                name = (number, step and step[0], step and str(step[1]))
                masks[name] = masks.get(name, 0) | 1 << octet
        return set(masks.values())

    def step(self, state, octet):
        """The state after the octet, and what happened at it, in order. `at` is None when the octet does not fit."""
        if state.at is None or self.table[state.at][octet] is None:
            return state._replace(at=None, back=None), ()
        target, actions = self.table[state.at][octet]
        state, done = state._replace(at=target), []
        for action in actions:
            if action[0] == "refuse_if_said" and action[1] in state.said:
                return self.step(state._replace(at=action[2]), octet)  # fhold: the octet comes again
            state = self.after(state, action)
            done.append(action)
        return state, tuple(done)

    @staticmethod
    def after(state, action):
        kind = action[0]
        if kind == "call":
            if state.back is not None:
                raise NotUnderstood("a call within a call")
            return state._replace(at=action[1], back=state.at)
        if kind == "return":
            return state._replace(at=state.back, back=None)
        if kind == "say":
            return state._replace(said=state.said | {action[1]})
        if kind == "verb":
            return state._replace(verb=action[1])
        if kind == "fact":
            return state._replace(facts=state.facts | {action[1]})
        return state

    def end(self, state):
        """What the state is when no octet follows, and what happens at the end."""
        done = tuple(self.at_end[state.at]) if state.at is not None else ()
        for action in done:
            state = self.after(state, action)
        return state, done

    def is_final(self, state):
        return state.at in self.final


def compiled(folder, name, alphabet=None):
    """ragel -x, with the options that cmake/ragel.cmake compiles the machine with."""
    include = ["-I", str(folder)] + (["-I", str(alphabet)] if alphabet else [])
    run = subprocess.run(["ragel", "-x", "-C", *include, str(pathlib.Path(folder) / f"{name}.rl")],
                         capture_output=True, text=True, timeout=60, check=False)
    if run.returncode != 0:
        raise NotUnderstood(run.stderr.strip())
    return Machine(run.stdout, key_of(pathlib.Path(alphabet) / "alphabet.hpp") if alphabet else None)
