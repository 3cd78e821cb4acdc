"""A maker whose vouchers demand revocation checks (RFC 8366 5.3), with our programs: the registrar staples what its domain CA says of
it, openssl and devices believe it. Needs no root."""

import json
import unittest

from tests.support.programs import OneDevice, run


class AMakerThatDemandsRevocationChecks(OneDevice):
    @classmethod
    def masa_settings(cls):
        settings = cls.folder / "masa.toml"
        settings.write_text("revocation-checks = true\n")
        return {"config": settings}

    def test_its_voucher_says_so_and_led_into_the_network(self):
        voucher = run("openssl", "cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", self.files / "voucher.cms").stdout
        self.assertIs(True, json.loads(voucher)["ietf-voucher:voucher"]["domain-cert-revocation-checks"])
        run("openssl", "verify", "-CAfile", self.domain.domain_ca, self.files / "ldevid.pem")

    def test_a_device_without_a_clock_gets_in_too(self):
        device = self.folder / "clockless"
        self.maker.birth(device, "acme-0002")
        self.maker.report(self.here)
        did = self.domain.cahn("vc", "did", device / "idevid.pem").stdout.strip()
        self.domain.say(self.domain.ann, f"Trust({self.domain.ann.mail}, {did})")
        self.domain.cahn("pledge", "--state", device, "--once", "--registrar", f"127.0.0.1:{self.domain.ports[0]}")
        self.assertTrue((device / "network" / "ldevid.pem").is_file())

    def test_openssl_sees_a_stapled_response_that_says_good(self):
        for version in ("-tls1_2", "-tls1_3"):
            page = run("openssl", "s_client", "-connect", f"127.0.0.1:{self.domain.ports[0]}", "-status", version, "-CAfile",
                       self.domain.domain_ca, input=b"").stdout.decode()
            self.assertIn("OCSP Response Status: successful", page)
            self.assertIn("Cert Status: good", page)
            self.assertIn("Verify return code: 0 (ok)", page)


if __name__ == "__main__":
    unittest.main()
