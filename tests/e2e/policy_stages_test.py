#!/usr/bin/env python3
"""POSTERN_POLICY_SERVICE with connect:, helo:, mail: and data: before an address, in both programs: stand-ins, Debian's policyd-spf and
policyd-rate-limit, and what Debian's Postfix asks at the same stages. policy_service_test.py has RCPT, and what all stages share."""

import json
import subprocess
import time

import peer
from dns_servers import Unbound
from milter_peers import Postfix
from peer import HOST, OURS
from policy_peers import RateLimit, Spf, Staged
from recipient_case import MESSAGE, RecipientCase

FOREIGN = "far@elsewhere.example"
FAILED = "451 unable to check recipient (#4.3.0)"
UNCHECKED = "451 unable to check message (#4.3.0)"
STAGES = ("connect", "helo", "mail", "rcpt", "data")


class Case(RecipientCase):
    MAIL_PARAMETERS = " SIZE=1234"

    def begin(self, service, *stages, **settings):
        self.start_asking(POSTERN_POLICY_SERVICE=" ".join(f"{stage}:{service.address}" for stage in stages), **settings)

    def staged(self, **actions):
        return self.own(Staged(**actions))

    def again(self, client, sender="me@sender.example"):
        client.say("RSET", f"MAIL FROM:<{sender}>")
        return client

    def log_in(self, client):
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<me@sender.example>")


