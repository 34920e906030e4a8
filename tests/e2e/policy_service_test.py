#!/usr/bin/env python3
"""POSTERN_POLICY_SERVICE: policy services in the protocol of Postfix, in both programs. Real ones of Debian (postgrey, policyd-spf,
policyd-rate-limit), and one that does what it should not; ask_policy_*_test.cpp have each action and each cut of an answer."""

import json
import subprocess
import threading
import time
import unittest

import peer
from dns_servers import Unbound
from peer import OURS
from policy_peers import Postgrey, RateLimit, Spf, Standin
from recipient_case import RecipientCase

FOREIGN = "far@elsewhere.example"
SPARED_SECONDS = 25  # spec::max_policy_seconds
FAILED = "451 unable to check recipient (#4.3.0)"


class Case(RecipientCase):
    MAIL_PARAMETERS = " SIZE=1234"

    def begin(self, service, arguments=(), **settings):
        addresses = service if isinstance(service, str) else service.address
        self.start_asking(arguments, POSTERN_POLICY_SERVICE=addresses, **settings)

    def standin(self, **actions):
        return self.own(Standin(**actions))

    def deliver(self, client):
        self.assert_code(250, super().deliver(client))

    def stored(self, name):
        return self.home.stored(f"{OURS}/{name}")[-1].decode()


class RealServices(Case):
    def test_postgrey(self):
        postgrey = Postgrey()
        self.addCleanup(postgrey.stop)
        self.begin(postgrey)
        client = self.client("me@grey.example")
        greylisted = f"450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/{OURS}.html"
        self.assertEqual(self.rcpt(client, "grey"), greylisted)
        self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
        self.assert_code(503, client.say("DATA"))
        self.assert_logged(self.server, "policy session=" if peer.is_listener() else "policy client=")
        self.assert_logged(self.server, f'to=grey@{OURS} service={postgrey.address} action="DEFER_IF_PERMIT 4.2.0 Greylisted, see ')
        self.assert_logged(self.server, f'Greylisted, see http://postgrey.schweikert.ch/help/{OURS}.html" said_by={postgrey.address} ')
        self.assert_logged(self.server, "rule=recipient.policy_deferred ")
        time.sleep(1.1)
        client.say("RSET", "MAIL FROM:<me@grey.example>")
        self.assertTrue(peer.until(lambda: self.rcpt(client, "grey") == "250 ok", 5))
        self.deliver(client)
        fields = self.stored("grey").splitlines()
        at = next(i for i, field in enumerate(fields) if field.startswith("X-Greylist: delayed "))
        self.assertTrue(fields[at + 1].startswith("Received: "), fields)

    def test_policyd_spf(self):
        dns = Unbound(['spf.test 300 IN TXT "v=spf1 ip4:127.0.0.101 -all"', "spf.test 300 IN A 127.0.0.101"], {})
        self.addCleanup(dns.stop)
        spf = Spf(dns.port)
        self.addCleanup(spf.stop)
        self.begin(spf)
        good = self.client("me@spf.test", source="127.0.0.101")
        self.assertEqual(self.rcpt(good, "first"), "250 ok")
        self.assertEqual(self.rcpt(good, "second"), "250 ok")
        self.deliver(good)
        self.assertEqual(spf.connections, 1)
        for name in ("first", "second"):  # one instance: one field
            fields = self.stored(name).splitlines()
            at = [i for i, field in enumerate(fields) if field.startswith("Received-SPF: Pass ")]
            self.assertEqual(len(at), 1, fields)
            self.assertTrue(fields[at[0] + 1].startswith("Received: "), fields)
            self.assertIn("envelope-from=me@spf.test", fields[at[0]])
        forged = self.client("me@spf.test", source="127.0.0.102")
        self.assertRegex(self.rcpt(forged, "first"), "^554 5.7.23 Message rejected due to: SPF fail - not authorized")
        self.assert_logged(self.server, "rule=recipient.policy_refused ")
        self.assert_logged(self.server, f'service={spf.address} action="550 5.7.23 ')

    def test_policyd_rate_limit_before_another(self):
        limit = RateLimit(2)
        self.addCleanup(limit.stop)
        standin = self.standin(second="REJECT 5.1.1 not this one")
        self.begin(f"{limit.address} {standin.address}")
        client = self.client(source="127.0.0.103")
        self.assertEqual(self.rcpt(client, "first"), "250 ok")
        self.assertEqual(self.rcpt(client, "second"), "554 5.1.1 not this one")
        self.assertEqual(self.rcpt(client, "third"), "450 4.7.1 Rate limit reach, retry later")
        self.assertEqual(self.rcpt(client, "second"), "554 5.1.1 not this one")  # DEFER_IF_PERMIT: a later REJECT wins
        self.assertEqual(self.rcpt(self.client(source="127.0.0.104"), "third"), "250 ok")
        self.assertEqual(len(standin.asked), 5)


