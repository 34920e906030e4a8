#!/usr/bin/env python3
"""What says who may come in, relay or send cannot be read: then nobody may, neither those that it would have kept out nor
all others. serve_rules_test.py has the tcprules. tests/planted holds the defects that let them in, and tests/prove-it
shows that each is found."""

import peer
from peer import OURS, PASSWORD, USER

FOREIGN = "far@elsewhere.example"


class Closed(peer.Case):
    def setUp(self):
        self.home = self.fresh_home()

    def start(self, arguments=(), **settings):
        server = peer.start_server(self.home.environment(**settings), arguments)
        self.addCleanup(server.stop)
        return server

    def break_control(self, name, way):
        file = self.home.control / name
        file.unlink(missing_ok=True)
        if way == "a loop":
            file.symlink_to(name)
        else:
            file.mkdir()

    def test_lists_that_cannot_be_read(self):
        for name in ("rcpthosts", "morercpthosts.cdb", "badmailfrom"):
            for way in ("a loop", "a directory"):
                self.home = self.fresh_home()
                self.break_control(name, way)
                with self.subTest(name=name, way=way), self.start().connect() as client:
                    client.say("EHLO client.example", "MAIL FROM:<me@sender.example>")
                    self.assertEqual(client.say(f"RCPT TO:<{FOREIGN}>"), self.replies["recipient_unknowable"])
                    is_known = name == "morercpthosts.cdb"  # that a domain of control/rcpthosts is ours
                    self.assert_code(250 if is_known else 451, client.say(f"RCPT TO:<user@{OURS}>"))
        self.assertEqual(self.home.stored(), [])

    def assert_nobody_logs_in(self, client):
        client.say("EHLO client.example")
        for password in (PASSWORD, "wrong"):
            self.assert_code(454, client.say("AUTH PLAIN " + peer.plain_response(USER, password)))
        client.say("MAIL FROM:<me@sender.example>")
        self.assert_code(553, client.say(f"RCPT TO:<{FOREIGN}>"))

    def test_users_that_cannot_be_read(self):
        for octets in (None, b"", b"no cdb at all"):
            self.home = self.fresh_home()
            server = self.start(AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
            with self.subTest(octets=octets), server.connect() as client:  # greeted while the file is whole
                self.home.users.unlink()
                if octets is not None:
                    self.home.users.write_bytes(octets)
                self.assert_nobody_logs_in(client)

    def test_a_check_program_that_does_not_work(self):
        for script in ("exit 111", "exit 2", "kill -KILL $$"):
            check = self.home.script("check", script)
            server = self.start((peer.HOST, check, "true"), ALLOW_INSECURE_AUTH=1)
            with self.subTest(script=script), server.connect() as client:
                self.assert_nobody_logs_in(client)


if __name__ == "__main__":
    peer.main()
