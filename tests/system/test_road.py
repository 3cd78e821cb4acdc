"""The road in network namespaces, as sentences. One house is built for all; the order of the tests is the order of the story."""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

import refusals  # noqa: E402
from house import PORTS, REGISTRAR_ADDRESS, House, Lab, wait_until  # noqa: E402

BIN = os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin"))
MAKERS = [("acme", "Acme Sensors"), ("bolt", "Bolt Lighting"), ("mallory", "Mallory Devices")]


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class TheRoad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(devices=3, makers=3)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.close)
        cls.house = house = House(cls.lab, cls.lab.directory / "house", BIN)
        # For whoever must find out why a test failed: the logs outlive the house.
        cls.addClassCleanup(cls.keep_logs)
        cls.addClassCleanup(house.stop)
        house.build(MAKERS)
        cls.ann = house.ann
        cls.acme = house.device("acme", "acme-0001", "device1")
        cls.bolt = house.device("bolt", "bolt-0001", "device2")
        cls.spare = house.device("acme", "acme-0002", "device3")
        cls.stranger = house.device("mallory", "mallory-0001", "device3")
        for maker in ("acme", "bolt"):
            house.say(cls.ann, f"Trust({cls.ann.mail}, {house.makers[maker].did})")
        house.say(cls.ann, f"Trust({cls.ann.mail}, {cls.acme.did})")
        sales = house.folder / "people" / "bolt-sales.key"
        house.say(cls.ann, f"ManufacturerKey({house.makers['bolt'].did}, {house.make_key(sales)}, purchase)")
        house.submit(house.sign(f"Purchase({cls.bolt.did}, {cls.ann.mail}, urn:bolt:lamp)", sales, "purchase"))
        for socket in ("device1", "device2", "device3"):
            cls.lab.start_avahi(socket)
            cls.lab.dhcp(socket)
        cls.closed_before = [d.pings() for d in (cls.acme, cls.bolt)]
        for device in (cls.acme, cls.bolt):
            device.start()
        for device in (cls.acme, cls.bolt):
            device.step("E", 30)
        for device in (cls.acme, cls.bolt):
            wait_until(device.pings, 5, f"{device.serial} to reach the target network")

    @classmethod
    def keep_logs(cls):
        kept = ROOT / "out" / "test" / "road-logs"
        shutil.copytree(cls.house.folder / "logs", kept, dirs_exist_ok=True)
        for log in (cls.lab.directory / "rrouter").glob("*.log"):  # hostapd's, FreeRADIUS's
            shutil.copy(log, kept / f"router-{log.name}")

    def ldevid(self, device):
        return self.house.devices(f"serial={device.serial}")[0]["ldevids"][-1]

    def cut(self, device):
        """Ann distrusts the device; returns when its LDevID is on hold."""
        self.house.say(self.ann, f"Distrust({self.ann.mail}, {device.did})")
        wait_until(lambda: self.ldevid(device)["status"] == "on hold", 5, "the hold")

    def welcome(self, device):
        self.house.say(self.ann, f"Trust({self.ann.mail}, {device.did})")
        wait_until(device.pings, 15, f"{device.serial} to come back")

    # ----- what works

    def test_01_before_the_join_the_target_network_does_not_answer(self):
        self.assertEqual([False, False], self.closed_before)

    def test_02_a_trusted_device_and_a_bought_device_reach_the_target_network(self):
        self.assertTrue(self.acme.pings())
        self.assertTrue(self.bolt.pings())

    def test_03_the_registrar_was_found_by_mdns(self):
        step = self.acme.program.find("ROAD_STEP", stage="B")
        self.assertIsNotNone(step)
        self.assertIn("by mDNS", step["message"])

    def test_03_the_registrar_is_also_announced_as_one_that_speaks_cmp(self):
        found = self.lab.run("device1", ["avahi-browse", "-rtp", "_brski-reg-cmp._tcp"], env=self.lab.environment("device1")).stdout
        fields = next(line for line in found.splitlines() if line.startswith("=")).split(";")
        self.assertEqual(("_brski-reg-cmp._tcp", str(PORTS[0])), (fields[4], fields[8]), found)

    def test_04_the_pair_of_idevid_and_ldevid_is_found_by_either(self):
        pair = self.house.devices(f"serial={self.acme.serial}")[0]
        self.assertEqual(pair, self.house.devices(f"idevid={pair['idevid']['sha256']}")[0])
        self.assertEqual(pair, self.house.devices(f"ldevid={pair['ldevids'][-1]['serial']}")[0])

    def test_05_every_server_role_has_health_and_metrics(self):
        for place, port in (("registrar", PORTS[3]), ("router", 18446), (self.lab.makers[0], 19443)):
            with self.subTest(place):
                get = lambda path, p=place, n=port: self.house.at(p).run(  # noqa: E731
                    ["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{n}/{path}"]).stdout
                self.assertEqual("ok", get("healthz").strip())
                self.assertIn("# TYPE ", get("metrics"))

    def eapol_test(self, device):
        """The exit status of eapol_test with the device's LDevID against the router's FreeRADIUS, on the first port."""
        secret = re.search(r"secret = (\S+)", (self.lab.directory / "rrouter" / "radius" / "radiusd.conf").read_text())[1]
        configuration = self.lab.directory / "eapol.conf"
        configuration.write_text(
            f'network={{\n ssid="x"\n key_mgmt=WPA-EAP\n eap=TLS\n identity="{device.serial}"\n'
            f' ca_cert="{self.house.domain_ca}"\n domain_match="radius.{self.house.network}"\n'
            f' client_cert="{device.files}/ldevid.pem"\n private_key="{device.files}/ldevid.key"\n eapol_flags=3\n}}\n')
        return self.lab.run("router", ["eapol_test", "-c", configuration, "-a", "127.0.0.1", "-p", "1812", "-s", secret, "-t", "10",
                                       "-M", "02:00:00:00:00:77", "-N", f"32:s:{self.lab.ports[2]}"], timeout=30,
                            check=False).returncode

    def test_06_eapol_test_joins_with_our_ldevid(self):
        self.assertEqual(0, self.eapol_test(self.acme))

    # ----- what is refused

    def test_10_an_untrusted_maker_is_refused_and_its_masa_gets_no_packet(self):
        refusals.untrusted_maker(self.house, self.stranger)

    def test_11_a_self_signed_idevid_is_refused(self):
        refusals.self_signed_idevid(self.house, self.spare)

    def test_12_a_voucher_for_another_serial_is_refused(self):
        refusals.voucher_for_another_serial(self.house, self.spare)

    def test_13_a_voucher_with_another_nonce_is_refused(self):
        refusals.voucher_with_another_nonce(self.house, self.spare)

    def test_14_a_nonceless_voucher_past_its_expiry_is_refused(self):
        refusals.voucher_past_its_expiry(self.house, self.spare)

    def test_15_a_voucher_signed_by_a_device_of_the_same_maker_is_refused(self):
        refusals.voucher_signed_by_a_device(self.house, self.spare, self.acme)

    def test_16_the_same_server_with_an_honest_voucher_is_believed(self):
        refusals.cheating_registrar(self.house, self.spare, "honest")

    def test_17_enrolment_without_a_voucher_is_refused(self):
        refusals.enrolment_without_voucher(self.house, self.spare)

    def test_17_renewal_without_a_voucher_is_refused(self):
        refusals.renewal_without_voucher(self.house, self.spare)

    def test_18_a_request_for_a_ca_certificate_is_refused(self):
        refusals.csr_for_a_ca(self.house, self.acme)

    def test_19_a_request_for_another_subject_is_refused(self):
        refusals.csr_for_another_subject(self.house, self.acme)

    def test_20_joining_without_an_ldevid_is_refused(self):
        refusals.join_without_ldevid(self.house, self.spare)

    def test_21_joining_under_another_name_than_the_certificates_is_refused(self):
        refusals.join_as_another(self.house, self.spare, self.acme)

    def test_22_a_claim_with_a_broken_signature_is_refused(self):
        refusals.claim_with_broken_signature(self.house, self.spare)

    def test_23_a_claim_from_an_unknown_issuer_is_refused(self):
        refusals.claim_from_unknown_issuer(self.house, self.spare)

    def test_24_a_claim_by_somebody_without_the_right_is_refused(self):
        refusals.claim_without_right(self.house, self.spare)

    def test_26_malformed_bodies_are_refused_and_the_next_honest_request_works(self):
        for attempt in (refusals.truncated_body, refusals.not_der, refusals.hundred_megabytes, refusals.deep_json,
                        refusals.not_http):
            with self.subTest(attempt.__name__):
                attempt(self.house)
        certificate = self.acme.folder / "idevid.pem"
        status, text = refusals.curl_enrol(self.house, self.acme.place, certificate, self.acme.folder / "idevid.key",
                                           refusals.make_csr(self.house, "honest", "/serialNumber=acme-0001")[0])
        self.assertEqual(200, status, text)

    def test_27_a_slow_sender_is_closed_and_others_are_served_meanwhile(self):
        begin = time.monotonic()
        refusals.slow_sender(self.house)
        self.assertLess(time.monotonic() - begin, 44)

    # ----- cut and return

    def test_30_a_distrusted_device_is_cut_and_no_other(self):
        other = self.lab.continuous_ping("device2")
        other.wait_for_reply(time.time(), 5)
        self.cut(self.acme)
        self.assertFalse(self.acme.pings())
        last_of_other = other.replies()[-1]
        other.wait_for_reply(last_of_other, 2)
        replies = other.replies()
        other.stop()
        self.assertLess(max(b - a for a, b in zip(replies, replies[1:])), 0.5, "the other device lost pings")

    def test_31_a_cut_device_can_neither_enrol_nor_renew_nor_join(self):
        refusals.enrolment_while_cut(self.house, self.acme)
        refusals.renewal_while_cut(self.house, self.acme)
        refusals.join_while_revoked(self.house, self.spare, self.acme)
        self.assertNotEqual(0, self.eapol_test(self.acme))

    def test_32_trusting_it_again_lets_it_rejoin_without_enrolling_or_restarting_anything(self):
        before, process = self.ldevid(self.acme), self.acme.program.process.pid
        self.welcome(self.acme)
        after = self.ldevid(self.acme)
        self.assertEqual(before["serial"], after["serial"])
        self.assertEqual("good", after["status"])
        self.assertEqual(process, self.acme.program.process.pid)
        self.assertTrue(self.acme.program.running())

    def test_33_retracting_the_trust_in_a_maker_cuts_all_its_devices(self):
        claim = self.ann.says(f"Distrust({self.ann.mail}, {self.house.makers['bolt'].did})")
        self.house.submit(claim)
        wait_until(lambda: not self.bolt.pings(), 5, "bolt-0001 to be cut")
        self.assertTrue(self.acme.pings())
        self.house.say(self.ann, f"Trust({self.ann.mail}, {self.house.makers['bolt'].did})")
        wait_until(self.bolt.pings, 15, "bolt-0001 to come back")

    # ----- routers, restarts

    def test_40_a_router_of_another_owner_is_refused(self):
        refusals.strangers_router(self.house)

    def test_41_a_decision_taken_while_the_router_was_away_reaches_it_when_it_is_back(self):
        router = self.house.routers["router"]["role"]
        router.kill()
        self.house.say(self.ann, f"Distrust({self.ann.mail}, {self.acme.did})")
        router.start().ready(20)
        self.house.wait_for_router()
        wait_until(lambda: not self.acme.pings(), 2, "what was cut while the router was away to be off the network")
        self.house.say(self.ann, f"Trust({self.ann.mail}, {self.acme.did})")
        wait_until(self.acme.pings, 20, "acme-0001 to come back")

    def test_42_a_killed_registrar_remembers_everything(self):
        before = self.house.devices(f"serial={self.acme.serial}")
        synced = self.house.times_synced()
        self.house.registrar.kill()
        self.house.registrar.start().ready()
        self.assertEqual(before, self.house.devices(f"serial={self.acme.serial}"))
        self.house.wait_for_router(after=synced)
        self.assertTrue(self.acme.pings())
        self.cut(self.acme)
        self.assertFalse(self.acme.pings())
        self.welcome(self.acme)

    def test_50_a_device_that_renews_joins_with_the_new_certificate(self):
        before = self.ldevid(self.acme)["serial"]
        self.acme.program.stop()
        done = self.acme.place.run([self.house.program, "pledge", "--state", self.acme.folder, "--clock", "renew"])
        self.assertIn("renewed", done.stdout)
        self.assertNotEqual(before, self.ldevid(self.acme)["serial"])
        self.acme.start()
        self.acme.step("E", 20)
        wait_until(self.acme.pings, 5, "acme-0001 on the network with its new LDevID")

    def test_90_the_registrar_address_is_all_a_device_reaches_before_it_joins(self):
        self.assertTrue(self.lab.connects("device3", REGISTRAR_ADDRESS, PORTS[0]))
        self.assertFalse(self.lab.connects("device3", REGISTRAR_ADDRESS, PORTS[1]), "the claim node is not for strangers")


if __name__ == "__main__":
    unittest.main()
