#!/usr/bin/env python3
"""What postern serve bears and what not: sessions, rates, guesses, early talkers, slow ones. Each has its reply and its
rule in the log. Clients are addresses of 127.0.0.0/8; so none is exempt here, except where a test needs that."""

import re
import time
import urllib.request

import peer
import serve
from peer import OURS
from policy_peers import Standin

EVERYBODY = {"exempt": []}
TIM, TOM, FAR = "127.0.1.1", "127.0.1.2", "127.0.2.1"


def metrics_of(service):
    place = re.search(r"metrics: (\S+)", service.log())[1]
    with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as page:
        return page.read().decode().splitlines()


class Sessions(serve.Case):
    def limited(self, **limits):
        return self.serving(limits=EVERYBODY | limits)

    def opened(self, service, source):
        client = service.connect(source=source)
        self.addCleanup(client.close)
        self.assert_code(220, client.greeting)
        return client

    def assert_goes_when_one_leaves(self, service, client, source):
        client.say("QUIT")
        client.close()
        self.assertTrue(peer.until(lambda: self.is_greeted(service, source)))

    def is_greeted(self, service, source):
        with service.connect(source=source) as client:
            return client.greeting.startswith("220")

    def test_in_all(self):
        service = self.limited(sessions=3)
        first = self.opened(service, TIM)
        self.opened(service, TOM), self.opened(service, FAR)
        self.assert_refused(service, "connect.busy", self.replies["busy"], source="127.0.3.1")
        self.assert_goes_when_one_leaves(service, first, "127.0.3.1")

    def test_of_an_address(self):
        service = self.limited(sessions_per_address=2)
        first = self.opened(service, TIM)
        self.opened(service, TIM)
        self.assert_refused(service, "connect.client_busy", self.replies["client_busy"], source=TIM)
        self.opened(service, TOM)
        self.assert_goes_when_one_leaves(service, first, TIM)

    def test_of_a_network(self):
        service = self.limited(sessions_per_network=2)
        first = self.opened(service, TIM)
        self.opened(service, TOM)
        self.assert_refused(service, "connect.client_busy", self.replies["client_busy"], source="127.0.1.3")
        self.opened(service, FAR)
        self.assert_goes_when_one_leaves(service, first, "127.0.1.3")

    def test_in_a_minute(self):
        service = self.limited(connections_per_minute=3)
        for _ in range(3):
            self.assertTrue(self.is_greeted(service, TIM))
        for _ in range(2):
            self.assert_refused(service, "connect.client_too_fast", self.replies["client_too_fast"], source=TIM)
        self.assertTrue(self.is_greeted(service, TOM))

    def test_programs_of_this_machine_are_exempt_unless_told(self):
        service = self.serving(limits={"sessions_per_address": 1, "connections_per_minute": 1})
        for _ in range(3):
            self.opened(service, TIM)

    def test_a_limit_may_be_changed_while_it_serves(self):
        service = self.limited(sessions_per_address=1)
        self.opened(service, TIM)
        self.assertFalse(self.is_greeted(service, TIM))
        self.write_file(limits=EVERYBODY | {"sessions_per_address": 2})
        self.assert_logged(service, "reload: done")
        self.opened(service, TIM)

    def test_inside_implicit_tls_who_is_too_many_is_closed_before_a_handshake(self):
        service = self.serving({"SSL": 1}, limits=EVERYBODY | {"sessions_per_address": 1}, server={"metrics": "127.0.0.1:0"})
        with service.connect(source=TIM, greeted=False) as first:
            first.start_tls()
            self.assert_code(220, first.reply())
            with service.connect(source=TIM, greeted=False) as second:
                self.assertEqual(second.rest(), b"")
        self.assert_logged(service, "rule=connect.before_tls cause=connect.client_busy ")
        refused = [line for line in metrics_of(service) if "connections_refused_total{" in line and not line.endswith(" 0")]
        self.assertEqual(refused, ['postern_connections_refused_total{rule="connect.before_tls"} 1'])


