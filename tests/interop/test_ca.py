"""A registrar whose CA is a process of its own, `cahn ca`: set up as docs/guide-ca.md says, a device onboards through it, is cut
off on the CA's CRL, and loses nothing when the CA is killed. openssl and curl judge. Needs no root."""

import json
import pathlib
import subprocess
import unittest

from tests.support.programs import Loopback, free_ports, run

from cast import wait_until


class ACaElsewhere(Loopback):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        domain = cls.domain
        cls.registrar_certificate = cls.sign("registrar", domain.registrar_state / "tls.csr", domain.registrar_state / "tls.pem")
        cls.start_ca()
        ca, certificate = cls.elsewhere[1], cls.elsewhere[3]
        cls.start_registrar(ca=ca, ca_certificate=certificate)
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {cls.maker.did})")

    @classmethod
    def ca_arguments(cls):
        return ["--state", cls.ca_state, "--domain-name", "ann@example.org", "--ip-address", "127.0.0.1"]

    @classmethod
    def prepare_registrar(cls):
        domain = cls.domain
        cls.ca_port, cls.ca_health = free_ports(2)
        cls.ca_state, cls.ca_file = cls.folder / "ca", cls.folder / "house" / "ca.pem"
        made = json.loads(domain.cahn("ca", *cls.ca_arguments(), "init").stdout)
        cls.ca_file.write_bytes(pathlib.Path(made["domain_ca"]).read_bytes())
        cls.elsewhere = ("--ca", f"https://127.0.0.1:{cls.ca_port}", "--ca-certificate", cls.ca_file)
        domain.registrar_place, domain.dns_name = cls.here, "localhost"
        names = json.loads(domain.cahn("registrar", "--state", domain.registrar_state, *domain._names(), *cls.elsewhere, "init").stdout)
        domain.domain_ca = pathlib.Path(names["domain_ca"])
        domain.ownership = domain.ann.says(f"Trust({domain.ann.mail}, {names['registrar']})", "owns-the-registrar")
        domain.commander = domain.ann.says(f"Trust({domain.ann.mail}, {names['command_key']})", "trusts-its-commands")

    @classmethod
    def sign(cls, profile, csr, out):
        cls.domain.cahn("ca", *cls.ca_arguments(), "sign", "--profile", profile, "--csr", csr, "--name", "localhost", "--address",
                        "127.0.0.1", "--out", out)
        return out

    @classmethod
    def start_ca(cls):
        cls.ca = cls.domain.role(cls.here, "ca", [
            cls.domain.program, "ca", "--json", *cls.ca_arguments(), "--registrar", cls.registrar_certificate, "--port", cls.ca_port,
            "--health-port", cls.ca_health, "--listen", "127.0.0.1"]).ready(60)

    def pledge(self, name, *more):
        """A device that is trusted, and the command by which it onboards."""
        state, did = self.device_of(name)
        return state, did, ["pledge", "--json", "--state", state, "--clock", "--patience-seconds", "60", "--registrar",
                            f"127.0.0.1:{self.domain.ports[0]}", *more]

    def onboard(self, name):
        state, did, command = self.pledge(name)
        done = self.domain.cahn(*command, check=False, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr + self.domain.registrar.tail() + self.ca.tail())
        return state / "network" / "ldevid.pem", did

    def crl(self):
        return run("curl", "-s", "--fail", "--max-time", "10", "--cacert", self.ca_file, f"https://127.0.0.1:{self.ca_port}/crl").stdout

    def listed(self, certificate):
        """The CRL entry of a certificate as openssl prints it, or nothing; the CRL must verify."""
        crl = self.crl()
        shown = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-CAfile", self.ca_file, input=crl)
        self.assertIn(b"verify OK", shown.stderr)
        serial = run("openssl", "x509", "-noout", "-serial", "-in", certificate).stdout.decode().strip().removeprefix("serial=")
        for entry in shown.stdout.decode().split("Serial Number: ")[1:]:
            if entry.split()[0] == serial:
                return entry
        return ""

    def test_a_device_onboards_is_held_and_released(self):
        ldevid, did = self.onboard("cam-1")
        run("openssl", "verify", "-CAfile", self.ca_file, ldevid)
        self.assertFalse((self.domain.registrar_state / "ca.key").exists(), "the registrar holds no CA key")
        self.assertEqual("", self.listed(ldevid))
        self.domain.say(self.domain.ann, f"Distrust({self.domain.ann.mail}, {did})")
        entry = wait_until(lambda: self.listed(ldevid), 60, "the hold on the CA's CRL", 0.2)
        self.assertIn("Certificate Hold", entry)
        answer = run("openssl", "ocsp", "-issuer", self.ca_file, "-cert", ldevid, "-CAfile", self.ca_file, "-url",
                     f"https://127.0.0.1:{self.ca_port}/ocsp", check=False).stdout.decode()
        self.assertIn("revoked", answer)
        self.domain.say(self.domain.ann, f"Trust({self.domain.ann.mail}, {did})")
        wait_until(lambda: not self.listed(ldevid), 60, "the end of the hold on the CA's CRL", 0.2)

    def test_the_ca_is_killed_while_a_device_enrols_and_nothing_is_lost(self):
        state, _, command = self.pledge("cam-2")
        self.ca.kill()
        device = subprocess.Popen([str(a) for a in (self.domain.program, *command)], stderr=subprocess.PIPE, text=True)
        try:
            self.domain.registrar.wait_for("PKI_UPSTREAM_AWAY", 60)
            self.assertIsNone(device.poll(), "the pledge waits")
            type(self).start_ca()
            _, log = device.communicate(timeout=120)
        finally:
            device.kill()
            device.wait()
        self.assertEqual(0, device.returncode, log)
        self.assertIn("not decided", log)
        run("openssl", "verify", "-CAfile", self.ca_file, state / "network" / "ldevid.pem")

    def test_a_kill_between_two_devices_forgets_no_certificate(self):
        ldevid, _ = self.onboard("cam-3")
        self.ca.kill()
        type(self).start_ca()
        answer = run("openssl", "ocsp", "-issuer", self.ca_file, "-cert", ldevid, "-CAfile", self.ca_file, "-url",
                     f"https://127.0.0.1:{self.ca_port}/ocsp", check=False).stdout.decode()
        self.assertIn("ldevid.pem: good", answer)

    def test_it_refuses_whoever_is_no_registrar_it_was_told_of(self):
        url = f"https://127.0.0.1:{self.ca_port}/.well-known/cmp"
        ask = ["curl", "-s", "--max-time", "10", "--cacert", self.ca_file, "-o", "/dev/null", "-w", "%{http_code}", "-H",
               "Content-Type: application/pkixcmp", "--data-binary", "nonsense", url]
        self.assertEqual(b"403", run(*ask).stdout)
        ldevid, _ = self.onboard("cam-4")
        self.assertEqual(b"403", run(*ask, "--cert", ldevid, "--key", ldevid.with_name("ldevid.key")).stdout)
        registrar = self.domain.registrar_state
        self.assertEqual(b"400", run(*ask, "--cert", registrar / "tls.pem", "--key", registrar / "tls.key").stdout)

    def test_it_tells_its_health_and_numbers_and_stops_when_it_is_told(self):
        health = f"http://127.0.0.1:{self.ca_health}"
        run("curl", "-s", "--fail", "--max-time", "10", f"{health}/healthz")
        self.assertIn(b"cahn_", run("curl", "-s", "--fail", "--max-time", "10", f"{health}/metrics").stdout)
        self.ca.stop(60)
        self.assertEqual(0, self.ca.process.returncode)
        type(self).start_ca()


if __name__ == "__main__":
    unittest.main()
