"""What the learner may say: each input with its octets, the event of spec/events.toml that it is, and what the world answers.

An input belongs to a mode: what a client may send after the last reply. `command`, after 334 an `answer`, after 354 `data`,
after 220 to STARTTLS a `handshake`, before all `connect`. In other modes it cannot be sent, and the mode is over at the `end`.
"""
import base64
import dataclasses

CRLF = "\r\n"
USER, PASSWORD, UNJUDGED = "alice", "wonderland", "fail"
OURS, FOREIGN, REFUSED_SENDER = "ours.example", "elsewhere.example", "spam@bad.example"
KNOWN, REFUSED, NOBODY = f"b@{OURS}", f"gone@{OURS}", f"nobody@{OURS}"
DATABYTES = 4000
MAX_RECIPIENTS = 100
CLOSED = "closed"
SECURED = "encrypted"


@dataclasses.dataclass(frozen=True)
class Input:
    """`event` of a command and of data; of an answer `plain` and `word` are what it means as a PLAIN response and as one
    word. `octets` that are None are an act: a handshake, the end of the client's side, many recipients."""
    name: str
    mode: str
    octets: bytes | None = None
    event: str = ""
    plain: str | None = None
    word: str | None = None
    more: tuple = ()

    def fact(self, name):
        return dict(self.more).get(name)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def response(user, password):
    return encoded(f"\0{user}\0{password}")


def command(name, event, line=None, end=CRLF, **more):
    return Input(name, "command", ((line or name) + end).encode("latin-1"), event, more=tuple(more.items()))


def answer(name, line, plain="response.malformed", word="response.malformed", end=CRLF):
    """`plain`: user and password with a blank between, or an event; `word`: the word, or an event."""
    return Input(name, "answer", (line + end).encode("latin-1"), plain=plain, word=word)


def data(name, event, text, **more):
    return Input(name, "data", (text + CRLF + "." + CRLF).encode("latin-1"), event, more=tuple(more.items()))


CONNECT = Input("connect", "connect")
EOFS = [Input("(end)", mode, event="eof") for mode in ("command", "answer", "data", "handshake")]
HANDSHAKES = [Input("(handshake)", "handshake", event="handshake.done"),
              Input("(no TLS)", "handshake", b"EHLO client.example\r\n", "handshake.failed")]

MAIL = command("MAIL", "mail.valid", "MAIL FROM:<a@client.example>", sender="fine")
RCPT = command("RCPT ours", "rcpt.valid", f"RCPT TO:<{KNOWN}>", recipient="ours")
FOREIGN_RCPT = command("RCPT foreign", "rcpt.valid", f"RCPT TO:<b@{FOREIGN}>", recipient="foreign")
EHLO = command("EHLO", "ehlo", "EHLO client.example")
RSET, DATA, QUIT = (command(name, name.lower()) for name in ("RSET", "DATA", "QUIT"))
UNKNOWN = command("XYZZY", "unknown")

COMMANDS = [
    EHLO, command("HELO", "helo", "HELO client.example"),
    command("STARTTLS", "starttls"), command("STARTTLS now", "starttls_parameter"),
    command("AUTH PLAIN", "auth.plain"),
    command("AUTH PLAIN right", "auth.plain_response", f"AUTH PLAIN {response(USER, PASSWORD)}", user=USER, password=PASSWORD),
    command("AUTH PLAIN wrong", "auth.plain_response", f"AUTH PLAIN {response(USER, 'no')}", user=USER, password="no"),
    command("AUTH PLAIN unjudged", "auth.plain_response", f"AUTH PLAIN {response(UNJUDGED, 'no')}", user=UNJUDGED, password="no"),
    command("AUTH LOGIN", "auth.login"),
    command("AUTH LOGIN user", "auth.login_username", f"AUTH LOGIN {encoded(USER)}", user=USER),
    command("AUTH PLAIN malformed", "auth.malformed", "AUTH PLAIN !"),
    command("AUTH CRAM-MD5", "auth.unknown_mechanism"),
    MAIL, command("MAIL refused sender", "mail.valid", f"MAIL FROM:<{REFUSED_SENDER}>", sender="refused"),
    command("MAIL AUTH=", "mail.with_auth", "MAIL FROM:<a@client.example> AUTH=<>", sender="fine"),
    command("MAIL malformed", "mail.malformed", "MAIL FROM:<a@client.example> FOO=bar"),
    command("MAIL too big", "mail.too_big", f"MAIL FROM:<a@client.example> SIZE={DATABYTES + 1}"),
    RCPT, FOREIGN_RCPT, command("RCPT percent", "rcpt.valid", f"RCPT TO:<b%{FOREIGN}@{OURS}>", recipient="relay"),
    command("RCPT refused", "rcpt.valid", f"RCPT TO:<{REFUSED}>", recipient="refused"),
    command("RCPT unknown", "rcpt.valid", f"RCPT TO:<{NOBODY}>", recipient="unknown"),
    command("RCPT malformed", "rcpt.malformed", "RCPT TO:b"),
    DATA, RSET, command("NOOP", "noop"), command("VRFY", "vrfy", "VRFY b"), command("EXPN", "expn", "EXPN b"),
    command("HELP", "help"), QUIT, command("DATA now", "argument_not_allowed"), command("QUIT now", "argument_not_allowed"),
    command("HELO alone", "argument_missing", "HELO"), command("GET", "http_request", "GET / HTTP/1.1"), UNKNOWN,
    command("NOOP, LF alone", "line.bare_lf", "NOOP", end="\n"), command("too long", "line.too_long", "NOOP " + "x" * 2048),
    command("NOOP with control octet", "line.control_octet", "NOOP \x01"),
]