class Guesses(serve.Case):
    """D22: what shuts which gate, which clients it stops, what opens it."""

    def authenticating(self, *listeners, **limits):
        return self.serving(*listeners, limits=EVERYBODY | limits, server={"metrics": "127.0.0.1:0"},
                            variables={"AUTH_CDB": self.home.users})

    def figures(self, service):
        return dict(line.rsplit(" ", 1) for line in metrics_of(service) if "auth_gates" in line)

    def session(self, service, source, which=0, encrypted=True):
        client = service.connect(which, source=source)
        self.addCleanup(client.close)
        if client.greeting.startswith("220"):
            if encrypted:
                client.starttls()
            client.say("EHLO client.example")
        return client

    def login(self, client, password=peer.PASSWORD, user=peer.USER):
        return client.say("AUTH PLAIN " + peer.plain_response(user, password))

    def guess(self, service, source, times=1, password="wrong", user=peer.USER, encrypted=True):
        """The code of each."""
        with self.session(service, source, encrypted=encrypted) as client:
            if not client.greeting.startswith("220"):
                return [client.greeting]
            return [self.login(client, password, user)[:3] for _ in range(times)]

    def assert_gated(self, service, source, user=peer.USER, password=peer.PASSWORD):
        with self.session(service, source) as client:
            self.assertEqual(self.login(client, password, user), self.replies["auth_user_gated"])

    def test_twenty_unknown_mechanisms_and_then_a_good_login(self):
        service = self.authenticating()
        for _ in range(4):
            with self.session(service, TIM) as client:
                for _ in range(5):
                    self.assert_code(504, client.say("AUTH CRAM-MD5"))
                self.assert_code(235, self.login(client))
        self.assertEqual(self.guess(service, TIM, password=peer.PASSWORD), ["235"])

    def test_auth_in_each_transaction_and_where_there_is_none(self):
        service = self.authenticating({}, {"AUTH": 0}, failed_auths_per_hour=2, failed_users_per_hour=2)
        with self.session(service, TIM) as client:
            self.assert_code(235, self.login(client))
            for _ in range(8):
                client.say("MAIL FROM:<a@b.example>")
                self.assert_code(503, self.login(client))
                client.say("RSET")
        for _ in range(4):
            with self.session(service, TIM, which=1) as client:
                self.assert_code(503, self.login(client))
        self.assertEqual(self.guess(service, TIM, password=peer.PASSWORD), ["235"])

    def test_one_stale_password_holds_neither_others_nor_port_25(self):
        service = self.authenticating({}, {"AUTH": 0}, failed_auths_per_hour=3)
        serve.together(*[lambda: self.assertEqual(self.guess(service, TIM), ["535"])] * 3)
        self.assert_gated(service, TIM)
        self.assert_logged(service, "kind=user change=shut number=1")
        self.assert_logged(service, "rule=credentials.user_gated ")
        self.assert_logged(service, " said_by=failed_auths_per_hour ")
        self.assertEqual(self.guess(service, TIM, user="carol", password="wrong"), ["535"])
        self.assertEqual(self.guess(service, TOM, password=peer.PASSWORD), ["235"])
        self.assert_code(220, self.session(service, TIM, which=1).greeting)
        self.assertNotIn("rule=connect.client_guesses", service.log())
        self.assertEqual(self.figures(service)['postern_auth_gates_shut{gate="user"}'], "1")

    def test_a_refusal_by_the_gate_waits_as_a_wrong_password_does(self):
        service = self.authenticating(failed_auths_per_hour=1)
        self.guess(service, TIM)
        begun = time.monotonic()
        self.assert_gated(service, TIM)
        self.assertGreaterEqual(time.monotonic() - begun, 1.9)

    def test_many_users_shut_the_address_where_auth_is_offered(self):
        service = self.authenticating({}, {"AUTH": 0}, {"DENY_TLS": 1}, failed_users_per_hour=3)
        guesses = [lambda user=user: self.assertEqual(self.guess(service, TIM, user=user), ["535"]) for user in "abc"]
        serve.together(*guesses)
        self.assert_refused(service, "connect.client_guesses", self.replies["client_guesses"], source=TIM)
        self.assert_logged(service, "kind=address change=shut")
        for which in (1, 2):
            self.assert_code(220, self.session(service, TIM, which, encrypted=False).greeting)
        self.assertEqual(self.guess(service, TOM, password=peer.PASSWORD), ["235"])
        self.assertEqual(self.figures(service)['postern_auth_gates_shut{gate="address"}'], "1")
        self.write_file({}, {"AUTH": 0}, {"DENY_TLS": 1}, limits=EVERYBODY | {"failed_users_per_hour": 0},
                        server={"metrics": "127.0.0.1:0"}, variables={"AUTH_CDB": self.home.users})
        self.assert_logged(service, "kind=address change=open")
        self.assertEqual(self.guess(service, TIM, password=peer.PASSWORD), ["235"])
        self.assertEqual(self.figures(service)['postern_auth_gates_shut{gate="address"}'], "0")

    def test_a_good_login_forgives(self):
        service = self.authenticating(failed_auths_per_hour=2, failed_users_per_hour=2)
        for _ in range(3):
            self.assertEqual(self.guess(service, TIM), ["535"])
            self.assertEqual(self.guess(service, TIM, password=peer.PASSWORD), ["235"])

    def test_in_clear_each_user_counts_once(self):
        service = self.authenticating(failed_auths_per_hour=2, failed_users_per_hour=2)
        in_clear = serve.together(*[lambda: self.guess(service, TIM, 4, peer.PASSWORD, encrypted=False)] * 2)
        self.assertEqual(in_clear, [["504"] * 4] * 2)
        self.assertEqual(self.guess(service, TIM, user="carol", encrypted=False), ["504"])
        self.assert_refused(service, "connect.client_guesses", self.replies["client_guesses"], source=TIM)
        self.assertNotIn(peer.plain_response(peer.USER, peer.PASSWORD), service.log())


