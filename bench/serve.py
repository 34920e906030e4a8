#!/usr/bin/env python3
"""`postern serve` beside its rivals, as a table in Markdown: bench/serve.py --build BUILD_FOLDER [--rows ehlo,tail,...].

The work is that of bench/load.cpp. Each round starts postern and its rival in turn, each afresh in a fresh folder, warms it
up, sends the work, and reads the CPU of the whole tree of processes (a cpuacct control group, or /proc). Rates depend on
who else uses the machine; CPU time and the ratio of two servers measured in turn hardly do. A cell is the median of the
rounds, with the least and the most. Needs root, openssl, rbldnsd, rspamd, cdb (tinycdb), and Debian's postfix and postfix-cdb: smtp-sink
and the rivals. All of it runs in a network of its own, with an /etc/resolv.conf of its own.

  build   cmake --preset bench && cmake --build --preset bench --target postern load loops
"""
import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import servers

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Row:
    work: str
    load: str
    ours: str = "discard"
    rival: str = "smtp-sink"
    cpu: float = None      # at most so many times the rival's CPU
    rate: float = None     # at least so many times the rival's rate
    unit: str = "messages"


ROWS = {
    "ehlo": Row("connect, EHLO, QUIT (50 at once)", "mode=ehlo messages=3000", cpu=0.5, unit="sessions"),
    "message": Row("1 KiB message a connection, discarded (50 at once)", "messages=2000", cpu=0.7),
    "durable": Row("1 KiB message a connection, durable (50 at once)", "messages=2000", "maildir", "postfix", 0.2, 3),
    "session": Row("100 messages of 1 KiB a connection, durable (10 at once)",
                   "messages=3000 a_session=100 sessions=10", "maildir", "postfix", 0.2),
    "pipelined": Row("the same, pipelined, discarded", "messages=5000 a_session=100 sessions=10 pipelined=1", cpu=0.65),
    "big": Row("1 MiB messages, 10 a connection, discarded (5 at once)",
               "messages=200 a_session=10 sessions=5 size=1048576", cpu=0.1),
    "big-durable": Row("the same, durable", "messages=100 a_session=10 sessions=5 size=1048576", "maildir", "postfix", 0.2),
    "starttls": Row("STARTTLS, full handshake, 1 KiB message, durable (20 at once)",
                    "messages=400 sessions=20 tls=starttls", "maildir", "postfix-tls", 0.3),
    "unknown": Row("EHLO, MAIL, a RCPT that no cdb of 10,000 knows, QUIT (50 at once)", "mode=unknown messages=2000", "unknown",
                   "postfix-unknown", 0.15, unit="sessions"),
    "listed": Row("one of 100 clients that a DNS list lists, refused when it connects (100 at once)", f"mode=listed messages=1000 sessions=100 from={servers.LISTED}", "listed",
                  "postscreen", 0.15, unit="sessions"),
    "rspamd": Row("1 KiB message a connection, durable, judged by rspamd (20 at once)", "messages=400 sessions=20", "rspamd",
                  "postfix-rspamd", 0.25),
    "handshake": Row("full handshake, EHLO, QUIT (20 at once)", "mode=ehlo messages=1000 sessions=20 tls=implicit", "implicit",
                     "loops-tls", 1 / 0.7, unit="sessions"),
}
IDLE = {"idle": ("discard", "tls=none", 4), "idle-tls": ("discard", "tls=starttls", 24)}
TAIL = {"tail": ("discard", "smtp-sink"), "tail-durable": ("maildir", "postfix")}


def postern(build, folder, port, way):
    words = [build / "bin/postern", "serve", "--listen", f"127.0.0.1:{port}", "--domain", "example.test",
             "--host", "mx.example.test", "--certificate", servers.certificate(folder)]
    filters = {"POSTERN_FILTERS": f"rspamd:unix:{servers.rspamd_folder(folder.parent)}/http"}
    if way in ("maildir", "rspamd"):
        (folder / "mail").mkdir()
        return [*words, "--maildir", folder / "mail"], filters if way == "rspamd" else {}
    variables = {"implicit": {"SSL": "1"},
                 "unknown": {"VALIDRCPTTO_CDB": str(servers.recipients(folder))} if way == "unknown" else {},
                 "listed": {"POSTERN_DNS": "127.0.0.1", "DNSBL": "bl.test=127.0.0.2", "DNSBL_AT_CONNECT": "1"}}
    return [*words, "--discard"], variables.get(way, {})


def start(name, build, root):
    def make(folder, port):
        if name == "smtp-sink":
            return ["smtp-sink", "-u", "daemon", "-m", "1000", f"127.0.0.1:{port}", "1024"], {}
        if name == "loops-tls":
            return [build / "bin/loops", "tls", str(port), servers.certificate(folder)], {}
        if name.startswith("post"):
            return servers.postfix_hold(folder, port, name)
        return postern(build, folder, port, name)
    return servers.Server(name, make, root, greets=name not in ("implicit", "loops-tls", "listed", "postscreen"))


def words_of_load(build, server, *words):
    return [build / "bin/load", str(server.port), *" ".join(words).split()]


def load(build, server, *words):
    result = json.loads(subprocess.run(words_of_load(build, server, *words), stdout=subprocess.PIPE, check=True).stdout)
    assert result["failures"] == 0, result
    return result