ANSWERS = [
    answer("= right", response(USER, PASSWORD), plain=f"{USER} {PASSWORD}"),
    answer("= wrong", response(USER, "no"), plain=f"{USER} no"),
    answer("= unjudged", response(UNJUDGED, "no"), plain=f"{UNJUDGED} no"),
    answer("= user", encoded(USER), word=USER), answer("= password", encoded(PASSWORD), word=PASSWORD),
    answer("= user unjudged", encoded(UNJUDGED), word=UNJUDGED),
    answer("= QUIT", "QUIT", word=base64.b64decode("QUIT").decode("latin-1")), answer("= no base64", "!"), answer("= nothing", ""),
    answer("= *", "*", "response.cancelled", "response.cancelled"),
    answer("= LF alone", encoded(USER), "response.bare_lf", "response.bare_lf", end="\n"),
    answer("= too long", "A" * 12300, "response.too_long", "response.too_long"),
]

HOP = "Received: by x\r\n"
BODIES = [
    data("message", "data_end.complete", "Subject: x\r\n\r\n..x", exit=0),
    data("message deferred", "data_end.complete", "Exit: 71\r\n\r\nx", exit=71),
    data("message refused", "data_end.complete", "Exit: 31\r\n\r\nx", exit=31),
    data("message of commands", "data_end.complete", "QUIT\r\nRSET\r\nMAIL FROM:<>", exit=0),
    data("message, LF alone", "data_end.bare_cr_or_lf", "a\nb\n.\nQUIT"),
    data("message with NUL", "data_end.nul", "a\0b"),
    data("message too big", "data_end.too_big", ("x" * 998 + CRLF) * 5),
    data("message that loops", "data_end.too_many_hops", HOP * 100 + CRLF + "x"),
]

WHOLE = [CONNECT, *COMMANDS, *ANSWERS, *BODIES, *HANDSHAKES, *EOFS]

# What is counted has machines of its own, so that the counts multiply nothing else: mistakes, AUTH commands (which are mistakes,
# too, and which an accepted message does not forgive),
WHOLE_MESSAGE = Input("a whole message", "command", event="(message)")
MISTAKES = [CONNECT, UNKNOWN, WHOLE_MESSAGE, command("VRFY", "vrfy", "VRFY b"), QUIT]
ATTEMPTS = [CONNECT, command("AUTH CRAM-MD5", "auth.unknown_mechanism"), WHOLE_MESSAGE, QUIT]
# and recipients. RCPT until one is refused: how many are taken does not matter, the last reply does.
FILLED = [CONNECT, MAIL, RCPT, FOREIGN_RCPT, command("RCPT malformed", "rcpt.malformed", "RCPT TO:b"),
          Input("RCPT until refused", "command", RCPT.octets, "(recipients)"), RSET, DATA, BODIES[0], EHLO, QUIT]
MESSAGE = [MAIL, RCPT, DATA, BODIES[0]]


def next_mode(mode, said, output):
    """What may be sent after this output to that input."""
    if output.endswith(CLOSED):
        return "end"
    code = output[:3]
    if code == "354":
        return "data"
    if code == "334":
        return "answer"
    return "handshake" if code == "220" and said.event.startswith("starttls") else "command"
