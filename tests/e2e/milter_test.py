#!/usr/bin/env python3
"""POSTERN_FILTERS with milters, in both programs: Debian's opendkim and clamav-milter, a milter of python3-milter that makes every
change, the same one before Debian's Postfix, and a stand-in that does what no milter should. filter_milter_*_test.cpp have each
answer at each stage, and each cut of one."""

import re
import time
import urllib.request

import milter_peers
import peer
from milter_peers import ClamAv, OpenDkim, Postfix, Program, Standin, packet, terms
from peer import HOST, OURS

FAILED = "451 unable to check message (#4.3.0)"
COMMAND_SECONDS = 30  # postconf(5): milter_command_timeout


def transparent(text):
    """RFC 5321 4.5.2."""
    return re.sub(r"(?m)^\.", "..", text)


def parts(message):
    """The header fields of a stored message without those that its way here has left, and its body."""
    header, empty, body = message.partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", header)
    trace = [i for i, field in enumerate(fields) if field.startswith(b"Received: from ") and HOST.encode() in field][:1]
    own = (b"Return-Path:", b"X-Original-To:", b"Delivered-To:")
    return [field for i, field in enumerate(fields) if i not in trace and not field.startswith(own)], empty + body


class Case(peer.Case):
    def begin(self, *filters, arguments=(), **settings):
        names = " ".join(filter.filter for filter in filters)
        self.server = peer.start_server(self.home.environment(POSTERN_FILTERS=names, **settings), arguments)
        self.addCleanup(self.server.stop)
        self.home.forget_mail()

    def client(self, **more):
        client = self.server.connect(**more)
        self.addCleanup(client.close)
        self.assert_code(250, client.say("EHLO client.example"))
        return client

    def send(self, *does, client=None, header="Subject: x\r\n", body="hello", sender="me@sender.example", name="user"):
        client = client or self.client()
        asked = "".join(f"X-Do: {what}\r\n" for what in does)
        return client.deliver(transparent(f"{header}{asked}\r\n{body}"), sender, name if "@" in name else f"{name}@{OURS}")

    def header(self, name="user"):
        """Of the last message of a mailbox: its lines, without ours and without what it asked for."""
        fields, _ = parts(self.home.stored(f"{OURS}/{name}")[-1])
        return [field.decode("latin-1") for field in fields if not field.startswith(b"X-Do:")]

    def body(self, name="user"):
        return parts(self.home.stored(f"{OURS}/{name}")[-1])[1].decode("latin-1")


