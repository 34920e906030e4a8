"""A second reader of spec/*.toml, which shares no code with the generator: it is written from the heads of those files.

It says what the spec says as one text: each row a line, each condition as a decision diagram, which is the same for every way to
write one condition. `proptests/write_model.cpp` writes the same text from what the generator has read.

  spec_reader.py SPEC_FOLDER    prints it
"""
import pathlib
import re
import sys
import tomllib

FILES = ("settings", "events", "policy", "replies", "laws", "elsewhere")
TOKEN = re.compile(r"\s*([A-Za-z0-9_.*]+|[(),])")


class Refused(Exception):
    """The spec says something that this reader does not understand."""


class Diagrams:
    """Conditions as reduced ordered decision diagrams: two conditions are the same number exactly when they mean the same.

    The variables stand in the order of their names, and so do the values of one. 0 never holds, 1 always does.
    """

    def __init__(self):
        self.values = {}          # of each variable, sorted
        self.nodes = [None, None]  # (variable, a child a value)
        self.numbers = {}
        self.joined = {}

    def declare(self, variable, values):
        if variable in self.values:
            raise Refused(f"a second {variable}")
        self.values[variable] = sorted(values)

    def node(self, variable, children):
        if len(set(children)) == 1:
            return children[0]
        key = (variable, tuple(children))
        if key not in self.numbers:
            self.numbers[key] = len(self.nodes)
            self.nodes.append(key)
        return self.numbers[key]

    def is_one_of(self, variable, wanted):
        return self.node(variable, [int(value in wanted) for value in self.values[variable]])

    def turned(self, number):
        if number < 2:
            return 1 - number
        variable, children = self.nodes[number]
        return self.node(variable, [self.turned(child) for child in children])

    def both(self, a, b):
        if a == b or b == 1:
            return a
        if a == 1:
            return b
        if 0 in (a, b):
            return 0
        key = (min(a, b), max(a, b))
        if key not in self.joined:
            first = min(self.nodes[a][0], self.nodes[b][0])
            pairs = zip(self.children(a, first), self.children(b, first))
            self.joined[key] = self.node(first, [self.both(*pair) for pair in pairs])
        return self.joined[key]

    def either(self, a, b):
        return self.turned(self.both(self.turned(a), self.turned(b)))

    def children(self, number, variable):
        name, children = self.nodes[number]
        return children if name == variable else [number] * len(self.values[variable])

    def holds(self, number, values):
        while number > 1:
            variable, children = self.nodes[number]
            number = children[self.values[variable].index(values[variable])]
        return number == 1

    def text(self, number):
        """`T`, `F`, or the nodes, each after those it leads to: `1:AUTH(0>F;1>T)`."""
        if number < 2:
            return "FT"[number]
        names, lines = {0: "F", 1: "T"}, []
        self.write(number, names, lines)
        return " ".join(lines)

    def write(self, number, names, lines):
        variable, children = self.nodes[number]
        values_by_child = {}
        for value, child in zip(self.values[variable], children):
            if child not in names:
                self.write(child, names, lines)
            values_by_child.setdefault(child, []).append(value)
        names[number] = str(len(lines) + 1)
        branches = ";".join(f"{','.join(values)}>{names[child]}" for child, values in values_by_child.items())
        lines.append(f"{names[number]}:{variable}({branches})")


class Condition:
    """A condition of the guard language, read from its text: or < and < not < a name, a comparison, or parentheses."""

    def __init__(self, text, diagrams, names):
        self.text, self.diagrams, self.names = text, diagrams, names
        self.tokens, at = [], 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                raise Refused(f"no word at {text[at:]!r}")
            self.tokens.append(found[1])
            at = found.end()
        self.tokens.append("")

    def take(self, *wanted):
        if self.tokens[0] in wanted:
            return self.tokens.pop(0)
        return None

    def must_take(self, wanted):
        if self.take(wanted) is None:
            raise Refused(f"{wanted} is wanted at {self.tokens[0]!r} in {self.text!r}")

    def whole(self):
        result = self.alternatives()
        self.must_take("")
        return result

    def parts(self):
        """The conditions that are joined by `and` outside parentheses: those of a clause of a law."""
        result = [self.negated()]
        while self.take("and"):
            result.append(self.negated())
        self.must_take("")
        return result

    def alternatives(self):
        result = self.conditions()
        while self.take("or"):
            result = self.diagrams.either(result, self.conditions())
        return result

    def conditions(self):
        result = self.negated()
        while self.take("and"):
            result = self.diagrams.both(result, self.negated())
        return result

    def negated(self):
        if self.take("not"):
            return self.diagrams.turned(self.negated())
        if self.take("("):
            result = self.alternatives()
            self.must_take(")")
            return result
        return self.named()

    def named(self):
        name = self.tokens.pop(0)
        if name in self.names:
            return self.names[name]
        if name not in self.diagrams.values:
            raise Refused(f"unknown name {name!r} in {self.text!r}")
        if self.diagrams.values[name] == ["0", "1"]:
            return self.diagrams.is_one_of(name, {"1"})
        if self.take("is"):
            return self.diagrams.is_one_of(name, self.meant(name))
        self.must_take("in")
        self.must_take("(")
        wanted = self.meant(name)
        while self.take(","):
            wanted |= self.meant(name)
        self.must_take(")")
        return self.diagrams.is_one_of(name, wanted)

    def meant(self, name):
        return select(self.tokens.pop(0), self.diagrams.values[name], f"value of {name}")


