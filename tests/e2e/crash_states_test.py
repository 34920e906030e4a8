"""Power fails: at each system call, in each state that the disk may then be in, no acknowledged message is missing and no
mailbox shows a part of one. The states are computed (tests/crash_states.py) from the calls that the program makes."""

import pathlib
import shutil
import stat
import sys

import peer
import serve
from peer import OURS

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import crash_states

CALLS = "openat,close,write,writev,pwrite64,sendto,sendmsg,mkdirat,linkat,renameat,renameat2,rename,unlinkat,unlink,fsync,"
CALLS += "io_submit,io_getevents"


class States(serve.Case):
    """By postern-smtpd, which makes each message durable by itself."""

    one_process = False

    def traced(self, *inject):
        if not shutil.which("strace") or peer.run(["strace", "-o", "/dev/null", "true"]).returncode != 0:
            self.skipTest("strace is not allowed to look")
        self.calls = self.home.path / "calls"
        words = ["strace", "-ff", "-y", "-ttt", "-T", "-qq", "-s", "5000", "-e", "signal=none", "-e", "trace=" + CALLS]
        return [*words, *(word for each in inject for word in ("-e", "inject=" + each)), "-o", self.calls]

    def start(self, *inject):
        server = peer.Tcpserver(self.home.environment(POSTERN_LOG_DECISIONS=0), before=self.traced(*inject))
        self.addCleanup(server.stop)
        return server

    def deliver(self, server, *messages):
        """Each message: the mailboxes it is for, and how many octets of text it has."""
        with server.connect() as client:
            client.say("EHLO client.example")
            for mailboxes, octets in messages:
                recipients = [f"{mailbox}@{OURS}" for mailbox in mailboxes]
                subject = " ".join(f"{OURS}/{mailbox}" for mailbox in mailboxes)
                text = f"Subject: {subject}\r\n\r\n" + "x" * 70 * (octets // 70)
                client.say("MAIL FROM:<sender@client.example>", *(f"RCPT TO:<{each}>" for each in recipients))
                self.assert_code(354, client.say("DATA"))
                self.assert_code(250, client.say(text + "\r\n."))
            client.say("QUIT")

    def assert_safe(self, server, messages):
        server.stop()
        files = self.home.path.glob("calls.*")
        events = crash_states.calls({file.suffix: file.read_text(errors="replace").splitlines() for file in files})
        walked = crash_states.walk(events, str(self.home.mail), self.one_process)
        self.assertEqual(walked.problems, [])
        self.assertEqual(len(walked.safe), messages)
        print(f"[{walked.syncs} syncs; states: {walked.states}]", end=" ", file=sys.stderr)
        return events

    def assert_each_sync_is_needed(self, events):
        self.assertEqual(crash_states.idle_syncs(events, str(self.home.mail), self.one_process), [])

    def test_new_mailboxes_and_old_ones_and_many_recipients(self):
        server = self.start()
        self.deliver(server, ("ab", 100), ("a", 100), ("ba", 100))
        self.assert_each_sync_is_needed(self.assert_safe(server, 3))

    def test_a_message_of_many_pieces(self):
        server = self.start()
        self.deliver(server, ("a", 300_000))
        self.assert_each_sync_is_needed(self.assert_safe(server, 1))

    def test_mailboxes_to_which_nothing_can_be_linked(self):
        server = self.start("linkat:error=EXDEV")
        self.deliver(server, ("a", 100), ("ab", 100))
        self.assert_safe(server, 2)

    def test_many_clients_at_once(self):
        server = self.start()
        self.deliver(server, ("ab", 100))
        serve.together(*(lambda mailboxes=mailboxes: self.deliver(server, (mailboxes, 100)) for mailboxes in "abcabc"))
        self.assert_safe(server, 7)

    def test_a_mailbox_that_another_is_just_making(self):
        """The maker waits before it syncs the folders above new/; the other finds new/, and is not to rely on the maker."""
        server = self.start("fsync:delay_enter=3000000:when=3", "io_submit:delay_enter=3000000:when=1")
        new = self.home.mail / OURS / "a" / "new"

        def other():
            self.assertTrue(peer.until(lambda: any(new.glob("*"))))
            self.deliver(server, ("a", 100))
        serve.together(lambda: self.deliver(server, ("a", 100)), other)
        self.assert_safe(server, 2)
        self.assertFalse(new.stat().st_mode & stat.S_ISVTX, "what is safe has no mark")


class ServeStates(States):
    """By postern serve, which makes messages durable in groups."""

    one_process = True

    def start(self, *inject):
        return self.serving(before=self.traced(*inject), server={"sandbox": False},
                            variables={"POSTERN_LOG_DECISIONS": 0})


if __name__ == "__main__":
    peer.main()
