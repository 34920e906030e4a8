"""No stalls: for the 40 milliseconds that Nagle's algorithm and delayed acknowledgements make of two small writes.

Not a benchmark. A stall of that kind hits every message or every connection, a busy machine hits some: so the quickest
tenth is judged, with limits below 40 milliseconds and far above what the work takes. tcpserver runs without -D, as run
files have it. Beside the clock, the calls of the program are counted: those do not depend on the machine at all.
"""

import re
import shutil
import statistics
import sys
import time

import peer
from peer import HOST, OURS

MESSAGES, CONNECTIONS = 100, 100
ENVELOPE = f"MAIL FROM:<me@sender.example>\r\nRCPT TO:<user@{OURS}>\r\nDATA\r\n"
MESSAGE = "Subject: timing\r\n\r\n" + "a line of text\r\n" * 20 + ".\r\n"


class Gaps(peer.Case):
    def assert_no_stall(self, seconds, durations):
        quickest_tenth = statistics.quantiles(durations, n=10)[0]
        median = statistics.median(durations)
        print(f"[tenth {1000 * quickest_tenth:.1f} ms, median {1000 * median:.1f} ms]", end=" ", file=sys.stderr)
        told = ", ".join(f"{1000 * duration:.1f}" for duration in sorted(durations))
        self.assertLess(quickest_tenth, seconds, f"milliseconds: {told}")

    def timed(self, action, count):
        durations = []
        for number in range(count):
            began = time.monotonic()
            action(number)
            durations.append(time.monotonic() - began)
        return durations

    def deliver_pipelined(self, client):
        """RFC 2920: the envelope in one segment, the message and the envelope after it in the next."""
        client.send(ENVELOPE)

        def deliver(number):
            self.assertEqual([client.reply(), client.reply(), client.reply()][-1], self.replies["go_ahead"])
            client.send(MESSAGE + (ENVELOPE if number + 1 < MESSAGES else ""))
            self.assert_code(250, client.reply())

        return self.timed(deliver, MESSAGES)

    def test_pipelined_messages_to_a_queue_program(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null; exit 0")
        with self.serve(QMAILQUEUE=queue).connect() as client:
            client.say("EHLO client.example")
            self.assert_no_stall(0.020, self.deliver_pipelined(client))

    def test_pipelined_messages_to_maildirs(self):
        with self.serve().connect() as client:
            client.say("EHLO client.example")
            self.assert_no_stall(0.020, self.deliver_pipelined(client))
        self.assertEqual(len(self.home.stored(f"{OURS}/user")), MESSAGES)
        self.home.forget_mail()

    def test_pipelined_messages_inside_tls(self):
        with self.serve().connect().starttls() as client:
            client.say("EHLO client.example")
            self.assert_no_stall(0.020, self.deliver_pipelined(client))
        self.home.forget_mail()

    def test_commands_one_by_one(self):
        server = self.serve()
        for client in (server.connect(), server.connect().starttls()):
            with client:
                self.assert_no_stall(0.010, self.timed(lambda _: client.say("NOOP"), 200))

    def test_connections_with_tls_13(self):
        context = peer.tls_context(minimum_version=peer.ssl.TLSVersion.TLSv1_3)
        server = self.serve()

        def visit(_):
            with server.connect() as client:
                client.say("EHLO client.example", "STARTTLS")
                client.start_tls(context).say("EHLO client.example", "QUIT")

        self.assert_no_stall(0.040, self.timed(visit, CONNECTIONS))

    def test_connections_with_implicit_tls(self):
        context = peer.tls_context(minimum_version=peer.ssl.TLSVersion.TLSv1_3)
        server = self.serve(SSL=1)

        def visit(_):
            with peer.Client(server.port, greeted=False) as client:
                self.assert_code(220, client.start_tls(context).reply())
                client.say("EHLO client.example", "QUIT")

        self.assert_no_stall(0.040, self.timed(visit, CONNECTIONS))

    def test_connections_in_clear(self):
        server = self.serve()

        def visit(_):
            with server.connect() as client:
                client.say("EHLO client.example", "QUIT")

        self.assert_no_stall(0.020, self.timed(visit, CONNECTIONS))


class Writes(peer.Case):
    """What the program asks of the kernel."""

    def trace(self, *calls):
        """The program under strace; returns it and the file of its calls."""
        if not shutil.which("strace") or peer.run(["strace", "-o", "/dev/null", "true"]).returncode != 0:
            self.skipTest("strace is not allowed to look")
        file = self.home.path / "calls"
        words = ("-f", "-qq", "-e", "signal=none", "-e", "trace=" + ",".join(calls), "-o", file, peer.program())
        return self.start(words, path="strace", greeted=True), file

    def test_replies_to_pipelined_commands_leave_in_one_write(self):
        direct, file = self.trace("write", "writev", "sendto", "sendmsg")
        direct.client.send("EHLO client.example\r\nXYZZY\r\n" + ENVELOPE)
        while direct.client.reply() != self.replies["go_ahead"]:
            pass
        direct.client.send(MESSAGE + ENVELOPE + MESSAGE.replace("Subject", "NOOP\r\nRSET\r\nX") + "QUIT\r\n")
        direct.client.end()
        direct.client.rest()
        direct.finish()
        writes = re.findall(r"(?:write|writev|sendto|sendmsg)\(1,.*", file.read_text())
        self.assertEqual(len(writes), 3, writes)  # greeting; EHLO to DATA; both messages and what follows

    def test_quit_is_said_with_what_came_before_it(self):
        direct, file = self.trace("write", "writev", "sendto", "sendmsg")
        direct.client.send("NOOP\r\nNOOP\r\nQUIT\r\n")
        self.assertEqual(direct.client.rest().decode(), f"250 ok\r\n250 ok\r\n221 {HOST}\r\n")
        direct.finish()
        self.assertEqual(len(re.findall(r"(?:write|writev|sendto|sendmsg)\(1,", file.read_text())), 2)

    def test_inside_tls_no_write_follows_a_write(self):
        """Write, write, read is what Nagle's algorithm punishes; only close_notify follows the last reply."""
        direct, file = self.trace("read", "sendto", "execve")
        with direct.client.starttls() as client:
            client.say("EHLO client.example")
            client.say(*ENVELOPE.split("\r\n")[:3])
            client.send(MESSAGE)
            self.assert_code(250, client.reply())
            client.say("NOOP", "QUIT")
            direct.finish()
        after_exec = file.read_text().rpartition("execve(")[2]
        order = "".join("r" if call == "read(0" else "w" for call in re.findall(r"(read\(0|sendto\(1),", after_exec))
        self.assertRegex(order, r"\Ar+w(r+w)*w\Z")

    def test_a_message_is_synced_before_it_is_acknowledged(self):
        direct, file = self.trace("fsync", "fdatasync", "linkat", "sendto", "write")
        self.assert_code(250, direct.client.deliver("Subject: x\r\n\r\nx"))
        direct.client.close()
        direct.finish()
        calls = re.findall(r"\b(fsync|fdatasync|linkat|sendto)\((?:1,.*(250 ok \d+ qp))?", file.read_text())
        names = [name if name != "sendto" else f"sendto {said}" for name, said in calls]
        said = names.index("sendto 250 ok " + next(s for _, s in calls if s).split("ok ")[1])
        link = names.index("linkat")
        self.assertIn("sync", names[link - 1])  # the file, before it has a name
        self.assertIn("sync", " ".join(names[link:said]))  # the folder, before the client's reply


if __name__ == "__main__":
    peer.main()
