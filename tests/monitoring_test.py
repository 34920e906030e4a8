"""packaging/monitoring: Prometheus takes the rules, they alert of what monitoring_rules.yml says, and each metric, label and value that rules
and dashboard name is on the page /metrics.

usage: monitoring_test.py SOURCE_FOLDER PATH/print_metrics
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

from prometheus_client import parser

ROOT = pathlib.Path(sys.argv.pop(1))
PROGRAM = sys.argv.pop(1)
FOLDER = ROOT / "packaging" / "monitoring"
RULES, DASHBOARD = FOLDER / "postern.rules.yml", FOLDER / "grafana.json"
ALERTS = ROOT / "tests" / "monitoring_rules.yml"
UNWATCHED = {  # by rules and dashboard: gates are seen while they are shut, and who tries a shadow looks at it
    "postern_auth_gates_closings", "postern_recipient_gates_closings", "postern_shadow_sessions", "postern_shadow_differences",
    "process_start_time_seconds"}
OF_PROMETHEUS = {"instance", "job", "le"}  # labels that it adds, or that a histogram has
METRIC = re.compile(r"\b((?:postern|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')


def page():
    """Name of a sample -> its label sets."""
    text = subprocess.run([PROGRAM, "prometheus"], capture_output=True, check=True, timeout=30).stdout.decode()
    samples = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample.labels)
    return samples


def family_of(sample):
    return re.sub(r"_(bucket|sum|count|total)$", "", sample)


def names_of_rules():
    spec = ROOT / "spec"
    policy = tomllib.loads((spec / "policy.toml").read_text())
    events = tomllib.loads((spec / "events.toml").read_text())
    return {rule["id"] for rule in policy["rule"]} | {event["name"] for event in events["event"]}


def rules_text():
    return RULES.read_text()


def expressions_of_rules(text):
    for block in re.findall(r"^ {8}expr: (>\n(?: {10}.*\n)+|.*\n)", text, re.M):
        yield " ".join(block.lstrip(">").split())


def expressions_of_dashboard(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if "definition" in variable:
            yield variable["definition"]


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.samples, cls.rules = page(), names_of_rules()

    def offences(self, expression):
        for name, matchers in METRIC.findall(expression):
            if name not in self.samples:
                yield f"{name} is not on the page"
                continue
            known = {label for labels in self.samples[name] for label in labels} | OF_PROMETHEUS
            for label, operator, value in MATCHER.findall(matchers):
                values = set(value.split("|")) if operator == "=~" else {value}
                there = self.rules if label == "rule" else {labels.get(label) for labels in self.samples[name]}
                if label not in known:
                    yield f"{name} has no label {label}"
                elif label not in OF_PROMETHEUS and not values <= there:
                    yield f"{name} has no {label} {values - there}"
        named = {label for name, _ in METRIC.findall(expression) for labels in self.samples.get(name, []) for label in labels}
        for labels in re.findall(r"\b(?:by|on|ignoring|without) \(([^)]*)\)", expression):
            for label in filter(None, (each.strip() for each in labels.split(","))):
                if label not in named | OF_PROMETHEUS:
                    yield f"no metric of it has a label {label}: {expression}"

    def test_prometheus_takes_the_rules(self):
        done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_they_alert_when_they_should(self):
        done = subprocess.run(["promtool", "test", "rules", ALERTS], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_is_taken_unjudged_has_an_alert(self):
        waived = {rule for rule in self.rules if rule.endswith("_waived")}
        self.assertGreater(len(waived), 2)
        named = {rule for rules in re.findall(r'postern_rule_hits_total\{rule=~?"([^"]*)"', rules_text()) for rule in rules.split("|")}
        self.assertEqual(waived - named, set())

    def test_prometheus_parses_each_expression_of_the_dashboard(self):
        """As rules, which it can check, and with numbers for the variables of Grafana."""
        rules = []
        for number, expression in enumerate(self.dashboard_queries()):
            expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
            rules.append({"record": f"panel:{number}", "expr": expression})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:  # JSON is YAML
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def dashboard_queries(self):
        return [each for each in expressions_of_dashboard(json.loads(DASHBOARD.read_text())) if not each.startswith("label_values")]

    def test_what_they_name_is_on_the_page(self):
        of_rules = list(expressions_of_rules(rules_text()))
        of_dashboard = list(expressions_of_dashboard(json.loads(DASHBOARD.read_text())))
        self.assertEqual(len(of_rules), rules_text().count("- alert: "))
        self.assertGreater(len(of_dashboard), 25)
        for expression in of_rules + of_dashboard:
            with self.subTest(expression):
                self.assertEqual(list(self.offences(expression)), [])

    def test_what_is_not_would_be_found(self):
        for expression in ("postern_session_total", 'postern_answers_total{outcome="fail"}', 'postern_auth_total{results="broken"}',
                           "sum by (source, nam) (postern_open_questions)", 'postern_rule_hits_total{rule="connect.bussy"}'):
            self.assertNotEqual(list(self.offences(expression)), [], expression)

    def test_each_metric_is_described(self):
        """In docs/operating.md, and each that is described is on the page."""
        text = (ROOT / "docs" / "operating.md").read_text()
        table = text[text.index("\n## Metrics\n"):text.index("\n## The log of postern serve\n")]
        named = set(re.findall(r"`((?:postern|process)_\w+)`", table))
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in self.samples}
        self.assertEqual(named, families)

    def test_each_metric_is_watched(self):
        """By a rule or a panel."""
        expressions = [*expressions_of_rules(rules_text()), *self.dashboard_queries()]
        watched = {family_of(name) for each in expressions for name, _ in METRIC.findall(each)}
        self.assertEqual({family_of(name) for name in self.samples} - watched, UNWATCHED)

    def test_each_panel_has_a_place_of_its_own(self):
        dashboard = json.loads(DASHBOARD.read_text())
        taken = {}
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24)
            for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
                self.assertNotIn(cell, taken, panel["title"])
                taken[cell] = panel["title"]
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
