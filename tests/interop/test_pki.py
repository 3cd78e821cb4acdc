"""openssl cmp, openssl ocsp and curl against a running registrar: CMP, OCSP, CRL, and a change of the CA's key. Needs no root."""

import base64
import pathlib
import re
import unittest

from tests.support.programs import Loopback, OneDevice, free_ports, run


class RunningDomain(OneDevice):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ports = cls.domain.ports
        cls.idevid = cls.device / "idevid.pem", cls.device / "idevid.key"
        cls.url = f"https://localhost:{cls.ports[0]}"

    def new_key(self, name):
        path = self.folder / f"{name}.key"
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        return path

    def cmp(self, operation, identity, *argv, check=True):
        certificate, key = identity
        name = run("openssl", "x509", "-noout", "-subject", "-nameopt", "compat", "-in", self.domain.domain_ca).stdout
        return run("openssl", "cmp", "-server", self.url, "-path", f".well-known/cmp/{operation}", "-tls_used", "-tls_trusted",
                   self.domain.domain_ca, "-trusted", self.domain.domain_ca, "-recipient",
                   name.decode().strip().removeprefix("subject="), "-cert", certificate, "-key", key, "-total_timeout", "50", *argv,
                   check=check)

    def verify(self, certificate):
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, certificate)

    def ocsp(self, certificate, *argv):
        return run("openssl", "ocsp", "-issuer", self.domain.domain_ca, "-cert", certificate, "-CAfile", self.domain.domain_ca,
                   "-url", f"{self.url}/ocsp", *argv, check=False).stdout.decode()

    def initialise(self, name):
        """A further LDevID of the device, by CMP and its IDevID."""
        key, out = self.new_key(name), self.folder / f"{name}.pem"
        self.cmp("initialization", self.idevid, "-cmd", "ir", "-newkey", key, "-subject", "/serialNumber=acme-0001", "-certout", out)
        return out, key


