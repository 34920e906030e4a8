#!/usr/bin/env python3
"""Running postern serve: whose process it becomes, what it can no more, systemd, metrics, log, refused starts."""

import datetime
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import time
import unittest
import urllib.error
import urllib.request

import peer
import serve
from peer import HOST, OURS, PASSWORD, USER

is_root = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
IDS = r"(?m)^{}:\s+{id}\s+{id}\s+{id}\s+{id}$"


def status(service):
    return pathlib.Path(f"/proc/{service.pid}/status").read_text()


@unittest.skipUnless(is_root, "only root can become another user")
class Privileges(serve.Case):
    def setUp(self):
        super().setUp()
        self.home.path.chmod(0o755)

    def give(self, *paths):
        for path in paths:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)

    def assert_is_nobody(self, service):
        for thread in pathlib.Path(f"/proc/{service.pid}/task").iterdir():
            text = (thread / "status").read_text()
            self.assertRegex(text, IDS.format("Uid", id=NOBODY.pw_uid))
            self.assertRegex(text, IDS.format("Gid", id=NOBODY.pw_gid))
            for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                self.assertIn(f"{which}:\t{0:016x}", text)
            self.assertNotIn("\nGroups:\t0", text)
        self.assertNotIn("runs as root", service.log())

    def test_it_becomes_a_user_and_mail_is_his(self):
        self.give(self.home.mail)
        service = self.serving(server={"user": "nobody"}, variables={"AUTH_CDB": self.home.users})
        self.assert_is_nobody(service)
        self.assertIn("NoNewPrivs:\t1", status(service))
        self.assert_serves(service)
        stored, = self.home.mail.glob("*/*/new/*")
        self.assertEqual(stored.stat().st_uid, NOBODY.pw_uid)

    def test_what_he_may_not_write_refuses_the_start(self):
        self.write_file(server={"user": "nobody"})
        service = self.start_serve()
        self.assertEqual(service.exit_code(), 100)
        self.assertIn(str(self.home.mail), service.log())

    def test_with_a_check_program_he_cannot_come_back_either(self):
        self.give(self.home.mail)
        checker = self.home.script("check", f'id -u >{self.home.mail}/id; exec "$@"')
        service = self.serving({"check_program": [HOST, checker, "/bin/true"]}, server={"user": "nobody"})
        self.assert_logged(service, "sandbox: seccomp open, Landlock off: programs are run")
        self.assert_is_nobody(service)
        with service.connect() as client:
            client.starttls().say("EHLO client.example")
            self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)))
        self.assertEqual((self.home.mail / "id").read_text(), f"{NOBODY.pw_uid}\n")

    def test_chroot(self):
        self.give(self.home.mail)
        service = self.serving(server={"home": "/", "chroot": self.home.path, "user": "nobody"},
                               variables={"POSTERN_MAILDIR": "/mail", "AUTH_CDB": "/users.cdb"})
        self.assertEqual(os.readlink(f"/proc/{service.pid}/root"), str(self.home.path))
        self.assert_is_nobody(service)
        with service.connect() as client:
            client.starttls().say("EHLO client.example")
            self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)))
            self.assert_code(250, client.deliver("x"))
        self.assertEqual(len(self.home.stored()), 1)
        self.assertEqual(self.home.leftovers(), [])
        service.process.send_signal(signal.SIGHUP)
        self.assert_logged(service, "reload: done")
        self.assert_serves(service)

    def test_an_account_that_is_none(self):
        self.assertIn("no-such-account", self.refused(server={"user": "no-such-account"}))

    def test_root_itself_is_no_account_to_become(self):
        self.assertIn("root", self.refused(server={"user": "root"}))


class Sandbox(serve.Case):
    def test_is_told_and_may_be_left_off(self):
        self.assertRegex(self.serving().log(), r"sandbox: seccomp strict, Landlock (ABI \d|off)")
        service = self.serving(server={"sandbox": False})
        self.assertNotIn("sandbox:", service.log())
        self.assertIn("Seccomp:\t0", status(service))
        self.assert_serves(service)


