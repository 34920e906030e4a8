#!/usr/bin/env python3
"""postern serve with POSTERN_UNKNOWN_RECIPIENTS=refuse and POSTERN_LMTP: what the mail cluster said of recipients is remembered, for
that cluster alone, equal questions are asked once, and deliveries do not wait for them. mail_cluster_test.py has the answers."""

import signal
import time

import peer
import serve
from lmtp_peers import Standin
from peer import OURS

UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"
SPARED_SECONDS = 5  # spec::max_probe_seconds


class Remembered(serve.Case):
    def standin(self, **manners):
        standin = Standin(**manners)
        self.addCleanup(standin.stop)
        return standin

    def tables(self, cluster, **more):
        return {"server": {"loops": 1}, "variables": {"POSTERN_LMTP": cluster.address, "POSTERN_MAILDIR": None,
                                                      "TMPDIR": self.home.path}} | more

    def asking(self, cluster, **more):
        return self.serving({"unknown_recipients": "refuse"}, **self.tables(cluster, **more))

    def reload(self, service, cluster, times):
        self.write_file({"unknown_recipients": "refuse"}, **self.tables(cluster))
        service.process.send_signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") >= times), service.log())

    def client(self, service):
        client = service.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
        return client

    def rcpt(self, client, name):
        return client.say(f"RCPT TO:<{name}@{OURS}>")

    def ask(self, service, name):
        """In a session of its own."""
        with service.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            return self.rcpt(client, name)

    def test_other_sessions_ask_no_more_and_an_outage_is_borne(self):
        cluster = self.standin(nobody="550 nobody")
        service = self.asking(cluster)
        for _ in range(3):
            self.assertEqual([self.ask(service, name) for name in ("user", "nobody")], ["250 ok", UNKNOWN])
        self.assertEqual(cluster.recipients(), [f"user@{OURS}", f"nobody@{OURS}"])
        cluster.mail = "451 4.3.2 down"
        self.assertEqual([self.ask(service, name) for name in ("user", "nobody", "another")],
                         ["250 ok", UNKNOWN, self.replies["recipient_unknowable"]])
        self.assert_logged(service, f"mail cluster {cluster.address}: answered 451 4.3.2 down, at MAIL")

    def test_equal_questions_are_asked_once(self):
        cluster = self.standin(nobody="550 nobody")
        service = self.asking(cluster)
        clients = [self.client(service) for _ in range(20)]
        for client in clients:
            client.send(f"RCPT TO:<nobody@{OURS}>\r\n")
        self.assertEqual([client.reply() for client in clients], [UNKNOWN] * 20)
        self.assertEqual(cluster.recipients(), [f"nobody@{OURS}"])

    def test_deliveries_go_on_while_the_cluster_answers_no_question(self):
        cluster = self.standin(only_probes=True)
        service = self.asking(cluster)
        client = self.client(service)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        cluster.mail = None
        others = [self.client(service) for _ in range(40)]
        begun = time.monotonic()
        for i, other in enumerate(others):
            other.send(f"RCPT TO:<new{i}@{OURS}>\r\n")
        self.assert_code(354, client.say("DATA"))
        client.send("Subject: x\r\n\r\nx\r\n.\r\n")
        self.assert_code(250, client.reply())
        self.assertLess(time.monotonic() - begun, SPARED_SECONDS - 1)
        self.assertEqual({other.reply() for other in others}, {self.replies["recipient_unknowable"]})
        self.assertLess(time.monotonic() - begun, SPARED_SECONDS + 5)

    def test_answers_of_one_cluster_are_not_those_of_the_next(self):
        old, new = self.standin(moved="550 nobody"), self.standin(stayed="550 nobody")
        service = self.asking(old)
        self.assertEqual([self.ask(service, name) for name in ("moved", "stayed")], [UNKNOWN, "250 ok"])
        self.reload(service, new, 1)
        self.assertEqual([self.ask(service, name) for name in ("moved", "stayed")], ["250 ok", UNKNOWN])
        self.reload(service, new, 2)  # nothing is another
        new.stop()
        self.assertEqual([self.ask(service, name) for name in ("moved", "stayed", "other")],
                         ["250 ok", UNKNOWN, self.replies["recipient_unknowable"]])

    def test_unknown_ones_count_for_the_limit_of_an_address(self):
        cluster = self.standin(no0="550 nobody", no1="550 nobody")
        service = self.asking(cluster, limits={"unknown_recipients_per_hour": 3, "exempt": []})
        for name in ("no0", "no1", "no1"):  # the last one is remembered, and counts, too
            self.assertEqual(self.ask(service, name), UNKNOWN)
        for name in ("no0", "user"):
            self.assertEqual(self.ask(service, name), self.replies["too_many_unknown"])
        self.assertEqual(cluster.recipients(), [f"no0@{OURS}", f"no1@{OURS}"])
        self.assert_logged(service, "kind=recipients change=shut number=1")

    def test_from_inside_the_sandbox_and_of_a_class(self):
        cluster = self.standin(nobody="550 nobody")
        rules = peer.make_cdb(self.home.path / "rules.cdb", {"127.0.1.1": "+POSTERN_UNKNOWN_RECIPIENTS=accept\0", "": ""})
        service = self.serving({"unknown_recipients": "refuse", "tcprules": rules}, **self.tables(cluster))
        self.assertRegex(service.log(), "sandbox: seccomp strict, Landlock")
        self.assertEqual(self.ask(service, "nobody"), UNKNOWN)
        with service.connect(source="127.0.1.1") as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            self.assertEqual(self.rcpt(client, "nobody"), "250 ok")


if __name__ == "__main__":
    peer.main()
