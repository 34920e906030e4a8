"""A mail cluster of its own that speaks LMTP on a private socket, and does what it should not."""

import time

from policy_peers import Listening


class Standin(Listening):
    """Answers RCPT by the local part of the recipient: a reply of `answers`, or "250 fine"; what a reply contains with CRLF are more
    replies, "" ends the connection and None says nothing. `lhlo` and `mail` are its replies to these; `mail` may be changed by a
    test, and is for probes alone where `only_probes`. `commands` are all that it has heard, `taken` are the messages."""

    def __init__(self, lhlo="250-cluster\r\n250 PIPELINING", mail="250 fine", only_probes=False, **answers):
        self.lhlo, self.mail, self.only_probes, self.answers = lhlo, mail, only_probes, answers
        self.commands, self.taken = [], []
        super().__init__()

    def recipients(self):
        """As they were asked about, whether or not a message followed."""
        return [command[9:-1] for command in self.commands if command.startswith("RCPT TO:<")]

    def stop(self):
        if not self.is_ending.is_set():
            super().stop()

    def serve(self, connection):
        self.connections += 1
        try:
            with connection, connection.makefile("rwb") as file:
                self.converse(file, self.connections)
        except (OSError, ValueError):
            pass
        self.open.discard(connection)

    def say(self, file, reply):
        """False: the connection ends."""
        while reply is None and not self.is_ending.is_set():
            time.sleep(0.1)
        if not reply:
            return False
        file.write((reply + "\r\n").encode())
        file.flush()
        return True

    def reply_to(self, command):
        if command.startswith("LHLO"):
            return self.lhlo
        if command.startswith("MAIL"):
            is_probe = command.startswith("MAIL FROM:<>")
            return self.mail if is_probe or not self.only_probes else "250 fine"
        if command.startswith("RCPT"):
            return self.answers.get(command[9:].split("@")[0], "250 fine")
        return "250 fine"

    def converse(self, file, number):
        self.say(file, "220 cluster")
        recipients = 0
        for line in file:
            command = line.decode("latin-1").rstrip("\r\n")
            self.commands.append(command)
            if command == "QUIT":
                return
            if command == "DATA":
                self.say(file, "354 go on")
                text = b""
                while (line := file.readline()) not in (b"", b".\r\n"):
                    text += line
                self.taken.append(text.decode("latin-1"))
                self.say(file, "\r\n".join(["250 taken"] * recipients))
                continue
            recipients = recipients + 1 if command.startswith("RCPT") else 0
            if not self.say(file, self.reply_to(command)):
                return
