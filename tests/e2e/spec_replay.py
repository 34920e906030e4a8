"""Replays what a log with POSTERN_LOG_DECISIONS=1 says of its sessions through the policy as it is written in spec/*.toml.

The rules are read by the second reader of the spec (proptests/spec_reader.py) and applied from their guards: nothing of the compiled
table is used. Each session keeps a state of its own here, counts included, and each line is to be what follows from it:

  decision   the event may happen in this state, which is ours; the rule is the one whose guard holds, with its effect and reply
  sent       each reply on the connection is the next one that was decided
  message, auth, tls   the report of the effect that was asked for, and the answer that follows says the same
  end        after an event whose rule ends the session; nothing is asked for that was never answered, no reply is missing but those
             that the line counts as unsent

Sessions that memory or the log broke off, or that have no `end` since the process was killed, are replayed as far as they go.
"""

import functools
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "proptests"))
import spec_reader  # noqa: E402

LINE = re.compile(r"^(postern[a-z-]*)\[(\d+)\]: (\w+)( .*)?$")
REPLY = re.compile(r' reply=(?:"(.*)"|(\S*))$')
FIELD = re.compile(r' (\w+)=("[^"]*"|\S*)')
LIMIT = re.compile(r"\b(max_errors|max_auth_attempts) = (\d+);")
BROKEN_OFF = "no memory"
LOST = re.compile(r"\blost=|\"lost\":")  # a warning says how many lines the log had no room for, at this place


class Guards(spec_reader.Spec):
    """All but the laws, whose diagrams take seconds."""

    def names_of_laws(self):
        return {}


class Policy:
    """The spec, asked for one decision at a time."""

    def __init__(self, folder):
        self.spec = Guards(folder)
        self.limits = {name: int(number) for name, number in LIMIT.findall((folder / "limits.hpp").read_text())}
        self.events = {row["name"]: row for row in self.spec.events}
        self.replies = {row["name"]: row for row in self.spec.replies}
        self.questions = {row["effect"]: row for row in self.spec.rows("events", "question")}
        self.fixed = [row["name"] for row in self.spec.settings + self.spec.facts if not row.get("counted")]
        self.rules = {name: [] for name in self.events}
        for rule in sorted(self.spec.rules, key=lambda row: row["step"]):
            for event in self.spec.events_of(rule):
                self.rules[event].append((self.spec.guard(rule.get("if", "")), rule))

    @functools.cache
    def values(self, word):
        """What a state word says, by name. A state without exactly one value has none."""
        values = {row["name"]: str(int(bool(word & self.spec.bits[row["name"]]))) for row in self.spec.settings + self.spec.facts}
        for row in self.spec.states:
            held = [value for value in row["values"] if word & self.spec.bits[f"{row['name']}.{value}"]]
            values[row["name"]] = held[0] if len(held) == 1 else None
        return values

    def first(self, values):
        """The state at connect under these settings and facts."""
        first = {name: values[name] for name in self.fixed} | {"errors_spent": "0", "auth_attempts_spent": "0"}
        for row in self.spec.states:
            first[row["name"]] = next(start["value"] for start in row["start"]
                                      if self.spec.diagrams.holds(self.spec.guard(start.get("if", "")), first))
        return first

    @functools.cache
    def decide_on(self, event, word):
        return self.decide(event, self.values(word))

    def decide(self, event, values):
        """The rule; None where the event may not happen."""
        if values["waiting"] not in self.events[event]["while"]:
            return None
        return next((rule for guard, rule in self.rules[event] if self.spec.diagrams.holds(guard, values)), None)

    @functools.cache
    def text_of(self, name):
        """What a reply of this row looks like on its first line; None: nothing is said."""
        row = self.replies[name]
        if row["code"] == 0:
            return None
        text = re.sub(r"\\\{\w+\\\}", ".*", re.escape(row["text"]))
        return re.compile(rf"{row['code']}[ -]{text}")


@functools.cache
def policy():
    return Policy(ROOT / "spec")


