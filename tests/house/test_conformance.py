"""docs/conformance.md says of every row what holds it, and names no test that is not there."""

import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import conformance  # noqa: E402
import named_tests  # noqa: E402


class TheConformanceTables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = conformance.read_rows()
        cls.entries = conformance.read_entries()
        cls.tests = named_tests.all_tests()

    def test_there_are_389_rows_in_order(self):
        self.assertEqual([f"B-{n:03d}" for n in range(1, 390)], list(self.rows))
        self.assertEqual([], [row for row, cells in self.rows.items() if not all(cells)])

    def test_every_row_has_an_entry_and_every_entry_a_row(self):
        self.assertEqual([], sorted(set(self.rows) ^ set(self.entries)))

    def test_every_test_that_is_named_exists(self):
        missing = [f"{row}: {test}" for row, entry in self.entries.items() for test in entry.tests if test not in self.tests]
        # Reasons name tests too.
        missing += [f"{row}: {test}" for row, entry in self.entries.items()
                    for test in named_tests.IN_TEXT.findall(entry.words) if test not in self.tests]
        self.assertEqual([], missing)

    def test_what_is_said_in_words_is_a_sentence(self):
        wrong = [row for row, entry in self.entries.items() if entry.words and not re.search(r"[.)]$", entry.words)]
        self.assertEqual([], wrong)

    def test_the_document_is_what_the_generator_writes_now(self):
        self.assertEqual(conformance.document(), conformance.DOCUMENT.read_text(),
                         "run tests/house/conformance.py and commit docs/conformance.md")

    def test_the_tests_of_the_tree_are_found(self):
        for name in ("unit_brski APledge.RefusesAVoucherForAnotherSerialNumber", "unit_crypto SignedMessages.ComeBackAsTheyWereSigned",
                     "system test_road.TheRoad.test_06_eapol_test_joins_with_our_ldevid", "fuzz http_response", "fuzz certificate",
                     "house test_conformance.TheConformanceTables.test_the_tests_of_the_tree_are_found"):
            self.assertIn(name, self.tests)


class TablesWithAMistake(unittest.TestCase):
    def entries(self, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, lines in files.items():
                (pathlib.Path(folder) / f"{name}.tsv").write_text("\n".join("\t".join(line) for line in lines) + "\n")
            return conformance.read_entries(pathlib.Path(folder))

    def refused(self, because, **files):
        with self.assertRaisesRegex(conformance.Wrong, because):
            self.entries(**files)

    def test_are_refused_with_the_place(self):
        self.refused("tests.tsv:1: 2 columns", tests=[("B-001", "tested")])
        self.refused("tests.tsv:2: B-001 is there twice", tests=[("B-001", "tested", "t", "")] * 2)
        self.refused("'done' is none of", tests=[("B-001", "done", "t", "")])
        self.refused("needs a test", tests=[("B-001", "tested", "", "Trust me.")])
        self.refused("needs words", tests=[("B-001", "open", "t", "")])
        self.refused("needs words", tests=[("B-001", "n/a", "t", "No.")])
        self.refused("one file says n/a", tests=[("B-001", "n/a", "", "No.")], tests_b=[("B-001", "tested", "t", "")])

    def test_of_two_files_the_one_that_has_the_test_closes_the_row(self):
        entry = self.entries(tests=[("B-001", "open", "a", "Half.")], tests_b=[("B-001", "tested", "b; a", "")])["B-001"]
        self.assertEqual(("tested", ["a", "b"], ""), (entry.state, entry.tests, entry.words))
        entry = self.entries(tests=[("B-001", "open", "", "Half.")], tests_b=[("B-001", "open", "b", "More.")])["B-001"]
        self.assertEqual(("open", ["b"], "More."), (entry.state, entry.tests, entry.words))


if __name__ == "__main__":
    unittest.main()
