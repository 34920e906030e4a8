"""The page /metrics before those who know the formats: promtool for Prometheus, the reference parser for OpenMetrics.

usage: listener_metrics_page_test.py PATH/print_metrics
"""

import subprocess
import sys
import unittest

from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_parser

PROGRAM = sys.argv.pop(1)


def page(text_format):
    return subprocess.run([PROGRAM, text_format], capture_output=True, check=True, timeout=30).stdout.decode()


class Page(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        done = subprocess.run(["promtool", "check", "metrics"], input=page("prometheus").encode(), capture_output=True,
                              timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""))

    def test_both_formats_say_the_same(self):
        classic = {(sample.name, str(sample.labels)) for family in parser.text_string_to_metric_families(page("prometheus"))
                   for sample in family.samples}
        open_metrics = {(sample.name, str(sample.labels))
                        for family in open_parser.text_string_to_metric_families(page("open_metrics"))
                        for sample in family.samples}
        self.assertEqual(classic, open_metrics)
        self.assertGreater(len(classic), 150)

    def test_the_reference_parser_reads_open_metrics(self):
        families = {family.name: family for family in open_parser.text_string_to_metric_families(page("open_metrics"))}
        self.assertEqual(families["postern_build"].type, "info")
        self.assertEqual(families["postern_sessions"].type, "counter")
        self.assertEqual(families["postern_hand_over_seconds"].type, "histogram")
        refused = families["postern_connections_refused"].samples
        self.assertEqual(refused[1].labels["rule"], 'a "name"\nwith \\signs')


if __name__ == "__main__":
    unittest.main(verbosity=2)
