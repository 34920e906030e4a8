"""A reload, by SIGHUP or because a file changed: no session fails, what is wrong is refused loudly and changes nothing, and
what is new is for new sessions, while old ones go on.
"""

import os
import re
import signal
import ssl
import time

import peer

import listening

TIMES = 100
NOTICED_SECONDS = 4  # two looks, a second apart; and this machine may be busy


class Reload(listening.Case):
    def connect(self, server):
        client = server.connect()
        self.addCleanup(client.close)
        return client

    def certificate_of(self, client):
        return ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()

    def served_certificate(self, server):
        with server.connect().starttls() as client:
            return self.certificate_of(client)

    def replace(self, name, text):
        new = self.home.control / (name + ".new")
        new.write_text(text)
        new.rename(self.home.control / name)

    def reload(self, server, word="done"):
        """Until the log has one more."""
        before = server.log().count("reload: ")
        server.signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: server.log().count("reload: ") > before))
        self.assertRegex(server.log().rsplit("reload: ", 1)[1], rf"\A{word}")

    def test_a_hundred_times_under_load(self):
        server = self.serve()
        senders = self.load(server, 4, per_session=5) + self.load(server, 2, per_session=2, tls=True)
        old = self.connect(server).starttls()
        old.say("EHLO client.example")
        for number in range(TIMES):
            if number % 10 == 0:
                self.replace("servercert.pem", self.home.pem.read_text())
            self.reload(server)
        self.assertEqual(old.say("NOOP"), "250 ok")
        answered = sum(len(sender.answered) for sender in senders)
        for sender in senders:
            sender.is_stopped = True
        for sender in senders:
            sender.join(peer.PATIENCE_SECONDS)
            self.assertEqual(sender.other + sender.broken, [])
        print(f"{answered} letters answered during {TIMES} reloads", end=" ", flush=True)
        self.assertGreater(answered, TIMES)
        self.assertEqual(server.log().count("refused"), 0)
        every = [letter for sender in senders for letter in sender.answered]
        self.assertEqual(listening.losses(self.home.mail, every, [])[:5], [])

    def test_it_leaves_nothing_behind(self):
        server = self.serve()
        for _ in range(20):  # until each thread has what it keeps
            self.reload(server)
        before = server.descriptors(), server.threads()
        memory = server.memory()
        for _ in range(TIMES):
            self.reload(server)
        self.assertEqual((server.descriptors(), server.threads()), before)
        self.assertLess(server.memory(), memory + 1024)

    def test_a_new_certificate_is_for_new_sessions(self):
        server = self.serve()
        old = self.connect(server).starttls()
        first = self.served_certificate(server)
        key, certificate = peer.make_certificate(self.home.path, "next")
        began = time.monotonic()
        self.replace("servercert.pem", key + certificate)
        self.assertTrue(peer.until(lambda: self.served_certificate(server) != first))
        print(f"served after {time.monotonic() - began:.1f} s", end=" ", flush=True)
        self.assertLess(time.monotonic() - began, NOTICED_SECONDS)
        self.assertEqual(self.served_certificate(server), certificate.strip())
        self.assertEqual((self.certificate_of(old), old.say("EHLO client.example")[:3]), (first, "250"))
        self.assertEqual(old.deliver("Subject: old\r\n\r\nbut served")[:3], "250")

    def test_a_broken_certificate_is_refused_and_the_old_one_stays(self):
        server = self.serve()
        good, first = self.home.pem.read_text(), self.served_certificate(server)
        key, _ = peer.make_certificate(self.home.path, "other")
        for broken in ("", "no PEM at all\n", self.home.key, good.replace(self.home.key, key), good[:len(good) // 2]):
            self.replace("servercert.pem", broken)
            with self.subTest(broken=broken[:40]):
                self.reload(server, "refused, and nothing has changed: ")
                self.assertEqual(self.served_certificate(server), first)
        self.replace("servercert.pem", good)
        self.reload(server)
        self.assertEqual(self.served_certificate(server), first)

    def test_a_certificate_that_is_written_slowly_is_read_whole(self):
        server = self.serve()
        key, certificate = peer.make_certificate(self.home.path, "slow")
        text, step = key + certificate, 150
        with open(self.home.pem, "w", encoding="ascii") as file:
            for at in range(0, len(text), step):
                file.write(text[at:at + step])
                file.flush()
                time.sleep(0.3)
        self.assertTrue(peer.until(lambda: self.served_certificate(server) == certificate.strip(), NOTICED_SECONDS))
        self.assertNotIn("refused", server.log())

    def test_control_files_are_noticed_and_judged(self):
        server = self.serve()
        self.assertIn("250-SIZE 0", self.connect(server).say("EHLO client.example"))
        old = self.connect(server)
        self.replace("databytes", "4711\n")
        self.assert_logged(server, "reload: done")
        self.assertIn("250-SIZE 4711", self.connect(server).say("EHLO client.example"))
        self.assertIn("250-SIZE 0", old.say("EHLO client.example"))
        self.replace("databytes", "many\n")
        self.assertIn("reload: refused, and nothing has changed: ", server.wait_for_log("reload: refused"))
        self.assertRegex(server.log(), r"reload: refused.*control/databytes")
        self.assertIn("250-SIZE 4711", self.connect(server).say("EHLO client.example"))

    def test_a_broken_file_is_refused_and_the_old_one_stays(self):
        server = self.serve(file=listening.write_file(self.home, DATABYTES=1000))
        size = lambda: re.search(r"^250.SIZE (\d+)$", self.connect(server).say("EHLO client.example"), re.M)[1]
        self.assertEqual(size(), "1000")
        for wrong in ({"server": "no = toml ="}, {"server": "unheard_of = 1"}, {"limits": "sessions = \"many\""},
                      {"DATABYTES": "many"}, {"POSTERN_MAILDIR": "nowhere"}, {"SSL": "O"}):
            with self.subTest(wrong=wrong):
                listening.write_file(self.home, **wrong)
                self.reload(server, "refused, and nothing has changed: ")
                self.assertEqual(size(), "1000")
        listening.write_file(self.home, DATABYTES=2000)
        self.reload(server)
        self.assertEqual(size(), "2000")
        listening.write_file(self.home, DATABYTES=3000)
        self.assertTrue(peer.until(lambda: size() == "3000", NOTICED_SECONDS), "noticed only after a signal")

    def test_a_class_of_clients_that_was_refused_is_judged_again(self):
        """What is missing for it may come later: a folder, a descriptor."""
        rules = self.home.path / "rules.cdb"
        peer.make_cdb(rules, {"127.0.0.2": f"+POSTERN_MAILDIR={self.home.path / 'later'}\0", "": ""})
        file = listening.write_file(self.home, "sandbox = false")
        file.write_text(file.read_text() + 'tcprules = "rules.cdb"\n')
        server = self.serve(file=file)
        greeting = lambda source: server.connect(source=source).greeting[:3]
        self.assertEqual((greeting("127.0.0.1"), greeting("127.0.0.2")), ("220", "421"))
        (self.home.path / "later").mkdir()
        self.assertTrue(peer.until(lambda: greeting("127.0.0.2") == "220"))

    def test_a_list_of_domains_may_be_written_over_in_place(self):
        more = peer.make_cdb(self.home.control / "morercpthosts.cdb", {f"{i}.example": "" for i in range(2000)})
        file = listening.write_file(self.home)
        file.write_text(file.read_text().replace(f'domains = ["{peer.OURS}"]', ""))
        server = self.serve(file=file)

        def judgement(number):
            with server.connect() as client:
                return client.say("HELO client.example", "MAIL FROM:<>", f"RCPT TO:<user@{number}.example>")[2][:3]
        self.assertEqual((judgement(1), judgement(2001)), ("250", "553"))
        more.write_bytes(b"")  # truncated, as cp does it
        for number in range(0, 2000, 100):
            self.assertIn(judgement(number), ("250", "451"))
        self.assertTrue(server.is_alive())
        peer.make_cdb(more, {"2001.example": ""})
        self.assertTrue(peer.until(lambda: judgement(2001) == "250", 2 * NOTICED_SECONDS))

    def test_lists_and_programs_that_break_are_refused_and_what_serves_goes_on(self):
        valid = lambda name: peer.make_cdb(self.home.control / "validrcptto.cdb", {f"{name}@{peer.OURS}": ""})
        list_of_recipients = valid("user")
        check = self.home.script("check", "exit 0")
        file = listening.write_file(self.home)
        file.write_text(file.read_text() + f'RCPTCHECK = "{check}"\n')
        server = self.serve(file=file)

        def judgement(name):
            with server.connect() as client:
                return client.say("HELO client.example", "MAIL FROM:<>", f"RCPT TO:<{name}@{peer.OURS}>")[2][:3]

        def last_reload(word, count):
            return peer.until(lambda: server.log().count("reload: ") > count and
                              server.log().rsplit("reload: ", 1)[1].startswith(word), 2 * NOTICED_SECONDS)
        whole = list_of_recipients.read_bytes()
        for damaged in (b"no cdb", whole[:2048] + b"\0" * (len(whole) - 2048)):
            count = server.log().count("reload: ")
            new = self.home.path / "damaged.cdb"
            new.write_bytes(damaged)
            new.rename(list_of_recipients)
            self.assertTrue(last_reload("refused, and nothing has changed: ", count), server.log())
            self.assertIn("control/validrcptto.cdb: cannot be read: not a well-formed cdb: make it again", server.log())
            self.assertNotIn("gets 451", server.log(), "nothing has changed")
            self.assertEqual((judgement("user"), judgement("nobody")), ("250", "550"))
            valid("user")
            self.assertTrue(last_reload("done", count + 1), server.log())
        count = server.log().count("reload: ")
        check.chmod(0o644)
        self.assertTrue(last_reload("refused, and nothing has changed: ", count), server.log())
        self.assertIn("cannot be run: it may not be executed", server.log())
        self.assertNotIn("gets 451", server.log(), "nothing has changed")
        check.chmod(0o755)
        self.assertTrue(last_reload("done", count + 1), server.log())
        self.assertEqual(judgement("user"), "250")

    def test_what_a_refused_reload_named_is_looked_at(self):
        file = listening.write_file(self.home)
        server = self.serve(file=file)
        users = self.home.path / "new.cdb"
        file.write_text(file.read_text() + f'AUTH_CDB = "{users}"\n')
        self.assertTrue(peer.until(lambda: "reload: refused" in server.log(), NOTICED_SECONDS))
        peer.make_cdb(users, peer.USERS)
        self.assertTrue(peer.until(lambda: "reload: done" in server.log(), 2 * NOTICED_SECONDS), server.log())

    def test_what_the_next_start_would_refuse_refuses_the_reload(self):
        """Of what only a restart takes; and where that is fit, the reload says what waits for one."""
        server = self.serve(file=listening.write_file(self.home, "sandbox = false"))
        for line, why in (('user = "nobody-of-that-name"', 'no user "nobody-of-that-name": create it'),
                          ('greylist_file = "nowhere/greylist"', "greylist_file nowhere: there is no such folder: make it"),
                          (f'metrics = "127.0.0.1:{server.port}"', f"cannot serve HTTP on 127.0.0.1 port {server.port}: ")):
            with self.subTest(line=line):
                file = listening.write_file(self.home, "sandbox = false\n" + line)
                self.reload(server, "refused, and nothing has changed: " + re.escape(why))
                self.assert_delivers(server)
                start = peer.run([os.environ["POSTERN"], "serve", "-c", file])
                self.assertEqual(start.returncode, 100)
                self.assertIn(why.encode(), start.stderr)
        listening.write_file(self.home, f'sandbox = false\nloops = 3\nmetrics = "127.0.0.1:{peer.free_port()}"')
        self.reload(server, "done: new sessions are served with it; loops, metrics: as before until a restart")

    def test_a_root_of_maildirs_that_is_missing_is_looked_at(self):
        server = self.serve(file=listening.write_file(self.home, "sandbox = false"))
        listening.write_file(self.home, "sandbox = false", maildir="other")
        self.assertTrue(peer.until(lambda: "reload: refused" in server.log(), NOTICED_SECONDS))
        (self.home.path / "other").mkdir()
        self.assertTrue(peer.until(lambda: "reload: done" in server.log(), 2 * NOTICED_SECONDS), server.log())
        done = server.log().count("reload: ")
        self.assert_delivers(server)
        self.assertTrue(list((self.home.path / "other").iterdir()))
        self.assertFalse(peer.until(lambda: server.log().count("reload: ") > done, 2), "mail in it is no change")

    def test_what_a_refused_shadow_named_is_looked_at(self):
        file = listening.write_file(self.home, f'shadow = "{self.home.path}/shadow.toml"\nsandbox = false')
        shadow, users = self.home.path / "shadow.toml", self.home.path / "new.cdb"
        shadow.write_text(file.read_text().replace(f'shadow = "{shadow}"\n', ""))
        server = self.serve(file=file)
        shadow.write_text(shadow.read_text() + f'AUTH_CDB = "{users}"\n')
        self.assertTrue(peer.until(lambda: "it stays as it was" in server.log(), NOTICED_SECONDS), server.log())
        before = server.log().count("reload: done")
        peer.make_cdb(users, peer.USERS)
        self.assertTrue(peer.until(lambda: server.log().count("reload: done") > before, 2 * NOTICED_SECONDS), server.log())
        self.assertEqual(server.log().count("it stays as it was"), server.log().count("it stays as it was", 0, server.log().rindex("reload: done")))

    def test_the_folder_of_the_mail_goes_and_comes_back(self):
        server = self.serve()
        self.assert_delivers(server)
        self.home.mail.rename(self.home.path / "away")
        self.assert_delivers(server, "451")
        self.reload(server, "refused, and nothing has changed: ")
        self.assert_delivers(server, "451")
        (self.home.path / "away").rename(self.home.mail)
        self.reload(server)
        self.assert_delivers(server)


if __name__ == "__main__":
    listening.main()
