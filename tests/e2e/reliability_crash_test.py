"""kill -9 at random moments under load: what was answered with 250 is whole in its Maildirs, once; nothing is there by half.

A killed process loses what only it knew; what the kernel knows stays. So this holds the order of its calls: no
reply before the last link. (That each file is on the disk before its reply is held by daemon_maildir_traced_group_test.)
"""

import random
import signal
import time

import listening

ROUNDS = 100


class Crash(listening.Case):
    def test_nothing_is_lost_when_it_is_killed_at_any_moment(self):
        end, rounds, answered, unanswered = time.monotonic() + listening.seconds(10), 0, 0, 0
        while time.monotonic() < end and rounds < ROUNDS:
            senders = self.one_round()
            answered, unanswered = answered + len(senders.answered), unanswered + len(senders.unanswered)
            rounds += 1
        print(f"{rounds} times killed; {answered} letters answered, {unanswered} on their way", end=" ", flush=True)
        self.assertGreater(answered, rounds)
        self.assertGreater(unanswered, 0)

    def one_round(self):
        server = listening.Serve(self.home)
        senders = listening.Senders(server.port)
        try:
            time.sleep(0.05 + random.random() * 0.3)
            server.signal(signal.SIGKILL)
            server.exit_code()
        finally:
            senders.stop()
            server.stop()
        self.assert_nothing_lost(senders)
        self.assertEqual(senders.other, [])
        self.home.forget_mail()
        return senders


if __name__ == "__main__":
    listening.main()
