#!/usr/bin/env python3
"""Sessions of every kind, logged with POSTERN_LOG_DECISIONS=1 and replayed through the spec; and that the replay finds what is wrong."""

import re
import unittest

import peer
import spec_replay
from peer import PASSWORD, USER

WRONG = peer.plain_response(USER, "wrong")
RIGHT = peer.plain_response(USER, PASSWORD)
NOTED = "postern-smtpd[7]: "


class Replayed(peer.Case):
    """`stop` judges each log, too (peer.Service); here it is known how many sessions there are in it."""

    def assert_replayed(self, server, sessions=1):
        self.assertTrue(peer.until(lambda: len(re.findall(r"\]: end .*by=", server.log())) >= sessions), server.log())
        log = server.log()
        self.assertEqual(spec_replay.problems_of(log), [])
        self.assertEqual(spec_replay.sessions_in(log), sessions)
        return log


class Sessions(Replayed):
    def test_mail_and_mistakes(self):
        server = self.serve()
        with server.connect() as client:
            client.say("HELO", "EHLO client.example", "NONSENSE", "RCPT TO:<a@b.example>", "MAIL FROM:<a@b..example>",
                       "MAIL FROM:<a@b.example>", "RCPT TO:<c@elsewhere.example>", f"RCPT TO:<user@{peer.OURS}>", "DATA")
            client.send("Subject: x\r\n\r\nx\r\n.\r\n")
            self.assert_code(250, client.reply())
            client.say("VRFY x", "NOOP", "HELP", "RSET", "QUIT")
        log = self.assert_replayed(server)
        self.assertIn(" cause=hand_over.accepted ", log)
        self.assertRegex(log, r'\]: sent (session=\S+ )?client=127\.0\.0\.1 reply="250 ok')

    def test_too_many_mistakes(self):
        server = self.serve()
        with server.connect() as client:
            client.send("NONSENSE\r\n" * 30)
            client.rest()
        self.assertIn("reply=\"421", self.assert_replayed(server))

    def test_starttls_and_auth(self):
        server = self.serve(AUTH_CDB=self.home.users, FORCE_TLS=1)
        with server.connect() as client:
            client.say("EHLO client.example", "MAIL FROM:<>", f"AUTH PLAIN {RIGHT}")
            client.starttls().say("EHLO client.example")
            self.assert_code(535, client.say(f"AUTH PLAIN {WRONG}"))
            self.assert_code(334, client.say("AUTH LOGIN"))
            client.say("*")
            self.assert_code(235, client.say(f"AUTH PLAIN {RIGHT}"))
            self.assert_code(250, client.deliver("x"))
            client.say("QUIT")
        log = self.assert_replayed(server)
        for cause in ("handshake.done", "credentials.rejected", "credentials.accepted", "response.cancelled"):
            self.assertIn(f" cause={cause} ", log)
        for secret in (PASSWORD, RIGHT, WRONG):
            self.assertNotIn(secret, log)

    def test_implicit_tls(self):
        server = self.serve(SSL=1)
        with peer.Client(server.port, greeted=False) as client:
            client.start_tls()
            self.assertIn("220 ", client.reply())
            client.say("EHLO client.example", "QUIT")
        self.assert_replayed(server)

    def test_a_client_that_leaves(self):
        server = self.serve()
        for commands in ((), ("EHLO client.example",), ("EHLO client.example", "MAIL FROM:<>", f"RCPT TO:<user@{peer.OURS}>", "DATA")):
            with server.connect() as client:
                for command in commands:
                    client.say(command)
                client.end()
                client.rest()
        self.assertIn(" cause=eof ", self.assert_replayed(server, 3))

    def test_a_message_that_is_not_taken(self):
        queue = self.home.script("queue", "cat >/dev/null; cat <&1 >/dev/null; exit 71")
        server = self.serve(QMAILQUEUE=queue, POSTERN_MAILDIR=None)
        with server.connect() as client:
            client.say("EHLO client.example")
            self.assert_code(451, client.deliver("x"))
            client.say("QUIT")
        self.assertIn(" cause=hand_over.deferred ", self.assert_replayed(server))

    def test_off(self):
        server = self.serve(POSTERN_LOG_DECISIONS=0)
        with server.connect() as client:
            client.say("EHLO client.example", "QUIT")
        self.assertNotIn("]: decision ", server.log())
        self.assertNotIn("]: sent ", server.log())


class OwnStart(Replayed):
    """postern-smtpd alone: the listener does not start then."""

    def test_a_refused_start(self):
        server = self.serve(FORCE_TLS=1, DENY_TLS=1)
        with server.connect() as client:
            client.rest()
        self.assert_replayed(server)