class CmpAndOcsp(RunningDomain):
    def test_ir_with_the_idevid_of_a_vouchered_device(self):
        certificate, key = self.initialise("ir")
        self.verify(certificate)
        text = run("openssl", "x509", "-noout", "-subject", "-ext", "extendedKeyUsage,subjectAltName", "-in", certificate).stdout
        self.assertIn(b"serialNumber = acme-0001", text)
        self.assertIn(b"URI:urn:cahn:network:", text)
        self.assertNotIn(b"1.3.6.1.5.5.7.3.28", text)
        self.assertEqual(run("openssl", "pkey", "-pubout", "-in", key).stdout,
                         run("openssl", "x509", "-noout", "-pubkey", "-in", certificate).stdout)
        self.assertTrue(self.domain.devices(), "the registrar lists the device")

    def test_p10cr_with_the_idevid(self):
        key, csr, out = self.new_key("p10"), self.folder / "p10.csr", self.folder / "p10.pem"
        run("openssl", "req", "-new", "-key", key, "-subj", "/serialNumber=acme-0001", "-out", csr)
        self.cmp("pkcs10", self.idevid, "-cmd", "p10cr", "-csr", csr, "-certout", out)
        self.verify(out)

    def test_cr_and_kur_with_the_ldevid(self):
        ldevid = self.initialise("base")
        for operation, command in (("certification", "cr"), ("keyupdate", "kur")):
            key, out = self.new_key(command), self.folder / f"{command}.pem"
            self.cmp(operation, ldevid, "-cmd", command, "-subject", f"/CN={self.domain.network}/serialNumber=acme-0001", "-newkey",
                     key, "-certout", out)
            self.verify(out)
            ldevid = out, key

    def test_rr_revokes_and_ocsp_and_the_crl_say_so_at_once(self):
        ldevid = self.initialise("rr")
        self.assertIn("rr.pem: good", self.ocsp(ldevid[0]))
        self.cmp("revocation", ldevid, "-cmd", "rr", "-oldcert", ldevid[0], "-revreason", "1")
        answer = self.ocsp(ldevid[0])
        self.assertIn("rr.pem: revoked", answer)
        self.assertIn("Reason: keyCompromise", answer)
        status, crl = self.curl(f"{self.url}/crl")
        self.assertEqual(200, status)
        serial = run("openssl", "x509", "-noout", "-serial", "-in", ldevid[0]).stdout.decode().strip().removeprefix("serial=")
        self.assertIn(serial, run("openssl", "crl", "-inform", "DER", "-noout", "-text", input=crl).stdout.decode())
        done = self.cmp("keyupdate", ldevid, "-cmd", "kur", "-newkey", self.new_key("again"), "-certout", self.folder / "again.pem",
                        check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn(b"revoked", done.stderr + done.stdout)

    def test_a_device_may_not_revoke_anothers_certificate(self):
        mine, registrar = self.initialise("mine"), self.folder / "registrar.pem"
        shown = run("openssl", "s_client", "-connect", f"localhost:{self.ports[0]}", input=b"").stdout
        registrar.write_bytes(run("openssl", "x509", input=shown).stdout)
        done = self.cmp("revocation", mine, "-cmd", "rr", "-oldcert", registrar, "-revreason", "1", check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("registrar.pem: good", self.ocsp(registrar))

    def test_ir_without_a_voucher_is_refused(self):
        other = self.folder / "other"
        self.maker.birth(other, "acme-0002")
        done = self.cmp("initialization", (other / "idevid.pem", other / "idevid.key"), "-cmd", "ir", "-newkey", self.new_key("other"),
                        "-subject", "/serialNumber=acme-0002", "-certout", self.folder / "other.pem", check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertIn(b"voucher", done.stdout + done.stderr)

    def test_ocsp_answers_get_requests_of_curl(self):
        request = self.folder / "request.der"
        run("openssl", "ocsp", "-issuer", self.domain.domain_ca, "-cert", self.files / "ldevid.pem", "-no_nonce", "-reqout", request)
        path = base64.b64encode(request.read_bytes()).decode().replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")
        status, body = self.curl(f"{self.url}/ocsp/{path}")
        self.assertEqual(200, status)
        response = self.folder / "response.der"
        response.write_bytes(body)
        done = run("openssl", "ocsp", "-issuer", self.domain.domain_ca, "-cert", self.files / "ldevid.pem", "-no_nonce", "-respin",
                   response, "-CAfile", self.domain.domain_ca)
        self.assertIn(b"good", done.stdout)


class ChangeOfTheCasKey(RunningDomain):
    def test_old_members_stay_members_and_everybody_finds_the_new_root(self):
        old_ca = self.folder / "old-ca.pem"
        old_ca.write_bytes(pathlib.Path(self.domain.domain_ca).read_bytes())
        self.domain.registrar.stop()
        done = self.domain.cahn("registrar", "--state", self.domain.registrar_state, *self.domain._names(), "roll-over")
        self.assertIn('"roots":2', done.stdout)
        self.domain.start_registrar(announce=False, ports=self.ports)
        self.assertEqual(2, pathlib.Path(self.domain.domain_ca).read_text().count("BEGIN CERTIFICATE"))
        self.verify(self.files / "ldevid.pem")
        # A client that knows the old root only reaches the registrar, and gets the new root with its bridge.
        answer = run("curl", "-s", "--fail", "--max-time", "10", "--cacert", old_ca, f"{self.url}/.well-known/est/cacerts").stdout
        certificates = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", input=base64.b64decode(answer)).stdout
        self.assertEqual(4, certificates.count(b"BEGIN CERTIFICATE"))
        key, out = self.new_key("renewed"), self.folder / "renewed.pem"
        self.cmp("keyupdate", (self.files / "ldevid.pem", self.files / "ldevid.key"), "-cmd", "kur", "-newkey", key, "-certout", out)
        bridge = self.folder / "bridge.pem"
        # `openssl verify` follows the first issuer that fits, so that the roots must not be among the untrusted.
        pem = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
        roots = pem.findall(pathlib.Path(self.domain.domain_ca).read_text())
        crossed = [each for each in pem.findall(certificates.decode()) if each not in roots]
        self.assertEqual(2, len(crossed))
        bridge.write_text("".join(crossed))
        run("openssl", "verify", "-CAfile", old_ca, "-untrusted", bridge, out)
        self.verify(out)


class WithoutEst(Loopback):
    """A registrar that offers enrolment by CMP alone (BRSKI-AE)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        settings = cls.folder / "registrar.toml"
        settings.write_text("est-enrolment = false\n")
        cls.domain.start_registrar(announce=False, ports=free_ports(4), config=settings)
        cls.domain.submit(cls.domain.binding(cls.domain.ann))
        cls.domain.say(cls.domain.ann, f"Trust({cls.domain.ann.mail}, {cls.maker.did})")

    def pledge(self, name, *more):
        device = self.folder / name
        self.maker.birth(device, name)
        self.maker.report(self.here)
        did = self.domain.cahn("vc", "did", device / "idevid.pem").stdout.strip()
        self.domain.say(self.domain.ann, f"Trust({self.domain.ann.mail}, {did})")
        return device, self.domain.cahn("pledge", "--state", device, "--clock", "--once", "--registrar",
                                        f"127.0.0.1:{self.domain.ports[0]}", *more, check=False)

    def test_a_pledge_turns_to_cmp_by_itself(self):
        device, done = self.pledge("cmp-1")
        self.assertEqual(0, done.returncode, done.stderr + self.domain.registrar.tail())
        self.assertIn("asking by CMP", done.stderr)
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, device / "network" / "ldevid.pem")
        self.assertEqual(0o600, (device / "network" / "ldevid.key").stat().st_mode & 0o777)
        report = self.domain.registrar.wait_for("BRSKI_ENROL_STATUS", 30, serial="cmp-1", status="true")
        self.assertIn("matching LDevID", report["fields"]["certificate"])

    def test_a_pledge_that_is_told_to_use_cmp_asks_for_no_est(self):
        device, done = self.pledge("cmp-2", "--enrol", "cmp")
        self.assertEqual(0, done.returncode, done.stderr + self.domain.registrar.tail())
        self.assertNotIn("EST", done.stderr)
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, device / "network" / "ldevid.pem")

    def test_a_pledge_that_is_told_to_use_est_does_without(self):
        device, done = self.pledge("cmp-3", "--enrol", "est")
        self.assertEqual(1, done.returncode)
        self.assertFalse((device / "network").exists())


if __name__ == "__main__":
    unittest.main()