class Changes(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs = {options: Program(*options) for options in ((), ("leading-space",), ("no-reply", "leading-space", "tcp"))}
        for program in cls.programs.values():
            cls.addClassCleanup(program.remove)
        cls.program = cls.programs[()]

    def test_header(self):
        for options, program in self.programs.items():
            with self.subTest(options=options):
                self.begin(program)
                space = "" if "leading-space" not in options else " "
                self.assert_code(250, self.send(
                    f"add X-Add:{space}one", "fold", f"insert 0 X-Top:{space}two", f"change 1 Subject:{space}three", "delete 2 X-Gone",
                    f"change 1 X-New:{space}four", "delete 7 X-Gone", header="Subject: x\r\nX-Gone: 1\r\nx-gone: 2\r\n"))
                folded = "X-Folded:" + " " * (not space) + "one\n\ttwo\n  three"
                self.assertEqual(self.header(), ["X-Top: two", "Subject: three", "X-Gone: 1", "X-Add: one", folded, "X-New: four"])
                self.server.stop()

    def test_body(self):
        self.begin(self.program)
        self.assert_code(250, self.send("body 2"))
        self.assertEqual(self.body(), "\n\nfirst line\n" + ".dot and \xc3\xa4\n" * 2)
        self.assert_code(250, self.send("body 20000", name="other"))  # in several packets
        self.assertEqual(self.body("other"), "\n\nfirst line\n" + ".dot and \xc3\xa4\n" * 20000)

    def test_envelope(self):
        self.begin(self.program)
        self.assert_code(250, self.send(f"more <more@{OURS}>", f"fewer <user@{OURS}>", "sender <new@sender.example>"))
        self.assertEqual(self.home.stored(f"{OURS}/user"), [])
        self.assertTrue(self.home.stored(f"{OURS}/more")[-1].startswith(b"Return-Path: <new@sender.example>\n"))

    def test_quarantine_and_progress(self):
        self.begin(self.program)
        self.assert_code(250, self.send("quarantine looks odd", "progress 2"))
        self.assertIn("X-Quarantine: looks odd", self.header())

    def test_verdicts(self):
        self.begin(self.program)
        client = self.client()
        for what, reply in (("reply 550 5.7.1 100% spam", "554 5.7.1 100% spam"), ("reply 450 4.2.1 later", "451 4.2.1 later"),
                            ("lines", "554 5.7.1 one two three")):
            self.assertEqual(self.send(what, client=client), reply)
        self.assert_code(554, self.send("reject", client=client))
        self.assert_code(451, self.send("tempfail", client=client))
        self.assertEqual(self.home.stored(), [])
        self.assert_code(250, self.send("discard", client=client))
        self.assertEqual(self.home.stored(), [])
        self.assert_logged(self.server, "rule=hand_over.filter_discarded ")
        self.assert_code(250, self.send("accept", client=client))
        self.assertEqual(len(self.home.stored()), 1)
        self.assert_logged(self.server, f"said_by={self.program.filter}")
        self.assert_logged(self.server, 'said="reply 550, at end of message"')
        if peer.is_listener():
            with urllib.request.urlopen(f"http://{self.server._metrics}/metrics", timeout=10) as opened:
                page = opened.read().decode()
            counted = rf'postern_answers_total{{source="milter",name="{re.escape(self.program.filter)}",outcome="'
            self.assertRegex(page, counted + 'refused"} 3')
            self.assertRegex(page, counted + 'deferred"} 2')

    def test_a_recipient_that_is_refused_refuses_the_message(self):
        self.begin(self.program)
        client = self.client()
        client.say("MAIL FROM:<me@sender.example>")
        for name in ("user", "refuse.me"):
            self.assert_code(250, client.say(f"RCPT TO:<{name}@{OURS}>"))
        self.assert_code(354, client.say("DATA"))
        client.send("Subject: x\r\n\r\nx\r\n.\r\n")
        self.assert_code(554, client.reply())
        self.assertEqual(self.home.stored(), [])
        self.assert_logged(self.server, 'said="reject, at RCPT"')
        self.assert_code(451, self.send(name="defer.me", client=client))
        self.assert_code(554, self.send(sender="refuse.me@sender.example", client=client))
        self.assert_code(250, self.send(sender="discard.me@sender.example", client=client))
        self.assertEqual(self.home.stored(), [])

    # Postfix of 2026: an accept of one message held for the next, too.
    def test_nothing_of_one_message_reaches_the_next(self):
        self.begin(self.program)
        client = self.client()
        self.assert_code(250, self.send("reject", sender="accept.me@sender.example", client=client))
        for _ in range(3):
            self.assert_code(554, self.send("reject", client=client))
            self.assert_code(250, self.send("add X-Add:one", client=client))
            self.assert_code(250, self.send(client=client))
            self.assertEqual(self.header(), ["Subject: x"])

    def test_what_it_is_shown(self):
        self.begin(self.program, arguments=self.home.check_arguments(), AUTH=1)
        client = self.client()
        client.starttls()
        client.say("EHLO inside.example")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response("alice", "wonderland")))
        self.assert_code(250, self.send(client=client, header="Subject:  two\r\nX: 1\r\n\t2\r\n", body=".a\r\n\r\nb"))
        shown = self.program.shown()[-1]
        self.assertEqual([shown[key] for key in ("helo", "sender", "recipients", "header", "body")],
                         ["inside.example", "<me@sender.example>", [f"<user@{OURS}>"], [["Subject", " two"], ["X", "1\n\t2"]],
                          ".a\r\n\r\nb\r\n"])
        self.assertEqual(shown["connected"][2], "127.0.0.1")
        macros = shown["macros"]
        self.assertEqual([macros[name] for name in ("j", "{mail_addr}", "{rcpt_addr}", "{auth_authen}", "{auth_type}", "{tls_version}")],
                         [HOST, "me@sender.example", f"user@{OURS}", "alice", "PLAIN", "TLSv1.3"])
        self.assertIn(macros["{cipher_bits}"], ("128", "256"))
        self.assertRegex(macros["i"], r"^\d+-\d+$")

    def test_the_next_filter_sees_what_the_former_made(self):
        second = self.programs[("leading-space",)]
        self.begin(self.program, second)
        self.assert_code(250, self.send("add X-Do:add X-Late: two", "sender <new@sender.example>"))
        self.assertIn(["X-Do", " add X-Late: two"], second.shown()[-1]["header"])
        self.assertEqual(second.shown()[-1]["sender"], "<new@sender.example>")
        self.assertIn("X-Late: two", self.header())

    def test_down_and_back(self):
        program = Program()
        self.addCleanup(program.remove)
        self.begin(program)
        client = self.client()
        program.stop()
        self.assertEqual(self.send(client=client), FAILED)
        check = peer.run([peer.postern(), "check"], env=self.home.environment(POSTERN_FILTERS=program.filter), cwd=self.home.path)
        self.assertIn(f"filter {program.filter} does not answer", check.stdout.decode())
        program.start()
        self.assert_code(250, self.send("add X-Add:one", client=client))
        check = peer.run([peer.postern(), "check"], env=self.home.environment(POSTERN_FILTERS=program.filter), cwd=self.home.path)
        self.assertNotIn("does not answer", check.stdout.decode())


