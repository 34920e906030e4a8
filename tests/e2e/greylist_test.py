#!/usr/bin/env python3
"""The greylist of postern serve (RFC 6647): who is deferred, who is taken when he comes again, what a restart, a reload and a damaged
file leave of it; and that postern-smtpd, which has none, says so. limits_greylist_test.cpp has the days that nobody waits for."""

import concurrent.futures
import json
import re
import signal
import stat
import time
import urllib.request

import peer
import serve
from dns_servers import Faulty, record
from peer import OURS, PASSWORD, USER
from policy_peers import Standin

TIM, TOM, TED, SIX = "198.51.100.7", "203.0.113.8", "192.0.2.9", "2001:db8::1"
LATER = "451 greylisted, try again later (#4.7.1)"
MAIL = "MAIL FROM:<me@sender.example>"
DELAY_SECONDS = 1


def header(source):
    family, ours = ("TCP6", "::1") if ":" in source else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {source} {ours} 50000 25\r\n"


def digest(octets):
    """SipHash-2-4 with 128 bits and the key 0: what ends the file."""
    words = [0x736f6d6570736575, 0x646f72616e646f6d ^ 0xee, 0x6c7967656e657261, 0x7465646279746573]

    def rounds(count):
        a, b, c, d = words
        for _ in range(count):
            a, c = (a + b) % 2**64, (c + d) % 2**64
            b, d = rotated(b, 13) ^ a, rotated(d, 16) ^ c
            a = rotated(a, 32)
            c, a = (c + b) % 2**64, (a + d) % 2**64
            b, d = rotated(b, 17) ^ c, rotated(d, 21) ^ a
            c = rotated(c, 32)
        words[:] = a, b, c, d

    def rotated(word, bits):
        return (word << bits | word >> (64 - bits)) % 2**64

    def half():
        rounds(4)
        return (words[0] ^ words[1] ^ words[2] ^ words[3]).to_bytes(8, "little")

    whole = octets + bytes(7 - len(octets) % 8) + bytes([len(octets) % 256])
    for at in range(0, len(whole), 8):
        word = int.from_bytes(whole[at:at + 8], "little")
        words[3] ^= word
        rounds(2)
        words[0] ^= word
    words[2] ^= 0xee
    first = half()
    words[1] ^= 0xdd
    return first + half()


class Case(serve.Case):
    def setUp(self):
        super().setUp()
        self.folder = self.home.path / "greylist"
        self.folder.mkdir()
        self.known = self.folder / "known"

    def grey(self, *listeners, delay=DELAY_SECONDS, server=None, variables=None, **tables):
        return self.serving(*({"proxies": ["127.0.0.0/8"]} | listener for listener in listeners or [{}]),
                            server={"greylist_file": self.known, "metrics": "127.0.0.1:0"} | (server or {}),
                            variables={"GREYLIST": delay} | (variables or {}), **tables)

    def come(self, service, source=TIM):
        client = service.connect(greeted=False)
        self.addCleanup(client.close)
        client.send(header(source))
        client.greeting = client.reply()
        self.assert_code(220, client.greeting)
        return client

    def rcpt(self, client, name="user", mail=MAIL):
        return client.say("RSET", mail, f"RCPT TO:<{name if '@' in name or name == 'postmaster' else f'{name}@{OURS}'}>")[2]

    def from_(self, service, source=TIM, name="user", mail=MAIL):
        return self.rcpt(self.come(service, source), name, mail)

    def pass_(self, service, source=TIM, names=("user",), mail=MAIL):
        client = self.come(service, source)
        for name in names:
            self.assertEqual(self.rcpt(client, name, mail), LATER)
        time.sleep(DELAY_SECONDS + 0.1)
        for name in names:
            self.assertEqual(self.rcpt(client, name, mail), "250 ok")

    def counted(self, service):
        place = re.search(r"metrics: (\S+)\n", service.log())[1]
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as page:
            return dict(re.findall(r'postern_greylist_recipients_total\{result="(\w+)"\} ([1-9]\d*)', page.read().decode()))

    def reload(self, service):
        seen = service.log().count("reload: ")
        service.process.send_signal(signal.SIGHUP)
        self.assertTrue(peer.until(lambda: service.log().count("reload: done") > seen), service.log())


