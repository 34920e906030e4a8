"""postern serve -c and postern check -c: both report in the same words what only a look at the machine shows."""
import os
import re
import unittest

from cli_check_test import write_cdb
from cli_program import all_settings, run, verdict
from cli_serve_test import DISCARDING, FINE, IS_ROOT, LISTENER, REFUSED, USAGE, Home, problems_of, refusals_of


class Starts(Home):
    """What only a look at the machine shows."""

    def test_a_start_that_is_refused_is_refused_by_check_in_the_same_words(self):
        maildir = LISTENER + 'POSTERN_MAILDIR = "mail"\n'
        for text, server, wanted in [
                (maildir, 'chroot = "/none"\n', "the new root /none"),
                (maildir, 'user = "no-such-user"\n', "no-such-user"),
                (LISTENER + 'POSTERN_MAILDIR = "none"\n', "", "is not a folder that this user can write in"),
                (LISTENER + 'POSTERN_LMTP = "tcp:localhost:24"\n', "", "tcp:localhost:24"),
                (LISTENER, "", "cannot run bin/qmail-queue"),
                (maildir + 'AUTH_CDB = "none.cdb"\n', "", "is not a readable cdb file"),
                (maildir + 'tcprules = "none.cdb"\n', "", 'tcprules = "none.cdb" is not a readable cdb file'),
                (maildir + 'SSL = 1\nTLS_SERVER_CERT = "none.pem"\n', "", "none.pem"),
                (maildir + 'certificates = ["none.pem"]\n', "", "none.pem"),
                (maildir + "FORCE_TLS = 1\nDENY_TLS = 1\n", "", "DENY_TLS"),
                (maildir + '[tls]\ngroups = "none"\n', "", "none"),
                (maildir + "AUTH = 1\nREQUIRE_AUTH = 1\nDENY_TLS = 1\n" + 'AUTH_CDB = "users.cdb"\n', "", "AUTH")]:
            with self.subTest(text + server):
                self.assertIn(wanted, self.refused_alike(text, server)[0])

    def test_lists_are_judged_once_and_only_where_they_are_used(self):
        self.path("home/control/rcpthosts", "a.org\rb.org\r")
        said = self.refused_alike(DISCARDING + DISCARDING)
        self.assertEqual(len(said), 1)
        self.assertIn("control/rcpthosts line 1", said[0])
        self.check(DISCARDING, 'domains = ["a.org"]\n', expect=FINE)
        self.path("home/control/rcpthosts", "a.org\r\n")
        self.assertIn("control/rcpthosts line 1: ends with a carriage return, which is left out",
                      [piece["text"] for piece in self.check(DISCARDING, expect=FINE)["advice"]])

    def test_a_program_that_cannot_be_run_is_found_before_a_client_comes(self):
        program = self.path("home/program", "#!/bin/sh\nexit 0\n")
        check = lambda name: DISCARDING + f'check_program = ["mx.example.org", "{name}", "/bin/true"]\n'
        queue = lambda name: LISTENER + f'QMAILQUEUE = "{name}"\n'
        for text, wanted in [
                (check("/no/such"), "the check program /no/such cannot be run: it is not there: name a program, or set AUTH=0"),
                (check("no-such-program"), "the check program no-such-program cannot be run: it is in no folder of PATH"),
                (check("./program"), "it may not be executed by this user: chmod +x it"),
                (check("/bin"), "it is a folder: name the program in it"),
                (queue("program"), "cannot run program: it may not be executed by this user"),
                (queue("/bin"), "cannot run /bin: it is a folder")]:
            with self.subTest(text):
                self.assertIn(wanted, self.refused_alike(text)[0])
        os.chmod(program, 0o755)
        self.check(check("./program"), expect=FINE)
        for first_line, wanted in [("#!/bin/sh\r\n", "carriage return in its first line"), ("exit 0\n", "names no interpreter"),
                                   ("#!/no/sh\n", 'names the interpreter "/no/sh"'), ("\xef\xbb\xbf#!/bin/sh\n", "byte order mark")]:
            self.path("home/program", first_line)
            self.assertIn(wanted, self.refused_alike(check("./program"))[0])
            self.assertIn(wanted, self.refused_alike(queue("program"))[0])
        self.check(check("/no/such") + "AUTH = 0\n", expect=FINE)

    def test_records_of_databases_are_judged(self):
        write_cdb(self.path("home/control/morercpthosts.cdb"), [(b"a.org", b""), (b"b.org\r", b""), (b"C.org", b""), (b"d.org ", b"")])
        write_cdb(self.path("home/users.cdb"), [
            (b"alice", b"$5$x$y"), (b"bob", b"$5$x$y\r"), (b"carol", b'$5$x$y,MFCHECK="1"'), (b"dan", b'$5$x$y,DATABYTES=7'),
            (b"eve\r", b"$5$x$y"), (b"fred", b'$5$x$y,SPF_LOG="1",MFCHECK="0"'), (b"gina", b"$5$x$y ")])
        found = self.check(LISTENER + 'POSTERN_MAILDIR = "mail"\nAUTH_CDB = "users.cdb"\n', expect=FINE)
        said = [piece["text"] for piece in found["advice"] if piece["grade"] == "warning"]
        for wanted in ('control/morercpthosts.cdb: "b.org?" never matches: a carriage return ends no line here',
                       "; and 2 more keys", 'users.cdb, user "carol": cannot log in until you do this: MFCHECK="1"',
                       'users.cdb, user "dan": has a record that is read no further than `,DATABYTES=7`',
                       'users.cdb, user "eve?": has a blank, a control character', 'users.cdb, user "fred": SPF_LOG="1"',
                       'users.cdb, user "bob": has a record that ends with a blank or a carriage return'):
            self.assertTrue(any(wanted in each for each in said), (wanted, said))
        self.assertFalse(any('"alice"' in each for each in said), said)

    def test_a_file_with_crlf_and_a_byte_order_mark_is_read(self):
        path = self.file(DISCARDING)
        with open(path, encoding="latin-1") as file:
            text = file.read()
        with open(path, "wb") as file:
            file.write(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("latin-1"))
        run("check", "-c", path, expect=FINE)
        for broken in (text.replace("\n", "\r").encode(), text.encode("utf-16"), b"\0" + text.encode()):
            with open(path, "wb") as file:
                file.write(broken)
            self.assertIn(" line 1: ", problems_of(run("serve", "-c", path, expect=USAGE)[2])[0])

    def test_the_home_must_be_there(self):
        self.home = "/no/such/home"
        self.assertIn("cannot enter the home /no/such/home", self.refused_alike(DISCARDING)[0])

    @unittest.skipUnless(IS_ROOT, "only root can become another")
    def test_the_user_who_serves_must_be_able_to_write(self):
        text, server = LISTENER + 'POSTERN_MAILDIR = "mail"\n', 'user = "nobody"\n'
        self.assertIn("user nobody may not write in it", self.refused_alike(text, server)[0])
        os.chmod(self.path("home/mail"), 0o777)
        self.check(text, server, expect=FINE)

    def test_all_64_settings_are_judged_as_they_start(self):
        text = '[variables]\nPOSTERN_MAILDIR = "mail"\n'
        wanted = []
        for port, settings in enumerate(all_settings(), 1000):
            text += f'[[listener]]\nip = "127.0.0.1"\nport = {port}\n' + ('AUTH_CDB = "users.cdb"\n' if settings["AUTH"] else "")
            text += "".join(f"{name} = {value}\n" for name, value in settings.items())
            wanted.append(verdict(settings))
        found = self.check(text, expect=REFUSED)
        self.assertEqual([each["verdict"] for each in found["listeners"]], wanted)
        begins = [int(re.search(r"line (\d+),", each["of"])[1]) for each in found["listeners"]]
        judged = [line for line, each in zip(begins, found["listeners"]) if each["verdict"] != "live"]
        refused = [int(re.search(r"line (\d+)", sentence)[1]) for sentence in refusals_of(found)]  # of the variable at fault
        self.assertEqual([max(line for line in begins if line <= each) for each in refused], judged)
        self.refused_alike(text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