class Systemd(serve.Case):
    def notified(self):
        """A socket of systemd's, and where it is."""
        path = self.home.path / "notify"
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listening.close)
        listening.bind(str(path))
        listening.settimeout(peer.PATIENCE_SECONDS)
        return listening, {"NOTIFY_SOCKET": str(path)}

    def hear(self, listening, wanted):
        """All notices up to the wanted one."""
        heard = ""
        while wanted not in heard:
            heard += listening.recv(4096).decode() + "\n"
        return heard

    def test_it_is_told_what_happens(self):
        listening, environment = self.notified()
        service = self.serving(environment=environment)
        self.hear(listening, "READY=1")
        service.process.send_signal(signal.SIGHUP)
        heard = self.hear(listening, "READY=1")
        self.assertLess(heard.index("RELOADING=1"), heard.index("READY=1"))
        self.assertRegex(heard, r"MONOTONIC_USEC=\d+")
        service.process.terminate()
        self.hear(listening, "STOPPING=1")
        self.assertEqual(service.exit_code(), 0)

    def reload_by_verb(self, pid, *more):
        return peer.run([peer.postern(), "reload", pid, *more])

    def test_the_verb_waits_for_the_verdict(self):
        service = self.serving()
        done = self.reload_by_verb(service.pid)
        self.assertEqual((done.returncode, done.stdout), (0, b"reload: done: new sessions are served with it\n"))
        before = self.file.read_text()
        self.file.write_text("nonsense")
        refused = self.reload_by_verb(service.pid)
        self.assertEqual(refused.returncode, 100)
        self.assertIn(b"reload: refused, and nothing has changed: ", refused.stderr)
        self.assertIn(b"postern.toml line 1: ", refused.stderr)
        self.file.write_text(before)
        verdicts = serve.together(*[lambda: self.reload_by_verb(service.pid).returncode] * 3)
        self.assertEqual(verdicts, [0, 0, 0])  # though signals that come together become one

    def test_the_verb_says_when_nobody_answers(self):
        gone = self.reload_by_verb(2**22 - 1)
        self.assertEqual(gone.returncode, 100)
        self.assertIn(b"is not postern serve", gone.stderr)
        (self.home.path / "serve").write_text("trap '' HUP; echo >deaf; sleep 30")
        deaf = peer.Service(["sh", "serve"], {"PATH": os.environ["PATH"]}, cwd=self.home.path)
        self.addCleanup(deaf.stop)
        self.assertTrue(peer.until((self.home.path / "deaf").exists))
        silent = self.reload_by_verb(deaf.pid, "--seconds", 1)
        self.assertEqual(silent.returncode, 100)
        self.assertIn(b"gave no verdict in 1 seconds", silent.stderr)

    def test_the_verb_signals_no_other_program(self):
        other = peer.Service(["sleep", "30"], {"PATH": os.environ["PATH"]})
        self.addCleanup(other.stop)
        refused = self.reload_by_verb(other.pid)
        self.assertEqual(refused.returncode, 100)
        self.assertIn(b"is not postern serve", refused.stderr)
        self.assertIsNone(other.process.poll())

    def test_a_reload_that_is_refused_is_over_too(self):
        listening, environment = self.notified()
        service = self.serving(environment=environment)
        self.hear(listening, "READY=1")
        self.file.write_text("nonsense")
        service.process.send_signal(signal.SIGHUP)
        heard = self.hear(listening, "READY=1")
        self.assertIn("RELOADING=1", heard)
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assert_serves(service)

    def test_the_watchdog_is_fed(self):
        listening, environment = self.notified()
        self.serving(environment=environment | {"WATCHDOG_USEC": "2000000"})
        self.hear(listening, "WATCHDOG=1")

    def test_sockets_that_systemd_holds(self):
        with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as smtp:
            script = ('export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=other:smtp; '
                      f'exec "$@" 3<&{other.fileno()} 4<&{smtp.fileno()}')
            text = serve.as_file({"server": {"home": self.home.path}, "variables": {"POSTERN_MAILDIR": self.home.mail}},
                                 [])
            self.file.write_text(text + '[[listener]]\nsocket = "smtp"\n')
            service = self.start_serve(before=["bash", "-c", script, "bash"], pass_fds=(other.fileno(), smtp.fileno()))
            self.assertTrue(service.is_ready(), service.log())
            self.assertEqual(service.port, smtp.getsockname()[1])
            self.assert_serves(service)

    def test_one_that_it_does_not_hold_refuses_the_start(self):
        self.file.write_text(f'[server]\nhome = "{self.home.path}"\n[variables]\nPOSTERN_DISCARD = 1\n'
                             '[[listener]]\nsocket = "smtp"\n')
        service = self.start_serve()
        self.assertEqual(service.exit_code(), 100)
        self.assert_logged(service, 'systemd gave no socket called "smtp"')