def select(pattern, values, kind):
    """`mail.*` stands for all that begin with `mail.`."""
    family = pattern[:-1] if pattern.endswith("*") else None
    found = {value for value in values if (value == pattern if family is None else value.startswith(family))}
    if not found:
        raise Refused(f"unknown {kind}: {pattern!r}")
    return found


class Spec:
    """What the files say. `word` holds the bits in the order of the rows: settings, facts, then a bit a value of each state."""

    def __init__(self, folder):
        self.files = {name: tomllib.loads((pathlib.Path(folder) / f"{name}.toml").read_text("utf-8")) for name in FILES}
        self.settings, self.facts = self.rows("settings", "setting"), self.rows("settings", "fact")
        self.states = self.rows("settings", "state")
        self.diagrams, self.bits = Diagrams(), {}
        for row in self.settings + self.facts:
            self.diagrams.declare(row["name"], "01")
            self.bits[row["name"]] = 1 << len(self.bits)
        for row in self.states:
            self.diagrams.declare(row["name"], row["values"])
            for value in row["values"]:
                self.bits[f"{row['name']}.{value}"] = 1 << len(self.bits)
        self.guard_names = {}
        for row in self.rows("settings", "derived"):
            self.guard_names[row["name"]] = self.guard(row["is"])
        self.events, self.replies = self.rows("events", "event"), self.rows("replies", "reply")
        self.rules, self.capabilities = self.rows("policy", "rule"), self.rows("policy", "capability")
        self.law_names = self.names_of_laws()

    def rows(self, file, kind):
        return self.files[file].get(kind, [])

    def guard(self, text):
        return Condition(text, self.diagrams, self.guard_names).whole() if text else 1

    def keywords(self):
        """`AUTH=LOGIN PLAIN` is AUTH_LOGIN in the laws."""
        return [row["text"].split(" ")[0].replace("=", "_") for row in self.capabilities]

    def names_of_laws(self):
        for row in self.states:
            self.diagrams.declare(f"after.{row['name']}", row["values"])
            self.diagrams.declare(f"changed.{row['name']}", "01")
        self.diagrams.declare("event", [row["name"] for row in self.events])
        self.diagrams.declare("reply", [row["name"] for row in self.replies])
        self.diagrams.declare("code", {str(row["code"]) for row in self.replies})
        self.diagrams.declare("effect", [row["name"] for row in self.rows("events", "effect")])
        theorems = [row["name"] for row in self.rows("settings", "derived") if row.get("theorem")]
        counts = ["mistake", "auth_attempt", "forgives", "lists_capabilities"]
        for name in counts + [f"advertised.{word}" for word in self.keywords()] + theorems:
            self.diagrams.declare(name, "01")
        names = {}
        for row in self.rows("laws", "name"):
            names[row["name"]] = Condition(row["is"], self.diagrams, names).whole()
        return names

    def events_of(self, rule):
        return [event["name"] for pattern in rule["on"] for event in self.events
                if event["name"] in select(pattern, [each["name"] for each in self.events], "event")]

    def needs_of(self, law):
        """Its invariants, and what they need, in the order of the file."""
        order = [row["name"] for row in self.rows("laws", "invariant")]
        needed, todo = set(), list(law.get("by", []))
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo += self.rows("laws", "invariant")[order.index(name)].get("by", [])
        return [name for name in order if name in needed]


def flags(row, *names):
    return "".join(f" | {name}" for name in names if row.get(name))


