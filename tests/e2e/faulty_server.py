"""A small SMTP server that keeps the laws of the policy, but for the faults that it is told to have.

For who judges servers: each fault breaks laws that FAULTS names, and without a fault none is broken. One thread a client, on a
free port of 127.0.0.1; AUTH in TLS alone, STARTTLS, one login, and a domain of its own (peer.OURS).
"""

import base64
import binascii
import socket
import threading
import time

import peer

# What each fault breaks, among others.
FAULTS = {
    "auth_in_clear": {"no_auth_on_cleartext_unless_allowed", "a_refused_auth_tells_the_first_reason"},
    "lists_auth_in_clear": {"auth_is_listed_only_where_it_may_be_used", "advertised_exactly_when_obeyed"},
    "hides_starttls": {"what_may_be_used_is_listed", "advertised_exactly_when_obeyed"},
    "rset_forgets_nothing": {"reset_clears_the_transaction"},
    "ehlo_forgets_nothing": {"reset_clears_the_transaction"},
    "state_outlives_starttls": {"starttls_forgets_everything"},
    "old_octets_outlive_starttls": {"no_reply_without_a_command"},
    "starttls_twice": {"starttls_never_inside_tls"},
    "second_mail": {"a_transaction_grows_in_order"},
    "data_without_recipient": {"data_only_after_an_accepted_recipient"},
    "relays": {"relaying_only_by_relayclient_or_auth"},
    "refuses_its_own": {"recipients_are_judged_by_the_look_up"},
    "any_password": {"only_the_backend_authenticates", "a_failed_exchange_is_over"},
    "fast_refusal": {"guessing_is_slow_and_ends"},
    "second_auth": {"no_second_auth_and_none_in_a_transaction"},
    "bare_lf": {"nothing_is_executed_after_a_bare_lf"},
    "quit_goes_on": {"quit_is_always_221"},
    "no_answer_to_vrfy": {"one_reply_per_command"},
    "closes_at_noop": {"nobody_is_sent_away_without_cause"},
    "http": {"nobody_is_sent_away_without_cause"},
    "refused_rset_of_auth": {"who_is_refused_gains_nothing"},
}
# Faults that do not hide each other.
TOGETHER = [
    ["auth_in_clear", "rset_forgets_nothing", "starttls_twice", "quit_goes_on", "fast_refusal", "relays"],
    ["lists_auth_in_clear", "ehlo_forgets_nothing", "old_octets_outlive_starttls", "any_password", "no_answer_to_vrfy"],
    ["hides_starttls", "state_outlives_starttls", "second_auth", "bare_lf", "http", "refused_rset_of_auth"],
    ["second_mail", "data_without_recipient", "refuses_its_own"],
    ["closes_at_noop"],
]
MAX_ERRORS, MAX_AUTH_ATTEMPTS, DELAY_SECONDS = 20, 10, 0.7
WITH_ARGUMENT, WITHOUT = {"HELO", "EHLO", "VRFY"}, {"DATA", "RSET", "QUIT"}


