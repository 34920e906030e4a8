"""What the tests of services that are asked about recipients share: a server, a client that has said MAIL, and the end of its message."""

import peer
from peer import OURS

MESSAGE = "Subject: x\r\n\r\nx\r\n"


class RecipientCase(peer.Case):
    MAIL_PARAMETERS = ""

    def start_asking(self, arguments=(), **settings):
        self.server = peer.start_server(self.home.environment(**settings), arguments)
        self.addCleanup(self.server.stop)

    def own(self, standin):
        """It ends with the test."""
        self.addCleanup(standin.stop)
        return standin

    def client(self, sender="me@sender.example", **more):
        client = self.server.connect(**more)
        self.addCleanup(client.close)
        self.assert_code(250, client.say("EHLO client.example"))
        self.assertEqual(client.say(f"MAIL FROM:<{sender}>{self.MAIL_PARAMETERS}"), "250 ok")
        return client

    def rcpt(self, client, name):
        return client.say(f"RCPT TO:<{name if '@' in name else f'{name}@{OURS}'}>")

    def deliver(self, client):
        """The reply to the message."""
        self.assert_code(354, client.say("DATA"))
        client.send(MESSAGE + ".\r\n")
        return client.reply()
