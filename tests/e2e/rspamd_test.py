#!/usr/bin/env python3
"""POSTERN_FILTERS with rspamd, in both programs: Debian's rspamd and redis, and a stand-in that answers what rspamd never does.
filter_*_test.cpp have each answer, each cut of one, and each edit of odd messages."""

import re
import time
import urllib.request

import lmtp_peers
import peer
from filter_peers import Rspamd, Standin, answer
from peer import OURS

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
FAILED = "451 unable to check message (#4.3.0)"
SPARED_SECONDS = 60  # spec::max_filter_seconds
CLEAN = answer('{"action":"no action"}')


class Case(peer.Case):
    def begin(self, filters, arguments=(), **settings):
        self.server = peer.start_server(self.home.environment(POSTERN_FILTERS=filters, **settings), arguments)
        self.addCleanup(self.server.stop)
        self.home.forget_mail()

    def client(self, **more):
        client = self.server.connect(**more)
        self.addCleanup(client.close)
        self.assert_code(250, client.say("EHLO client.example"))
        return client

    def standin(self, says):
        standin = Standin(says)
        self.addCleanup(standin.stop)
        return standin

    def send(self, subject, body="hello", client=None, header="", name="user"):
        client = client or self.client()
        return client.deliver(f"{header}Subject: {subject}\r\n\r\n{body}", recipient=f"{name}@{OURS}")

    def header(self, name="user", host=OURS):
        """Of the last message of a mailbox, below our Received: its lines."""
        message = self.home.stored(f"{host}/{name}")[-1].decode("latin-1")
        header = message.split("\n\n")[0].split("\n")
        at = max(i for i, line in enumerate(header) if line.startswith("Received: from "))
        end = next(i for i in range(at + 1, len(header)) if not header[i].startswith((" ", "\t")))
        return header[end:]


