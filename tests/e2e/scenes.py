"""Written dialogues as scenes: the home, the settings and the stand-ins by which every outcome of a dialogue is brought
about for real, and its steps. Dialogues whose outcomes no home can bring about in one session are Impossible.
"""

import re
import shlex
import tomllib

import peer
import stage

SPEC = peer.ROOT / "spec"
LISTED = {"connect.listed_permanently": "-", "connect.listed_for_now": ""}  # what RBLSMTPD begins with
CHECK_EXITS = {"credentials.accepted": 0, "credentials.rejected": 1, "credentials.broken": 111}
OF_MAILBOXES = ("recipient.refused", "recipient.unknown", "recipient.too_many_unknown")  # and of domains of ours
OF_PROGRAMS = {"recipient.program_refused": 100, "recipient.program_deferred": 111}  # and of mailboxes that there are
SILENT_HANDSHAKES = {"handshake.failed": "garbage", "timeout": "wait", "eof": "eof"}


BY_POLICY = "no policy service answers here; policy_service_test.py and policy_stages_test.py have some"
BY_GREYLIST = "nobody comes from networks of strangers here; greylist_test.py lets some"
BY_DNS = "nobody answers for lists of the DNS here; dns_lists_test.py has some"
BY_FILTER = "no filter judges messages here; rspamd_test.py has one"
LEFT = "hand_over.client_gone"


class Impossible(Exception):
    """No home can bring it about."""


def exit_codes():
    """The first exit code for each text of a queue program."""
    rows = tomllib.loads((SPEC / "replies.toml").read_text())
    found = {}
    for row in rows["queue_exit"]:
        found.setdefault(row["text"], row["first"])
    return found


def rules():
    return [row["id"] for row in tomllib.loads((SPEC / "policy.toml").read_text())["rule"]]


