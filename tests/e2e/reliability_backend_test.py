"""What the server hands over to comes and goes: a queue program that fails, crashes and hangs in turn, a mail
cluster that dies and comes back. Clients get 451 meanwhile; a message that got 250 was taken, once; no child and no descriptor is left.
"""

import collections
import random
import re
import socket
import threading
import time

import peer

import listening

# By its number: takes the message and says so; reads it and fails; crashes; hangs; closes its ears.
QUEUE = """n=$$; case $((n % 7)) in
  0|1|2) file=taken/$n; cat >$file.part; cat <&1 >/dev/null; mv $file.part $file; exit 0;;
  3) cat >/dev/null; cat <&1 >/dev/null; exit 111;;
  4) head -c 100 >/dev/null; kill -SEGV $$;;
  5) sleep 0.3; exit 111;;
  6) exec <&- ; exit 81;;
esac
"""


MOST_IDLE = 8  # connections to a mail cluster, of lib/deliver/lmtp_loop.cpp
MOST_PROGRAMS = 32  # hand_overs of lib/config/configuration.hpp


def names_in(texts):
    return collections.Counter(re.search(rb"^Subject: (letter-\S+)\r?$", text, re.M)[1].decode() for text in texts)


class Cluster(threading.Thread):
    """An LMTP server that takes letters into a list, until it dies in one of several manners; `rise` brings it back."""

    def __init__(self, address=("127.0.0.1", 0)):
        super().__init__(daemon=True)
        self.taken, self.clients, self.manner, self.is_stopped, self.broken = [], [], "well", False, 0
        self.in_hand, self.most_in_hand, self.counting = 0, 0, threading.Lock()  # messages that are answered slowly
        self.listening = socket.create_server(address)
        self.address = self.listening.getsockname()
        self.start()

    def run(self):
        while not self.is_stopped:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def fall(self):
        """Nothing listens any more, and connections are reset."""
        self.is_stopped = True
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for client in list(self.clients):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return self.taken

    def serve(self, client):
        try:
            with client, client.makefile("rwb") as file:
                self.converse(file)
        except (OSError, ValueError):
            pass
        self.clients.remove(client)

    def break_up(self, say, recipients):
        """After the final dot, in one manner after the other: no reply, garbage, 421, a flood."""
        self.broken += 1
        if self.broken % 4 == 1:
            say("what?")
        elif self.broken % 4 == 2:
            say(*["421 closing"] * recipients)
        elif self.broken % 4 == 3:
            say(*["250-more"] * 100_000)

    def be_slow(self):
        with self.counting:
            self.in_hand += 1
            self.most_in_hand = max(self.most_in_hand, self.in_hand)
        time.sleep(1)
        with self.counting:
            self.in_hand -= 1

    def converse(self, file):
        def say(*lines):
            file.write("".join(line + "\r\n" for line in lines).encode())
            file.flush()

        say("220 cluster")
        recipients = 0
        for line in file:
            word = line[:4].upper()
            if word == b"LHLO":
                say("250-cluster", "250 PIPELINING")
            elif word == b"DATA":
                say("354 go on")
                text = b""
                while (line := file.readline()) not in (b"", b".\r\n"):
                    text += line
                if not line or self.manner == "dies at the dot":
                    return
                if self.manner == "slow":
                    self.be_slow()
                if self.manner == "breaks":
                    return self.break_up(say, recipients)
                if self.manner == "defers":
                    say(*["451 later"] * recipients)
                else:
                    self.taken.append(text)
                    say(*["250 taken"] * recipients)
                recipients = 0
            else:
                recipients += word == b"RCPT"
                recipients *= word not in (b"RSET", b"MAIL")
                say("221 bye" if word == b"QUIT" else "250 ok")