class Standins(Case):
    def test_each_action(self):
        actions = {"ok": "OK", "dunno": "dunno", "permit": "PERMIT", "rejected": "REJECT", "words": "REJECT no mail here",
                   "code": "REJECT 5.1.6 moved", "defer": "DEFER", "soft": "450 4.2.0 later", "hard": "521 5.7.1 never",
                   "gone": "421 too busy", "permitted": "DEFER_IF_PERMIT wait", "unless": "DEFER_IF_REJECT x", "warn": "WARN odd",
                   "info": "INFO seen", "breaks": "REJECT one\r250 two\x7f", "much": "REJECT " + "x" * 3000}
        others = {"hold": "HOLD", "discard": "DISCARD quietly", "filter": "FILTER smtp:x", "redirect": "REDIRECT a@b.example",
                  "bcc": "BCC a@b.example", "typo": "REJCT", "empty": "", "blank": " "}
        refused, later = "554 5.7.1 this recipient is refused", "450 4.7.1 this recipient is not taken now, try again later"
        replies = {"rejected": refused, "words": "554 5.7.1 no mail here", "code": "554 5.1.6 moved", "defer": later,
                   "soft": "450 4.2.0 later", "hard": "554 5.7.1 never", "gone": "450 4.7.1 too busy",
                   "permitted": "450 4.7.1 wait", "breaks": "554 5.7.1 one?250 two?", "much": "554 5.7.1 " + "x" * 249}
        self.begin(self.standin(**actions, **others))
        client = self.client()
        for name in actions:
            self.assertEqual(self.rcpt(client, name), replies.get(name, "250 ok"), name)
        for name in others:
            self.assertEqual(self.rcpt(client, name), FAILED, name)
        self.assertEqual(client.say("NOOP"), "250 ok")  # and nothing more was said
        self.deliver(client)
        self.assertEqual({path.name for path in self.home.mail.joinpath(OURS).iterdir()} & set(actions | others),
                         {"ok", "dunno", "permit", "unless", "warn", "info"})
        for words in ('action="WARN odd"', 'action="INFO seen"', "action=HOLD", 'action="DISCARD quietly"', "action=REJCT",
                      "rule=recipient.policy_failed "):
            self.assert_logged(self.server, words)

    def test_an_answer_that_cannot_be_followed_is_never_taken(self):
        self.begin(self.standin(discard="DISCARD", hold="HOLD", typo="REJCT", none="", two="OK\naction=REJECT", line="OK\nfoo bar"),
                   POSTERN_POLICY_FAILURE="accept")
        client = self.client()
        for name in ("discard", "hold", "typo", "none", "two", "line", "half", "garbage", "smtp", "long", "bare"):
            self.assertEqual(self.rcpt(client, name), FAILED, name)
        self.assertEqual(self.rcpt(client, "closed"), "250 ok")  # silence

    def test_it_is_asked_last_and_only_about_what_would_be_taken(self):
        home = self.home = self.fresh_home()
        home.control.joinpath("badrcptto").write_text(f"gone@{OURS}\n")
        home.control.joinpath("badmailfrom").write_text("bad@sender.example\n")
        peer.make_cdb(home.control / "validrcptto.cdb", {f"{name}@{OURS}": "" for name in ("gone", "user", "boxless", "program")})
        for name in ("user", "program"):
            home.mail.joinpath(OURS, name).mkdir(parents=True)
        program = home.script("rcptcheck", 'case "$RECIPIENT" in program@*) exit 100;; esac\nexit 0\n')
        standin = self.standin()
        self.begin(standin, POSTERN_UNKNOWN_RECIPIENTS="refuse", RCPTCHECK=program)
        client = self.client()
        for name, code in (("gone", 553), ("nobody", 550), ("boxless", 550), ("program", 553), (FOREIGN, 553), ("user", 250)):
            self.assert_code(code, self.rcpt(client, name))
        client.say("RSET", "MAIL FROM:<bad@sender.example>")
        self.assert_code(553, self.rcpt(client, "user"))
        self.assertEqual(standin.recipients(), [f"user@{OURS}"])

    def test_who_may_relay_is_not_asked_about(self):
        standin = self.standin(never="REJECT")
        self.begin(standin, RELAYCLIENT="", POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual([self.rcpt(client, name) for name in ("never", FOREIGN)], ["250 ok"] * 2)
        self.begin(standin, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        client = self.client()
        self.assert_code(554, self.rcpt(client, "never"))
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual(self.rcpt(client, "never"), "250 ok")
        self.assertEqual(standin.recipients(), [f"never@{OURS}"])

    def test_what_it_finds(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        port = client.socket.getsockname()[1]
        self.rcpt(client, "user")
        self.rcpt(client, '"a=b c"')
        client.say("RSET", "MAIL FROM:<>")
        self.rcpt(client, "user")
        first, second, third = standin.asked
        wanted = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP", "client_address": "127.0.0.1",
                  "client_name": "unknown", "client_port": str(port), "reverse_client_name": "unknown",
                  "server_address": "127.0.0.1", "server_port": str(self.server.port), "helo_name": "client.example",
                  "sender": "me@sender.example", "recipient": f"user@{OURS}", "recipient_count": "0", "queue_id": "",
                  "size": "1234", "sasl_method": "", "sasl_username": "", "encryption_protocol": "", "encryption_keysize": "0"}
        self.assertEqual({name: first[name] for name in wanted}, wanted)
        self.assertEqual(second["recipient"], f"a=b c@{OURS}")
        self.assertEqual(first["instance"], second["instance"])
        self.assertNotEqual(first["instance"], third["instance"])
        self.assertEqual((third["sender"], third["size"]), ("", "0"))
        self.assertEqual({request["connection"] for request in standin.asked}, {1})
        client = self.client().starttls()
        client.say("HELO tls.example", "MAIL FROM:<me@sender.example>")
        self.rcpt(client, "user")
        inside = standin.asked[-1]
        self.assertEqual((inside["helo_name"], inside["protocol_name"]), ("tls.example", "SMTP"))
        self.assertRegex(inside["encryption_protocol"], "^TLSv1.[23]$")
        self.assertEqual(len({request["instance"] for request in standin.asked}), 3)

    def test_no_octet_of_a_client_is_a_line_of_its_own(self):
        standin = self.standin(**{"warn service=me": "REJCT"})
        self.begin(standin)
        client = self.client()
        for name in ("EHLO a\x01b", "EHLO x\tsasl_username=admin", "EHLO \xe4\x7f", "HELO a=b\x0bc"):
            client.say("RSET", name, "MAIL FROM:<me@sender.example>")
            self.rcpt(client, "user")
        self.rcpt(client, '"warn service=me"')
        self.assert_logged(self.server, f"to=warn\\x20service\\x3dme@{OURS} service={standin.address} action=REJCT")
        for text in standin.texts:
            self.assertEqual(text.count(b"\n"), 28, text)
            self.assertIn(b"\nsasl_username=\n", text)
            self.assertRegex(text, rb"^[\n -~\x80-\xff]+$")

    def test_header_fields_are_those_of_one_message(self):
        standin = self.standin(first="PREPEND X-Policy: one\rtwo", second="PREPEND X-Policy: second", none="PREPEND no field here",
                               **{f"many{i}": f"PREPEND X-Many: {i}" for i in range(20)})
        self.begin(standin)
        client = self.client()
        self.rcpt(client, "first")
        client.say("RSET", "MAIL FROM:<me@sender.example>")
        self.assertEqual([self.rcpt(client, name) for name in ("second", "none", "headed")], ["250 ok"] * 3)
        self.deliver(client)
        fields = self.stored("headed").split("\n\n")[0]
        self.assertEqual(fields.count("X-Policy: "), 1)
        self.assertIn("X-Policy: second\nReceived: ", fields)
        self.assertNotIn("no field here", fields)
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual([self.rcpt(client, f"many{i}") for i in range(20)], ["250 ok"] * 20)
        self.rcpt(client, "headed2")
        self.deliver(client)
        self.assertEqual(self.stored("headed2").count("X-Many: "), 16)
        self.assert_logged(self.server, "more header fields than one message gets")

    def test_trouble_defers_and_the_next_one_is_asked_again(self):
        standin = self.standin(user="OK")
        self.begin(standin)
        client = self.client()
        for name in ("closed", "half", "garbage", "smtp", "long"):
            self.assertEqual(self.rcpt(client, name), FAILED, name)
            self.assertEqual(self.rcpt(client, "user"), "250 ok", name)
        for words in ("does not answer: connection closed", "answers what is no answer: an answer without an end, connection closed",
                      "answers what is no answer: a malformed answer",
                      "trouble session=" if peer.is_listener() else "trouble client=", f"to=half@{OURS} service={standin.address}: ",
                      f'reply="{FAILED}" said_by={standin.address} ',
                      "rule=recipient.policy_failed "):
            self.assert_logged(self.server, words)
        self.assertEqual(self.rcpt(client, "twice"), "554 5.7.1 first")
        self.assertEqual(self.rcpt(client, "trickle"), "554 5.7.1 slow")
        self.assertEqual(self.rcpt(client, "user"), "250 ok")

    def test_a_connection_that_died_is_replaced_once(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.rcpt(client, "reset"), "554 5.7.1 asked again")
        self.assertEqual([(request["recipient"].partition("@")[0], request["connection"]) for request in standin.asked],
                         [("user", 1), ("reset", 1), ("reset", 2)])
        self.assertEqual(self.rcpt(client, "closed"), FAILED)
        self.assertEqual([request["connection"] for request in standin.asked[3:]], [2, 3])

    def test_where_nobody_listens(self):
        nobody = self.home.path / "nobody"
        for failure, reply, rule in ((None, FAILED, "rule=recipient.policy_failed "), ("defer", FAILED, "rule=recipient.policy_failed "),
                                     ("accept", "250 ok", "rule=recipient.policy_waived ")):
            with self.subTest(failure=failure):
                standin = self.standin(never="REJECT")
                self.begin(f"unix:{nobody} {standin.address}", POSTERN_POLICY_FAILURE=failure)
                client = self.client()
                self.assertEqual(self.rcpt(client, "user"), reply)
                self.assert_logged(self.server, f"service=unix:{nobody}: the policy service does not answer: no connection, ENOENT")
                self.assert_logged(self.server, rule)
                self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
                if failure == "accept":  # the others are still asked
                    self.assert_logged(self.server, f"to=user@{OURS} service=unix:{nobody}: it has not judged this recipient, which is taken")
                    self.assert_code(554, self.rcpt(client, "never"))

    def test_others_are_served_while_one_waits(self):
        self.begin(self.standin())
        slow, other = self.client(), self.client()
        began = time.monotonic()
        slow.send(f"RCPT TO:<late@{OURS}>\r\nNOOP\r\n")
        for _ in range(20):
            self.assertEqual(self.rcpt(other, "user"), "250 ok")
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual([slow.reply(), slow.reply()], ["554 5.7.1 late", "250 ok"])
        leaving = self.client()
        leaving.send(f"RCPT TO:<late@{OURS}>\r\n")
        leaving.close()
        self.assertEqual(self.rcpt(other, "user"), "250 ok")

    def test_pipelined_recipients_are_each_asked(self):
        standin = self.standin(never="REJECT", later="DEFER")
        self.begin(standin)
        client = self.client()
        names = ["user", "never", "later", "reset", "user"] * 3
        client.send("".join(f"RCPT TO:<{name}@{OURS}>\r\n" for name in names) + "NOOP\r\n")
        self.assertEqual([client.reply()[:3] for _ in names], ["250", "554", "450", "554", "250"] * 3)
        self.assertEqual(client.reply(), "250 ok")

    def test_a_reply_does_not_wait_for_the_next_recipient(self):  # RFC 5321 4.5.3.2.3: the client's patience is for each
        self.begin(self.standin())
        client = self.client()
        client.send(f"RCPT TO:<user@{OURS}>\r\nRCPT TO:<late@{OURS}>\r\n")
        self.assertEqual(client.reply(), "250 ok")
        came = time.monotonic()
        self.assertEqual(client.reply(), "554 5.7.1 late")
        self.assertGreater(time.monotonic() - came, 0.3)

    def test_nobody_is_asked_for_a_client_that_has_left(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        client.send(f"RCPT TO:<late@{OURS}>\r\n" * 20)
        self.assertTrue(peer.until(lambda: len(standin.asked) == 1))
        client.close()
        self.assertTrue(self.server.is_idle())
        self.assertLess(len(standin.asked), 6)

    def test_a_crowd_gets_its_answers(self):
        standin = self.standin(never="REJECT")
        self.begin(standin)
        clients = [self.client() for _ in range(40)]
        for i, client in enumerate(clients):
            client.send(f"RCPT TO:<{'never' if i % 2 else 'user'}@{OURS}>\r\n" * 3)
        for i, client in enumerate(clients):
            self.assertEqual([client.reply()[:3] for _ in range(3)], ["554" if i % 2 else "250"] * 3)
        self.assertEqual(len(standin.asked), 120)

    def test_a_wrong_address_refuses_the_start_and_check_says_what_does_not_answer(self):
        standin, nobody = self.standin(), f"unix:{self.home.path}/nobody"
        def advice(**settings):
            found = subprocess.run([peer.postern(), "check", "--json"], env=self.home.environment(**settings), stdout=subprocess.PIPE, timeout=60)
            return [(piece["grade"], piece["text"]) for piece in json.loads(found.stdout)["advice"] if "olicy" in piece["text"] or
                    "POLICY" in piece["text"]]
        self.assertEqual(advice(POSTERN_POLICY_SERVICE=f"{standin.address}"), [])
        self.assertEqual(standin.asked, [])
        (grade, text), = advice(POSTERN_POLICY_SERVICE=f"{standin.address} {nobody}")
        self.assertEqual(grade, "warning")
        self.assertIn(f"policy service {nobody} does not answer, ENOENT: until it does, each recipient of ours gets 451", text)
        (_, text), = advice(POSTERN_POLICY_SERVICE=nobody, POSTERN_POLICY_FAILURE="accept")
        self.assertIn("is taken unjudged", text)
        self.assertEqual(advice(POSTERN_POLICY_SERVICE=standin.address, POSTERN_POLICY_FAILURE="accept"), [])
        (grade, text), = advice(POSTERN_POLICY_FAILURE="accept")
        self.assertEqual(grade, "warning")
        self.assertIn("POSTERN_POLICY_FAILURE is set, and no policy service is asked", text)
        (grade, text), = advice(POSTERN_POLICY_SERVICE=f"{standin.address}, tcp:127.0.0.1:10023")
        self.assertEqual(grade, "refusal")
        self.assertIn(f"{standin.address},: a comma is no part of an address", text)
        (grade, text), = advice(POSTERN_POLICY_SERVICE="tcp:localhost:10023")
        self.assertEqual(grade, "refusal")
        self.assertIn("not an IP address", text)
        if not peer.is_listener():
            client = self.start(greeted=True, POSTERN_POLICY_SERVICE="postgrey").client
            self.assertEqual(client.greeting, self.replies["configuration_error"])


class WithoutAnAnswer(Case):
    """Its clients wait from the beginning, beside all other tests, for spec::max_policy_seconds."""

    def test_it_ends_and_says_so(self):
        for thread in SILENT.threads:
            thread.join()
        for failure, reply in (("defer", FAILED), ("accept", "250 ok")):
            said, seconds, after = SILENT.replies[failure]
            self.assertEqual((said, after), (reply, "250 ok"))
            self.assertTrue(SPARED_SECONDS - 0.5 < seconds < SPARED_SECONDS + 5, seconds)
            server = SILENT.servers[failure]
            self.assert_logged(server, f"service={SILENT.standin.address}: the policy service does not answer: timed out")
            self.assert_logged(server, f"rule=recipient.policy_{'failed' if failure == 'defer' else 'waived'} ")

    def test_it_leaves_the_next_one_time_to_refuse(self):
        for thread in SILENT.threads:
            thread.join()
        said, seconds, after = SILENT.replies["another"]
        self.assertEqual((said, after), ("554 5.7.1 no", "250 ok"))
        self.assertTrue(SPARED_SECONDS / 2 - 0.5 < seconds < SPARED_SECONDS / 2 + 5, seconds)
        self.assert_logged(SILENT.servers["another"], f"service={SILENT.standin.address}: the policy service does not answer: timed out")
        self.assert_logged(SILENT.servers["another"], f" said_by={SILENT.other.address}")


class Silent:
    """A service that never answers, and for each choice of the operator a client that waits for it; alone, and before another one."""

    def __init__(self):
        self.standin = Standin()
        self.other = Standin(silent="REJECT no")
        self.other.manner_silent = None
        self.home = peer.Home()
        unittest.addModuleCleanup(self.home.remove)
        unittest.addModuleCleanup(self.standin.stop)
        self.servers, self.threads, self.replies = {}, [], {}
        unittest.addModuleCleanup(self.other.stop)
        for failure in ("defer", "accept", "another"):
            services = [self.standin.address, *([self.other.address] if failure == "another" else [])]
            settings = {"POSTERN_POLICY_SERVICE": " ".join(services), "POSTERN_POLICY_FAILURE": failure.replace("another", "accept")}
            self.servers[failure] = peer.start_server(self.home.environment(**settings))
            unittest.addModuleCleanup(self.servers[failure].stop)
            self.threads.append(threading.Thread(target=self.wait, args=(failure,)))
            self.threads[-1].start()

    def wait(self, failure):
        with self.servers[failure].connect(patience=60) as client:
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
            began = time.monotonic()
            self.replies[failure] = (client.say(f"RCPT TO:<silent@{OURS}>"), time.monotonic() - began, client.say("NOOP"))


def setUpModule():
    global SILENT
    SILENT = Silent()


if __name__ == "__main__":
    peer.main()