class Early(serve.Case):
    def test_who_speaks_before_the_greeting_is_refused(self):
        service = self.serving(variables={"GREETDELAY": 2, "DROP_PRE_GREET": 1})
        begun = time.monotonic()
        with service.connect(greeted=False) as client:
            client.send("EHLO early.example\r\n")
            self.assertEqual(client.reply(), self.replies["protocol_violation"])
            self.assertEqual(client.rest(), b"")
        self.assertLess(time.monotonic() - begun, 1.9)
        self.assert_logged(service, "rule=connect.early_talker ")

    def test_who_waits_is_greeted_after_the_delay(self):
        service = self.serving(variables={"GREETDELAY": 1, "DROP_PRE_GREET": 1})
        begun = time.monotonic()
        self.assert_serves(service)
        self.assertGreaterEqual(time.monotonic() - begun, 1)

    def test_without_the_refusal_what_came_early_is_never_served(self):
        service = self.serving(variables={"GREETDELAY": 1})
        with service.connect(greeted=False) as client:
            client.send("NOOP\r\nMAIL FROM:<early@sender.example>\r\n")
            self.assert_code(220, client.reply())
            self.assertEqual(client.say("RCPT TO:<a@b.example>"), "503 MAIL first (#5.5.1)")


class Slow(serve.Case):
    def test_mail_data_below_the_floor_ends_the_session(self):
        service = self.serving(limits={"min_data_octets_per_second": 100, "data_rate_seconds": 1})
        with service.connect() as client:
            client.say("EHLO c.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>", "DATA")
            begun = time.monotonic()
            while time.monotonic() - begun < 5 and "too slow" not in client._unread.decode():
                client.send("x\r\n")
                time.sleep(0.1)
                client.socket.settimeout(0.01)
                try:
                    client._unread += client.socket.recv(4096)
                except TimeoutError:
                    pass
            self.assertLess(time.monotonic() - begun, 3)
            client.socket.settimeout(5)
            self.assertEqual(client.reply(), self.replies["too_slow"])
        self.assert_logged(service, "rule=too_slow ")
        self.assertEqual(self.home.stored(), [])
        self.assertEqual(self.home.leftovers(), [])

    def test_mail_data_above_the_floor_goes_on(self):
        service = self.serving(limits={"min_data_octets_per_second": 100, "data_rate_seconds": 1})
        with service.connect() as client:
            client.say("EHLO c.example", "MAIL FROM:<a@b.example>", f"RCPT TO:<user@{OURS}>", "DATA")
            for _ in range(25):
                client.send("x" * 60 + "\r\n")
                time.sleep(0.1)
            self.assert_code(250, client.say("."))

    def test_silence_and_half_a_command_end_the_session(self):
        (self.home.control / "timeoutsmtpd").write_text("1\n")
        service = self.serving()

        def silent():
            with service.connect() as client:
                begun = time.monotonic()
                self.assertEqual(client.reply(), self.replies["timeout"])
                self.assertGreaterEqual(time.monotonic() - begun, 0.9)
                self.assertEqual(client.rest(), b"")

        def dripping():
            with service.connect() as client:
                begun = time.monotonic()
                client.socket.settimeout(0.2)
                for letter in "NOOP aaaaaaaaaaaaaaa":
                    client.send(letter)
                    try:
                        client._unread += client.socket.recv(4096)
                        break
                    except TimeoutError:
                        pass
                client.socket.settimeout(5)
                self.assertEqual(client.reply(), self.replies["too_slow"])
                self.assertLess(time.monotonic() - begun, 2.5)

        def in_the_handshake():
            with service.connect() as client:
                client.say("EHLO c.example", "STARTTLS")
                self.assertEqual(client.rest(), b"")

        serve.together(silent, dripping, in_the_handshake)
        for text in ("rule=timeout ", "rule=too_slow ", "the TLS handshake took too long"):
            self.assert_logged(service, text)
        self.assertTrue(peer.until(lambda: service.log().count("by=close") >= 3), service.log())
        self.assertEqual(service.log().count("by=close"), 3)



