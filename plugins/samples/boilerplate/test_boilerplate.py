"""The cases, without WebAssembly."""

import json
import unittest
from pathlib import Path

from boilerplate import Boilerplate, Settings, SettingsError
from rules import RULES

CASES = Path(__file__).with_name("cases.jsonl")


class Cases(unittest.TestCase):
    def test_cases(self) -> None:
        for line in CASES.read_text(encoding="utf-8").splitlines():
            with self.subTest(line):
                self.check(json.loads(line))

    def check(self, case: dict) -> None:
        settings = json.dumps(case.get("settings", {}))
        if (why := case.get("bad_settings")) is not None:
            with self.assertRaises(SettingsError) as raised:
                Boilerplate(Settings.parse(settings))
            self.assertEqual(str(raised.exception), why)
            return
        kind, what = Boilerplate(Settings.parse(settings)).judge(case["text"])
        if kind == "scores":
            self.assertAlmostEqual(what, case["scores"]["BOILERPLATE"])
        else:
            self.assertEqual(what, case.get(kind))

    def test_settings_are_a_json_object(self) -> None:
        for settings in ["", "[]", "null", '"text"', "{"]:
            with self.subTest(settings), self.assertRaises(SettingsError):
                Settings.parse(settings)

    def test_a_rule_has_a_word_of_whatever_it_finds(self) -> None:
        for line in CASES.read_text(encoding="utf-8").splitlines():
            text = json.loads(line).get("text", "")
            for name, rule in RULES.items():
                if rule.pattern.search(text):
                    self.assertTrue(rule.may_be_in(text.lower()), name)
