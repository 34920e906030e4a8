#!/usr/bin/env python3
"""Files that hardly answer: a control file, the tcprules, a certificate, of which each open(2) takes a second. A program that reads
them waits; the sessions of everybody else go on as if nothing were, and no event loop ever asks for a file by its name.
"""

import errno
import os
import pathlib
import re
import signal
import ssl
import statistics
import struct
import subprocess
import threading
import time
import urllib.request

import peer
import serve
from peer import OURS

DELAY = 1.0
# Of the delay, and far above what a busy machine does to one reply in a hundred.
MOVES = 0.4
TIM, TOM = "127.0.1.1", "127.0.1.2"
NEW = "new.example"


class Slow:
    """What tests/e2e/slow_files.c does: compiled once a home, steered while the process runs."""

    SHAPE = struct.Struct("=64s192s5q")

    def __init__(self, home):
        self._library, self._file = home.path / "slow_files.so", home.path / "slow_files"
        source = pathlib.Path(__file__).with_name("slow_files.c")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", self._library, source, "-ldl"], check=True)
        self._file.write_bytes(bytes(self.SHAPE.size))

    def environment(self):
        return {"LD_PRELOAD": str(self._library), "SLOW_FILES": str(self._file)}

    def slow_down(self, path, seconds=DELAY, error=0):
        with open(self._file, "r+b") as file:  # the same file: it is mapped
            file.write(self.SHAPE.pack(str(path).encode(), b"", int(1000 * seconds), error, 0, 0, 0))

    def _read(self):
        return self.SHAPE.unpack(self._file.read_bytes())

    def delayed(self):
        return self._read()[4]

    def waiting(self):
        """Calls that are being delayed."""
        return self._read()[6]

    def on_loops(self):
        """Files that an event loop asked for: how often, and the last one."""
        _, last, _, _, _, count, _ = self._read()
        return count, last.rstrip(b"\0").decode()


class Visitor(threading.Thread):
    """Clients one after the other, each in a session of a few commands that ask for all that control files say."""

    COMMANDS = ("EHLO client.example", "MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>", "RCPT TO:<user@[127.0.0.1]>",
                "RCPT TO:<user@elsewhere.example>", "QUIT")
    CODES = ("250", "250", "250", "250", "553", "221")
    PACE = 0.01

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.times, self.wrong, self.is_stopped = service, [], [], False
        self.start()

    def run(self):
        while not self.is_stopped:
            try:
                self.visit()
            except (OSError, AssertionError) as error:
                self.wrong.append(repr(error))

    def visit(self):
        began = time.monotonic()
        with self.service.connect() as client:
            self.took(began)
            for command, code in zip(self.COMMANDS, self.CODES):
                began = time.monotonic()
                reply = client.say(command)
                self.took(began)
                if reply[:3] != code:
                    self.wrong.append(f"{command}: {reply}")

    def took(self, began):
        """Of those, too, who would have come meanwhile: a visitor that waits asks less often."""
        seconds = time.monotonic() - began
        while seconds > 0:
            self.times.append(seconds)
            seconds -= self.PACE
        time.sleep(self.PACE / 10)

    def stop(self):
        self.is_stopped = True
        self.join(peer.PATIENCE_SECONDS)
        return statistics.quantiles(self.times, n=100)[98]


