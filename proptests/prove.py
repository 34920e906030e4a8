#!/usr/bin/env python3
"""Asks z3 and cvc5 about every file that write_proofs wrote; both must answer what the file expects, nothing else will do.

  prove.py WRITE_PROOFS SPEC_FOLDER OUTPUT_FOLDER

A wrong answer, a missing one, `unknown`, an error or a file without a satisfiable control is a failure.
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time

SOLVERS = {"z3": ["z3", "-smt2"], "cvc5": ["cvc5", "--incremental", "--ite-simp", "--lang=smt2"]}
SECONDS = 120
EXPECTATION = re.compile(r'^"?expect (sat|unsat): (.*?)"?$')


def ask(solver, path):
    """What was expected and answered, and how long it took: ([(expected, what, answer)], seconds)."""
    begin = time.monotonic()
    try:
        run = subprocess.run(SOLVERS[solver] + [str(path)], capture_output=True, text=True, timeout=SECONDS)
        lines = (run.stdout + run.stderr).splitlines()
    except subprocess.TimeoutExpired:
        lines = []
    answers = []
    for line in lines:
        if expectation := EXPECTATION.match(line):
            answers.append([expectation[1], expectation[2], "no answer"])
        elif answers and answers[-1][2] == "no answer":
            answers[-1][2] = line
        elif line.strip():
            answers.append(["silence", "output", line])
    return answers, time.monotonic() - begin


def problems_of(path, solver, answers):
    """Sentences about what is wrong in one solver's answers."""
    text = path.read_text()
    found = [f"{path.name}: {solver} says {answer} for {what}, not {expected}"
             for expected, what, answer in answers if answer != expected]
    if len(answers) != text.count("(check-sat)"):
        found.append(f"{path.name}: {solver} answers {len(answers)} of {text.count('(check-sat)')} questions")
    if not any(expected == "sat" for expected, _, _ in answers):
        found.append(f"{path.name}: nothing satisfiable, the proof may be empty")
    return found


def cell(answers, kind):
    """`unsat` for the questions of that kind, `12 sat` when there are more of them, `-` for none."""
    chosen = [answer for _, what, answer in answers if what.split(" ")[0].rstrip(":") == kind]
    if not chosen:
        return "-"
    if len(set(chosen)) > 1:
        return "MIXED"
    return chosen[0] if len(chosen) == 1 else f"{len(chosen)} {chosen[0]}"


def main():
    write_proofs, spec, output = sys.argv[1:4]
    subprocess.run([write_proofs, spec, output], check=True)
    paths = sorted(pathlib.Path(output).glob("*.smt2"))
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {(path, solver): pool.submit(ask, solver, path) for path in paths for solver in SOLVERS}
        results = {key: job.result() for key, job in jobs.items()}
    kinds = ["base", "step", "law", "control", "witness"]
    print(f"{'file':62}" + "".join(f"{kind:>10}" for kind in kinds) + "".join(f"{solver:>8}" for solver in SOLVERS))
    problems, questions = [], 0
    for path in paths:
        rows = {solver: results[path, solver] for solver in SOLVERS}
        cells = [[cell(answers, kind) for kind in kinds] for answers, _ in rows.values()]
        shown = [a if a == b else f"{a}/{b}" for a, b in zip(*cells)]
        seconds = "".join(f"{seconds:7.2f}s" for _, seconds in rows.values())
        print(f"{path.stem:62}" + "".join(f"{text:>10}" for text in shown) + seconds)
        for solver, (answers, _) in rows.items():
            problems += problems_of(path, solver, answers)
        questions += len(rows["z3"][0])
    print(f"{len(paths)} files, {questions} questions to each of {' and '.join(SOLVERS)}, "
          f"{len(problems)} problems, {time.monotonic() - begin:.1f} s")
    print(*problems, sep="\n")
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
