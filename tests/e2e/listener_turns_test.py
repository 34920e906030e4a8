"""Who waits for a turn of a thread of `postern serve`: how long, how many jobs of one session, and what becomes of an answer that
comes when nobody waits for it any more.
"""

import errno
import pathlib
import re
import signal
import time
import unittest

import listening
import peer
from peer import HOST, OURS, PASSWORD, USER, plain_response

import listener_seams_test as seams
from listener_seams_test import ENVELOPE

PIECE = (b"x" * 70 + b"\r\n") * 1100  # of mail data: what a thread appends while the next one is read

# However it comes, one piece has gone to a thread before there is too much: a read brings at most 64 KiB, and a piece has more.
MOST = 131000
TOO_MUCH = 3 * PIECE + b".\r\n"


class Case(seams.Case):
    def waiting(self, name, exit_code=0):
        """A program that counts its runs, and ends when release() is called. Its run counts once it has read all it is given, the
        envelope of a queue program too. The trouble of the server is none of its own."""
        envelope = "cat <&1 >/dev/null; " if name == "queue" else ""
        without = '[ -z "$LD_PRELOAD" ] || { unset LD_PRELOAD; exec "$0" "$@"; }'
        return self.home.script(name, f"{without}\ncd {self.home.path}; cat >/dev/null; {envelope}echo run >>runs\n"
                                      f"while [ ! -e released ]; do sleep 0.05; done; exit {exit_code}")

    def runs(self):
        file = self.home.path / "runs"
        return file.read_text().count("\n") if file.exists() else 0

    def release(self):
        (self.home.path / "released").touch()

    def begin_message(self, client, mail_data):
        client.send(ENVELOPE)
        self.assertEqual([client.reply()[:3] for _ in range(3)], ["250", "250", "354"])
        client.send(mail_data)

    def end(self, server):
        """The log, when all of it is written: its thread waits by the true clock."""
        server.signal(signal.SIGTERM)
        self.assertEqual(server.exit_code(), 0)
        return server.log()


