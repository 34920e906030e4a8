#!/usr/bin/env python3
"""Replays what was recorded of the original against postern-smtpd and says where the two differ.

Every configuration and session of the recording is held with the program (a new process each), and every reply, every
stored envelope and message, and the exit code are compared. A difference must be explained by exactly one entry of
deviations.toml, and every entry must explain something. Exit code: 0 when both hold, 1 otherwise.

Only Python's standard library, a C compiler and the openssl command are used. See README.md beside this file.
"""

import argparse
import concurrent.futures
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
from recording import Recording, load_configurations, load_sessions


class Bench:
    """All that is needed to hold and judge a dialogue."""

    def __init__(self, program, root, timeout_seconds):
        self._root = root
        self.configurations = load_configurations()
        self.sessions = load_sessions()
        self.recording = Recording()
        self.deviations = Deviations()
        self._client = Client(program, Homes(root), timeout_seconds)

    def work(self, configuration_glob, session_glob):
        return [Place(configuration, session)
                for configuration in self.configurations if matches(configuration, configuration_glob)
                for session in self.recording.sessions_of(configuration) if matches(session, session_glob)]

    def hold(self, place, number=0):
        prefix = f"{self._root}/queue-{number}"
        return self._client.hold(self.configurations[place.configuration], self.sessions[place.session], prefix)

    def judge(self, place, transcript):
        return Judge(self.recording, self.deviations, place.configuration, place.session).compare(transcript)


def matches(name, glob):
    return fnmatch.fnmatchcase(name, glob.replace("[", "[[]"))


def judge_all(bench, work, processes, threads):
    """Dialogues in random order, so that the slow ones (a failed AUTH takes two seconds) overlap with all others."""
    numbered = list(enumerate(work))
    random.Random(0).shuffle(numbered)
    total = Verdict()
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(processes, fork, adopt, (bench,)) as pool:
        for verdict in pool.map(judge_some, [numbered[start::processes] for start in range(processes)],
                                [threads] * processes):
            total.add(verdict)
    return total


def adopt(bench):
    """Once in each process: what a fork inherits need not be pickled with every piece of work."""
    judge_some.bench = bench


def judge_some(numbered, threads):
    def judge_one(item):
        number, place = item
        return bench.judge(place, bench.hold(place, number))

    bench = judge_some.bench
    total = Verdict()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for verdict in pool.map(judge_one, numbered):
            total.add(verdict)
    return total


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the receiver, as build/release/bin/postern-smtpd")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--threads", type=int, default=32, help="dialogues at once in each process")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for a reply")
    parser.add_argument("--config", default="*", metavar="GLOB", help="only these configurations")
    parser.add_argument("--session", default="*", metavar="GLOB", help="only these sessions")
    parser.add_argument("--sample", type=int, metavar="N", help="only N dialogues, always the same ones")
    parser.add_argument("--show", nargs=2, metavar=("CONFIG", "SESSION"), help="print one dialogue")
    parser.add_argument("--shown", type=int, default=20, metavar="N", help="how many kinds of difference to print")
    return parser.parse_args()


def select(bench, arguments):
    work = bench.work(arguments.config, arguments.session)
    if arguments.sample and arguments.sample < len(work):
        work = random.Random(1).sample(work, arguments.sample)
    return work


def main():
    arguments = parse_arguments()
    program = str(pathlib.Path(arguments.program).resolve(strict=True))
    with tempfile.TemporaryDirectory(prefix="postern-conformance-") as root:
        bench = Bench(program, root, arguments.timeout)
        if arguments.show:
            place = Place(*arguments.show)
            report.show(bench, place, bench.hold(place))
            return 0
        work = select(bench, arguments)
        began = time.monotonic()
        verdict = judge_all(bench, work, arguments.jobs, arguments.threads)
        seconds = time.monotonic() - began
    is_whole = len(work) == len(bench.work("*", "*"))
    return report.summary(bench.deviations, verdict, work, is_whole, seconds, arguments.shown)


if __name__ == "__main__":
    sys.exit(main())
