"""What the original answered, and the dialogues and configurations in which it was asked.

recorded.json        every step and its replies, as transcripts; which transcript each configuration and session gave
sessions.json        session -> environment and steps
configurations.toml  the configurations beyond the 192 regular ones
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import tomllib

HERE = pathlib.Path(__file__).resolve().parent

SKIPPED = "<skipped>"  # the client did not send this: it needed another reply before it
CLOSED = "<closed>"    # the server closed the connection instead of replying
TIMEOUT = "<timeout>"  # the server said nothing
MISSING = "<missing>"  # the dialogue had ended before

SWITCHES = {"S": "SSL", "F": "FORCE_TLS", "D": "DENY_TLS", "R": "REQUIRE_AUTH", "I": "ALLOW_INSECURE_AUTH"}


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing the client does; `replies` is how many replies it then waits for."""
    kind: str  # send, ifgo (only after 334 or 354), if220, early (before the greeting), tls, sync, cram
    octets: bytes = b""
    replies: int = 0


@dataclasses.dataclass(frozen=True)
class Session:
    environment: dict
    steps: list


@dataclasses.dataclass(frozen=True)
class Configuration:
    backend: str = "none"
    home: str = "cert"
    environment: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Transcript:
    """What happened in one dialogue, in the words of the recording."""
    steps: list                                 # (sent, text of all replies)
    exit: str = ""                              # exit code, or `signal NAME`
    queued: list = dataclasses.field(default_factory=list)  # (envelope, message)
    log: str = ""                               # never compared (D17); for --show


def ended(text):
    """Whether nothing can follow these replies."""
    return text.endswith((CLOSED, TIMEOUT))


def load_sessions():
    with open(HERE / "sessions.json", encoding="utf-8") as file:
        data = json.load(file)
    return {name: Session(entry["env"], [read_step(*step) for step in entry["steps"]])
            for name, entry in data.items()}


def read_step(kind, octets="", replies=0):
    if kind == "cram":  # its user and password are of no use to a server without CRAM-MD5
        return Step(kind)
    pieces = [octets] if isinstance(octets, str) else octets
    text = "".join(piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)
    return Step(kind, text.encode("latin-1"), replies)


def load_configurations():
    with open(HERE / "configurations.toml", "rb") as file:
        extras = tomllib.load(file)
    configurations = dict(regular_configurations())
    for name, entry in extras.items():
        configurations[name] = Configuration(entry.get("backend", "none"), entry.get("home", "cert"),
                                             entry.get("env", {}))
    return configurations


def regular_configurations():
    """All 32 settings of the five switches, three backends, with and without a certificate; 0 means unset."""
    for bits in itertools.product("01", repeat=len(SWITCHES)):
        environment = {switch: bit for switch, bit in zip(SWITCHES.values(), bits) if bit == "1"}
        letters = "".join(letter + bit for letter, bit in zip(SWITCHES, bits))
        for backend, home in itertools.product(("none", "cdb", "cl"), ("cert", "nocert")):
            yield f"{letters}/{backend}/{home}", Configuration(backend, home, environment)


class Recording:
    def __init__(self):
        with open(HERE / "recorded.json", encoding="utf-8") as file:
            self._data = json.load(file)
        self.program = self._data["program"]

    def sessions_of(self, configuration):
        return list(self._behaviour(configuration))

    def transcript(self, configuration, session):
        return self._transcript(self._behaviour(configuration)[session])

    def _behaviour(self, configuration):
        return self._data["behaviours"][self._data["configurations"][configuration]]

    @functools.lru_cache(maxsize=None)
    def _transcript(self, number):
        transcript = Transcript([])
        stored = []
        for index in self._data["transcripts"][number]:
            sent, replies = self._data["steps"][index]
            text = "".join(replies)
            if sent == "@exit":
                transcript.exit = text
            elif sent == "@log":
                transcript.log = "\n".join(replies)
            elif sent.startswith("@queue."):
                stored.append(text)
            else:
                transcript.steps.append((sent, text))
        transcript.queued = list(zip(stored[0::2], stored[1::2]))
        return transcript
