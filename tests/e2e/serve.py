"""A `postern serve` with a file of its own: started, found by what it logs, stopped. For tests of what it offers."""

import concurrent.futures
import json
import os
import re
import subprocess

import peer

START_SECONDS = 20


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value))


def as_file(tables, listeners):
    """The text of a configuration: `tables` by name, and the [[listener]]s."""
    parts = [(f"[{name}]", values) for name, values in tables.items() if values]
    parts += [("[[listener]]", {"ip": "127.0.0.1", "port": 0} | listener) for listener in listeners]
    return "\n".join(head + "\n" + "".join(f"{name} = {toml(value)}\n" for name, value in values.items())
                     for head, values in parts)


def together(*works):
    """What each says, all at once; the first that fails fails the test."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]


class Serve(peer.Service):
    """Waits until it serves, or until it has refused to."""

    def __init__(self, file, environment=(), before=(), **more):
        self.file = file
        words = [*before, peer.postern(), "serve", "-c", file]
        super().__init__(words, {"PATH": os.environ["PATH"]} | dict(environment), stdin=subprocess.DEVNULL, **more)
        peer.until(lambda: self.is_ready() or self.process.poll() is not None, START_SECONDS)
        self.ports = [int(port) for port in re.findall(r'listen(?:: |","note":")127\.0\.0\.1:(\d+)', self.log())]
        self.port = self.ports[0] if self.ports else None

    def is_ready(self):
        return re.search(r'ready: serving|"event":"ready"', self.log())

    def connect(self, which=0, **more):
        return peer.Client(self.ports[which], **more)

    def exit_code(self):
        return self.process.wait(peer.PATIENCE_SECONDS)

    def terminate(self):
        self.process.terminate()
        return self.exit_code()


class Case(peer.Case):
    """A home of its own for each test."""

    def setUp(self):
        self.home = self.fresh_home()
        self.file = self.home.path / "postern.toml"

    def write_file(self, *listeners, server=None, limits=None, tls=None, variables=None):
        server = {"home": self.home.path} | (server or {})
        variables = {"POSTERN_MAILDIR": self.home.mail, "POSTERN_LOG_DECISIONS": 1} | (variables or {})
        variables = {name: value for name, value in variables.items() if value is not None}
        text = as_file({"server": server, "limits": limits, "tls": tls, "variables": variables}, listeners or [{}])
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.file)

    def start_serve(self, environment=(), before=(), **more):
        service = Serve(self.file, environment, before, **more)
        self.addCleanup(service.stop)
        return service

    def serving(self, *listeners, environment=(), before=(), **tables):
        """One that serves these listeners; `tables`: server, limits, tls, variables."""
        self.write_file(*listeners, **tables)
        service = self.start_serve(environment, before)
        self.assertTrue(service.is_ready(), service.log())
        return service

    def refused(self, *listeners, environment=(), **tables):
        """What is logged by one that does not start."""
        self.write_file(*listeners, **tables)
        service = self.start_serve(environment)
        self.assertEqual(service.exit_code(), 100, service.log())
        self.assertNotIn("listen: ", service.log())
        return service.log()

    def assert_refused(self, service, rule, reply, **more):
        """A new client gets the reply, the log has the rule, and the connection ends."""
        with service.connect(**more) as client:
            self.assertEqual(client.greeting, reply)
            self.assertEqual(client.rest(), b"")
        self.assert_logged(service, f"rule={rule} ")

    def assert_serves(self, service, code=250, **more):
        with service.connect(**more) as client:
            client.say("EHLO client.example")
            self.assert_code(code, client.deliver("Subject: x\r\n\r\nx"))
            client.say("QUIT")