class Session(threading.Thread):
    def __init__(self, server, client):
        super().__init__(daemon=True)
        self.server, self.socket, self.faults = server, client, server.faults
        self.buffer, self.is_tls, self.is_open = b"", False, True
        self.errors = self.attempts = 0
        self.forget()

    def forget(self):
        self.user, self.transaction = None, "none"

    def run(self):
        self.socket.settimeout(peer.PATIENCE_SECONDS)
        try:
            self.say("220 faulty.example ESMTP")
            while self.is_open and (line := self.line()) is not None:
                self.command(line)
        except OSError:
            pass
        finally:
            self.socket.close()

    def say(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def close(self, reply=None):
        if reply:
            self.say(reply)
        self.is_open = False

    def refuse(self, reply):
        self.errors += 1
        self.say(reply)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r") and "bare_lf" not in self.faults:
            self.close("500 bare LF")
            return None
        return line.removesuffix(b"\r")

    def command(self, line):
        word, _, rest = line.decode("latin-1").partition(" ")
        name = word.upper()
        if self.errors >= MAX_ERRORS and name != "QUIT":
            return self.close("421 too many errors")
        if len(line) > 2046:
            return self.refuse("500 too long")
        if any(octet < 32 for octet in line):
            return self.refuse("501 control octet")
        if (name in WITH_ARGUMENT and not rest) or (name in WITHOUT and rest):
            return self.refuse("501 syntax")
        getattr(self, "on_" + name.lower(), self.on_other)(rest)

    def on_other(self, _):
        self.refuse("502 no such command")

    def on_get(self, _):
        if "http" in self.faults:
            return self.refuse("502 no such command")
        self.close("421 not HTTP")

    def on_noop(self, _):
        if "closes_at_noop" in self.faults:
            return self.close()
        self.say("250 ok")

    def on_vrfy(self, _):
        if "no_answer_to_vrfy" not in self.faults:
            self.say("252 perhaps")

    def on_help(self, _):
        self.say("214 RFC 5321")

    def on_quit(self, _):
        self.say("221 bye")
        if "quit_goes_on" not in self.faults:
            self.close()

    def on_rset(self, _):
        if "rset_forgets_nothing" not in self.faults:
            self.transaction = "none"
        self.say("250 ok")

    def on_helo(self, _):
        self.transaction = "none"
        self.say("250 faulty.example")

    def on_ehlo(self, _):
        if "ehlo_forgets_nothing" not in self.faults:
            self.transaction = "none"
        lines = ["faulty.example"]
        if self.is_tls or "lists_auth_in_clear" in self.faults:
            lines += ["AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN"]
        if not self.is_tls and "hides_starttls" not in self.faults:
            lines += ["STARTTLS"]
        lines += ["SIZE 1000000", "PIPELINING", "HELP", "8BITMIME"]
        self.say(*(f"250-{line}" for line in lines[:-1]), "250 " + lines[-1])

    def on_starttls(self, rest):
        if rest:
            return self.refuse("501 no parameters")
        if self.is_tls and "starttls_twice" not in self.faults:
            return self.say("454 TLS is active")
        self.say("220 ready")
        if "old_octets_outlive_starttls" not in self.faults:
            self.buffer = b""
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.is_tls = True
        if "state_outlives_starttls" not in self.faults:
            self.forget()

    def on_mail(self, rest):
        if self.transaction != "none" and "second_mail" not in self.faults:
            return self.refuse("503 one at a time")
        if "@@" in rest or not rest.upper().startswith("FROM:<"):
            return self.refuse("501 syntax")
        if "AUTH=" in rest and not self.is_tls:
            return self.refuse("555 no AUTH here")
        if "SIZE=1000001" in rest:
            return self.refuse("552 too big")
        self.transaction = "mail"
        self.say("250 ok")

    def on_rcpt(self, rest):
        if self.transaction == "none":
            return self.refuse("503 MAIL first")
        if "@@" in rest:
            return self.refuse("501 syntax")
        is_ours = rest.lower().endswith(f"@{peer.OURS}>")
        if (is_ours and "refuses_its_own" in self.faults) or not (is_ours or self.user or "relays" in self.faults):
            return self.refuse("550 not here")
        self.transaction = "rcpt"
        self.say("250 ok")

    def on_data(self, _):
        if self.transaction != "rcpt" and not ("data_without_recipient" in self.faults and self.transaction == "mail"):
            return self.refuse("503 RCPT first")
        self.say("354 go on")
        self.server.begun += 1
        lines = []
        while (line := self.line()) not in (None, b"."):
            lines.append(line)
        if line is not None:
            self.server.messages.append(lines)
            self.transaction = "none"
            self.say("250 taken")

    def on_auth(self, rest):
        self.attempts += 1
        if self.attempts > MAX_AUTH_ATTEMPTS:
            return self.close("421 too many AUTH")
        if self.user and "second_auth" not in self.faults:
            return self.refuse("503 once")
        if self.transaction != "none":
            if "refused_rset_of_auth" in self.faults:
                self.transaction = "none"
            return self.refuse("503 not now")
        if not self.is_tls and "auth_in_clear" not in self.faults:
            return self.refuse("504 not in clear")
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "PLAIN":
            return self.plain(initial or self.ask(""))
        if mechanism.upper() == "LOGIN":
            return self.login(initial)
        self.refuse("504 no such mechanism")

    def ask(self, text):
        self.say("334 " + text)
        line = self.line()
        return None if line is None else line.decode("latin-1")

    def decoded(self, text):
        """None, with a reply, for what is no answer."""
        try:
            if text is not None and text != "*" and len(text) < 12288 and (octets := base64.b64decode(text, validate=True)):
                return octets
        except binascii.Error:
            pass
        if text is not None:
            self.refuse("501 no answer")
        return None

    def plain(self, answer):
        octets = self.decoded(answer)
        if octets is None:
            return None
        parts = octets.split(b"\0")
        return self.judge(*parts[1:3]) if len(parts) == 3 else self.refuse("501 no answer")

    def login(self, initial):
        user = self.decoded(initial or self.ask("VXNlcm5hbWU6"))
        password = None if user is None else self.decoded(self.ask("UGFzc3dvcmQ6"))
        if password is not None:
            self.judge(user, password)

    def judge(self, user, password):
        if (user.decode(), password.decode()) == (peer.USER, peer.PASSWORD) or "any_password" in self.faults:
            self.user = user
            return self.say("235 welcome")
        if "fast_refusal" not in self.faults:
            time.sleep(DELAY_SECONDS)
        self.refuse("535 no")


class FaultyServer:
    """Serves until closed; `begun` DATA, `messages` completed, and how many `clients` came."""

    def __init__(self, context, *faults):
        self.context, self.faults = context, set(faults)
        self.begun, self.clients, self.messages = 0, 0, []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.clients += 1
            self.serve(client)

    def serve(self, client):
        Session(self, client).start()

    def close(self):
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()


class Speaker(FaultyServer):
    """No SMTP: `talk` gets each connection, in a thread of its own."""

    def __init__(self, talk):
        super().__init__(None)
        self.talk = talk

    def serve(self, client):
        def run():
            with client:
                try:
                    self.talk(client)
                except OSError:
                    pass
        threading.Thread(target=run, daemon=True).start()
