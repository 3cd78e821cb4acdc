"""Announcing and finding a registrar by mDNS, with the real avahi on both sides of a wire."""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from lab import Lab, wait_until  # noqa: E402
from lab.lab import REGISTRAR_ADDRESS  # noqa: E402

PROGRAM = Path(os.environ.get("CAHN_BIN", "build/dev/bin")).resolve() / "discovery_lab"


class FindingARegistrar(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(devices=1, makers=0).__enter__()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.run("device1", ["ip", "addr", "add", "10.77.0.50/24", "dev", "eth0"])
        cls.daemons = cls.lab.start_avahi("registrar", wait=False)
        cls.lab.start_avahi("device1", wait=False)
        for name in ("registrar", "device1"):
            wait_until(lambda: cls.lab.run(name, ["avahi-browse", "-at"], check=False, env=cls.lab.environment(name)).returncode == 0,
                       10, "avahi does not start")

    def announce(self, instance, port, *txt, where="registrar"):
        process = self.lab.start_process(where, [PROGRAM, "announce", instance, port, *txt], stdin=True)
        self.addCleanup(process.stop)
        process.wait_for_output("DISCOVERY_ANNOUNCED", 10)
        return process

    def browse(self, milliseconds=5000, enough=1):
        done = self.lab.run("device1", [PROGRAM, "browse", milliseconds, enough], check=False, timeout=30,
                            env=self.lab.environment("device1"))
        return done.stdout.splitlines()

    def test_a_device_finds_the_registrar_its_address_port_and_txt(self):
        self.announce("Registrar of Ann", 8443, "path=/.well-known/brski")
        found = self.browse(enough=2)
        self.assertIn(f"Registrar of Ann|registrar.local|{REGISTRAR_ADDRESS}|8443|path=/.well-known/brski,", found)
        link_local = [line for line in found if "|fe80::" in line]
        self.assertTrue(all("%eth0|" in line for line in link_local), found)

    def test_nothing_found_is_said_after_the_patience_is_over(self):
        def gone():
            return self.browse(milliseconds=300)[0].startswith("error nothing_found")
        wait_until(gone, 10, "an announcement of an earlier test goes on")

    def test_an_avahi_that_comes_back_announces_the_service_again(self):
        process = self.announce("Registrar", 8443)
        for daemon in reversed(self.daemons):
            daemon.stop()
        process.wait_for_output("DISCOVERY_LOST", 10)
        type(self).daemons = self.lab.start_avahi("registrar")
        wait_until(lambda: process.output().count("DISCOVERY_ANNOUNCED") >= 2, 15, process.output)
        wait_until(lambda: any(line.startswith("Registrar|") for line in self.browse()), 10, "not found again")

    def test_two_registrars_of_one_name_are_both_found(self):
        self.announce("Registrar", 8443)
        self.announce("Registrar", 8444)
        wait_until(lambda: {line.split("|")[3] for line in self.browse(enough=4, milliseconds=2000)} >= {"8443", "8444"}, 10,
                   lambda: f"found {self.browse(enough=4)}")


if __name__ == "__main__":
    unittest.main()
