"""The wired 802.1X bearer with the real hostapd, FreeRADIUS, wpa_supplicant and nftables, on real (virtual) wires.

`dot1x_lab` (tests/support) runs the bearer with decisions that these tests write by hand.
"""

import os
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from lab import Lab, wait_until  # noqa: E402
from lab.certificates import TestCa  # noqa: E402
from lab.lab import REGISTRAR_ADDRESS, TARGET_ADDRESS  # noqa: E402

PROGRAM = Path(os.environ.get("CAHN_BIN", "build/dev/bin")).resolve() / "dot1x_lab"
RADIUS_NAME = "radius.example.test"


class Router:
    """The bearer under test, in the router's namespace."""

    def __init__(self, lab, ca):
        self.lab = lab
        self.run_directory = lab.directory / "router"
        certificate, key = ca.issue("radius", f"/CN={RADIUS_NAME}", usage="serverAuth", dns=RADIUS_NAME)
        self.arguments = [PROGRAM, self.run_directory, certificate, key, ca.certificate, ",".join(lab.ports),
                          f"{REGISTRAR_ADDRESS}:8443"]
        self.start()

    def start(self, permitted=()):
        self.process = self.lab.start_process("router", [*self.arguments, *permitted], stdin=True)
        self.process.wait_for_output("^ready$", 20)

    def tell(self, line):
        """Sends one command and waits for its answer, which must be ok."""
        before = len(self.replies())
        self.process.send(line)
        wait_until(lambda: len(self.replies()) > before, 10, f"no answer to {line!r}")
        reply = self.replies()[before]
        if reply != "ok":
            raise AssertionError(f"{line!r} was answered {reply!r}")

    def replies(self):
        lines = self.process.output().splitlines()
        return [line for line in lines if line == "ok" or line.startswith("error ")]

    def events(self, state):
        return [line for line in self.process.output().splitlines() if line.startswith(f"event {state} ")]


