"""Laws of spec/laws.toml that a client can see broken, held against a learnt machine of any server.

An observer walks beside the machine and knows what a client knows: whether the channel is encrypted, whether 235 was said on it,
and what has been taken of a transaction. An arrow that breaks a law is shown by a shortest dialogue that ends with it.
"""
from collections import deque
from dataclasses import dataclass, replace

from alphabet import CLOSED, EHLO, SECURED


@dataclass(frozen=True)
class Seen:
    is_secure: bool = False
    is_authenticated: bool = False
    transaction: str = "none"
    listed: frozenset = frozenset()  # by the last EHLO on this channel
    is_refused: bool = False  # something was


@dataclass(frozen=True)
class Arrow:
    """What a law looks at: what was seen before, the input, the output, and what EHLO would list there. A server may ask for EHLO
    first: so only what the last EHLO listed must be obeyed, and only what neither lists must not be."""
    before: Seen
    name: str
    event: str
    output: str
    listable: frozenset
    can_be_asked: bool

    def lists(self, word):
        return word in self.before.listed and word in self.listable

    def hides(self, word):
        return self.can_be_asked and word not in self.before.listed and word not in self.listable

    @property
    def code(self):
        return self.output[:3]

    @property
    def obeys_auth(self):
        return self.event.startswith("auth.") and self.code in ("235", "334")


def lists(arrow, word):
    return arrow.event == "ehlo" and any(each.split()[0] == word for each in arrow.output.split(" / ")[1:])


def is_taken(arrow):
    return arrow.code == "250"


# name of the law: what breaks it
BREAKS = {
    "no_auth_on_cleartext_unless_allowed": lambda a: a.obeys_auth and not a.before.is_secure,
    "auth_is_listed_only_where_it_may_be_used": lambda a: lists(a, "AUTH") and not a.before.is_secure,
    "no_second_auth_and_none_in_a_transaction":
        lambda a: a.obeys_auth and (a.before.is_authenticated or a.before.transaction != "none"),
    "only_the_backend_authenticates": lambda a: a.code == "235" and "wrong" in a.name,
    "starttls_never_inside_tls": lambda a: a.event == "starttls" and a.code == "220" and a.before.is_secure,
    "starttls_is_listed_only_where_it_is_possible": lambda a: lists(a, "STARTTLS") and a.before.is_secure,
    "advertised_exactly_when_obeyed": lambda a: a.event in ("auth.plain", "auth.plain_response") and a.lists("AUTH") and
        not a.before.is_authenticated and a.before.transaction == "none" and a.code not in ("235", "334", "535", "421") or
        a.obeys_auth and a.hides("AUTH") or
        a.event == "starttls" and (a.code != "220" and a.lists("STARTTLS") or a.code == "220" and a.hides("STARTTLS")),
    "auth_of_mail_is_known_exactly_where_auth_is_listed":
        lambda a: a.event == "mail.with_auth" and is_taken(a) and a.hides("AUTH"),
    "relaying_only_by_relayclient_or_auth":
        lambda a: a.name == "RCPT foreign" and is_taken(a) and not a.before.is_authenticated,
    "a_transaction_grows_in_order":
        lambda a: a.event.startswith("mail.") and is_taken(a) and a.before.transaction != "none" or
        a.event.startswith("rcpt.") and is_taken(a) and a.before.transaction == "none",
    "data_only_after_an_accepted_recipient": lambda a: a.code == "354" and a.before.transaction != "rcpt",
    "spoiled_mail_data_is_never_kept":
        lambda a: a.event in ("data_end.bare_cr_or_lf", "data_end.nul") and is_taken(a),
    "quit_is_always_221": lambda a: a.event == "quit" and a.output != f"221, {CLOSED}",
    "nothing_is_executed_after_a_bare_lf": lambda a: a.event == "line.bare_lf" and a.code[0] in "23",
    "hello_is_remembered": lambda a: a.event in ("helo", "ehlo") and not is_taken(a),
    "harmless_commands_are_answered":
        lambda a: a.event in ("rset", "noop") and not is_taken(a) or a.event == "vrfy" and a.code != "252" or
        a.event == "help" and a.code != "214",
    "a_command_has_the_arguments_of_its_syntax": lambda a: a.event == "argument_not_allowed" and a.code[0] != "5",
    "a_mistake_is_permanent_an_outage_is_not":
        lambda a: a.event in ("mail.malformed", "rcpt.malformed", "unknown", "starttls_parameter", "auth.malformed",
                              "auth.unknown_mechanism", "response.malformed", "response.cancelled") and a.code[0] != "5" or
        a.name == "RCPT foreign" and a.code[0] == "4" and a.before.transaction != "none",
    "one_reply_per_command": lambda a: a.output == "silence" or "unasked" in a.output,
    "nobody_is_sent_away_without_cause":
        lambda a: CLOSED in a.output and not a.before.is_refused and a.event not in ("quit", "argument_not_allowed", "line.bare_lf", "http_request", "handshake.failed"),
}


def offences(machine):
    """{law: a shortest word that ends with what breaks it}."""
    found, start = {}, (0, Seen())
    ways, todo = {start: ()}, deque([start])
    while todo:
        state, seen = at = todo.popleft()
        for said, (output, to) in sorted(machine.rows[state].items(), key=lambda item: item[0].name):
            event = said.event or answer_event(seen, said)
            asked = machine.rows[state].get(EHLO, ("",))[0]
            arrow = Arrow(seen, said.name, event, output, keywords(asked), asked.startswith("250"))
            for law, is_broken in BREAKS.items():
                if law not in found and may_judge(machine, state, law, output) and is_broken(arrow):
                    found[law] = (*ways[at], said)
            after = to, observed(seen, said, event, output)
            if after not in ways:
                ways[after] = (*ways[at], said)
                todo.append(after)
    return found


def may_judge(machine, state, law, output):
    """Not where the server has closed already, and the client only learns it now; a reply that nobody asked for breaks one law."""
    if "unasked" in output:
        return law == "one_reply_per_command"
    return output != CLOSED or any(other != CLOSED for other, _ in machine.rows[state].values())


def keywords(output):
    return frozenset(each.split()[0] for each in output.split(" / ")[1:])


def answer_event(seen, said):
    if said.name in ("= *", "= no base64"):
        return "response.cancelled" if said.name == "= *" else "response.malformed"
    return "response"


def observed(seen, said, event, output):
    code = output[:3]
    seen = replace(seen, is_refused=seen.is_refused or code[0] in "45")
    if output == SECURED:
        return Seen(is_secure=True, is_refused=seen.is_refused)
    if event == "ehlo" and code == "250":
        seen = replace(seen, listed=keywords(output))
    if code == "235":
        return replace(seen, is_authenticated=True)
    if event.startswith("mail.") and code == "250":
        return replace(seen, transaction="mail" if seen.transaction == "none" else seen.transaction)
    if event.startswith("rcpt.") and code == "250":
        return replace(seen, transaction="rcpt")
    if (event in ("rset", "helo", "ehlo") and code == "250") or said.mode == "data":
        return replace(seen, transaction="none")
    return seen
