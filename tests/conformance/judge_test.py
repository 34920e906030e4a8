#!/usr/bin/env python3
"""Tests of the comparison itself, without a program: it must be able to fail."""

import copy
import unittest

from deviations import Deviations, Place, bare
from judge import Judge
from pair import Pairs
from recording import CLOSED, MISSING, Recording, load_configurations

RECORDING = Recording()
DEVIATIONS = Deviations()
PLAIN = "S0F0D0R0I0/none/nocert"


def judge(transcript, configuration, session):
    return Judge(RECORDING, DEVIATIONS, configuration, session).compare(transcript)


def recorded(configuration, session):
    return copy.deepcopy(RECORDING.transcript(configuration, session))


def every_place():
    for configuration in load_configurations():
        for session in RECORDING.sessions_of(configuration):
            yield Place(configuration, session)


class Pairing(unittest.TestCase):
    """postern-smtpd next to the listener."""

    def compare(self, ours, theirs):
        return Pairs().compare(Place(PLAIN, "b_two_mail"), ours, theirs)

    def test_the_same_is_equal(self):
        comparison = self.compare(recorded(PLAIN, "b_two_mail"), recorded(PLAIN, "b_two_mail"))
        self.assertEqual((comparison.equal, comparison.unexplained), (comparison.steps, []))

    def test_one_octet_is_a_difference(self):
        theirs = recorded(PLAIN, "b_two_mail")
        theirs.steps[2] = (theirs.steps[2][0], theirs.steps[2][1] + " ")
        ((place, *answers),) = self.compare(recorded(PLAIN, "b_two_mail"), theirs).unexplained
        self.assertEqual(place.sent, theirs.steps[2][0])
        self.assertEqual(answers[0] + " ", answers[1])

    def test_another_message_or_end_is_a_difference(self):
        for change in (lambda theirs: theirs.queued.append(("Fa\0", "x")), lambda theirs: setattr(theirs, "exit", "9"),
                       lambda theirs: theirs.steps.pop()):
            theirs = recorded(PLAIN, "b_two_mail")
            change(theirs)
            self.assertEqual(len(self.compare(recorded(PLAIN, "b_two_mail"), theirs).unexplained), 1)

    def test_an_entry_that_covers_nothing_is_stale(self):
        self.assertNotEqual(Pairs().stale({}, [Place(PLAIN, "b_two_mail")]), [])
        self.assertEqual(Pairs().stale({}, every_place()), [])


class Judging(unittest.TestCase):
    def test_the_same_is_equal(self):
        verdict = judge(recorded(PLAIN, "b_two_mail"), PLAIN, "b_two_mail")
        self.assertEqual((verdict.equal, len(verdict.unexplained)), (verdict.steps, 0))

    def test_another_reply_is_a_difference(self):
        ours = recorded(PLAIN, "b_two_mail")
        ours.steps[2] = (ours.steps[2][0], "250 fine\r\n")
        self.assertEqual(len(judge(ours, PLAIN, "b_two_mail").unexplained), 1)

    def test_a_bare_line_feed_in_a_reply_is_a_difference(self):
        ours = recorded(PLAIN, "b_two_mail")
        ours.steps[2] = (ours.steps[2][0], "250 ok\n")
        self.assertEqual(len(judge(ours, PLAIN, "b_two_mail").unexplained), 1)

    def test_a_reply_explained_in_one_session_is_not_in_another(self):
        for session, unexplained in (("f_long_command", 0), ("a_misc", 1)):
            ours = recorded(PLAIN, session)
            ours.steps = [(sent, "500 line too long (#5.5.2)\r\n" if sent.startswith(("NOOP", "XXXXX")) else text)
                          for sent, text in ours.steps]
            found = judge(ours, PLAIN, session).unexplained
            self.assertEqual(len([difference for difference in found if "500 line" in difference.got]), unexplained)

    def test_an_early_end_does_not_follow_from_nothing(self):
        ours = recorded(PLAIN, "b_two_mail")
        ours.steps, ours.exit = ours.steps[:2] + [(ours.steps[2][0], CLOSED)], "1"
        self.assertGreater(len(judge(ours, PLAIN, "b_two_mail").unexplained), 1)

    def test_a_crash_is_never_explained(self):
        configuration = "S0F0D0R0I1/cdb/cert"
        ours = recorded(configuration, "c_b64_equals_4")
        self.assertEqual(ours.exit, "signal SIGSEGV")
        self.assertIn("@exit", [each.place.sent for each in judge(ours, configuration, "c_b64_equals_4").unexplained])

    def test_what_was_accepted_must_be_stored(self):
        ours = recorded(PLAIN, "e_message")
        ours.queued = []
        self.assertIn("@queue", [each.place.sent for each in judge(ours, PLAIN, "e_message").unexplained])

    def test_another_octet_in_a_stored_message_is_a_difference(self):
        ours = recorded(PLAIN, "e_message")
        ours.queued = [(envelope, message.replace("hello", "hullo")) for envelope, message in ours.queued]
        self.assertEqual(len(judge(ours, PLAIN, "e_message").unexplained), 1)

    def test_the_original_fails_where_it_should_be_refused(self):
        configuration = "S0F0D1R1I0/cdb/cert"  # dead: D10
        self.assertTrue(judge(recorded(configuration, "a_helo"), configuration, "a_helo").unexplained)


class Entries(unittest.TestCase):
    def test_every_entry_speaks_of_something_recorded(self):
        idle = {entry.number: entry for entry in DEVIATIONS.entries}
        for place in every_place():
            expected, instead = DEVIATIONS.expected(place, RECORDING)
            if instead:
                idle.pop(instead.number, None)
            transcript = expected or RECORDING.transcript(place.configuration, place.session)
            for number in [number for number, entry in idle.items() if entry.covers_dialogue(place)]:
                if any(idle[number].may_explain(sent, text) for sent, text in texts(transcript)):
                    del idle[number]
        self.assertEqual([entry.title for entry in idle.values()], [])


def texts(transcript):
    stored = [(part, text) for pair in transcript.queued for part, text in zip(("@queue.env", "@queue.msg"), pair)]
    asked = [(sent, MISSING) for sent in ("NOOP", "QUIT")]  # after a crash
    return [(sent.rstrip("\r\n"), bare(text)) for sent, text in transcript.steps] + stored + asked


if __name__ == "__main__":
    unittest.main(verbosity=2)
