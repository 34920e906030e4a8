"""A userdb of its own that speaks Dovecot's auth protocol on a private socket, and does what it should not."""

from policy_peers import Listening


class Standin(Listening):
    """Answers USER by the local part of the name: a line of `answers`, in which {id} is the number of the question, or that there is
    such a user; "" ends the connection, None says nothing. `greeting` comes first; `commands` are all that it has heard."""

    def __init__(self, greeting="VERSION\t1\t2\nSPID\t1\n", **answers):
        self.greeting, self.answers = greeting, answers
        self.commands = []
        super().__init__()

    def names(self):
        return [command[2] for command in self.commands if command[0] == "USER"]

    def serve(self, connection):
        self.connections += 1
        try:
            with connection, connection.makefile("rwb") as file:
                self.converse(file)
        except (OSError, ValueError):
            pass
        self.open.discard(connection)

    def stop(self):
        if not self.is_ending.is_set():
            super().stop()

    def converse(self, file):
        file.write(self.greeting.encode())
        file.flush()
        for line in file:
            command = line.decode("latin-1").rstrip("\n").split("\t")
            self.commands.append(command)
            if command[0] != "USER":
                continue
            answer = self.answers.get(command[2].split("@")[0], "USER\t{id}\t{name}\tuid=1000\thome=/home/x\n")
            if answer is None:
                self.is_ending.wait(120)
            if not answer:
                return
            file.write(answer.replace("{id}", command[1]).replace("{name}", command[2]).encode("latin-1"))
            file.flush()