class SlowFiles(serve.Case):
    def setUp(self):
        super().setUp()
        self.slow = Slow(self.home)
        self.cdb = self.home.path / "tcp.smtp.cdb"
        for name, text in (("localiphost", OURS), ("badmailfrom", "bad@sender.example"), ("badrcptto", f"bad@{OURS}")):
            (self.home.control / name).write_text(text + "\n")
        peer.make_cdb(self.home.control / "morercpthosts.cdb", {"more.example": ""})
        peer.make_cdb(self.home.control / "validrcptto.cdb", {f"user@{domain}": "" for domain in (OURS, NEW, "more.example")})
        self.rules(":allow")

    def rules(self, *lines):
        made = peer.run(["tcprules", self.cdb, self.home.path / "tcp.tmp"], input="\n".join([*lines, ""]).encode())
        self.assertEqual(made.returncode, 0, made.stderr)

    def start_one_loop(self, limits=None):
        """One loop: who waits on it holds up everybody."""
        return self.serving({"tcprules": self.cdb}, server={"loops": 1}, limits=limits or {"exempt": ["127.0.0.0/8"]},
                            environment=self.slow.environment())

    def p99(self, service, work):
        visitor = Visitor(service)
        self.addCleanup(visitor.stop)
        work()
        time.sleep(1)
        p99 = visitor.stop()
        self.assertEqual(visitor.wrong, [])
        return p99

    def assert_nobody_waits(self, service, quiet, path, work):
        self.slow.slow_down(path)
        p99 = self.p99(service, work)
        self.assertGreater(self.slow.delayed(), 0, f"{path} is not opened at all")
        print(f"{path}: {1000 * quiet:.0f} -> {1000 * p99:.0f} ms", end=" ", flush=True)
        self.assertLess(p99, quiet + MOVES * DELAY, f"{path} is slow, and so is everybody")
        self.assertEqual(self.slow.on_loops(), (0, ""))
        self.slow.slow_down("", 0)

    def replace(self, file, octets):
        new = file.with_suffix(".new")
        new.write_bytes(octets)
        new.rename(file)

    def reloaded(self, service, change):
        before = service.log().count("reload: done")
        change()
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") > before), service.log())

    def test_a_reload_reads_slow_files_beside_those_who_are_served(self):
        service = self.start_one_loop()
        quiet = self.p99(service, lambda: time.sleep(2))
        changes = [(name, lambda file: self.replace(file, file.read_bytes() + b"# x\n"))
                   for name in ("rcpthosts", "badmailfrom", "badrcptto")]
        changes += [("localiphost", lambda file: self.replace(file, file.read_bytes())),
                    ("morercpthosts.cdb", lambda file: self.replace(file, file.read_bytes())),
                    ("validrcptto.cdb", lambda file: self.replace(file, file.read_bytes())),
                    ("servercert.pem", lambda file: self.replace(file, file.read_bytes()))]
        for name, change in changes:
            file = self.home.control / name
            with self.subTest(file=name):
                self.assert_nobody_waits(service, quiet, f"control/{name}",
                                         lambda: self.reloaded(service, lambda: change(file)))
        with self.subTest(file="tcprules"):
            self.assert_nobody_waits(service, quiet, self.cdb.name,
                                     lambda: self.reloaded(service, lambda: self.rules(":allow", f"{TIM}:deny")))
            with service.connect(source=TIM, greeted=False) as client:
                self.assertEqual(client.reply(), self.replies["denied"])

    def metrics(self, service):
        place = re.search(r"metrics: (\S+)", service.log())[1]
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=DELAY) as page:
            return page.read().decode()

    def test_a_reload_that_waits_for_a_file_holds_up_nobody_and_no_end(self):
        """Neither signals nor the pages, nor clients and their mail, depend on the thread that reads."""
        for name in ("control/rcpthosts", "control/servercert.pem", self.cdb.name, "postern.toml"):
            with self.subTest(file=name):
                service = self.serving({"tcprules": self.cdb}, server={"loops": 1, "metrics": "127.0.0.1:0"},
                                       environment=self.slow.environment())
                self.slow.slow_down(name, 60)
                os.kill(service.pid, signal.SIGHUP)
                self.assertTrue(peer.until(lambda: self.slow.waiting() > 0), f"{name} is not opened at all")
                os.kill(service.pid, signal.SIGHUP)
                self.assertIn('postern_reloads_total{result="done"} 0', self.metrics(service))
                self.assert_serves(service)
                self.assertNotIn("reload: ", service.log())
                began = time.monotonic()
                self.assertEqual(service.terminate(), 0)
                self.assertLess(time.monotonic() - began, 5)
                self.assertIn("what goes on beside them is given up: a file or a service does not answer", service.log())
                self.slow.slow_down("", 0)

    def test_a_reload_is_done_when_its_file_answers_and_the_one_that_was_asked_for_meanwhile_too(self):
        service = self.start_one_loop()
        self.slow.slow_down("control/rcpthosts")
        for _ in range(2):
            os.kill(service.pid, signal.SIGHUP)
            self.assertTrue(peer.until(lambda: self.slow.waiting() > 0))
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") == 2), service.log())
        self.slow.slow_down("", 0)
        self.assertEqual(service.terminate(), 0)
        self.assertIn("all sessions are over\n", service.log())

    def read_slowly(self, begin, change):
        """Ends when `begin` has begun to read control/rcpthosts, which is among the last to be read, and `change` was made."""
        self.slow.slow_down("control/rcpthosts", 2)
        reading = threading.Thread(target=begin)
        reading.start()
        self.assertTrue(peer.until(lambda: self.slow.waiting() > 0), "it is not opened at all")
        change()
        self.slow.slow_down("", 0)
        reading.join()

    def served_certificate(self, service):
        with service.connect() as client:
            client.starttls()
            return client.socket.getpeercert(binary_form=True)

    def certificate(self, name):
        """A file with a key and a certificate, and that certificate as a client sees it."""
        texts = peer.make_certificate(self.home.path, name)
        file = self.home.path / f"{name}.pem"
        file.write_text("".join(texts))
        return file, ssl.PEM_cert_to_DER_cert(texts[1])

    def test_a_change_to_a_file_that_a_reload_names_for_the_first_time_is_not_lost(self):
        service = self.start_one_loop()
        new, _ = self.certificate("new")
        other, last = self.certificate("other")
        self.read_slowly(lambda: self.write_file({"tcprules": self.cdb}, server={"loops": 1},
                                                 limits={"exempt": ["127.0.0.0/8"]}, variables={"TLS_SERVER_CERT": new}),
                         lambda: other.rename(new))
        self.assertTrue(peer.until(lambda: self.served_certificate(service) == last), service.log())
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") == 2), service.log())

    def test_a_change_while_a_start_reads_is_not_lost(self):
        """Of the file of settings itself, which is read before all others."""
        started = []
        self.write_file({"tcprules": self.cdb})
        self.read_slowly(lambda: started.append(self.start_serve(self.slow.environment())),
                         lambda: self.write_file({"tcprules": self.cdb}, variables={"DATABYTES": 77}))
        service, = started

        def size():
            with service.connect() as client:
                return re.search(r"250-SIZE (\d+)", client.say("EHLO client.example"))[1]
        self.assertTrue(peer.until(lambda: size() == "77"), service.log())
        self.assert_logged(service, "reload: done")  # a client may be served by it before the line is written
        self.assertEqual(service.log().count("reload: done"), 1)

    def test_a_class_whose_certificate_is_slow_waits_alone(self):
        late = self.home.path / "late.pem"
        self.rules(f'{TIM}:allow,TLS_SERVER_CERT="{late}"', f'{TOM}:allow,DATABYTES="10"', ":allow")
        service = self.start_one_loop()
        quiet = self.p99(service, lambda: time.sleep(2))
        time.sleep(max(0, 5.5 - 3))  # what is refused is judged again after five seconds
        heard = []

        def ask():
            began = time.monotonic()
            with service.connect(source=TIM) as client:
                heard.append((client.greeting, time.monotonic() - began))
            with service.connect(source=TOM) as client:
                self.assertIn("250-SIZE 10\n", client.say("EHLO client.example"))

        self.assert_nobody_waits(service, quiet, late.name, ask)
        reply, seconds = heard[0]
        self.assertEqual(reply[:1], "4", reply)
        self.assertGreater(seconds, 0.9 * DELAY, "it was not judged again")

    def with_a_refused_class(self, **more):
        """That is judged again by now, from a certificate that takes its time."""
        late = self.home.path / "late.pem"
        self.rules(f'{TIM}:allow,TLS_SERVER_CERT="{late}"', ":allow")
        service = self.start_one_loop(**more)
        time.sleep(5.5)
        return service

    def test_who_waits_for_a_class_too_long_is_told_to_come_again(self):
        service = self.with_a_refused_class()
        self.slow.slow_down("late.pem", 12)
        began = time.monotonic()
        with service.connect(source=TIM) as client:
            self.assertEqual(client.greeting, self.replies["controls_unreadable"])
            self.assertEqual(client.rest(), b"")
        self.assertGreater(time.monotonic() - began, 9)
        self.assert_logged(service, "could not be judged in time")
        self.assert_logged(service, "rule=connect.no_controls ")
        self.slow.slow_down("", 0)

    def test_who_waits_for_a_class_counts_against_the_limits(self):
        limits = {"exempt": [], "sessions_per_address": 2}
        service = self.with_a_refused_class(limits=limits)
        self.slow.slow_down("late.pem")
        waiting = [service.connect(source=TIM, greeted=False) for _ in range(2)]
        began = time.monotonic()
        with service.connect(source=TIM) as client:
            self.assertEqual(client.greeting[:3], "421")
        self.assertLess(time.monotonic() - began, 0.9 * DELAY)
        heard = [client.reply() for client in waiting]
        self.assertEqual(heard, 2 * [heard[0]])
        self.assertNotEqual(heard[0], client.greeting)
        for each in waiting:
            each.close()
        self.slow.slow_down("", 0)
        self.assertTrue(peer.until(lambda: self.recipient(service, OURS) == "250"))

    def test_an_end_tells_who_waits_for_a_class(self):
        service = self.with_a_refused_class()
        self.slow.slow_down("late.pem", 4)
        gone, told = service.connect(source=TIM, greeted=False), service.connect(source=TIM, greeted=False)
        self.assertTrue(peer.until(lambda: self.recipient(service, OURS) == "250"))
        gone.close()
        began = time.monotonic()
        service.process.terminate()
        self.assertEqual(told.reply()[:3], "421")
        self.assertLess(time.monotonic() - began, 3)
        told.close()
        self.assertEqual(service.exit_code(), 0)
        self.assertIn("all sessions are over", service.log())

    def test_a_new_domain_counts_soon_though_nobody_waits_for_it(self):
        service = self.start_one_loop()
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            self.assert_code(553, client.say(f"RCPT TO:<user@{NEW}>"))
            file = self.home.control / "rcpthosts"
            began = time.monotonic()
            self.replace(file, file.read_bytes() + f"{NEW}\n".encode())
            self.assertTrue(peer.until(lambda: self.recipient(service, NEW) == "250", 10), service.log())
            self.assertLess(time.monotonic() - began, 2.2)
            self.assert_code(250, client.say(f"RCPT TO:<user@{NEW}>"))  # also in sessions that were open before
        self.assertEqual(self.slow.on_loops(), (0, ""))

    def test_a_session_that_is_open_over_reloads_keeps_the_list_of_recipients_that_it_began_with(self):
        def file(name):
            return peer.make_cdb(self.home.path / f"{name}.cdb", {f"{name}@{OURS}": ""})

        def names(name):
            self.write_file({"tcprules": self.cdb}, server={"loops": 1}, limits={"exempt": ["127.0.0.0/8"]},
                            variables={"VALIDRCPTTO_CDB": file(name)})

        names("first")
        service = self.start_serve(self.slow.environment())
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            for name in ("second", "third"):
                self.reloaded(service, lambda: names(name))
                (self.home.path / "first.cdb").unlink(missing_ok=True)
                time.sleep(1.5)  # lists are looked after each half second
                self.assertEqual([client.say(f"RCPT TO:<{each}@{OURS}>")[:3] for each in ("first", name)], ["250", "550"])
                with service.connect() as other:
                    other.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
                    self.assertEqual([other.say(f"RCPT TO:<{each}@{OURS}>")[:3] for each in ("first", name)], ["550", "250"])
        self.assertNotIn("cannot be read", service.log())
        self.assertEqual(self.slow.on_loops(), (0, ""))

    def recipient(self, service, domain):
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            return client.say(f"RCPT TO:<user@{domain}>")[:3]

    def test_what_could_not_be_read_counts_once_it_can(self):
        """Of a reason that passes, such as a missing descriptor, no file shows it: it is tried again without a reload."""
        for name, domain in (("morercpthosts.cdb", "more.example"), ("localiphost", "[127.0.0.1]")):
            with self.subTest(file=name):
                service = self.start_one_loop()
                self.slow.slow_down(f"control/{name}", 0, errno.EMFILE)
                os.kill(service.pid, signal.SIGHUP)
                self.assertTrue(peer.until(lambda: self.recipient(service, domain) == "451", 5), service.log())
                self.slow.slow_down("", 0)
                began = time.monotonic()
                self.assertTrue(peer.until(lambda: self.recipient(service, domain) != "451", 5), service.log())
                self.assertLess(time.monotonic() - began, 1.2)
                self.assertEqual(self.recipient(service, domain), "250")
                self.assertEqual(self.slow.on_loops(), (0, ""))
                service.stop()

    def test_messages_and_logins_ask_for_no_file_on_a_loop(self):
        self.write_file({"tcprules": self.cdb}, server={"loops": 1},
                        variables={"AUTH_CDB": self.home.users, "ALLOW_INSECURE_AUTH": 1})
        service = self.start_serve(self.slow.environment())
        for tls in (False, True):
            with service.connect() as client:
                if tls:
                    client.starttls()
                client.say("EHLO client.example")
                self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
                for size in (10, 300_000):
                    self.assert_code(250, client.deliver("Subject: x\r\n\r\n" + "x" * 70 + "\r\n" * (size // 2)))
                client.say("QUIT")
        self.assertEqual(self.slow.on_loops(), (0, ""))

    def test_the_folder_of_a_recipient_is_looked_for_beside_those_who_are_served(self):
        self.write_file({"tcprules": self.cdb}, server={"loops": 1}, variables={"POSTERN_UNKNOWN_RECIPIENTS": "refuse"})
        self.home.mail.joinpath(OURS, "user").mkdir(parents=True)
        service = self.start_serve(self.slow.environment())
        with service.connect() as waiting, service.connect() as other:
            for client in (waiting, other):
                client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            self.slow.slow_down(f"{OURS}/user")
            began = time.monotonic()
            waiting.send(f"RCPT TO:<user@{OURS}>\r\n")
            self.assertTrue(peer.until(lambda: self.slow.waiting() > 0), "nobody looks for the folder")
            self.assert_code(250, other.say("NOOP"))
            self.assertLess(time.monotonic() - began, MOVES * DELAY)
            self.assert_code(250, waiting.reply())
            self.assertGreaterEqual(time.monotonic() - began, DELAY)
        self.assertEqual(self.slow.on_loops(), (0, ""))


if __name__ == "__main__":
    peer.main()
