"""docs/threat-model.md names no defence and no test that is not there, and no threat without both."""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import named_tests  # noqa: E402

ROOT = named_tests.ROOT
ROW = re.compile(r"^\| (T-\d+) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
DEFENCE = re.compile(r"`([a-z_/0-9]+\.(?:cpp|h)): (\w+)`")


class TheThreatModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "docs" / "threat-model.md").read_text()
        cls.threats = ROW.findall(cls.text)
        cls.tests = named_tests.all_tests()

    def test_threats_are_numbered_without_a_gap(self):
        self.assertEqual([f"T-{n:02d}" for n in range(1, len(self.threats) + 1)], [row[0] for row in self.threats])
        self.assertGreaterEqual(len(self.threats), 40)

    def test_every_threat_that_is_spoken_of_is_in_a_table(self):
        known = {row[0] for row in self.threats}
        self.assertEqual(set(), set(re.findall(r"T-\d+", self.text)) - known)

    def test_every_threat_has_a_defence_and_a_test(self):
        self.assertEqual([], [row[0] for row in self.threats if not DEFENCE.search(row[2]) or not named_tests.IN_TEXT.search(row[3])])

    def test_every_test_that_is_named_exists(self):
        named = [(row[0], name) for row in self.threats for name in re.findall(r"`([^`]+)`", row[3])]
        self.assertEqual([], [(threat, name) for threat, name in named if name not in self.tests])

    def test_every_defence_that_is_named_is_in_its_file(self):
        missing = []
        for threat, _, defence, _ in self.threats:
            for file, function in DEFENCE.findall(defence):
                path = ROOT / "src" / file
                if not path.exists() or not re.search(rf"\b{function}\(", path.read_text()):
                    missing.append(f"{threat}: {file}: {function}")
        self.assertEqual([], missing)

    def test_the_pages_it_points_to_exist(self):
        pages = re.findall(r"\]\(([\w-]+\.md)\)", self.text)
        self.assertEqual([], [page for page in pages if not (ROOT / "docs" / page).exists()])


if __name__ == "__main__":
    unittest.main()
