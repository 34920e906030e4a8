#!/usr/bin/env python3
"""The running servers are learnt, and their machines are the machine of the table.

  learn.py DUMP_TABLE POSTERN_SMTPD POSTERN            some classes, about a minute of processor time
  learn.py DUMP_TABLE POSTERN_SMTPD POSTERN --whole    every class of the settings, facts, counts, and many more words
    --only TEXT      of the machines those whose line has this text
    --words N        so many random words look for more states of each (30; --whole: 100)
    --jobs N         so many at once (1)
    --depth K        all words that find up to K states more besides (the W-method)

For each machine a line: its states, how many words were asked. A difference is printed as a shortest dialogue with both answers.
"""
import argparse
import concurrent.futures
import functools
import multiprocessing
import pathlib
import re
import resource
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))  # the table as compiled_table.py reads it

import alphabet  # noqa: E402
import mealy  # noqa: E402
import servers  # noqa: E402
from comparison import Comparison, dialogue  # noqa: E402
from table_machine import LIMITS, TableMachine, World, all_worlds, table_of  # noqa: E402

PLAIN = World((("AUTH", 1),))
FACTS = [World((("AUTH", 1),), relay_client=True), World((("AUTH", 1),), local_only=True),
         World((("AUTH", 1),), relay_client=True, local_only=True), World((("AUTH", 1),), lists_readable=False),
         World((("AUTH", 1), ("ALLOW_INSECURE_AUTH", 1)), certificate=False), World((("AUTH", 1),), backend=False)]
NO_ROOM = World((("AUTH", 1),), has_room=False)
CLEAR = World((("DENY_TLS", 1), ("AUTH", 1), ("ALLOW_INSECURE_AUTH", 1)))
REFUSED = World((("FORCE_TLS", 1), ("DENY_TLS", 1)), backend=False)
DEFAULT = [("postern-smtpd", CLEAR, "whole"), ("postern-smtpd", REFUSED, "whole"), ("postern serve", PLAIN, "whole"),
           ("postern serve", World((("SSL", 1), ("AUTH", 1), ("REQUIRE_AUTH", 1))), "whole"),
           *((program, PLAIN, kind) for kind in ("filled", "mistakes", "attempts") for program in ("postern-smtpd", "postern serve"))]
ALPHABETS = {"whole": alphabet.WHOLE, "filled": alphabet.FILLED,
             "mistakes": alphabet.MISTAKES, "attempts": alphabet.ATTEMPTS}
FORK = multiprocessing.get_context("fork")
COUNTED = ("mistakes", "attempts")


class Stage:
    """The table, the programs, and what all homes share."""

    def __init__(self, arguments, folder):
        self.table, self.folder = table_of(arguments.dump_table), folder
        self.programs = {"postern-smtpd": (servers.Smtpd, arguments.smtpd), "postern serve": (servers.Serve, arguments.postern)}
        servers.make_stage(folder)

    @functools.lru_cache(maxsize=None)
    def machine(self, world, kind):
        return mealy.minimal(mealy.explored(TableMachine(self.table, world, ALPHABETS[kind], counts=kind in COUNTED)))

    def small_machine(self, world, inputs):
        return mealy.minimal(mealy.explored(TableMachine(self.table, world, inputs)))

    def start(self, program, world, between=None):
        kind, path = self.programs[program]
        return kind(pathlib.Path(path).resolve(strict=True), self.folder, world, between)

    def compare(self, program, world, kind, words, reference_world=None):
        server = self.start(program, world)
        try:
            result = Comparison(server, ALPHABETS[kind], self.machine(reference_world or world, kind), words).run()
        finally:
            troubles = server.end()
        return result, troubles

    def greets(self, world):
        return self.machine(world, "whole").rows[0][alphabet.CONNECT][0].startswith("220")

    def classes(self):
        """One world of each behaviour, as its words have it: the first of those that no word tells apart."""
        found = []
        for world in all_worlds():
            machine = self.machine(world, "whole")
            if all(mealy.difference(machine, self.machine(other, "whole")) for other in found):
                found.append(world)
        return found


def plan(stage, is_whole):
    if not is_whole:
        return DEFAULT
    worlds = [*stage.classes(), *FACTS]
    found = [(program, world, "whole") for world in worlds for program in stage.programs
             if program == "postern-smtpd" or stage.greets(world)]  # a listener that would greet nobody does not start
    found.append(("postern-smtpd", NO_ROOM, "whole"))
    return found + [(program, PLAIN, kind) for kind in ("filled", *COUNTED) for program in stage.programs]


def check_limits():
    """The limits of table_machine.py are those of the programs."""
    text = (HERE.parents[1] / "spec/limits.hpp").read_text()
    for name, value in LIMITS.items():
        if not re.search(rf"\b{name} = {value};", text):
            raise SystemExit(f"spec/limits.hpp does not say {name} = {value}")


def words_of(arguments, kind):
    """What looks for more states. Where all is counted the limits are reached on purpose, so nothing at random."""
    def words(of):
        if kind not in COUNTED:
            yield from of.some(arguments.words, arguments.seed)
        if arguments.depth is not None:
            yield from of.all(arguments.depth)
    return words


def processor_seconds():
    return sum(resource.getrusage(who)[at] for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for at in (0, 1))


def arguments_of(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("dump_table", "smtpd", "postern"):
        parser.add_argument(name)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--words", type=int)
    parser.add_argument("--depth", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(words)
    if arguments.words is None:
        arguments.words = 100 if arguments.whole else 30
    return arguments


def learn(stage, arguments, row):
    """What is printed of one machine, and whether something is wrong."""
    before = processor_seconds()
    result, troubles = stage.compare(*row, words_of(arguments, row[2]))
    states, arrows = len(result.machine), sum(map(len, result.machine.rows))
    verdict = "DIFFERS" if result.difference else "is the table's"
    line = (f"{name_of(row)}: {states} states, {arrows} arrows, {verdict}; {result.asked} words of {result.inputs} inputs asked, "
            f"{result.from_the_table} for the table, {result.tried} for more states; {result.seconds:.1f} s, "
            f"processor {processor_seconds() - before:.1f} s")
    shown = dialogue(result.difference) if result.difference else ()
    return "\n".join([line, *shown, *troubles]), bool(result.difference or troubles)


def main():
    arguments = arguments_of(sys.argv[1:])
    check_limits()
    failed, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postern-learn-") as folder:
        stage = Stage(arguments, pathlib.Path(folder))
        rows = [row for row in plan(stage, arguments.whole) if arguments.only in name_of(row)]
        with concurrent.futures.ProcessPoolExecutor(arguments.jobs, FORK) as pool:
            for line, is_wrong in pool.map(functools.partial(learn, stage, arguments), rows):
                failed += is_wrong
                print(line, flush=True)
    print(f"{len(rows)} machines learnt, {failed} with a difference, {time.monotonic() - began:.0f} s, "
          f"processor {processor_seconds():.0f} s")
    return 1 if failed or not rows else 0


def name_of(row):
    program, world, kind = row
    return f"{program}, {world.text()}" + (f", {kind}" if kind != "whole" else "")


if __name__ == "__main__":
    sys.exit(main())
