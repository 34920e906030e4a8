"""Policy services in the protocol of Postfix, on private sockets: Debian's postgrey, policyd-spf and policyd-rate-limit, and
one that does what it should not."""

import grp
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import peer

USER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
PATHS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class Real:
    """A service of Debian's in a folder of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-policy-"))
        self.path = self.folder / "socket"
        self.address = f"unix:{self.path}"
        self.service = peer.Service(self.command(), PATHS, cwd=self.folder, stdout=subprocess.DEVNULL)
        if not peer.until(self.is_up):
            log = self.service.log()
            self.stop()
            raise TimeoutError("it does not start: " + log)

    def is_up(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def stop(self):
        self.service.stop()
        shutil.rmtree(self.folder)


class Postgrey(Real):
    def command(self):
        return ["postgrey", f"--unix={self.path}", f"--dbdir={self.folder}", f"--user={USER}", f"--group={GROUP}", "--delay=1",
                "--hostname=mx.example", "--auto-whitelist-clients=0"]


class RateLimit(Real):
    """So many recipients of one address in a minute."""

    def __init__(self, limit):
        self.limit = limit
        super().__init__()

    def command(self):
        lines = ["debug: False", f"user: {USER}", f"group: {GROUP}", f"pidfile: {self.folder}/pid", "backend: 0", "sqlite_config:",
                 f"    database: {self.folder}/db", f"SOCKET: {self.path}", "socket_permission: 0666", "limits:",
                 f"    - [{self.limit}, 60]", "limits_by_id: {}", "limit_by_sasl: True", "limit_by_sender: False",
                 "limit_by_ip: True", 'limited_networks: ["127.0.0.0/8"]', 'success_action: "dunno"',
                 'fail_action: "defer_if_permit Rate limit reach, retry later"', 'db_error_action: "dunno"', "report: False",
                 "delay_to_close: 300"]
        conf = self.folder / "conf.yaml"  # by its name it knows what it reads
        conf.write_text("\n".join(lines) + "\n")
        return ["policyd-rate-limit", "-f", conf]


class Listening:
    """A socket and a thread for each connection to it; `converse` is the subclass's."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-policy-"))
        self.is_ending = threading.Event()
        self.connections = 0
        self.open = set()
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.folder / "socket"))
        self.socket.listen(128)
        self.address = f"unix:{self.folder / 'socket'}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.is_ending.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.open.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """A start only tries whether it is let in: that is no conversation, and not counted."""
        try:
            if connection.recv(1, socket.MSG_PEEK):
                self.connections += 1
                self.converse(connection, self.connections)
        except OSError:
            pass
        self.open.discard(connection)
        connection.close()

    def stop(self):
        self.is_ending.set()
        for one in [self.socket, *self.open]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.socket.close()
        shutil.rmtree(self.folder)


class Spf(Listening):
    """policyd-spf, which Postfix's spawn(8) runs for each connection: so does this. It asks the DNS server of `port`."""

    PROGRAM = """
import runpy, sys, DNS
DNS.DiscoverNameServers = lambda: None
DNS.defaults.update(server=["127.0.0.1"], port=int(sys.argv.pop(1)), server_rotate=0)
runpy.run_path("/usr/bin/policyd-spf", run_name="__main__")
"""

    def __init__(self, port):
        self.port = port
        super().__init__()
        self.conf = self.folder / "conf"
        self.conf.write_text("debugLevel = 0\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = False\n"
                             "TempError_Defer = False\nskip_addresses = 192.0.2.255/32\nHide_Receiver = No\n")

    def converse(self, connection, number):
        words = ["/usr/bin/python3", "-c", self.PROGRAM, str(self.port), str(self.conf)]
        subprocess.run(words, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL, check=False, env=PATHS)


class Standin(Listening):
    """Answers by the local part of the recipient: an action of `actions`, a manner below, or DUNNO. `asked` has each request as a
    dict, with the number of its connection."""

    def __init__(self, **actions):
        self.actions = actions
        self.asked = []
        self.texts = []  # of the requests, as they came
        super().__init__()

    def recipients(self):
        return [request["recipient"] for request in self.asked]

    def name_of(self, request):
        return request["recipient"].partition("@")[0]

    def converse(self, connection, number):
        unread, answered = b"", 0
        while octets := connection.recv(65536):
            unread += octets
            while b"\n\n" in unread:
                text, unread = unread.split(b"\n\n", 1)
                self.texts.append(text)
                request = dict(line.split("=", 1) for line in text.decode("latin-1").split("\n"))
                self.asked.append(request | {"connection": number})
                name = self.name_of(request)
                manner = getattr(self, "manner_" + name, None)
                if not manner:
                    connection.sendall(f"action={self.actions.get(name, 'DUNNO')}\n\n".encode("latin-1"))
                elif not manner(connection, answered):
                    return
                answered += 1

    def manner_silent(self, connection, answered):
        return self.is_ending.wait(120) and False

    def manner_late(self, connection, answered):
        time.sleep(1.2)
        connection.sendall(b"action=REJECT late\n\n")
        return True

    def manner_trickle(self, connection, answered):
        for octet in b"action=REJECT slow\n\n":
            connection.sendall(bytes([octet]))
            time.sleep(0.01)
        return True

    def manner_closed(self, connection, answered):
        return False

    def manner_reset(self, connection, answered):
        """On a connection that was used before; a new one is answered."""
        if answered:
            return False
        connection.sendall(b"action=REJECT asked again\n\n")
        return True

    def manner_bare(self, connection, answered):
        connection.sendall(b"\n")
        return True

    def manner_half(self, connection, answered):
        connection.sendall(b"action=OK\n")
        return False

    def manner_garbage(self, connection, answered):
        connection.sendall(bytes(range(255, 0, -1)) + b"\n\n")
        return True

    def manner_smtp(self, connection, answered):
        connection.sendall(b"220 policy.example ESMTP\r\n")
        return True

    def manner_long(self, connection, answered):
        connection.sendall(b"action=OK " + b"x" * 100000 + b"\n\n")
        return True

    def manner_twice(self, connection, answered):
        connection.sendall(b"action=REJECT first\n\naction=OK\n\n")
        return True


class Staged(Standin):
    """Answers by the stage, `connect` to `data`, or where nothing is said of it by what the client says there: its HELO name up to the
    first dot, the local part of its sender, or, at DATA, too, of its recipient. Also Postfix may ask it."""

    def listen(self):
        super().listen()
        self.folder.chmod(0o755)
        (self.folder / "socket").chmod(0o777)

    def name_of(self, request):
        state = request["protocol_state"]
        stage = "helo" if state == "EHLO" else state.lower()
        if stage in self.actions or hasattr(self, "manner_" + stage):
            return stage
        said = {"connect": "", "helo": request["helo_name"].partition(".")[0], "rcpt": request["recipient"].partition("@")[0]}
        return said.get(stage, request["sender"].partition("@")[0])

    def states(self):
        return [request["protocol_state"] for request in self.asked]
