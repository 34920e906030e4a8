"""The explorer in headless Chromium: for all 64 settings it shows what `postern explain --json` says.

`python3 cli_explorer_test.py --screenshot FILE` writes the picture of the docs instead.
"""
import base64
import os
import sys
import tempfile
import unittest

import cli_chromium
from cli_program import all_settings, run, run_json, words

FACTS = {"certificate": 1, "relay_client": 0}

# What stands on the page, read from its elements.
SHOWN = """(() => {
  const text = selector => [...document.querySelectorAll(selector)].map(e => e.textContent.trim());
  const rows = [...document.querySelectorAll("#gates tr")];
  return {
    password: text("#password")[0], why: text("#why")[0], isRed: document.getElementById("answer").classList.contains("yes"),
    verdict: text("#verdict")[0], start: text("#start")[0], rule: text("#start-rule")[0],
    advice: text("#advice .text"), grades: [...document.querySelectorAll("#advice li")].map(e => e.className),
    ehlo: [...document.querySelectorAll("#ehlo pre")].map(e => e.textContent.trim().split("\\n")),
    gates: rows.map(row => ({ name: row.querySelector("th").textContent, cells: [...row.querySelectorAll("td")].map(cell => ({
      open: cell.classList.contains("open"), rule: cell.querySelector(".rule").textContent,
      reply: cell.querySelector(".reply")?.textContent ?? null })) })),
    here: text(".seed .here").length, near: text(".seed .near").length,
    pale: [...document.querySelectorAll("tr.idle[data-rule]")].map(e => e.dataset.rule),
  };
})()"""


def address(settings, port):
    chosen = {**settings, **FACTS, "backend": settings["AUTH"]}
    return "PORT=%d&" % port + "&".join(f"{name}={value}" for name, value in chosen.items())