def measure(name, row, build, root):
    """(CPU in microseconds a unit, units a second)"""
    server = start(name, build, root)
    try:
        load(build, server, row.load, "messages=100")  # warm
        before = server.cpu_seconds()
        result = load(build, server, row.load)
        time.sleep(0.3)  # the last session, and the last process, end
        return ((server.cpu_seconds() - before) / result[row.unit] * 1e6, result[row.unit] / result["seconds"])
    finally:
        server.stop()


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def in_turn(names, rounds, one):
    """{name: its result} of each round; every other round backwards."""
    return [{name: one(name) for name in (names if i % 2 == 0 else names[::-1])} for i in range(rounds)]


def compare(row, args):
    rounds = in_turn([row.ours, row.rival], args.rounds, lambda name: measure(name, row, args.build, args.root))
    cpu = [r[row.ours][0] / r[row.rival][0] for r in rounds]
    rate = [r[row.ours][1] / r[row.rival][1] for r in rounds]
    is_reached = statistics.median(cpu) <= row.cpu and (row.rate is None or statistics.median(rate) >= row.rate)
    wanted = f"{row.cpu:.2f}" + (f", rate {row.rate}" if row.rate else "")
    print(f"| {row.work} | {statistics.median(r[row.ours][0] for r in rounds):.0f} | {row.rival} "
          f"{statistics.median(r[row.rival][0] for r in rounds):.0f} | {spread(cpu)} | {spread(rate, 1)} | {wanted} | "
          f"{'+' if is_reached else '-'} |", flush=True)


def measure_idle(name, tls, args):
    """KiB a session"""
    server = start(name, args.build, args.root)
    try:
        load(args.build, server, "mode=ehlo messages=500", tls)  # warm
        before = server.memory_kib()
        client = subprocess.Popen(words_of_load(args.build, server, "mode=idle", f"sessions={args.idle}", tls),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert client.stdout.readline() == "READY\n"
        time.sleep(0.5)
        taken = server.memory_kib() - before
        sessions = json.loads(client.communicate("\n")[0])["sessions"]
        assert sessions == args.idle, sessions
        return taken / sessions
    finally:
        server.stop()


def compare_idle(name, args):
    way, tls, wanted = IDLE[name]
    values = [measure_idle(way, tls, args) for _ in range(args.rounds)]
    print(f"| {args.idle} sessions at rest, {tls} | {spread(values)} KiB | at most {wanted} KiB | "
          f"{'+' if statistics.median(values) <= wanted else '-'} |", flush=True)


def measure_tail(name, args):
    """Latencies in microseconds at half of the rate that it reaches by itself."""
    server = start(name, args.build, args.root)
    try:
        fastest = load(args.build, server, "messages=3000 a_session=100 sessions=50")
        rate = max(1, int(fastest["messages"] / fastest["seconds"] / 2))
        return {"rate": rate, **load(args.build, server, f"messages={rate * 3} sessions=50 rate={rate}")}
    finally:
        server.stop()


def compare_tail(name, args):
    names = TAIL[name]
    rounds = in_turn(list(names), args.rounds, lambda each: measure_tail(each, args))
    for who in names:
        cells = [f"{statistics.median(r[who]['rate'] for r in rounds):.0f}"]
        ratios = []
        for what in ("command", "stored", "message"):
            p50, p99, most = (statistics.median(r[who][what][at] for r in rounds) for at in ("p50", "p99", "max"))
            ratios.append(statistics.median(r[who][what]["p99"] / max(r[who][what]["p50"], 1) for r in rounds))
            cells.append(f"{p50:.0f} / {p99:.0f} / {most:.0f}")
        print(f"| {who} | {' | '.join(cells)} | {ratios[0]:.1f}, {ratios[1]:.1f} | {'+' if max(ratios[:2]) <= 10 else '-'} |",
              flush=True)


def heading(*cells):
    print("\n| " + " | ".join(cells) + " |\n|" + "---|" * len(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/bench", help="has bin/postern, load, loops")
    parser.add_argument("--rows", default=",".join([*ROWS, *IDLE, *TAIL]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=10000, help="sessions at rest; `ulimit -Hn` bounds them")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # in a network and mounts of its own
    parser.add_argument("--realtime", action="store_true", help="servers and load go before other programs (SCHED_RR): for tails")
    args = parser.parse_args()
    if not args.alone:
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, "-B", *sys.argv, "--alone"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", servers.LISTED + "/24", "dev", "lo"], check=True)
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    args.build = args.build.resolve()
    rows = args.rows.split(",")
    with servers.folder_for_servers() as args.root, servers.dns_list(args.root), servers.rspamd(args.root):
        print(f"{args.rounds} rounds; load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
        if any(name in ROWS for name in rows):
            heading("work", "CPU us", "rival, CPU us", "CPU x rival", "rate x rival", "wanted", "")
        for name in [name for name in rows if name in ROWS]:
            compare(ROWS[name], args)
        if any(name in IDLE for name in rows):
            heading("at rest", "PSS a session", "wanted", "")
        for name in [name for name in rows if name in IDLE]:
            compare_idle(name, args)
        if any(name in TAIL for name in rows):
            heading("server", "messages a second", "command p50 / p99 / max us", "stored", "message",
                    "p99 / p50 of command, stored: at most 10", "")
        for name in [name for name in rows if name in TAIL]:
            compare_tail(name, args)
        print(f"\nload of the machine at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
