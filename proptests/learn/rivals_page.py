#!/usr/bin/env python3
"""docs/rivals.md, from what rivals.py has written.

  rivals_page.py FOLDER docs/rivals.md     FOLDER holds NAME.json of each
"""
import json
import pathlib
import sys

import rival_setups

# Why each law is right, and what of it is a choice that the others document. No rival is asked to keep a law that has no source.
WHY = {
    "no_auth_on_cleartext_unless_allowed": "RFC 4954 4: no PLAIN in clear unless it is allowed on purpose",
    "auth_is_listed_only_where_it_may_be_used": "RFC 4954 4, 9",
    "no_second_auth_and_none_in_a_transaction": "RFC 4954 4: 503 after a success, and within a transaction",
    "only_the_backend_authenticates": "RFC 4954 6",
    "starttls_never_inside_tls": "RFC 3207 4.2",
    "starttls_is_listed_only_where_it_is_possible": "RFC 3207 4.2: not listed within TLS",
    "advertised_exactly_when_obeyed": "RFC 3207 4.1, RFC 4954 3, RFC 5321 4.1.1.1",
    "auth_of_mail_is_known_exactly_where_auth_is_listed": "RFC 4954 3, 5; RFC 5321 4.1.1.11: a parameter of an extension that "
                                                          "was not offered is 555",
    "relaying_only_by_relayclient_or_auth": "RFC 5321 3.6.2, 7.9",
    "a_transaction_grows_in_order": "RFC 5321 4.1.4: MAIL within a transaction is 503",
    "data_only_after_an_accepted_recipient": "RFC 5321 3.3, 4.1.1.4; a server may say 354 there and refuse the message (RFC 2920 3.1)",
    "spoiled_mail_data_is_never_kept": "RFC 5321 2.3.8, 4.1.1.4; RFC 6152 2. To take NUL or LF as they come, or to repair them, is an old and "
                                       "documented choice; to end a message at LF alone lets messages be smuggled",
    "quit_is_always_221": "RFC 5321 4.1.1.10",
    "nothing_is_executed_after_a_bare_lf": "RFC 5321 2.3.8: only CRLF ends a line. To take LF is a leniency that the others document; that we "
                                           "close is our deviation D3",
    "hello_is_remembered": "RFC 5321 4.1.4",
    "harmless_commands_are_answered": "RFC 5321 3.5.3, 4.1.1.8, 4.5.1. To refuse VRFY, or to know no HELP, is a choice that RFC 5321 3.5.2 "
                                      "and 4.1.1.8 leave",
    "a_command_has_the_arguments_of_its_syntax": "RFC 5321 4.1.1.4, 4.1.1.10; our deviation D30. To ignore what stands there is a leniency",
    "a_mistake_is_permanent_an_outage_is_not": "RFC 5321 4.2.1",
    "one_reply_per_command": "RFC 5321 4.2",
    "nobody_is_sent_away_without_cause": "RFC 5321 3.8, 4.1.1.10",
}
REMARKS = {
    "postfix": "Settings exist for what is lenient here by default: `smtpd_forbid_bare_newline`, `strict_rfc821_envelopes`.",
    "chasquid": "Its users have a domain, so the alphabet's `alice` is refused with 535, and nothing after AUTH was learnt.",
    "opensmtpd": "No handshake after STARTTLS succeeded here with this build, so nothing within TLS, and no AUTH, was learnt.",
    "aiosmtpd": "A library: what a recipient or a message is told is the handler of `rival_setups.py`.",
    "haraka": "It offers AUTH in clear to 127.0.0.1, so what is said of AUTH in clear is that choice. A login outlives STARTTLS, "
              "and STARTTLS is taken within TLS; its machine has more states for that. Wrong passwords are delayed.",
    "exim": "The lines of the message that LF alone ended had LF alone from the first one on.",
}
HEAD = """# What other receivers do under the same eyes

The learner of [proof.md](proof.md) learns the running servers of others, too, each as an MX for `ours.example` that offers STARTTLS and,
within TLS, AUTH to one user, as far as it can. Nothing here is read from their sources: only what was learnt over a socket is written
down. An output is the code, and of EHLO the keywords. Each is a package of Debian 12 (Haraka: of npm), started by `proptests/learn/rival_setups.py`, whose
settings are all there is (limits of mistakes raised, delays off). A law of `spec/laws.toml` counts as broken when a dialogue shows it; each
dialogue below was answered so by the server itself. That others do not keep a law is no defect by itself: where it is a choice that
they document, or that an RFC leaves, the last section says so. Some laws are ours alone, and none of them was made to be theirs.

```
proptests/learn/rivals.py docs/rivals build/release/bin/postern-smtpd && proptests/learn/rivals_page.py docs/rivals docs/rivals.md
```
It needs root (namespaces), graphviz, and a network for the packages. `postern` is `postern-smtpd` of this tree with AUTH=1, by the same
smaller alphabet and without any help of the table, which shows that the eyes are not blind, and that they see no fault where there is none.
The machine is as large as the words tried made it: random words and the W-method without further states, not more.
In the pictures an arrow that leaves the state as it is is not drawn.

"""


def page(found):
    yield HEAD
    yield "| server | version | states | arrows | words asked | laws broken of " + str(len(WHY)) + " |\n|---|---|--:|--:|--:|--:|\n"
    for name, each in found.items():
        yield (f"| [{name}](rivals/{name}.svg) | {each['version']} | {each['states']} | {each['arrows']} | {each['words']} | "
               f"{len(each['breaks'])} |\n")
    missing = [name for name in rival_setups.SETUPS if name not in found]
    if missing:
        yield f"\nSet up, and not learnt to the end yet: {', '.join(missing)}.\n"
    for name, each in found.items():
        yield f"\n## {name}\n" + (REMARKS[name] + "\n\n" if name in REMARKS else "")
        yield "".join(dialogue(law, word) for law, word in sorted(each["breaks"].items())) or "No dialogue breaks a law.\n"
    yield "\n## Why each law is right\n"
    yield from (f"- `{law}`: {why}.\n" for law, why in WHY.items())


def dialogue(law, word):
    said = "; ".join(f"{name}: {output.partition(' / ')[0] or '-'}" for name, output in word if name != "connect")
    return f"- `{law}`: {said}\n"


def main():
    folder, page_path = map(pathlib.Path, sys.argv[1:])
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), key=lambda path: (path.stem != "postern", path))}
    page_path.write_text("".join(page(found)))


if __name__ == "__main__":
    main()
