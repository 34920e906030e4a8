#!/usr/bin/python3
"""A milter of python3-milter (libmilter) that does what a message asks for, and writes down what it was shown.

usage: milter_program.py SOCKET RECORD [leading-space] [no-reply]
X-Do: fields of a message say what, one each, in their order; `RECORD` gets a line of JSON for each message. What is decided
before the header comes by the addresses: `refuse.*@`, `defer.*@`, `discard.*@`, `accept.*@` as sender or recipient."""

import json
import sys
import time

import Milter

SOCKET, RECORD, *OPTIONS = sys.argv[1:]
SIMPLE = {"reject": Milter.REJECT, "tempfail": Milter.TEMPFAIL, "discard": Milter.DISCARD, "accept": Milter.ACCEPT}
EARLY = {"refuse": Milter.REJECT, "defer": Milter.TEMPFAIL, "discard": Milter.DISCARD, "accept": Milter.ACCEPT}
MACROS = ("j", "_", "i", "{daemon_name}", "{client_addr}", "{client_name}", "{auth_authen}", "{auth_type}", "{mail_addr}",
          "{rcpt_addr}", "{tls_version}", "{cipher}", "{cipher_bits}")


class Program(Milter.Base):
    def __init__(self):
        self.connected, self.helo = None, None

    def connect(self, name, family, address):
        self.connected = [name, family, address[0] if isinstance(address, tuple) else address]
        return Milter.CONTINUE

    def hello(self, name):
        self.helo = name
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.sender, self.parameters, self.recipients, self.header_seen, self.body_seen = sender, parameters, [], [], []
        self.macros = {}
        return self.early(sender)

    def envrcpt(self, recipient, *parameters):
        self.recipients.append(recipient)
        return self.early(recipient)

    def early(self, address):
        return EARLY.get(address.strip("<>").split(".")[0], Milter.CONTINUE)

    def data(self):
        return Milter.CONTINUE

    @Milter.decode("bytes")
    def header(self, name, value):
        self.header_seen.append([name if isinstance(name, str) else name.decode("latin-1"), value.decode("latin-1")])
        return Milter.CONTINUE

    def eoh(self):
        return Milter.CONTINUE

    def body(self, chunk):
        self.body_seen.append(chunk)
        return Milter.CONTINUE

    def eom(self):
        for name in MACROS:
            value = self.getsymval(name)
            if value is not None:
                self.macros[name] = value
        with open(RECORD, "a", encoding="ascii") as record:
            record.write(json.dumps({
                "connected": self.connected, "helo": self.helo, "sender": self.sender, "parameters": self.parameters,
                "recipients": self.recipients, "header": self.header_seen, "macros": self.macros,
                "body": b"".join(self.body_seen).decode("latin-1"), "chunks": len(self.body_seen)}) + "\n")
        answer = Milter.CONTINUE
        for name, value in self.header_seen:
            if name.lower() == "x-do":
                answer = self.do(*value.strip().split(" ", 1)) or answer
        return answer

    def do(self, what, text=""):
        if what in SIMPLE:
            return SIMPLE[what]
        if what == "add":
            self.addheader(*text.split(":", 1))
        elif what == "fold":
            self.addheader("X-Folded", "one\n\ttwo\n  three")
        elif what == "insert":
            index, field = text.split(" ", 1)
            self.addheader(*field.split(":", 1), int(index))
        elif what == "change":
            index, field = text.split(" ", 1)
            name, value = field.split(":", 1)
            self.chgheader(name, int(index), value)
        elif what == "delete":
            index, name = text.split(" ", 1)
            self.chgheader(name, int(index), "")
        elif what == "body":
            self.replacebody(b"first line\r\n")
            self.replacebody(b".dot and \xc3\xa4\r\n" * int(text or 1))
        elif what == "more":
            self.addrcpt(text)
        elif what == "fewer":
            self.delrcpt(text)
        elif what == "sender":
            self.chgfrom(text)
        elif what == "quarantine":
            self.quarantine(text)
        elif what == "reply":
            code, enhanced, words = text.split(" ", 2)
            self.setreply(code, enhanced, *[words.replace("%", "%%")])
            return Milter.TEMPFAIL if code[0] == "4" else Milter.REJECT
        elif what == "lines":
            self.setreply("550", "5.7.1", "one", "two", "three")
            return Milter.REJECT
        elif what == "progress":
            for _ in range(int(text)):
                time.sleep(0.5)
                self.progress()
        else:
            raise ValueError(what)
        return None


if "no-reply" in OPTIONS:
    for step in ("connect", "hello", "envfrom", "data", "header", "eoh", "body"):
        setattr(Program, step, Milter.noreply(getattr(Program, step)))
if "leading-space" in OPTIONS:
    Program = Milter.header_leading_space(Program)
Milter.factory = Program
Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGFROM |
                 Milter.QUARANTINE)
Milter.runmilter("program", SOCKET, 600)
