"""What guides tell a new user to type, typed: the shell blocks of docs/guide-pledge.md and docs/guide-ca.md, each in an empty folder
whose name asks for quoting. Needs no root."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from tests.support.programs import BIN, ROOT, free_ports


def script_of(guide):
    """The guide's ```sh blocks as one script, with ports that are free here in place of the usual ones."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", guide.read_text(), re.MULTILINE | re.DOTALL)
    script = "\n".join(blocks)
    usual = sorted(set(re.findall(r"\b(?:8443|8444|8445|8446|9443|18443|18446|19443)\b", script)))
    free = dict(zip(usual, free_ports(len(usual))))
    return re.sub(r"\b(?:" + "|".join(usual) + r")\b", lambda found: str(free[found.group()]), script)


def typed(script, folder):
    """Exit code and output of the script, typed in that folder; what it leaves running is killed."""
    environment = {**os.environ, "PATH": f"{pathlib.Path(BIN).resolve()}:{os.environ['PATH']}"}
    shell = subprocess.Popen(["bash", "-euo", "pipefail"], cwd=folder, env=environment, text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = shell.communicate(script, timeout=120)
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return shell.returncode, output


class TheGuideOfTheCa(unittest.TestCase):
    def test_takes_a_new_user_to_a_registrar_without_a_ca_key(self):
        script = script_of(ROOT / "docs" / "guide-ca.md")
        self.assertGreater(script.count("cahn ca"), 2)
        with tempfile.TemporaryDirectory(prefix="cahn 50%20 guide-") as folder:
            code, output = typed(script, folder)
            self.assertEqual(0, code, output)
            self.assertIn("crlNumber=", output)
            self.assertIn("subject=CN = ann@example.org", output)
            self.assertFalse((pathlib.Path(folder) / "reg" / "ca.key").exists())
            self.assertEqual(0o600, (pathlib.Path(folder) / "ca" / "ca.key").stat().st_mode & 0o777)


class TheGuideOfThePledge(unittest.TestCase):
    def test_takes_a_new_user_from_the_factory_to_an_ldevid_and_back(self):
        script = script_of(ROOT / "docs" / "guide-pledge.md")
        self.assertGreater(script.count("cahn pledge"), 4)
        with tempfile.TemporaryDirectory(prefix="cahn 50%20 guide-") as folder:
            code, output = typed(script, folder)
            self.assertEqual(0, code, output)
            # In this order: refused while nobody had said anything, admitted, renewed, forgotten, admitted again.
            sentences = ["the registrar refused the voucher-request: 403 this registrar does not admit this device",
                         "Kept the LDevID for the network 'lab network'.", "CN = lab network, serialNumber = CAM-1", "renewed: ",
                         "Kept the LDevID for the network 'lab network'."]
            at = 0
            for sentence in sentences:
                at = output.find(sentence, at)
                self.assertGreaterEqual(at, 0, f"missing: {sentence}\n{output}")
                at += len(sentence)
            self.assertTrue((pathlib.Path(folder) / "cam-1" / "network" / "ldevid.pem").is_file())


if __name__ == "__main__":
    unittest.main()