class WiredBearer(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(devices=2).__enter__()
        self.addCleanup(self.lab.close)
        for i, device in enumerate(self.lab.devices):
            self.lab.run(device, ["ip", "addr", "add", f"10.77.0.{50 + i}/24", "dev", "eth0"])
        self.ca = TestCa(self.lab.directory / "ca")
        self.assertTrue(self.lab.ping("device1"), "without a gate the wire must work, else the tests below prove nothing")
        self.router = Router(self.lab, self.ca)

    def supplicant(self, device, serial, ca=None, identity=None, subject=None, credential=None):
        """Starts the device's side; the Process prints what became of the first authentication."""
        certificate, key = credential or (ca or self.ca).issue(f"{device}-{serial}", subject or f"/serialNumber={serial}/CN=net")
        return self.lab.start_process(
            device, [PROGRAM, "--supplicant", self.lab.directory / f"{device}-sup", certificate, key, self.ca.certificate, "eth0",
                     identity or serial, RADIUS_NAME], stdin=True)

    def join(self, device, serial):
        self.router.tell(f"permit {serial}")
        process = self.supplicant(device, serial)
        process.wait_for_output("^authenticated", 20)
        wait_until(lambda: self.lab.ping(device), 5, f"{device} joined, but its ping does not pass")
        return process

    def assert_shut_out(self, device):
        self.assertFalse(self.lab.ping(device), f"{device} must not reach the target")

    def test_a_permitted_device_joins_and_its_ping_passes_only_then(self):
        self.assert_shut_out("device1")
        process = self.join("device1", "SN-1")
        self.assertIn("authenticated TLSv1.3", process.output())
        self.assert_shut_out("device2")  # the other port stays shut
        self.assertEqual(len(self.router.events("joined")), 1)

    def test_before_the_join_only_the_onboarding_service_is_reached(self):
        for host, port in (("registrar", 8443), ("registrar", 22), ("target", 8443)):
            self.lab.start_process(host, ["python3", "-m", "http.server", port])
            self.lab.wait_for_port(host, port)
        self.assertTrue(self.lab.connects("device1", REGISTRAR_ADDRESS, 8443))
        self.assertFalse(self.lab.connects("device1", REGISTRAR_ADDRESS, 22, timeout=1))
        self.assertFalse(self.lab.connects("device1", TARGET_ADDRESS, 8443, timeout=1))

    def test_the_address_of_a_joined_device_opens_no_other_port(self):
        self.join("device1", "SN-1")
        stolen = self.lab.link_address("device1")
        self.lab.run("device2", ["ip", "link", "set", "eth0", "address", stolen])
        self.assert_shut_out("device2")

    def test_a_device_without_a_certificate_of_this_domain_is_refused(self):
        stranger = TestCa(self.lab.directory / "other-ca", "Another CA")
        self.router.tell("permit SN-1")
        process = self.supplicant("device1", "SN-1", ca=stranger)
        process.wait_for_output("^refused$", 20)
        self.assert_shut_out("device1")
        self.assertEqual(self.router.events("joined"), [])

    def test_a_device_that_is_not_permitted_is_refused_and_not_told_why(self):
        process = self.supplicant("device1", "SN-1")
        process.wait_for_output("^refused$", 20)
        self.assert_shut_out("device1")
        self.assertEqual(len(self.router.events("refused")), 1)

    def test_an_identity_other_than_the_certificates_is_refused(self):
        self.router.tell("permit SN-1")
        self.router.tell("permit SN-2")
        process = self.supplicant("device1", "SN-1", identity="SN-2")
        process.wait_for_output("^refused$", 20)
        self.assert_shut_out("device1")

    def test_a_subject_that_only_looks_like_the_serial_number_is_refused(self):
        self.router.tell("permit SN-1")
        process = self.supplicant("device1", "SN-1", subject="/CN=net\\/serialNumber=SN-1/serialNumber=SN-9")
        process.wait_for_output("^refused$", 20)
        self.assert_shut_out("device1")

    def test_a_cut_stops_the_traffic_of_this_device_and_of_no_other(self):
        self.join("device1", "SN-1")
        self.join("device2", "SN-2")
        first, second = self.lab.continuous_ping("device1"), self.lab.continuous_ping("device2")
        wait_until(lambda: len(first.replies()) > 20 and len(second.replies()) > 20, 5, "no pings before the cut")
        self.router.tell("deny SN-1")
        self.router.tell("cut SN-1")
        stopped = first.wait_for_silence(0.5, 5)
        self.assertGreater(second.wait_for_reply(time.time(), 2), stopped)
        wait_until(lambda: self.router.events("left"), 5, "hostapd did not report the end of the session")

    def test_a_cut_device_that_is_permitted_again_comes_back_when_invited_without_any_restart(self):
        supplicant = self.join("device1", "SN-1")
        for i in range(3):
            self.router.tell("deny SN-1")
            self.router.tell("cut SN-1")
            self.assert_shut_out("device1")
            self.router.tell("invite SN-1")
            wait_until(lambda: len(self.router.events("refused")) == i + 1, 10, "the invited device was not asked")
            self.assert_shut_out("device1")
            self.router.tell("permit SN-1")
            self.router.tell("invite SN-1")
            wait_until(lambda: self.lab.ping("device1"), 10, "the device did not come back")
        self.assertTrue(supplicant.alive())

    def test_a_session_is_authenticated_again_when_its_time_is_over_and_ends_if_that_is_refused(self):
        self.router.tell("session 2")
        self.join("device1", "SN-1")
        pings = self.lab.continuous_ping("device1")
        permitted = lambda: self.router.process.output().count("BEARER_PERMITTED")  # noqa: E731
        before = permitted()
        wait_until(lambda: permitted() >= before + 2, 15, "no new authentication")
        pings.wait_for_reply(time.time(), 2)
        self.router.tell("deny SN-1")  # and no cut: the next authentication ends it
        pings.wait_for_silence(0.5, 15)

    def test_a_killed_router_agent_leaves_a_shut_gate_and_no_process_and_a_new_one_takes_the_device_back(self):
        self.join("device1", "SN-1")
        self.router.process.kill(signal.SIGKILL)
        wait_until(lambda: not {"hostapd", "freeradius", "dot1x_lab"} & set(self.lab.processes_in("router")), 5,
                   lambda: f"left behind: {self.lab.processes_in('router')}")
        wait_until(lambda: not self.lab.ping("device1", timeout=1), 15, "the gate outlived its agent")
        self.router.start(permitted=["SN-1"])
        # hostapd starts without memory and the supplicant believes that all is well: the new agent must invite it.
        wait_until(lambda: self.lab.ping("device1"), 15, "the device did not come back")

    def test_a_stopped_router_agent_leaves_a_shut_gate_and_no_process(self):
        self.join("device1", "SN-1")
        self.router.process.send("quit")
        self.router.process.wait_for_output("^stopped$", 10)
        self.assert_shut_out("device1")
        self.assertFalse({"hostapd", "freeradius"} & set(self.lab.processes_in("router")))

    def test_a_radius_server_that_hangs_is_replaced(self):
        self.join("device1", "SN-1")
        [hung] = self.lab.pids_of("router", "freeradius")
        os.kill(hung, signal.SIGSTOP)
        self.router.process.wait_for_output("BEARER_PROCESS_SILENT", 30)
        wait_until(lambda: self.lab.pids_of("router", "freeradius") not in ([], [hung]), 10, "no other RADIUS server")
        self.assertTrue(self.lab.ping("device1"), "who is in stays in")
        self.join("device2", "SN-2")

    def test_an_authenticator_that_hangs_is_replaced_and_the_device_comes_back(self):
        self.join("device1", "SN-1")
        [hung] = self.lab.pids_of("router", "hostapd")
        os.kill(hung, signal.SIGSTOP)
        self.router.process.wait_for_output("BEARER_PROCESS_SILENT", 30)
        wait_until(lambda: self.lab.pids_of("router", "hostapd") not in ([], [hung]), 10, "no other authenticator")
        wait_until(lambda: len(self.router.events("joined")) >= 2, 15, "the device did not authenticate again")
        wait_until(lambda: self.lab.ping("device1"), 5, "the device did not come back")

    def test_an_authenticator_whose_port_stays_disabled_is_replaced(self):
        self.join("device1", "SN-1")
        sockets = self.router.run_directory / "hostapd"
        self.lab.run("router", ["hostapd_cli", "-p", sockets, "-i", self.lab.ports[0], "disable"])
        self.router.process.wait_for_output("BEARER_PROCESS_SILENT", 30)
        self.assert_shut_out("device1")
        # hostapd itself has told the device to go; who wants it back invites it.
        wait_until(lambda: self.router.tell("invite SN-1") or self.lab.ping("device1"), 30, "nobody authenticated again")

    def test_when_hostapd_dies_its_sessions_end_and_the_devices_come_back_by_themselves(self):
        self.join("device1", "SN-1")
        for pid in self.lab.pids_of("router", "hostapd"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(self.router.events("joined")) >= 2, 15, "the device did not authenticate again")
        wait_until(lambda: self.lab.ping("device1"), 5, "the device did not come back")


if __name__ == "__main__":
    unittest.main()
