"""Every test of the tree by the name that documents use for it.

  unit_brski APledge.RefusesAVoucherForAnotherSerialNumber    GoogleTest: program, suite.test
  system test_road.TheRoad.test_06_eapol_test_joins           unittest: folder of tests/, file.class.method
  fuzz http_response                                          a libFuzzer target

A GoogleTest counts only if its file is among the sources that the folder's CMakeLists.txt compiles.
"""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
GTEST = re.compile(r"^(?:TEST|TEST_F|TEST_P)\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
LOOP = re.compile(r"foreach\((\w+)\s+([^)]*)\)(.*?)endforeach\(\)", re.DOTALL)
FUZZ = re.compile(r"cahn_fuzz\(\s*(\w+)\s+SOURCES\s+(\S+)")
# A name as it stands between backticks in a document.
IN_TEXT = re.compile(r"`((?:unit_\w+ \w+\.\w+)|(?:(?:system|interop|house) \w+\.\w+\.\w+)|(?:fuzz \w+))`")


def unit_tests(root=ROOT):
    """{name: path of the file}"""
    found = {}
    for folder in sorted(p for p in (root / "tests" / "unit").iterdir() if p.is_dir()):
        lists = folder / "CMakeLists.txt"
        sources = set(re.findall(r"[\w./]+\.cpp", lists.read_text())) if lists.exists() else set()
        for path in sorted(folder.glob("*.cpp")):
            if path.name in sources:
                for suite, test in GTEST.findall(path.read_text()):
                    found[f"unit_{folder.name} {suite}.{test}"] = path
    return found


def python_tests(root=ROOT):
    found = {}
    for group in ("house", "interop", "system"):
        for path in sorted((root / "tests" / group).glob("test_*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    for member in node.body:
                        if isinstance(member, ast.FunctionDef) and member.name.startswith("test"):
                            found[f"{group} {path.stem}.{node.name}.{member.name}"] = path
    return found


def fuzz_targets(root=ROOT):
    """{name: path of its source}"""
    found = {}
    for lists in sorted((root / "tests" / "fuzz").glob("*/CMakeLists.txt")):
        text = lists.read_text()
        for variable, words, body in LOOP.findall(text):
            text += "".join(body.replace(f"${{{variable}}}", word) for word in words.split())
        for name, source in FUZZ.findall(text):
            found[f"fuzz {name}"] = lists.parent / source
    return found


def all_tests(root=ROOT):
    return {**unit_tests(root), **python_tests(root), **fuzz_targets(root)}
