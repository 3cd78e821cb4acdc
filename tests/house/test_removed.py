"""Every entry of tests/removed/checks.py still names a check that stands once in its file, and a test that exists.

Whether the test notices that the check is gone is tried by `./test --long`.
"""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "house"), str(ROOT / "tests" / "removed")]
from checks import CHECKS, edits  # noqa: E402
from named_tests import unit_tests  # noqa: E402


class TheListOfChecks(unittest.TestCase):
    def test_names_checks_that_stand_once_in_their_file(self):
        for check in CHECKS:
            with self.subTest(check.what):
                for name, before, after in edits(check):
                    self.assertEqual((ROOT / name).read_text().count(before), 1)
                    self.assertNotEqual(before, after)

    def test_names_tests_that_exist(self):
        known = unit_tests()
        for check in CHECKS:
            with self.subTest(check.what):
                self.assertIn(f"{check.program} {check.test}", known)

    def test_names_nothing_twice(self):
        names = [check.what for check in CHECKS]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
