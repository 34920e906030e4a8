"""The rules that no dialogue makes `postern-smtpd` take, each with the reason: it serves one client; what
serves many takes every one of them in a test of its own."""

RULES = {
    "connect.before_tls": "tcpserver and sslserver let in, or not, before the program runs",
    "connect.busy": "one process a client: tcpserver counts them, and lets the rest wait",
    "connect.malformed_proxy": "tcpserver and the like say who the client is",
    "connect.denied": "tcpserver reads the tcprules and closes by itself",
    "connect.listed_permanently": "rblsmtpd obeys RBLSMTPD before the program runs",
    "connect.listed_for_now": "rblsmtpd obeys RBLSMTPD before the program runs",
    "connect.client_busy": "one process does not know the clients of another",
    "connect.client_too_fast": "one process does not know the clients of another",
    "connect.client_guesses": "one process does not know the clients of another",
    "credentials.user_gated": "one process does not know the failures of another",
    "recipient.greylisted": "one process does not know the triples of another",
    "exhausted": "no dialogue makes memory end; smtpd_memory_test.py lets it end at each allocation",
    "too_slow": "a process waits for the next octets only, and costs other clients nothing",
    "shutting_down": "a process ends by its own signal, at once",
    "shutting_down.in_handshake": "a process ends by its own signal, at once",
}

# Rules that no dialogue makes either program take, and the test that does, in both, or in the one that can.
ELSEWHERE = {
    "connect.dns_listed": "dns_lists_test.py",
    "recipient.client_listed": "dns_lists_test.py",
    "recipient.client_listed_may_relay": "dns_lists_test.py",
    "recipient.policy_refused": "policy_service_test.py",
    "recipient.policy_deferred": "policy_service_test.py",
    "recipient.policy_failed": "policy_service_test.py",
    "recipient.policy_waived": "policy_service_test.py",
    "recipient.greylisted": "greylist_test.py",
    "data.check": "policy_stages_test.py",
    "message.permitted": "policy_stages_test.py",
    "message.policy_refused": "policy_stages_test.py",
    "message.policy_deferred": "policy_stages_test.py",
    "message.policy_failed": "policy_stages_test.py",
    "message.policy_waived": "policy_stages_test.py",
    "hand_over.filter_refused": "rspamd_test.py",
    "hand_over.filter_deferred": "rspamd_test.py",
    "hand_over.filter_failed": "rspamd_test.py",
    "hand_over.filter_discarded": "rspamd_test.py",
    "hand_over.filter_waived": "rspamd_test.py",
    "hand_over.filter_too_big": "rspamd_test.py",
}


def untested_elsewhere(folder):
    return [f"{test} does not wait for rule={rule}" for rule, test in ELSEWHERE.items()
            if f"rule={rule} " not in (folder / test).read_text(encoding="utf-8")]


def offences(rules, taken):
    """What the list says wrong: rules that do not exist, and rules that were taken anyway."""
    return ([f"{rule} is no rule" for rule in RULES if rule not in rules] +
            [f"{rule} is the listener's alone, and was taken" for rule in RULES if rule in taken])