class RealRspamd(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rspamd = Rspamd()
        cls.addClassCleanup(cls.rspamd.remove)

    def test_spam_is_refused_and_clean_mail_is_taken(self):
        for address in (self.rspamd.unix, self.rspamd.tcp):
            with self.subTest(address=address):
                self.begin(address)
                client = self.client()
                self.assertEqual(self.send("buy", GTUBE, client), "554 5.7.1 Gtube pattern")
                self.assert_code(250, self.send("hello", client=client))
                self.assertEqual(len(self.home.stored()), 1)
                self.assertEqual(self.header(), ["Subject: hello", "X-Spam-Status: No, score=0.00"])
                self.assert_logged(self.server, "rule=hand_over.filter_refused ")
                self.assert_logged(self.server, f"said_by={address}")
                self.assert_logged(self.server, f'filter={address} verdict=refuse ms=')
                self.assert_logged(self.server, 'said="reject 15.00/15.00"')
                self.assert_logged(self.server, f"filters={address} filter_failure=defer filter_max_octets=52428800")

    def test_a_message_is_marked(self):
        self.begin(self.rspamd.unix)
        client = self.client()
        self.assert_code(250, self.send("mark me", client=client, header="X-Spam: no, never\r\nX-Spam: really\r\n"))
        self.assertEqual(self.header(), ["Subject: mark me", "X-Spam-Level: *******", "X-Spam-Status: Yes, score=7.00", "X-Spam: Yes"])
        self.assert_code(250, self.send("rewrite me", client=client, name="other"))
        self.assertIn("Subject: [SPAM] rewrite me", self.header("other"))
        self.assertNotIn("Subject: rewrite me", self.header("other"))

    def test_header_sender_and_recipients_are_edited(self):
        self.begin(self.rspamd.unix)
        self.assert_code(250, self.send("edit me", header="X-Forged: 1\r\nA: 1\r\nx-forged: 2\r\n"))
        self.assertEqual(self.header(), ["X-First: 1", "A: 1", "Subject: edit me", "X-Last: a", "X-Last: b", "X-Spam-Status: No, score=0.00"])
        for name in ("user", "more"):
            self.assertTrue(self.home.stored(f"{OURS}/{name}")[-1].startswith(b"Return-Path: <new@sender.example>\n"))

    def test_what_comes_later(self):
        self.begin(self.rspamd.unix)
        client = self.client()
        self.assertEqual(self.send("defer me", client=client), "451 4.7.1 come back later")
        self.assertEqual(self.send("grey me", "another body", client, name="grey"), "451 4.7.1 Try again later")
        self.assertEqual(self.home.stored(), [])
        self.assert_logged(self.server, "rule=hand_over.filter_deferred ")

    def test_what_is_dropped_looks_as_if_it_were_taken(self):
        self.begin(self.rspamd.unix)
        self.assertRegex(self.send("drop me"), r"^250 ok \d+ qp \d+$")
        self.assertEqual(self.home.stored(), [])
        self.assert_logged(self.server, "rule=hand_over.filter_discarded ")
        self.assert_logged(self.server, "message ")
        self.assert_logged(self.server, "result=filter_discarded ")

    def test_rspamd_is_told_who_sends_what(self):
        self.begin(self.rspamd.tcp, self.home.check_arguments(), POSTERN_RSPAMD_SETTINGS="strict", AUTH=1, POSTERN_HIDE_USER=1)
        client = self.client()
        client.starttls()
        self.assert_code(250, client.say("EHLO inside.example"))
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response("alice", "wonderland")))
        self.assert_code(250, self.send("tell me", client=client))
        facts = next(line for line in self.header() if line.startswith("X-Facts: "))
        self.assertRegex(facts, rf"^X-Facts: 127\.0\.0\.1 inside\.example me@sender\.example user@{OURS} alice \d+-\d+ "
                         r"\S+ TLSv1\.3 strict 27$")
        stranger = self.client()
        self.assert_code(250, self.send("tell me", client=stranger, name="stranger"))
        facts = next(line for line in self.header("stranger") if line.startswith("X-Facts: "))
        self.assertRegex(facts, rf" me@sender\.example stranger@{OURS} - \d+-\d+ \S+ nil strict 27$")

    def test_each_way_out_gets_what_rspamd_left(self):
        taken = self.home.path / "taken"
        queue = self.home.script("queue", f"cat >{taken}; cat <&1 >{taken}.envelope")
        self.begin(self.rspamd.unix, QMAILQUEUE=queue)
        self.assert_code(250, self.send("edit me"))
        self.assertIn("X-First: 1\nSubject: edit me\nX-Last: a\n", taken.read_text())
        self.assertEqual((self.home.path / "taken.envelope").read_bytes(),
                         f"Fnew@sender.example\0Tuser@{OURS}\0Tmore@{OURS}\0\0".encode())
        self.assert_code(554, self.send("buy", GTUBE))

    def test_a_mail_cluster_gets_what_rspamd_left(self):
        cluster = lmtp_peers.Standin()
        self.addCleanup(cluster.stop)
        self.begin(self.rspamd.tcp, POSTERN_LMTP=cluster.address)
        client = self.client()
        self.assert_code(250, self.send("edit me", client=client))
        self.assertEqual(cluster.recipients(), [f"user@{OURS}", f"more@{OURS}"])
        self.assertIn("MAIL FROM:<new@sender.example>", " ".join(cluster.commands))
        self.assertTrue(cluster.taken[-1].startswith("Received: from "))
        self.assertIn("\r\nX-First: 1\r\nSubject: edit me\r\nX-Last: a\r\n", cluster.taken[-1])
        self.assert_code(554, self.send("buy", GTUBE, client))
        self.assertEqual(len(cluster.taken), 1)

    def test_a_large_message_is_whole(self):
        self.begin(self.rspamd.unix)
        body = "\r\n".join(["x" * 70] * 10_000)
        self.assert_code(250, self.send("mark me", body))
        message = self.home.stored()[-1].decode()
        self.assertIn("\nX-Spam: Yes\n\n", message)
        self.assertEqual(message.split("\n\n", 1)[1], body.replace("\r\n", "\n") + "\n")

    def test_many_addresses_and_urls_are_judged(self):
        self.begin(self.rspamd.unix, POSTERN_FILTER_FAILURE="accept")
        client = self.client()
        for many in ("".join(f"u{i}{'y' * 50}@h{i}{'x' * 50}.example\r\n" for i in range(9000)),
                     "".join(f"see http://h{i:05d}.{'x' * 55}.example/p{i}\r\n" for i in range(9000))):
            self.assert_code(250, self.send("mark me", many, client))
            self.assertIn("X-Spam: Yes", self.header())
            self.home.forget_mail()
        self.assertNotIn("the filter has failed", self.server.log())

    def test_down_and_back(self):
        self.begin(self.rspamd.unix)
        client = self.client()
        self.assert_code(250, self.send("first", client=client))
        self.rspamd.stop()
        try:
            self.assertEqual(self.send("second", client=client), FAILED)
            self.assert_logged(self.server, "rule=hand_over.filter_failed ")
            self.assert_logged(self.server, "the filter has failed: ")
            check = peer.run([peer.postern(), "check"], env=self.home.environment(POSTERN_FILTERS=self.rspamd.unix), cwd=self.home.path)
            self.assertIn(f"filter {self.rspamd.unix} does not answer", check.stdout.decode())
        finally:
            self.rspamd.start()
        self.assert_code(250, self.send("third", client=client))

    def test_hung(self):
        """Another session goes on meanwhile, and the message is deferred in time."""
        self.begin(self.rspamd.tcp)
        client, other = self.client(), self.client()
        self.rspamd.pause()
        try:
            begun = time.monotonic()
            client.socket.settimeout(SPARED_SECONDS + 20)
            for command in ("MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>", "DATA"):
                client.say(command)
            client.send("Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertEqual(other.say("NOOP"), "250 ok")
            self.assertEqual(client.reply(), FAILED)
            self.assertLess(time.monotonic() - begun, SPARED_SECONDS + 10)
            self.assert_logged(self.server, "the filter has failed: timed out")
        finally:
            self.rspamd.go_on()
        self.assert_code(250, self.send("after", client=client))


class Standins(Case):
    def test_what_is_no_answer_takes_no_message(self):
        standin = self.standin(b"")
        self.begin(standin.filter)
        client = self.client()
        for says, cause in ((b"", "connection closed"), (b"rubbish\r\n", "no status line of HTTP/1.1"), (b"HTTP/1.1 200 OK\r\n\r\n", "no length of the body"),
                            (answer("{}"), "an answer without an action"), (answer("no action"), "an answer that is no JSON"),
                            (answer('{"action":"dance"}'), "an action that is not known: dance"),
                            (answer("{}", status="403 Forbidden"), "HTTP status 403"), (answer("x" * 300_000), "a body that is too long"),
                            (answer('{"action":"no action","milter":{"add_headers":{"a b":"c"}}}'), "a field without a name that may be one"),
                            (answer('{"action":"no action","milter":{"add_headers":{"a":"b\\r\\nc: d"}}}'), "a value that is none: a")):
            with self.subTest(says=says[:60]):
                standin.says = says
                self.assertEqual(self.send("x", client=client), FAILED)
                self.assert_logged(self.server, cause)
        self.assertEqual(self.home.stored(), [])
        standin.says = CLEAN
        self.assert_code(250, self.send("x", client=client))

    def test_the_operator_may_take_what_a_filter_has_not_judged(self):
        standin, second = self.standin(b""), self.standin(answer('{"action":"add header"}'))
        self.begin(f"{standin.filter} {second.filter}", POSTERN_FILTER_FAILURE="accept")
        self.assert_code(250, self.send("x"))
        self.assertEqual(self.header(), ["Subject: x", "X-Spam: Yes"])
        self.assert_logged(self.server, "rule=hand_over.filter_waived ")
        second.says = answer('{"action":"reject"}')
        self.assertEqual(self.send("x"), "554 5.7.1 Spam message rejected")

    def test_what_a_filter_may_have_refused_is_never_taken(self):
        standin = self.standin(b"")
        self.begin(standin.filter, POSTERN_FILTER_FAILURE="accept")
        client = self.client()
        for says in (b"rubbish\r\n", answer('{"action":"reject"}')[:-1], answer("{}"), answer('{"action":"rejct"}'), answer('{"action":"reject"}') * 2,
                     answer("{}", status="500 Error"), answer('{"action":"no action","milter":{"add_headers":{"a b":"c"}}}')):
            with self.subTest(says=says):
                standin.says, standin.ends = says, True
                self.assertEqual(self.send("x", client=client), FAILED)
        self.assertEqual(self.home.stored(), [])

    def test_an_answer_may_be_long_where_the_message_is(self):
        standin = self.standin(b"")
        self.begin(standin.filter)
        client = self.client()
        json = '{"action":"reject","urls":["%s"]}' % ("u" * 600_000)
        standin.says = answer(json)
        self.assertEqual(self.send("x", client=client), FAILED)
        self.assertEqual(self.send("x", "\r\n".join(["x" * 70] * 1000), client), "554 5.7.1 Spam message rejected")

    def test_what_is_too_big_is_shown_to_nobody(self):
        standin = self.standin(answer('{"action":"reject"}'))
        self.begin(standin.filter, POSTERN_FILTER_MAX_OCTETS=100)
        self.assert_code(250, self.send("x", "x" * 100))
        self.assertEqual(standin.asked, [])
        self.assert_logged(self.server, "rule=hand_over.filter_too_big ")
        self.assert_code(554, self.send("x"))

    def test_a_header_that_no_filter_may_edit_is_refused_unseen(self):
        standin = self.standin(CLEAN)
        self.begin(standin.filter)
        self.assertEqual(self.send("x", header="".join(f"X-{i}: {'x' * 900}\r\n" for i in range(300))),
                         "554 the header of this message is too large (#5.3.4)")
        self.assertEqual(standin.asked, [])

    def test_an_answer_that_comes_twice_judges_one_message(self):
        standin = self.standin(CLEAN)
        standin.again = CLEAN
        self.begin(standin.filter)
        client = self.client()
        self.assert_code(250, self.send("good", client=client))
        standin.says = answer('{"action":"reject"}')
        self.assert_code(554, self.send("bad", client=client))

    def test_each_message_has_a_connection_of_its_own(self):
        standin = self.standin(CLEAN)
        self.begin(standin.filter)
        before = standin.connections
        client = self.client()
        for number in range(3):
            self.assert_code(250, self.send(f"number {number}", client=client))
        self.assertEqual(len(standin.asked), 3)
        self.assertEqual(len({body for _, body in standin.asked}), 3)
        self.assertIn(standin.connections, (before + 3, before + 4))  # once it serves, it tries whether anybody is there
        self.assertEqual(standin.asked[0][1], "Subject: number 0\r\n\r\nhello\r\n")

    def test_quarantine_is_a_field(self):
        standin = self.standin(answer('{"action":"reject","score":20,"required_score":15,"milter":{"reject":"quarantine"}}'))
        self.begin(standin.filter)
        self.assert_code(250, self.send("x", header="X-Quarantine: mine\r\n"))
        self.assertEqual(self.header(), ["X-Quarantine: reject 20.00/15.00", "Subject: x"])

    def test_without_recipients_a_message_is_dropped(self):
        standin = self.standin(answer(f'{{"action":"no action","milter":{{"del_rcpt":["user@{OURS}"]}}}}'))
        self.begin(standin.filter)
        self.assert_code(250, self.send("x"))
        self.assertEqual(self.home.stored(), [])

    def test_questions_are_counted(self):
        if not peer.is_listener():
            return  # it has no page of figures
        standin = self.standin(CLEAN)
        self.begin(standin.filter)
        self.assert_code(250, self.send("x"))
        standin.says = answer('{"action":"reject"}')
        self.assert_code(554, self.send("x"))
        with urllib.request.urlopen(f"http://{self.server._metrics}/metrics", timeout=10) as opened:
            page = opened.read().decode()
        self.assertRegex(page, rf'postern_answers_total{{source="rspamd",name="{re.escape(standin.filter)}",outcome="accepted"}} 1')
        self.assertRegex(page, rf'postern_answers_total{{source="rspamd",name="{re.escape(standin.filter)}",outcome="refused"}} 1')
        self.assertIn('postern_messages_total{result="filter_refused"} 1\n', page)
        self.assertIn('postern_quarantined_messages_total 0\n', page)
        standin.says = answer('{"action":"quarantine","score":9,"required_score":15}')
        self.assert_code(250, self.send("x"))
        with urllib.request.urlopen(f"http://{self.server._metrics}/metrics", timeout=10) as opened:
            self.assertIn('postern_quarantined_messages_total 1\n', opened.read().decode())


if __name__ == "__main__":
    peer.main()
