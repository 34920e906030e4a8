#!/usr/bin/env python3
"""Server CPU for the same work, postern beside its rivals, in one run: bench/compare.py --build BUILD_FOLDER.

Rates depend on the machine and on who else uses it; the CPU time that the server's processes took, and the ratio of two
servers measured in turn, hardly do. Each round starts a fresh server in a fresh folder, warms it up, sends the work, and
reads the CPU of the whole process tree (a cpuacct control group, or /proc). Needs root, tcpserver, and Debian's postfix
package for its smtp-source (the load) and as a rival; everything stays on 127.0.0.1.

  ehlo       connect, EHLO, QUIT                      message    one message of 1 KiB a connection
  session    100 messages of 1 KiB a connection       big        messages of 1 MiB, 10 a connection
"""
import argparse
import pathlib
import shutil
import socket
import statistics
import subprocess
import threading
import time

import servers

HERE = pathlib.Path(__file__).resolve().parent
WORK = {  # name: (units, smtp-source arguments)
    "ehlo": (2000, None),
    "message": (1000, ["-s", "20", "-m", "1000", "-l", "1024"]),
    "session": (2000, ["-d", "-s", "10", "-m", "2000", "-l", "1024"]),
    "big": (60, ["-d", "-s", "3", "-m", "60", "-l", "1048576"]),
}


def tcpserver(program, port):
    return ["tcpserver", "-D", "-H", "-R", "-l", "mx.example.test", "-c", "500", "-b", "512", "127.0.0.1", str(port), program]


def postern(build, folder, port, maildir):
    home = folder / "home"
    (home / "control").mkdir(parents=True)
    (home / "control/me").write_text("mx.example.test\n")
    (home / "control/rcpthosts").write_text("example.test\n")
    shutil.copy(servers.certificate(folder), home / "control/servercert.pem")
    (folder / "mail").mkdir()
    hand_over = {"POSTERN_MAILDIR": str(folder / "mail")} if maildir else {"QMAILQUEUE": str(build / "bin/drop")}
    return tcpserver(str(build / "bin/postern-smtpd"), port), {"POSTERN_HOME": str(home), **hand_over}


def maker_of(target, build):
    if target == "stub":
        return lambda folder, port: (tcpserver(str(build / "bin/stub"), port), {})
    if target == "postfix-hold":
        return servers.postfix_hold
    return lambda folder, port: postern(build, folder, port, target == "postern-maildir")


def ehlo_and_quit(port, count):
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), 30) as s:
            s.recv(512), s.sendall(b"EHLO bench.example.test\r\n"), s.recv(2048), s.sendall(b"QUIT\r\n"), s.recv(512)


def send(work, port):
    units, arguments = WORK[work]
    if arguments:
        subprocess.run(["smtp-source", *arguments, "-f", "from@sender.example", "-t", "user@example.test", f"127.0.0.1:{port}"],
                       check=True, stdout=subprocess.DEVNULL)
        return
    threads = [threading.Thread(target=ehlo_and_quit, args=(port, units // 10)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(target, work, build, root):
    server = servers.Server(target, maker_of(target, build), root)
    try:
        ehlo_and_quit(server.port, 50)  # warm
        before = server.cpu_seconds()
        send(work, server.port)
        time.sleep(0.3)  # the last process ends
        return (server.cpu_seconds() - before) / WORK[work][0] * 1e6
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/bench", help="has bin/postern-smtpd, stub, drop")
    parser.add_argument("--targets", default="postern-discard,postern-maildir,stub,postfix-hold")
    parser.add_argument("--work", default="ehlo,message,session,big")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    targets, build = args.targets.split(","), args.build.resolve()
    with servers.folder_for_servers() as root:
        for work in args.work.split(","):
            rounds = []
            for i in range(args.rounds):
                order = targets if i % 2 == 0 else targets[::-1]
                rounds.append({t: measure(t, work, build, root) for t in order})
            print(f"\n{work}: server CPU in microseconds a {'connection' if work == 'ehlo' else 'message'}, "
                  f"median of {args.rounds} rounds (least, most); below, its ratio to each other target, round by round")
            for t in targets:
                values = [r[t] for r in rounds]
                ratios = "  ".join(f"{statistics.median(r[t] / r[o] for r in rounds):.2f} x {o}" for o in targets if o != t)
                print(f"  {t:16} {statistics.median(values):8.0f} ({min(values):.0f}, {max(values):.0f})   {ratios}", flush=True)


if __name__ == "__main__":
    main()
