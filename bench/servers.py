"""Starts the servers that bench/compare.py and bench/serve.py measure, and reads what they take.

A Server runs in a fresh folder, in a session of its own and, where there is one, in a cpuacct control group of its own: so
the CPU time is that of the whole tree of processes, the dead included. It stays on 127.0.0.1, and stop() ends all of it.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CPUACCT = pathlib.Path("/sys/fs/cgroup/cpuacct")
LISTED = "203.0.113.0"  # and so on, /24: nobody asks a list about 127.0.0.1
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
POSTFIX_TLS = """smtpd_tls_security_level = may
smtpd_tls_chain_files = {0}/pem
smtpd_tls_received_header = no
"""
POSTFIX_UNKNOWN = """virtual_mailbox_maps = cdb:{0}/users
smtpd_recipient_restrictions = permit_auth_destination, reject
"""
POSTSCREEN = """postscreen_access_list =
postscreen_greet_wait = 4s
postscreen_dnsbl_sites = bl.test
postscreen_dnsbl_action = drop
"""
POSTFIX_RSPAMD = """smtpd_milters = unix:{0}/milter
milter_default_action = tempfail
"""
RSPAMD = """options {{ pidfile = "{0}/rspamd.pid"; tempdir = "{0}"; hs_cache_dir = "{0}"; url_tld = "{0}/tld"; filters = ""; disable_hyperscan = true; }}
logging {{ type = "console"; level = "error"; }}
worker "normal" {{ bind_socket = "{0}/http mode=0666"; count = 1; }}
worker "rspamd_proxy" {{ bind_socket = "{0}/milter mode=0666"; milter = yes; timeout = 60s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }} }}
actions {{ reject = 15; add_header = 6; greylist = null; }}
"""
MASTER_POSTSCREEN = """127.0.0.1:{0} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
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


@contextlib.contextmanager
def folder_for_servers():
    """On a disk, not in memory. Nothing in it is deleted before the end, and its folders are spread over the disk (chattr +T):
    ext4 passes over every inode that was deleted in the last minutes, which would cost the next server more than its work."""
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as root:
        os.chmod(root, 0o755)
        subprocess.run(["chattr", "+T", root], stderr=subprocess.DEVNULL)
        yield root


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def certificate(folder):
    """A key and a certificate of its own for mx.example.test (ECDSA P-256) in one PEM file."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
                    "-subj", "/CN=mx.example.test", "-keyout", folder / "key", "-out", folder / "crt"],
                   check=True, stderr=subprocess.DEVNULL)
    (folder / "pem").write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    return folder / "pem"


def recipients(folder):
    """A cdb of 10,000 users of example.test; `user` is none of them. Postfix and validrcptto.cdb read the same records."""
    addresses = [f"user{i}@example.test" for i in range(10000)]
    text = "".join(f"+{len(address)},1:{address}->1\n" for address in addresses) + "\n"
    subprocess.run(["cdb", "-c", folder / "users.cdb"], input=text.encode(), check=True)
    return folder / "users.cdb"


@contextlib.contextmanager
def rspamd(root):
    """Scans by HTTP on the socket `http`, as a milter on `milter`; a process for each, with no rule but rspamd's own test of spam."""
    folder = rspamd_folder(root)
    folder.mkdir()
    shutil.chown(folder, "_rspamd")
    (folder / "tld").write_text("com\norg\n")
    (folder / "conf").write_text(RSPAMD.format(folder))
    process = subprocess.Popen(["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", folder / "conf"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        for name in ("http", "milter"):
            until_it_listens(folder / name)
        yield
    finally:
        process.terminate()
        process.wait()


def rspamd_folder(root):
    return pathlib.Path(root) / "rspamd"


def until_it_listens(path):
    for _ in range(1200):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on {path}")


@contextlib.contextmanager
def dns_list(root):
    """rbldnsd on port 53 lists the clients of LISTED in bl.test, and /etc/resolv.conf asks it. Only in a network and mounts of our own."""
    folder = pathlib.Path(root)
    (folder / "bl.test").write_text(LISTED + "/24\n")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)
    rbldnsd = subprocess.Popen(["rbldnsd", "-n", "-c", "0", "-u", "nobody", "-w", root, "-b", "127.0.0.1/53", "bl.test:ip4set:bl.test"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        rbldnsd.kill()
        rbldnsd.wait()


def postfix_hold(folder, port, kind="postfix"):
    """Postfix that puts every message on hold: one synced queue file a message, and no delivery."""
    for name in ("etc", "spool", "data", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    settings, services = POSTFIX.format(folder), MASTER.format(port)
    if kind == "postfix-tls":
        certificate(folder)
        settings += POSTFIX_TLS.format(folder)
    if kind == "postfix-unknown":
        recipients(folder)
        settings += POSTFIX_UNKNOWN.format(folder)
    if kind == "postfix-rspamd":
        settings += POSTFIX_RSPAMD.format(rspamd_folder(folder.parent))
    if kind == "postscreen":
        settings += POSTSCREEN
        services = MASTER_POSTSCREEN.format(port) + services.partition("\n")[2]
    (folder / "etc/main.cf").write_text(settings)
    (folder / "etc/master.cf").write_text(services)
    subprocess.run(["postfix", "-c", str(folder / "etc"), "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["/usr/lib/postfix/sbin/master", "-c", str(folder / "etc"), "-d"], {}


class Server:
    """`make(folder, port)` gives the program's words and its variables."""

    def __init__(self, name, make, root, greets=True):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=root))
        os.chmod(self.folder, 0o755)
        self.group = CPUACCT / f"postern-bench-{os.getpid()}-{self.port}"
        try:
            self.group.mkdir()
        except OSError:
            self.group = None
        argv, env = make(self.folder, self.port)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=self.enter)
        self.wait_until_it_serves(greets)

    def enter(self):
        os.setsid()
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def wait_until_it_serves(self, greets):
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                    if not greets or s.recv(3) == b"220":
                        return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise SystemExit(f"a server did not start: {self.process.args}")

    def tree(self):
        if self.group:
            return [int(pid) for pid in (self.group / "cgroup.procs").read_text().split()]
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

    def memory_kib(self):
        """What the tree holds for itself, and its share of what it holds with others (PSS)."""
        total = 0
        for pid in self.tree():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def signal(self, number):
        for pid in self.tree():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            for _ in range(1000):
                if self.process.poll() is not None and not (self.group and self.tree()):
                    break
                time.sleep(0.02)
        if self.group and not self.tree():
            self.group.rmdir()