class Monitoring(serve.Case):
    def monitored(self, **tables):
        server = {"metrics": "127.0.0.1:0"} | tables.pop("server", {})
        service = self.serving(server=server, **tables)
        self.assert_logged(service, "metrics: 127.0.0.1:")
        service.pages = "http://" + re.search(r"metrics: (127\.0\.0\.1:\d+)", service.log())[1]
        return service

    def page(self, service, path):
        with urllib.request.urlopen(service.pages + path, timeout=peer.PATIENCE_SECONDS) as answer:
            return answer.read().decode()

    def figures(self, service):
        lines = [line.rpartition(" ") for line in self.page(service, "/metrics").splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in lines}

    def test_a_large_message_is_one_hand_over(self):
        service = self.monitored()
        with service.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(250, client.deliver("Subject: x\r\n\r\n" + ("y" * 70 + "\r\n") * 20_000))
        self.assertEqual(self.figures(service)["postern_hand_over_seconds_count"], 1)

    def test_the_page_is_what_prometheus_reads(self):
        service = self.monitored()
        self.assert_serves(service)
        checked = peer.run(["promtool", "check", "metrics"], input=self.page(service, "/metrics").encode())
        self.assertEqual((checked.returncode, checked.stderr), (0, b""))

    def test_when_certificates_end_and_when_the_process_began(self):
        other = self.home.path / "other.pem"
        other.write_text("".join(peer.make_certificate(self.home.path, "other", days=100)))
        began = time.time()
        service = self.monitored(variables={"TLS_SERVER_CERT": other})
        figures = self.figures(service)
        self.assertAlmostEqual(figures["process_start_time_seconds"], began, delta=3)
        ends = figures[f'postern_certificate_not_after_timestamp_seconds{{file="{other}"}}']
        self.assertAlmostEqual(ends, began + 100 * 86400, delta=60)
        self.assertRegex(service.log(), rf"certificate: {other}: the certificate ends on \d{{4}}-\d\d-\d\d, in (99|100) days\n")
        beside = other.with_suffix(".new")
        beside.write_text("".join(peer.make_certificate(self.home.path, "next", days=50)))
        beside.rename(other)
        self.assertTrue(peer.until(lambda: re.search(r"in (49|50) days", service.log())), service.log())
        ends = self.figures(service)[f'postern_certificate_not_after_timestamp_seconds{{file="{other}"}}']
        self.assertAlmostEqual(ends, time.time() + 50 * 86400, delta=60)

    def test_counters_agree_with_what_was_done(self):
        service = self.monitored(variables={"AUTH_CDB": self.home.users, "POSTERN_DISCARD": None},
                                 limits={"exempt": [], "sessions_per_address": 1})
        with service.connect() as client:
            with service.connect() as refused:
                self.assertEqual(refused.greeting, self.replies["client_busy"])
            client.starttls().say("EHLO client.example")
            self.assert_code(535, client.say("AUTH PLAIN " + peer.plain_response(USER, "wrong")))
            self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)))
            self.assert_code(250, client.deliver("Subject: x\r\n\r\nx"))
            self.assertEqual(self.figures(service)["postern_open_sessions"], 1)
            client.say("QUIT")
        self.assertTrue(peer.until(lambda: self.figures(service)["postern_open_sessions"] == 0))
        figures = self.figures(service)
        wanted = {'postern_sessions_total': 1, 'postern_replies_total{code="220"}': 2,
                  'postern_replies_total{code="535"}': 1, 'postern_replies_total{code="235"}': 1,
                  'postern_replies_total{code="421"}': 1, 'postern_auth_total{result="accepted"}': 1,
                  'postern_auth_total{result="rejected"}': 1, 'postern_messages_total{result="accepted"}': 1,
                  'postern_message_octets_total': len("Subject: x\n\nx\n"),
                  'postern_connections_refused_total{rule="connect.client_busy"}': 1,
                  'postern_rule_hits_total{rule="quit"}': 1, 'postern_hand_over_seconds_count': 1}
        self.assertEqual({name: figures.get(name) for name in wanted}, wanted)
        handshakes = [value for name, value in figures.items() if name.startswith("postern_tls_handshakes_total")]
        self.assertEqual(sum(handshakes), 1)

    def test_each_answer_is_timed_and_the_greeting_is_none(self):
        service = self.monitored()
        with service.connect() as client:
            self.assertEqual(self.figures(service)["postern_reply_seconds_count"], 0)
            for count in range(1, 4):
                client.say("NOOP")
                self.assertTrue(peer.until(lambda: self.figures(service)["postern_reply_seconds_count"] == count))
            client.send("NOO")  # half of it asks for nothing
            client.say("P")
            self.assertTrue(peer.until(lambda: self.figures(service)["postern_reply_seconds_count"] == 4))
        figures = self.figures(service)
        self.assertTrue(0 < figures["postern_reply_seconds_sum"] < 2, figures)

    def test_health_and_readiness(self):
        service = self.monitored(server={"shutdown_seconds": 5})
        self.assertEqual([self.page(service, path) for path in ("/healthz", "/readyz")], ["alive\n", "ready\n"])
        with service.connect() as client:  # in the middle of a message, so that the end takes its time
            client.say("EHLO c.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>", "DATA")
            service.process.terminate()
            self.assert_logged(service, "shutting down")
            self.assertEqual(self.page(service, "/healthz"), "alive\n")
            with self.assertRaises(urllib.error.HTTPError) as stopping:
                self.page(service, "/readyz")
            self.assertEqual(stopping.exception.code, 503)
            stopping.exception.close()
            client.send("x\r\n.\r\n")
            self.assert_code(250, client.reply())
        self.assertEqual(service.exit_code(), 0)


