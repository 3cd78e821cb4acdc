"""Every message for operators has an id that docs/messages.md explains, and nothing there is about a message that is gone."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# An id is the first thing that looks like one after the name of a function that writes a message.
CALL = re.compile(r'(?:log::(?:debug|info|warning|error|write)|\btell|\blog_line)\s*\(')
ID = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"')
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \|", re.MULTILINE)


def ids_in(text):
    found = set()
    for call in CALL.finditer(text):
        end = text.find(";", call.end())
        found |= set(ID.findall(text[call.end(): end if end > 0 else None]))
    return found


class OperatorMessages(unittest.TestCase):
    def setUp(self):
        self.used = {}
        for path in sorted((ROOT / "src").rglob("*.cpp")) + sorted((ROOT / "src").rglob("*.h")):
            for name in ids_in(path.read_text()):
                self.used.setdefault(name, str(path.relative_to(ROOT)))
        self.documented = ROW.findall((ROOT / "docs" / "messages.md").read_text())

    def test_every_message_is_explained(self):
        self.assertEqual({}, {name: where for name, where in self.used.items() if name not in self.documented})

    def test_no_explanation_outlives_its_message(self):
        self.assertEqual([], [name for name in self.documented if name not in self.used])

    def test_ids_stand_in_order_and_once(self):
        self.assertEqual(sorted(set(self.documented)), self.documented)

    def test_every_call_carries_an_id_of_the_one_form(self):
        wrong = []
        for path in sorted((ROOT / "src").rglob("*.cpp")):
            if path.parts[-2] == "base":
                continue
            text = path.read_text()
            for call in re.finditer(r"log::(?:debug|info|warning|error)\s*\(\s*\"([^\"]*)\"", text):
                if not ID.fullmatch(f'"{call[1]}"'):
                    wrong.append(f"{path.relative_to(ROOT)}: {call[1]}")
        self.assertEqual([], wrong)


if __name__ == "__main__":
    unittest.main()
