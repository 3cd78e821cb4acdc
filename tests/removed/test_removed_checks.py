"""Takes each check of checks.py out of a copy of the tree: the test that it names must notice."""

import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from checks import CHECKS, edits  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "out" / "removed"
BUILD = COPY / "build" / "dev"
RUN_SECONDS = 120  # a test that hangs without its check has noticed too


def run(command, seconds=None, cwd=COPY):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)


def build(program):
    """Builds one program of the copy; (it was built, what the compiler said)."""
    done = run(["ninja", "-C", BUILD, program])
    return done.returncode == 0, done.stdout[-3000:]


def passes(check):
    """Whether the check's test passes. That it ran at all is told by GoogleTest's count."""
    try:
        done = run([BUILD / "bin" / check.program, f"--gtest_filter={check.test}"], RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    if "Running 1 test " not in done.stdout:
        raise AssertionError(f"there is no test {check.test} in {check.program}")
    return done.returncode == 0


class RemovedChecks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                               capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, files):
            source, target = ROOT / name, COPY / name
            if not source.is_file() or source.is_symlink():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # What did not change keeps its time, and what was built of it.
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copyfile(source, target)
        configured = run(["cmake", "--preset", "dev"])
        assert configured.returncode == 0, configured.stderr
        for program in sorted({check.program for check in CHECKS}):
            built, said = build(program)
            assert built, said

    def take_out(self, check):
        whole = {name: (COPY / name).read_text() for name, _, _ in edits(check)}
        without = dict(whole)
        for name, before, after in edits(check):
            self.assertEqual(without[name].count(before), 1, f"{name} does not have this check once: {before}")
            without[name] = without[name].replace(before, after)
        self.assertTrue(passes(check), f"{check.test} does not pass even with the check")
        try:
            for name, text in without.items():
                (COPY / name).write_text(text)
            built, said = build(check.program)
            self.assertTrue(built, said)
            self.assertFalse(passes(check), f"{check.test} passes without the check of {check.file}: {check.before}")
        finally:
            for name, text in whole.items():
                (COPY / name).write_text(text)
            build(check.program)


def a_test_of(check):
    return lambda self: self.take_out(check)


wanted = sys.argv.pop(1) if __name__ == "__main__" and len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""
for number, one in enumerate(CHECKS, 1):
    if wanted in one.what:
        name = "".join(c if c.isalnum() else "_" for c in one.what)
        setattr(RemovedChecks, f"test_{number:02}_{name}", a_test_of(one))

if __name__ == "__main__":
    unittest.main(verbosity=2)
