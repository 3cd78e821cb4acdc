"""Certificates made by openssl, for tests of what takes certificates and is not ours."""

import subprocess
from pathlib import Path


class TestCa:
    """A CA in a folder of its own, and what it issued. P-256 throughout."""

    __test__ = False

    def __init__(self, folder, name="Domain CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                      "-out", self.certificate, "-subj", f"/CN={name}", "-days", "30", "-addext",
                      "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, file_name, subject, usage="clientAuth", dns=None, comment=None):
        """The paths of certificate and key. A long comment makes a large certificate."""
        base = self.folder / file_name
        certificate, key, request, extensions = (Path(f"{base}{ext}") for ext in (".pem", ".key", ".csr", ".ext"))
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                      request, "-subj", subject)
        key.chmod(0o600)
        lines = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", f"extendedKeyUsage={usage}"]
        if dns:
            lines.append(f"subjectAltName=DNS:{dns}")
        if comment:
            lines.append(f"nsComment={comment}")
        extensions.write_text("\n".join(lines) + "\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days",
                      "30", "-extfile", extensions, "-out", certificate)
        return certificate, key

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=20)
        if done.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]}: {done.stdout}")
