"""Other people's programs against a registrar and a MASA on loopback: openssl, curl, strongSwan's pki. Needs no root."""

import base64
import re
import unittest

from tests.support.programs import OneDevice, run

from cast import wait_until


class OthersPrograms(OneDevice):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain.submit(cls.domain.binding(cls.domain.bob))
        cls.est = f"https://localhost:{cls.domain.ports[0]}/.well-known/est"

    def csr(self, name, subject="/serialNumber=acme-0001", *more):
        key, out = self.domain.folder / f"{name}.key", self.domain.folder / f"{name}.der"
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-outform", "DER", "-out", out, "-subj", subject, *more)
        return key, out

    def certificates(self, answer):
        """The PEM of the certificates in a base64 certs-only answer, by openssl."""
        der = base64.b64decode(answer)
        return run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=der).stdout

    def test_openssl_verifies_the_voucher_with_the_masa_anchor(self):
        done = run("openssl", "cms", "-verify", "-inform", "DER", "-in", self.files / "voucher.cms", "-purpose", "any",
                   "-CAfile", self.device / "masa-anchor.pem")
        self.assertIn(b'"ietf-voucher:voucher"', done.stdout)
        self.assertIn(b'"serial-number":"acme-0001"', done.stdout.replace(b" ", b""))

    def test_openssl_refuses_the_voucher_with_another_anchor(self):
        done = run("openssl", "cms", "-verify", "-inform", "DER", "-in", self.files / "voucher.cms", "-purpose", "any",
                   "-CAfile", self.domain.domain_ca, check=False)
        self.assertNotEqual(0, done.returncode)

    def test_openssl_verifies_idevid_and_ldevid_against_their_authorities(self):
        run("openssl", "verify", "-CAfile", self.maker.state / "manufacturer-ca.pem", self.device / "idevid.pem")
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, self.files / "ldevid.pem")
        text = run("openssl", "x509", "-noout", "-text", "-in", self.device / "idevid.pem").stdout.decode()
        self.assertIn("Not After : Dec 31 23:59:59 9999 GMT", text)
        self.assertIn("serialNumber = acme-0001", text)
        self.assertIn("1.3.6.1.5.5.7.1.32", text)

    def test_openssl_verifies_the_crl_and_finds_no_good_ldevid_on_it(self):
        status, crl = self.curl(f"https://localhost:{self.domain.ports[0]}/crl")
        self.assertEqual(200, status)
        path = self.domain.folder / "crl.pem"
        path.write_bytes(run("openssl", "crl", "-inform", "DER", input=crl).stdout)
        run("openssl", "verify", "-crl_check", "-CRLfile", path, "-CAfile", self.domain.domain_ca, self.files / "ldevid.pem")

    def test_curl_reads_cacerts_without_a_client_certificate(self):
        status, body = self.curl(f"{self.est}/cacerts")
        self.assertEqual(200, status)
        self.assertNotIn(b"\n", body.strip(), "strongSwan reads one line only")
        self.assertIn(b"BEGIN CERTIFICATE", self.certificates(body))

    def test_curl_enrols_with_the_idevid_of_a_vouchered_device(self):
        key, csr = self.csr("curl")
        status, body = self.curl("--cert", self.device / "idevid.pem", "--key", self.device / "idevid.key", "-H",
                                 "Content-Type: application/pkcs10", "--data-binary", "@-", f"{self.est}/simpleenroll",
                                 input=base64.b64encode(csr.read_bytes()))
        self.assertEqual(200, status, body)
        certificate = self.domain.folder / "curl.pem"
        certificate.write_bytes(self.certificates(body))
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, certificate)
        public = run("openssl", "x509", "-noout", "-pubkey", "-in", certificate).stdout
        self.assertEqual(run("openssl", "pkey", "-pubout", "-in", key).stdout, public)

    def test_curl_may_wrap_the_base64_of_its_request(self):
        _, csr = self.csr("wrapped")
        wrapped = base64.encodebytes(csr.read_bytes())
        self.assertIn(b"\n", wrapped.strip())
        status, body = self.curl("--cert", self.device / "idevid.pem", "--key", self.device / "idevid.key", "-H",
                                 "Content-Type: application/pkcs10", "--data-binary", "@-", f"{self.est}/simpleenroll",
                                 input=wrapped)
        self.assertEqual(200, status, body)

    def test_curl_without_a_voucher_is_refused(self):
        other = self.domain.folder / "other-device"
        self.maker.birth(other, "acme-0002")
        _, csr = self.csr("other", "/serialNumber=acme-0002")
        status, body = self.curl("--cert", other / "idevid.pem", "--key", other / "idevid.key", "-H",
                                 "Content-Type: application/pkcs10", "--data-binary", "@-", f"{self.est}/simpleenroll",
                                 input=base64.b64encode(csr.read_bytes()))
        self.assertEqual(403, status, body)
        self.assertIn(b"voucher", body)

    def test_strongswan_reads_cacerts(self):
        out = self.domain.folder / "estca"
        run("pki", "--estca", "--url", f"https://localhost:{self.domain.ports[0]}", "--cacert", self.domain.domain_ca,
            "--caout", f"{out}.pem", "--outform", "pem", "--force")
        found = list(self.domain.folder.glob("estca*"))
        self.assertTrue(found, "pki --estca wrote nothing")
        self.assertIn(b"BEGIN CERTIFICATE", found[0].read_bytes())

    def test_strongswan_renews_an_ldevid(self):
        # `pki --est --cert` always re-enrols: it renews (decision 72). The subject must stay as it is.
        subject = run("openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", self.files / "ldevid.pem").stdout
        names = dict(pair.split("=", 1) for pair in subject.decode().strip().removeprefix("subject=").split(","))
        uri = re.search(r"URI:(\S+?)(,|\s)", run("openssl", "x509", "-noout", "-ext", "subjectAltName", "-in",
                                                 self.files / "ldevid.pem").stdout.decode() + " ")[1]
        order = "".join(f"/{key}={names[key]}" for key in ("CN", "serialNumber") if key in names)
        key, csr = self.csr("strongswan", order, "-addext", f"subjectAltName=URI:{uri}")
        done = run("pki", "--est", "--url", f"https://localhost:{self.domain.ports[0]}", "--in", csr, "--cacert",
                   self.domain.domain_ca, "--cert", self.files / "ldevid.pem", "--key", self.files / "ldevid.key",
                   "--outform", "pem")
        renewed = self.domain.folder / "strongswan.pem"
        renewed.write_bytes(done.stdout)
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, renewed)
        self.assertEqual(run("openssl", "pkey", "-pubout", "-in", key).stdout,
                         run("openssl", "x509", "-noout", "-pubkey", "-in", renewed).stdout)

    def test_a_claim_posted_by_curl_gets_202_and_a_place_to_ask(self):
        claim = self.domain.bob.says(f"Trust({self.domain.bob.mail}, {self.did})")
        url = f"https://localhost:{self.domain.ports[1]}/claims"
        done = run("curl", "-s", "-i", "--max-time", "10", "--cacert", self.domain.domain_ca, "-H",
                   "Content-Type: application/vc", "--data-binary", f"@{claim}", url)
        text = done.stdout.decode()
        self.assertIn(" 202 ", text.splitlines()[0])
        location = re.search(r"(?im)^location: (\S+)", text)[1]
        wait_until(lambda: b'"refused"' in self.curl(url.removesuffix("/claims") + location)[1], 5, "bob's claim to be refused")
        _, body = self.curl(url.removesuffix("/claims") + location)
        self.assertIn(b"right", body, "the reason names what bob lacks")


if __name__ == "__main__":
    unittest.main()