def write_settings(spec):
    show = spec.diagrams.text
    for row in spec.settings:
        yield f"setting {row['name']} | {spec.bits[row['name']]:#x} | default {row['default']} | unreadable {row.get('unreadable', '0')} | {row['meaning']} | {row['source']}"
    for row in spec.facts:
        yield f"fact {row['name']} | {spec.bits[row['name']]:#x}{flags(row, 'counted')} | {row['meaning']} | {row['source']}"
    for row in spec.states:
        values = ", ".join(f"{value} {spec.bits[row['name'] + '.' + value]:#x}" for value in row["values"])
        yield f"state {row['name']} | {values} | {row['meaning']} | {row['source']}"
        for start in row["start"]:
            yield f"  at first {start['value']} | {show(spec.guard(start.get('if', '')))}"
    for row in spec.rows("settings", "derived"):
        condition = show(spec.guard_names[row["name"]])
        yield f"derived {row['name']} | {condition}{flags(row, 'theorem')} | {row['meaning']} | {row['source']}"
    for row in spec.rows("settings", "cipher_list"):
        yield f"cipher_list {row['ciphers']} | {show(spec.guard(row.get('if', '')))} | {row['meaning']} | {row['source']}"
    for row in spec.rows("settings", "cell"):
        values = " ".join(f"{name}={value}" for name, value in sorted(row["settings"].items()))
        yield f"cell {row['encryption']} | {row['auth']} | {values} | {', '.join(row['marks'])} | {row['source']}"


def write_events(spec):
    for row in spec.events:
        counts = flags(row, "auth_attempt", "forgives")
        yield f"event {row['name']} | while {', '.join(row['while'])}{counts} | {row['meaning']} | {row['source']}"
    for row in spec.rows("events", "effect"):
        yield f"effect {row['name']} | {row['meaning']}"
    for row in spec.rows("events", "question"):
        yield (f"question {row['name']} | asked by {row['effect']} | waits {row['waits']} | nobody {row['nobody']} | "
               f"seconds {row['seconds']} | {row['meaning']} | {row['source']}")


def is_permanent(row):
    """Exit codes 11 to 40 of qmail-queue are, unless the row says otherwise."""
    return row.get("permanent", row["first"] >= 11 and row.get("last", row["first"]) <= 40)


def write_replies(spec):
    for row in spec.replies:
        counts = (" | capabilities" if "lines" in row else "") + flags(row, "mistake")
        yield (f"reply {row['name']} | {row['code']} | {row.get('enhanced', '')} | {row['text']}{counts} | "
               f"{row.get('meaning', '')} | {row['source']}")
    for row in spec.rows("replies", "hand_over_text"):
        yield f"hand_over_text {row['name']} | {row['text']}{flags(row, 'permanent')} | {row['source']}"
    for row in spec.rows("replies", "queue_exit"):
        kind = "permanent" if is_permanent(row) else "temporary"
        yield f"queue_exit {row['first']} to {row.get('last', row['first'])} | {kind} | {row['text']} | {row['source']}"


def write_policy(spec):
    show = spec.diagrams.text
    for row in spec.rules:
        then = ", ".join(f"{state}={value}" for state, value in sorted(row.get("then", {}).items()))
        yield (f"rule {row['id']} | step {row['step']} | on {', '.join(spec.events_of(row))} | {show(spec.guard(row.get('if', '')))}"
               f" | reply {row.get('reply', 'none')} | effect {row.get('effect', 'none')} | then {then} | "
               f"{row.get('reason', '')} | {row['source']}")
    for row in spec.capabilities:
        yield f"capability {row['text']} | {show(spec.guard(row.get('if', '')))} | {row['source']}"


def write_laws(spec):
    show = spec.diagrams.text
    for row in spec.rows("laws", "name"):
        yield f"name {row['name']} | {show(spec.law_names[row['name']])}"
    for kind in ("invariant", "law"):
        for row in spec.rows("laws", kind):
            yield f"{kind} {row['name']} | by {', '.join(spec.needs_of(row))} | {row['sentence']} | {row['source']}"
            only = Condition(row["only"], spec.diagrams, spec.law_names).whole() if "only" in row else None
            for clause in row["never"]:
                parts = [show(part) for part in Condition(clause, spec.diagrams, spec.law_names).parts()]
                yield "  never " + " & ".join(([f"only {show(only)}"] if only is not None else []) + parts)
    for row in spec.rows("laws", "possibility"):
        when, some = (Condition(row[key], spec.diagrams, spec.law_names).whole() for key in ("when", "some"))
        yield f"possibility {row['name']} | when {show(when)} | some {show(some)} | {row['sentence']} | {row['source']}"
    for row in spec.rows("elsewhere", "decision"):
        yield f"decision {row['name']} | {row['decides']}"


def write_model(spec):
    """The lines of the one text."""
    return [*write_settings(spec), *write_events(spec), *write_replies(spec), *write_policy(spec), *write_laws(spec)]


if __name__ == "__main__":
    print("\n".join(write_model(Spec(sys.argv[1]))))