# Odd messages, and what is done to each.
LONG = "x" * 5000
CORPUS = {
    "plain": "From: a\r\nSubject: x\r\n\r\nhello",
    "eight_bit": "From: a\r\nSubject: \xe4\xc3\xa4\r\n\r\n\xe4 \xc3\xa4",
    "folded": "From: a\r\nSubject: one\r\n two\r\n\tthree\r\n\r\nhello",
    "repeated": "X-A: 1\r\nx-a: 2\r\nSubject: x\r\nX-A: 3\r\n\r\nhello",
    "spaces": "From:a\r\nTo:  b\r\nX-Empty:\r\nX-Blank: \r\nX-Tab:\tc\r\n\r\nhello",
    "empty_body": "From: a\r\nSubject: x\r\n",
    "nothing_but_header": "From: a\r\nSubject: x",
    "long_lines": f"From: a\r\nSubject: {LONG}\r\n\r\n{LONG}\r\n{LONG}",
    "dots": "From: a\r\nSubject: x\r\n\r\n.\r\n..\r\n.hello\r\n",
    "empty_lines": "From: a\r\nSubject: x\r\n\r\n\r\n\r\nx\r\n\r\n",
    "no_header": "\r\nhello",
    "no_end_of_header": "From: a\r\nno field\r\nhello",
    "blank_first": " \r\nFrom: a\r\n\r\nhello",
    "line_of_mbox": ">From x\r\n y\r\nFrom: a\r\n\r\nhello",
    "no_name": ": z\r\nFrom: a\r\n\r\nhello",
    "received": "Received: from a by b; date\r\nFrom: a\r\nReceived: from c by d; date\r\n\r\nhello",
}
CHANGES = {
    "none": [],
    "add": ["add X-Add:one", "fold"],
    "insert": ["insert 1 X-One:1", "insert 2 X-Two:2", "insert 99 X-Last:9"],
    "insert_top": ["insert 0 X-Zero:0", "insert 1 X-One:1"],
    "change": ["change 1 Subject:new", "change 2 X-A:new", "change 1 X-New:new"],
    "delete": ["delete 1 X-A", "delete 1 Subject", "delete 9 From", "delete 1 Received"],
    "body": ["body 3"],
}


