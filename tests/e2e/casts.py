"""Scenes held with `postern serve`: those that can share a process do, and each listener rule has one in which the limits
are so small, the peers so rude or the end so near that it is taken.
"""

import contextlib
import re
import resource
import signal
import time
import urllib.request

import doors
import stage

BASE = {"SMTPGREETING": "nobody.example", "DENY_TLS": 1}
SOMEBODY = "127.0.0.2"  # in no class
REFUSAL = re.compile(r"refuse session=\S+ client=\S+ rule=(\S+) ")
METRICS = re.compile(r"\]: metrics: (\S+)")
RULE_HIT = re.compile(r'^postern_rule_hits_total\{rule="([^"]+)"\} ', re.MULTILINE)
PROXIES = "127.0.0.0/8"
SHUTDOWN_SECONDS = 6
HANDSHAKE_SECONDS = 2  # spec/limits.hpp: max_shutdown_handshake_seconds
NO_ROOM = ["S", "451 no room for another message, try again later (#4.3.0)\r\n"]
GUESS = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"  # the user of the dialogue
CALLED_BEFORE = ("connect.client_busy", "connect.client_too_fast", "connect.client_guesses", "credentials.user_gated")
LIMITS = {
    "connect.busy": {"sessions": 1},
    "connect.client_busy": {"sessions_per_address": 1},
    "connect.client_too_fast": {"connections_per_minute": 1},
    "connect.client_guesses": {"failed_users_per_hour": 1},
    "credentials.user_gated": {"failed_auths_per_hour": 1},
    "too_slow": {"data_rate_seconds": 1},
}