class Deferred(Case):
    def test_first_then_early_then_taken(self):
        service = self.grey(delay=2)
        client = self.come(service)
        self.assertEqual(self.rcpt(client), LATER)
        self.assert_code(503, client.say("DATA"))
        self.assert_logged(service, "rule=recipient.greylisted ")
        line = next(line for line in service.log().splitlines() if "rule=recipient.greylisted " in line)
        for part in (f'reply="{LATER}"', "said_by=greylist", "from=me@sender.example", f"to=user@{OURS}", TIM):
            self.assertIn(part, line)
        time.sleep(1)
        self.assertEqual(self.rcpt(client), LATER)
        time.sleep(1.1)
        self.assertEqual(self.from_(service, "198.51.100.200"), "250 ok")  # another host of the same network
        client.say("RSET")
        self.assert_code(250, client.deliver("Subject: x\r\n\r\nx", recipient=f"user@{OURS}"))
        self.assertEqual(len(self.home.stored()), 1)
        self.assertEqual(self.counted(service), {"first": "1", "early": "1", "passed": "1", "known": "1"})
        self.assert_logged(service, "greylist=2")

    def test_the_others_of_a_message_stay(self):
        service = self.grey(delay=60)
        client = self.come(service)
        said = client.say(MAIL, f"RCPT TO:<a@{OURS}>", f"RCPT TO:<b@{OURS}>", "DATA")
        self.assertEqual(said[1:3], [LATER, LATER])
        self.assert_code(503, said[3])
        self.assertEqual(self.from_(service, name="postmaster"), LATER)
        self.assertEqual(self.from_(service, name="a", mail="MAIL FROM:<>"), LATER)

    def test_it_is_asked_only_about_what_would_be_taken(self):
        (self.home.control / "badmailfrom").write_text("bad@sender.example\n")
        (self.home.control / "badrcptto").write_text(f"bad@{OURS}\n")
        valid = peer.make_cdb(self.home.path / "valid.cdb", {f"user@{OURS}": ""})
        service = self.grey(delay=60, variables={"VALIDRCPTTO_CDB": valid})
        client = self.come(service)
        self.assertEqual(self.rcpt(client, "nobody"), self.replies["recipient_unknown"])
        self.assertEqual(self.rcpt(client, "far@elsewhere.example"), self.replies["not_our_domain"])
        self.assertEqual(self.rcpt(client, "bad"), self.replies["recipient_refused"])
        self.assertEqual(self.rcpt(client, "user", "MAIL FROM:<bad@sender.example>"), self.replies["sender_refused"])
        self.assertEqual(self.counted(service), {})
        self.assertEqual(self.rcpt(client), LATER)
        self.assertEqual(self.counted(service), {"first": "1"})

    def test_policy_services_are_asked_about_what_it_lets_pass_alone(self):
        standin = Standin()
        self.addCleanup(standin.stop)
        service = self.grey(variables={"POSTERN_POLICY_SERVICE": standin.address})
        self.assertEqual(self.from_(service), LATER)
        self.assertEqual(list(standin.recipients()), [])
        time.sleep(DELAY_SECONDS + 0.1)
        self.assertEqual(self.from_(service), "250 ok")
        self.assertEqual(list(standin.recipients()), [f"user@{OURS}"])

    def test_ipv6_clients_are_their_64(self):
        service = self.grey()
        self.pass_(service, SIX)
        self.assertEqual(self.from_(service, "2001:db8::ffff:1:2:3"), "250 ok")
        self.assertEqual(self.from_(service, "2001:db8:0:1::1"), LATER)