class Backend(listening.Case):
    def quiet(self, server):
        """How many descriptors are open when no child is left."""
        self.assertTrue(server.is_idle(), "children are left")
        return server.descriptors()

    def judge(self, senders, taken, others=("451",)):
        counts = names_in(taken)
        for letter in senders.answered:
            self.assertEqual(counts[letter.name], 1, letter.name)
        self.assertEqual({reply[:3] for reply in senders.other}, set(others))
        self.assertEqual(senders.broken, [])
        print(f"{len(senders.answered)} letters taken, {len(senders.other)} deferred", end=" ", flush=True)

    def test_a_queue_program_of_all_manners(self):
        taken = self.home.path / "taken"
        taken.mkdir()
        server = self.serve(maildir=None, QMAILQUEUE=self.home.script("queue", QUEUE), TMPDIR=self.home.path)
        before = self.quiet(server)
        senders = self.load(server)
        time.sleep(listening.seconds(5))
        senders.stop()
        self.judge(senders, [file.read_bytes() for file in taken.glob("*[0-9]")])
        self.assertTrue(peer.until(lambda: self.quiet(server) <= before))
        self.assertEqual(list(taken.glob("*.part")), [])

    def test_a_queue_program_that_is_away_for_a_while(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null")
        server = self.serve(maildir=None, QMAILQUEUE=queue)
        before = self.quiet(server)
        queue.rename(self.home.path / "away")
        for _ in range(5):
            self.assert_delivers(server, "451")
        (self.home.path / "away").rename(queue)
        self.assert_delivers(server)
        self.assertTrue(peer.until(lambda: self.quiet(server) <= before))

    def test_more_programs_hang_than_may_run(self):
        """They are given back by their end; who waits in line is served then, and who needs none is not delayed."""
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null; sleep 1")
        server = self.serve(maildir=None, QMAILQUEUE=queue)
        senders = self.load(server, 80, sizes=(300,), per_session=1)
        self.assertTrue(peer.until(lambda: len(server.others()) > 16))
        began = time.monotonic()
        with server.connect() as client:
            client.say("NOOP")
        self.assertLess(time.monotonic() - began, 0.5)
        self.assertTrue(peer.until(lambda: len(senders.answered) >= 80))
        self.assertLessEqual(len(server.others()), 2 * MOST_PROGRAMS)  # each may have a sleep
        senders.stop()
        self.assertEqual(senders.other + senders.broken, [])
        self.assertTrue(server.is_idle())

    def test_a_slow_cluster_holds_no_threads(self):
        """200 messages at once, each answered after a second: hand_overs of them at a time, over one loop."""
        cluster = Cluster()
        cluster.manner = "slow"
        server = self.serve(maildir=None, POSTERN_LMTP=f"tcp:127.0.0.1:{cluster.address[1]}", TMPDIR=self.home.path)
        threads = server.threads()
        began = time.monotonic()
        senders = self.load(server, 200, sizes=(300,), per_session=1)
        self.assertTrue(peer.until(lambda: len(cluster.clients) >= MOST_PROGRAMS))
        self.assertLessEqual(server.threads(), threads)
        self.assertTrue(peer.until(lambda: len(senders.answered) >= 200))
        self.assertLess(time.monotonic() - began, listening.seconds(20))
        self.assertLessEqual(cluster.most_in_hand, MOST_PROGRAMS)
        cluster.manner = "well"
        senders.stop()
        self.judge(senders, cluster.fall(), others=())

    def test_a_cluster_that_dies_and_comes_back(self):
        cluster = Cluster()
        address, taken = cluster.address, []
        server = self.serve(maildir=None, POSTERN_LMTP=f"tcp:127.0.0.1:{address[1]}", TMPDIR=self.home.path)
        self.assert_delivers(server)
        before = server.descriptors()
        senders = self.load(server)
        end = time.monotonic() + listening.seconds(6)
        while time.monotonic() < end:
            for manner in ("well", "defers", "dies at the dot", "breaks"):
                cluster.manner = manner
                time.sleep(0.2 + random.random() * 0.2)
            taken += cluster.fall()
            time.sleep(0.2)
            cluster = Cluster(address)
        answered = len(senders.answered)
        self.assertTrue(peer.until(lambda: len(senders.answered) > answered + 20))
        senders.stop()
        taken += cluster.fall()
        self.judge(senders, taken)
        self.assertTrue(peer.until(lambda: server.descriptors() <= before + MOST_IDLE))
        self.assertEqual([path for path in self.home.path.iterdir() if "postern-" in path.name], [])


if __name__ == "__main__":
    listening.main()
