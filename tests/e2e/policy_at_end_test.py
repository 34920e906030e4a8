#!/usr/bin/env python3
"""POSTERN_FILTERS with policy:ADDRESS: a policy service in the protocol of Postfix that is asked at END-OF-MESSAGE, in both programs.
filter_policy_service_test.cpp has each action, rspamd_test.py what all filters have in common."""

import peer
from peer import OURS
from policy_peers import Standin
from recipient_case import RecipientCase

FAILED = "451 unable to check message (#4.3.0)"
LATER = "451 this message is not taken now, try again later (#4.7.1)"


class AtTheEnd(RecipientCase):
    def begin(self, service, **settings):
        self.start_asking(POSTERN_FILTERS=f"policy:{service.address}", **settings)

    def standin(self, **actions):
        return self.own(Standin(**actions))

    def sent(self, *names, **more):
        client = self.client(**more)
        for name in names:
            self.assertEqual(self.rcpt(client, name), "250 ok")
        return self.deliver(client)

    def test_each_action(self):
        service = self.standin(ok="OK", refused="REJECT", words="552 5.3.4 too much of it", later="DEFER_IF_PERMIT 4.7.1 rate limit", gone="DISCARD",
                               hold="HOLD", odd="REJCT")
        self.begin(service)
        wanted = {"user": "250", "ok": "250", "refused": "554 5.7.1 this message is refused", "words": "554 5.3.4 too much of it", "later": "451 4.7.1 rate limit",
                  "gone": "250", "hold": LATER, "odd": LATER, "closed": FAILED, "half": FAILED, "bare": FAILED}
        for name, reply in wanted.items():
            before = len(self.home.stored(f"{OURS}/{name}"))
            self.assertTrue(self.sent(name).startswith(reply), name)
            self.assertEqual(len(self.home.stored(f"{OURS}/{name}")) - before, int(name in ("user", "ok")), name)
        self.assert_logged(self.server, "rule=hand_over.filter_refused ")
        self.assert_logged(self.server, f" said_by=policy:{service.address}")

    def test_what_it_may_have_refused_is_never_taken(self):
        self.begin(self.standin(hold="HOLD", odd="REJCT"), POSTERN_FILTER_FAILURE="accept")
        for name in ("hold", "odd"):
            self.assertEqual(self.sent(name), LATER)
        for name in ("half", "bare"):
            self.assertEqual(self.sent(name), FAILED)
            self.assertEqual(self.home.stored(f"{OURS}/{name}"), [])
        self.assert_code(250, self.sent("closed"))

    def test_what_is_asked(self):
        service = self.standin()
        self.begin(service, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        self.assert_code(250, self.sent("user", "other"))
        client = self.client()
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        client.say("MAIL FROM:<user@sender.example>", f"RCPT TO:<user@{OURS}>")
        self.assert_code(250, self.deliver(client))
        stranger, user = service.asked
        for name, value in {"request": "smtpd_access_policy", "protocol_state": "END-OF-MESSAGE", "client_address": "127.0.0.1", "helo_name": "client.example",
                            "sender": "me@sender.example", "recipient": "", "recipient_count": "2", "sasl_username": "", "size": "14"}.items():
            self.assertEqual(stranger[name], value, name)
        for name, value in {"recipient": f"user@{OURS}", "recipient_count": "1", "sasl_username": peer.USER,
                            "sender": "user@sender.example"}.items():
            self.assertEqual(user[name], value, name)
        self.assertNotEqual(stranger["instance"], user["instance"])
        self.assertTrue(peer.until(lambda: f"id={user['queue_id']} " in self.server.log()), self.server.log())

    def test_a_field_stands_on_top(self):
        self.begin(self.standin(user="PREPEND X-Rate: 3 of 10"))
        self.assert_code(250, self.sent("user"))
        text = self.home.stored(f"{OURS}/user")[-1].decode()
        self.assertRegex(text, r"(?s)^Return-Path: .*Received: .*\nX-Rate: 3 of 10\nSubject: x\n\nx\n$")

    def test_at_rcpt_and_at_the_end(self):
        at_rcpt, at_end = self.standin(), self.standin(user="REJECT whole")
        self.begin(at_end, POSTERN_POLICY_SERVICE=at_rcpt.address)
        self.assertEqual(self.sent("user"), "554 5.7.1 whole")
        self.assertEqual([one["protocol_state"] for one in at_rcpt.asked + at_end.asked], ["RCPT", "END-OF-MESSAGE"])

    def test_a_service_that_is_gone(self):
        service = Standin()
        try:
            self.begin(service, POSTERN_FILTER_FAILURE="accept")
            self.assert_code(250, self.sent("user"))
        finally:
            service.stop()
        self.assert_code(250, self.sent("user"))
        self.assert_logged(self.server, "no connection, ")


if __name__ == "__main__":
    peer.main()