class Scene:
    """A dialogue, made ready in a folder."""

    def __init__(self, dialogue, folder, certificate, queue_exits):
        self._dialogue, self._folder, self._queue_exits = dialogue, folder, queue_exits
        world = dialogue["world"]
        self._events = [(item[1], item[2]) for item in dialogue["items"] if item[0] == "="]
        self.files = {"databytes": f"{dialogue['databytes']}\n"}
        self._settings = {name: world[name] for name in world if name.isupper()}
        self._settings |= {"QMAILQUEUE": folder.parent / "queue", "STANDIN_ENVELOPES": folder / "envelopes"}
        self.arguments = [stage.HOST, folder.parent / "check", "/bin/true"] if world["backend"] else []
        self.early = b""
        if world["certificate"]:
            self.files["servercert_pem"] = certificate
        if dialogue["max_recipients"] < 1000:
            if dialogue["max_recipients"] < 100:
                raise Impossible("MAXRCPT is at least 100")
            self._settings["MAXRCPT"] = dialogue["max_recipients"]
        if not dialogue["has_room"]:  # what a process of its own cannot begin; casts.py takes the memory of a listener
            self._settings["QMAILQUEUE"] = peer.write_script(folder / "unstartable", "\x7fELF of no machine\0")
        self._start()
        self._recipients()
        self.is_implicit = world["SSL"] == 1
        names = [name for name, _ in self._events]
        self._is_too_slow = "too_slow" in names
        self._is_in_data = any(item[1].startswith("354 ") for item in dialogue["items"] if item[0] == "S")
        if "timeout" in names or (self._is_too_slow and not self._is_in_data):
            self.files["timeoutsmtpd"] = "1\n"

    def variables(self):
        """Of a process of its own, in a home of its own."""
        if not (self._folder / "home").exists():
            stage.make_home(self._folder / "home", **self.files)
        return stage.environment(self._folder / "home", **self.own_variables())

    def class_variables(self, certificate_path):
        """Of a class of the listener's clients: it has to encrypt by itself, and to see early octets it has to look."""
        variables = dict(self.own_variables())
        if self.is_implicit:
            variables["TLS_SERVER_CERT"] = certificate_path
        if self.early:
            variables["GREETDELAY"] = 1
        for name, text in self._events:
            if name in LISTED:
                variables["RBLSMTPD"] = LISTED[name] + text
        return {name: str(value) for name, value in variables.items() if value is not None}

    def own_variables(self):
        check = [CHECK_EXITS[name] for name, _ in self._events if name in CHECK_EXITS]
        if {"connect.client_guesses", "credentials.user_gated"} & {name for name, _ in self._events}:
            check.insert(0, CHECK_EXITS["credentials.rejected"])  # the guess that goes before
        queue = [self._queue_exit(name, text) for name, text in self._events
                 if name.startswith("hand_over.") and name != LEFT]
        return self._settings | {"STANDIN_CHECK_EXITS": self._list("check", check),
                                 "STANDIN_EXITS": self._list("queue", queue)}

    def _list(self, name, codes):
        file = self._folder / f"{name}-exits"
        file.write_text("".join(f"{code}\n" for code in codes))
        return file

    def _queue_exit(self, name, text):
        if name.startswith("hand_over.filter_"):
            raise Impossible(BY_FILTER)
        if name == "hand_over.accepted":
            return 0
        if text not in self._queue_exits:
            raise Impossible(f"no exit code says {text!r}")
        return self._queue_exits[text]

    def _start(self):
        event = self._events[0][0]
        if any(name.startswith("message.") for name, _ in self._events):
            raise Impossible(BY_POLICY)
        if any(name == "exhausted" for name, _ in self._events[1:]):
            raise Impossible("memory does not run out at a command of the client; reliability_memory_test.py tries all the others")
        if event == "exhausted" and self._dialogue["world"]["SSL"]:
            raise Impossible("memory runs out before the handshake, not between it and the greeting")
        if event == "connect.bad_value":
            self._settings["MAXRCPT"] = "many"
        elif event == "connect.no_controls":
            self.files["me"] = None
        elif event == "connect.no_auth_cdb":
            self._settings["AUTH_CDB"] = self._folder / "nowhere.cdb"
        elif event == "connect.broken_certificate":
            self.files["servercert_pem"] = "no certificate\n"
        elif event == "connect.no_hand_over":
            self._settings["QMAILQUEUE"] = self._folder / "nowhere"
        elif event == "connect.dns_listed":
            raise Impossible(BY_DNS)
        elif event == "connect.early_talker":
            self._settings["DROP_PRE_GREET"] = 1
            self.early = b"EHLO client.example.com\r\n"

    def _recipients(self):
        standing, senders = {}, {}
        for sender, mailbox, event in self._dialogue["lookups"]:
            if event == "recipient.relay_requested":
                self._settings["RELAYREJ"] = 1
                continue
            is_refused = event == "recipient.sender_refused"
            if senders.setdefault(sender, is_refused) != is_refused:
                raise Impossible(f"{sender} is refused and is not")
            if event == "recipient.client_listed":
                raise Impossible(BY_DNS)
            if event == "recipient.greylisted":
                raise Impossible(BY_GREYLIST)
            if event.startswith("recipient.policy_"):
                raise Impossible(BY_POLICY)
            domain = mailbox.rpartition("@")[2] if "@" in mailbox else None
            if event in OF_MAILBOXES or event in OF_PROGRAMS:
                event = "recipient.ours"
            if not is_refused and domain and standing.setdefault(domain, event) != event:
                raise Impossible(f"{domain} is {standing[domain]} and {event}")
        events = set(standing.values())
        if {"recipient.unknowable", "recipient.foreign"} <= events:
            raise Impossible("lists that are readable and are not")
        ours = [domain for domain, event in standing.items() if event == "recipient.ours"]
        self.files["rcpthosts"] = "".join(f"{domain}\n" for domain in ours) or "nobody.example\n"
        self.files["badmailfrom"] = "".join(f"{sender}\n" for sender, is_refused in senders.items() if is_refused)
        if "recipient.unknowable" in events:
            self.files["morercpthosts_cdb"] = "no cdb"
        self._mailboxes()
        self._program()
        if self._dialogue["world"]["local_only"]:
            self._settings["POSTERN_RELAY"] = 0
        if self._dialogue["world"]["relay_client"]:
            self._settings["RELAYCLIENT"] = self._added_by_relay_client()

    def _mailboxes(self):
        """Those that a list of recipients refuses, or lacks."""
        asked = [(mailbox, event) for _, mailbox, event in self._dialogue["lookups"]]
        named = {name: {mailbox for mailbox, event in asked if event == name} for name in (*OF_MAILBOXES, "recipient.ours")}
        refused, unknown, too_many, ours = named.values()
        ours = ours | {mailbox for mailbox, event in asked if event in OF_PROGRAMS}
        if (refused | unknown | too_many) & ours:
            raise Impossible("a mailbox that is there and is not")
        if refused:
            self.files["badrcptto"] = "".join(f"{mailbox}\n" for mailbox in sorted(refused))
        if unknown | too_many:
            self._settings["VALIDRCPTTO_CDB"] = peer.make_cdb(self._folder / "valid.cdb", {mailbox.lower(): "" for mailbox in ours})
            self._settings["VALIDRCPTTO_LIMIT"] = sum(event == "recipient.unknown" for _, event in asked) if too_many else 0

    def _program(self):
        """One that says of each mailbox what the dialogue says."""
        texts = [text for name, text in self._events if name.startswith("recipient.")]
        asked = {mailbox: (event, text) for (_, mailbox, event), text in zip(self._dialogue["lookups"], texts) if event in OF_PROGRAMS}
        if any(mailbox in asked and asked[mailbox][0] != event for _, mailbox, event in self._dialogue["lookups"]):
            raise Impossible("a program that says this and that of one mailbox")
        if asked:
            cases = [f"{shlex.quote(mailbox)}) printf %s {shlex.quote(text)} >&4; exit {OF_PROGRAMS[event]};;"
                     for mailbox, (event, text) in asked.items()]
            self._settings["RCPTCHECK"] = peer.write_script(
                self._folder / "rcptcheck", "\n".join(["#!/bin/sh", 'case "$RECIPIENT" in', *cases, "esac", ""]))

    def _added_by_relay_client(self):
        texts = [text for name, text in self._events if name.startswith("recipient.")]
        pairs = zip(texts, (mailbox for _, mailbox, _ in self._dialogue["lookups"]))
        return next((text.removeprefix(mailbox) for text, mailbox in pairs if text), "")

    def steps(self):
        """What the client says until it listens is one burst."""
        steps = []
        for item in self._dialogue["items"]:
            if item[0] == "C" and self._is_too_slow and not item[1].endswith("\r\n"):
                steps.append(["drip", item[1]])
            elif item[0] == "C" and steps and steps[-1][0] == "C":
                steps[-1][1] += item[1] * item[2]
            elif item[0] == "C":
                steps.append(["C", item[1] * item[2]])
            elif item[0] in "SX":
                line = re.sub(r"^250 ok \d+ qp \d+\r\n$", "250 ok <time> qp <qp>\r\n", item[1])
                steps.append([item[0], line])
            elif item[0] == "=":
                steps += self._act(item[1], steps)
        return steps

    def _act(self, event, steps):
        if event == "handshake.done":
            return [["tls"]]
        if event == LEFT:
            return [["eof"]]
        is_in_handshake = any(step == ["S", "220 ready for tls\r\n"] for step in steps) and ["tls"] not in steps
        if event == "shutting_down" or (event == "connect.shutting_down" and not self.is_implicit):
            return [["the server ends"]]
        acts = SILENT_HANDSHAKES if is_in_handshake else {"timeout": "wait", "too_slow": "wait", "eof": "eof"}
        return [[acts[event]]] if event in acts else []

    def envelopes(self):
        """As the queue program must have got them; nothing when the dialogue does not show them."""
        if LEFT in dict(self._events):
            return ""
        all_items = [item for item in self._dialogue["items"] if item[0] in "FT"]
        text = "".join(f"{item[0]}{item[1]}\0" for item in all_items)
        return text.replace("\0F", "\0\0\nF") + "\0\n" if text else ""

    def found_envelopes(self):
        file = self._folder / "envelopes"
        return file.read_bytes().decode("latin-1") if file.exists() else ""