class BesidePostfix(Case):
    """The same filter, the same messages: what is stored, but for trace fields, and what the filter was shown."""

    def test_the_same_is_stored_and_shown(self):
        program = Program()
        self.addCleanup(program.remove)
        postfix = Postfix(program, HOST, OURS)
        self.addCleanup(postfix.remove)
        self.begin(program)
        ours, theirs = self.client(), postfix.connect()
        self.addCleanup(theirs.close)
        theirs.say("EHLO client.example")
        for name, message in CORPUS.items():
            for change, does in CHANGES.items():
                with self.subTest(message=name, change=change):
                    asked = "".join(f"X-Do: {what}\r\n" for what in does)
                    whole = transparent(asked + message)
                    count = len(postfix.stored("user"))
                    self.home.forget_mail()
                    self.assert_code(250, theirs.deliver(whole))
                    self.assert_code(250, ours.deliver(whole))
                    self.assertTrue(peer.until(lambda n=count: len(postfix.stored("user")) > n))
                    stored = sorted((postfix.folder / "mail/user/new").glob("*"), key=lambda file: file.stat().st_mtime_ns)[-1]
                    self.assertEqual(parts(self.home.stored(f"{OURS}/user")[-1]), parts(stored.read_bytes()))
                    other, one = program.shown()[-2:]
                    self.assertEqual([one[key] for key in ("header", "body", "sender", "recipients", "helo")],
                                     [other[key] for key in ("header", "body", "sender", "recipients", "helo")])
        known = set(program.shown()[-2]["macros"]) - {"{rcpt_addr}"}
        self.assertLessEqual(known, set(program.shown()[-1]["macros"]))


class RealMilters(Case):
    def test_opendkim_signs_and_verifies(self):
        signer = OpenDkim(OURS)
        self.addCleanup(signer.remove)
        self.begin(signer)
        header = f"From: user@{OURS}\r\nSubject: signed\r\nDate: Mon, 30 Nov 2026 00:00:00 +0000\r\n"
        self.assert_code(250, self.send(header=header, sender=f"user@{OURS}", body="one\r\n.two"))
        stored = self.home.stored(f"{OURS}/user")[-1].decode()
        signed = stored[stored.index("DKIM-Signature:"):]
        self.assertIn(f"d={OURS}", signed)
        self.server.stop()
        verifier = OpenDkim(OURS, internal="192.0.2.1", key=signer.key)
        self.addCleanup(verifier.remove)
        self.begin(verifier)
        client = self.client()
        wire = transparent(signed.rstrip("\n").replace("\n", "\r\n"))
        self.assert_code(250, client.deliver(wire))
        self.assertTrue(any("dkim=pass" in field for field in self.header()), self.header())
        reply = client.deliver(wire.replace("one", "two"))
        self.assertRegex(reply, r"^554 5\.7\.\d+ ")

    def test_clamav_refuses_what_is_infected(self):
        clamav = ClamAv()
        self.addCleanup(clamav.remove)
        self.begin(clamav)
        client = self.client()
        # It finds its clamd when it looks for it, every now and then; until then nothing is taken.
        self.assertTrue(peer.until(lambda: not self.send(client=client).startswith("451 ")))
        self.assertEqual(len(self.home.stored()), 1)
        self.assertRegex(self.send(client=client, body=milter_peers.EICAR), r"^554 5\.7\.1 infected with Test\.Eicar")
        self.assert_code(250, self.send(client=client))
        self.assertTrue(any(field.startswith("X-Virus-Scanned:") for field in self.header()), self.header())
        clamav.clamd.stop()
        self.assert_code(451, self.send(client=client))
        self.assertEqual(len(self.home.stored()), 2)


