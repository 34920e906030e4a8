#!/usr/bin/env python3
"""Who may be written to: badrcptto, the list of valid recipients and the folders of Maildirs, of which a defect lets nobody in and
refuses nobody for good. In both programs; ask_valid_recipients_test.cpp has each key and ask_mailboxes_test.cpp each folder, this
has the ways to the files, the count, and who is asked."""

import peer
from peer import OURS

FOREIGN = "far@elsewhere.example"
MESSAGE = "Subject: x\r\n\r\nx"
UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"


class Case(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()
        self.home.control.joinpath("badrcptto").write_text(f"gone@{OURS}\n@closed.example\n")

    def valid(self, *names, path=None, **values):
        records = {f"{name}@{OURS}": "" for name in names} | {f"{name}@{OURS}": value for name, value in values.items()}
        return peer.make_cdb(path or self.home.control / "validrcptto.cdb", records)

    def client(self, arguments=(), **settings):
        self.server = peer.start_server(self.home.environment(**settings), arguments)
        self.addCleanup(self.server.stop)
        client = self.server.connect()
        self.addCleanup(client.close)
        client.say("EHLO client.example")
        return client

    def mail(self, client):
        self.assertEqual(client.say("MAIL FROM:<me@sender.example>"), "250 ok")

    def rcpt(self, client, name):
        return client.say(f"RCPT TO:<{name if '@' in name else f'{name}@{OURS}'}>")


class Recipients(Case):
    def test_each_list_refuses_in_its_words(self):
        self.valid("user", "gone", old="-moved")
        client = self.client()
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "old"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "Gone"), self.replies["recipient_refused"])
        self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
        self.assertEqual(self.rcpt(client, "User"), "250 ok")
        self.assertEqual(client.say("RCPT TO:<postmaster>"), "250 ok")
        self.assert_code(354, client.say("DATA"))
        client.send(MESSAGE + "\r\n.\r\n")
        self.assert_code(250, client.reply())
        for rule in ("recipient.unknown", "recipient.refused"):
            self.assert_logged(self.server, f"rule={rule} ")
        self.assertEqual({path.name for path in self.home.mail.glob("*/*")}, {"user", "postmaster"})

    def test_without_lists_all_are_taken(self):
        self.home.control.joinpath("badrcptto").unlink()
        client = self.client()
        self.mail(client)
        self.assertEqual([self.rcpt(client, name) for name in ("user", "nobody", "gone")], ["250 ok"] * 3)

    def test_who_may_relay_is_not_asked_who_is_there(self):
        self.valid("user")
        client = self.client(RELAYCLIENT="", POSTERN_RELAY=1)
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), "250 ok")
        self.assertEqual(self.rcpt(client, FOREIGN), "250 ok")
        self.assertEqual(self.rcpt(client, "gone"), self.replies["recipient_refused"])
        self.assertEqual(self.rcpt(client, "anyone@closed.example"), self.replies["recipient_refused"])

    def test_a_login_is_as_good_as_relayclient(self):
        self.valid("user")
        client = self.client(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        client.say("RSET")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), "250 ok")

    def test_after_the_limit_the_session_ends(self):
        self.valid("user")
        client = self.client(VALIDRCPTTO_LIMIT=3)
        for _ in range(3):
            self.mail(client)
            self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
            self.assertEqual(self.rcpt(client, "user"), "250 ok")
            self.assert_code(354, client.say("DATA"))  # a message forgives mistakes, and not these
            client.send(MESSAGE + "\r\n.\r\n")
            self.assert_code(250, client.reply())
        self.mail(client)
        self.assertEqual(self.rcpt(client, "gone"), self.replies["recipient_refused"])
        self.assertEqual(self.rcpt(client, "nobody"), self.replies["too_many_unknown"])
        self.assertEqual(client.rest(), b"")
        self.assert_logged(self.server, "rule=recipient.too_many_unknown ")
        self.assertEqual(len(self.home.stored()), 3)

    def test_the_count_outlives_starttls(self):
        self.valid("user")
        client = self.client(VALIDRCPTTO_LIMIT=1)
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        client.starttls()
        client.say("EHLO client.example")
        self.mail(client)
        self.assertEqual(self.rcpt(client, "nobody"), self.replies["too_many_unknown"])

    def test_the_limit_is_ten_and_can_be_none(self):
        self.valid("user")
        for settings, last in (({}, self.replies["too_many_unknown"]), ({"VALIDRCPTTO_LIMIT": 0}, UNKNOWN)):
            client = self.client(**settings)
            self.mail(client)
            self.assertEqual({self.rcpt(client, "nobody") for _ in range(10)}, {UNKNOWN})
            self.assertEqual(self.rcpt(client, "nobody"), last)

    def test_a_file_of_another_name(self):
        path = self.valid("user", path=self.home.path / "valid.cdb")
        self.valid("nobody")
        client = self.client(VALIDRCPTTO_CDB=path)
        self.mail(client)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)

    def test_a_change_is_taken(self):
        self.valid("user")
        first = self.client()
        self.mail(first)
        self.assertEqual(self.rcpt(first, "nobody"), UNKNOWN)
        self.valid("nobody")

        def replies():
            with self.server.connect() as client:
                client.say("EHLO client.example")
                self.mail(client)
                return [self.rcpt(client, name) for name in ("nobody", "user")]
        self.assertTrue(peer.until(lambda: replies() == ["250 ok", UNKNOWN]))

    @peer.by_postern_smtpd_alone("the listener does not start: cli_serve_test.py")
    def test_a_file_that_is_named_and_is_not_there_lets_nobody_begin(self):
        missing = self.home.path / "missing.cdb"
        server = peer.start_server(self.home.environment(VALIDRCPTTO_CDB=missing))
        self.addCleanup(server.stop)
        with server.connect() as client:
            self.assertEqual(client.greeting, self.replies["configuration_error"])
        self.assert_logged(server, f'VALIDRCPTTO_CDB="{missing}" does not exist: make it with cdb -c')

    def test_what_cannot_be_read_defers(self):
        def loop(path):
            path.unlink(missing_ok=True)
            path.symlink_to(path.name)

        def torn(path):
            path.unlink(missing_ok=True)
            path.write_bytes(self.valid("user", path=self.home.path / "whole.cdb").read_bytes()[:-1])

        damages = (loop, torn, lambda path: path.write_bytes(b""), lambda path: path.unlink(missing_ok=True))
        for name in ("badrcptto", "validrcptto.cdb", "named.cdb"):
            for number, damage in enumerate(damages):
                path = (self.home.path if name == "named.cdb" else self.home.control) / name
                if name == "badrcptto" and damage is not loop or number == 3:
                    continue  # a list of nobody, or no list; one that is named must be there
                damage(path)
                with self.subTest(name=name, number=number):
                    client = self.client(**({"VALIDRCPTTO_CDB": path} if name == "named.cdb" else {}))
                    self.mail(client)
                    for recipient in ("user", "nobody"):
                        self.assertEqual(self.rcpt(client, recipient), self.replies["recipient_unknowable"])
                    self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
                    self.assert_logged(self.server, f"{name}: cannot be read")
                    if name != "badrcptto":
                        self.assert_logged(self.server, "as it is, each recipient of ours gets 451")
                path.unlink(missing_ok=True)


