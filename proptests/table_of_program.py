"""The table of the linked program, as dump_table prints it; and whether a shipped program holds the same octets."""
import dataclasses
import struct


@dataclasses.dataclass
class Row:
    care: int
    want: int
    clear: int
    set: int
    rule: int
    reply: int
    effect: int


@dataclasses.dataclass
class Event:
    waiting: int
    auth_attempt: int
    forgives: int
    name: str
    rows: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Reply:
    code: int
    lines: int
    mistake: int
    text: str


@dataclasses.dataclass
class Capability:
    care: int
    want: int
    number: int
    text: str


class Table:
    """`names[kind][name]` is the number that the compiler gives to a name of the spec; the rest are the rows, in their order."""

    def __init__(self, dump):
        self.names, self.counts, self.events, self.rules, self.replies = {}, {}, [], [], []
        self.questions, self.capabilities, self.queue_exits, self.settings, self.hand_over_texts = [], [], [], [], []
        self.starts, self.waiting_for_answer = {}, 0
        for line in dump.rstrip("\n").split("\n"):
            kind, *fields = line.split("\t")
            getattr(self, f"take_{kind}")(*[int(field) if field.isdigit() else field for field in fields])

    def take_name(self, kind, name, number):
        self.names.setdefault(kind, {})[str(name)] = number

    def take_count(self, kind, count):
        self.counts[kind] = count

    def take_waiting_for_answer(self, bits):
        self.waiting_for_answer = bits

    def take_event(self, _number, *fields):
        self.events.append(Event(*fields))

    def take_row(self, event, *fields):
        self.events[event].rows.append(Row(*fields))

    def take_rule(self, _number, name, reason):
        self.rules.append((name, reason))

    def take_reply(self, _number, *fields):
        self.replies.append(Reply(*fields))

    def take_question(self, _number, waiting, nobody, seconds):
        self.questions.append([waiting, nobody, seconds])

    def take_hand_over_text(self, _number, text):
        self.hand_over_texts.append(text)

    def take_capability(self, *fields):
        self.capabilities.append(Capability(*fields))

    def take_queue_exit(self, *fields):
        self.queue_exits.append(fields)

    def take_setting(self, *fields):
        self.settings.append(fields)

    def take_start(self, word, state, ciphers):
        self.starts[word] = (state, ciphers)

    def name_of(self, kind, number):
        found = [name for name, each in self.names[kind].items() if each == number]
        return found[0] if len(found) == 1 else f"{kind} {number}"

    def state(self, word):
        """The names of the bits that are set."""
        names = {bit: name for kind in ("bit", "value") for name, bit in self.names[kind].items()}
        return " ".join(names.get(1 << at, f"bit {at}") for at in range(64) if word >> at & 1)

    def decision(self, event, word):
        """What engine/policy.cpp does with these rows: (rule, reply, effect, state after it), or None when it may not happen."""
        table = self.events[event]
        if not word & table.waiting:
            return None
        for row in table.rows:
            if word & row.care == row.want:
                return row.rule, row.reply, row.effect, (word & ~row.clear) | row.set
        return None


SYMBOL = struct.Struct("<IBBHQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
FILE, OBJECT = 4, 1
SYMBOLS = 2  # the type of the section
PREFIX = "_ZN7postern4spec12_GLOBAL__N_1L"


def octets_of_tables(program):
    """{the name of an array of policy_rows.cpp: its octets}, as they stand in this program for 64-bit Linux."""
    octets = program.read_bytes()
    if octets[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"{program} is no program of 64 bits with the low octet first")
    at, = struct.unpack_from("<Q", octets, 40)
    count, = struct.unpack_from("<H", octets, 60)
    sections = [SECTION.unpack_from(octets, at + number * SECTION.size) for number in range(count)]
    tables, source = {}, ""
    for _, kind, _, _, offset, size, link, *_ in sections:
        for place in range(offset, offset + size, SYMBOL.size) if kind == SYMBOLS else []:
            name, info, _, section, value, length = SYMBOL.unpack_from(octets, place)
            begin = sections[link][4] + name
            text = octets[begin:octets.index(b"\0", begin)].decode()
            if info & 15 == FILE:
                source = text
            elif info & 15 == OBJECT and source.endswith("policy_rows.cpp") and text.startswith(PREFIX):
                place_in_file = value - sections[section][3] + sections[section][4]
                tables[text] = octets[place_in_file:place_in_file + length]
    return tables


NEEDED = ("rows", "first_row", "waiting", "questions", "counts", "replies", "capabilities", "all_text")


def problems_of_octets(dumped, shipped, program):
    """Whether the tables in a program are those of dump_table; one may lack what it never uses, but nothing of what decides."""
    for name in NEEDED:
        symbol = f"{PREFIX}{len(name)}{name}E"
        if not dumped.get(symbol) or not shipped.get(symbol):
            yield f"{program}: no table {name} to compare"
    for symbol, octets in shipped.items():
        if dumped.get(symbol, octets) != octets:
            yield f"{program}: other octets in {symbol} than dump_table has"