class BeforeRecipients(Case):
    def test_what_is_refused_is_told_at_rcpt(self):
        for stage in ("connect", "helo", "mail"):
            with self.subTest(stage=stage):
                service = self.staged(**{stage: "REJECT 5.7.1 not you", "never": "REJECT"})
                self.begin(service, stage, "rcpt")
                client = self.client()  # EHLO and MAIL are taken
                self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
                self.assertEqual(service.asked, [])
                self.assertEqual([self.rcpt(client, "user") for _ in range(2)], ["554 5.7.1 not you"] * 2)
                self.assertEqual(service.states(), [{"helo": "EHLO"}.get(stage, stage.upper())])
                self.assert_code(503, client.say("DATA"))
                self.assert_logged(self.server, "rule=recipient.policy_refused ")
                self.assert_logged(self.server, f" said_by={stage}:{service.address}")

    def test_each_is_asked_once_for_what_it_is_about(self):
        service = self.staged()
        self.begin(service, "rcpt", "mail", "helo", "connect")
        client = self.client()
        for name in ("user", "other"):
            self.assertEqual(self.rcpt(client, name), "250 ok")
        self.assertEqual(service.states(), ["CONNECT", "EHLO", "MAIL", "RCPT", "RCPT"])
        self.deliver(client)
        self.rcpt(self.again(client), "user")
        self.assertEqual(service.states()[5:], ["MAIL", "RCPT"])
        client.say("HELO another.example", "MAIL FROM:<me@sender.example>")
        self.rcpt(client, "user")
        self.assertEqual(service.states()[7:], ["HELO", "MAIL", "RCPT"])
        client.say("HELO another.example", "MAIL FROM:<me@sender.example>")
        self.rcpt(client, "user")
        self.assertEqual(service.states()[10:], ["MAIL", "RCPT"])
        nameless = self.server.connect()
        self.addCleanup(nameless.close)
        nameless.say("MAIL FROM:<me@sender.example>")
        self.rcpt(nameless, "user")
        self.assertEqual(service.states()[12:], ["CONNECT", "MAIL", "RCPT"])

    def test_a_stage_that_decides_ends_it_and_ok_ends_its_stage(self):
        first, second = self.staged(connect="OK", helo="DUNNO", mail="DEFER wait"), self.staged(helo="OK", rcpt="REJECT")
        self.start_asking(POSTERN_POLICY_SERVICE=" ".join(
            f"{stage}:{service.address}" for stage in ("connect", "helo", "mail", "rcpt") for service in (first, second)))
        client = self.client()
        self.assertEqual(self.rcpt(client, "user"), "450 4.7.1 wait")
        self.assertEqual((first.states(), second.states()), (["CONNECT", "EHLO", "MAIL"], ["EHLO"]))
        first.actions["mail"] = "DEFER_IF_PERMIT maybe"
        self.assert_code(554, self.rcpt(self.again(client), "user"))  # a later REJECT wins
        first.actions["mail"] = "DEFER_IF_REJECT soft"
        self.assertEqual(self.rcpt(self.again(client), "user"), "450 4.7.1 soft")
        second.actions["rcpt"] = "DUNNO"
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        first.actions["mail"] = "DEFER_IF_PERMIT maybe"
        self.assertEqual(self.rcpt(self.again(client), "user"), "450 4.7.1 maybe")

    def test_who_may_relay_is_asked_about_as_a_sender_alone(self):
        service = self.staged(connect="REJECT", helo="REJECT", rcpt="REJECT", spoofed="REJECT 5.7.1 not yours")
        self.begin(service, *STAGES, RELAYCLIENT="", POSTERN_RELAY=1)
        client = self.client()
        self.assertEqual([self.rcpt(client, name) for name in ("user", FOREIGN)], ["250 ok"] * 2)
        self.assertEqual(service.states(), ["MAIL"])
        self.again(client, "spoofed@sender.example")
        self.assertEqual([self.rcpt(client, name) for name in ("user", FOREIGN)], ["554 5.7.1 not yours"] * 2)
        service = self.staged()
        self.begin(service, *STAGES, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        client = self.client()
        self.log_in(client)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.deliver(client)
        self.assertEqual([(one["protocol_state"], one["sasl_username"]) for one in service.asked], [("MAIL", peer.USER), ("DATA", peer.USER)])

    def test_no_service_opens_a_relay(self):
        self.begin(self.staged(connect="OK", helo="OK", mail="OK", rcpt="OK"), "connect", "helo", "mail", "rcpt")
        self.assertEqual(self.rcpt(self.client(), FOREIGN), self.replies["not_our_domain"])
        self.begin(self.staged(), "mail", RELAYCLIENT="")  # nothing carries it there
        self.assertEqual(self.rcpt(self.client(), FOREIGN), self.replies["relays_no_mail"])

    def test_what_is_no_answer_is_asked_again(self):
        service = self.staged()
        self.begin(service, "mail")
        for name, reply in (("half", FAILED), ("closed", FAILED), ("garbage", FAILED)):
            client = self.client(f"{name}@sender.example")
            self.assertEqual([self.rcpt(client, "user") for _ in range(2)], [reply] * 2)
        self.assertGreaterEqual(len(service.asked), 6)
        self.assert_logged(self.server, f'said_by=mail:{service.address} ')
        self.begin(service, "mail", POSTERN_POLICY_FAILURE="accept")
        self.assertEqual(self.rcpt(self.client("closed@sender.example"), "user"), "250 ok")
        self.assert_logged(self.server, "rule=recipient.policy_waived ")
        self.assertEqual(self.rcpt(self.client("half@sender.example"), "user"), FAILED)

    def test_header_fields_stand_once_in_each_message(self):
        service = self.staged(connect="PREPEND X-Client: known", mail="PREPEND X-Sender: seen")
        self.begin(service, "connect", "mail")
        client = self.client()
        before = len(self.home.stored(f"{OURS}/user"))
        for count in (1, 2):
            for name in ("user", "other"):
                self.assertEqual(self.rcpt(client, name), "250 ok")
            self.assert_code(250, self.deliver(client))
            text = self.home.stored(f"{OURS}/user")[-1].decode()
            self.assertIn("X-Client: known\nX-Sender: seen\nReceived: ", text)
            self.assertEqual(text.count("X-Client"), 1)
            self.assertEqual(len(self.home.stored(f"{OURS}/user")) - before, count)
            client.say("MAIL FROM:<me@sender.example>")

    def test_others_are_served_while_one_waits(self):
        service = self.staged()
        self.begin(service, "mail", "data")
        slow, other = self.client("late@sender.example"), self.client()
        began = time.monotonic()
        slow.send(f"RCPT TO:<user@{OURS}>\r\nNOOP\r\n")
        for _ in range(10):
            self.assertEqual(self.rcpt(other, "user"), "250 ok")
        self.assert_code(250, self.deliver(other))
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual([slow.reply(), slow.reply()], ["554 5.7.1 late", "250 ok"])


class AtData(Case):
    def sent(self, sender, *names):
        client = self.client(f"{sender}@sender.example")
        for name in names or ("user",):
            self.assertEqual(self.rcpt(client, name), "250 ok")
        return client

    def test_each_action(self):
        service = self.staged(ok="OK", refused="REJECT", words="552 5.3.4 too much of it", later="DEFER_IF_PERMIT 4.7.1 rate limit",
                              hold="HOLD", gone="DISCARD", odd="REJCT")
        self.begin(service, "data")
        wanted = {"me": "354", "ok": "354", "refused": "554 5.7.1 this message is refused", "words": "554 5.3.4 too much of it",
                  "later": "450 4.7.1 rate limit", "hold": UNCHECKED, "gone": UNCHECKED, "odd": UNCHECKED, "closed": UNCHECKED,
                  "half": UNCHECKED, "bare": UNCHECKED}
        before = len(self.home.stored(f"{OURS}/user"))
        for sender, reply in wanted.items():
            client = self.sent(sender)
            said = client.say("DATA")
            self.assertTrue(said.startswith(reply), (sender, said))
            if said.startswith("354"):
                client.send(MESSAGE + ".\r\n")
                self.assert_code(250, client.reply())
            else:  # the transaction stays, and the client may go on
                self.assertEqual(self.rcpt(client, "more"), "250 ok")
                self.assertEqual(client.say("QUIT")[:3], "221")
        self.assertEqual(len(self.home.stored(f"{OURS}/user")) - before, 2)
        self.assertEqual(list(self.home.mail.glob("**/tmp/*")), [])
        for words in ("rule=message.policy_refused ", "rule=message.policy_deferred ", "rule=message.policy_failed ",
                      f" said_by=data:{service.address}", "action=HOLD"):
            self.assert_logged(self.server, words)
        refusals = [line for line in self.server.log().splitlines() if " refuse " in line and " rule=message.policy_" in line]
        self.assertGreater(len(refusals), 3)
        for line in refusals:
            self.assertRegex(line, r" id=\d+-\d+ ")
            self.assertEqual(" why=" in line, " rule=message.policy_failed " in line, line)

    def test_silence_is_waived_where_the_operator_says_so(self):
        self.begin(self.staged(odd="REJCT"), "data", POSTERN_POLICY_FAILURE="accept")
        self.assert_code(250, self.deliver(self.sent("closed")))
        self.assert_logged(self.server, "rule=message.policy_waived ")
        self.assert_logged(self.server, "it has not judged this message, which is taken")
        for sender in ("odd", "half"):
            self.assertEqual(self.sent(sender).say("DATA"), UNCHECKED)

    def test_it_is_asked_only_where_data_may_come(self):
        service = self.staged()
        self.begin(service, "data")
        client = self.server.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example")
        self.assertEqual(client.say("DATA"), self.replies["mail_first"])
        client.say("MAIL FROM:<me@sender.example>")
        self.assertEqual(client.say("DATA"), self.replies["rcpt_first"])
        self.rcpt(client, "user")
        self.assert_code(501, client.say("DATA now"))
        self.assertEqual(service.asked, [])

    def test_a_client_that_pipelines(self):
        service = self.staged(never="REJECT")
        self.begin(service, "mail", "data")
        client = self.server.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example")
        client.send(f"MAIL FROM:<late@sender.example>\r\nRCPT TO:<user@{OURS}>\r\nDATA\r\n")
        self.assertEqual([client.reply()[:3] for _ in range(3)], ["250", "554", "503"])
        client.send(f"RSET\r\nMAIL FROM:<trickle@sender.example>\r\nRCPT TO:<user@{OURS}>\r\nRSET\r\n"
                    f"MAIL FROM:<me@sender.example>\r\nRCPT TO:<user@{OURS}>\r\nDATA\r\n")
        self.assertEqual([client.reply()[:3] for _ in range(7)], ["250", "250", "554", "250", "250", "250", "354"])
        client.send(MESSAGE + ".\r\nQUIT\r\n")
        self.assertEqual([client.reply()[:3] for _ in range(2)], ["250", "221"])

    def test_nothing_is_left_of_clients_that_leave_while_it_is_asked(self):
        service = self.staged()
        self.begin(service, "data")
        for _ in range(5):
            client = self.sent("late")
            client.send("DATA\r\n")
            client.close()
        self.assertTrue(peer.until(lambda: len(service.asked) == 5))
        self.assertTrue(self.server.is_idle())
        self.assertEqual(list(self.home.mail.glob("**/tmp/*")), [])
        self.assert_code(250, self.deliver(self.sent("me")))

    def test_a_field_comes_too_late(self):
        self.begin(self.staged(data="PREPEND X-Late: yes"), "data")
        self.assert_code(250, self.deliver(self.sent("me")))
        self.assertNotIn("X-Late", self.home.stored(f"{OURS}/user")[-1].decode())
        self.assert_logged(self.server, 'action="PREPEND X-Late: yes": at DATA the header has begun')

    def test_all_stages_and_the_end(self):
        service, at_end = self.staged(), self.staged()
        self.begin(service, *STAGES, POSTERN_FILTERS=f"policy:{at_end.address}")
        self.assert_code(250, self.deliver(self.sent("me", "user", "other")))
        self.assertEqual(service.states(), ["CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA"])
        for words in ("rule=data.check ", "rule=message.permitted "):
            self.assert_logged(self.server, words)
        data, end = service.asked[-1], at_end.asked[-1]
        self.assertEqual((data["queue_id"], data["recipient_count"]), (end["queue_id"], end["recipient_count"]))
        self.assertTrue(peer.until(lambda: f"id={data['queue_id']} " in self.server.log()), self.server.log())


class WhatItFinds(Case):
    def test_what_the_client_has_said_so_far(self):
        service = self.staged()
        self.begin(service, *STAGES)
        client = self.client()
        for name in ("user", "other"):
            self.rcpt(client, name)
        self.assert_code(250, self.deliver(client))
        connect, ehlo, mail, rcpt, other, data = service.asked
        said = [("protocol_state", "CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA"),
                ("protocol_name", "SMTP", "SMTP", "ESMTP", "ESMTP", "ESMTP", "ESMTP"),
                ("helo_name", "", *["client.example"] * 5), ("sender", "", "", *["me@sender.example"] * 4),
                ("recipient", "", "", "", f"user@{OURS}", f"other@{OURS}", ""), ("recipient_count", *["0"] * 5, "2"),
                ("size", "0", "0", *["1234"] * 4), ("client_address", *["127.0.0.1"] * 6)]
        for name, *values in said:
            self.assertEqual([request[name] for request in service.asked], values, name)
        self.assertEqual(len({request["instance"] for request in (mail, rcpt, other, data)}), 1)
        self.assertEqual(connect["instance"], ehlo["instance"])
        self.rcpt(self.again(client), "user")
        self.assert_code(250, self.deliver(client))
        self.assertEqual((service.asked[-1]["recipient"], service.asked[-1]["recipient_count"]), (f"user@{OURS}", "1"))

    def test_a_connection_is_clear_until_starttls(self):
        service = self.staged()
        self.begin(service, "connect", "helo", "mail")
        client = self.client().starttls()
        client.say("EHLO tls.example", "MAIL FROM:<me@sender.example>")
        self.rcpt(client, "user")
        self.assertEqual([request["encryption_protocol"][:4] for request in service.asked], ["", "TLSv", "TLSv"])

    def test_postfix_asks_the_same(self):
        """With smtpd_delay_reject=no: by default it asks all at RCPT, and says so."""
        service, beside = self.staged(), self.staged()
        restrictions = {"client": "connect", "helo": "helo", "sender": "mail", "recipient": "rcpt", "data": "data"}
        more = "\n".join(f"smtpd_{name}_restrictions = check_policy_service {beside.address}" for name in restrictions)
        postfix = Postfix(None, HOST, OURS, "smtpd_delay_reject = no\nsmtpd_relay_restrictions = reject_unauth_destination\n" + more)
        self.addCleanup(postfix.remove)
        self.begin(service, *STAGES)
        for client in (self.server.connect(), postfix.connect()):
            self.addCleanup(client.close)
            client.say("EHLO client.example", "MAIL FROM:<me@sender.example> SIZE=1234")
            for name in ("user", "other"):
                self.assert_code(250, self.rcpt(client, name))
            self.assert_code(354, client.say("DATA"))
            client.send(MESSAGE + ".\r\n")
            self.assert_code(250, client.reply())
        last = max(at for at, state in enumerate(beside.states()) if state == "CONNECT")
        asked = beside.asked[last:]  # it was tried before whether Postfix is up
        self.assertEqual(service.states(), [one["protocol_state"] for one in asked])
        own = {"client_port", "server_port", "instance", "queue_id", "connection", "size",  # a number, or of each program alone
               "client_name", "reverse_client_name"}
        newer = {"compatibility_level", "mail_version"}
        for ours, theirs in zip(service.asked, asked, strict=True):
            self.assertEqual(set(theirs) - set(ours) - newer, set())
            self.assertEqual({name: ours[name] for name in set(ours) & set(theirs) - own},
                             {name: theirs[name] for name in set(ours) & set(theirs) - own}, ours["protocol_state"])
        self.assertEqual([one["size"] for one in service.asked], [one["size"] for one in asked])


class RealServices(Case):
    def test_policyd_spf_at_mail(self):
        dns = Unbound(['spf.test 300 IN TXT "v=spf1 ip4:127.0.0.101 -all"', "spf.test 300 IN A 127.0.0.101"], {})
        self.addCleanup(dns.stop)
        spf = self.own(Spf(dns.port))
        self.begin(spf, "mail")
        good = self.client("me@spf.test", source="127.0.0.101")
        for name in ("first", "second"):
            self.assertEqual(self.rcpt(good, name), "250 ok")
        self.assert_code(250, self.deliver(good))
        self.assertEqual(self.home.stored(f"{OURS}/first")[-1].decode().count("Received-SPF: Pass "), 1)
        forged = self.client("me@spf.test", source="127.0.0.102")
        for name in ("first", "second"):
            self.assertRegex(self.rcpt(forged, name), "^554 5.7.23 Message rejected due to: SPF fail - not authorized")

    def test_policyd_rate_limit_has_nothing_against_data(self):
        """Debian's counts at RCPT alone."""
        limit = RateLimit(1)
        self.addCleanup(limit.stop)
        self.begin(limit, "data")
        client = self.client(source="127.0.0.103")
        for again in (False, True):
            if again:
                self.again(client)
            for name in ("first", "second"):
                self.rcpt(client, name)
            self.assert_code(250, self.deliver(client))


class Settings(Case):
    def test_a_wrong_stage_refuses_the_start_and_check_knows_who_is_asked(self):
        service = self.staged()
        def advice(**settings):
            found = subprocess.run([peer.postern(), "check", "--json"], env=self.home.environment(**settings), stdout=subprocess.PIPE, timeout=60)
            return [(piece["grade"], piece["text"]) for piece in json.loads(found.stdout)["advice"] if "olicy" in piece["text"] or
                    "POLICY" in piece["text"]]
        self.assertEqual(advice(POSTERN_POLICY_SERVICE=f"mail:{service.address} {service.address} data:{service.address}"), [])
        for wrong, words in ((f"sender:{service.address}", "sender is no stage: write connect:, helo:, mail:, rcpt: or data:"),
                             (f"end:{service.address}", f"write policy:{service.address} into POSTERN_FILTERS"),
                             (f"mail:{service.address} mail:{service.address}", "stands there twice")):
            (grade, text), = advice(POSTERN_POLICY_SERVICE=wrong)
            self.assertEqual(grade, "refusal")
            self.assertIn(words, text)
        nobody = f"unix:{self.home.path}/nobody"
        (_, text), = advice(POSTERN_POLICY_SERVICE=f"data:{nobody}")
        self.assertIn("until it does, each message gets 451", text)
        self.assertEqual(advice(POSTERN_POLICY_SERVICE=f"mail:{service.address}", RELAYCLIENT=""), [])
        (_, text), = advice(POSTERN_POLICY_SERVICE=f"helo:{service.address}", RELAYCLIENT="")
        self.assertIn("about nobody", text)


if __name__ == "__main__":
    peer.main()
