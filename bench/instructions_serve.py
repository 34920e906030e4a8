#!/usr/bin/env python3
"""Instructions that `postern serve` takes in user space, counted by callgrind: bench/instructions_serve.py --build BUILD_FOLDER.

A session after the other, or a message: the difference of a long run and a short one, so that start and end do not count.
Prints each figure against the last one of bench/instructions.txt, and fails where it is more than 3 % above. A busy machine only
adds to it, because a message then comes in more pieces: what is above is counted again, and the least counts. `--append LABEL`
adds a line to that file: the version, or the version and what has changed.

  build   cmake --preset bench && cmake --build --preset bench --target serve_alone load
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import servers

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "instructions.txt"
SHORT, LONG = 200, 1200
SHORT_TLS, LONG_TLS = 20, 120  # valgrind takes 50 ms for a handshake
MOST, TRIES = 1.03, 4
WORK = {  # one session at once: what many share a turn of the loop for is not shared
    "session": "mode=ehlo",                          # greeting, EHLO, QUIT
    "message": "a_session=100000",                   # 1 KiB, discarded
    "pipelined": "a_session=100000 pipelined=1",     # the same
    "durable": "a_session=100000",                   # 1 KiB, in a Maildir
    "starttls": "mode=ehlo tls=starttls",            # greeting, EHLO, STARTTLS, a full handshake, EHLO, QUIT: mostly OpenSSL's
}


def run(build, work, count):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        out = pathlib.Path(folder) / "out"

        def make(home, port):
            (home / "mail").mkdir()
            way = [home / "mail" if work == "durable" else "discard"]
            way += [servers.certificate(home)] if work == "starttls" else []
            return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", build / "bin/serve_alone", str(port), *way], {}
        server = servers.Server("callgrind", make, folder)
        try:
            done = json.loads(subprocess.run([build / "bin/load", str(server.port), "sessions=1", "seconds=300", f"messages={count}",
                                              *WORK[work].split()], check=True, stdout=subprocess.PIPE).stdout)
        finally:
            server.stop()
        assert count in (done["sessions"], done["messages"]), f"{work}: {done} instead of {count}"
        return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE).group(1))


def count(build, work, before):
    """Of one session or message: the least of TRIES, or the first that is not above MOST times `before`."""
    least = None
    short, long = (SHORT_TLS, LONG_TLS) if work == "starttls" else (SHORT, LONG)
    for _ in range(TRIES):
        figure = (run(build, work, long) - run(build, work, short)) // (long - short)
        least = figure if least is None else min(least, figure)
        if before is None or least <= MOST * before:
            break
    return least


def last_figures():
    """{work: instructions} of the last line."""
    lines = [line for line in FIGURES.read_text().splitlines() if line and not line.startswith("#")]
    return {} if not lines else {word.split("=")[0]: int(word.split("=")[1]) for word in lines[-1].split() if "=" in word}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/bench")
    parser.add_argument("--work", default=",".join(WORK))
    parser.add_argument("--append", metavar="LABEL")
    args = parser.parse_args()
    before, figures, build = last_figures(), {}, args.build.resolve()
    for work in args.work.split(","):
        figures[work] = count(build, work, before.get(work))
        trend = f", {100 * figures[work] / before[work] - 100:+.1f} %" if work in before else ""
        print(f"{work:10} {figures[work]:7} instructions{trend}", flush=True)
    if args.append:
        with open(FIGURES, "a") as file:
            file.write(" ".join(f"{work}={figure}" for work, figure in figures.items()) + f"  {args.append}\n")
    sys.exit(any(figure > MOST * before.get(work, figure) for work, figure in figures.items()))


if __name__ == "__main__":
    main()
