#!/usr/bin/env python3
"""Servers that are not the table's are found, each by the shortest dialogue that shows it.

  controls.py DUMP_TABLE POSTERN_SMTPD POSTERN

A server under another setting than the table is asked for; then go-betweens, which stand between the learner and postern-smtpd,
and change one reply, forget a RSET, leave out a capability, or remember what nobody asked them to.
"""
import pathlib
import sys
import tempfile

import alphabet
import learn
from alphabet import CONNECT, COMMANDS, DATA, EHLO, MAIL, QUIT, RCPT, RSET
from comparison import Comparison, dialogue
from table_machine import World

NAMED = {said.name: said for said in COMMANDS}
INPUTS = [CONNECT, EHLO, MAIL, RCPT, DATA, alphabet.BODIES[0], RSET, NAMED["NOOP"], NAMED["VRFY"], NAMED["AUTH PLAIN"], QUIT]
OPEN = World((("DENY_TLS", 1), ("AUTH", 1), ("ALLOW_INSECURE_AUTH", 1)))
CLOSED = World((("DENY_TLS", 1), ("AUTH", 1), ("REQUIRE_AUTH", 1), ("ALLOW_INSECURE_AUTH", 1)))


class GoBetween:
    """A socket that changes what it carries; of a server it shows what another one would say."""

    def __init__(self, sock):
        self._sock = sock

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def sendall(self, octets):
        self._sock.sendall(self.to_server(octets))

    def recv(self, *arguments):
        return self.to_client(self._sock.recv(*arguments))

    def to_server(self, octets):
        return octets

    def to_client(self, octets):
        return octets


class AnotherReply(GoBetween):
    def to_client(self, octets):
        return octets.replace(b"252 ", b"250 ")


class LessListed(GoBetween):
    def to_client(self, octets):
        return octets.replace(b"250-PIPELINING\r\n", b"")


class ForgetsReset(GoBetween):
    is_reset = False

    def to_server(self, octets):
        self.is_reset = octets == b"RSET\r\n"
        return b"NOOP\r\n" if self.is_reset else octets

    def to_client(self, octets):
        return octets.replace(b"250 ok", b"250 flushed") if self.is_reset else octets


class Remembers(GoBetween):
    """A NOOP next after VRFY is not known: a state that no table has."""
    last = b"", b""

    def to_server(self, octets):
        self.last = self.last[1], octets
        return octets

    def to_client(self, octets):
        return octets.replace(b"250 ok", b"502 unimplemented (#5.5.1)") if self.last == (b"VRFY b\r\n", b"NOOP\r\n") else octets


CONTROLS = [
    ("the table of another setting", CLOSED, None, ["connect", "MAIL"]),
    ("another reply", OPEN, AnotherReply, ["connect", "VRFY"]),
    ("a capability left out", OPEN, LessListed, ["connect", "EHLO"]),
    ("a RSET forgotten", OPEN, ForgetsReset, ["connect", "MAIL", "RSET", "MAIL"]),
    ("states that no table has", OPEN, Remembers, ["connect", "VRFY", "NOOP"]),
]


def words_for(between):
    """A state more than the table has is looked for where there is one."""
    return lambda of: of.all(1 if between is Remembers else 0)


def is_found(stage, name, world, between, wanted):
    server = stage.start("postern-smtpd", world, between)
    try:
        found = Comparison(server, INPUTS, stage.small_machine(OPEN, INPUTS), words_for(between)).run().difference
    finally:
        server.end()
    print(f"{name}: {'found' if found else 'no difference'}", *dialogue(found or ((), (), ())), sep="\n", flush=True)
    shortest = [said.name for said in found[0]] if found else []
    if shortest != wanted:
        print(f"    wanted {wanted}")
    return shortest == wanted


def main():
    arguments = learn.arguments_of(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="postern-learn-") as folder:
        stage = learn.Stage(arguments, pathlib.Path(folder))
        missed = sum(not is_found(stage, *control) for control in CONTROLS)
        missed += not is_found(stage, "without a control", OPEN, None, [])
    print(f"{len(CONTROLS)} controls, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
