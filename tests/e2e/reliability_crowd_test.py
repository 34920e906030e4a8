"""Ten thousand clients that say nothing, two thousand of them inside TLS, five hundred that send an octet a second: others are
served as if they were alone, and each costs little memory.

Memory is what the kernel charges this process for (Pss of /proc/PID/smaps_rollup), divided by the sessions that made it
grow. The kernel's own memory for sockets is not in it.
"""

import resource
import socket
import threading
import time

import peer

import listening

IDLE = 10_000
IDLE_IN_TLS = 2_000
SLOW = 500
TARGET_KIB, TARGET_IN_TLS_KIB, TOLERANCE = 4, 24, 1.5
MOST_SECONDS = 0.5  # for 99 of 100 replies, on a machine that has other things to do


def setUpModule():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def can_hold(sessions):
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] > sessions + 200


def percentile(times, percent):
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


class Slow(threading.Thread):
    """Clients that send one octet of a letter in a second, each."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.letter, self.sent, self.is_stopped = listening.Letter(5000).wire(), 0, False
        self.clients = [peer.Client(port, source=f"127.0.1.{i % 250 + 1}") for i in range(count)]
        for client in self.clients:
            client.say("EHLO slow.example", "MAIL FROM:<me@sender.example>", f"RCPT TO:<slow@{peer.OURS}>", "DATA")

    def run(self):
        for octet in self.letter:
            began = time.monotonic()
            for client in self.clients:
                if self.is_stopped:
                    return
                client.send(bytes([octet]))
                self.sent += 1
                time.sleep(0.8 / len(self.clients))
            time.sleep(max(0, 1 - (time.monotonic() - began)))

    def stop(self):
        self.is_stopped = True
        self.join(peer.PATIENCE_SECONDS)
        for client in self.clients:
            client.close()


class Crowd(listening.Case):
    def hold(self, server, count, step=200):
        """Clients that have said EHLO, and nothing since."""
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for first in range(0, count, step):
            some = [server.connect(source=f"127.{1 + first // 10_000}.{first // 200 % 250}.{i % 250 + 1}", greeted=False)
                    for i in range(min(step, count - first))]
            clients += some
            for client in some:
                client.send("EHLO idle.example\r\n")
            for client in some:
                self.assertEqual((client.reply()[:3], client.reply()[:3]), ("220", "250"))
        return clients

    def flow(self, server, seconds=2):
        """The times that replies took while four clients deliver."""
        senders = self.load(server, 4, sizes=(600, 3000))
        time.sleep(listening.seconds(seconds))
        senders.stop()
        self.assertEqual(senders.other + senders.broken, [])
        self.assert_nothing_lost(senders)
        self.home.forget_mail()
        return senders.times

    def tell(self, what, times):
        print(f"{what}: {len(times)} letters, median {percentile(times, 50) * 1000:.1f} ms, "
              f"99 of 100 within {percentile(times, 99) * 1000:.1f} ms;", end=" ", flush=True)

    def test_ten_thousand_that_say_nothing(self):
        if not can_hold(IDLE):
            self.skipTest("not so many descriptors may be open here: ulimit -Hn")
        server = self.serve(file=listening.write_file(self.home, limits=f"sessions = {IDLE + 100}"))
        self.tell("alone", self.flow(server))
        before, descriptors = server.memory(), server.descriptors()
        clients = self.hold(server, IDLE)
        kib = (server.memory() - before) / IDLE
        times = self.flow(server)
        self.tell(f"beside {IDLE} idle clients", times)
        print(f"{kib:.2f} KiB of memory a client", end=" ", flush=True)
        self.assertLess(percentile(times, 99), MOST_SECONDS)
        self.assertLess(kib, TOLERANCE * TARGET_KIB)
        for client in clients[::100]:
            self.assertEqual(client.say("NOOP"), "250 ok")
        for client in clients:
            client.close()
        self.assertTrue(peer.until(lambda: server.descriptors() <= descriptors))

    def test_two_thousand_in_tls(self):
        server = self.serve()
        self.flow(server, 1)
        with server.connect().starttls() as client:
            client.say("NOOP")
        before = server.memory()
        clients = self.hold(server, IDLE_IN_TLS)
        context = peer.tls_context()
        for client in clients:
            self.assertEqual(client.say("STARTTLS")[:3], "220")
            client.start_tls(context)
            self.assertEqual(client.say("EHLO idle.example")[:3], "250")
        kib = (server.memory() - before) / IDLE_IN_TLS
        print(f"{kib:.2f} KiB of memory a client in TLS", end=" ", flush=True)
        self.assertLess(kib, TOLERANCE * TARGET_IN_TLS_KIB)

    def test_slow_clients_delay_nobody(self):
        server = self.serve()
        slow = Slow(server.port, SLOW)
        self.addCleanup(slow.stop)
        slow.start()
        times = self.flow(server, 4)
        self.tell(f"beside {SLOW} slow clients", times)
        self.assertGreater(slow.sent, SLOW)
        self.assertLess(percentile(times, 99), MOST_SECONDS)

    def test_who_does_not_read_is_not_read(self):
        """Each HELP of 6 octets has a reply that is many times longer: it is answered only as fast as it is read."""
        server = self.serve()
        before = server.memory()
        deaf = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        self.addCleanup(lambda: [client.close() for client in deaf])
        sent = 0
        for _ in range(50):
            for client in deaf:
                client.setblocking(False)
                try:
                    sent += client.send(b"HELP\r\n" * 10_000)
                except BlockingIOError:
                    pass
            time.sleep(0.01)
        kib = (server.memory() - before) / len(deaf)
        print(f"{sent / len(deaf) / 1024:.0f} KiB sent by each, {kib:.1f} KiB of memory for it", end=" ", flush=True)
        self.assertGreater(sent / len(deaf), 1 << 20)
        self.assertLess(kib, 200)
        deaf[0].setblocking(True)
        deaf[0].settimeout(peer.PATIENCE_SECONDS)
        heard = 0
        while heard < 1 << 20:
            heard += len(deaf[0].recv(1 << 16))


if __name__ == "__main__":
    listening.main()
