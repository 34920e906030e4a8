#!/usr/bin/env python3
"""postern ask says of a client and a recipient what `postern serve` with the same file then answers, with each question on the way; and
the page /metrics of that server counts these questions. A real rbldnsd, a program, folders, and policy services."""

import json
import os
import re
import subprocess
import unittest
import urllib.request

import lmtp_peers
import peer
import userdb_peers
from dns_servers import Rbldnsd, Unbound
from peer import OURS
from policy_peers import Standin
from serve import Case as ServeCase

TIM, TOM = "198.51.100.7", "198.51.100.8"  # on bl.test; on no list
KEY = "abcdefghijklmnopqrstuvwxyz"
SENDER = "me@sender.example"
ACCEPTED, REFUSED, DEFERRED, USAGE = 0, 1, 2, 100

PROGRAM = """case "$RECIPIENT" in
  never@*) echo "not here, $HELO" >&4; exit 100;;
  later@*) exit 111;;
  broken@*) exit 120;;
esac
"""


class Case(ServeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lists = Rbldnsd({"bl.test": [":127.0.0.2:", "127.0.0.2", TIM], f"{KEY}.dq.test": [":127.0.0.4:", "127.0.0.2", TIM]})
        cls.addClassCleanup(cls.lists.stop)

    def setUp(self):
        super().setUp()
        self.services = [Standin(gone="REJECT no more", grey="DEFER_IF_PERMIT 4.2.0 greylisted", odd="DISCARD"), Standin()]
        for service in self.services:
            self.addCleanup(service.stop)
        self.program = self.home.script("rcptcheck", PROGRAM)
        for name in ("user", "never", "later", "broken", "gone", "grey", "odd", "silent", "bad"):
            (self.home.mail / OURS / name).mkdir(parents=True)
        (self.home.control / "badrcptto").write_text(f"bad@{OURS}\n")
        (self.home.control / "badmailfrom").write_text("spam@sender.example\n")

    def write(self, *listeners, **variables):
        self.write_file(*(listeners or [{"proxies": ["127.0.0.1"]}]),
                        server={"dns": self.lists.address, "metrics": "127.0.0.1:0"},
                        variables={"DNSBL": f"bl.test=127.0.0.2*3 {KEY}@dq.test=127.0.0.4*2", "DNSBL_THRESHOLD": 4,
                                   "POSTERN_UNKNOWN_RECIPIENTS": "refuse", "RCPTCHECK": self.program,
                                   "POSTERN_POLICY_SERVICE": " ".join(each.address for each in self.services)} | variables)

    def ask(self, *words, expect=None):
        done = subprocess.run([peer.postern(), "ask", "-c", self.file, *words], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"]})
        self.assertEqual(done.stderr if done.returncode == USAGE and expect != USAGE else "", "")
        self.assertNotIn(KEY, done.stdout + done.stderr)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def asked(self, client, recipient, *more, sender=SENDER, expect=None):
        done = self.ask(client, "client.example", sender, recipient, "--json", *more, expect=expect)
        return json.loads(done.stdout) | {"exit": done.returncode}

    def outcome_of(self, said, source, name=""):
        found = [each["outcome"] for each in said["questions"] if (each["source"], each["name"]) == (source, name)]
        self.assertEqual(len(found), 1, said)
        return found[0]

    def answered(self, service, client, sender, recipient):
        """By the server."""
        with service.connect(greeted=False) as talk:
            talk.send(f"PROXY TCP4 {client} 127.0.0.1 50000 25\r\n")
            self.assert_code(220, talk.reply())
            self.assert_code(250, talk.say("EHLO client.example"))
            talk.say(f"MAIL FROM:<{sender}>")
            return talk.say(f"RCPT TO:<{recipient}>")


class Answers(Case):
    def test_it_says_what_the_server_answers(self):
        self.write()
        asked = [(client, sender, recipient) for client in (TIM, TOM) for sender in (SENDER, "spam@sender.example", "")
                 for recipient in (f"user@{OURS}", "far@elsewhere.example")]
        asked += [(TOM, SENDER, f"{name}@{OURS}") for name in ("never", "later", "broken", "gone", "grey", "odd", "bad", "nobody")]
        said = {each: self.asked(each[0], each[2], sender=each[1]) for each in asked}
        self.assertEqual(len(self.services[0].asked), 5)
        service = self.start_serve()
        for each, verdict in said.items():
            with self.subTest(each):
                reply = self.answered(service, each[0], each[1], each[2])
                self.assertEqual(verdict["reply"], reply)
                self.assertEqual(verdict["exit"], {"2": ACCEPTED, "5": REFUSED, "4": DEFERRED}[reply[0]])
                self.assert_logged(service, f"rule={verdict['rule']} ")
                said_by = verdict["said_by"] if " " not in verdict["said_by"] else json.dumps(verdict["said_by"])
                if reply[0] != "2":
                    self.assert_logged(service, f' said_by={said_by} ')
        self.assertEqual(self.home.stored(), [])
        self.assertEqual({verdict["exit"] for verdict in said.values()}, {ACCEPTED, REFUSED, DEFERRED})

    def test_a_line_a_question(self):
        self.write()
        text = self.ask(TIM, "client.example", SENDER, f"user@{OURS}", expect=REFUSED).stdout
        for part in (f"client   {TIM}, at 127.0.0.1:0 ", "DNS list bl.test", "listed: 127.0.0.2, which counts 3",
                     "DNS list dq.test", "listed: 127.0.0.4, which counts 2", "score 5, threshold 4: the client is listed",
                     "badmailfrom", "the domain is ours", "there is no list: all are valid", f"mailbox in {self.home.mail}",
                     f"RCPTCHECK {self.program}", "not asked: an answer before it decides", "rule     recipient.client_listed\n",
                     f"to       RCPT TO:<user@{OURS}>\n", "reply    550 ", "said by  bl.test*3 dq.test*2",
                     "verdict  refused (exit code 1)\n"):
            self.assertIn(part, text)
        text = self.ask(TOM, "client.example", SENDER, f"grey@{OURS}", expect=DEFERRED).stdout
        for part in ("score 0, threshold 4: the client is not listed", "it has a folder",
                     f"policy service {self.services[0].address}", "DEFER_IF_PERMIT 4.2.0 greylisted", "DUNNO",
                     "rule     recipient.policy_deferred\n", "reply    450 4.2.0 greylisted\n", "verdict  deferred (exit code 2)\n"):
            self.assertIn(part, text)
        self.assertRegex(text, r"it has a folder +\d+\.\d\n")
        self.assertEqual([each["client_address"] for each in self.services[0].asked], [TOM])
        self.assertEqual([each["helo_name"] for each in self.services[0].asked], ["client.example"])

    def test_what_was_not_asked_says_so(self):
        self.write()
        said = self.asked("127.0.0.1", f"user@{OURS}", expect=ACCEPTED)  # a private address
        self.assertEqual(self.outcome_of(said, "dns_list", "bl.test"), "not_asked")
        said = self.asked(TOM, f"nobody@{OURS}", expect=REFUSED)
        self.assertEqual(self.outcome_of(said, "mailbox"), "refused")
        self.assertEqual(self.outcome_of(said, "recipient_program"), "not_asked")
        self.assertEqual(self.outcome_of(said, "policy_service", self.services[1].address), "not_asked")
        self.assertEqual(said["said_by"], "mailbox")

    def test_what_fails_is_shown_as_the_server_takes_it(self):
        self.write(POSTERN_POLICY_SERVICE="unix:/nowhere/socket", POSTERN_POLICY_FAILURE="accept")
        said = self.asked(TOM, f"user@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "policy_service", "unix:/nowhere/socket"), "failed")
        self.assertEqual(said["rule"], "recipient.policy_waived")
        self.write(DNSBL="gone.test=127.0.0.2")  # rbldnsd refuses what it does not have
        said = self.asked(TOM, f"user@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "dns_list", "gone.test"), "failed")

    def test_clients_that_have_logged_in(self):
        self.write({"AUTH_CDB": "users.cdb"})
        recipient = "far@elsewhere.example"
        self.asked(TIM, recipient, "--user", "alice", expect=REFUSED)  # AUTH is not offered in clear
        said = self.asked(TIM, f"user@{OURS}", "--tls", "--user", "alice", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "credentials", "alice"), "not_asked")
        self.assertEqual(self.outcome_of(said, "recipient_program"), "not_asked")
        self.assertEqual(said["rule"], "recipient.client_listed_may_relay")

    def test_an_earlier_line_that_is_refused(self):
        self.write({"FORCE_TLS": 1})
        said = self.asked(TOM, f"user@{OURS}", expect=REFUSED)
        self.assertEqual((said["rule"], said["to"]), ("mail.starttls_first", f"MAIL FROM:<{SENDER}>"))
        self.asked(TOM, f"user@{OURS}", "--tls", expect=ACCEPTED)
        self.write({"DNSBL_AT_CONNECT": 1})
        said = self.asked(TIM, f"user@{OURS}", expect=REFUSED)
        self.assertEqual((said["rule"], said["to"]), ("connect.dns_listed", ""))
        said = self.asked(TOM, "us er@", expect=REFUSED)
        self.assertEqual(said["code"] // 100, 5)

    def test_classes_of_tcprules(self):
        rules = self.home.path / "rules"
        rules.write_text('198.51.100.7:allow,RBLSMTPD="-not you"\n198.51.100.8:deny\n198.51.100.9:allow,RELAYCLIENT=""\n:allow\n')
        subprocess.run(["tcprules", f"{rules}.cdb", f"{rules}.tmp"], input=rules.read_bytes(), check=True, timeout=30)
        self.write({"tcprules": f"{rules}.cdb"})
        said = self.asked(TIM, f"user@{OURS}", expect=REFUSED)
        self.assertEqual((said["reply"], said["rule"]), ("553 not you", "connect.listed_permanently"))
        said = self.asked(TOM, f"user@{OURS}")
        self.assertEqual(said["rule"], "connect.denied")
        self.assertNotEqual(said["exit"], ACCEPTED)
        self.assertIn("denied", said["rule_of_client"])
        said = self.asked("198.51.100.9", f"nobody@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "mailbox"), "not_asked")

    def test_the_name_of_the_client(self):
        resolver = Unbound(["1.2.0.192.in-addr.arpa 60 IN PTR mail.test", "mail.test 60 IN A 192.0.2.1",
                            "2.2.0.192.in-addr.arpa 60 IN PTR mail.test"], {})
        self.addCleanup(resolver.stop)
        self.write(RCPTCHECK=self.home.script("who", 'echo "you are $TCPREMOTEHOST" >&4; test "$RECIPIENT" != "never@%s" || exit 100' % OURS))
        self.file.write_text(self.file.read_text().replace(self.lists.address, resolver.address)
                             .replace("[server]\n", "[server]\nclient_names = true\n"))
        said = self.asked("192.0.2.1", f"user@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "client_name"), "confirmed")
        self.assertEqual(self.services[0].asked[-1]["client_name"], "mail.test")
        self.assertEqual(self.asked("192.0.2.1", f"never@{OURS}", expect=REFUSED)["reply"], "553 you are mail.test")
        said = self.asked("192.0.2.2", f"user@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "client_name"), "none")
        self.assertEqual(self.services[0].asked[-1]["client_name"], "unknown")

    def test_a_greylist_is_the_servers_own(self):
        self.write(GREYLIST=300)
        said = self.asked(TOM, f"user@{OURS}", expect=ACCEPTED)
        self.assertEqual(self.outcome_of(said, "greylist"), "not_asked")
        for client, recipient in ((TOM, f"nobody@{OURS}"), ("127.0.0.1", f"user@{OURS}")):
            said = self.asked(client, recipient)
            self.assertNotIn("greylist", [each["source"] for each in said["questions"]])

    def test_listeners(self):
        self.write({"port": 2500}, {"port": 2501, "FORCE_TLS": 1})
        self.asked(TOM, f"user@{OURS}", expect=ACCEPTED)
        said = self.asked(TOM, f"user@{OURS}", "--listener", "127.0.0.1:2501", expect=REFUSED)
        self.assertEqual(said["listener"], "127.0.0.1:2501")
        self.assertIn("there are 127.0.0.1:2500, 127.0.0.1:2501",
                      self.ask(TOM, "h", SENDER, "r", "--listener", "x", expect=USAGE).stderr)

    def test_usage(self):
        self.write()
        for words, part in ((["nobody", "h", SENDER, "r"], "is no IP address"), ([TOM, "h\r\nRSET", SENDER, "r"], "control character"),
                            ([TOM, "h", SENDER], "rcpt")):
            self.assertIn(part, self.ask(*words, expect=USAGE).stderr)
        self.write(FORCE_TSL=1)
        self.assertIn("FORCE_TSL", self.ask(TOM, "h", SENDER, "r", expect=USAGE).stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root may become another user")
    def test_as_root_it_is_the_user_who_serves(self):
        self.home.path.chmod(0o755)
        who = self.home.script("who", 'echo "asked by $(id -un)" >&4; exit 100\n')
        self.write(RCPTCHECK=who, POSTERN_UNKNOWN_RECIPIENTS="accept")
        self.file.write_text(self.file.read_text().replace("[server]\n", '[server]\nuser = "mail"\n'))
        subprocess.run(["chown", "-R", "mail:mail", self.home.path], check=True, timeout=30)
        said = self.asked(TOM, f"user@{OURS}", expect=REFUSED)
        self.assertEqual(said["reply"], "553 asked by mail")
        self.assertEqual(said["notes"], [])


class Counts(Case):
    """What the server itself counts of such questions."""

    def page(self, service):
        at = re.search(r"metrics: (\S+)", service.log())[1]
        with urllib.request.urlopen(f"http://{at}/metrics", timeout=10) as page:
            return dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line[:1] != "#")

    def test_each_question_is_counted_by_source_name_and_outcome(self):
        self.write(AUTH_CDB="users.cdb", ALLOW_INSECURE_AUTH=1)
        service = self.start_serve()
        self.assertFalse([name for name in self.page(service) if "question" in name and "dns_list_questions" not in name])
        for name in ("user", "user", "nobody", "never", "later", "gone", "grey"):
            self.answered(service, TOM, SENDER, f"{name}@{OURS}")
        with service.connect(greeted=False) as client:
            client.send(f"PROXY TCP4 {TIM} 127.0.0.1 50000 25\r\n")
            client.reply()
            client.say("EHLO client.example")
            client.say("AUTH PLAIN " + peer.plain_response(peer.USER, "wrong"))
            client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD))
        self.assert_logged(service, " said_by=AUTH_CDB ")
        page = self.page(service)
        first, second = (f'source="policy_service",name="{each.address}"' for each in self.services)

        def answers(labels):
            return {name.split('outcome="')[1][:-2]: number for name, number in page.items()
                    if name.startswith(f"postern_answers_total{{{labels},outcome=") and number != "0"}

        self.assertEqual(answers('source="mailbox"'), {"accepted": "6", "refused": "1"})
        self.assertEqual(answers('source="recipient_program"'), {"accepted": "4", "refused": "1", "deferred": "1"})
        self.assertEqual(answers('source="credentials"'), {"accepted": "1", "refused": "1"})
        self.assertEqual(answers(first), {"accepted": "2", "refused": "1", "deferred": "1"})
        self.assertEqual(answers(second), {"accepted": "3"})
        asked = answers('source="dns_list",name="bl.test"')
        self.assertEqual(asked["listed"], "1")
        hits = int(page['postern_dns_list_cache_hits_total{list="bl.test"}'])
        self.assertEqual(int(asked["unlisted"]) + hits, 7)
        for name, number in page.items():
            if name.startswith("postern_open_questions"):
                self.assertEqual(number, "0", name)
            if name.startswith("postern_question_seconds_count"):
                self.assertEqual(number, page[name.replace("question_seconds_count", "questions_total")])
        self.assertGreater(float(page[f"postern_question_seconds_sum{{{first}}}"]), 0)
        self.assertNotIn(KEY, "".join(page))

    def test_the_mail_cluster(self):
        """postern ask asks it, and the server counts what it asks, and not what it remembers."""
        cluster = lmtp_peers.Standin(nobody="550 5.1.1 who", full="452 4.2.2 later")
        self.addCleanup(cluster.stop)
        self.write(POSTERN_LMTP=cluster.address)
        text = self.file.read_text()
        self.file.write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith("POSTERN_MAILDIR")))
        for name, outcome, expect in (("user", "accepted", ACCEPTED), ("nobody", "refused", REFUSED), ("full", "deferred", DEFERRED)):
            said = self.asked(TOM, f"{name}@{OURS}", expect=expect)
            self.assertEqual(self.outcome_of(said, "mail_cluster", cluster.address), outcome)
        self.assertEqual(self.outcome_of(self.asked(TOM, f"bad@{OURS}"), "mail_cluster", cluster.address), "not_asked")
        self.assertNotIn("DATA", cluster.commands)
        service = self.start_serve()
        for name in ("user", "user", "nobody", "full"):
            self.answered(service, TOM, SENDER, f"{name}@{OURS}")
        of_cluster = f'source="mail_cluster",name="{cluster.address}"'
        page = self.page(service)
        asked = {outcome: page[f'postern_answers_total{{{of_cluster},outcome="{outcome}"}}'] for outcome in ("accepted", "refused", "deferred")}
        self.assertEqual(asked, {"accepted": "1", "refused": "1", "deferred": "1"})

    def test_users_of_dovecot(self):
        """The same of a userdb."""
        userdb = userdb_peers.Standin(nobody="NOTFOUND\t{id}\n", odd="FAIL\t{id}\n")
        self.addCleanup(userdb.stop)
        self.write(POSTERN_USERDB=userdb.address, POSTERN_UNKNOWN_RECIPIENTS="accept")
        for name, outcome, expect in (("user", "accepted", ACCEPTED), ("nobody", "refused", REFUSED), ("odd", "failed", DEFERRED)):
            said = self.asked(TOM, f"{name}@{OURS}", expect=expect)
            self.assertEqual(self.outcome_of(said, "userdb", userdb.address), outcome)
        self.assertEqual(self.outcome_of(self.asked(TOM, f"bad@{OURS}"), "userdb", userdb.address), "not_asked")
        service = self.start_serve()
        for name in ("user", "user", "nobody", "odd"):
            self.answered(service, TOM, SENDER, f"{name}@{OURS}")
        of_userdb = f'source="userdb",name="{userdb.address}"'
        page = self.page(service)
        asked = {outcome: page[f'postern_answers_total{{{of_userdb},outcome="{outcome}"}}'] for outcome in ("accepted", "refused", "failed")}
        self.assertEqual(asked, {"accepted": "1", "refused": "1", "failed": "1"})

    def test_a_list_that_rests_is_not_remembered(self):
        self.write(DNSBL="gone.test=127.0.0.2")
        self.file.write_text(self.file.read_text().replace("[server]\n", "[server]\nloops = 1\n"))
        service = self.start_serve()
        for number in range(10, 30):  # it rests after 16 failures in a row
            self.answered(service, f"198.51.100.{number}", SENDER, f"user@{OURS}")
        self.assert_logged(service, "did not answer for long")
        page = self.page(service)
        self.assertEqual(page['postern_dns_list_questions_total{result="cached"}'], "0")
        self.assertEqual(page['postern_dns_list_cache_hits_total{list="gone.test"}'], "0")
        self.assertEqual(page['postern_answers_total{source="dns_list",name="gone.test",outcome="failed"}'], "20")

    def test_one_that_waits_is_open_and_one_that_is_silent_has_failed(self):
        self.write()
        service = self.start_serve()
        name = f'postern_open_questions{{source="policy_service",name="{self.services[0].address}"}}'
        with service.connect(greeted=False) as client:
            client.send(f"PROXY TCP4 {TOM} 127.0.0.1 50000 25\r\n")
            client.reply()
            client.say("EHLO client.example", f"MAIL FROM:<{SENDER}>")
            client.send(f"RCPT TO:<silent@{OURS}>\r\n")
            self.assertTrue(peer.until(lambda: self.page(service).get(name) == "1"))
            self.services[0].is_ending.set()  # it closes what waits
            self.assert_code(451, client.reply())
        page = self.page(service)
        self.assertEqual(page[name], "0")
        self.assertEqual(page[name.replace("open_questions", "answers_total").replace("}", ',outcome="failed"}')], "1")


if __name__ == "__main__":
    peer.main()
