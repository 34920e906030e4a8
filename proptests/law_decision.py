"""One decision as solvers are told of it: the state before, the event, and either any outcome or what the policy decides."""
import law_sets
import spec_reader

COUNTED = ("mistake", "auth_attempt", "forgives", "lists_capabilities")


def assert_that(term):
    return f"(assert {term})\n"


def question(expected, what, *terms, shown=()):
    show = f"(get-value ({' '.join(shown)}))\n" if shown else ""
    what = what.replace('"', "'")
    return f'(push 1)\n{"".join(map(assert_that, terms))}(echo "expect {expected}: {what}")\n(check-sat)\n{show}(pop 1)\n'


class Decision:
    """The names of a decision, each with its sort."""

    def __init__(self, spec):
        self.spec, self.names = spec, law_sets.Names(spec, [])
        self.configuration = [(row["name"], "Bool") for row in spec.settings + spec.facts]
        self.states = [(row["name"], row["name"].capitalize()) for row in spec.states]
        self.outcome = [("reply", "Reply"), ("code", "Code"), ("effect", "Effect")]
        self.outcome += [(f"after.{name}", sort) for name, sort in self.states]
        self.flags = [(name, "Bool") for name in (*COUNTED, *(f"advertised.{word}" for word in spec.keywords()))]
        self.all = self.configuration + self.states + [("event", "Event")] + self.outcome + self.flags
        self.arguments = " ".join(name for name, _ in self.configuration)

    def function(self, name, body, parameters=None):
        text = " ".join(f"({parameter} {sort})" for parameter, sort in parameters or self.all)
        return f"(define-fun {name} ({text}) Bool {body})\n"

    def call(self, function, places=None, parameters=None):
        places = places or {}
        return f"({function} {' '.join(places.get(name, name) for name, _ in parameters or self.all)})"

    @staticmethod
    def declare(names, prefix=""):
        lines = []
        for name, sort in names:
            lines.append(f"(declare-const {prefix}{name} {sort})")
            if sort != "Bool":
                lines.append(f"(assert (is-{sort} {prefix}{name}))")
        return "\n".join(lines) + "\n"

    def declare_outcome(self, prefix=""):
        """Any outcome; code 0 means that nothing is sent."""
        return self.declare(self.outcome, prefix) + assert_that(f"(= (= {prefix}reply reply.none) (= {prefix}code code.0))")

    def start(self):
        return [f"(= {name} (start.{name} {self.arguments}))" for name, _ in self.states]

    def decided(self):
        """What the policy decides, in place of any outcome."""
        state = " ".join(name for name, _ in self.states)
        values = {"rule": f"(decide event {self.arguments} {state})"}
        values |= {"reply": "(reply-of rule)", "code": "(code-of rule)", "effect": "(effect-of rule)"}
        values |= {f"after.{name}": f"(next.{name} rule {name})" for name, _ in self.states}
        equations = {**values, **self.columns(), **self.advertised()}
        return "(declare-const rule Rule)\n" + "".join(assert_that(f"(= {name} {value})") for name, value in equations.items())

    def columns(self):
        rows = {"mistake": ("reply", self.spec.replies, "mistake"), "lists_capabilities": ("reply", self.spec.replies, "lines"),
                "auth_attempt": ("event", self.spec.events, "auth_attempt"), "forgives": ("event", self.spec.events, "forgives")}
        return {flag: self.names.before.is_one_of(kind, {row["name"] for row in rows if row.get(column)})
                for flag, (kind, rows, column) in rows.items()}

    def advertised(self):
        named = {}
        for row in self.spec.rows("settings", "derived"):
            named[row["name"]] = spec_reader.Condition(row["is"], self.names.before, named).whole()
        return {f"advertised.{word}": spec_reader.Condition(row["if"], self.names.before, named).whole() if "if" in row else "true"
                for word, row in zip(self.spec.keywords(), self.spec.capabilities)}