class Faults(Case):
    def standin(self, **answers):
        standin = Standin(**answers)
        self.addCleanup(standin.stop)
        return standin

    def test_it_leaves_at_each_stage(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        for letter in "OCHMRTLNBE":
            with self.subTest(stage=letter):
                standin.answers = {"O": terms(), letter: b""}
                self.assertEqual(self.send(client=client), FAILED)
        standin.answers = {"O": terms()}
        self.assert_code(250, self.send(client=client))
        self.assertEqual(len(self.home.stored()), 1)
        self.assertEqual("".join(standin.heard[-1]).replace("D", ""), "OCHMRTLNBEQ")

    def test_half_of_its_changes_changes_nothing(self):
        half = packet("h", b"X-Half\0one\0") + packet("b", b"new body\r\n") + packet("b", b"more\r\n")[:7]
        standin = self.standin(E=half)
        standin.answers["E"] = half + b"!"
        self.begin(standin)
        self.assertEqual(self.send(), FAILED)
        self.assertEqual(self.home.stored(), [])
        self.server.stop()
        self.begin(standin, POSTERN_FILTER_FAILURE="accept")
        self.assertEqual(self.send(), FAILED)  # it may have been about to refuse
        self.assertEqual(self.home.stored(), [])
        standin.answers["E"] = b""
        self.assert_code(250, self.send())
        self.assertEqual((self.header(), self.body()), (["Subject: x"], "\n\nhello\n"))
        self.assert_logged(self.server, "rule=hand_over.filter_waived ")

    def test_what_nobody_asked_for_is_no_acceptance(self):
        reject = packet("h", b"X-Virus\0yes\0") + packet("r")
        standin = self.standin(E=packet("a") + packet("r"))
        self.begin(standin, POSTERN_FILTER_FAILURE="accept")
        client = self.client()
        self.assertEqual(self.send(client=client), FAILED)
        # It has agreed not to answer the header, and does it all the same: each later answer comes one or two too early.
        standin.answers = {"O": terms(protocol=0x80), "E": reject}
        for _ in range(10):
            self.assertIn(self.send(client=client)[:3], ("451", "554"))
        self.assertEqual(self.home.stored(), [])

    def test_nonsense(self):
        standin = self.standin()
        self.begin(standin)
        client = self.client()
        nonsense = {"O": [b"220 mx ESMTP\r\n", packet("c"), terms(version=9), terms(actions=0x1000), b"\0\0\0\0"],
                    "M": [packet("Z"), packet("h", b"X\0y\0"), packet("y", b"250 2.0.0 fine\0"), packet("c") * 2, b"\xff" * 8],
                    "E": [packet("+", b"<a@b\n>\0") + packet("c"), packet("h", b"X\0a\nBcc: b\0") + packet("c"), packet("s", b"x"),
                          packet("y", b"550 5.7.1 a\r\n250 b\0")]}
        for letter, answers in nonsense.items():
            for answer in answers:
                with self.subTest(stage=letter, answer=answer):
                    standin.answers = {"O": terms(), letter: answer}
                    self.assertEqual(self.send(client=client), FAILED)
        self.assertEqual(self.home.stored(), [])

    def test_it_hangs(self):
        standin = self.standin(R=None)
        self.begin(standin)
        client = self.client(patience=COMMAND_SECONDS + 20)
        began = time.monotonic()
        self.assertEqual(self.send(client=client), FAILED)
        self.assertGreater(time.monotonic() - began, COMMAND_SECONDS - 1)
        self.assert_logged(self.server, "timed out, at RCPT")

    def test_it_does_not_answer_what_it_need_not(self):
        standin = self.standin(O=terms(protocol=0xFF080), **{letter: None for letter in "CHMRTLNB"})
        self.begin(standin)
        self.assert_code(250, self.send())

    def test_wrong_settings_stop_the_start(self):
        for value in ("milter:inet:1@localhost", "milter:", "milter=unix:/x", "milter:unix:relative"):
            check = peer.run([peer.postern(), "check"], env=self.home.environment(POSTERN_FILTERS=value), cwd=self.home.path)
            self.assertIn("POSTERN_FILTERS", check.stdout.decode(), value)
            self.assertNotEqual(check.returncode, 0, value)


if __name__ == "__main__":
    peer.main()
