"""One connection: an input goes out as octets, what comes back is one output.

An output is the reply as it stands, line by line (of a message that was taken without its number); after 221 and 421 also
whether the server closes. A server that says nothing is `silence`, one that closes `closed`, a handshake that is done `encrypted`.
"""
import re
import select
import socket
import ssl

import alphabet
from alphabet import CLOSED, SECURED

PATIENCE_SECONDS = 30
SHORT_SECONDS = 5  # for an end that 221 or 421 announced
ALERT = b"\x15\x03"
NUMBERS = re.compile(r"^250 ok \d{9,11} qp \d+$")


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


CONTEXT = tls_context()


class Talk:
    """`text_of` makes the output of the lines of a reply."""

    def __init__(self, sock, is_implicit=False, text_of=None):
        sock.settimeout(PATIENCE_SECONDS)
        self.sock, self.unread, self.is_implicit, self.text_of = sock, b"", is_implicit, text_of or as_it_stands

    def outputs(self, word):
        """Of each input, until the end, or one that may not be said there."""
        found, mode = [], "connect"
        for said in word:
            if said.mode != mode:
                break
            output = self.output(said)
            mode = alphabet.next_mode(mode, said, output)
            found.append(output)
        return found

    def output(self, said):
        if said.mode != "connect" and self.strays():
            return f"unasked: {self.lines()}"
        if said.event == "(message)":
            return self.message()
        if said.event == "(recipients)":
            return self.fill(said)
        if said.event == "handshake.done":
            return self.secure()
        if said.mode == "connect" and self.is_implicit and self.secure() != SECURED:
            return CLOSED
        if said.event == "eof":
            end_of(self.sock)
        elif said.octets and not self.send(said.octets):
            return CLOSED
        return self.reply()

    def message(self):
        for said in alphabet.MESSAGE:
            output = self.output(said)
            if output[:1] not in "23":
                break
        return output

    def fill(self, said):
        output = ""
        for _ in range(alphabet.MAX_RECIPIENTS + 1):
            if not self.send(said.octets):
                return CLOSED
            output = self.reply()
            if not output.startswith("250"):
                break
        return output

    # ---- octets

    def strays(self):
        """What came without having been asked for. Within TLS only what has been decrypted shows."""
        return bool(self.unread) or (not isinstance(self.sock, ssl.SSLSocket) and readable(self.sock) and peeked(self.sock))

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except OSError:
            return False
        return True

    def secure(self):
        try:
            self.sock = CONTEXT.wrap_socket(self.sock)
        except (OSError, ValueError):
            return CLOSED
        return SECURED

    def reply(self):
        lines = self.lines()
        if lines is None:
            return "silence"
        if not lines:
            return CLOSED
        output = self.text_of(lines)
        return f"{output}, {CLOSED}" if lines[-1][:3] in ("221", "421") and self.is_closed() else output

    def lines(self):
        """Of one reply; [] at the end, None when nothing comes."""
        lines = []
        while True:
            while b"\n" not in self.unread:
                octets = self.received()
                if octets is None:
                    return None
                if not octets:
                    return lines
                self.unread += octets
                if self.unread.startswith(ALERT):
                    return []
            line, _, self.unread = self.unread.partition(b"\n")
            lines.append(line.rstrip(b"\r").decode("latin-1"))
            if lines[-1][3:4] != "-":
                return lines

    def received(self):
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def is_closed(self):
        self.sock.settimeout(SHORT_SECONDS)
        octets = self.received()
        self.sock.settimeout(PATIENCE_SECONDS)
        self.unread += octets or b""
        return octets == b""

    def close(self):
        self.sock.close()


def as_it_stands(lines):
    text = " / ".join([f"{lines[-1][:3]} {lines[0][4:]}", *(line[4:] for line in lines[1:])])
    return "250 ok {verdict}" if NUMBERS.match(text) else text


def readable(sock):
    return bool(select.select([sock], [], [], 0)[0])


def peeked(sock):
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def end_of(sock):
    """The client's side ends, within TLS as without."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_WR)
    except OSError:
        pass
