"""Holds every #include under src/ against the floor table of docs/architecture.md.

A room may include itself, `base`, the C++ and foreign libraries, and the rooms its row names that stand on a lower floor.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*`(?:src/)?([a-z]+)/`\s*\|[^|]*\|\s*([^|]*)\|")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([a-z_0-9]+)/([^"]+)"')


def floor_table(text):
    """{room: (floor, {rooms it may use})}; 'all' in the table means every room below."""
    rows = {}
    for line in text.splitlines():
        found = ROW.match(line)
        if found:
            floor, room, uses = int(found[1]), found[2], found[3].strip()
            rows[room] = (floor, uses)
    table = {}
    for room, (floor, uses) in rows.items():
        if uses == "all":
            allowed = {other for other, (height, _) in rows.items() if height < floor}
        else:
            allowed = set(re.findall(r"[a-z]+", uses))
        table[room] = (floor, allowed | {"base"})
    return table


def violations(source_root, table):
    """Sentences that name each file and line whose include the table does not allow."""
    found = []
    for path in sorted(source_root.rglob("*")):
        if path.suffix not in {".h", ".cpp", ".c", ".hpp", ".cc"}:
            continue
        room = path.relative_to(source_root).parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            used = match[1]
            where = f"{path.relative_to(source_root)}:{number}"
            if room not in table:
                found.append(f"{where}: the room {room} is not in the table")
            elif used == room or used == "voucher" and not (source_root / "voucher" / match[2]).exists():
                continue  # itself, or the public C headers of include/voucher/
            elif used not in table:
                continue  # a foreign library's folder
            elif used not in table[room][1]:
                found.append(f"{where}: {room} may not use {used}")
            elif table[used][0] > table[room][0] or (table[used][0] == table[room][0] and used != "base"):
                found.append(f"{where}: {used} is not on a floor below {room}")
    return found


class TheHouse(unittest.TestCase):
    table = floor_table((ROOT / "docs" / "architecture.md").read_text())

    def test_the_table_is_read_whole(self):
        self.assertGreaterEqual(len(self.table), 18, self.table)
        self.assertEqual(self.table["base"][0], 1)
        self.assertIn("cascade", self.table["assurance"][1])

    def test_every_include_under_src_obeys_the_floor_table(self):
        self.assertEqual([], violations(ROOT / "src", self.table))

    def test_an_include_from_a_floor_above_would_be_found(self):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            room = pathlib.Path(folder) / "crypto"
            room.mkdir()
            (room / "x.cpp").write_text('#include "brski/pledge.h"\n#include "base/bytes.h"\n#include "store/store.h"\n')
            self.assertEqual(2, len(violations(pathlib.Path(folder), self.table)))

    def test_every_room_says_what_it_is_for(self):
        for room in sorted(p for p in (ROOT / "src").iterdir() if p.is_dir()):
            readme = room / "README.md"
            self.assertTrue(readme.exists(), f"{room.name} has no README.md")
            self.assertLessEqual(len(readme.read_text().splitlines()), 60, f"{room.name}/README.md is more than a screen")


if __name__ == "__main__":
    unittest.main()