class HandOvers(Case):
    """One message is handed over at once, and that takes for ever."""

    def busy(self, listener="", **more):
        server, trouble = self.troubled(f'QMAILQUEUE = "{self.waiting("queue")}"\n{listener}', server="hand_overs = 1", **more)
        first = self.connect(server)
        self.begin_message(first, b"Subject: x\r\n\r\n.\r\n")
        self.assertTrue(peer.until(lambda: self.runs() == 1))
        self.assertTrue(peer.until(lambda: self.is_asleep(server)), "the thread that hands over has nothing to do but wait")
        return server, trouble, first

    def is_asleep(self, server):
        """All its threads: one that was only held up would be ready to run."""
        states = [file.read_text().rpartition(")")[2].split()[0] for file in pathlib.Path(f"/proc/{server.pid}/task").glob("*/stat")]
        return set(states) == {"S"}

    def test_who_is_held_up_too_long_may_send_the_rest_and_is_deferred(self):  # deviation D22; RFC 5321 4.5.3.2.5
        server, trouble, first = self.busy()
        second, other = self.connect(server), self.connect(server)
        self.begin_message(second, 5 * PIECE + b".\r\nNOOP\r\n")  # more than is read while the only thread is busy
        self.assertEqual(other.say("NOOP"), "250 ok")
        time.sleep(0.3)
        trouble.let_pass(148)
        self.assertEqual(other.say("NOOP"), "250 ok")
        second.socket.settimeout(0.3)
        self.assertRaises(TimeoutError, second.reply)
        second.socket.settimeout(peer.PATIENCE_SECONDS)
        trouble.let_pass(160)
        self.assertEqual(other.say("NOOP"), "250 ok")
        self.assertEqual([second.reply(), second.reply()], ["451 unable to store mail (#4.3.0)", "250 ok"])
        self.release()
        self.assertEqual(first.reply()[:3], "250")
        self.assertEqual(second.deliver("Subject: z\r\n\r\n")[:3], "250")
        self.assertEqual(self.runs(), 2, "who has left the line is not handed over")
        log = self.end(server)
        self.assertEqual(log.count("a message is given up: a piece of it waited"), 1, log)
        self.assertNotIn("stray_reports", log)

    def test_who_waits_too_long_for_a_turn_is_deferred(self):  # deviation D26; RFC 5321 4.5.3.2.6
        for mail_data in (b"Subject: y\r\n\r\n", PIECE):
            with self.subTest(octets=len(mail_data)):
                server, trouble, first = self.busy()
                second, other = self.connect(server), self.connect(server)
                self.begin_message(second, mail_data + b".\r\nNOOP\r\n")
                self.assertEqual(other.say("NOOP"), "250 ok")
                trouble.let_pass(299)
                self.assertEqual(other.say("NOOP"), "250 ok")
                second.socket.settimeout(0.3)
                self.assertRaises(TimeoutError, second.reply)
                second.socket.settimeout(peer.PATIENCE_SECONDS)
                trouble.let_pass(301)
                self.assertEqual(other.say("NOOP"), "250 ok")
                self.assertEqual([second.reply(), second.reply()], ["451 unable to store mail (#4.3.0)", "250 ok"])
                self.release()
                self.assertEqual(first.reply()[:3], "250", "its turn had come")
                self.assertEqual(second.deliver("Subject: z\r\n\r\n")[:3], "250")
                self.assertEqual(self.runs(), 2, "who has left the line is not handed over")
                log = self.end(server)
                self.assertEqual(len(re.findall('message .*why="its turn did not come in 300 seconds', log)), 1, log)
                self.assertEqual(len(re.findall('refuse .*why="its turn did not come in 300 seconds', log)), 1, log)
                self.assertNotIn("stray_reports", log)
                for name in ("runs", "released"):
                    (self.home.path / name).unlink()

    def test_a_session_has_two_jobs_and_no_more(self):
        """Messages that were dropped, and whose pieces wait for the thread all the same."""
        server, _, first = self.busy(f"DATABYTES = {MOST}")
        second = self.connect(server)
        for _ in range(2):
            self.begin_message(second, TOO_MUCH)
            self.assertEqual(second.reply()[:3], "552")
        self.assertEqual(second.say("MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>", "DATA")[2][:3], "451")
        self.assertIn("no room for another message: threads are busy", server.wait_for_log("no room for another"))
        self.release()
        self.assertEqual(first.reply()[:3], "250")
        self.assertTrue(peer.until(lambda: second.say("DATA")[:3] == "354"), "there is room again")
        second.send(b"Subject: x\r\n\r\n.\r\n")
        self.assertEqual(second.reply()[:3], "250")

    def test_memory_that_ends_between_a_question_and_its_job(self):
        """A job of an earlier message is still out: nobody is to take it for the one that answers. Each allocation fails."""
        server, trouble, first = self.busy(f'DATABYTES = {MOST}\nAUTH_CDB = "users.cdb"\nALLOW_INSECURE_AUTH = 1',
                                           limits="failed_auths_per_hour = 0\nexempt = []\nconnections_per_minute = 0")
        ends, failures = set(), 0
        for skip in range(40):
            with self.connect(server) as client:
                self.begin_message(client, TOO_MUCH)
                self.assertEqual(client.reply()[:3], "552")
                client.socket.settimeout(10)
                trouble.fail("malloc", errno.ENOMEM, skip, 1)
                client.send("AUTH PLAIN " + plain_response(USER, PASSWORD) + "\r\n")
                reply = client.reply()  # or "": it was closed
                failed = trouble.failed()
                trouble.fail("")
                self.assertIn(reply[:3], ("", "235", "421", "451", "454"), f"allocation {skip}")
                ends.add(reply[:3])
                failures += failed
                if failed == 0:
                    break
        self.assertGreater(failures, 3)
        self.assertIn("235", ends)
        self.assertGreater(len(ends), 1, ends)
        self.release()
        self.assertEqual(first.reply()[:3], "250")


class Passwords(Case):
    def judged_by(self, exit_code, limits):
        judge = self.waiting("judge", exit_code)
        return self.troubled(f'{self.MAILDIR}\nAUTH = 1\nALLOW_INSECURE_AUTH = 1\n'
                             f'check_program = ["{HOST}", "{judge}", "/bin/true"]', server="checkers = 1", limits=limits)

    def test_a_wrong_password_that_is_found_late_was_a_guess(self):  # deviation D22
        server, trouble = self.judged_by(1, "failed_auths_per_hour = 1\nexempt = []")
        client, other = self.connect(server), self.connect(server)
        client.send("AUTH PLAIN " + plain_response(USER, "wrong") + "\r\n")
        self.assertTrue(peer.until(lambda: self.runs() == 1))
        self.assertEqual(other.say("NOOP"), "250 ok")
        trouble.let_pass(91)
        self.assertEqual(other.say("NOOP"), "250 ok")
        self.assertEqual(client.reply()[:3], "454")
        self.release()
        self.assertTrue(server.is_idle(), "the judge has ended")
        self.assertEqual(client.say("AUTH PLAIN " + plain_response(USER, PASSWORD))[:3], "454")
        self.assertEqual(self.runs(), 1, "the gate is shut, and nobody judges")
        log = self.end(server)
        self.assertEqual(len(re.findall(r"\]: auth .*result=rejected", log)), 1, log)
        self.assertIn("kind=user change=shut number=1", log)
        self.assertNotIn("stray_reports", log)


def load_tests(loader, tests, pattern):
    """Without the tests of the file that is imported."""
    return unittest.TestSuite(loader.loadTestsFromTestCase(each) for each in (HandOvers, Passwords))


if __name__ == "__main__":
    listening.main()
