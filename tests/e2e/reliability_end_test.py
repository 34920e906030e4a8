"""SIGTERM: a client at rest gets 421, one in mail data may finish, a bound ends one that does not; nothing is lost."""

import errno
import fcntl
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import peer
from peer import OURS

import listening
from policy_peers import Standin

SHUTDOWN_SECONDS = 2  # 30 without the file
END_SECONDS = 5  # server/server.cpp
HANDSHAKE_SECONDS = 2  # spec/limits.hpp: max_shutdown_handshake_seconds
ENDING = "421 shutting down (#4.3.2)"


class End(listening.Case):
    def connect(self, server):
        client = server.connect()
        self.addCleanup(client.close)
        return client

    def begin_letter(self, client, letter):
        client.say("EHLO client.example", "MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>")
        self.assertEqual(client.say("DATA")[:3], "354")
        client.send(letter.wire()[:100])
        letter.copies = 1

    def test_everybody_is_served_to_the_end_or_told(self):
        server = self.serve()
        idle = [self.connect(server) for _ in range(20)]
        inside_tls = self.connect(server).starttls()
        half_a_line = self.connect(server)
        half_a_line.send("MAIL FR")
        writing, letter = self.connect(server), listening.Letter()
        self.begin_letter(writing, letter)
        senders = self.load(server)
        self.assertTrue(peer.until(lambda: len(senders.answered) > 100))
        server.signal(signal.SIGTERM)
        for client in [*idle, inside_tls, half_a_line]:
            self.assertEqual(client.reply(), ENDING)
            self.assertEqual(client.rest(), b"")
        self.assertTrue(server.is_alive())
        writing.send(letter.wire()[100:])
        self.assertRegex(writing.reply(), r"\A250 ok \d+ qp \d+\Z")
        self.assertEqual(writing.reply(), ENDING)
        self.assertEqual(server.exit_code(5), 0)
        senders.stop()
        self.assertEqual([reply for reply in senders.other if reply != ENDING], [])
        senders[0].answered.append(letter)
        self.assert_nothing_lost(senders)

    def held_back(self, server):
        """A client in its STARTTLS handshake that has all it needs, and whose last flight (TLS 1.3) is not sent yet."""
        client = self.connect(server)
        client.say("EHLO client.example")
        self.assertEqual(client.say("STARTTLS")[:3], "220")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = peer.tls_context().wrap_bio(incoming, outgoing)
        while True:
            try:
                tls.do_handshake()
                return client.socket, tls, incoming, outgoing
            except ssl.SSLWantReadError:
                client.socket.sendall(outgoing.read())
                incoming.write(client.socket.recv(65536))

    def heard(self, socket, tls, incoming):
        """What is said inside TLS until it ends."""
        octets = b""
        while True:
            try:
                piece = tls.read()
                if not piece:
                    return octets
                octets += piece
            except ssl.SSLWantReadError:
                incoming.write(more) if (more := socket.recv(65536)) else incoming.write_eof()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return octets

    def test_who_has_just_finished_a_handshake_is_told(self):
        """For such a client the handshake is over; for the server it is when the last flight comes."""
        server = self.serve()
        idle, (socket, tls, incoming, outgoing) = self.connect(server), self.held_back(server)
        server.signal(signal.SIGTERM)
        self.assertEqual(idle.reply(), ENDING)  # by then the server ends
        time.sleep(0.3)
        socket.sendall(outgoing.read())
        self.assertEqual(self.heard(socket, tls, incoming), ENDING.encode() + b"\r\n")
        self.assertEqual(server.exit_code(END_SECONDS), 0)

    def test_who_stops_in_its_handshake_does_not_hold_the_end(self):
        server = self.serve()
        self.held_back(server)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        self.assertEqual(server.exit_code(END_SECONDS), 0)
        self.assertGreater(time.monotonic() - began, HANDSHAKE_SECONDS - 0.5)

    def ask_and_end(self, server, *commands, clients=()):
        """Each client asks what nobody answers; then the server ends: their last replies, and how long it took."""
        clients = clients or [self.connect(server) for _ in commands]
        for client, command in zip(clients, commands):
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            client.send(command + "\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        replies = [client.rest().decode().splitlines() for client in clients]
        return replies, time.monotonic() - began

    def test_who_waits_for_a_policy_service_is_told_at_once(self):
        standin = Standin()
        self.addCleanup(standin.stop)
        server = self.serve(file=listening.write_file(self.home, "shutdown_seconds = 0", POSTERN_POLICY_SERVICE=standin.address))
        rcpt = f"RCPT TO:<silent@{OURS}>"
        replies, seconds = self.ask_and_end(server, rcpt, rcpt + "\r\n" + rcpt)
        self.assertEqual(replies, [["451 unable to check recipient (#4.3.0)", ENDING]] * 2)
        self.assertEqual(server.exit_code(END_SECONDS), 0)
        self.assertLess(seconds, END_SECONDS - 1)
        self.assertIn("end: all sessions are over", server.log())

    def test_who_waits_for_dns_lists_is_told_at_once(self):
        with socket.socket(type=socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            file = listening.write_file(self.home, f'shutdown_seconds = 0\ndns = "127.0.0.1:{silent.getsockname()[1]}"',
                                        DNSBL="list.example=127.0.0.2")
            file.write_text(file.read_text() + 'proxies = ["127.0.0.0/8"]\n')
            server = self.serve(file=file)
            client = server.connect(greeted=False)
            self.addCleanup(client.close)
            client.send("PROXY TCP4 198.51.100.7 127.0.0.1 50000 25\r\n")  # about private addresses nobody is asked
            self.assertEqual(client.reply()[:3], "220")
            replies, _ = self.ask_and_end(server, f"RCPT TO:<user@{OURS}>", clients=[client])
            self.assertEqual(replies, [["451 unable to check recipient (#4.3.0)", ENDING]])
            self.assertEqual(server.exit_code(END_SECONDS), 0)
            self.assertIn("end: all sessions are over", server.log())

    def test_who_waits_for_a_program_is_told_at_once(self):
        slow = self.home.script("slow", "exec sleep 20")
        server = self.serve(file=listening.write_file(self.home, "shutdown_seconds = 0", RCPTCHECK=slow))
        replies, seconds = self.ask_and_end(server, f"RCPT TO:<user@{OURS}>")
        self.assertEqual(replies, [["451 unable to check recipient (#4.3.0)", ENDING]])
        self.assertLess(seconds, END_SECONDS - 1)
        self.assertEqual(server.exit_code(2 * END_SECONDS), 0)

    def test_who_waits_in_the_backlog_is_told(self):
        """An accept that fails makes the loop rest for a tenth of a second; meanwhile clients come, and then the end."""
        trouble = listening.Trouble(self.home)
        told = 0
        for _ in range(20):
            server = self.serve(file=listening.write_file(self.home, "loops = 1"), **trouble.environment())
            trouble.fail("accept4", errno.ENOMEM)
            callers = [server.connect(greeted=False)]
            self.assertTrue(peer.until(lambda: "cannot accept clients now" in server.log()))
            callers += [server.connect(greeted=False) for _ in range(20)]
            callers[0].send("EHLO client.example\r\n")  # what is unread makes no reset
            server.signal(signal.SIGTERM)
            for caller in callers:
                heard = caller.rest().decode()
                told += heard == ENDING + "\r\n"
                self.assertTrue(heard.endswith(ENDING + "\r\n"), f"{heard!r}\n{server.log()}")
                caller.close()
            self.assertEqual(server.exit_code(END_SECONDS), 0)
            if told:
                break
        self.assertGreater(told, 0)
        self.assert_logged(server, "rule=shutting_down ")

    def test_where_tls_comes_first_who_waits_in_the_backlog_hears_nothing(self):  # D23; RFC 8314 3.3
        trouble = listening.Trouble(self.home)
        file = listening.write_file(self.home, "loops = 1", SSL=1, TLS_SERVER_CERT=self.home.pem)
        for _ in range(20):
            server = self.serve(file=file, **trouble.environment())
            trouble.fail("accept4", errno.ENOMEM)
            callers = [server.connect(greeted=False)]
            self.assertTrue(peer.until(lambda: "cannot accept clients now" in server.log()))
            callers += [server.connect(greeted=False) for _ in range(20)]
            server.signal(signal.SIGTERM)
            for caller in callers:
                self.assertEqual(caller.rest(), b"", server.log())
                caller.close()
            self.assertEqual(server.exit_code(END_SECONDS), 0)
            if "rule=connect.before_tls cause=connect.shutting_down" in server.log():
                return
        self.fail("no client was found in the backlog")

    def test_a_backlog_that_is_inherited_is_left_for_who_serves_next(self):
        with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
            servers = [self.serve_inherited(listener)]
            servers[0].send_signal(signal.SIGSTOP)
            callers = [peer.Client(listener.getsockname()[1], greeted=False) for _ in range(20)]
            servers[0].send_signal(signal.SIGTERM)
            time.sleep(0.1)
            servers[0].send_signal(signal.SIGCONT)
            self.assertEqual(servers[0].wait(END_SECONDS), 0)
            servers.append(self.serve_inherited(listener))
            greetings = [caller.reply() for caller in callers]
            # A client that a loop had accepted before the end gets 421; no client is reset.
            self.assertEqual({greeting[:3] for greeting in greetings} - {"421"}, {"220"})
            self.assertNotIn("", greetings)
            for caller in callers:
                caller.close()
            servers[1].send_signal(signal.SIGTERM)
            self.assertEqual(servers[1].wait(END_SECONDS), 0)

    def serve_inherited(self, listener):
        """As systemd starts it."""
        file = listening.write_file(self.home)
        file.write_text(file.read_text().replace('ip = "127.0.0.1"\nport = 0\n', 'socket = "smtp"\n'))

        def inherit():
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
            os.execve(os.environ["POSTERN"], [os.environ["POSTERN"], "serve", "-c", str(file)], dict(os.environ))

        log = open(self.home.path / "inherited.log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(["true"], stderr=log, close_fds=False, preexec_fn=inherit)
        self.addCleanup(process.wait, peer.PATIENCE_SECONDS)
        self.addCleanup(process.kill)
        self.assertTrue(peer.until(lambda: b"ready: serving" in (self.home.path / "inherited.log").read_bytes()))
        return process

    def test_many_times_under_load(self):
        end, rounds, answered = time.monotonic() + listening.seconds(5), 0, 0
        while time.monotonic() < end:
            server = self.serve()
            senders = self.load(server, per_session=3)
            time.sleep(0.3)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            self.assertEqual(server.exit_code(5), 0)
            self.assertLess(time.monotonic() - began, 3)
            senders.stop()
            self.assertEqual([reply for reply in senders.other if reply != ENDING], [])
            # A client that was in mail data has heard 250 or 421: none is left without an answer.
            self.assertEqual([letter.name for letter in senders.unanswered], [])
            self.assert_nothing_lost(senders)
            self.home.forget_mail()
            rounds, answered = rounds + 1, answered + len(senders.answered)
        print(f"{rounds} times ended; {answered} letters answered", end=" ", flush=True)

    def test_who_does_not_finish_is_ended_by_the_bound(self):
        """A client in the middle of its letter; a queue program that never ends."""
        queue = self.home.script("queue", "echo $$ >pid; exec sleep 600")
        line = f"shutdown_seconds = {SHUTDOWN_SECONDS}"
        servers = [self.serve(file=listening.write_file(self.home, line))]
        servers.append(self.serve(file=listening.write_file(self.home, line, maildir=None, QMAILQUEUE=queue)))
        letter, clients = listening.Letter(), [self.connect(server) for server in servers]
        for client in clients:
            self.begin_letter(client, letter)
            client.socket.settimeout(SHUTDOWN_SECONDS + END_SECONDS)
        clients[1].send(letter.wire()[100:])
        self.assertTrue(peer.until((self.home.path / "pid").exists))
        mute = self.connect(servers[0])
        began = time.monotonic()
        for server in servers:
            server.signal(signal.SIGTERM)
        self.assertEqual(mute.reply(), ENDING)
        self.assertEqual(clients[0].reply(), ENDING)
        self.assertGreater(time.monotonic() - began, SHUTDOWN_SECONDS - 1)
        for server in servers:
            self.assertEqual(server.exit_code(END_SECONDS + 5), 0, server.log())
        self.assertEqual(clients[1].reply(), "")
        self.assertIn("sessions are aborted", servers[1].log())
        self.assertEqual(self.home.stored() + self.home.leftovers(), [])

    def test_a_log_that_nobody_reads_holds_neither_mail_nor_the_end(self):
        process = subprocess.Popen([*listening.command(), "--maildir", self.home.mail], stderr=subprocess.PIPE, env={},
                                   cwd=self.home.path)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, peer.PATIENCE_SECONDS)
        self.addCleanup(process.kill)
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        words = "".join(iter(lambda: process.stderr.readline().decode(), f"postern[{process.pid}]: ready: serving\n"))
        port = int(re.search(r"listen: 127\.0\.0\.1:(\d+)", words)[1])
        for _ in range(30):
            with peer.Client(port) as client:
                client.say(*["RUBBISH " + "x" * 400] * 10)
        with peer.Client(port) as client:
            client.say("EHLO client.example")
            self.assertEqual(client.deliver("Subject: unheard\r\n\r\nstill taken")[:3], "250")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)


if __name__ == "__main__":
    listening.main()