class Spared(Case):
    def test_who_is_not_asked_about(self):
        cdb = self.home.path / "tcp.cdb"
        rules = "".join(f"{rule}\n" for rule in (f'{TOM}:allow,RELAYCLIENT=""', f'{TED}:allow,GREYLIST="0"', ":allow"))
        self.assert_ok(peer.run(["tcprules", cdb, f"{cdb}.tmp"], input=rules.encode()))
        service = self.grey({"tcprules": cdb}, delay=60, variables={"AUTH_CDB": self.home.users, "ALLOW_INSECURE_AUTH": 1},
                            limits={"exempt": ["198.51.100.128/25"]})
        for source in (TOM, TED, "127.0.0.5", "10.1.2.3", "192.168.1.1", "fd00::1", "::1", "198.51.100.200"):
            self.assertEqual(self.from_(service, source), "250 ok", source)
        self.assertEqual(self.counted(service), {})
        client = self.come(service)
        self.assertEqual(self.rcpt(client), LATER)
        client.say("EHLO client.example")
        self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(USER, PASSWORD)))
        self.assertEqual(self.rcpt(client), "250 ok")

    def test_good_senders_of_dns_lists_are_not_asked_about(self):
        class Lists(Faulty):
            def manner_of(self, query):
                return "good" if query.name.startswith("8.113.0.203.") else "none"

            def good(self, query):
                return [query.reply(record(query.name, bytes([127, 0, 5, 2])))]

            def none(self, query):
                return self.nxdomain(query)

        lists = Lists()
        self.addCleanup(lists.stop)
        service = self.grey(delay=60, server={"dns": lists.address}, variables={"DNSBL": "wl.test=127.0.[0..255].[1..3]*-2"})
        self.assertEqual(self.from_(service, TOM), "250 ok")
        self.assertEqual(self.from_(service, TIM), LATER)

    def test_a_network_of_which_five_triples_came_again_is_known(self):
        service = self.grey()
        self.pass_(service, names=[f"user{n}" for n in "abcd"])
        self.assertEqual(self.from_(service, name="new"), LATER)
        time.sleep(DELAY_SECONDS + 0.1)
        self.assertEqual(self.from_(service, name="new"), "250 ok")
        self.assertEqual(self.from_(service, "198.51.100.77", "stranger", "MAIL FROM:<new@other.example>"), "250 ok")
        self.assertEqual(self.from_(service, TOM, "stranger", "MAIL FROM:<new@other.example>"), LATER)
        self.assertEqual(self.counted(service)["known_network"], "1")

    def test_without_it_nobody_is(self):
        service = self.serving({"proxies": ["127.0.0.0/8"]}, server={"greylist_file": self.known, "metrics": "127.0.0.1:0"})
        self.assertEqual(self.from_(service), "250 ok")
        self.assertEqual(self.counted(service), {})
        self.assert_logged(service, "greylist_file has no effect: ")
        service.terminate()
        self.assertEqual([file.name for file in self.folder.iterdir()], ["known.lock"])


class Loops(Case):
    def test_two_loops_share_it(self):
        service = self.grey(server={"loops": 2})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            first = list(pool.map(lambda n: self.from_(service, name=f"user{n % 4}a"), range(16)))
            self.assertEqual(set(first), {LATER})
            self.assertEqual(self.counted(service), {"first": "4", "early": "12"})
            time.sleep(DELAY_SECONDS + 0.1)
            self.assertEqual(set(pool.map(lambda n: self.from_(service, name=f"user{n % 4}a"), range(16))), {"250 ok"})
        loops = set(re.findall(r"session=(\d+)\.\d+ ", service.log()))
        self.assertEqual(loops, {"0", "1"})
        self.assertEqual(self.counted(service), {"first": "4", "early": "12", "passed": "4", "known": "12"})