class Log(serve.Case):
    def test_every_line_of_json_is_an_object_and_those_of_a_session_name_it(self):
        service = self.serving(server={"log": "json"}, variables={"AUTH_CDB": self.home.users})
        for _ in range(2):
            with service.connect() as client:
                client.starttls().say('EHLO a"b\\c')
                client.say("AUTH PLAIN " + peer.plain_response('al"ice\\', "wrong"))
                client.deliver("x")
                client.say("QUIT")
                client.rest()
        self.assertTrue(peer.until(lambda: service.log().count('"event":"end"') == 2))
        service.terminate()
        lines = [json.loads(line) for line in service.log().splitlines()]
        of_sessions = [line for line in lines if line["event"] in ("tls", "auth", "refuse", "message", "end") and
                       "client" in line and line["client"] != "none"]
        sessions = {line.get("session") for line in of_sessions}
        self.assertEqual(len(sessions), 2, sessions)
        self.assertNotIn(None, sessions)
        for session in sessions:
            events = [line["event"] for line in of_sessions if line["session"] == session]
            self.assertEqual(events, ["tls", "auth", "refuse", "message", "end"])
        for line in lines:
            self.assertLess(abs(datetime.datetime.fromisoformat(line["time"]).timestamp() - time.time()), 60, line)

    def programs(self, variables=None, **more):
        """The log of a service whose queue program and check program write on descriptor 2."""
        talk = self.home.script("talk", 'echo \'{"event":"ready"}\' >&2; printf "no end" >&2; cat >/dev/null; exit 0')
        judge = self.home.script("judge", 'echo "judge is here" >&2; exit 1')
        service = self.serving({"check_program": [HOST, judge, "/bin/true"]}, **more, variables={
            "POSTERN_MAILDIR": None, "QMAILQUEUE": talk, "ALLOW_INSECURE_AUTH": 1} | (variables or {}))
        with service.connect() as client:
            client.say("EHLO c.example")
            self.assert_code(535, client.say("AUTH PLAIN " + peer.plain_response("alice", "wrong")))
            self.assert_code(250, client.deliver("Subject: x\r\n\r\nx"))
            client.say("QUIT")
        self.assertEqual(service.terminate(), 0)
        return service.log()

    def test_what_programs_write_is_a_line_of_its_own_among_json(self):
        lines = [json.loads(line) for line in self.programs(server={"log": "json"}).splitlines()]
        said = [line["note"] for line in lines if line["event"] == "program"]
        self.assertEqual(said, ["judge is here", '{"event":"ready"}', "no end"])

    def test_what_programs_write_goes_as_it_is_to_a_log_of_text(self):
        log = self.programs({"POSTERN_LOG_DECISIONS": 0})  # a line of ours may follow theirs that has no end
        for said in ("judge is here\n", '{"event":"ready"}\n', "no end"):
            self.assertIn(said, log)
        self.assertNotIn("]: program", log)

    def test_the_own_words_of_a_queue_program_are_no_line_of_the_log(self):
        lines = self.programs(server={"log": "json"}, variables={"ERROR_FD": 2}).splitlines()
        self.assertEqual([json.loads(line)["note"] for line in lines if '"event":"program"' in line], ["judge is here"])

    def test_what_decides_names_its_listener_and_the_first_recipient(self):
        service = self.serving({}, {"FORCE_TLS": 1}, variables={"AUTH_CDB": self.home.users})
        names = [f"127.0.0.1:{port}" for port in service.ports]
        with service.connect(0) as client:
            client.say("EHLO a")
            for command in ("MAIL FROM:<>", f"RCPT TO:<first@{OURS}>", f"RCPT TO:<second@{OURS}>", "DATA"):
                client.say(command)
            client.send("x\r\n.\r\n")
            self.assert_code(250, client.reply())
        with service.connect(1) as client:
            client.say("EHLO a")
            self.assert_code(503, client.say("MAIL FROM:<a@b.example>"))
            client.starttls().say("EHLO a")
            client.say("AUTH PLAIN " + peer.plain_response("alice", "wrong"))
        service.terminate()
        log = service.log()
        self.assertRegex(log, rf" message .*recipients=2 .*to=first@{OURS} .*listener={names[0]}")
        self.assertRegex(log, rf" refuse .*rule=mail\.starttls_first .*listener={names[1]}")
        self.assertRegex(log, rf" auth .*result=rejected .*listener={names[1]}")

    def test_the_settings_of_each_listener_stand_in_a_start_line(self):
        service = self.serving({}, {"FORCE_TLS": 1}, variables={"AUTH_CDB": self.home.users})
        start = r"start listener=127\.0\.0\.1:{} policy=[0-9a-f]{{16}} SSL=0 FORCE_TLS={} .*backend=auth-cdb"
        for port, forced in zip(service.ports, (0, 1)):
            self.assertRegex(service.log(), start.format(port, forced))
        before = service.log().count(": start ")
        service.process.send_signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: service.log().count(": start ") == 2 * before))


    def test_who_else_is_asked_stands_in_it_too(self):
        lists = "secretkey@zen.dq.example=127.0.0.[2..11]*3, list.example=127.0.0.2, list.example=127.0.0.3*2"
        asked = {"DNSBL": lists, "DNSBL_THRESHOLD": 2, "POSTERN_POLICY_SERVICE": "unix:/a tcp:127.0.0.1:10023",
                 "POSTERN_UNKNOWN_RECIPIENTS": "refuse", "RCPTCHECK": "/bin/true", "GREYLIST": 60}
        service = self.serving(asked, {}, server={"sandbox": False, "dns": "127.0.0.1"})
        starts = re.findall(r": (start .*)", service.log())
        fields = ("unknown_recipients=refuse rcptcheck=/bin/true greylist=60 policy_services=unix:/a,tcp:127.0.0.1:10023 policy_failure=defer "
                  "dns_lists=zen.dq.example,list.example dnsbl_threshold=2 dnsbl_at_connect=0")
        self.assertTrue(starts[0].endswith(fields), starts)
        self.assertTrue(starts[1].rpartition(" ")[2].startswith("timeout="), starts)
        said = peer.run([peer.postern(), "check", "-c", self.file]).stdout.decode()
        self.assertEqual(" ".join(said.split()).count("asked " + fields.replace(" ", ", ")), 1)
        self.assertNotIn("secretkey", said + service.log())
        first, second = json.loads(peer.run([peer.postern(), "check", "--json", "-c", self.file]).stdout)["listeners"]
        self.assertEqual((len(first["asked"]), first["asked"]["policy_failure"], second["asked"]), (8, "defer", {}))


