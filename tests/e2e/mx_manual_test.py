"""docs/mx.md, typed as it stands: each block of commands is run, and what the manual shows after it must be in its output.

It is run in namespaces of its own (mounts, network, processes): /etc is a copy, /var/lib, /var/log, /run and /usr/local/bin are new, port 25
and the ports of unbound, redis and rspamd are free there, and all that is started ends with the test. Beside the real programs stand three of
ours: apt-get and cmake only look whether what they would make is there, and systemctl starts what a unit would.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRANGER, LISTED = "198.51.100.7", "198.51.100.66"

STAND_INS = {
    "apt-get": """for word in "$@"; do
  case "$word" in install|-*) ;; *) dpkg-query -W -f '' "$word" || exit 1;; esac
done""",
    "cmake": "exit 0",
    "systemctl": """started() { for i in $(seq 1000); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; echo "$2 does not start"; exit 1; }
while [ $# -gt 0 ]; do
  case "$1" in
    unbound) setsid unbound -d >/var/log/unbound 2>&1 & started 53 unbound ;;
    redis-server) setsid redis-server --port 6379 --bind 127.0.0.1 --save '' >/var/log/redis 2>&1 & started 6379 redis ;;
    rspamd) install -d -o _rspamd /run/rspamd /var/log/rspamd; setsid rspamd -f -u _rspamd -g _rspamd >/var/log/rspamd.out 2>&1 & started 11333 rspamd ;;
    postern.socket) sed -n 's/^ListenStream=/-l /p; s/^FileDescriptorName=/--fdname=/p' /etc/systemd/system/postern.socket >/run/postern.socket
      setsid runuser -u postern -- systemd-socket-activate $(cat /run/postern.socket) \\
        $(sed -n 's/^ExecStart=//p' /etc/systemd/system/postern.service) >/var/log/postern 2>&1 & started 25 postern ;;
  esac
  shift
done""",
}
# What the world has: a list with its test address, where the resolver of step 4 asks for it.
RESOLVER = """server:
  do-not-query-localhost: no
  module-config: "iterator"
forward-zone:
  name: "zen.spamhaus.org"
  forward-addr: 127.0.0.1@5353
"""


def blocks():
    """(what the block is, its text), in the order of the manual."""
    text = (ROOT / "docs/mx.md").read_text()
    return [(kind, body) for kind, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)]


def sh(commands, **more):
    return subprocess.run(["bash", "-c", commands], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=200, **more)


def furnish(folder, programs):
    """The namespaces, as a bare machine with Debian's packages."""
    for name in ("etc", "lib", "log", "run", "bin"):
        (folder / name).mkdir()
    for name in ("rspamd", "redis", "unbound", "dpkg"):
        subprocess.run(["cp", "-a", f"/var/lib/{name}", folder / "lib"], check=True)
    subprocess.run(["cp", "-a", "/etc/.", folder / "etc"], check=True)
    for name, where in (("etc", "/etc"), ("lib", "/var/lib"), ("log", "/var/log"), ("run", "/run"), ("bin", "/usr/local/bin")):
        subprocess.run(["mount", "--bind", folder / name, where], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("25")
    stand_ins, clone = folder / "stand-ins", folder / "clone"
    for name, text in STAND_INS.items():
        (stand_ins / name).parent.mkdir(exist_ok=True)
        (stand_ins / name).write_text("#!/bin/bash\n" + text + "\n")
        (stand_ins / name).chmod(0o755)
    (clone / "build/demo").mkdir(parents=True)
    (clone / "build/demo/bin").symlink_to(programs)
    for name in ("packaging", "scripts"):
        (clone / name).symlink_to(ROOT / name)
    pathlib.Path("/etc/unbound/unbound.conf.d/test.conf").write_text(RESOLVER)
    (folder / "zen").write_text(f"127.0.0.2\n{LISTED}\n")
    folder.chmod(0o755)
    subprocess.run(["rbldnsd", "-p", folder / "rbldnsd.pid", "-c", "0", "-u", "nobody", "-w", folder, "-b", "127.0.0.1/5353",
                    "zen.spamhaus.org:ip4set:zen"], check=True, stdout=subprocess.DEVNULL)
    return {"cwd": clone, "env": {**os.environ, "PATH": f"{stand_ins}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}


IN_NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


class Manual(unittest.TestCase):
    @unittest.skipIf(os.getuid() != 0, "only root has mounts of his own")
    @unittest.skipUnless("--inside" in sys.argv, "mount is not permitted")
    def test_each_step_does_what_it_shows(self):
        where = furnish(pathlib.Path(os.environ["FOLDER"]), pathlib.Path(os.environ["POSTERN_SERVE"]).resolve().parent)
        output = shown = ""
        for kind, text in blocks():
            if kind == "sh":
                output, shown = sh(text, **where).stdout, text
                continue
            for line in text.splitlines():
                self.assertIn(line, output, shown + sh("tail -n 20 /var/log/postern").stdout)
        self.look_around(where)

    def look_around(self, where):
        """What the manual says of strangers, and does not show."""
        asked = "postern ask -c /etc/postern/postern.toml {} mail.sender.example carol@sender.example {}"
        for client, recipient, expected in ((STRANGER, "alice@example.org", "others get 451 the first time"), (LISTED, "alice@example.org", "is on zen.spamhaus.org"),
                                            (STRANGER, "nobody@example.org", "550 sorry, no mailbox"),
                                            (STRANGER, "alice@elsewhere.example", "553 ")):
            with self.subTest(client=client, recipient=recipient):
                self.assertIn(expected, sh(asked.format(client, recipient), **where).stdout)
        stored = sh("cat /var/lib/postern/mail/example.org/alice/new/*", **where).stdout
        self.assertEqual(stored.count("Received:"), 1, stored)
        self.assertIn("rule=hand_over.filter_refused", sh("cat /var/log/postern").stdout)


def main():
    program = next((word for word in sys.argv[1:] if "/" in word), "")
    if not os.access(program, os.X_OK):
        sys.exit("usage: mx_manual_test.py PATH/postern")
    os.environ["POSTERN_SERVE"] = os.path.abspath(program)
    if "--inside" not in sys.argv and subprocess.run([*IN_NAMESPACES, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        with tempfile.TemporaryDirectory(prefix="postern-mx-", dir="/var/tmp") as folder:  # outside: removed when all have ended
            sys.exit(subprocess.run([*IN_NAMESPACES, sys.executable, "-B", __file__, program, "--inside"],
                                    env={**os.environ, "FOLDER": folder}).returncode)
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
