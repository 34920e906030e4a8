"""The wall clock jumps by years, forth and back, or stands still: no letter gets the name of another, and no client is
timed out by a clock that is not the one on which time is measured.
"""

import random
import time

import peer

import listening

YEAR = 365 * 24 * 3600


class Clock(listening.Case):
    def setUp(self):
        super().setUp()
        self.trouble = listening.Trouble(self.home)

    def assert_names_are_unique(self):
        names = [file.name for file in self.home.mail.rglob("new/*")]
        self.assertEqual(len(names), len(set(names)))
        return names

    def test_jumps_under_load(self):
        server = self.serve(**self.trouble.environment())
        idle, senders = server.connect(), self.load(server)
        self.addCleanup(idle.close)
        end, years = time.monotonic() + listening.seconds(4), set()
        while time.monotonic() < end:
            self.trouble.jump(random.choice((-1, 1)) * random.randrange(10 * YEAR))
            time.sleep(random.random() * 0.1)
        senders.stop()
        self.assertEqual(idle.say("NOOP"), "250 ok")
        self.assertEqual(senders.other + senders.broken, [])
        self.assert_nothing_lost(senders)
        for name in self.assert_names_are_unique():
            years.add(int(name.split(".")[0]) // YEAR)
        self.assertGreater(len(years), 5, "the clock did not jump")

    def test_a_clock_that_stands_still(self):
        server = self.serve(**self.trouble.environment())
        self.trouble.stop_the_clock(1_700_000_000)
        senders = self.load(server)
        self.assertTrue(peer.until(lambda: len(senders.answered) > 200))
        senders.stop()
        self.assert_nothing_lost(senders)
        for name in self.assert_names_are_unique():
            self.assertTrue(name.startswith("1700000000.M0P"), name)

    def test_each_day_the_log_says_which_certificate_is_to_be_renewed(self):
        """It was made for 30 days: 20 days later it has 9 left, which is less than 14 and than a third of its life."""
        self.home.pem.write_text("".join(peer.make_certificate(self.home.path, "month", days=30)))
        server = self.serve(**self.trouble.environment())
        said = "control/servercert.pem: the certificate "
        self.assertIn("certificate: " + said, server.log())
        self.assertNotIn("warning: " + said, server.log())
        for days, warning in ((20.5, said + "ends on "), (40, said + "expired on ")):
            self.trouble.jump(int(days * 86400))
            self.assertIn("warning: " + warning, server.wait_for_log("warning: " + warning))
        self.assertRegex(server.log(), "in 9 days: renew it")

    def test_time_that_is_measured_goes_on(self):
        (self.home.control / "timeoutsmtpd").write_text("2\n")
        server = self.serve(**self.trouble.environment())
        for jump in (-5 * YEAR, 5 * YEAR):
            with server.connect() as client:
                self.trouble.jump(jump)
                began = time.monotonic()
                time.sleep(1)
                self.assertEqual(client.say("NOOP"), "250 ok")
                self.assertEqual(client.reply()[:3], "421")
                self.assertGreater(time.monotonic() - began, 2.5)
                self.assertLess(time.monotonic() - began, 6)


if __name__ == "__main__":
    listening.main()
