#!/usr/bin/env python3
"""Searches all runs of the models of threads with spin(1), and shows for each property that it can fail.

    check.py [--controls] [--model NAME] [--show]

in      *.pml and runs.toml beside it; spin and a C compiler
out     a line a search: states, depth, processor seconds; exit 1 when a property fails, a control holds, a search is not whole
        (its depth, its memory), or part of a model never happens
--controls  the mutants instead of the models; --show prints the run that breaks the property
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

FOLDER = Path(__file__).resolve().parent
DEPTH = 2_000_000
MEGABYTES = 4_000
INCOMPLETE = ("max search depth too small", "Search not completed", "out of memory", "aborted", "interrupted")


class Kind(Enum):
    """How a search is compiled: one that ends soon is not worth an optimiser."""

    LONG = "-O1"
    SHORT = "-O0"


@dataclass
class Result:
    says: str
    errors: int
    states: int
    depth: int
    seconds: float
    run: str = ""
    table: str = ""

    @property
    def is_whole(self) -> bool:
        return not any(sign in self.says for sign in INCOMPLETE) and self.states > 0


def call(words: list[str], folder: str, timeout: int) -> str:
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(words)} ends with {done.returncode}:\n{done.stdout}")
    return done.stdout


def build(name: str, defines: list[str], folder: str, flags: list[str]) -> None:
    """The search for one model, as the program `pan` in `folder`."""
    for file in [*FOLDER.glob("*.pml"), *FOLDER.glob("*.h")]:
        (Path(folder) / file.name).write_bytes(file.read_bytes())
    said = call(["spin", *[f"-D{each}" for each in defines], "-a", f"{name}.pml"], folder, 60)
    if re.search(r"error", said, re.IGNORECASE):
        raise SystemExit(f"{name}: {said}")
    call(["cc", "-w", *flags, "-o", "pan", "pan.c"], folder, 300)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(float(found[1])) if found else 0


def search(name: str, wanted: str, timeout: int, kind: Kind) -> Result:
    prop, *defines = wanted.split()
    is_safety = prop == "safety"
    flags = [kind.value, "-DCOLLAPSE", f"-DMEMLIM={MEGABYTES}", *(["-DSAFETY", "-DNOCLAIM"] if is_safety else ["-DNFAIR=3"])]
    before = getrusage(RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        build(name, defines, folder, flags)
        claim = [] if is_safety else ["-a", "-f", "-N", prop]
        says = call(["./pan", f"-m{DEPTH}", "-w22", *claim], folder, timeout)
        table = (Path(folder) / "pan.m").read_text()
        run = call(["spin", *[f"-D{each}" for each in defines], "-t", "-p", f"{name}.pml"], folder, 60) if (Path(folder) / f"{name}.pml.trail").exists() else ""
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Result(says, number(r"errors: (\d+)", says), number(r"(\S+) states, stored", says), number(r"depth reached (\d+)", says), seconds, run, table)


def never_happens(says: str, table: str, allowed: list[str]) -> list[str]:
    """Statements of the model itself that no run reaches, in none of the places that an inline puts them in."""
    unreached = Counter(re.findall(r'^\t(\w+\.pml:\d+), state \d+, "(.*)"$', says, re.MULTILINE))
    all_places = Counter(re.findall(r"// STATE \d+ - (\w+\.pml:\d+) - \[(.*)\] \(", table))
    return [
        f"{place} {what}"
        for (place, what), count in unreached.items()
        if what not in ("-end-", *allowed) and 0 < all_places[(place, what)] <= count
    ]


def judge(model: dict, wanted: str, result: Result) -> list[str]:
    wrong = []
    if not result.is_whole:
        wrong.append("the search is not whole:\n" + result.says)
    if result.errors:
        wrong.append("it fails:\n" + result.run + result.says)
    if wanted.startswith("safety") and not wrong:
        wrong += [f"never happens: {each}" for each in never_happens(result.says, result.table, model.get("unreached", []))]
    return wrong


def check_models(models: list[dict], timeout: int) -> bool:
    is_well = True
    for model in models:
        for wanted in model["searches"]:
            result = search(model["name"], wanted, timeout, Kind.LONG if model.get("is_long") else Kind.SHORT)
            wrong = judge(model, wanted, result)
            is_well &= not wrong
            verdict = "holds" if not wrong else "WRONG: " + "\n".join(wrong)
            size = f"{result.states:>9} states, depth {result.depth:>5}, {result.seconds:6.1f} s"
            print(f"{model['name']:12} {wanted:52} {size}  {verdict}", flush=True)
    return is_well


def check_controls(models: list[dict], controls: list[dict], timeout: int, show: bool) -> bool:
    bounds = {(model["name"], wanted.split()[0]): wanted for model in models for wanted in model["searches"]}
    is_well = True
    for control in controls:
        wanted = bounds.get((control["model"], control["property"]))
        if wanted is None:
            continue
        names = " ".join([control["name"], *control.get("also", [])])
        result = search(control["model"], f"{wanted} {names}", timeout, Kind.SHORT)
        is_found = result.errors > 0 and control["says"] in result.says
        is_well &= is_found
        verdict = "found" if is_found else "NOT FOUND:\n" + result.says
        print(f"{control['model']:12} {control['name']:22} {control['property']:8} {result.seconds:5.1f} s  {verdict}: {control['why']}", flush=True)
        if show:
            print(result.run)
    return is_well


def has_controls(models: list[dict], controls: list[dict]) -> bool:
    """Each property of each model has a mutant that breaks it, and each mutant is in its model."""
    is_well = True
    for model in models:
        own = [control for control in controls if control["model"] == model["name"]]
        properties = {wanted.split()[0] for wanted in model["searches"]}
        for prop in properties - {control["property"] for control in own}:
            print(f"{model['name']}: no control breaks {prop}")
            is_well = False
        for control in own:
            text = (FOLDER / f"{model['name']}.pml").read_text()
            if control["property"] not in properties or not re.search(rf"\b{control['name']}\b", text):
                print(f"{model['name']} knows no {control['name']}, or no {control['property']}")
                is_well = False
    return is_well


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--controls", action="store_true")
    arguments.add_argument("--show", action="store_true")
    arguments.add_argument("--model")
    arguments.add_argument("--timeout", type=int, default=600, help="seconds for one search")
    given = arguments.parse_args()
    runs = tomllib.loads((FOLDER / "runs.toml").read_text())
    models = [model for model in runs["model"] if given.model in (None, model["name"])]
    if not models:
        raise SystemExit(f"no model is called {given.model}")
    if given.controls:
        is_well = has_controls(models, runs["control"]) & check_controls(models, runs["control"], given.timeout, given.show)
    else:
        is_well = check_models(models, given.timeout)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