class Harvests(serve.Case):
    """D33: who has named too many unknown recipients learns nothing more about who is there, also in new sessions."""

    UNKNOWN = "550 sorry, no mailbox here by that name (#5.1.1)"

    TABLES = {"server": {"metrics": "127.0.0.1:0"}}

    def listing(self, *listeners, limits=(("unknown_recipients_per_hour", 3),), **variables):
        peer.make_cdb(self.home.control / "validrcptto.cdb", {f"user@{peer.OURS}": ""})
        return self.serving(*listeners, limits=EVERYBODY | dict(limits), variables=variables, **self.TABLES)

    def session(self, service, source, which=0, sender="<me@sender.example>"):
        client = service.connect(which, source=source)
        self.addCleanup(client.close)
        client.say("EHLO client.example", f"MAIL FROM:{sender}")
        return client

    def rcpt(self, client, name):
        return client.say(f"RCPT TO:<{name if '@' in name else f'{name}@{peer.OURS}'}>")

    def harvest(self, service, source, times):
        """One a session: the limit of a session is not what stops it."""
        for _ in range(times):
            with self.session(service, source) as client:
                self.assertEqual(self.rcpt(client, "nobody"), self.UNKNOWN)

    def figures(self, service):
        return dict(line.rsplit(" ", 1) for line in metrics_of(service) if line.startswith("postern_recipient_gates"))

    def assert_gated(self, service, source, name="user"):
        with self.session(service, source) as client:
            self.assertEqual(self.rcpt(client, name), self.replies["too_many_unknown"])
            self.assertEqual(client.rest(), b"")

    def test_a_new_session_learns_nothing(self):
        service = self.listing()
        open_before = self.session(service, TIM)
        self.harvest(service, TIM, 3)
        for name in ("nobody", "user", "far@elsewhere.example", "postmaster"):
            self.assert_gated(service, TIM, name)
        self.assertEqual(self.rcpt(open_before, "user"), self.replies["too_many_unknown"])
        self.assert_logged(service, "rule=recipient.too_many_unknown ")
        self.assert_logged(service, " said_by=unknown_recipients_per_hour ")
        self.assert_logged(service, "kind=recipients change=shut number=1")
        with self.session(service, TOM) as client:
            self.assertEqual(self.rcpt(client, "user"), "250 ok")
        self.assertEqual(self.figures(service), {"postern_recipient_gates_shut": "1", "postern_recipient_gates_closings_total": "1"})

    def test_without_the_limit_each_session_has_its_own(self):
        service = self.listing(limits={})
        self.harvest(service, TIM, 15)
        self.assertNotIn("kind=recipients", service.log())

    def test_who_may_relay_is_neither_counted_nor_stopped(self):
        service = self.listing({}, {"RELAYCLIENT": "", "relay": True}, AUTH_CDB=self.home.users, ALLOW_INSECURE_AUTH=1)
        for _ in range(5):
            with self.session(service, TIM, which=1) as client:
                self.assertEqual(self.rcpt(client, "nobody"), "250 ok")
        self.harvest(service, TIM, 3)
        self.assert_gated(service, TIM)
        with self.session(service, TIM, which=1) as client:
            self.assertEqual(self.rcpt(client, "user"), "250 ok")
        with service.connect(source=TIM) as client:
            client.say("EHLO client.example")
            self.assert_code(235, client.say("AUTH PLAIN " + peer.plain_response(peer.USER, peer.PASSWORD)))
            client.say("MAIL FROM:<me@sender.example>")
            self.assertEqual(self.rcpt(client, "user"), "250 ok")

    def test_exempt_clients_are_not_counted(self):
        service = self.listing(limits={"unknown_recipients_per_hour": 1, "exempt": [TIM + "/32"]})
        self.harvest(service, TIM, 3)
        self.harvest(service, TOM, 1)
        self.assert_gated(service, TOM)

    def test_sessions_that_ask_together_learn_no_more_than_one(self):
        """A program that is slow refuses them; what it refuses counts as unknown, and is found out after all have asked."""
        check = self.home.script("check", "sleep 1; test $RECIPIENT = user@" + peer.OURS + " || exit 100")
        service = self.listing(limits={"unknown_recipients_per_hour": 3}, RCPTCHECK=check, VALIDRCPTTO_CDB=peer.make_cdb(
            self.home.path / "all.cdb", {f"@{peer.OURS}": ""}))
        clients = [self.session(service, TIM) for _ in range(8)]
        for client in clients:
            client.send(f"RCPT TO:<nobody@{peer.OURS}>\r\n")
        self.assertEqual(sorted(client.reply()[:3] for client in clients), ["421"] * 5 + ["553"] * 3)
        self.assert_gated(service, TIM)

    def test_what_a_policy_service_says_after_the_gate_is_shut_is_not_told(self):
        standin = Standin(never="REJECT")
        self.addCleanup(standin.stop)
        known = peer.make_cdb(self.home.path / "known.cdb", {f"{name}@{peer.OURS}": "" for name in ("late", "never", "user")})
        service = self.listing(limits={"unknown_recipients_per_hour": 1}, POSTERN_POLICY_SERVICE=standin.address, VALIDRCPTTO_CDB=known)
        for _ in range(3):  # what a service refuses is not counted
            with self.session(service, TIM) as client:
                self.assert_code(554, self.rcpt(client, "never"))
        asked = len(standin.asked)
        waiting, other = self.session(service, TIM), self.session(service, TOM)
        for client in (waiting, other):
            client.send(f"RCPT TO:<late@{peer.OURS}>\r\n")
        self.assertTrue(peer.until(lambda: len(standin.asked) == asked + 2))
        self.harvest(service, TIM, 1)
        self.assertEqual(waiting.reply(), self.replies["too_many_unknown"])
        self.assertEqual(waiting.rest(), b"")
        self.assertEqual(other.reply(), "554 5.7.1 late")

    def test_a_reload_changes_the_limit(self):
        service = self.listing(limits={"unknown_recipients_per_hour": 1})
        self.harvest(service, TIM, 1)
        self.assert_gated(service, TIM)
        self.write_file(limits=EVERYBODY, **self.TABLES)
        self.assert_logged(service, "reload: done")
        self.harvest(service, TIM, 2)
        self.assert_logged(service, "kind=recipients change=open number=1")


if __name__ == "__main__":
    peer.main()