class Session:
    def __init__(self, name, may_lack_its_beginning=False):
        self.may_lack_its_beginning = may_lack_its_beginning
        self.name, self.values, self.errors, self.attempts = name, None, 0, 0
        self.decided, self.sent, self.reports = [], [], {}
        self.is_broken_off, self.is_gapped, self.problems, self.last_event = False, False, [], None  # gapped: lines are missing

    def say(self, sentence):
        self.problems.append(f"{self.name}: {sentence}")

    def take(self, program, kind, fields, text):
        self.is_broken_off |= kind == "trouble" and BROKEN_OFF in text
        self.is_gapped |= self.starts_late(kind, fields)
        if self.is_gapped:
            return
        if kind in ("message", "auth"):
            self.reports[kind] = fields["result"]
        elif kind == "tls":
            self.reports[kind] = True
        elif kind == "sent":
            self.sent.append(fields["reply"])
        elif kind == "decision":
            self.decide(program, fields)
        elif kind == "end":
            self.end(fields)

    def starts_late(self, kind, fields):
        """What comes before is among the lines that the log has lost."""
        is_opening = kind == "decision" and fields["cause"].startswith("connect.")
        return self.may_lack_its_beginning and self.values is None and not is_opening

    def begin(self, program, event, said):
        """The first state; or, after STARTTLS, that of postern-smtpd-tls, which knows nothing of what was said in clear."""
        if self.values is None:
            self.values = policy().first(said)
        elif program == "postern-smtpd" and event == "handshake.done" and self.values["waiting"] == "handshake":
            self.values = policy().first(said) | {"waiting": "handshake"}

    def decide(self, program, fields):
        event, word = fields["cause"], int(fields["state"], 16)
        said = policy().values(word)
        self.begin(program, event, said)
        self.values["errors_spent"] = str(int(self.errors >= policy().limits["max_errors"]))
        self.values["auth_attempts_spent"] = str(int(self.attempts >= policy().limits["max_auth_attempts"]))
        different = {name: (value, self.values[name]) for name, value in said.items() if value != self.values[name]}
        if different:
            self.say(f"at {event} the state is not what follows from the spec: {different}")
            self.values = dict(said)
        rule = policy().decide_on(event, word)
        if rule is None:
            return self.say(f"{event} may not happen while the session waits for {self.values['waiting']}")
        self.compare(fields, event, rule)
        self.report(event)
        self.go_on(event, rule)

    def compare(self, fields, event, rule):
        for name, wanted in (("rule", rule["id"]), ("effect", rule.get("effect", "none"))):
            if fields[name] != wanted:
                self.say(f"at {event} the {name} is {fields[name]}, by the spec {wanted}")
        text, said = policy().text_of(rule.get("reply", "none")), fields.get("reply")
        if (said is None) != (text is None) or (said is not None and not is_like(text, said)):
            self.say(f"at {event} the reply is {said!r}, by the spec {rule.get('reply', 'none')}")
        if said is not None:
            self.decided.append(said)

    def report(self, event):
        """An answer says what the effect that was asked for has come to."""
        kind, _, result = event.partition(".")
        wanted = {"hand_over": ("message", result), "credentials": ("auth", result), "handshake": ("tls", result == "done" or None)}
        if kind in wanted and result != "user_gated":
            report, expected = wanted[kind]
            reported = self.reports.get(report)
            if reported != expected and not self.is_broken_off:
                self.say(f"{event} is decided on, and what was done is reported as {reported}")
            self.reports.clear()

    def go_on(self, event, rule):
        self.errors += bool(policy().replies[rule.get("reply", "none")].get("mistake"))
        if policy().events[event].get("forgives"):
            self.errors = 0
        self.attempts += bool(policy().events[event].get("auth_attempt"))
        self.values = self.values | rule.get("then", {})
        self.last_event = event

    def end(self, fields):
        unsent = int(fields.get("unsent", 0))
        if self.is_broken_off or (self.values is None and not self.sent):
            return
        self.check_sent(unsent)
        waiting = self.values["waiting"] if self.values else "connect"
        asked = [row["name"] for row in policy().questions.values() if row["waits"] == waiting]
        if asked:
            self.say(f"it ends, and {asked[0]} was asked for and never answered")
        elif waiting != "end" and not unsent and fields.get("by") != "memory":
            self.say(f"it ends without an event, while it waits for {waiting} after {self.last_event}")

    def check_sent(self, unsent):
        """Those that were sent are those that were decided, but for as many as nobody heard."""
        decided = iter(self.decided)
        for reply in self.sent:
            if not any(each == reply for each in decided):
                return self.say(f"{reply!r} was sent, and no row said so: decided was {self.decided}")
        missing = len(self.decided) - len(self.sent)
        if missing > unsent:
            self.say(f"{missing} replies were decided and not sent, {unsent} are known to be lost: {self.decided}, {self.sent}")


def is_like(text, said):
    """A line that was too long for the log ends in dots."""
    return bool(text.match(said) if said.endswith("...") else text.fullmatch(said))


def fields_of(rest):
    """Of a line of text; `reply` is the last one, and may hold anything."""
    reply = REPLY.search(rest)
    fields = {name: value.strip('"') for name, value in FIELD.findall(rest[:reply.start()] if reply else rest)}
    return fields | ({"reply": reply[1] if reply[1] is not None else reply[2]} if reply else {})


def lines_of(log):
    """(program, process, kind, fields, text) of each line, whichever form the log has."""
    for line in log.splitlines():
        found = LINE.match(line)
        if found:
            kind, rest = found[3], found[4] or ""
            yield found[1], found[2], kind, fields_of(rest) if kind in KINDS else {}, rest
        elif line.startswith('{"time":'):
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            yield fields["program"], str(fields["pid"]), fields["event"], {name: str(value) for name, value in fields.items()}, line


KINDS = {"decision", "sent", "message", "auth", "tls", "trouble", "end"}


def name_of(process, fields, rest):
    session = fields.get("session") or (re.search(r" session=(\S+)", rest) or [None, ""])[1]
    return f"{process} {session}".strip()


def problems_of(log):
    """A sentence for each line that does not follow from the spec; empty where nothing was traced."""
    if "decision" not in log:
        return []
    log = log[:log.rfind("\n") + 1] or log  # a program that is killed may leave a line without its end
    sessions, problems, has_lost = {}, [], False
    for program, process, kind, fields, rest in lines_of(log):
        if kind == "warning" and LOST.search(rest):
            has_lost = True
            for session in sessions.values():
                session.is_gapped = True
        if kind not in KINDS:
            continue
        name = name_of(process, fields, rest)
        if name not in sessions:
            sessions[name] = Session(name, has_lost)
        session = sessions[name]
        session.take(program, kind, fields, rest)
        if kind == "end":
            problems += sessions.pop(name).problems
    return problems + [problem for session in sessions.values() for problem in session.problems]


def sessions_in(log):
    """How many have a decision."""
    return len({name_of(process, fields, rest) for _, process, kind, fields, rest in lines_of(log) if kind == "decision"})