class RefusedStarts(serve.Case):
    """Each condition of a start that is refused: exit 100, a sentence, and nothing was listened on."""

    def assert_refuses(self, sentence, *listeners, **tables):
        log = self.refused(*(listeners or [{}]), **tables)
        self.assertIn(sentence, log)
        self.assertRegex(log, r"(?m)^postern\[\d+\]: config: ")

    def test_settings(self):
        dead = {"REQUIRE_AUTH": 1, "DENY_TLS": 1, "AUTH_CDB": self.home.users}
        for variables, sentence in (({"FORCE_TLS": 1, "DENY_TLS": 1}, "DENY_TLS"),
                                    ({"REQUIRE_AUTH": 1}, "REQUIRE_AUTH"), (dead, "AUTH is required"),
                                    ({"AUTH_CDB": "none.cdb"}, "none.cdb"), ({"SSL": 2}, "SSL"),
                                    ({"POSTERN_MAILDIR": "/nonexistent"}, "/nonexistent"),
                                    ({"POSTERN_LMTP": "tcp:localhost:24", "POSTERN_MAILDIR": None}, "localhost")):
            with self.subTest(variables=variables):
                self.assert_refuses(sentence, variables=variables)

    def test_certificates(self):
        self.home.pem.unlink()
        self.assert_refuses("FORCE_TLS", variables={"FORCE_TLS": 1})
        self.assert_refuses("certificate", {"SSL": 1})
        self.assertIn("STARTTLS is off", self.serving().log())
        other_key, _ = peer.make_certificate(self.home.path, "other")
        for text in ("nonsense", self.home.certificate, other_key + self.home.certificate):
            self.home.pem.write_text(text)
            self.assert_refuses("servercert.pem")

    def test_files_and_places(self):
        self.assert_refuses("/nonexistent", server={"home": "/nonexistent"})
        self.assert_refuses("none.cdb", {"tcprules": "none.cdb"})
        (self.home.control / "databytes").unlink()
        (self.home.control / "databytes").mkdir()  # unreadable for root, too
        self.assert_refuses("databytes")

    def test_an_environment_that_seems_to_have_a_say(self):
        self.assertIn("FORCE_TLS in the environment", self.refused(environment={"FORCE_TLS": "1"}))

    def test_one_bad_listener_keeps_all_from_listening(self):
        self.assert_refuses("line", {}, {"FORCE_TLS": 1, "DENY_TLS": 1})

    def test_a_port_that_is_taken_is_told_and_exits_with_100(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.write_file({"port": taken.getsockname()[1]})
            service = self.start_serve()
            self.assertEqual(service.exit_code(), 100)
            self.assertRegex(service.log(), r"Address already in use: process \d+ \(\S+\) has it")


if __name__ == "__main__":
    peer.main()
