"""The machine has no more: disk, file size, descriptors, memory; or its disk fails. A client that cannot be served gets
4xx, none gets a false 250, and after the trouble all are served as before.
"""

import errno
import random
import resource
import socket
import struct
import subprocess
import time

import peer

import listening

BIG = 300_000
CROWD = 5000
NO_ROOM = "451 no room for another message, try again later (#4.3.0)"
FULL = "451 unable to write mail: disk full (#4.3.1)"


def memory_map(pid):
    """Address space of the process, in octets: what RLIMIT_AS counts."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


class Disk(listening.Case):
    def test_a_full_disk(self):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.home.mail], stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            self.skipTest("only root may mount a small file system; a_bound_of_file_size does without")
        self.addCleanup(subprocess.run, ["umount", "-l", self.home.mail], check=True)
        server = self.serve()
        self.assert_delivers(server)
        self.assertEqual(self.assert_delivers(server, "451", 2_000_000), FULL)
        filling = self.home.mail / "filling"
        with open(filling, "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(bytes(4096))
        senders = self.load(server, 4, sizes=(200, 70_000, 2_000_000))
        self.assertTrue(peer.until(lambda: len(senders.other) > 20))
        filling.unlink()
        before = len(senders.answered)
        self.assertTrue(peer.until(lambda: len(senders.answered) > before + 5))
        senders.stop()
        self.assertEqual(set(senders.other), {FULL})
        self.assertEqual(senders.broken, [])
        self.home.forget_mail()
        self.assert_delivers(server)

    def test_a_bound_of_file_size(self):
        server = self.serve(limits={resource.RLIMIT_FSIZE: 150_000})
        self.assert_delivers(server, "451", BIG)
        self.assert_delivers(server, "250", 100_000)
        self.assertEqual(self.home.leftovers(), [])

    def test_a_bound_of_file_size_for_what_waits_for_a_queue_program(self):
        server = self.serve(maildir=None, limits={resource.RLIMIT_FSIZE: 150_000}, QMAILQUEUE="/bin/true",
                            TMPDIR=self.home.path)
        self.assert_delivers(server, "451", BIG)

    def test_a_disk_that_fails_here_and_there(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        self.assert_delivers(server)
        kept = len(self.home.stored())
        for call in ("write", "fsync", "linkat", "mkdirat"):
            for skip in range(6):
                for octets in (600, BIG):
                    trouble.fail(call, errno.EIO, skip)
                    with server.connect() as client, self.subTest(call=call, skip=skip, octets=octets):
                        client.say("EHLO client.example")
                        recipient = f"{call}{skip}.{octets}@{peer.OURS}"
                        reply = client.deliver(listening.Letter(octets).wire()[:-5].decode(), recipient=recipient)
                        self.assertEqual(reply[:3], "451" if trouble.failed() else "250", reply)
                        stored = self.home.stored()
                        kept += 0 if trouble.failed() else 1
                        self.assertEqual(len(stored), kept)
                        self.assertEqual(self.home.leftovers(), [])
            trouble.fail("", count=0)
            self.assert_delivers(server)
            kept += 1

    def test_writes_that_take_half(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        trouble.fail("half a write", count=1 << 30)
        senders = self.load(server, 4)
        self.assertTrue(peer.until(lambda: len(senders.answered) > 100))
        senders.stop()
        self.assertGreater(trouble.failed(), 100)
        self.assertEqual(senders.other + senders.broken, [])
        self.assert_nothing_lost(senders)

    def test_a_disk_that_fails_under_load(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        senders = self.load(server)
        failed = {}
        end = time.monotonic() + listening.seconds(4)
        while time.monotonic() < end:
            for call in ("write", "fsync", "linkat", "io_submit", "io_getevents", "io_event"):
                trouble.fail(call, errno.EIO, skip=2, count=3)
                peer.until(lambda: trouble.failed() == 3, 0.2)
                self.assertTrue(peer.until(lambda: trouble.failed() > 0), f"{call} is never called")
                failed[call] = failed.get(call, 0) + trouble.failed()
        trouble.fail("", count=0)
        before = len(senders.answered)
        self.assertTrue(peer.until(lambda: len(senders.answered) > before + 50))
        senders.stop()
        print(failed, f"{len(senders.other)} letters deferred, {len(senders.answered)} accepted", end=" ", flush=True)
        self.assertEqual({reply[:3] for reply in senders.other}, {"451"})
        self.assertEqual(senders.broken, [])
        self.assert_nothing_lost(senders)


class Descriptors(listening.Case):
    def exhaust(self, server, count):
        """Clients that are greeted, and how many get 421; each gets one or the other at once."""
        greeted, told = [], 0
        for _ in range(count):
            client = server.connect(greeted=False, patience=2)
            self.addCleanup(client.close)
            reply = client.reply()
            self.assertIn(reply[:3], ("220", "421"))
            if reply[:3] == "220":
                client.socket.settimeout(peer.PATIENCE_SECONDS)
                greeted.append(client)
            else:
                told += 1
                client.close()
        return greeted, told

    def assert_in_hand_is_served(self, greeted, lengths=(1, 2000)):
        for client in greeted[:5]:
            client.say("EHLO client.example")
            for lines in lengths:
                self.assertEqual(client.deliver("Subject: none\r\n\r\n" + "\r\n".join(["x" * 70] * lines))[:3], "250")

    def test_what_is_in_hand_has_its_descriptors(self):
        for limit in (200, 64):
            server = self.serve(limits={resource.RLIMIT_NOFILE: limit})
            greeted, told = self.exhaust(server, 190)
            self.assertGreater(told, 0)
            self.assertGreater(len(greeted), limit // 4)
            self.assert_logged(server, f"RLIMIT_NOFILE is {limit}: ")
            self.assert_in_hand_is_served(greeted)
            for client in greeted[:-1]:
                client.close()
            self.assert_recovers(server)
            self.assertEqual(greeted[-1].say("NOOP"), "250 ok")

    def test_messages_that_find_no_place_are_told_at_data_and_the_others_are_taken(self):
        server = self.serve(limits={resource.RLIMIT_NOFILE: 64})
        greeted, _ = self.exhaust(server, 40)
        taken, told = [], []
        for client in greeted:
            client.say("EHLO client.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{peer.OURS}>")
            reply = client.say("DATA")
            self.assertIn(reply, ("354 go ahead", NO_ROOM))
            (told if reply == NO_ROOM else taken).append(client)
        for client in taken:
            client.send("Subject: x\r\n" + ("x" * 70 + "\r\n") * 2000)
        self.assertTrue(taken and told)
        self.assertEqual({client.say(".")[:3] for client in taken}, {"250"})
        # The transaction stays: the client that tries again needs no new one.
        self.assertEqual(told[0].say("DATA"), "354 go ahead")
        self.assertEqual(self.end_of_data(told[0]), "250")
        self.assert_logged(server, "no descriptor for another message")
        self.assert_logged(server, f'rule=data.no_room reply="{NO_ROOM}"')
        greeted[0].close()
        self.assert_recovers(server)

    def end_of_data(self, client):
        client.send("Subject: x\r\n\r\nx\r\n.\r\n")
        return client.reply()[:3]

    def test_a_queue_program_has_its_descriptors(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null")
        server = self.serve(maildir=None, limits={resource.RLIMIT_NOFILE: 64}, QMAILQUEUE=queue)
        greeted, told = self.exhaust(server, 100)
        self.assertGreater(told, 0)
        self.assert_in_hand_is_served(greeted, lengths=(1,))

    def test_who_is_accepted_with_the_spare_descriptor_is_told(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        trouble.fail("accept4", errno.EMFILE)
        with server.connect(greeted=False) as client:
            self.assertEqual(client.reply(), "421 out of resources, try again later (#4.3.2)")
            self.assertEqual(client.rest(), b"")
        self.assert_logged(server, "rule=exhausted ")
        self.assert_logged(server, "cannot serve more clients now: Too many open files: new clients get 421")
        self.assert_delivers(server)

    def test_where_tls_comes_first_who_is_accepted_with_the_spare_descriptor_hears_nothing(self):  # D22; RFC 8314 3.3
        trouble = listening.Trouble(self.home)
        file = listening.write_file(self.home, SSL=1, TLS_SERVER_CERT=self.home.pem)
        server = self.serve(file=file, **trouble.environment())
        trouble.fail("accept4", errno.EMFILE)
        with server.connect(greeted=False) as client:
            self.assertEqual(client.rest(), b"")
        self.assert_logged(server, "rule=connect.before_tls cause=connect.exhausted")

    def test_clients_cannot_be_accepted_or_watched_for_a_while(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        for call, error in (("accept4", errno.EMFILE), ("accept4", errno.ENFILE), ("accept4", errno.ENOBUFS),
                            ("accept4", errno.ENOMEM), ("accept4", errno.ECONNABORTED), ("epoll_ctl", errno.ENOMEM)):
            with self.subTest(call=call, error=errno.errorcode[error]):
                trouble.fail(call, error, count=5)
                clients = [server.connect(greeted=False, patience=5) for _ in range(10)]
                heard = [client.reply()[:3] for client in clients]
                for client in clients:
                    client.close()
                told = heard.count("421") if error in (errno.EMFILE, errno.ENFILE) else 0
                self.assertLess(told, 4)  # by the spare descriptor
                self.assertEqual(heard.count("220"), 10 - told if call == "accept4" else 5)
                self.assertEqual(trouble.failed(), 5)
        self.assert_delivers(server)

    def test_listening_is_taken_up_again_although_that_fails_at_first(self):
        trouble = listening.Trouble(self.home)
        server = self.serve(**trouble.environment())
        trouble.fail("accept4", errno.EMFILE, count=1 << 30)
        client = server.connect(greeted=False, patience=5)
        self.assertTrue(peer.until(lambda: trouble.failed() > 0))
        trouble.fail("epoll_ctl", errno.ENOMEM, count=20)
        self.assertTrue(peer.until(lambda: trouble.failed() == 20, 10))
        self.assertEqual(client.reply()[:3], "220")
        client.close()


class Memory(listening.Case):
    def test_the_address_space_is_used_up(self):
        """An allocation that fails would end the process: so nothing new is begun when little is left."""
        own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < CROWD + 200:
            self.skipTest("not so many descriptors may be open here: ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (own, most))
        server = self.serve()
        free = resource.prlimit(server.pid, resource.RLIMIT_AS)
        senders = self.load(server, sizes=(200, 100_000), patience=60)
        self.assertTrue(peer.until(lambda: len(senders.answered) > 50))
        resource.prlimit(server.pid, resource.RLIMIT_AS, (memory_map(server.pid) + (30 << 20), free[1]))
        crowd = []
        while len(crowd) < CROWD and "Cannot allocate memory" not in server.log():
            client = server.connect(greeted=False)
            self.addCleanup(client.close)
            client.send("EHLO client.example\r\nSTARTTLS\r\n")
            crowd.append(client)
        time.sleep(1)
        self.assert_logged(server, "cannot serve more clients now: Cannot allocate memory")
        self.assertTrue(server.is_alive(), server.log()[-1000:])
        resource.prlimit(server.pid, resource.RLIMIT_AS, free)
        for client in crowd:
            client.close()
        before = len(senders.answered)
        self.assertTrue(peer.until(lambda: len(senders.answered) > before + 50))
        senders.stop()
        print(f"{len(crowd)} clients, {len(senders.other)} letters deferred", end=" ", flush=True)
        self.assertLessEqual({reply[:3] for reply in senders.other}, {"421", "451", "454"})
        self.assertEqual(senders.broken, [])
        self.assert_nothing_lost(senders)


class Resets(listening.Case):
    """Clients that reset while their message is made durable: the end of a job and the end of the client come in one turn."""

    def test_a_reset_at_any_moment_of_the_storing(self):
        server = self.serve(file=listening.write_file(self.home, "loops = 2", "exempt = [\"127.0.0.0/8\"]"))
        letter = "Subject: x\r\n\r\nx\r\n.\r\n"
        moments = random.Random(5321)
        end = time.monotonic() + listening.seconds(3)
        sessions = 0
        while time.monotonic() < end and server.is_alive():
            client = server.connect()
            client.say("EHLO c.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{peer.OURS}>", "DATA")
            client.send(letter)
            time.sleep(moments.random() * 0.003)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            sessions += 1
        self.assertTrue(server.is_alive(), f"after {sessions} sessions: {server.log()[-1000:]}")
        self.assert_delivers(server)


if __name__ == "__main__":
    listening.main()
