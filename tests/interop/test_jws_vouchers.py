"""JWS vouchers (draft-ietf-anima-jws-voucher), held against the library `jose`: it reads ours, and we read its."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

LAB = pathlib.Path(os.environ.get("CAHN_BIN", "build/release/bin")) / "crypto_lab"
NPM = pathlib.Path(__file__).resolve().parent / "npm"
REQUEST = {"ietf-voucher-request:voucher": {"created-on": "2026-03-01T12:00:00Z", "assertion": "proximity",
                                            "serial-number": "42", "nonce": "QWJjZGVmZ2hpamtsbW5vcA=="}}
ALGORITHMS = {"ES256": ("EC", "ec_paramgen_curve:P-256"), "ES384": ("EC", "ec_paramgen_curve:P-384"),
              "EdDSA": ("ED25519", None), "RS256": ("RSA", "rsa_keygen_bits:2048"),
              "PS256": ("RSA", "rsa_keygen_bits:2048")}


def run(*command, text=None):
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, input=text, capture_output=True, encoding="utf-8", timeout=120)


def done(result):
    if result.returncode != 0:
        raise AssertionError(f"exit {result.returncode}: {result.stderr}{result.stdout}")
    return result.stdout


class JwsVouchersAcrossImplementations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cahn-jws-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        if not (NPM / "node_modules" / "jose").exists():
            done(subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NPM,
                                capture_output=True, encoding="utf-8", timeout=300))
        for name, (kind, option) in ALGORITHMS.items():
            key = cls.folder / f"{name}.key"
            done(run("openssl", "genpkey", "-algorithm", kind, "-out", key, *(["-pkeyopt", option] if option else [])))
            key.chmod(0o600)
            (cls.folder / f"{name}.pem").write_text(done(run(LAB, "self-signed", key, name)))

    def sign(self, algorithm, form="general", payload=REQUEST):
        return done(run("node", NPM / "jws.mjs", "sign", self.folder / f"{algorithm}.key",
                        self.folder / f"{algorithm}.pem", algorithm, form, text=json.dumps(payload)))

    def open(self, jws, reading="strict"):
        (self.folder / "jws").write_text(jws)
        return run(LAB, "open", "jws", reading, self.folder / "jws")

    def test_one_we_sign_verifies_with_jose(self):
        for algorithm in ("ES256", "ES384", "EdDSA", "RS256"):
            with self.subTest(algorithm):
                ours = done(run(LAB, "request", self.folder / f"{algorithm}.key", self.folder / f"{algorithm}.pem",
                                "jws", "42"))
                header = json.loads(ours)["signatures"][0]["protected"]
                payload = json.loads(done(run("node", NPM / "jws.mjs", "verify", text=ours)))
                self.assertEqual(payload["ietf-voucher-request:voucher"]["serial-number"], "42")
                self.assertEqual(json.loads(base64.urlsafe_b64decode(header + "=="))["alg"], algorithm)

    def test_one_jose_signs_opens_here(self):
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                document, signer = done(self.open(self.sign(algorithm))).splitlines()
                self.assertEqual(json.loads(document), REQUEST)
                self.assertEqual(signer, f"CN={algorithm}")

    def test_other_serialisations_open_for_the_tolerant_only(self):
        for form in ("flattened", "compact"):
            with self.subTest(form):
                jws = self.sign("ES256", form)
                self.assertEqual(self.open(jws).returncode, 1)
                self.assertEqual(json.loads(done(self.open(jws, "tolerant")).splitlines()[0]), REQUEST)

    def test_what_was_changed_opens_nowhere(self):
        ours = done(run(LAB, "request", self.folder / "ES256.key", self.folder / "ES256.pem", "jws", "42"))
        for jws in (ours, self.sign("ES256")):
            message = json.loads(jws)
            other = json.loads(self.sign("ES256", payload={"ietf-voucher-request:voucher": {"serial-number": "43"}}))
            message["payload"] = other["payload"]
            changed = json.dumps(message)
            refused = self.open(changed)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("bad_signature", refused.stderr)
            self.assertNotEqual(run("node", NPM / "jws.mjs", "verify", text=changed).returncode, 0)


if __name__ == "__main__":
    unittest.main()
