#!/usr/bin/env python3
"""Replays what was recorded of the original against postern-smtpd and `postern serve`, and says where they differ.

Every configuration and session of the recording is held with the programs (postern-smtpd: a new process each; the
listener: a class of clients each), and every reply, every stored envelope and message, and the exit code are compared. A
difference must be explained by exactly one entry of deviations.toml, and every entry must explain something. The two
programs must answer alike, octet by octet, but for what pair.toml says. Exit code: 0 when all this holds, 1 otherwise.

Only Python's standard library, a C compiler and the openssl command are used. See README.md next to this file.
"""

import argparse
import concurrent.futures
import dataclasses
import fnmatch
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import time

import report
from client import Client
from deviations import Deviations, Place
from homes import Homes
from judge import Judge, Verdict
from listener import Listener
from pair import Comparison, Pairs
from recording import Recording, load_configurations, load_sessions

SMTPD, SERVE = "postern-smtpd", "postern serve"


class Bench:
    """All that is needed to hold and judge dialogues with postern-smtpd, with the listener, or with both."""

    def __init__(self, arguments, root):
        self._root = root
        self.configurations = load_configurations()
        self.sessions = load_sessions()
        self.recording = Recording()
        self.deviations, self.pairs = Deviations(), Pairs()
        homes = Homes(root)
        path = lambda word: word and str(pathlib.Path(word).resolve(strict=True))  # noqa: E731
        self._client = Client(path(arguments.program), homes, arguments.timeout) if arguments.program else None
        self._listener = Listener(path(arguments.serve), root, homes, arguments.timeout) if arguments.serve else None

    def work(self, configuration_glob, session_glob):
        return [Place(configuration, session)
                for configuration in self.configurations if matches(configuration, configuration_glob)
                for session in self.recording.sessions_of(configuration) if matches(session, session_glob)]

    def start(self, work):
        if self._listener:
            for place in filter(self.pairs.can_be_told, work):
                self._listener.expect(place, *self._parts(place))
            self._listener.start()

    def hold_all(self, places, threads):
        """Transcripts of each program, by name and place."""
        held = {}
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            if self._client:
                held[SMTPD] = dict(zip(places, pool.map(self._hold_with_smtpd, places)))
            if self._listener:
                told = [place for place in places if self.pairs.can_be_told(place)]
                held[SERVE] = dict(zip(told, pool.map(self._hold_with_listener, told)))
                self._listener.settle(held[SERVE])
        return held

    def judge(self, place, transcript):
        return Judge(self.recording, self.deviations, place.configuration, place.session).compare(transcript)

    def end(self):
        return self._listener.end() if self._listener else []

    def _parts(self, place):
        return self.configurations[place.configuration], self.sessions[place.session]

    def _hold_with_smtpd(self, place):
        prefix = f"{self._root}/queue-{place.configuration}-{place.session}".replace("/", "_")
        return self._client.hold(*self._parts(place), f"{self._root}/{prefix}")

    def _hold_with_listener(self, place):
        return self._listener.hold(place, *self._parts(place))


@dataclasses.dataclass
class Total:
    verdicts: dict  # by program
    comparison: Comparison

    def add(self, other):
        for name, verdict in other.verdicts.items():
            self.verdicts.setdefault(name, Verdict()).add(verdict)
        self.comparison.add(other.comparison)


def matches(name, glob):
    return fnmatch.fnmatchcase(name, glob.replace("[", "[[]"))


def judge_all(bench, work, processes, threads):
    """Dialogues in random order, so that the slow ones (a failed AUTH takes two seconds) overlap with all others."""
    shuffled = list(work)
    random.Random(0).shuffle(shuffled)
    total = Total({}, Comparison())
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(processes, fork, adopt, (bench,)) as pool:
        for part in pool.map(judge_some, [shuffled[start::processes] for start in range(processes)],
                             [threads] * processes):
            total.add(part)
    return total


def adopt(bench):
    """Once in each process: what a fork inherits need not be pickled with every piece of work."""
    judge_some.bench = bench


def judge_some(places, threads):
    bench = judge_some.bench
    held = bench.hold_all(places, threads)
    total = Total({name: Verdict() for name in held}, Comparison())
    for name, transcripts in held.items():
        for place, transcript in transcripts.items():
            total.verdicts[name].add(bench.judge(place, transcript))
    if len(held) == 2:
        for place in held[SERVE]:
            total.comparison.add(bench.pairs.compare(place, held[SMTPD][place], held[SERVE][place]))
    return total


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help="postern-smtpd, as build/release/bin/postern-smtpd")
    parser.add_argument("--serve", help="the listener, as build/release/bin/serve_as_told; with both, they are compared")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--threads", type=int, default=32, help="dialogues at once in each process")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for a reply")
    parser.add_argument("--config", default="*", metavar="GLOB", help="only these configurations")
    parser.add_argument("--session", default="*", metavar="GLOB", help="only these sessions")
    parser.add_argument("--sample", type=int, metavar="N", help="only N dialogues, always the same ones")
    parser.add_argument("--show", nargs=2, metavar=("CONFIG", "SESSION"), help="print one dialogue")
    parser.add_argument("--shown", type=int, default=20, metavar="N", help="how many kinds of difference to print")
    arguments = parser.parse_args()
    if not (arguments.program or arguments.serve):
        parser.error("--program, --serve, or both")
    return arguments


def select(bench, arguments):
    work = bench.work(arguments.config, arguments.session)
    if arguments.sample and arguments.sample < len(work):
        work = random.Random(1).sample(work, arguments.sample)
    return work


def show(bench, place):
    for name, transcripts in bench.hold_all([place], 1).items():
        print(f"---- {name}")
        report.show(bench, place, transcripts[place])


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="postern-conformance-") as root:
        bench = Bench(arguments, root)
        work = [Place(*arguments.show)] if arguments.show else select(bench, arguments)
        began = time.monotonic()
        try:
            bench.start(work)
            if arguments.show:
                show(bench, work[0])
            else:
                total = judge_all(bench, work, arguments.jobs, arguments.threads)
        finally:
            troubles = bench.end()
            print(*troubles, sep="\n", end="\n" if troubles else "")
        if arguments.show:
            return len(troubles)
        seconds = time.monotonic() - began
    is_whole = len(work) == len(bench.work("*", "*"))
    codes = [report.summary(name, bench.deviations, verdict, is_whole, arguments.shown)
             for name, verdict in total.verdicts.items()]
    if len(total.verdicts) == 2:
        codes.append(report.pair_summary(bench.pairs, total.comparison, work if is_whole else [], arguments.shown))
    print(f"{seconds:.0f} s")
    return 1 if troubles or any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