@unittest.skipUnless(cli_chromium.find(), "no chromium here: apt install chromium-headless-shell")
class Explorer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.page = os.path.join(cls.folder.name, "policy.html")
        run("spec", "--format", "html", "-o", cls.page, env={"PATH": os.environ["PATH"]}, expect=0)
        cls.browser = cli_chromium.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.view(1280, 900)

    def show(self, hash_text=""):
        """As a reader who follows a link; the page is open already, so only the hash changes."""
        if self.browser.evaluate("location.pathname") != self.page:
            self.browser.open("file://" + self.page)
        self.browser.evaluate(f"new Promise(done => {{ if (location.hash === '#{hash_text}') return done(); "
                              f"addEventListener('hashchange', () => setTimeout(done), {{once: true}}); "
                              f"location.hash = '{hash_text}'; }})")
        return self.browser.evaluate(SHOWN)

    def compare(self, shown, wanted, settings):
        self.assertEqual(shown["verdict"], wanted["verdict"], settings)
        self.assertEqual(shown["password"], "YES" if wanted["password_in_clear"] else "NO", settings)
        self.assertEqual(shown["isRed"], wanted["password_in_clear"], settings)
        self.assertEqual(shown["password"] + ": " + shown["why"], wanted["password_sentence"], settings)
        self.assertEqual((shown["start"], shown["rule"]), (wanted["start"]["reply"], wanted["start"]["rule"]), settings)
        self.assertEqual(shown["advice"], [piece["text"] for piece in wanted["advice"]], settings)
        self.assertEqual(shown["grades"], [piece["grade"] for piece in wanted["advice"]], settings)
        self.assertEqual(shown["ehlo"], [s["ehlo"] for s in wanted["situations"] if s["authentication"] == "none"], settings)
        gates = [{"name": s["name"], "cells": [{"open": g["open"], "rule": g["rule"],
                                                "reply": None if g["open"] else g["reply"]} for g in s["gates"].values()]}
                 for s in wanted["situations"]]
        self.assertEqual(shown["gates"], gates, settings)
        place = wanted["table"]
        self.assertEqual((shown["here"], shown["near"]),
                         (1, 0) if place["exact"] else (0, len(place["nearest"])), settings)
        deciding = {row["rule"] for row in wanted["rules"]}
        self.assertFalse(deciding & set(shown["pale"]), settings)

    def test_all_64_settings_are_shown_as_explained(self):
        counted = 0
        for i, settings in enumerate(all_settings()):
            port = [25, 465, 587][i % 3]
            shown = self.show(address(settings, port))
            backend = f"backend={settings['AUTH']}"
            self.compare(shown, run_json("explain", f"PORT={port}", "certificate=1", backend, *words(settings)), settings)
            counted += 1
        self.assertEqual(counted, 64)
        self.assertEqual(self.browser.errors, [])

    def test_facts_and_other_ports_are_shown_as_explained(self):
        for text in ["FORCE_TLS=1 certificate=0 backend=0 PORT=2525", "AUTH=1 backend=0 certificate=1 PORT=25",
                     "relay_client=1 certificate=1 backend=0 PORT=25", "AUTH=1 backend=1 certificate=0 REQUIRE_AUTH=1 PORT=587"]:
            shown = self.show(text.replace(" ", "&"))
            self.compare(shown, run_json("explain", text), text)

    def test_the_first_sight_is_the_standard_of_port_25(self):
        self.browser.open("about:srcdoc")
        self.browser.open("file://" + self.page)
        shown = self.browser.evaluate(SHOWN)
        self.assertEqual((shown["password"], shown["verdict"], shown["here"]), ("NO", "live", 1))

    def test_printed_it_is_a_report_with_all_of_it_and_the_hash_of_the_policy(self):
        self.show("PORT=25&AUTH=1&certificate=1&backend=1")
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        self.addCleanup(self.browser.call, "Emulation.setEmulatedMedia", media="")
        report = self.browser.evaluate("document.querySelector('.report').innerText")
        self.assertIn(run_json("spec")["policy"], report)
        folded = "document.querySelectorAll('details:not([open])').length"
        before = self.browser.evaluate(folded)
        self.assertGreater(before, 5)
        pdf = base64.b64decode(self.browser.call("Page.printToPDF")["data"])
        self.assertTrue(pdf.startswith(b"%PDF-"))
        self.assertGreater(pdf.count(b"/Type /Page\n"), 20)
        self.assertEqual(self.browser.evaluate(folded), before)

    def test_each_law_names_its_requirements_and_each_requirement_its_laws(self):
        self.show()
        laws = self.browser.evaluate("""[...document.querySelectorAll("tr[data-law]")].map(row => [row.dataset.law,
            row.querySelector("[data-head=requirements]").textContent, row.querySelector("[data-head='proved by']").textContent])""")
        self.assertGreater(len(laws), 50)
        named = {(law, row) for law, rows, _ in laws for row in rows.split(", ") if row}
        wanted = {(cover.removeprefix("law:"), row["requirement"])
                  for section in run_json("spec")["sections"] if section["title"] == "Requirements"
                  for row in section["rows"] for cover in row["verified by"].split("\n") if cover.startswith("law:")}
        names = {law for law, _, _ in laws}
        self.assertEqual(named, {pair for pair in wanted if pair[0] in names})
        self.assertTrue(all(proof for _, _, proof in laws))

    def test_the_keyboard_is_enough_and_the_address_keeps_the_settings(self):
        self.show("PORT=25&AUTH=1&certificate=1&backend=1")
        self.browser.evaluate("document.getElementById('REQUIRE_AUTH').focus()")
        self.browser.key("Tab", "Tab")
        self.assertEqual(self.browser.evaluate("document.activeElement.id"), "ALLOW_INSECURE_AUTH")
        self.browser.key(" ", "Space", " ")
        self.assertEqual(self.browser.evaluate(SHOWN)["password"], "YES")
        self.assertIn("ALLOW_INSECURE_AUTH=1", self.browser.evaluate("location.hash"))
        outline = self.browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid")
        self.browser.key(" ", "Space", " ")
        self.assertEqual(self.browser.evaluate(SHOWN)["password"], "NO")

    def test_every_control_has_its_label_and_news_are_announced(self):
        self.show("PORT=25")
        self.assertEqual(self.browser.evaluate("[...document.querySelectorAll('input')].filter(i => !i.labels.length).length"), 0)
        self.assertEqual(self.browser.evaluate("document.getElementById('answer').getAttribute('aria-live')"), "polite")
        self.assertEqual(self.browser.evaluate("document.documentElement.lang"), "en")

    def test_a_cell_of_the_table_can_be_chosen(self):
        self.show("PORT=25")
        self.browser.evaluate("document.getElementById('cell-8').click()")
        self.assertEqual(self.browser.evaluate("location.hash"),
                         "#PORT=587&FORCE_TLS=1&AUTH=1&REQUIRE_AUTH=1&certificate=1&backend=1")

    def test_a_phone_shows_all_without_scrolling_sideways(self):
        self.browser.view(360, 740, mobile=True)
        for settings in ["PORT=25&AUTH=1&ALLOW_INSECURE_AUTH=1&FORCE_TLS=1&certificate=1&backend=1", "PORT=465&SSL=1"]:
            self.show(settings)
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 360)


DANGEROUS = "PORT=587&FORCE_TLS=1&AUTH=1&ALLOW_INSECURE_AUTH=1&certificate=1&backend=1"


def take_screenshot(file, width=1280, height=1050, dark=False, settings=DANGEROUS, scroll=0):
    Explorer.setUpClass()
    try:
        Explorer.browser.view(width, height, dark=dark, mobile=width < 600)
        Explorer.browser.open(f"file://{Explorer.page}#{settings}")
        Explorer.browser.evaluate(f"scrollTo(0, {scroll})")
        with open(file, "wb") as out:
            out.write(base64.b64decode(Explorer.browser.screenshot()))
    finally:
        Explorer.tearDownClass()


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--screenshot":
        take_screenshot(sys.argv[2])
    else:
        unittest.main(verbosity=2)