class Kept(Case):
    def test_a_restart_keeps_it(self):
        service = self.grey()
        self.pass_(service)
        self.assertEqual(self.from_(service, TOM), LATER)
        self.assertEqual(service.terminate(), 0)
        self.assertEqual(sorted(file.name for file in self.folder.iterdir()), ["known", "known.lock"])
        self.assertEqual(stat.S_IMODE(self.known.stat().st_mode), 0o600)
        self.assertNotIn(b"example", self.known.read_bytes())
        time.sleep(DELAY_SECONDS)  # which counts, although nobody serves
        service = self.grey()
        self.assertEqual(self.from_(service), "250 ok")
        self.assertEqual(self.from_(service, TOM), "250 ok")
        self.assertEqual(self.counted(service), {"known": "1", "passed": "1"})

    def test_a_reload_keeps_it_and_writes_it(self):
        service = self.grey()
        self.pass_(service)
        self.assertFalse(self.known.exists())
        self.reload(service)
        self.assertTrue(peer.until(self.known.exists))
        self.assertEqual(self.from_(service), "250 ok")
        service.process.kill()
        service.process.wait()
        self.assertEqual(self.from_(self.grey()), "250 ok")

    def test_a_reload_changes_the_delay_and_not_the_file(self):
        service = self.grey(delay=60)
        self.assertEqual(self.from_(service), LATER)
        time.sleep(1.1)
        self.write_file({"proxies": ["127.0.0.0/8"]}, server={"greylist_file": self.folder / "other", "metrics": "127.0.0.1:0"},
                        variables={"GREYLIST": 1})
        self.reload(service)
        self.assert_logged(service, "greylist_file: as before until a restart")
        self.assertEqual(self.from_(service), "250 ok")
        self.assertTrue(peer.until(self.known.exists))

    def test_a_clock_that_was_set_does_no_harm(self):
        self.pass_(service := self.grey())
        service.terminate()
        octets, at = self.known.read_bytes(), len(b"postern greylist 1\n") + 16
        self.assertEqual(octets[-16:], digest(octets[:-16]))
        self.assertLess(abs(int.from_bytes(octets[at:at + 8], "little") - time.time()), 60)
        for years in (10, -10):  # the file was written then
            saved = int(time.time() + years * 365 * 86400).to_bytes(8, "little")
            written = octets[:at] + saved + octets[at + 8:-16]
            self.known.write_bytes(written + digest(written))
            service = self.grey()
            self.assertEqual(self.from_(service), "250 ok", years)
            self.assertNotIn("damaged", service.log())
            service.terminate()

    def test_a_damaged_file_is_a_warning_and_an_empty_greylist(self):
        self.pass_(service := self.grey())
        service.terminate()
        octets = self.known.read_bytes()
        for damaged in (b"", b"junk", octets[:-1], octets[:40] + b"\1" + octets[41:], octets + b"x", b"\0" * 20_000_000):
            self.known.write_bytes(damaged)
            service = self.grey()
            self.assert_logged(service, f"warning: greylist_file {self.known}: is damaged, or of another version: the greylist begins empty")
            self.assertEqual(self.from_(service), LATER)
            service.terminate()
            self.assertEqual(self.known.with_name("known.damaged").read_bytes(), damaged)  # whatever it was: it is kept
        self.known.write_bytes(b"junk")
        self.assertTrue(any("is damaged" in text for text in self.check()))

    def check(self):
        found = peer.run([peer.postern(), "check", "--json", "-c", self.file])
        report = json.loads(found.stdout)
        return [piece["text"] for judged in (report, *report["listeners"]) for piece in judged["advice"]]

    def test_what_check_says(self):
        self.write_file(server={"greylist_file": self.known}, variables={"GREYLIST": 300})
        self.assertTrue(any(text.startswith("GREYLIST=300: ") for text in self.check()))
        self.write_file(variables={"GREYLIST": 300})
        self.assertTrue(any(text.startswith("GREYLIST without greylist_file: ") for text in self.check()))
        self.write_file(server={"greylist_file": self.home.path / "nowhere" / "known"}, variables={"GREYLIST": 300})
        self.assertTrue(any("nowhere: there is no such folder: make it" in text for text in self.check()))

    def test_a_file_that_cannot_be_written_is_a_warning(self):
        service = self.grey()
        self.assertEqual(self.from_(service), LATER)
        (self.folder / "known.new").mkdir()
        self.reload(service)
        self.assert_logged(service, f"warning: greylist_file {self.known}.new: cannot be written: Is a directory")
        time.sleep(DELAY_SECONDS)
        self.assertEqual(self.from_(service), "250 ok")

    def test_two_servers_do_not_share_a_file(self):
        first = self.grey()
        checked = peer.run([peer.postern(), "check", "-c", self.file], env={"PATH": "/usr/bin:/bin"})
        self.assertNotIn(b"another server", checked.stdout + checked.stderr)
        second = self.start_serve()
        self.assertEqual(second.exit_code(), 100, second.log())
        self.assertIn(f"greylist_file {self.known}: another server that runs has it", second.log())
        self.assertEqual(self.from_(first), LATER)
        self.assertEqual(first.terminate(), 0)
        self.assertTrue(self.start_serve().is_ready())

    def test_a_folder_that_is_not_there_refuses_the_start(self):
        log = self.refused(server={"greylist_file": self.home.path / "nowhere" / "known"}, variables={"GREYLIST": 300})
        self.assertIn("greylist_file", log)
        self.assertIn("there is no such folder: make it", log)

    def test_a_value_that_is_none_refuses_the_start(self):
        for value in (-1, 86401, "5m"):
            self.assertIn("GREYLIST", self.refused(variables={"GREYLIST": value}))


class Alone(peer.Case):
    def test_postern_smtpd_refuses_the_start(self):
        direct = self.start(GREYLIST=300)
        self.assertEqual(direct.client.rest().decode(), self.replies["configuration_error"] + "\r\n")
        self.assert_logged(direct, "config: GREYLIST in the environment: postern-smtpd is one process for each client")
        self.assert_logged(direct, "jgreylist")
        self.assert_logged(direct, "rule=connect.bad_value ")
        found = peer.run([peer.postern(), "check", "--json"], env=self.home.environment(GREYLIST=300))
        texts = [piece["text"] for piece in json.loads(found.stdout)["advice"] if piece["grade"] == "refusal"]
        self.assertEqual(len(texts), 1, texts)
        self.assertIn("jgreylist", texts[0])
        self.assert_code(220, self.start(GREYLIST=0).client.reply())


if __name__ == "__main__":
    peer.main()
