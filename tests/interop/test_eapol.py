"""eapol_test, wpa_supplicant's EAP client without a wire, against the FreeRADIUS that the bearer configures and runs.

It speaks RADIUS itself, in hostapd's place: so the shared secret is read from the running configuration.
"""

import os
import re
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from lab import Lab, wait_until  # noqa: E402
from lab.certificates import TestCa  # noqa: E402

PROGRAM = Path(os.environ.get("CAHN_BIN", "build/dev/bin")).resolve() / "dot1x_lab"
RADIUS_NAME = "radius.example.test"
STATION = "02:00:00:00:00:01"  # what eapol_test calls itself

# Access-Requests without and with Message-Authenticator (RFC 3579 3.2), first with an EAP identity, as hostapd would begin, then
# without EAP: prints the identifiers that are answered until the last one is.
RADIUS_REQUESTS = """
import hashlib, hmac, os, socket, struct, sys
secret, port = sys.argv[1].encode(), sys.argv[2].encode()
def attribute(kind, value): return bytes([kind, len(value) + 2]) + value
def request(identifier, authenticated, with_eap):
    identity = b"SN-1"
    eap = struct.pack("!BBHB", 2, identifier, 5 + len(identity), 1) + identity
    body = attribute(1, identity) + attribute(32, port) + attribute(31, b"02-00-00-00-00-01")
    if with_eap: body += attribute(79, eap)
    if authenticated: body += attribute(80, bytes(16))
    packet = struct.pack("!BBH", 1, identifier, 20 + len(body)) + os.urandom(16) + body
    if not authenticated: return packet
    return packet[:-16] + hmac.new(secret, packet, hashlib.md5).digest()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.connect(("127.0.0.1", 1812))
    udp.settimeout(20)
    answered = []
    for first in (1, 3):
        udp.send(request(first, False, first == 1))
        udp.send(request(first + 1, True, first == 1))
        while first + 1 not in answered: answered.append(udp.recv(4096)[1])
    print(*answered)
"""


class EapolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(devices=1, makers=0).__enter__()
        cls.addClassCleanup(cls.lab.close)
        cls.ca = TestCa(cls.lab.directory / "ca")
        cls.start_router(*cls.ca.issue("radius", f"/CN={RADIUS_NAME}", usage="serverAuth", dns=RADIUS_NAME))
        cls.ldevid = cls.ca.issue("ldevid", "/serialNumber=SN-1/CN=net")

    @classmethod
    def start_router(cls, certificate, key):
        cls.radius = certificate, key
        run = cls.lab.directory / "router"
        cls.router = cls.lab.start_process("router", [PROGRAM, run, certificate, key, cls.ca.certificate, "port1",
                                                      "10.77.0.2:8443", "SN-1"], stdin=True)
        cls.router.wait_for_output("^ready$", 20)
        cls.secret = re.search(r"secret = (\S+)", (run / "radius/radiusd.conf").read_text()).group(1)

    def join(self, credential=None, identity="SN-1", port="port1", eap="TLS", phase1="tls_disable_tlsv1_3=0", more=""):
        """The exit status of eapol_test and what it printed."""
        certificate, key = credential or self.ldevid
        configuration = self.lab.directory / "eapol.conf"
        configuration.write_text(f"""network={{
  ssid="x"
  key_mgmt=WPA-EAP
  eap={eap}
  identity="{identity}"
  ca_cert="{self.ca.certificate}"
  domain_match="{RADIUS_NAME}"
  client_cert="{certificate}"
  private_key="{key}"
  eapol_flags=3
  phase1="{phase1}"
  {more}
}}
""")
        done = self.lab.run("router", ["eapol_test", "-c", configuration, "-a", "127.0.0.1", "-p", "1812", "-s", self.secret,
                                       "-t", "10", "-M", STATION, "-N", f"32:s:{port}"], timeout=30, check=False)
        return done.returncode, done.stdout

    def assert_joins(self, **how):
        status, output = self.join(**how)
        self.assertEqual(status, 0, output[-3000:])
        self.assertRegex(output, r"SUCCESS\s*$")
        return output

    def assert_refused(self, **how):
        status, output = self.join(**how)
        self.assertNotEqual(status, 0, output[-3000:])
        self.assertRegex(output, r"FAILURE\s*$")
        return output

    def test_an_ldevid_joins_over_tls_1_3_and_its_session_ends_in_a_new_authentication(self):
        output = self.assert_joins()
        self.assertIn("Using TLS version TLSv1.3", output)
        self.assertRegex(output, r"Attribute 27 \(Session-Timeout\) length=6\s+Value: 3600")
        self.assertRegex(output, r"Attribute 29 \(Termination-Action\) length=6\s+Value: 1")

    def test_an_ldevid_joins_over_tls_1_2(self):
        self.assertIn("Using TLS version TLSv1.2", self.assert_joins(phase1="tls_disable_tlsv1_3=1"))

    def test_tls_1_1_is_refused(self):
        self.assert_refused(phase1="tls_disable_tlsv1_3=1,tls_disable_tlsv1_2=1,tls_disable_tlsv1_1=0")

    def test_an_anonymous_identity_joins_by_its_certificate(self):
        self.assert_joins(identity="@example.test")

    def test_a_device_that_is_not_permitted_fails(self):
        self.assert_refused(credential=self.ca.issue("other", "/serialNumber=SN-2/CN=net"), identity="SN-2")

    def test_a_device_fails_from_the_moment_it_is_denied_and_joins_when_it_is_permitted_again(self):
        self.tell("deny SN-1")
        self.assert_refused()
        self.tell("permit SN-1")
        self.assert_joins()

    def test_an_identity_other_than_the_certificates_fails(self):
        self.assert_refused(identity="SN-2")

    def test_a_certificate_of_another_ca_fails(self):
        stranger = TestCa(self.lab.directory / "other-ca", "Domain CA")
        self.assert_refused(credential=stranger.issue("ldevid", "/serialNumber=SN-1/CN=net"))

    def test_a_server_certificate_is_no_ldevid(self):
        self.assert_refused(credential=self.ca.issue("server", "/serialNumber=SN-1/CN=net", usage="serverAuth"))

    def test_a_port_that_is_not_the_routers_fails(self):
        self.assert_refused(port="port9")

    def test_a_method_other_than_eap_tls_fails(self):
        self.assert_refused(eap="PEAP", more='password="x"')

    def test_nobody_joins_while_the_bearer_does_not_answer(self):
        self.router.kill(signal.SIGSTOP)
        try:
            self.assert_refused()
        finally:
            self.router.kill(signal.SIGCONT)
        wait_until(lambda: self.join()[0] == 0, 20, "it does not recover")

    def test_certificates_that_need_fragments_join_over_both_versions(self):
        # No certificate of this size fits into one EAP packet: the server must put it together.
        large = self.ca.issue("large", "/serialNumber=SN-1/CN=net", comment="large " * 900)
        for phase1, version in (("tls_disable_tlsv1_3=0", "TLSv1.3"), ("tls_disable_tlsv1_3=1", "TLSv1.2")):
            with self.subTest(version):
                output = self.assert_joins(credential=large, phase1=phase1, more="fragment_size=500")
                self.assertIn(f"Using TLS version {version}", output)
                sent = re.findall(r"SSL: sending (\d+) bytes, more fragments will follow", output)
                self.assertGreater(len(sent), 8, output[-3000:])

    def test_the_servers_certificates_come_in_fragments_too(self):
        certificate, key = self.ca.issue("large-radius", f"/CN={RADIUS_NAME}", usage="serverAuth", dns=RADIUS_NAME,
                                         comment="large " * 900)
        self.router.send("quit")
        self.router.wait_for_output("^stopped$", 20)
        cls = type(self)
        before = self.radius
        try:
            cls.start_router(certificate, key)
            for phase1 in ("tls_disable_tlsv1_3=0", "tls_disable_tlsv1_3=1"):
                output = self.assert_joins(phase1=phase1)
                self.assertRegex(output, r"SSL: Need \d+ bytes more input data")
        finally:
            self.router.send("quit")
            self.router.wait_for_output("^stopped$", 20)
            cls.start_router(*before)

    def test_a_request_without_a_message_authenticator_is_not_answered(self):
        """Each of two requests, of which one is like the other but for the attribute; the answer to the second is waited for."""
        program = self.lab.directory / "radius_request.py"
        program.write_text(RADIUS_REQUESTS)
        done = self.lab.run("router", [sys.executable, program, self.secret, "port1"], timeout=60)
        self.assertEqual(["2", "4"], done.stdout.split(), "identifiers of the answers; 1 and 3 had none")

    # --- the supplicant as the device's bearer configures it

    def device_configuration(self, name, ca, radius_name):
        """What `Supplicant` writes for wpa_supplicant, so that eapol_test can be told the very same."""
        certificate, key = self.ldevid
        run = self.lab.directory / name
        process = self.lab.start_process("router", [PROGRAM, "--supplicant", run, certificate, key, ca, "lo", "SN-1", radius_name],
                                         stdin=True)
        wait_until(lambda: (run / "supplicant.conf").is_file() and "network={" in (run / "supplicant.conf").read_text(), 20,
                   "no configuration")
        process.kill(signal.SIGKILL)
        return run / "supplicant.conf"

    def join_as_configured(self, *how):
        done = self.lab.run("router", ["eapol_test", "-c", self.device_configuration(*how), "-a", "127.0.0.1", "-p", "1812", "-s",
                                       self.secret, "-t", "10", "-M", STATION, "-N", "32:s:port1"], timeout=30, check=False)
        return done.returncode, done.stdout

    def test_the_supplicant_we_configure_joins_the_server_of_its_own_domain(self):
        status, output = self.join_as_configured("sup-own", self.ca.certificate, RADIUS_NAME)
        self.assertEqual(status, 0, output[-3000:])

    def test_the_supplicant_we_configure_refuses_the_server_of_another_domain(self):
        other = TestCa(self.lab.directory / "domain-of-the-device", "Domain CA")
        status, output = self.join_as_configured("sup-ca", other.certificate, RADIUS_NAME)
        self.assertNotEqual(status, 0, output[-3000:])
        self.assertRegex(output, r"CTRL-EVENT-EAP-TLS-CERT-ERROR|Certificate verification failed")

    def test_the_supplicant_we_configure_refuses_a_server_of_another_name(self):
        status, output = self.join_as_configured("sup-name", self.ca.certificate, "radius.elsewhere.test")
        self.assertNotEqual(status, 0, output[-3000:])
        self.assertRegex(output, r"(?i)domain.*match|Domain mismatch")

    def tell(self, line):
        before = self.router.output().splitlines().count("ok")
        self.router.send(line)
        wait_until(lambda: self.router.output().splitlines().count("ok") > before, 10, f"no answer to {line!r}")


if __name__ == "__main__":
    unittest.main()
