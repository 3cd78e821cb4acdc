"""Two houses in one street: three makers, two MASAs, two registrars, two join proxies and twenty devices on one link.

    10.78.0.0/24 ("internet")                 a trusted wire each             the street: one bridge, link-local only
    masa1 .11 (acme, and bolt as tenant) ─┬─ registrar-oak ──── proxy-oak ───┬── device1 … device20
    masa2 .12 (cora)                      └─ registrar-elm ──── proxy-elm ───┘

Every device hears both proxies. Honest ones end in the house of their owner, wherever they ask first and however often they
lose power; hostile ones end nowhere. CAHN_SEED repeats a run.
"""

import json
import os
import random
import shutil
import subprocess
import time
import unittest

from tests.support.programs import BIN, ROOT
from tests.system.test_proxy import SHOUT

from cast import Cast, Domain, Maker, Place
from lab.lab import Lab, ip

HOUSES = ("oak", "elm")
PATIENCE = 180


class Street(Lab):
    def _build(self):
        houses = [f"{part}-{house}" for house in HOUSES for part in ("registrar", "proxy")]
        names = ["internet", "street"] + houses + self.devices + self.makers
        for name in names:
            ip("netns", "add", self.ns(name))
            self.run(name, ["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"])
        for name in ("internet", "street"):
            self._batch(name, "link add br0 type bridge", "link set lo up", "link set br0 up")
        for number, house in enumerate(HOUSES, 1):
            registrar, proxy = f"registrar-{house}", f"proxy-{house}"
            self._plug("internet", f"to-{house}", registrar, "wan", f"10.78.0.{number}/24")
            self._plug("street", f"to-{house}", proxy, "street", None)
            ip("link", "add", "eth0", "netns", self.ns(registrar), "type", "veth", "peer", "name", "eth0", "netns", self.ns(proxy))
            for end, host in ((2, registrar), (1, proxy)):
                self._batch(host, "link set eth0 up", f"addr add 10.77.{number}.{end}/24 dev eth0",
                            f"addr add fd77:{number}::{end}/64 dev eth0")
        for index, maker in enumerate(self.makers):
            self._plug("internet", f"to-{maker}", maker, "eth0", f"{self.maker_address(index)}/24")
        for device in self.devices:
            self._plug("street", f"to-{device}", device, "eth0", None)

    def at(self, name, address=""):
        return Place(name, address, ["ip", "netns", "exec", self.ns(name)], self.environment(name))


