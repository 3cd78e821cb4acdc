"""docs/hostile-input.md tells of the tests as they are, and of enough of them in every area."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import hostile_input  # noqa: E402
import named_tests  # noqa: E402


class HostileInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = hostile_input.cases()

    def test_the_document_is_what_the_generator_writes_now(self):
        self.assertEqual(hostile_input.document(), hostile_input.DOCUMENT.read_text(),
                         "run tests/house/hostile_input.py and commit docs/hostile-input.md")

    def test_there_are_150_cases_and_none_of_the_areas_is_left_out(self):
        self.assertGreaterEqual(sum(len(rows) for rows in self.cases.values()), 150)
        self.assertEqual([], [area for area, rows in self.cases.items() if len(rows) < 5])

    def test_every_test_that_is_named_by_hand_exists(self):
        tests = named_tests.all_tests()
        self.assertEqual([], [name for name in hostile_input.ALSO + hostile_input.NOT if name not in tests])
        self.assertEqual([], [name for name in hostile_input.ALSO if hostile_input.SAYS_SO.search(name)], "their names say so already")

    def test_every_case_has_a_body_that_was_read(self):
        paths = named_tests.all_tests()
        sources = {}
        empty = []
        for rows in self.cases.values():
            for name, _, _ in rows:
                source = sources[paths[name]] = sources.get(paths[name]) or hostile_input.Source(paths[name])
                if len(source.body(name)) < 10:
                    empty.append(name)
        self.assertEqual([], empty)

    def test_every_fuzz_target_has_seeds_and_says_what_it_reads(self):
        self.assertEqual([], [row[0] for row in hostile_input.fuzz_table() if not row[1] or row[2] == 0])

    def test_names_become_sentences(self):
        said = {
            "unit_brski APledge.RefusesAVoucherForAnotherSerialNumber": "A pledge refuses a voucher for another serial number.",
            "unit_crypto Messages.AreRefusedWithSha1": "Messages are refused with SHA-1.",
            "unit_brski ARegistrar.RefusesASelfSignedIDevID": "A registrar refuses a self signed IDevID.",
            "unit_brski AMasa.RefusesADeviceOfAnotherCA": "A MASA refuses a device of another CA.",
            "unit_brski AnIssuedCertificate.OfACAIsRefused": "An issued certificate of a CA is refused.",
            "unit_cascade Node.ABrokenSignatureIsStoredThenRefused": "Node: a broken signature is stored then refused.",
            "unit_net FrameTest.ClosesAPeerThatSaysNothing": "Frame closes a peer that says nothing.",
            "system test_road.TheRoad.test_18_a_request_for_a_ca_certificate_is_refused": "A request for a ca certificate is refused.",
        }
        self.assertEqual(said, {name: hostile_input.sentence(name) for name in said})


if __name__ == "__main__":
    unittest.main()
