"""docs/configuration.md has every key and flag that the sources of `cahn` have, and none that is gone."""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import configuration  # noqa: E402


def without(text, mark):
    """The document with one row taken out."""
    return "".join(line for line in text.splitlines(True) if mark not in line)


class TheConfigurationReference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = configuration.DOCUMENT.read_text()
        cls.tables = configuration.tables()

    def documented(self):
        return {name: list(configuration.words_by_hand(table)) for name, table in configuration.MARKED.findall(self.text)}

    def test_every_key_is_documented_and_no_key_that_is_gone(self):
        self.assertEqual({name: [key.name for key in keys] for name, keys in self.tables.items()}, self.documented(),
                         "run tests/house/configuration.py and write what is new")

    def test_kinds_defaults_and_helps_are_those_of_the_code(self):
        self.assertEqual(configuration.brought_up_to_date(self.text, self.tables), self.text,
                         "run tests/house/configuration.py and commit docs/configuration.md")

    def test_what_has_no_help_in_the_code_is_explained_by_hand(self):
        rows = {name: configuration.words_by_hand(table) for name, table in configuration.MARKED.findall(self.text)}
        unexplained = [f"{name}: {key.name}" for name, keys in self.tables.items() for key in keys
                       if not key.help and not rows[name][key.name]]
        self.assertEqual([], unexplained)

    def test_no_call_in_the_sources_was_overlooked(self):
        texts = [path.read_text() for path in configuration.SOURCES.glob("*") if path.name not in ("role_settings.cpp", "role_settings.h")]
        self.assertEqual(sum(len(re.findall(r"\brole\.add\(", text)) for text in texts), configuration.number_of_keys())
        flags = sum(len(keys) for keys in configuration.commands().values())
        self.assertEqual(sum(len(re.findall(r"->add_(?:option|flag)\(", text)) for text in texts), flags)

    def test_needed_settings_are_marked(self):
        rows = {name: configuration.words_by_hand(table) for name, table in configuration.MARKED.findall(self.text)}
        unmarked = []
        for path in sorted(configuration.SOURCES.glob("*_role.cpp")):
            role = f"cahn {path.stem.removesuffix('_role')}"
            for key in re.findall(r'\.require\("([\w-]+)"', path.read_text()):
                if "**Needed" not in rows[role][key]:
                    unmarked.append(f"{role}: {key}")
        self.assertEqual([], unmarked)

    def test_a_key_that_is_new_or_gone_would_be_noticed(self):
        longer = self.text.replace("<!-- end -->", "| `gone` | text | | It was here. | |\n<!-- end -->", 1)
        self.assertNotEqual(longer, configuration.brought_up_to_date(longer, self.tables))
        shorter = without(self.text, "| `lease-seconds` |")
        self.assertNotEqual(shorter, configuration.brought_up_to_date(shorter, self.tables))
        # What is brought up to date keeps the words of people.
        self.assertIn("this bounds what it does alone", configuration.brought_up_to_date(self.text, self.tables))


if __name__ == "__main__":
    unittest.main()
