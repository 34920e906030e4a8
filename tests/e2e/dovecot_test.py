#!/usr/bin/env python3
"""Mail goes through postern-smtpd into a real mail cluster: Dovecot's lmtp service, on a Unix socket and on TCP."""

import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import peer
from peer import HOST, OURS, Case, free_port

ALICE, BOB, FULL = (f"{name}@{OURS}" for name in ("alice", "bob", "full"))
LARGE = "".join(f".{number}\r\n" for number in range(60000))

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
instance_name = postern-test-{port}
log_path = {folder}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:%h/Maildir
mail_plugins = quota
plugin {{
  quota = maildir:quota
}}
quota_full_tempfail = yes
lmtp_save_to_detail_mailbox = no
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service auth {{
  unix_listener {folder}/auth-userdb {{
    mode = 0777
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""


class Dovecot:
    """A throw-away one: its users are alice, bob and one whose mailbox is full; nothing of it outside its folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-dovecot-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.unix = f"unix:{self.folder}/lmtp"
        self.userdb = f"unix:{self.folder}/auth-userdb"
        self.tcp = f"tcp:127.0.0.1:{self.port}"
        # Dovecot never opens a mailbox as root.
        me = pwd.getpwuid(os.getuid())
        user = pwd.getpwnam("nobody") if me.pw_uid == 0 else me
        words = {"internal": "dovecot", "internal_group": "dovecot", "login": "dovenull"}
        if me.pw_uid != 0:
            words = {"internal": me.pw_name, "internal_group": grp.getgrgid(me.pw_gid).gr_name, "login": me.pw_name}
        (self.folder / "conf").write_text(CONFIGURATION.format(folder=self.folder, port=self.port, **words))
        users = ""
        for name in ("alice", "bob", "full"):
            home = self.folder / name
            home.mkdir()
            os.chown(home, user.pw_uid, user.pw_gid)
            quota = "userdb_quota_rule=*:bytes=10" if name == "full" else ""
            users += f"{name}@{OURS}:{{PLAIN}}x:{user.pw_uid}:{user.pw_gid}::{home}::{quota}\n"
        (self.folder / "users").write_text(users)
        self.service = None
        self.start()

    def start(self):
        self.service = peer.Service(["dovecot", "-F", "-c", self.folder / "conf"],
                                    {"PATH": os.environ["PATH"] + ":/usr/sbin"}, stdin=subprocess.DEVNULL)
        if not peer.until(self.answers):
            told = self.service.log() + self.log()
            self.remove()
            raise TimeoutError("dovecot does not start: " + told)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                return probe.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        if self.service is None:
            return
        self.service.process.send_signal(signal.SIGTERM)
        peer.until(lambda: not peer.processes_of(self.service.pid), 10)
        self.service.stop()
        self.service = None

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def stored(self, name):
        folder = self.folder / name / "Maildir/new"
        return [file.read_bytes() for file in sorted(folder.glob("*"))]

    def forget_mail(self):
        for name in ("alice", "bob", "full"):
            shutil.rmtree(self.folder / name / "Maildir", ignore_errors=True)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class IntoDovecot(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = Dovecot()
        cls.addClassCleanup(cls.dovecot.remove)

    def setUp(self):
        self.dovecot.forget_mail()

    def connect(self, address=None):
        direct = self.start(greeted=True, POSTERN_LMTP=address or self.dovecot.unix)
        direct.client.say("EHLO client.example")
        return direct

    def deliver(self, client, *recipients, message="Subject: hello\r\n\r\n.\r\nhello\r\n", sender="me@sender.example"):
        self.assertEqual(client.say(f"MAIL FROM:<{sender}>"), "250 ok")
        for recipient in recipients:
            self.assertEqual(client.say(f"RCPT TO:<{recipient}>"), "250 ok")
        self.assert_code(354, client.say("DATA"))
        client.send(message.replace("\r\n.", "\r\n..") + ".\r\n")
        return client.reply()

    def test_to_two_users_by_both_ways(self):
        for address in (self.dovecot.unix, self.dovecot.tcp):
            with self.subTest(address=address):
                self.dovecot.forget_mail()
                direct = self.connect(address)
                self.assertRegex(self.deliver(direct.client, ALICE, BOB),
                                 rf"^250 ok \d{{9,11}} lmtp 2\.0\.0 <{ALICE}> \S+ Saved$")
                self.assertIn("hand_over=lmtp", direct.log())
                for name in ("alice", "bob"):
                    message, = self.dovecot.stored(name)
                    self.assertTrue(message.startswith(b"Return-Path: <me@sender.example>\n"), message)
                    self.assertIn(f"  by {HOST} with ESMTP id ".encode(), message)
                    self.assertTrue(message.endswith(b"Subject: hello\n\n.\nhello\n"), message)

    def test_a_large_message_and_every_octet_above_ascii(self):
        message = "Subject: large\r\n\r\n" + LARGE + "\xe4\xff\x80\r\n"
        self.assert_code(250, self.deliver(self.connect().client, ALICE, message=message, sender=""))
        stored, = self.dovecot.stored("alice")
        self.assertTrue(stored.endswith(message.replace("\r\n", "\n").encode("latin-1")))
        self.assertTrue(stored.startswith(b"Return-Path: <>\n"))

    def test_an_unknown_user_is_refused_and_nobody_gets_it(self):
        client = self.connect().client
        reply = self.deliver(client, ALICE, f"nobody@{OURS}")
        self.assertRegex(reply, rf"^554 5\.1\.1 <nobody@{OURS}> User doesn't exist")
        self.assertEqual(self.dovecot.stored("alice"), [])
        self.assert_code(250, self.deliver(client, ALICE))

    def test_a_full_mailbox_is_deferred_and_the_others_get_it_once(self):
        client = self.connect().client
        self.assertRegex(self.deliver(client, FULL), rf"^451 4\.2\.2 <{FULL}> ")
        for _ in range(2):
            self.assert_code(451, self.deliver(client, ALICE, FULL, BOB))
        self.assertEqual([len(self.dovecot.stored(name)) for name in ("alice", "full", "bob")], [1, 0, 1])

    def test_a_restart_between_two_messages_is_survived(self):
        for address in (self.dovecot.unix, self.dovecot.tcp):
            client = self.connect(address).client
            self.assert_code(250, self.deliver(client, ALICE))
            self.dovecot.restart()
            self.assert_code(250, self.deliver(client, BOB))

    def test_one_that_is_down_is_deferred_at_once(self):
        self.dovecot.stop()
        self.addCleanup(self.dovecot.start)
        for address in (self.dovecot.unix, self.dovecot.tcp):
            direct = self.connect(address)
            begun = time.monotonic()
            self.assertEqual(self.deliver(direct.client, ALICE), "451 unable to reach mail cluster (#4.4.1)")
            self.assertLess(time.monotonic() - begun, 4)
            self.assertIn(f': {address}"', direct.wait_for_log("result=deferred"))

    def test_one_connection_serves_a_whole_session(self):
        client = self.connect().client
        before = self.dovecot.log().count("Connect from")
        for _ in range(5):
            self.assert_code(250, self.deliver(client, ALICE))
        self.assertTrue(peer.until(lambda: self.dovecot.log().count("Connect from") > before))
        self.assertEqual(self.dovecot.log().count("Connect from") - before, 1)

    def test_a_wrong_address_refuses_the_start(self):
        direct = self.start(POSTERN_LMTP="tcp:localhost:24")
        self.assertEqual(direct.client.rest().decode(), self.replies["no_hand_over"] + "\r\n")
        self.assertIn('config: POSTERN_LMTP="tcp:localhost:24" in the environment: "localhost" is not an IP address, and '
                      "names are not looked up here: write tcp:127.0.0.1:24", direct.log())

    def test_a_queue_program_wins_over_it(self):
        queue = self.home.script("queue", "exit 31\n")
        direct = self.start(greeted=True, POSTERN_LMTP="tcp:localhost:24", QMAILQUEUE=queue)
        self.assertIn("hand_over=queue-program", direct.log())


if __name__ == "__main__":
    peer.main()
