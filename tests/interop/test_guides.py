"""What a guide tells a new user to type, typed: the `sh` blocks of docs/guide-pledge.md, guide-masa.md, guide-registrar.md and guide-ca.md, in an
empty folder whose name asks for quoting. Needs no root."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from tests.support.programs import BIN, ROOT, free_ports


def blocks_of(guide, until=None):
    """The guide's ```sh blocks, up to a heading if one is named."""
    text = (ROOT / "docs" / guide).read_text()
    if until is not None:
        text = text[:text.index(f"\n## {until}\n")]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def with_free_ports(script):
    """With ports that are free here in place of the usual ones."""
    usual = sorted(set(re.findall(r"\b(?:8443|8444|8445|8446|9443|18443|18446|19443)\b", script)))
    free = dict(zip(usual, free_ports(len(usual))))
    return re.sub(r"\b(?:" + "|".join(usual) + r")\b", lambda found: str(free[found.group()]), script)


class Guide(unittest.TestCase):
    def type(self, blocks):
        """The folder and what was printed, once the shell has ended with 0: any command that fails ends it."""
        temporary = tempfile.TemporaryDirectory(prefix="cahn 50%20 guide-")
        self.addCleanup(temporary.cleanup)
        environment = {**os.environ, "PATH": f"{pathlib.Path(BIN).resolve()}:{os.environ['PATH']}"}
        shell = subprocess.Popen(["bash", "-euo", "pipefail"], cwd=temporary.name, env=environment, text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = shell.communicate(with_free_ports("\n".join(blocks)), timeout=240)
        except subprocess.TimeoutExpired as late:
            self.fail(f"the shell does not end: {(late.stdout or b'').decode(errors='replace')}")
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.assertEqual(0, shell.returncode, output)
        return pathlib.Path(temporary.name), output

    def assert_in_order(self, sentences, output):
        at = 0
        for sentence in sentences:
            at = output.find(sentence, at)
            self.assertGreaterEqual(at, 0, f"missing: {sentence}\n{output}")
            at += len(sentence)


class TheGuideOfThePledge(Guide):
    def test_takes_a_new_user_from_the_factory_to_an_ldevid_and_back(self):
        blocks = blocks_of("guide-pledge.md")
        self.assertGreater("".join(blocks).count("cahn pledge"), 4)
        folder, output = self.type(blocks)
        # Refused while nobody had said anything, admitted, renewed, forgotten, admitted again.
        self.assert_in_order(["the registrar refused the voucher-request: 403 this registrar does not admit this device",
                              "Kept the LDevID for the network 'lab network'.", "CN = lab network, serialNumber = CAM-1",
                              "renewed: ", "Kept the LDevID for the network 'lab network'."], output)
        self.assertTrue((folder / "cam-1" / "network" / "ldevid.pem").is_file())


class TheGuideOfTheCa(Guide):
    def test_takes_a_new_user_to_a_registrar_without_a_ca_key(self):
        blocks = blocks_of("guide-ca.md")
        self.assertGreater("".join(blocks).count("cahn ca"), 2)
        folder, output = self.type(blocks)
        self.assertIn("crlNumber=", output)
        self.assertIn("subject=CN = ann@example.org", output)
        self.assertFalse((folder / "reg" / "ca.key").exists())
        self.assertEqual(0o600, (folder / "ca" / "ca.key").stat().st_mode & 0o777)


class TheGuideOfTheMasa(Guide):
    def test_takes_a_new_user_from_the_factory_over_sales_to_a_backup(self):
        blocks = blocks_of("guide-masa.md")
        self.assertGreater("".join(blocks).count("order "), 3)
        folder, output = self.type(blocks)
        # Both sales were new the first time and known the second; released afterwards; a copy that SQLite finds whole.
        self.assert_in_order(['"added":2', '"added":0', "S-1", "ok"], re.sub(r"\s*:\s*", ":", output))
        self.assertTrue((folder / "masa-backup.db").is_file())


class TheGuideOfTheRegistrar(Guide):
    def test_takes_a_new_user_from_a_maker_over_decisions_to_a_backup(self):
        blocks = blocks_of("guide-registrar.md")
        self.assertGreater("".join(blocks).count("order "), 4)
        folder, output = self.type([*blocks_of("guide-masa.md", until="Who gets a voucher"), *blocks])
        self.assert_in_order(["Bolt", "S-1", "rejected", "approved", "clean"], output)
        self.assertTrue((folder / "camera" / "network" / "ldevid.pem").is_file(), "the operator let it in")
        self.assertEqual({"registrar.db", "claims.db", "ca.key", "tls.key", "tls.pem", "node.key"},
                         {file.name for file in (folder / "backup").iterdir()})


if __name__ == "__main__":
    unittest.main()