class MaildirRecipients(Case):
    """POSTERN_UNKNOWN_RECIPIENTS=refuse: who has no folder is nobody."""

    def setUp(self):
        super().setUp()
        self.home.mail.joinpath(OURS, "user").mkdir(parents=True)

    def refusing(self, **settings):
        client = self.client(POSTERN_UNKNOWN_RECIPIENTS="refuse", **settings)
        self.mail(client)
        return client

    def test_who_has_no_folder_is_refused_and_gets_none(self):
        client = self.refusing()
        for name in ("nobody", "user-x", "../user", "\"us er\""):
            self.assertEqual(self.rcpt(client, name), UNKNOWN)
        self.assertEqual(self.rcpt(client, "User"), "250 ok")
        self.assertEqual(self.rcpt(client, "gone"), self.replies["recipient_refused"])
        self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
        self.assertEqual(client.say("RCPT TO:<postmaster>"), "250 ok")
        self.assert_code(354, client.say("DATA"))
        client.send(MESSAGE + "\r\n.\r\n")
        self.assert_code(250, client.reply())
        self.assertEqual({path.name for path in self.home.mail.glob("*/*")}, {"user", "postmaster"})
        self.assert_logged(self.server, "rule=recipient.unknown ")
        self.assert_logged(self.server, " said_by=mailbox ")

    def test_without_the_setting_the_folder_is_made(self):
        for settings in ({}, {"POSTERN_UNKNOWN_RECIPIENTS": "accept"}):
            client = self.client(**settings)
            self.mail(client)
            self.assertEqual(self.rcpt(client, "nobody"), "250 ok")

    def test_who_may_relay_is_not_asked(self):
        client = self.refusing(RELAYCLIENT="", POSTERN_RELAY=1)
        self.assertEqual(self.rcpt(client, "nobody"), "250 ok")

    def test_a_new_folder_is_seen_at_once(self):
        client = self.refusing()
        self.assertEqual(self.rcpt(client, "new"), UNKNOWN)
        self.home.mail.joinpath(OURS, "new").mkdir()
        self.assertEqual(self.rcpt(client, "new"), "250 ok")

    def test_both_lists_must_know(self):
        self.valid("user", "listed")
        client = self.refusing(VALIDRCPTTO_LIMIT=2)
        self.assertEqual(self.rcpt(client, "listed"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.rcpt(client, "nobody"), UNKNOWN)
        self.assertEqual(self.rcpt(client, "listed"), self.replies["too_many_unknown"])

    def test_pipelined_recipients_are_each_asked(self):
        client = self.refusing()
        client.send("".join(f"RCPT TO:<{name}@{OURS}>\r\n" for name in ("user", "nobody", "user")) + "RSET\r\n")
        self.assertEqual([client.reply() for _ in range(4)], ["250 ok", UNKNOWN, "250 ok", "250 flushed"])

    def test_what_cannot_be_known_defers(self):
        client = self.refusing()
        folder = self.home.mail.joinpath(OURS)
        folder.joinpath("away").symlink_to("/nowhere/at/all")
        self.assertEqual(self.rcpt(client, "away"), self.replies["recipient_unknowable"])
        self.assert_logged(self.server, "whether a recipient has a mailbox cannot be known")
        self.home.mail.rename(self.home.path / "aside")
        self.assertEqual(self.rcpt(client, "user"), self.replies["recipient_unknowable"])
        self.home.mail.mkdir()
        self.assertEqual(self.rcpt(client, "user"), self.replies["recipient_unknowable"])  # not mounted?
        self.assertEqual(self.rcpt(client, FOREIGN), self.replies["not_our_domain"])
        self.home.mail.rmdir()
        (self.home.path / "aside").rename(self.home.mail)
        self.assertEqual(self.rcpt(client, "user"), "250 ok")

    def test_a_word_that_it_is_not_refuses_the_start(self):
        settings = self.home.environment(POSTERN_UNKNOWN_RECIPIENTS="reject")
        sentence = "only accept and refuse are allowed"
        if peer.is_listener():
            with self.assertRaisesRegex(TimeoutError, sentence):
                peer.start_server(settings)
            return
        server = peer.start_server(settings)
        self.addCleanup(server.stop)
        with server.connect(greeted=False) as client:
            self.assert_code(421, client.reply())
        self.assert_logged(server, sentence)

    def test_it_means_nothing_for_another_way_out(self):
        client = self.refusing(QMAILQUEUE="/bin/true")
        self.assertEqual(self.rcpt(client, "nobody"), "250 ok")
        self.assert_logged(self.server, "mail goes neither into a Maildir nor to a mail cluster here")


if __name__ == "__main__":
    peer.main()