class Cast:
    """The dialogues of one process: same home, same limits."""

    def __init__(self, special, files):
        self.special, self._files, self._doors, self._members = special, files, {}, []

    def add(self, dialogue, scene, certificate_path, queue):
        words = tuple(scene.arguments)
        proxies = PROXIES if self.special == "connect.malformed_proxy" else None
        base = BASE | {"QMAILQUEUE": str(queue)}
        if self.special == "connect.before_tls":  # a client that is denied has no class, so the listener itself encrypts
            base |= {"SSL": 1, "TLS_SERVER_CERT": str(certificate_path)}
        door = self._doors.setdefault(words, doors.Door(base, words, proxies))
        variables = scene.class_variables(certificate_path)
        if self.special == "shutting_down":
            variables |= {"STANDIN_SECONDS": "1", "GREETDELAY": "9" if is_at_connect(dialogue) else "0"}
        address = door.classes.address_for(variables)
        if self.special in ("connect.denied", "connect.before_tls"):
            door.denied.append(address)
        self._members.append((dialogue, scene, door, address))

    def perform(self, program, folder, context):
        """[(dialogue, differences)], and the rules that the process says it took."""
        folder.mkdir()
        home = stage.make_home(folder / "home", **self._files)
        limits = {"exempt": [], **LIMITS[self.special]} if self.special in LIMITS else {}
        server = {"metrics": "127.0.0.1:0", "shutdown_seconds": SHUTDOWN_SECONDS}
        process = doors.Listening(program, folder, home, list(self._doors.values()), server=server, limits=limits)
        self._pid = process.process.pid
        try:
            with out_of_memory(process.process.pid) if self.special == "exhausted" else contextlib.nullcontext():
                runs = [self._begin(context, *member) for member in self._members]
            if self.special == "shutting_down":
                time.sleep(1.5)  # all has been read
                process.process.send_signal(signal.SIGTERM)
                taken = rules_taken_until_the_end(process)
            differences = [self._end(*run) for run in runs]
            logs = process.logs({address: 1 + self._has_called_before() for *_, address in self._members})
            if self.special != "shutting_down":
                taken = rules_taken(process)
        finally:
            code = process.end()
        for (dialogue, scene, _, address), found in zip(self._members, differences):
            found += judge(dialogue, scene, logs[address])
            found += [f"the listener ended with {code}"] if code else []
            found += [logs[address]] if found else []
        return [(member[0], found) for member, found in zip(self._members, differences)], taken

    def _begin(self, context, dialogue, scene, door, address):
        others = self._prepare(context, scene, door, address)
        is_implicit = scene.is_implicit and not (self.special or "").startswith("connect.")
        run = stage.ListenerStage(door.port, address, context, is_implicit, scene.early)
        steps = scene.steps()
        if self.special == "connect.malformed_proxy":
            steps.insert(0, ["C", "EHLO client.example\r\n"])
        if self.special == "shutting_down":
            at = steps.index(["the server ends"])
            before = at - 1 if steps[at - 1][1:] == ["250 ok <time> qp <qp>\r\n"] else at  # while it is handed over
            run.play(steps[:before], is_whole=False)
            return run, steps[before:at] + steps[at + 1:], others
        if self.special == "data.no_room":
            places = [at for at, step in enumerate(steps) if step == NO_ROOM]
            before, after = places[0] - 1, places[-1] + 1
            run.play(steps[:before], is_whole=False)
            with out_of_memory(self._pid):
                time.sleep(0.05)  # longer than a listener believes what it saw last
                run.play(steps[before:after], is_whole=False)
            return run, steps[after:], others
        run.play(steps)
        return run, None, others

    def _end(self, run, rest, others):
        if rest:
            run.play(rest)
        for each in [run, *others]:
            each.close()
        return run.differences

    def _has_called_before(self):
        """So the log of the client begins with another session."""
        return self.special in CALLED_BEFORE

    def _prepare(self, context, scene, door, address):
        """What has to have happened before: the connections that are still open."""
        greeting = [["S", f"220 {stage.HOST} ESMTP\r\n"]]
        call = lambda who, is_implicit=False: stage.ListenerStage(door.port, who, context, is_implicit)  # noqa: E731
        if self.special == "connect.busy":
            return [checked(call(SOMEBODY).play([["S", "220 nobody.example ESMTP\r\n"]], is_whole=False))]
        if self.special == "connect.client_busy":
            return [checked(call(address).play(greeting, is_whole=False))]
        if self.special == "connect.client_too_fast":
            return [checked(call(address).play([*greeting, ["C", "QUIT\r\n"], ["S", f"221 {stage.HOST}\r\n"], ["X"]]))]
        if self.special in ("connect.client_guesses", "credentials.user_gated"):
            guess = [["C", GUESS], ["S", "535 authorization failed (#5.7.0)\r\n"]]
            return [checked(call(address, scene.is_implicit).play([*greeting, *guess]))]
        return []


@contextlib.contextmanager
def out_of_memory(pid):
    """There is no more address space for a while."""
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (used, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


def checked(run):
    assert not run.differences, run.differences
    return run


def is_at_connect(dialogue):
    return dialogue["decisions"][0][0] == "shutting_down"


def judge(dialogue, scene, log):
    """What is not as written besides the lines."""
    refusals = [rule for rule, code in dialogue["decisions"] if code >= 400]
    found = []
    if REFUSAL.findall(log)[-len(refusals):] != refusals and refusals:  # a client may have had an earlier session
        found.append(f"rules of the log {REFUSAL.findall(log)}, wanted {refusals}")
    if scene.envelopes() and scene.found_envelopes() != scene.envelopes():
        found.append(f"envelopes {scene.found_envelopes()!r}, wanted {scene.envelopes()!r}")
    return found


def rules_taken_until_the_end(process):
    """It goes on for as long as clients have not closed, and one of them is in a handshake for so long."""
    taken, end = set(), time.monotonic() + HANDSHAKE_SECONDS + 1
    while time.monotonic() < end:
        try:
            taken |= rules_taken(process)
        except OSError:
            break
        time.sleep(0.1)
    return taken


def rules_taken(process):
    place = METRICS.search(process.log())[1]
    with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as page:
        return set(RULE_HIT.findall(page.read().decode()))
