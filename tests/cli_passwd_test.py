"""postern passwd: users of an AUTH_CDB; and the recipe of the manual, line by line."""
import os
import pathlib
import pty
import re
import stat
import subprocess
import threading
import unittest

from cli_check_test import Folder, write_cdb
from cli_program import PROGRAM, SOURCE
from cli_serve_test import make_certificate

PATIENCE_SECONDS = 120


def dump(path):
    """User -> value, as cdb(1) of tinycdb reads them."""
    done = subprocess.run(["cdb", "-d", "-m", path], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line)


def verified(password, value):
    hashed = value.split(",")[0]
    script = "print crypt($ARGV[0], $ARGV[1]) eq $ARGV[1] ? 1 : 0"
    return subprocess.run(["perl", "-e", script, password, hashed], capture_output=True, text=True).stdout == "1"


class Passwd(Folder):
    def setUp(self):
        super().setUp()
        self.cdb = self.path("users.cdb")

    def say(self, text, *arguments, expect=0):
        done = subprocess.run([PROGRAM, "passwd", self.cdb, *arguments], input=text, capture_output=True, text=True,
                              timeout=PATIENCE_SECONDS, env={})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout + done.stderr

    def test_a_user_is_made_changed_listed_and_taken_out(self):
        self.assertIn("alice is new in", self.say("one secret\n", "alice"))
        self.say("another\r\n", "bob")
        users = dump(self.cdb)
        self.assertTrue(users["alice"].startswith("$y$"))
        self.assertTrue(verified("one secret", users["alice"]) and verified("another", users["bob"]))
        self.assertIn("alice has a new password", self.say("changed", "alice"))
        self.assertTrue(verified("changed", dump(self.cdb)["alice"]))
        self.assertEqual(dump(self.cdb)["bob"], users["bob"])
        self.assertEqual(self.say("", "--list").split(), ["bob", "alice"])
        self.say("", "alice", "--delete")
        self.assertEqual(list(dump(self.cdb)), ["bob"])
        self.say("", "alice", "--delete", expect=100)

    def test_a_password_is_read_as_any_editor_left_it_and_never_in_silence(self):
        self.assertIn("begins with a byte order mark, which is left out", self.say("\ufeffsecret\r\n", "alice"))
        self.assertTrue(verified("secret", dump(self.cdb)["alice"]))
        self.assertIn("ends with a carriage return, which is left out", self.say("secret\r\n", "alice"))
        self.assertIn("ends with a blank, which is a part of it", self.say("secret \n", "alice"))
        self.assertTrue(verified("secret ", dump(self.cdb)["alice"]))
        self.assertNotIn("line", self.say("secret\n", "alice"))
        self.assertIn("no control characters", self.say("s\0e\0c\0", "alice", expect=100))
        for name in ("bob ", " bob", "\ufeffbob", "bob\r"):
            self.say("secret\n", name, expect=100)
        self.assertEqual(list(dump(self.cdb)), ["alice"])

    def test_a_carriage_return_behind_the_pairs_of_a_user_is_gone_with_a_new_password(self):
        write_cdb(self.cdb, [(b"alice", b'$6$x$y,DATABYTES="77"\r')])
        self.say("secret\n", "alice")
        self.assertTrue(dump(self.cdb)["alice"].endswith(',DATABYTES="77"'))

    def test_what_stands_after_the_hash_stays_and_so_do_mode_and_link(self):
        real = self.path("real.cdb")
        write_cdb(real, [(b"alice", b'$6$x$y,DATABYTES="77"'), (b"bob", b"$6$a$b")])
        os.chmod(real, 0o604)
        os.symlink(real, self.cdb)
        self.say("secret\n", "alice")
        self.assertTrue(os.path.islink(self.cdb))
        self.assertEqual(stat.S_IMODE(os.stat(real).st_mode), 0o604)
        users = dump(real)
        self.assertTrue(users["alice"].endswith(',DATABYTES="77"'))
        self.assertEqual(users["bob"], "$6$a$b")
        self.assertEqual(sorted(os.listdir(self.folder)), ["real.cdb", "users.cdb"])

    @unittest.skipUnless(os.geteuid() == 0, "only root keeps the owner of another")
    def test_the_owner_stays(self):
        write_cdb(self.cdb, [(b"alice", b"$6$x$y")])
        os.chown(self.cdb, 12345, 23456)
        self.say("secret\n", "alice")
        self.assertEqual((os.stat(self.cdb).st_uid, os.stat(self.cdb).st_gid), (12345, 23456))

    def test_what_is_wrong_changes_nothing(self):
        self.say("secret\n", "alice")
        before = pathlib.Path(self.cdb).read_bytes()
        self.say("", "alice", expect=100)
        self.say("\n", "alice", expect=100)
        self.say("a\x01b\n", "alice", expect=100)
        self.say("x" * 256 + "\n", "alice", expect=100)
        self.say("secret\n", "", expect=100)
        self.say("secret\n", "a\nb", expect=100)
        self.assertEqual(pathlib.Path(self.cdb).read_bytes(), before)
        self.cdb = self.path("text", "no cdb\n")
        self.assertIn("is not a cdb", self.say("secret\n", "alice", expect=100))

    def at_a_terminal(self, *answers):
        master, slave = pty.openpty()
        process = subprocess.Popen([PROGRAM, "passwd", self.cdb, "alice"], stdin=slave, stdout=slave, stderr=slave, env={})
        os.close(slave)
        said = b""
        for prompt, answer in zip((b"Password of alice: ", b"The same again: "), answers):
            while prompt not in said:
                said += os.read(master, 1024)
            os.write(master, answer + b"\n")
        try:
            while piece := os.read(master, 1024):
                said += piece
        except OSError:
            pass  # the terminal is gone with its last user
        os.close(master)
        return process.wait(PATIENCE_SECONDS), said

    def test_a_terminal_is_asked_twice_and_shows_nothing(self):
        code, said = self.at_a_terminal(b"my secret", b"my secret")
        self.assertEqual(code, 0)
        self.assertNotIn(b"my secret", said)
        self.assertTrue(verified("my secret", dump(self.cdb)["alice"]))
        code, said = self.at_a_terminal(b"my secret", b"my secrets")
        self.assertEqual(code, 100)
        self.assertIn(b"the two differ", said)

    def test_many_changes_at_once_lose_none(self):
        threads = [threading.Thread(target=self.say, args=(f"secret {i}\n", f"user{i}")) for i in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(sorted(dump(self.cdb)), [f"user{i}" for i in range(8)])


class Recipe(Folder):
    """The manual's lines from the sample to a service, with another root, and without systemd."""

    def test_every_line_works_as_it_stands(self):
        manual = pathlib.Path(SOURCE, "docs/operating.md").read_text()
        lines = re.findall(r"^    (.*)$", manual.split("## From the sample to a service")[1].split("\n## ")[0], re.M)
        self.assertLessEqual(len(lines), 10)
        make_certificate(self.path("pair"))
        os.rename(self.path("pair.key"), self.path("privkey.pem"))
        os.rename(self.path("pair.crt"), self.path("fullchain.pem"))
        os.symlink(os.path.join(SOURCE, "packaging"), self.path("packaging"))
        for name in ("useradd", "systemctl"):
            os.chmod(self.path(f"bin/{name}", "#!/bin/sh\n"), 0o755)
        os.chmod(self.path("bin/runuser", '#!/bin/sh\nshift 3\nexec "$@"\n'), 0o755)  # -u postern --
        os.symlink(PROGRAM, self.path("bin/postern"))
        os.makedirs(self.path("etc/systemd/system"))
        owner = f"-o {os.getuid()} -g {os.getgid()}"
        for line in lines:
            here = line.replace("-o postern -g postern", owner).replace("-g postern", f"-g {os.getgid()}")
            here = here.replace("chgrp postern", f"chgrp {os.getgid()}").replace("your.domain", "our.example")
            here = re.sub(r"(?<=[ ])/(?=etc|var)", self.folder + "/", here)
            if "postern check" in line:
                toml = pathlib.Path(self.path("etc/postern/postern.toml"))
                toml.write_text(toml.read_text().replace("/var/lib/postern", self.path("var/lib/postern")))
            done = subprocess.run(["sh", "-ec", here], cwd=self.folder, input="secret\n", capture_output=True, text=True,
                                  env={"PATH": self.path("bin") + ":" + os.environ["PATH"]}, timeout=PATIENCE_SECONDS)
            self.assertEqual(done.returncode, 0, (here, done.stdout, done.stderr))
        self.assertTrue(os.path.exists(self.path("etc/systemd/system/postern.service")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
