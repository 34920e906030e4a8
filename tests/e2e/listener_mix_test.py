"""Everything at once: mail in clear and inside TLS, passwords right and wrong, a proxy, clients that vanish at any point, and
reloads that change the way out, then SIGTERM in the midst of it. Nothing is lost, and the end is an orderly one.

scripts/test all holds it with the sanitizers, which is what it is for: what they find ends the server with another code.
"""

import random
import re
import signal
import socket
import struct
import threading
import time
import warnings

import peer
from peer import OURS, PASSWORD, USER, encoded, plain_response

import listening

SANITIZERS = {"ASAN_OPTIONS": "exitcode=66:detect_leaks=0", "TSAN_OPTIONS": "exitcode=66:halt_on_error=1",
              "UBSAN_OPTIONS": "exitcode=66"}
PROXY = "PROXY TCP4 192.0.2.{} 192.0.2.25 49152 25\r\n"
PROXIES = 'proxies = ["127.0.0.1"]\n'
DIALOGUES = (
    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<gone@" + OURS + ">\r\nDATA\r\n" + "x" * 70 + "\r\n",
    "EHLO c\r\nSTARTTLS\r\nEHLO c\r\n",
    "EHLO c\r\nAUTH PLAIN " + plain_response(USER, "wrong") + "\r\nNOOP\r\nQUIT\r\n",
    "EHLO c\r\nAUTH LOGIN\r\n" + encoded(USER) + "\r\n" + encoded(PASSWORD) + "\r\nNOOP\r\n",
    "NOOP\r\n" * 3000 + "QUIT\r\n",
    "XYZZY\r\n" * 30,
)
DATA = "MAIL FROM:<>\r\nRCPT TO:<gone@" + OURS + ">\r\nDATA\r\n" + ("y" * 70 + "\r\n") * 4000 + ".\r\n"


class Mix(listening.Case):
    def write_file(self, greeting):
        listener = '[[listener]]\nip = "127.0.0.1"\nport = 0\n'
        queue, check = self.home.script("queue", "cat >/dev/null\n"), self.home.check_program
        programs = f'QMAILQUEUE = "{queue}"\ncheck_program = ["mx.example", "{check}", "/bin/true"]\n'
        more = ("", "SSL = 1\n", programs + PROXIES, "SSL = 1\n" + PROXIES)
        new, file = self.home.path / "new.toml", self.home.path / "postern.toml"
        new.write_text(
            f'[server]\nhome = "{self.home.path}"\ndomains = ["{OURS}"]\nloops = 3\nsandbox = false\n[variables]\n'
            f'SMTPGREETING = "{greeting}"\nPOSTERN_MAILDIR = "mail"\nAUTH_CDB = "users.cdb"\nALLOW_INSECURE_AUTH = 1\n' +
            "".join(listener + lines for lines in more))
        return new.rename(file)

    def setUp(self):
        super().setUp()
        warnings.simplefilter("ignore", ResourceWarning)  # clients vanish without a close
        self.server = self.serve(file=self.write_file("mx.example"), **SANITIZERS)
        self.ports = [int(port) for port in re.findall(r"listen: 127\.0\.0\.1:(\d+)", self.server.log())]
        self.is_over = threading.Event()

    def repeat(self, do, count):
        def run():
            while not self.is_over.is_set():
                try:
                    do()
                except (OSError, AssertionError):
                    time.sleep(0.01)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def vanish(self):
        """Says some of a dialogue to any of the listeners, and is gone, in one of four ways."""
        which = random.randrange(4)
        with socket.create_connection(("127.0.0.1", self.ports[which]), 10) as client:
            if which >= 2 and random.random() < 0.9:
                client.sendall(PROXY.format(random.randrange(200)).encode())
            if which % 2 == 1 and random.random() < 0.8:
                client = peer.tls_context().wrap_socket(client)
            dialogue = random.choice(DIALOGUES) + random.choice(("", DATA))
            client.sendall(dialogue[:random.randrange(1, len(dialogue))].encode())
            way = random.randrange(4)
            if way == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way == 1:
                socket.socket.shutdown(client, socket.SHUT_WR)
            if way != 3:
                client.settimeout(0.05)
                while client.recv(random.choice((1, 4096))):
                    pass
            client.close()

    def log_in(self):
        with peer.Client(self.ports[0], source=f"127.0.1.{random.randrange(1, 200)}") as client:
            client.starttls()
            client.say("EHLO client.example")
            client.say("AUTH PLAIN " + plain_response(USER, random.choice((PASSWORD, "wrong"))))
            client.deliver(DATA[:1000])

    def test_everything_at_once(self):
        senders = [sender for tls in (False, True) for sender in listening.Senders(self.ports[0], 3, per_session=5, tls=tls)]
        threads = self.repeat(self.vanish, 6) + self.repeat(self.log_in, 3)
        end = time.monotonic() + listening.seconds(4)
        while time.monotonic() < end:
            time.sleep(0.15)
            self.write_file(random.choice(("mx.example", "mx1.example", "mx2.example")))
            self.server.signal(signal.SIGHUP)
            self.assertTrue(self.server.is_alive(), self.server.log()[-20000:])
        self.server.signal(signal.SIGTERM)
        code = self.server.exit_code(60)
        log = self.server.log()
        self.is_over.set()
        for sender in senders:
            sender.is_stopped = True
        for thread in [*senders, *threads]:
            thread.join(60)
        self.assertEqual(code, 0, log[-20000:])
        self.assertIn("reload: done", log)
        self.assertNotIn("broken off", log)
        self.assertGreater(sum(len(sender.answered) for sender in senders), 10)
        problems = [line for line in listening.losses(
            self.home.mail, [letter for sender in senders for letter in sender.answered],
            [letter for sender in senders for letter in sender.unanswered]) if "letter-" in line and "gone/" not in line]
        self.assertEqual(problems[:5], [])


if __name__ == "__main__":
    listening.main()
