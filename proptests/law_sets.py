"""Both sets of laws as formulas that a solver reads: spec/laws.toml, and proptests/second_laws.toml.

A formula is a text of SMT-LIB in the names of one decision. Both are read by the second reader's parser (spec_reader.py); the
names of values are those that `write_proofs --policy` declares.
"""
import dataclasses
import tomllib

from spec_reader import Condition, Refused


class Terms:
    """What spec_reader.Condition builds conditions with; here they become terms. `moved` gives a name its place."""

    def __init__(self, values, prefix="", moved=()):
        self.values, self.prefix, self.moved = values, prefix, frozenset(moved)

    def place(self, variable):
        return self.prefix + variable if variable in self.moved else variable

    def is_one_of(self, variable, wanted):
        if self.values[variable] == ["0", "1"]:
            return self.place(variable) if wanted == {"1"} else self.turned(self.place(variable))
        sort = variable.rpartition(".")[2]
        parts = [f"(= {self.place(variable)} {sort}.{value})" for value in sorted(wanted)]
        return parts[0] if len(parts) == 1 else f"(or {' '.join(parts)})"

    @staticmethod
    def turned(term):
        return f"(not {term})"

    @staticmethod
    def both(a, b):
        return f"(and {a} {b})"

    @staticmethod
    def either(a, b):
        return f"(or {a} {b})"


@dataclasses.dataclass(frozen=True)
class Clause:
    """One thing that a law says of every decision; an invariant says it of every state."""
    law: str
    text: str
    term: str
    when: str = "true"   # of which decisions it speaks

    @property
    def title(self):
        return f"{self.law}: {self.text}"


@dataclasses.dataclass(frozen=True)
class Law:
    name: str
    clauses: tuple
    needs: tuple         # names of invariants, their own needs included
    after: tuple = ()    # of an invariant: what its clauses say of the state after


@dataclasses.dataclass(frozen=True)
class Way:
    """In every configuration that `when` fits, a session comes to a decision that `some` fits."""
    name: str
    when: str
    some: str


class LawSet:
    def __init__(self, name, names):
        self.name, self.names = name, names
        self.invariants, self.laws, self.ways = {}, {}, []

    def clauses(self):
        return [clause for law in self.laws.values() for clause in law.clauses]

    def invariant_clauses(self):
        return [clause for law in self.invariants.values() for clause in law.clauses]

    def terms_of(self, names):
        """What these invariants say."""
        return [clause.term for name in names for clause in self.invariants[name].clauses]

    def needs(self, names):
        found = []
        for name in names:
            if name not in self.invariants:
                raise Refused(f"no invariant {name!r}")
            found += [*self.invariants[name].needs, name]
        return tuple(dict.fromkeys(found))


class Names:
    """Names that a set makes for itself, in the words of the state before, and for invariants in those of the state after."""

    def __init__(self, spec, rows):
        states = [row["name"] for row in spec.states]
        self.before = Terms(spec.diagrams.values)
        self.after = Terms(spec.diagrams.values, "after.", states)
        self.named, self.named_after = self.derived(spec), {}
        self.named |= {f"changed.{state}": f"(not (= {state} after.{state}))" for state in states}
        for row in rows:
            self.named[row["name"]] = Condition(row["is"], self.before, self.named).whole()
            self.named_after[row["name"]] = Condition(row["is"], self.after, self.named_after).whole()

    def derived(self, spec):
        """The theorems of settings.toml; what else is derived there gates rules, and no law may use it."""
        known = {}
        for row in spec.rows("settings", "derived"):
            known[row["name"]] = Condition(row["is"], self.before, known).whole()
        return {row["name"]: known[row["name"]] for row in spec.rows("settings", "derived") if row.get("theorem")}

    def of(self, text):
        return Condition(text, self.before, self.named).whole() if text else "true"

    def later(self, text):
        return Condition(text, self.after, self.named_after).whole()


def first_set(spec):
    """spec/laws.toml: no decision may fit a clause of `never`."""
    names = Names(spec, spec.rows("laws", "name"))
    found = LawSet("laws", names)
    for kind, laws in (("invariant", found.invariants), ("law", found.laws)):
        for row in spec.rows("laws", kind):
            only = names.of(row.get("only", ""))
            clauses = tuple(Clause(row["name"], text, f"(not (and {only} {names.of(text)}))") for text in row["never"])
            after = tuple(f"(not {names.later(text)})" for text in row["never"]) if kind == "invariant" else ()
            laws[row["name"]] = Law(row["name"], clauses, found.needs(row.get("by", [])), after)
    found.ways = [Way(row["name"], names.of(row["when"]), names.of(row["some"])) for row in spec.rows("laws", "possibility")]
    return found


def second_set(spec, path):
    """proptests/second_laws.toml: where `when` holds each sentence of `must` holds."""
    rows = tomllib.loads(path.read_text("utf-8"))
    names = Names(spec, rows["word"])
    found = LawSet("second_laws", names)
    for row in rows["standing"]:
        clause = Clause(row["name"], row["holds"], names.of(row["holds"]))
        found.invariants[row["name"]] = Law(row["name"], (clause,), found.needs(row.get("given", [])), (names.later(row["holds"]),))
    for row in rows["duty"]:
        when = names.of(row.get("when", ""))
        clauses = tuple(Clause(row["name"], text, f"(=> {when} {names.of(text)})", when) for text in row["must"])
        found.laws[row["name"]] = Law(row["name"], clauses, found.needs(row.get("given", [])))
    found.ways = [Way(row["name"], names.of(row["when"]), names.of(row["some"])) for row in rows["way"]]
    return found


def conjunction(terms):
    return f"(and true {' '.join(terms)})"
