#!/usr/bin/env python3
"""postern serve as root with a `user`: what only root may use refuses the start and check, by file and by user; what a group
of his may use is fine."""

import grp
import json
import os
import pwd
import socket
import unittest

import peer
import serve
from peer import OURS

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name
OTHER_GROUP = next(each for each in grp.getgrall() if each.gr_gid not in (0, NOBODY.pw_gid))


@unittest.skipIf(os.geteuid(), "only root can become another user")
class User(serve.Case):
    def setUp(self):
        super().setUp()
        self.home.path.chmod(0o755)
        os.chown(self.home.mail, NOBODY.pw_uid, NOBODY.pw_gid)
        self.rules = peer.make_cdb(self.home.path / "rules.cdb", {"": ""})

    def write_all(self, user="nobody", **more):
        self.write_file({"tcprules": self.rules}, server={"user": user}, variables={"AUTH_CDB": self.home.users}, **more)

    def check(self):
        done = peer.run([peer.postern(), "check", "--json", "-c", self.file])
        return done.returncode, [piece["text"] for piece in json.loads(done.stdout)["advice"]]

    def refusal(self):
        """The start's one sentence, which is check's as well."""
        service = self.start_serve()
        self.assertEqual(service.exit_code(), 100, service.log())
        self.assertNotIn("listen: ", service.log())
        sentences = [line.partition("]: config: ")[2] for line in service.log().splitlines() if "]: config: " in line]
        self.assertEqual(len(sentences), 1, service.log())
        code, said = self.check()
        self.assertEqual(code, 2, said)
        self.assertIn(sentences[0], said)
        return sentences[0]

    def assert_starts(self):
        service = self.start_serve()
        self.assertTrue(service.is_ready(), service.log())
        self.assertEqual(self.check()[0] & 2, 0, self.check())
        self.assert_serves(service)

    def test_each_file_that_only_root_may_read(self):
        self.write_all()
        self.assert_starts()
        files = [self.home.pem, self.home.users, self.rules, self.file]
        for path in [*files, *(self.home.control / name for name in ("me", "rcpthosts"))]:
            with self.subTest(path.name):
                path.chmod(0o600)
                self.addCleanup(path.chmod, 0o644)
                sentence = self.refusal()
                shown = str(path).replace(f"{self.home.control}/", "control/")
                self.assertIn(f"{shown}: user nobody may not read it (mode 0600, root:root): chgrp {GROUP} and chmod 640, "
                              "or setfacl -m u:nobody:r", sentence)
                path.chmod(0o644)
        self.assert_starts()

    def test_a_key_has_the_way_of_systemd_among_its_remedies(self):
        self.write_all()
        self.home.pem.chmod(0o600)
        self.assertIn("LoadCredential=", self.refusal())

    def test_a_folder_that_he_may_not_enter(self):
        closed = self.home.path / "private"
        closed.mkdir(0o700)
        self.home.pem.rename(closed / "server.pem")
        self.write_all()
        self.write_file({"TLS_SERVER_CERT": closed / "server.pem"}, server={"user": "nobody"})
        self.assertIn(f"TLS_SERVER_CERT {closed}/server.pem: user nobody may not enter the folder {closed} (mode 0700, root:root)",
                      self.refusal())

    def test_a_group_of_his_is_enough(self):
        for group in (NOBODY.pw_gid, OTHER_GROUP.gr_gid):
            for path in (self.home.pem, self.home.users):
                os.chown(path, 0, group)
                path.chmod(0o640)
            self.write_all(user=f"nobody:{GROUP}:{OTHER_GROUP.gr_name}")
            self.assert_starts()
        self.write_all()  # without the other group
        self.home.users.chmod(0o644)
        self.assertIn(f"(mode 0640, root:{OTHER_GROUP.gr_name})", self.refusal())

    def test_a_key_behind_a_class(self):
        key = self.home.path / "class.pem"
        key.write_text(self.home.pem.read_text())
        key.chmod(0o600)
        peer.make_cdb(self.rules, {"127.": f"+TLS_SERVER_CERT={key}\0", "": ""})
        self.write_all()
        self.assertIn(f"class 127. of {self.rules}: TLS_SERVER_CERT {key}: user nobody may not read it", self.refusal())

    def test_a_policy_service_that_he_may_not_reach(self):
        service = socket.socket(socket.AF_UNIX)
        self.addCleanup(service.close)
        path = self.home.path / "policy"
        service.bind(str(path))
        service.listen()
        self.write_file(server={"user": "nobody"}, variables={"POSTERN_POLICY_SERVICE": f"unix:{path}"})
        path.chmod(0o666)
        self.assertFalse([text for text in self.check()[1] if "policy service" in text])
        path.chmod(0o600)
        told, = [text for text in self.check()[1] if "policy service" in text]
        self.assertIn(f"POSTERN_POLICY_SERVICE: policy service unix:{path} does not answer, EACCES: until it does, each recipient of "
                      "ours gets 451", told)
        server = self.start_serve()
        self.assertTrue(server.is_ready(), server.log())
        self.assert_logged(server, "]: warning: " + told)

    def test_a_mailbox_folder_that_is_root_s(self):
        os.chown(self.home.mail, 0, 0)
        self.write_all()
        self.assertIn(f"POSTERN_MAILDIR {self.home.mail}: user nobody may not write in it (mode 0755, root:root): chown it to nobody",
                      self.refusal())

    def test_a_renewed_key_that_only_root_may_read_refuses_the_reload_and_the_old_one_serves_on(self):
        self.write_all()
        service = self.start_serve()
        self.assertTrue(service.is_ready(), service.log())
        renewed = self.home.path / "renewed"
        renewed.write_text(self.home.pem.read_text())
        renewed.chmod(0o600)
        renewed.rename(self.home.pem)
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assert_logged(service, "control/servercert.pem: user nobody may not read it (mode 0600, root:root)")
        with service.connect() as client:
            client.starttls().say("EHLO client.example")
            self.assert_code(250, client.say("MAIL FROM:<>", f"RCPT TO:<user@{OURS}>")[1])
        self.home.pem.chmod(0o644)  # as a deploy hook does, afterwards
        self.assert_logged(service, "reload: done: ")


if __name__ == "__main__":
    peer.main()
