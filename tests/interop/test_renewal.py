"""A device that stays keeps its LDevID valid by itself (RFC 8995 9.1.3, L27427): real programs on loopback. Needs no root."""

import subprocess
import sys
import unittest
from datetime import datetime, timezone

from tests.support.programs import Loopback, run

from cast import wait_until


class ALifeWithShortLDevIDs(Loopback):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        domain = cls.domain
        cls.start_registrar(ldevid_seconds=12)
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {cls.maker.did})")
        cls.device, cls.did = cls.device_of("acme-0001")

    def pledge(self, *more):
        return [self.domain.program, "pledge", "--json", "--state", self.device, "--clock", "--registrar",
                f"127.0.0.1:{self.domain.ports[0]}", *more]

    def kept(self):
        """Serial number and end of the LDevID the device has."""
        text = run("openssl", "x509", "-noout", "-serial", "-enddate", "-in", self.device / "network" / "ldevid.pem").stdout.decode()
        values = dict(line.split("=", 1) for line in text.splitlines())
        end = datetime.strptime(values["notAfter"], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=timezone.utc)
        return values["serial"], end

    def steps(self, role, words):
        return [e for e in role.events() if e.get("id") == "ROAD_STEP" and words in e["message"]]

    def wait_for_step(self, role, words, count=1, timeout=60):
        wait_until(lambda: len(self.steps(role, words)) >= count, timeout, lambda: f"'{words}' ({role.tail(3)})", interval=0.1)

    def wait_for_the_end(self, end):
        wait_until(lambda: datetime.now(timezone.utc) > end, 60, "the LDevID to end", interval=0.1)

    def test_a_device_renews_by_itself_and_gets_a_new_ldevid_where_that_was_impossible(self):
        device = self.domain.role(self.here, "staying", self.pledge("--stay"))
        self.addCleanup(device.stop)
        self.wait_for_step(device, "Kept the LDevID")
        first, end = self.kept()
        self.wait_for_step(device, "Renewed the LDevID")
        self.assertIsNone(device.find("LDEVID_EXPIRED"), "it did not wait for the end")
        self.assertEqual(1, len(self.steps(device, "Signed a voucher-request")), "a renewal needs no voucher")
        second, later = self.kept()
        self.assertNotEqual(first, second)
        self.assertGreater(later, end)

        # The registrar is away until the LDevID has ended.
        self.domain.registrar.kill()
        device.wait_for("RENEWAL_FAILED", 60)
        device.wait_for("LDEVID_EXPIRED", 60)
        self.domain.start_registrar(announce=False, ports=self.domain.ports, ldevid_seconds=4)
        self.wait_for_step(device, "Kept the LDevID", 2)
        third, _ = self.kept()
        self.assertNotEqual(second, third)
        self.assertTrue(device.running(), "it never had to be started again")
        device.stop()
        self.assertEqual(0, device.process.returncode)

        # It is switched off when its LDevID ends.
        _, end = self.kept()
        self.wait_for_the_end(end)
        done = subprocess.run([str(a) for a in self.pledge("--once")], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(0, done.returncode, done.stderr[-500:])
        fourth, later = self.kept()
        self.assertNotEqual(third, fourth)
        self.assertGreater(later, end)


if __name__ == "__main__":
    sys.exit(unittest.main())
