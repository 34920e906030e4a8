"""Servers of the DNS on free ports of loopback: a real rbldnsd, a real unbound, and one that does what it should not.

Faulty answers A questions below `test` by the first label of the name (its methods); `asked` says which names came, and how, but for `localhost`: by that
a start finds out whether a resolver answers.
"""

import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import peer
from peer import free_port

A, CNAME, SOA, PTR, TXT = 1, 5, 6, 12, 16
ANSWER, TRUNCATED = 0x8180, 0x0200
LISTED = bytes([127, 0, 0, 2])


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(name, data=LISTED, kind=A, ttl=60):
    return wire(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def soa(ttl, minimum):
    return record("test", wire("ns.test") + wire("admin.test") + struct.pack("!5I", 1, 2, 3, 4, minimum), SOA, ttl)


class Query:
    def __init__(self, octets):
        self.octets = octets
        self.identifier, self.flags = struct.unpack("!HH", octets[:4])
        labels, at = [], 12
        while octets[at]:
            labels.append(octets[at + 1:at + 1 + octets[at]].decode())
            at += 1 + octets[at]
        self.name = ".".join(labels)
        self.question = octets[12:at + 5]
        self.manner = labels[0]

    def reply(self, *answers, flags=ANSWER, authorities=(), identifier=None, question=None):
        identifier = self.identifier if identifier is None else identifier
        question = self.question if question is None else question
        header = struct.pack("!6H", identifier, flags, 1 if question else 0, len(answers), len(authorities), 0)
        return header + question + b"".join([*answers, *authorities])


def ask(port, octets, patience=0.2):
    """What a server answers by UDP; None for nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        client.connect(("127.0.0.1", port))
        try:
            client.send(octets)
            return client.recv(65535)
        except OSError:
            return None


def is_up(port, name):
    return peer.until(lambda: ask(port, struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + wire(name) + struct.pack("!2H", A, 1)))


class Real:
    """A server of Debian's in a folder of its own."""

    def __init__(self, prefix, probe):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        environment = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        self.service = peer.Service(self.command(), environment, cwd=self.folder, stdout=subprocess.DEVNULL)
        if not is_up(self.port, probe):
            log = self.service.log()
            self.stop()
            raise TimeoutError("it does not start: " + log)

    def stop(self):
        self.service.stop()
        shutil.rmtree(self.folder)


class Rbldnsd(Real):
    """zones: name -> lines of an ip4set; domains: name -> lines of a dnset."""

    def __init__(self, zones, domains=None):
        self.zones, self.domains = zones, domains or {}
        super().__init__("postern-rbldnsd-", "2.0.0.127." + next(iter(zones)))

    def command(self):
        words = ["rbldnsd", "-n", "-c", "0", "-w", self.folder, "-b", f"127.0.0.1/{self.port}"]
        if os.getuid() == 0:
            words += ["-u", "nobody"]
        for kind, zones in (("ip4set", self.zones), ("dnset", self.domains)):
            for name, lines in zones.items():
                (self.folder / name).write_text("\n".join(lines) + "\n")
                words.append(f"{name}:{kind}:{name}")
        return words


class Unbound(Real):
    """What `data` does not have (lines `NAME TTL IN TYPE DATA`) it asks the servers of `forward`, zone -> port."""

    def __init__(self, data, forward):
        self.data, self.forward = data, forward
        super().__init__("postern-unbound-", data[0].split()[0])

    def command(self):
        lines = ["server:", f"interface: 127.0.0.1@{self.port}", 'chroot: ""', 'username: ""', f'directory: "{self.folder}"',
                 'pidfile: ""', "use-syslog: no", "do-daemonize: no", "do-not-query-localhost: no", 'module-config: "iterator"',
                 'local-zone: "test." transparent', "num-threads: 1", "do-ip6: no"]
        lines += [f"local-data: '{line}'" for line in self.data]
        lines += ["remote-control:", "control-enable: no"]
        for zone, port in self.forward.items():
            lines += ["forward-zone:", f'name: "{zone}"', f"forward-addr: 127.0.0.1@{port}"]
        (self.folder / "conf").write_text("\n".join(lines) + "\n")
        return ["unbound", "-d", "-c", self.folder / "conf"]


class Faulty:
    def __init__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.asked = []  # (name, "udp" or "tcp", identifier)
        self.is_ending = threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_ending.set()
        ask(self.port, b"", 0.01)  # each thread wakes once more
        with socket.socket() as last:
            last.connect(("127.0.0.1", self.port))
        for thread in self.threads:
            thread.join(5)
        self.udp.close()
        self.tcp.close()

    def times(self, name, way="udp"):
        return [each[:2] for each in self.asked].count((name, way))

    def manner_of(self, query):
        """The name of the method that answers."""
        return query.manner.rstrip("0123456789")

    def serve_udp(self):
        while not self.is_ending.is_set():
            octets, client = self.udp.recvfrom(65535)
            if not octets:
                continue
            query = Query(octets)
            is_probe = query.name == "localhost"
            if not is_probe:
                self.asked.append((query.name, "udp", query.identifier))
            for reply in getattr(self, "localhost" if is_probe else self.manner_of(query))(query):
                if isinstance(reply, float):
                    self.later(reply, query, client)
                else:
                    self.udp.sendto(reply, client)

    def later(self, seconds, query, client):
        """The right answer, when others have had theirs."""
        threading.Timer(seconds, lambda: self.udp.sendto(query.reply(record(query.name)), client)).start()

    def serve_tcp(self):
        while not self.is_ending.is_set():
            client, _ = self.tcp.accept()
            threading.Thread(target=self.converse, args=(client,), daemon=True).start()

    def converse(self, client):
        with client:
            client.settimeout(10)
            while True:
                try:
                    length = client.recv(2, socket.MSG_WAITALL)
                    if len(length) < 2:
                        return
                    query = Query(client.recv(int.from_bytes(length), socket.MSG_WAITALL))
                    self.asked.append((query.name, "tcp", query.identifier))
                    for piece in getattr(self, "tcp_" + query.manner.rstrip("0123456789"), self.tcp_whole)(query):
                        client.sendall(piece)
                        time.sleep(0.002)
                except OSError:
                    return

    # what is answered by TCP: pieces
    def tcp_whole(self, query):
        reply = query.reply(record(query.name))
        yield len(reply).to_bytes(2) + reply

    def tcp_slow(self, query):
        for octet in b"".join(self.tcp_whole(query)):
            yield bytes([octet])

    def tcp_silent(self, _):
        self.is_ending.wait(10)
        yield b""

    def tcp_closed(self, _):
        raise OSError

    def tcp_cut(self, query):
        yield b"".join(self.tcp_whole(query))[:-5]
        raise OSError

    def tcp_huge(self, query):
        reply = query.reply(*[record(query.name, bytes([127, 0, i // 250, i % 250])) for i in range(2000)])
        yield len(reply).to_bytes(2) + reply

    def tcp_again(self, query):
        reply = query.reply(flags=ANSWER | TRUNCATED)
        yield len(reply).to_bytes(2) + reply

    # what is answered by UDP: datagrams, or after how many seconds the right one
    def ok(self, query):
        return [query.reply(record(query.name))]

    localhost = ok

    def silent(self, _):
        return []

    def lost(self, query):
        return [] if self.times(query.name) == 1 else self.ok(query)

    def late(self, query):
        return [0.4] if self.times(query.name) == 1 else []

    def truncated(self, query):
        return [query.reply(flags=ANSWER | TRUNCATED)]

    slow = closed = cut = again = tcpsilent = truncated

    def tcp_tcpsilent(self, query):
        return self.tcp_silent(query)

    def huge(self, query):
        return [query.reply(*[record(query.name, bytes([127, 0, 0, i])) for i in range(200)])]

    def servfail(self, query):
        return [query.reply(flags=ANSWER | 2)]

    def refused(self, query):
        return [query.reply(flags=ANSWER | 5)]

    def formerr(self, query):
        return [query.reply(flags=ANSWER | 1)]

    def notimp(self, query):
        return [query.reply(flags=ANSWER | 4)]

    def recovers(self, query):
        return self.servfail(query) if self.times(query.name) == 1 else self.ok(query)

    def wrongid(self, query):
        return [query.reply(record(query.name), identifier=query.identifier ^ 1)]

    def wrongidfirst(self, query):
        return self.wrongid(query) + [0.1]

    def otherquestion(self, query):
        other = wire("x.test") + struct.pack("!2H", A, 1)
        return [query.reply(record("x.test"), question=other), query.reply(record(query.name), question=b"")]

    def otherquestionfirst(self, query):
        return self.otherquestion(query) + [0.1]

    def othertypefirst(self, query):
        return [query.reply(record(query.name, b"\1x", TXT), question=wire(query.name) + struct.pack("!2H", TXT, 1)), 0.1]

    def echo(self, query):
        return [query.octets]

    def garbage(self, query):
        chance = random.Random(3)
        return [b"x", query.octets[:2], query.octets[:11], *[chance.randbytes(n) for n in (12, 40, 512, 1400)]]

    def garbagefirst(self, query):
        return self.garbage(query) + [0.1]

    def empty(self, query):
        return [b"", 0.1]

    def noise(self, query):
        """The right header, and noise after it."""
        return [query.reply(random.Random(4).randbytes(40))]

    def short(self, query):
        return [query.reply(record(query.name))[:-1]]

    def alias(self, query):
        return [query.reply(record(query.name, wire("b.test"), CNAME, 30), record("b.test"))]

    def loop(self, query):
        return [query.reply(record(query.name, wire("b.test"), CNAME), record("b.test", wire(query.name), CNAME))]

    def pointer(self, query):
        """A name that points at itself."""
        return [query.reply(b"\xc0" + bytes([len(query.question) + 12]) + record("", LISTED)[1:])]

    def zerottl(self, query):
        return [query.reply(record(query.name, ttl=0))]

    def largettl(self, query):
        return [query.reply(record(query.name, ttl=2 ** 31))]

    def longttl(self, query):
        return [query.reply(record(query.name, ttl=2 ** 31 - 1))]

    def nodata(self, query):
        return [query.reply(authorities=[soa(900, 150)])]

    def nxdomain(self, query):
        return [query.reply(flags=ANSWER | 3, authorities=[soa(100, 150)])]

    def nosoa(self, query):
        return [query.reply(flags=ANSWER | 3)]
