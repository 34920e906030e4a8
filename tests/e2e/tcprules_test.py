"""The rule that the listener finds for a client is the one that the real tcprulescheck finds, in cdbs of the real tcprules.

usage: tcprules_test.py PATH/look_up_client_rules
"""

import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

PATIENCE_SECONDS = 60

MANUAL = """# the rules of tcprules(1)
joe@127.0.0.1:allow,A="first"
18.23.0.32:allow,A="second"
:allow,A="third"
127.:allow,A="fourth"
1.2.3.37-53:allow,A="fifth"
10.2-3.:deny
"""

EVERY_KIND = """
xyz@86.75.30.9:allow,which=/first/
xyz@=one.two.three:deny,which=/second/
86.75.30.9:allow,which=/third/
=one.two.three:allow,which=/fourth/
86.75.30.:allow,which=/fifth/,more="5"
86.75.:allow
86.:deny
=.two.three:allow,which=/eighth/
=.three:allow,RELAYCLIENT=""
=:allow,which=/tenth/
:deny,which=+eleventh+
"""

TEXTS = ("1", "2", "10", "25", "99", "255")
HOSTS = ("", "one.two.three", "four.two.three", "two.three", "three", "x.three", "four", "a..three", "three.", ".")
USERS = ("", "xyz", "joe", "x@y")


def make_cdb(folder, rules):
    path = folder / "rules.cdb"
    subprocess.run(["tcprules", path, folder / "rules.tmp"], input=rules.encode(), check=True, timeout=PATIENCE_SECONDS)
    return path


def checked(cdb, client):
    """What tcprulescheck says of one client."""
    environment = {"PATH": os.environ["PATH"]}
    for name, value in zip(("TCPREMOTEIP", "TCPREMOTEHOST", "TCPREMOTEINFO"), client):
        if value:
            environment[name] = value
    done = subprocess.run(["tcprulescheck", cdb], env=environment, capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    return done.stdout.decode()


def looked_up(cdb, clients):
    """What the listener says of each."""
    lines = "".join("\t".join(client) + "\n" for client in clients)
    done = subprocess.run([PROGRAM, cdb], input=lines.encode(), capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    return done.stdout.decode().split("\n\n")[:-1]


def random_rules(chance):
    """A hundred rules of the few addresses, names and users there are, so that many of them hold for one client."""
    lines = []
    for _ in range(100):
        octets = [chance.choice(TEXTS) for _ in range(4)]
        prefix = ".".join(octets[:chance.randint(1, 3)]) + "."
        address = chance.choice(["", ".".join(octets), prefix, prefix, "=" + chance.choice(HOSTS), "=.three", "=.two.three"])
        user = chance.choice(["", "", "", "xyz@", "joe@"])
        what = chance.choice(["allow", "deny", 'allow,A="1"', 'allow,RELAYCLIENT="",B=xy zx', 'deny,C="3"'])
        lines.append(f"{user}{address}:{what}\n")
    return "".join(lines)


class Rules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="postern-tcprules-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_same(self, rules, clients):
        cdb = make_cdb(self.folder, rules)
        clients = list(clients)
        for client, found in zip(clients, looked_up(cdb, clients), strict=True):
            self.assertEqual(checked(cdb, client), found + "\n", f"{client} in\n{rules}")

    def test_the_rules_of_the_manual(self):
        addresses = ("127.0.0.1", "18.23.0.32", "10.119.75.38", "127.0.0.2", "1.2.3.36", "1.2.3.37", "1.2.3.53", "1.2.3.54",
                     "10.2.0.1", "10.3.255.255", "10.4.0.1", "12.7.0.1", "1.27.0.1")
        self.assert_same(MANUAL, itertools.product(addresses, ("",), ("", "joe", "bill")))

    def test_every_kind_of_rule_in_its_order(self):
        addresses = ("86.75.30.9", "86.75.30.10", "86.75.20.10", "86.85.20.10", "96.85.20.10")
        self.assert_same(EVERY_KIND, itertools.product(addresses, HOSTS, USERS))

    def test_each_rule_left_out(self):
        lines = EVERY_KIND.strip().split("\n")
        for left_out in range(len(lines)):
            rules = "\n".join(lines[:left_out] + lines[left_out + 1:]) + "\n"
            self.assert_same(rules, itertools.product(("86.75.30.9", "96.1.1.1"), ("", "one.two.three"), ("", "xyz")))

    def test_no_rules_at_all(self):
        self.assert_same("", [("192.0.2.1", "", ""), ("192.0.2.1", "a.b", "c")])

    def test_rules_at_random(self):
        chance = random.Random(4)  # the same at each run
        for _ in range(10):
            clients = [(".".join(chance.choice(TEXTS) for _ in range(4)), chance.choice(HOSTS), chance.choice(USERS))
                       for _ in range(100)]
            self.assert_same(random_rules(chance), clients)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(__doc__)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
