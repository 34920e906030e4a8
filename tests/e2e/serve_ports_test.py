#!/usr/bin/env python3
"""A port has one server: a start where another process serves refuses, names it, and takes no client from it."""

import os
import re
import socket

import peer
import serve


class Ports(serve.Case):
    def setUp(self):
        super().setUp()
        self.other_home = self.fresh_home()

    def rival(self, *listeners, **tables):
        """A second server with a file of its own, which should not start."""
        home, self.home, self.file = self.home, self.other_home, self.other_home.path / "postern.toml"
        self.write_file(*listeners, **tables)
        service = self.start_serve()
        self.home, self.file = home, home.path / "postern.toml"
        return service

    def assert_refused_start(self, service, first, port):
        self.assertEqual(service.exit_code(), 100, service.log())
        self.assert_logged(service, f"process {first.pid} (postern) has it; stop that, or choose another port")
        self.assertIn(str(port), service.log())

    def test_a_second_server_is_refused_wherever_it_would_meet_the_first(self):
        for ours, theirs in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"),
                             ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("::", "::1")):
            with self.subTest(ours=ours, theirs=theirs):
                first = self.serving({"ip": ours})
                port = int(re.search(r"listen[^\n]*:(\d+)", first.log())[1])
                self.assert_refused_start(self.rival({"ip": theirs, "port": port}), first, port)
                first.terminate()

    def test_every_listener_and_the_metrics_port_count(self):
        first = self.serving({}, {}, server={"metrics": "127.0.0.1:0", "loops": 2})
        metrics = int(re.search(r"metrics: 127\.0\.0\.1:(\d+)", first.log())[1])
        self.assert_refused_start(self.rival({}, {"port": first.ports[1]}), first, first.ports[1])
        self.assert_refused_start(self.rival(server={"metrics": f"127.0.0.1:{metrics}"}), first, metrics)
        self.assert_refused_start(self.rival(server={"metrics": f"127.0.0.1:{first.port}"}), first, first.port)
        self.assert_refused_start(self.rival({"port": metrics}), first, metrics)
        self.assert_serves(first)

    def test_a_port_that_somebody_else_shares_is_taken(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            service = self.rival({"port": port})
            self.assertEqual(service.exit_code(), 100, service.log())
            self.assert_logged(service, f"process {os.getpid()} (")

    def test_of_many_starts_at_once_one_wins(self):
        port = peer.free_port()
        self.write_file({"port": port}, server={"loops": 2})
        services = [peer.Service([peer.postern(), "serve", "-c", self.file], {"PATH": os.environ["PATH"]}) for _ in range(6)]
        for service in services:
            self.addCleanup(service.stop)
        ended = lambda: [service for service in services if service.process.poll() is not None]
        self.assertTrue(peer.until(lambda: len(ended()) == 5), [service.log() for service in services])
        winner, = (service for service in services if service.process.poll() is None)
        self.assertIn("ready: serving", winner.wait_for_log("ready: serving"))
        self.assertEqual([service.process.poll() for service in ended()], [100] * 5)

    def test_addresses_of_ones_own_may_lie_within_each_other(self):
        port = peer.free_port()
        service = self.serving({"port": port, "SMTPGREETING": "near"}, {"ip": "0.0.0.0", "port": port, "SMTPGREETING": "all"},
                               server={"loops": 2})
        for address, greeting in (("127.0.0.1", "220 near ESMTP"), ("127.0.0.2", "220 all ESMTP")):
            with peer.Client(sock=socket.create_connection((address, port))) as client:
                self.assertEqual(client.greeting, greeting)
        self.assert_refused_start(self.rival({"port": port}), service, port)

    def test_a_socket_of_systemd_s_that_another_postern_serves(self):
        text = serve.as_file({"server": {"home": self.home.path}, "variables": {"POSTERN_MAILDIR": self.home.mail}}, [])
        self.file.write_text(text + '[[listener]]\nsocket = "smtp"\n')
        with socket.create_server(("127.0.0.1", 0)) as smtp:
            script = f'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=smtp; exec "$@" 3<&{smtp.fileno()}'
            start = lambda: self.start_serve(before=["bash", "-c", script, "bash"], pass_fds=(smtp.fileno(),))
            first, second = start(), start()
            self.assertTrue(first.is_ready(), first.log())
            self.assertEqual(second.exit_code(), 100, second.log())
            self.assertIn(f"process {first.pid} (postern) serves socket smtp", second.log())
            first.terminate()
            self.assertTrue(start().is_ready())


if __name__ == "__main__":
    peer.main()
