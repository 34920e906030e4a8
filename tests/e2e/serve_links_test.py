#!/usr/bin/env python3
"""postern serve, shut in, with files that are symbolic links: each is served, a link that is set again is taken by a reload,
and one that leads out of the sandbox refuses the reload by name."""

import os
import signal
import socket

import peer
import serve
from peer import OURS, PASSWORD, USER

WITH_LANDLOCK = "Landlock ABI"


def put_elsewhere(path, folder, name=None):
    """The file goes into another folder, and a link takes its place."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (name or path.name)
    path.rename(target)
    path.symlink_to(os.path.relpath(target, path.parent.resolve()))
    return target


def set_again(link, target):
    beside = link.with_name(link.name + ".next")
    beside.symlink_to(target)
    beside.rename(link)


class Links(serve.Case):
    def setUp(self):
        super().setUp()
        # The home is below /tmp as all of this: what leads out of it is out of the sandbox.
        self.outside = self.fresh_home().path

    def reload(self, service, outcome):
        seen = service.log().count("reload: ")
        service.process.send_signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: service.log().count("reload: ") > seen), service.log())
        line = [line for line in service.log().splitlines() if "reload: " in line][seen]
        self.assertIn(f"reload: {outcome}", line)
        return line

    def check(self):
        return peer.run([peer.postern(), "check", "-c", self.file, "--strict"])

    def authenticated(self, service, **more):
        with service.connect(**more) as client:
            client.starttls().say("EHLO client.example")
            return client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD))

    def shown_certificate(self, service):
        with service.connect() as client:
            client.starttls()
            return client.socket.getpeercert(binary_form=True)

    def test_every_file_may_be_a_link(self):
        rules = peer.make_cdb(self.home.path / "rules.cdb", {"": "+DATABYTES=4711\0"})
        peer.make_cdb(self.home.control / "morercpthosts.cdb", {"more.example": ""})
        (self.home.control / "badmailfrom").write_text("bad@sender.example\n")
        (self.home.control / "localiphost").write_text(OURS + "\n")
        for number, path in enumerate([rules, self.home.users, self.home.pem, *self.home.control.iterdir()]):
            if not path.is_symlink():
                put_elsewhere(path, self.outside / f"folder-{number}")
        put_elsewhere(self.home.mail, self.outside / "spool")
        self.write_file({"tcprules": rules}, variables={"AUTH_CDB": self.home.users, "TLS_SERVER_CERT": self.home.pem})
        put_elsewhere(self.file, self.outside / "etc")
        self.assertEqual(self.check().returncode & 2, 0, self.check().stdout)
        service = self.start_serve()
        self.assertTrue(service.is_ready(), service.log())
        for _ in range(2):
            self.assert_serves(service)
            self.assert_code(235, self.authenticated(service))
            with service.connect() as client:
                self.assertIn("SIZE 4711", client.say("EHLO client.example"))
                client.say("MAIL FROM:<me@sender.example>")
                self.assert_code(250, client.say("RCPT TO:<user@more.example>"))
                self.assert_code(553, client.say("RCPT TO:<user@elsewhere.example>"))
            self.reload(service, "done")

    def test_folders_on_the_way_may_be_links(self):
        put_elsewhere(self.home.control, self.outside / "deep")
        (self.home.path / "users").symlink_to(self.outside / "keys")
        (self.outside / "keys").mkdir()
        users = peer.make_cdb(self.outside / "keys" / "users.cdb", peer.USERS)
        service = self.serving(variables={"AUTH_CDB": f"{self.home.path}/users/../keys/{users.name}"})
        self.assert_serves(service)
        self.assert_code(235, self.authenticated(service))

    def test_a_mailbox_kept_elsewhere_is_delivered_into(self):
        (self.outside / "box").mkdir()
        (self.home.mail / OURS).symlink_to(self.outside / "box")
        self.assert_serves(self.serving())
        self.assertEqual(len(list((self.outside / "box").glob("user/new/*"))), 1)

    def certbot(self):
        """live/x/server.pem -> ../../archive/x/server1.pem"""
        live, archive = self.outside / "live" / "x", self.outside / "archive" / "x"
        live.mkdir(parents=True)
        archive.mkdir(parents=True)
        (archive / "server1.pem").write_text(self.home.pem.read_text())
        (live / "server.pem").symlink_to("../../archive/x/server1.pem")
        return live / "server.pem", archive

    def test_a_renewed_certificate_is_taken_when_its_link_is_set_again(self):
        link, archive = self.certbot()
        service = self.serving(variables={"TLS_SERVER_CERT": link})
        before = self.shown_certificate(service)
        (archive / "server2.pem").write_text("".join(peer.make_certificate(self.outside, "renewed")))
        set_again(link, "../../archive/x/server2.pem")
        self.assert_logged(service, "reload: done")  # without a signal
        self.assertNotEqual(self.shown_certificate(service), before)

    def test_a_link_that_leads_out_of_the_sandbox_refuses_the_reload_by_name(self):
        link, _ = self.certbot()
        service = self.serving(variables={"TLS_SERVER_CERT": link, "AUTH_CDB": self.home.users})
        if WITH_LANDLOCK not in service.log():
            self.skipTest("the kernel has no Landlock")
        for path in (link, self.home.users, self.home.control / "rcpthosts", self.file):
            with self.subTest(path.name):
                folder = self.fresh_home().path / "new"
                folder.mkdir()
                target, content = folder / path.name, path.read_bytes()
                target.write_bytes(content)
                set_again(path, target)
                line = self.reload(service, "refused, and nothing has changed: ")
                self.assertIn(f"{path} leads to {target}".removeprefix(f"{self.home.path}/"), line)
                self.assertIn(f"the sandbox does not include the folder {folder}: restart", line)
                self.assertNotIn("ermission", line)
                path.unlink()
                path.write_bytes(content)
                self.reload(service, "done")
        self.assert_serves(service)


class Classes(serve.Case):
    """What a class of the tcprules has for itself: a Maildir, a mail cluster, a certificate."""

    def setUp(self):
        super().setUp()
        self.outside = self.fresh_home().path
        self.cdb = self.home.path / "tcp.cdb"

    def test_a_class_is_within_the_sandbox(self):
        key, certificate = peer.make_certificate(self.outside, "class")
        (self.outside / "class.pem").write_text(key + certificate)
        peer.make_cdb(self.cdb, {"127.0.1.1": f"+POSTERN_MAILDIR={self.outside}/mail\0",
                                 "127.0.1.2": f"+TLS_SERVER_CERT={self.outside}/class.pem\0", "": ""})
        service = self.serving({"tcprules": self.cdb})
        for _ in range(2):
            self.assert_serves(service, source="127.0.1.1")
            with service.connect(source="127.0.1.2") as client:
                client.starttls()
            service.process.send_signal(signal.SIGHUP)
            self.assert_logged(service, "reload: done")
        self.assertEqual(len(list(self.outside.glob("mail/*/*/new/*"))), 2)

    def test_the_port_of_a_class_s_mail_cluster_is_within_the_sandbox(self):
        with socket.create_server(("127.0.0.1", 0)) as cluster:
            where = f"tcp:127.0.0.1:{cluster.getsockname()[1]}"
            peer.make_cdb(self.cdb, {"127.0.1.1": f"+POSTERN_LMTP={where}\0+POSTERN_MAILDIR=\0", "": ""})
            service = self.serving({"tcprules": self.cdb})
            with service.connect(source="127.0.1.1") as client:
                client.say("EHLO client.example")
                for command in ("MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>", "DATA"):
                    client.say(command)
                client.send("x\r\n.\r\n")
                cluster.settimeout(peer.PATIENCE_SECONDS)
                cluster.accept()[0].close()

    def test_what_a_later_class_brings_refuses_the_reload_by_name(self):
        peer.make_cdb(self.cdb, {"": ""})
        service = self.serving({"tcprules": self.cdb})
        if WITH_LANDLOCK not in service.log():
            self.skipTest("the kernel has no Landlock")
        peer.make_cdb(self.cdb, {"127.0.1.1": f"+POSTERN_MAILDIR={self.outside}/mail\0", "": "+DATABYTES=4711\0"})
        self.assert_logged(service, "reload: refused, and nothing has changed: ")
        self.assertIn(f"class 127.0.1.1 of {self.cdb}: POSTERN_MAILDIR {self.outside}/mail: the sandbox does not include "
                      f"the folder {self.outside}/mail: restart", service.log())
        with service.connect(source="127.0.1.1") as client:  # the rules before are in force
            self.assertNotIn("4711", client.say("EHLO client.example"))
            self.assert_code(250, client.deliver("x"))

    def test_what_is_wrong_with_a_class_is_said_at_the_start_with_its_line(self):
        (self.home.path / "tcp").write_text('# who may come\n10.1.2.3-7:allow,FORCE_TLS="yes"\n:allow\n')
        made = peer.run(["tcprules", self.cdb, self.home.path / "tmp"], input=(self.home.path / "tcp").read_bytes())
        made.check_returncode()
        service = self.serving({"tcprules": self.cdb})
        self.assertIn(f'class 10.1.2.3 of {self.cdb} ({self.home.path}/tcp line 2): FORCE_TLS="yes" in the class: ',
                      service.log())
        self.assert_serves(service)


if __name__ == "__main__":
    peer.main()
