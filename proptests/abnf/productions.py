"""ABNF (RFC 5234) as trees, and the edits of edits.abnf applied to it.

A tree is one of
  ("octets", MASK)                one octet; bit i of MASK says whether octet i will do
  ("cat", [TREE...])  ("alt", [TREE...])
  ("repeat", LEAST, MOST, TREE)   MOST is None where nothing bounds it
  ("name", NAME)                  a production
  ("field", NAME, TREE)           where a field begins and ends
  ("and", TREE, TREE)  ("minus", TREE, TREE)
"""
import re

ALL = (1 << 256) - 1
TOKEN = re.compile(
    r"""\s*(?:(?P<text>(?:%s)?"[^"]*")|(?P<code>%[dx][0-9A-Fa-f]+(?:-[0-9A-Fa-f]+)?)|(?P<repeat>\d*\*\d*|\d+)"""
    r"""|(?P<field>\{\s*[a-z_0-9]+)|(?P<name>[A-Za-z][A-Za-z0-9-]*)|(?P<sign>[()\[\]/}&-]))""")


class Refused(Exception):
    """What stands in an .abnf file is no ABNF, or an edit does not fit."""


def octet(number):
    return 1 << number


def of_text(token):
    """RFC 5234 2.3: in any case; RFC 7405 2: %s in this case."""
    exact = token.startswith("%s")
    text = token[token.index('"') + 1:-1]
    masks = [octet(ord(one)) | (0 if exact else octet(ord(one.swapcase()))) for one in text]
    return ("cat", [("octets", mask) for mask in masks])


def of_code(token):
    base = {"d": 10, "x": 16}[token[1]]
    first, _, last = token[2:].partition("-")
    low = int(first, base)
    high = int(last, base) if last else low
    return ("octets", sum(octet(number) for number in range(low, high + 1)))


def tokens_of(text):
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise Refused(f"no ABNF: {text[at:]!r}")
        tokens.append((found.lastgroup, found.group(found.lastgroup)))
        at = found.end()
    return tokens


class Parser:
    def __init__(self, text):
        self.tokens = tokens_of(text)
        self.at = 0

    def sign(self):
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")
        return token if kind == "sign" else kind

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, sign):
        if self.sign() != sign:
            raise Refused(f"{sign} is missing in {self.tokens}")
        self.take()

    def whole(self):
        tree = self.alternation()
        if self.at != len(self.tokens):
            raise Refused(f"left over: {self.tokens[self.at:]}")
        return tree

    def alternation(self):
        trees = [self.combination()]
        while self.sign() == "/":
            self.take()
            trees.append(self.combination())
        return trees[0] if len(trees) == 1 else ("alt", trees)

    def combination(self):
        tree = self.concatenation()
        while self.sign() in ("&", "-"):
            kind = "and" if self.take() == "&" else "minus"
            tree = (kind, tree, self.concatenation())
        return tree

    def concatenation(self):
        trees = []
        while self.sign() in ("text", "code", "repeat", "field", "name", "(", "["):
            trees.append(self.repetition())
        return ("cat", trees)

    def repetition(self):
        if self.sign() != "repeat":
            return self.element()
        least, star, most = self.take().partition("*")
        if not star:
            return ("repeat", int(least), int(least), self.element())
        return ("repeat", int(least or 0), int(most) if most else None, self.element())

    def element(self):
        sign = self.sign()
        token = self.take()
        if sign == "text":
            return of_text(token)
        if sign == "code":
            return of_code(token)
        if sign == "name":
            return ("name", token)
        closing = {"(": ")", "[": "]", "field": "}"}.get(sign)
        if closing is None:
            raise Refused(f"unexpected {token}")
        tree = self.alternation()
        self.expect(closing)
        if sign == "field":
            return ("field", token[1:].strip(), tree)
        return ("repeat", 0, 1, tree) if sign == "[" else tree


def parsed(text):
    return Parser(text).whole()


def without_comment(line):
    """A `;` within quotes is no comment."""
    return re.match(r'(?:[^;"]|"[^"]*")*', line).group().rstrip()


def statements(text):
    """The lines of a file without comments, each with the lines that go on with it; a line `;; ...` stays as it is."""
    found = []
    for line in text.splitlines():
        line = line if line.startswith(";;") else without_comment(line)
        if line.startswith(" ") and found:
            found[-1] += " " + line.strip()
        elif line:
            found.append(line)
    return found


class Grammar:
    """Productions by name: their text, for edits that replace a part of it, and what `previous` stood for."""

    def __init__(self, text):
        self.texts = {}
        self.earlier = {}
        for statement in statements(text):
            name, sign, body = self.cut(statement)
            if sign != "=" or name in self.texts:
                raise Refused(f"defined twice, or no production: {statement}")
            self.texts[name] = body

    @staticmethod
    def cut(statement):
        found = re.match(r"([A-Za-z][A-Za-z0-9-]*)\s*(=/|=|:)\s*(.*)$", statement)
        if not found:
            raise Refused(f"no production: {statement}")
        return found.groups()

    def copy(self):
        twin = Grammar("")
        twin.texts, twin.earlier = dict(self.texts), dict(self.earlier)
        return twin

    def change(self, statement):
        name, sign, body = self.cut(statement)
        if sign == ":":
            self.replace_part(name, body)
        elif sign == "=/":
            self.texts[name] = f"{self.texts[name]} / {body}"
        else:
            if re.search(r"\bprevious\b", body):
                kept = f"{name}-v{len(self.earlier)}"
                self.earlier[kept] = name
                self.texts[kept] = self.texts[name]
                body = re.sub(r"\bprevious\b", kept, body)
            self.texts[name] = body

    def replace_part(self, name, body):
        old, arrow, new = body.partition("=>")
        normal = " ".join(self.texts[name].split())
        old = " ".join(old.split())
        if not arrow or normal.count(old) != 1:
            raise Refused(f"{name}: {old!r} does not stand exactly once in {normal!r}")
        self.texts[name] = normal.replace(old, new.strip())

    def tree(self, name):
        if name not in self.texts:
            raise Refused(f"no production {name}")
        return parsed(self.texts[name])


class Edit:
    def __init__(self, head):
        parts = re.match(r";; (\S+)  (\S+)  (.+)$", head)
        if not parts:
            raise Refused(f"no head of an edit: {head}")
        self.name, self.kind, self.source = parts.groups()
        self.changes = []

    def apply(self, grammar):
        for change in self.changes:
            grammar.change(change)


def edits_of(text):
    edits = []
    for statement in statements(text):
        if statement.startswith(";;"):
            edits.append(Edit(statement))
        elif edits:
            edits[-1].changes.append(statement)
        else:
            raise Refused(f"belongs to no edit: {statement}")
    return edits
