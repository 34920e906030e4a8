"""postern serve in its sandbox: what the kernel says of each of its threads, and that mail is still served."""

import os
import pathlib
import re
import signal
import unittest

import peer
from peer import OURS, PASSWORD, USER


def statuses(pid):
    """/proc/PID/status of every thread: name -> value."""
    for folder in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(re.findall(r"(?m)^(\w+):\s*(.*)$", (folder / "status").read_text()))


class Sandbox(peer.Case):
    def listen(self, **settings):
        environment = self.home.environment(**settings)
        words = [peer.postern(), "serve", "--listen", "127.0.0.1:0",
                 "--domain", OURS, "--host", peer.HOST]
        if maildir := environment.get("POSTERN_MAILDIR"):
            words += ["--maildir", maildir]
        service = peer.Service(words, environment, cwd=self.home.path)
        self.addCleanup(service.stop)
        self.assert_logged(service, "ready: serving")
        service.port = int(re.search(r"listen: 127\.0\.0\.1:(\d+)", service.log()).group(1))
        return service

    def assert_threads(self, service, **wanted):
        found = list(statuses(service.pid))
        self.assertGreater(len(found), 1)
        for status in found:
            self.assertEqual({name: status[name] for name in wanted}, wanted, status["Name"])

    def test_without_programs_every_thread_is_shut_in(self):
        service = self.listen()
        self.assertRegex(service.log(), r"sandbox: seccomp strict, Landlock (ABI \d+|off)")
        self.assert_threads(service, NoNewPrivs="1", Seccomp="2")

    def test_mail_is_served_inside(self):
        """Clear, STARTTLS, AUTH_CDB, a Maildir that is made; a message above what memory holds; after a reload again."""
        service = self.listen(AUTH_CDB=self.home.users)
        for size in (10, 3_000_000):
            with peer.Client(service.port) as client:
                client.starttls().say("EHLO client.example")
                self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)))
                self.assert_code(250, client.deliver("\r\n".join(["x" * 900] * (size // 900 + 1))))
            service.process.send_signal(signal.SIGHUP)
            self.assert_logged(service, "reload: done")
        self.assertEqual(len(self.home.stored(f"{OURS}/user")), 2)
        self.assertEqual(self.home.leftovers(), [])  # linked from /proc/self/fd, which stayed in reach
        service.process.terminate()
        self.assertEqual(service.process.wait(peer.PATIENCE_SECONDS), 0)

    @unittest.skipIf(os.geteuid(), "only root can load a filter and let set-user-id programs be")
    def test_with_a_queue_program_rights_can_be_gained_and_the_filter_is_open(self):
        queue = self.home.script("queue", f"cat >{self.home.path}/queued; cat <&1 >/dev/null; "
                                          f"grep -E 'NoNewPrivs|Seccomp:' /proc/self/status >{self.home.path}/status")
        service = self.listen(QMAILQUEUE=queue, POSTERN_MAILDIR=None)
        self.assert_logged(service, "sandbox: seccomp open")
        self.assert_threads(service, NoNewPrivs="0", Seccomp="2")
        with peer.Client(service.port) as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver("x"))
        self.assertIn("x", (self.home.path / "queued").read_text())
        self.assertEqual((self.home.path / "status").read_text().split(), ["NoNewPrivs:", "0", "Seccomp:", "2"])


if __name__ == "__main__":
    peer.main()