class Device:
    """One that was born, and what is to become of it: the name of the house, or None."""

    def __init__(self, maker, serial, home, folder):
        self.maker, self.serial, self.home, self.folder = maker, serial, home, folder
        self.role, self.power_cuts = None, 0

    @property
    def certificate(self):
        return self.folder / "network" / "ldevid.pem"


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class TwoHousesInOneStreet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("CAHN_SEED", time.time_ns() % 1_000_000))
        cls.random = random.Random(cls.seed)
        cls.lab = Street(devices=20, makers=2)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.close)
        cls.world = Cast(cls.lab.directory / "world", BIN)
        cls.addClassCleanup(lambda: shutil.copytree(cls.world.folder / "logs", ROOT / "out" / "test" / "street-logs", dirs_exist_ok=True))
        cls.addClassCleanup(cls.world.stop)
        cls.houses = {}
        cls.found_makers()
        for number, name in enumerate(HOUSES, 1):
            cls.found_house(name, cls.lab.at(f"registrar-{name}", f"10.77.{number}.2"))
        cls.devices = []
        cls.bear_devices()
        cls.run_masas()
        for name in HOUSES:
            cls.open_house(name)
        cls.switch_everything_on()

    # ----- who there is

    @classmethod
    def found_makers(cls):
        addresses = [cls.lab.maker_address(index) for index in range(2)]
        cls.makers = {name: Maker(cls.world, name, title, address) for name, title, address in
                      (("acme", "Acme Sensors", addresses[0]), ("bolt", "Bolt Lamps", addresses[0]), ("cora", "Cora Locks", addresses[1]),
                       # Has the name of the first, and none of its keys.
                       ("forger", "Acme Sensors", addresses[0]))}

    @classmethod
    def found_house(cls, name, place):
        house = Domain(cls.world.folder / name, BIN)
        cls.addClassCleanup(house.stop)
        house.network = f"{name}-house"
        house.prepare_registrar(place, f"{name}.example")
        cls.houses[name] = house

    @classmethod
    def born(cls, maker, serial, home, name=None):
        device = Device(maker, serial, home, cls.world.folder / "devices" / (name or serial))
        cls.makers[maker].birth(device.folder, serial)
        device.did = cls.world.cahn("vc", "did", device.folder / "idevid.pem").stdout.strip()
        cls.devices.append(device)
        return device

    @classmethod
    def bear_devices(cls):
        for number in range(1, 6):
            for maker in ("acme", "bolt", "cora"):
                cls.born(maker, f"{maker}-{number}", HOUSES[len(cls.devices) % 2])
        cls.contested = next(d for d in cls.devices if d.maker == "acme")
        # Trusted by nobody; known to its owner and not to its maker's server; twice another's serial number, of a CA of that name.
        cls.unwanted = cls.born("bolt", "bolt-6", None)
        cls.unreported = Device("cora", "cora-6", None, cls.world.folder / "devices" / "cora-6")
        cls.forged = [cls.born("forger", f"acme-{number}", None, f"forged-{number}") for number in (1, 2)]

    @classmethod
    def run_masas(cls):
        places = [cls.lab.at(name, cls.lab.maker_address(index)) for index, name in enumerate(cls.lab.makers)]
        files = cls.makers["bolt"].state / "masa"
        tenant = cls.world.folder / "bolt.toml"
        tenant.write_text(f'name = "bolt"\nownership = "first-come"\nsigner = "{files}/signer.pem"\nsigner-key = "{files}/signer.key"\n'
                          f'idevid-anchor = ["{files}/idevid-anchor.pem"]\nfactory-anchor = ["{files}/factory-anchor.pem"]\n')
        sales = cls.world.folder / "sales.csv"
        rows = ["serial,owner"]
        for device in cls.devices:
            if device.maker == "acme":
                pem = cls.houses[device.home].domain_ca.read_text()
                rows.append(f"{device.serial},certificate:{''.join(pem.split('-----')[2].split())}")
        sales.write_text("\n".join(rows) + "\n")
        masas = [cls.makers["acme"].start_masa(places[0], tenant=tenant, ownership="sales", sales=sales),
                 cls.makers["cora"].start_masa(places[1])]
        for masa in masas:
            masa.ready(30)
        for maker in ("acme", "bolt", "cora"):
            # Bolt's births go to a server whose name Acme's CA vouches for.
            anchor = ("--masa-anchor", cls.makers["acme"].state / "web-anchor.pem") if maker == "bolt" else ()
            cls.makers[maker].report(cls.houses["oak"].registrar_place, *anchor)
        # Born after the report, and never told.
        cls.makers["cora"].birth(cls.unreported.folder, "cora-6")
        cls.unreported.did = cls.world.cahn("vc", "did", cls.unreported.folder / "idevid.pem").stdout.strip()
        cls.devices.append(cls.unreported)

    @classmethod
    def open_house(cls, name):
        house = cls.houses[name]
        honest = [cls.makers[maker] for maker in ("acme", "bolt", "cora")]
        house.start_registrar(makers=honest, announce=False, grasp_period=1, grasp_interface="eth0")
        house.submit(house.binding(house.ann))
        for maker in honest:
            house.say(house.ann, f"Trust({house.ann.mail}, {maker.did})")
        mine = [d for d in cls.devices if d.home == name or d in (cls.contested, cls.unreported)]
        for device in mine:
            house.say(house.ann, f"Trust({house.ann.mail}, {device.did})")
        proxy = house.role(cls.lab.at(f"proxy-{name}"), f"proxy-{name}",
                           [house.program, "proxy", "--json", "--state", house.folder / "proxy", "--no-mdns", "--grasp-period", "1",
                            "--interface", "street", "--trusted-interface", "eth0"])
        proxy.ready().wait_for("PROXY_REGISTRAR_FOUND", 20, by="GRASP")

    # ----- what happens

    @classmethod
    def switch_on(cls, device):
        if device.role is None:
            argv = [cls.world.program, "pledge", "--json", "--state", device.folder, "--clock", "--no-mdns", "--no-dns",
                    "--patience-seconds", PATIENCE]
            device.role = cls.world.role(device.place, f"device-{device.folder.name}", argv)
        else:
            device.role.start()

    @classmethod
    def switch_everything_on(cls):
        honest = [d for d in cls.devices if d.home]
        cls.losing_power = cls.random.sample(honest, 8)
        sockets = cls.lab.devices[:]
        cls.random.shuffle(sockets)
        liar = sockets.pop()
        for device in cls.devices:
            device.place = cls.lab.at(sockets.pop())
        shown = cls.lab.run(liar, ["ip", "-6", "-j", "addr", "show", "dev", "eth0", "scope", "link"]).stdout
        own = json.loads(shown)[0]["addr_info"][0]["local"]
        lies = json.dumps([[["AN_Proxy", 4, 1, ""], own, port] for port in range(20000, 20003)])
        cls.liar = cls.lab.start_process(liar, ["sh", "-c", 'while sleep 0.5; do /usr/bin/python3 -c "$1" "$2"; done', "sh", SHOUT, lies])
        for device in cls.devices:
            cls.switch_on(device)
        # Each of some loses power up to five times, whatever it is doing: from its first look around to its last report.
        next_cut = {device.serial: time.monotonic() + cls.random.uniform(0.02, 0.6) for device in cls.losing_power}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(d.role.running() for d in honest):
            for device in cls.losing_power:
                if device.power_cuts < 5 and device.role.running() and time.monotonic() > next_cut[device.serial]:
                    device.role.kill()
                    device.power_cuts += 1
                    next_cut[device.serial] = time.monotonic() + cls.random.uniform(0.02, 1.5)
                    cls.switch_on(device)
            time.sleep(0.02)
        print(f"seed {cls.seed}: power was cut {sum(d.power_cuts for d in cls.devices)} times", flush=True)

    def of_house(self, name):
        return {device["serialNumber"]: device for device in self.houses[name].devices() if device["ldevids"]}

    def serial_of(self, certificate):
        done = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-serial"], capture_output=True, text=True, check=True)
        return done.stdout.strip().removeprefix("serial=").lower()

    # ----- how it ends

    def test_01_every_honest_device_is_done(self):
        for device in self.devices:
            if device.home:
                with self.subTest(device.serial):
                    self.assertFalse(device.role.running(), device.role.tail(3))
                    self.assertEqual(0, device.role.process.returncode, device.role.tail(3))

    def test_02_each_has_a_certificate_of_its_owners_domain_and_network(self):
        for device in self.devices:
            if device.home:
                with self.subTest(device.serial):
                    verified = subprocess.run(["openssl", "verify", "-CAfile", self.houses[device.home].domain_ca, device.certificate],
                                              capture_output=True, text=True, check=False)
                    self.assertEqual(0, verified.returncode, verified.stderr)
                    subject = subprocess.run(["openssl", "x509", "-in", device.certificate, "-noout", "-subject", "-nameopt", "RFC2253"],
                                             capture_output=True, text=True, check=True).stdout
                    self.assertIn(f"CN={device.home}-house", subject)
                    self.assertIn(device.serial, subject)

    def test_03_each_house_has_its_own_devices_and_no_other(self):
        for name in HOUSES:
            mine = {d.serial for d in self.devices if d.home == name}
            self.assertEqual(mine, set(self.of_house(name)), name)
            self.assertGreater(len(mine), 5)

    def test_04_each_is_enrolled_once(self):
        for name in HOUSES:
            for serial, record in self.of_house(name).items():
                device = next(d for d in self.devices if d.serial == serial and d.home)
                with self.subTest(serial):
                    # One that lost power before it had kept its certificate was issued another; the last is the one it has.
                    self.assertLessEqual(len(record["ldevids"]), 1 + device.power_cuts)
                    self.assertEqual(self.serial_of(device.certificate), record["ldevids"][-1]["serial"].lower())

    def test_05_no_hostile_device_is_let_in(self):
        for device in [self.unwanted, self.unreported, *self.forged]:
            with self.subTest(device.folder.name):
                self.assertFalse((device.folder / "network").exists())
                self.assertIsNotNone(device.role.find("ONBOARDING_FAILED"), device.role.tail(3))

    def test_06_a_house_that_claims_a_device_sold_to_another_is_refused_by_the_masa(self):
        other = next(name for name in HOUSES if name != self.contested.home)
        self.assertNotIn(self.contested.serial, self.of_house(other))
        self.assertIn(self.contested.serial, self.of_house(self.contested.home))

    def test_07_the_liar_lied_to_the_end(self):
        self.assertTrue(self.liar.alive())
        self.assertTrue(any("20000" in d.role.log_path.read_text() or "20001" in d.role.log_path.read_text() for d in self.devices),
                        "some device believed the liar long enough to try it")

    def test_08_power_was_cut(self):
        self.assertGreaterEqual(sum(d.power_cuts for d in self.devices), len(self.losing_power) // 2)


if __name__ == "__main__":
    unittest.main()
