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
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
CPUACCT = pathlib.Path("/sys/fs/cgroup/cpuacct")
WORK = {  # name: (units, smtp-source arguments)
    "ehlo": (2000, None),
    "message": (1000, ["-s", "20", "-m", "1000", "-l", "1024"]),
    "session": (2000, ["-d", "-s", "10", "-m", "2000", "-l", "1024"]),
    "big": (60, ["-d", "-s", "3", "-m", "60", "-l", "1048576"]),
}
POSTFIX = """compatibility_level = 3.6
config_directory = {0}/etc
queue_directory = {0}/spool
data_directory = {0}/data
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_recipient_maps =
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:user/
virtual_mailbox_base = {0}/mail
smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_recipient_access static:HOLD, permit_auth_destination, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 200
in_flow_delay = 0
"""
MASTER = """127.0.0.1:{0} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tcpserver(program, port):
    return ["tcpserver", "-D", "-H", "-R", "-l", "mx.example.test", "-c", "500", "-b", "512", "127.0.0.1", str(port), program]


def postern(build, folder, port, maildir):
    home = folder / "home"
    (home / "control").mkdir(parents=True)
    (home / "control/me").write_text("mx.example.test\n")
    (home / "control/rcpthosts").write_text("example.test\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
                    "-subj", "/CN=mx.example.test", "-keyout", folder / "key", "-out", folder / "crt"],
                   check=True, stderr=subprocess.DEVNULL)
    (home / "control/servercert.pem").write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    (folder / "mail").mkdir()
    hand_over = {"POSTERN_MAILDIR": str(folder / "mail")} if maildir else {"QMAILQUEUE": str(build / "bin/drop")}
    return tcpserver(str(build / "bin/postern-smtpd"), port), {"POSTERN_HOME": str(home), **hand_over}


def postfix(folder, port):
    for name in ("etc", "spool", "data", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc/main.cf").write_text(POSTFIX.format(folder))
    (folder / "etc/master.cf").write_text(MASTER.format(port))
    subprocess.run(["postfix", "-c", str(folder / "etc"), "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["/usr/lib/postfix/sbin/master", "-c", str(folder / "etc"), "-d"], {}


def command_of(target, build, folder, port):
    if target == "stub":
        return tcpserver(str(build / "bin/stub"), port), {}
    if target == "postfix-hold":
        return postfix(folder, port)
    return postern(build, folder, port, target == "postern-maildir")


class Server:
    def __init__(self, target, build, root):
        self.port = free_port()
        folder = pathlib.Path(tempfile.mkdtemp(prefix=target + "-", dir=root))
        os.chmod(folder, 0o755)
        self.group = CPUACCT / f"compare-{os.getpid()}-{self.port}"
        try:
            self.group.mkdir()
        except OSError:
            self.group = None
        argv, env = command_of(target, build, folder, self.port)
        log = open(folder / "log", "wb")
        self.process = subprocess.Popen(argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        preexec_fn=self.enter)
        self.wait_until_it_greets()

    def enter(self):
        os.setsid()
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def wait_until_it_greets(self):
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                    if s.recv(3) == b"220":
                        return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"a server did not start: {self.process.args}")

    def tree(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
            except OSError:
                pass
        return found

    def cpu_seconds(self):
        if self.group:
            return int((self.group / "cpuacct.usage").read_text()) * 1e-9
        ticks = 0
        for pid in self.tree():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += sum(map(int, fields[11:15]))
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        for pid in self.tree():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        self.process.wait(10)


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
    server = Server(target, build, root)
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
    root = tempfile.mkdtemp(prefix="postern-compare-", dir="/var/tmp")  # a disk, not memory
    os.chmod(root, 0o755)
    try:
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
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
