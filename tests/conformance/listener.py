"""Holds dialogues with `postern serve`: the same steps over TCP, and what postern-smtpd finds in its environment as the
variables of a class of clients (tests/e2e/doors.py). One process a home, one listener a check program.
"""

import pathlib
import re
import sys

from client import Connection, Dialogue, collect_queue, early_and_later, make_tls_context, speak
from recording import CLOSED, HERE, Transcript

sys.path.insert(0, str(HERE.parent / "e2e"))
import doors  # noqa: E402

# What a listener knows of its clients by itself.
OF_THE_CONNECTION = {"PATH", "PROTO", "POSTERN_HOME", "TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT"}
# A listener needs a valid start for clients in no class.
BASE = {"SMTPGREETING": "nobody.example", "DENY_TLS": 1}
CIPHER = re.compile(r" \(TLSv1\.[23] [A-Z0-9_-]+\);")
END = re.compile(r"\]: end session=\S+ client=\S+ by=(\S+) ")


class Listener:
    """All places first, then `start`, then `hold` from any thread or process, `settle`, and `end`."""

    def __init__(self, program, root, homes, timeout_seconds):
        self._program, self._root, self._homes = program, pathlib.Path(root) / "listeners", homes
        self._timeout_seconds, self._tls_context = timeout_seconds, make_tls_context()
        self._doors, self._addresses, self._processes = {}, {}, {}
        self._queue = self._root / "queue"
        self._queue.mkdir(parents=True)

    def expect(self, place, configuration, session):
        words = tuple(self._homes.arguments(configuration))
        of_home = self._doors.setdefault(configuration.home, {})
        door = of_home.setdefault(words, doors.Door(BASE, words))
        self._addresses[place] = door, door.classes.address_for(self._variables(configuration, session))

    def _variables(self, configuration, session):
        environment = self._homes.environment(configuration, session)
        variables = {name: value for name, value in environment.items() if name not in OF_THE_CONNECTION}
        if is_implicit(variables) and not self._homes.has_certificate(configuration.home):
            # sslserver before postern-smtpd has a certificate of its own
            variables.setdefault("TLS_SERVER_CERT", str(self._homes.certificates / "rsa.pem"))
        return variables | {"QUEUE_FOLDER": str(self._queue)}

    def start(self):
        for home, of_home in self._doors.items():
            self._processes[home] = doors.Listening(self._program, self._root / home, self._homes.path(home),
                                                    list(of_home.values()))

    def hold(self, place, configuration, session):
        door, address = self._addresses[place]
        connection = Connection(doors.connect(door.port, address), self._timeout_seconds)
        early, steps = early_and_later(session)
        dialogue = Dialogue(connection, self._tls_context)
        is_tls_first = is_implicit(self._homes.environment(configuration, session))
        if is_tls_first and connection.start_tls(self._tls_context) != "<ok>":
            dialogue.steps.append(("@connect", CLOSED))
        else:
            if early:
                connection.send(early.octets)
            speak(dialogue, early, steps)
        connection.close()
        queued = collect_queue(f"{self._queue}/{address}")
        return Transcript(dialogue.steps, "", [(envelope, as_recorded(message, address, is_tls_first))
                                               for envelope, message in queued])

    def settle(self, transcripts):
        """Gives each transcript its log, and what postern-smtpd would have as exit code: 0 after QUIT."""
        homes = {}
        for place in transcripts:
            home = next(home for home, of_home in self._doors.items() if self._addresses[place][0] in of_home.values())
            homes.setdefault(home, []).append(place)
        for home, places in homes.items():
            logs = self._processes[home].logs({self._addresses[place][1]: 1 for place in places})
            for place in places:
                transcripts[place].log = logs[self._addresses[place][1]]
                ends = END.findall(transcripts[place].log)
                transcripts[place].exit = {"quit": "0", "close": "1"}.get(ends[0], ends[0]) if len(ends) == 1 else f"<{len(ends)} ends>"

    def end(self):
        """Sentences about processes that did not end as they should."""
        ends = {home: process.end() for home, process in self._processes.items()}
        return [f"the listener of home {home} ended with {code}:\n{self._processes[home].log()[-1000:]}"
                for home, code in ends.items() if code != 0]


def as_recorded(message, address, is_tls_first):
    """The message as if its client had come from the address of the recording; and where TLS comes first, as if another
    program had done it that does not tell the cipher: there it must be told."""
    message = re.sub(rf"(?<=[(@]){re.escape(address)}\)", "127.0.0.1)", message, count=1)
    return CIPHER.sub(";", message, count=1) if is_tls_first and CIPHER.search(message) else \
        f"<no cipher> {message}" if is_tls_first else message


def is_implicit(variables):
    return variables.get("SSL") == "1"
