"""What goes wrong around the server: full disks, queue programs of all manners, lists that cannot be read, signals.

Whatever happens the client gets the reply of the spec, a message is stored whole or not at all, the session goes on
where it can, and no process and no file is left.
"""

import os
import signal
import subprocess
import tomllib

import peer
from peer import HOST, OURS

MESSAGE = "Subject: fault\r\n\r\n" + "text " * 10
BIG = "Subject: fault\r\n\r\n" + ("x" * 70 + "\r\n") * 4000  # more than a pipe holds
DRAIN = "cat >/dev/null; cat <&1 >/dev/null; "


def exit_code_reply(code, rows):
    """What the spec says of an exit code: the first row that fits."""
    row = next(row for row in rows if row["first"] <= code <= row.get("last", row["first"]))
    is_permanent = 11 <= code <= 40 or row.get("permanent", False)
    return f"{554 if is_permanent else 451} {row['text']}"


class QueuePrograms(peer.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.exit_rows = tomllib.loads((peer.ROOT / "spec/replies.toml").read_text())["queue_exit"]

    def deliver(self, script, message=MESSAGE, **settings):
        """The reply to one message that this script takes, after which the session must go on."""
        server = self.serve(QMAILQUEUE=self.home.script("queue", script), **settings)
        with server.connect() as client:
            client.say("EHLO client.example")
            reply = client.deliver(message)
            self.assertEqual(client.say("NOOP"), "250 ok")
            self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        self.assertTrue(server.is_idle())
        return reply

    def test_what_it_gets(self):
        self.assertRegex(self.deliver("cat >message; cat <&1 >envelope"), r"\A250 ok \d+ qp \d+\Z")
        received, text = (self.home.path / "message").read_text().split("\nSubject", 1)
        self.assertRegex(received, r"\AReceived: from unknown \(HELO client\.example\) \(127\.0\.0\.1\)\n"
                                   r"  by [^ ]+ with ESMTP id \d+-\d+; ")
        self.assertEqual("Subject" + text, MESSAGE.replace("\r\n", "\n") + "\n")
        self.assertEqual((self.home.path / "envelope").read_bytes(), b"Fme@sender.example\0Tuser@postern.example\0\0")

    def test_every_exit_code_has_its_reply(self):
        server = self.serve(QMAILQUEUE=self.home.script("queue", DRAIN + "read code <code; exit $code"))
        codes = (1, 2, 11, 12, 31, 32, 40, *range(51, 57), 61, 62, 66, *range(71, 75), 81, 91, 111, 115, 120, 255)
        for code in codes:
            (self.home.path / "code").write_text(f"{code}\n")
            with self.subTest(code=code), server.connect() as client:
                self.assertEqual(client.deliver(MESSAGE), exit_code_reply(code, self.exit_rows))

    def test_its_own_words(self):
        for descriptor, settings in ((6, {}), (4, {}), (2, {"ERROR_FD": 2}), (9, {"ERROR_FD": 9})):
            for code in (82, 88):
                say = DRAIN + f"echo '%sno thanks' >&{descriptor}; exit {code}"
                with self.subTest(descriptor=descriptor, code=code):
                    self.assertEqual(self.deliver(say % "D", **settings), "554 no thanks")
                    self.assertEqual(self.deliver(say % "Z", **settings), "451 no thanks")

    def test_its_own_words_are_one_line(self):
        script = DRAIN + r"printf 'Dfirst\r\n250 ok forged\033' >&4; exit 82"
        self.assertEqual(self.deliver(script), "554 first??250 ok forged?")

    def test_a_crash(self):
        self.assertEqual(self.deliver(DRAIN + "kill -SEGV $$"), "451 qq crashed (#4.3.0)")

    def test_a_death_in_the_middle(self):
        self.assertEqual(self.deliver("head -c 1000 >/dev/null; kill -KILL $$", BIG), "451 qq crashed (#4.3.0)")

    def test_an_exit_in_the_middle_is_no_success(self):
        self.assertEqual(self.deliver("head -c 1000 >/dev/null; exit 0", BIG), "451 qq read error (#4.3.0)")

    def test_one_that_never_reads_a_big_message(self):
        self.assertEqual(self.deliver("sleep 1; exit 0", BIG), "451 qq read error (#4.3.0)")

    def test_one_that_closes_its_input_and_sleeps(self):
        self.assertEqual(self.deliver("exec <&- ; sleep 1; exit 0", BIG), "451 qq read error (#4.3.0)")

    def test_one_that_is_no_program_any_more(self):  # before the greeting the start finds it out
        script = self.home.script("queue", DRAIN)
        with self.serve(QMAILQUEUE=script).connect() as client:
            script.write_text("this has no interpreter\n")
            self.assert_code(451, client.deliver(MESSAGE))

    def test_one_that_vanishes_after_the_greeting(self):
        script = self.home.script("gone", DRAIN)
        with self.serve(QMAILQUEUE=script).connect() as client:
            script.unlink()
            # The listener runs it only when the message is whole; the other program says at DATA that it cannot.
            wanted = exit_code_reply(120, self.exit_rows) if peer.is_listener() else self.replies["no_room"]
            self.assertEqual(client.deliver(MESSAGE), wanted)
            self.assertEqual(client.say("NOOP"), "250 ok")

    @peer.by_postern_smtpd_alone("the listener runs the program only when the message is whole")
    def test_an_abandoned_message_has_no_whole_envelope(self):
        """A client that vanishes, and data that is refused: the program must see the abort of the protocol."""
        script = self.home.script("queue", "cat >message; cat <&1 >envelope; touch ended; exit 0")
        ended = self.home.path / "ended"
        for data, has_reply in (("half a line", False), ("bare\nline end\r\n.\r\n", True)):
            with self.subTest(data=data), self.serve(QMAILQUEUE=script).connect() as client:
                client.say("MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>", "DATA")
                client.send(data)
                if has_reply:
                    self.assertEqual(client.reply(), self.replies["bare_cr_or_lf"])
                client.close()
                self.assertTrue(peer.until(ended.exists))
                self.assertEqual((self.home.path / "envelope").read_bytes(), b"")
                ended.unlink()


class Disks(peer.Case):
    def setUp(self):
        self.home.forget_mail()

    def small_disk(self, size):
        folder = self.home.path / "disk"
        folder.mkdir(exist_ok=True)
        mounted = peer.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", folder])
        if mounted.returncode != 0:
            self.skipTest("a file system of our own needs root: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", folder], timeout=peer.PATIENCE_SECONDS, check=True)
        return folder

    def test_a_full_disk(self):  # RFC 3463 3.4
        disk = self.small_disk("64k")
        server = self.serve(POSTERN_MAILDIR=disk)
        with server.connect() as client:
            for _ in range(2):
                self.assertEqual(client.deliver(BIG), "451 unable to write mail: disk full (#4.3.1)")
            self.assert_code(250, client.deliver(MESSAGE))  # nothing of the big ones is left
        (file,) = [file for file in disk.rglob("*") if file.is_file()]
        self.assertEqual(file.parent.name, "new")
        self.assert_logged(server, "ENOSPC")

    def test_a_disk_without_room_for_folders(self):
        disk = self.small_disk("64k,nr_inodes=2")
        with self.serve(POSTERN_MAILDIR=disk).connect() as client:
            self.assert_code(451, client.deliver(MESSAGE))
            self.assertEqual(client.say("NOOP"), "250 ok")

    def test_a_root_that_vanishes_and_comes_back(self):
        server = self.serve()
        away = self.home.path / "away"
        with server.connect() as client:
            self.home.mail.rename(away)
            wanted = "451 unable to store mail (#4.3.0)" if peer.is_listener() else self.replies["no_room"]
            self.assertEqual(client.deliver(MESSAGE), wanted)
            self.assertEqual(client.say("NOOP"), "250 ok")
        with server.connect() as client:
            if peer.is_listener():  # it looked at its start, and looks again with each message
                self.assertEqual(client.deliver(MESSAGE), "451 unable to store mail (#4.3.0)")
            else:
                self.assertEqual(client.greeting, self.replies["no_hand_over"])
        away.rename(self.home.mail)
        with server.connect() as client:
            self.assert_code(250, client.deliver(MESSAGE))

    def test_all_mailboxes_or_none(self):
        (self.home.mail / OURS).mkdir()
        (self.home.mail / OURS / "broken").write_text("no folder")
        server = self.serve()
        with server.connect() as client:
            client.say("MAIL FROM:<>", *(f"RCPT TO:<{name}@{OURS}>" for name in ("aaa", "broken", "zzz")), "DATA")
            client.send("Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertEqual(client.reply(), "451 unable to store mail (#4.3.0)")
        self.assertEqual(self.home.stored(), [])
        self.assertIn(f"ENOTDIR: {OURS}/broken", server.wait_for_log("ENOTDIR"))

    def test_lists_that_cannot_be_read(self):
        for name in ("rcpthosts", "badmailfrom", "morercpthosts.cdb"):
            home = self.fresh_home()
            file = home.control / name
            file.unlink(missing_ok=True)
            file.symlink_to(name)  # a loop: even root cannot read it
            server = peer.start_server(home.environment())
            self.addCleanup(server.stop)
            with self.subTest(name=name), server.connect() as client:
                reply = client.deliver(MESSAGE, recipient="far@elsewhere.example")
                self.assertEqual(reply, self.replies["recipient_unknowable"])
                self.assertEqual(client.say("NOOP"), "250 ok")
                self.assert_logged(server, f"control/{name}")

    def test_without_rcpthosts_no_domain_is_ours(self):  # deviation D12
        home = self.fresh_home()
        (home.control / "rcpthosts").unlink()
        server = peer.start_server(home.environment())
        self.addCleanup(server.stop)
        with server.connect() as client:
            self.assertEqual(client.deliver(MESSAGE), self.replies["not_our_domain"])

    def test_badmailfrom_is_told_at_rcpt(self):
        home = self.fresh_home()
        (home.control / "badmailfrom").write_text("@sender.example\n")
        server = peer.start_server(home.environment())
        self.addCleanup(server.stop)
        with server.connect() as client:
            self.assertEqual(client.deliver(MESSAGE), self.replies["sender_refused"])


class Signals(peer.Case):
    def setUp(self):
        self.home.forget_mail()
        self.server = self.serve()

    def in_data(self):
        client = self.server.connect()
        self.addCleanup(client.close)
        self.assert_code(354, client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>", "DATA")[-1])
        client.send("x" * 70_000 + "\r\n")
        return client

    @peer.by_postern_smtpd_alone("its end is that of all sessions: reliability_end_test.py")
    def test_a_session_outlives_tcpserver(self):
        client = self.in_data()
        os.kill(self.server.pid, signal.SIGTERM)
        self.assertEqual(self.server.process.wait(peer.PATIENCE_SECONDS), 0)
        with self.assertRaises(ConnectionRefusedError):
            self.server.connect()
        client.send("\r\n.\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual(client.say("QUIT"), f"221 {HOST}")
        self.assertTrue(self.server.is_idle())
        self.assertEqual(len(self.home.stored()), 1)

    @peer.by_postern_smtpd_alone("no session of the listener has a process: reliability_crash_test.py")
    def test_a_killed_session_leaves_nothing(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            client = self.in_data()
            (pid,) = self.server.others()
            os.kill(pid, number)
            self.assertEqual(client.rest(), b"")
            self.assertTrue(self.server.is_idle())
            self.assertEqual(self.home.stored() + self.home.leftovers(), [])
        with self.server.connect() as client:
            self.assert_code(250, client.deliver(MESSAGE))


if __name__ == "__main__":
    peer.main()