class Controls(unittest.TestCase):
    """A log that is right, and each way to be wrong: in it a line is missing, another or one more."""

    @classmethod
    def setUpClass(cls):
        cls.policy = spec_replay.policy()

    def log_of(self, *events, replies=True, end="end client=::1 by=quit errors=0"):
        """As a program would write it; `events` with what is reported before each of them."""
        values = self.policy.first(dict.fromkeys(self.policy.fixed, "0") | {"local_only": "1"})
        lines = []
        for event in events:
            if isinstance(event, str) and event.startswith("@"):
                lines.append(event[1:])
                continue
            rule = self.policy.decide(event, values)
            word = sum(self.policy.spec.bits[name] for name, value in values.items() if value == "1" and name in self.policy.spec.bits)
            word += sum(self.policy.spec.bits[f"{row['name']}.{values[row['name']]}"] for row in self.policy.spec.states)
            row = self.policy.replies[rule.get("reply", "none")]
            reply = f' reply="{row["code"]} {row["text"]}"' if row["code"] else ""
            lines.append(f"decision client=::1 cause={event} state={word:x} rule={rule['id']} effect={rule.get('effect', 'none')}{reply}")
            lines += [f"sent client=::1{reply}"] if reply and replies else []
            values = values | rule.get("then", {})
        return "".join(NOTED + line + "\n" for line in [*lines, end])

    def mail(self, *more):
        return self.log_of("connect.ready", "ehlo", "mail.valid", "rcpt.valid", "recipient.ours", "data", "data_end.complete",
                           "@message client=::1 result=accepted octets=1", "hand_over.accepted", *more)

    def problem_of(self, log):
        problem, = spec_replay.problems_of(log)
        return problem

    def test_a_right_one(self):
        self.assertEqual(spec_replay.problems_of(self.mail("quit")), [])

    def test_an_end_without_an_event(self):
        self.assertIn("it ends without an event", self.problem_of(self.mail()))

    def test_an_effect_without_its_report(self):
        whole = self.mail("quit")
        self.assertIn("what was done is reported as None", self.problem_of(re.sub(r".*\]: message .*\n", "", whole)))
        self.assertIn("what was done is reported as refused", self.problem_of(whole.replace("result=accepted", "result=refused")))
        asked = self.log_of("connect.ready", "ehlo", "mail.valid", "rcpt.valid")
        self.assertIn("recipient was asked for and never answered", self.problem_of(asked))

    def test_a_reply_without_a_row(self):
        whole = self.mail("quit")
        more = whole.replace(NOTED + "end ", NOTED + 'sent client=::1 reply="250 ok"\n' + NOTED + "end ")
        self.assertIn("'250 ok' was sent, and no row said so", self.problem_of(more))
        other = re.sub(r'(sent client=::1 reply=")221', r"\g<1>250", whole)
        self.assertIn("was sent, and no row said so", self.problem_of(other))

    def test_a_reply_that_was_not_sent(self):
        self.assertIn("8 replies were decided and not sent, 0 are known to be lost",
                      self.problem_of(self.log_of("connect.ready", *["noop"] * 6, "quit", replies=False)))
        lost = self.log_of("connect.ready", "quit", replies=False, end="end client=::1 by=close errors=0 unsent=2")
        self.assertEqual(spec_replay.problems_of(lost), [])

    def test_lines_that_the_log_has_lost(self):
        """The sessions of that time are not judged; those before and after are."""
        lost = "postern[1]: warning lost=3 the log is read too slowly, or there is no memory for it: lines are lost\n"
        whole = self.mail("quit").splitlines(keepends=True)
        middle = len(whole) // 2
        self.assertEqual(spec_replay.problems_of("".join(whole[:middle] + [lost] + whole[middle + 3:])), [])
        self.assertEqual(spec_replay.problems_of("".join([lost] + whole[3:])), [])
        self.assertEqual(spec_replay.problems_of("".join([lost] + whole[-1:])), [])
        wrong = "".join(whole).replace("rule=mail.accepted", "rule=mail.malformed")
        self.assertIn("the rule is", self.problem_of(wrong + lost))
        self.assertIn("the rule is", self.problem_of(lost + wrong))

    def test_another_rule_effect_reply_or_state(self):
        whole = self.mail("quit")
        for pattern, other, said in ((r"rule=mail\.accepted", "rule=mail.malformed", "the rule is mail.malformed"),
                                     (r"effect=begin_transaction", "effect=none", "the effect is none"),
                                     (r'(cause=quit .* reply=")221', r"\g<1>250", "by the spec closing")):
            with self.subTest(pattern):
                self.assertIn(said, "\n".join(spec_replay.problems_of(re.sub(pattern, other, whole))))
        word = int(re.search(r"cause=ehlo state=(\w+)", whole)[1], 16) | self.policy.spec.bits["authentication.done"]
        other = re.sub(r"(cause=ehlo state=)\w+", rf"\g<1>{word:x}", whole)
        self.assertIn("the state is not what follows from the spec", spec_replay.problems_of(other)[0])

    def test_an_event_that_may_not_happen(self):
        whole = self.mail("quit")
        self.assertIn("handshake.done may not happen", "\n".join(spec_replay.problems_of(whole.replace("cause=quit", "cause=handshake.done"))))

    def test_json(self):
        line = '{"time":"2026-01-31T23:59:59.000042Z","program":"postern","pid":7,"event":"decision","client":"::1","cause":"eof",' \
               '"state":"0","rule":"eof","effect":"close"}'
        self.assertTrue(spec_replay.problems_of(line))


if __name__ == "__main__":
    peer.main()
