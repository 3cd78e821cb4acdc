"""A join proxy between an isolated link and the network of the registrar, in namespaces.

    device1 ─ port1 ┐                                   ┌ to-registrar ─ registrar 10.77.0.2, fd77::2
    device2 ─ port2 ┴ br1   [router: cahn proxy]   br0 ─┘
      10.99.0.0/24          nothing is routed           10.77.0.1, fd77::1

Devices see nothing but br1 of the router, where the proxy listens. All GRASP goes over real sockets; its octets are read
and written by python3-cbor2 as well.
"""

import json
import os
import pathlib
import re
import shutil
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

from house import PORTS, REGISTRAR_ADDRESS, House, Lab, wait_until  # noqa: E402

BIN = os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin"))
HEALTH = 14443

# Prints each flood that comes to ff02::13 port 7017 of an interface, as cbor2 reads it: one JSON object a line.
LISTEN = """
import cbor2, ipaddress, json, socket, struct, sys
index = socket.if_nametoindex(sys.argv[1])
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
udp.bind(("ff02::13", 7017, 0, index))
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::13") + struct.pack("@I", index))
print("listening", flush=True)
while True:
    octets, more, _, source = udp.recvmsg(4096, 64)
    hops = [struct.unpack("@i", data)[0] for level, kind, data in more if kind == socket.IPV6_HOPLIMIT]
    kind, session, initiator, ttl, (objective, locator) = cbor2.loads(octets)
    address = lambda b: str(ipaddress.IPv6Address(b))
    print(json.dumps({"type": kind, "session": session, "initiator": address(initiator), "ttl": ttl, "objective": objective,
                      "locator": [locator[0], address(locator[1]), *locator[2:]], "hops": hops,
                      "source": source[0].split("%")[0]}), flush=True)
"""

# Floods whatever objective it is told, from the first link-local address of eth0, as a stranger would.
SHOUT = """
import cbor2, ipaddress, json, socket, sys
objectives = json.loads(sys.argv[1])
index = socket.if_nametoindex("eth0")
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
for i, (objective, address, port) in enumerate(objectives):
    packed = ipaddress.IPv6Address(address).packed
    udp.sendto(cbor2.dumps([9, i, packed, 180000, [objective, [103, packed, 6, port]]]), ("ff02::13", 7017, 0, index))
"""


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class ThroughAProxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(devices=2, makers=1)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.close)
        cls.house = house = House(cls.lab, cls.lab.directory / "house", BIN)
        cls.addClassCleanup(lambda: shutil.copytree(house.folder / "logs", ROOT / "out" / "test" / "proxy-logs", dirs_exist_ok=True))
        cls.addClassCleanup(house.stop)
        cls.isolate_devices()
        house.build_makers([("acme", "Acme Sensors")])
        # GRASP before mDNS: a flood goes out when the registrar starts, a minute apart afterwards.
        cls.trusted = cls.listen("router", "br0")
        house.build_registrar(grasp_period=1, grasp_interface="eth0")
        house.submit(house.binding(house.ann))
        house.say(house.ann, f"Trust({house.ann.mail}, {house.makers['acme'].did})")
        cls.serial = 0

    @classmethod
    def isolate_devices(cls):
        lab = cls.lab
        lab._batch("router", "link add br1 type bridge", "link set br1 up", "addr add 10.99.0.1/24 dev br1",
                   "addr add fd77::1/64 dev br0", *(f"link set {port} master br1" for port in lab.ports))
        lab._batch("registrar", "addr add fd77::2/64 dev eth0")
        for number, device in enumerate(lab.devices):
            lab._batch(device, f"addr add 10.99.0.{50 + number}/24 dev eth0")

    @classmethod
    def listen(cls, name, interface):
        process = cls.lab.start_process(name, ["/usr/bin/python3", "-c", LISTEN, interface])
        process.wait_for_output("^listening", 10)
        return process

    def floods(self, process, objective):
        lines = [line for line in process.output().splitlines() if line.startswith("{")]
        return [flood for flood in map(json.loads, lines) if flood["objective"][0] == objective]

    def wait_for_flood(self, process, objective, timeout=15):
        return wait_until(lambda: self.floods(process, objective), timeout, f"a flood of {objective}")[0]

    def shout(self, name, *objectives):
        self.lab.run(name, ["/usr/bin/python3", "-c", SHOUT, json.dumps(objectives)])

    def start_proxy(self, *more, trusted="br0"):
        proxy = self.house.role(self.house.at("router"), f"proxy-{self.id().rsplit('.', 1)[1]}",
                                [self.house.program, "proxy", "--json", "--log-level", "debug", "--state",
                                 self.house.folder / "proxy", "--health-port", HEALTH, "--grasp-period", "1",
                                 "--interface", "br1", "--trusted-interface", trusted, *more])
        self.addCleanup(proxy.stop)
        return proxy.ready()

    def new_device(self, socket="device1"):
        type(self).serial += 1
        device = self.house.device("acme", f"acme-{self.serial:04d}", socket)
        self.house.say(self.house.ann, f"Trust({self.house.ann.mail}, {device.did})")
        return device

    def onboard(self, device, *more):
        """Runs the device to its end; its log."""
        device.start(*more, "--patience-seconds", "60", join=False)
        self.addCleanup(device.program.stop)
        wait_until(lambda: not device.program.running(), 60, lambda: f"the device to finish ({device.program.tail(3)})")
        self.assertEqual(0, device.program.process.returncode, device.program.tail())
        self.assertTrue((device.files / "ldevid.pem").exists())
        return device.program

    def get(self, path):
        return self.lab.run("router", ["curl", "-s", "--max-time", "5", f"http://127.0.0.1:{HEALTH}/{path}"]).stdout

    # ----- the announcements

    def test_01_the_registrar_floods_what_rfc_8995_says(self):
        flood = self.wait_for_flood(self.trusted, "AN_join_registrar")
        self.assertEqual(9, flood["type"])
        self.assertEqual(["AN_join_registrar", 4, 255, "EST-TLS"], flood["objective"])
        self.assertEqual([103, "fd77::2", 6, PORTS[0]], flood["locator"])
        self.assertEqual(("fd77::2", "fd77::2", 180000, [255]),
                         (flood["source"], flood["initiator"], flood["ttl"], flood["hops"]))

    def test_02_the_proxy_floods_what_rfc_8995_says_once_it_knows_a_registrar(self):
        heard = self.listen("device1", "eth0")
        proxy = self.start_proxy("--no-mdns")
        proxy.wait_for("PROXY_REGISTRAR_FOUND", 20, by="GRASP")
        flood = self.wait_for_flood(heard, "AN_Proxy")
        address = self.house.link_local("router", "br1")
        port = int(re.search(r"port (\d+)", proxy.find("ROLE_READY")["message"])[1])
        self.assertEqual(["AN_Proxy", 4, 1, ""], flood["objective"])
        self.assertEqual([103, address, 6, port], flood["locator"])
        self.assertEqual((address, 180000, [255]), (flood["source"], flood["ttl"], flood["hops"]))
        self.assertEqual("warning", proxy.find("GRASP_PERIOD_SHORT")["level"], "RFC 8995 4.3: a second is too often")
        usage = self.house.at("router").run([self.house.program, "proxy", "--help"]).stdout
        self.assertRegex(usage, r"--grasp-period \S*=60 ", "and a minute apart unless told otherwise")
        wait_until(lambda: len({f["session"] for f in self.floods(heard, "AN_Proxy")}) > 1, 10, "a session-id of its own for each")
        heard.stop()

    def test_03_a_proxy_that_knows_no_registrar_is_not_announced(self):
        # The registrar's floods reach br0, but that network is not trusted here (B-137).
        proxy = self.start_proxy("--no-mdns", trusted="br1")
        before = len(self.floods(self.trusted, "AN_join_registrar"))
        wait_until(lambda: len(self.floods(self.trusted, "AN_join_registrar")) > before + 2, 20, "three more floods")
        self.assertIn("no registrar is known", self.get("healthz"))
        self.assertIsNone(proxy.find("PROXY_ANNOUNCED"))

    # ----- the way through

    def test_10_a_device_reaches_no_registrar_by_itself(self):
        self.assertFalse(self.lab.connects("device1", REGISTRAR_ADDRESS, PORTS[0], timeout=1))

    def test_11_a_device_on_an_isolated_link_bootstraps_through_a_proxy_found_by_grasp(self):
        self.start_proxy("--no-mdns")
        log = self.onboard(self.new_device(), "--no-mdns", "--no-dns")
        self.assertIn("by GRASP", log.find("ROAD_STEP", stage="B")["message"])
        self.assertRegex(self.get("metrics"), r'cahn_relay_connections_total\{[^}]*result="connected"[^}]*\} [1-9]')
        self.assertEqual("ok", self.get("healthz").strip())

    def test_12_a_device_bootstraps_through_a_proxy_found_by_mdns(self):
        self.lab.start_avahi("router", interface="br0,br1")
        self.lab.start_avahi("device1")
        proxy = self.start_proxy("--no-grasp")
        proxy.wait_for("PROXY_REGISTRAR_FOUND", 20, by="mDNS")
        log = self.onboard(self.new_device(), "--no-grasp", "--no-dns")
        step = log.find("ROAD_STEP", stage="B")["message"]
        self.assertIn("CAHN proxy", step)
        self.assertIn("by mDNS", step)

    def test_13_two_devices_bootstrap_at_the_same_time(self):
        self.start_proxy("--no-mdns")
        devices = [self.new_device("device1"), self.new_device("device2")]
        for device in devices:
            device.start("--patience-seconds", "60", "--no-mdns", "--no-dns", join=False)
            self.addCleanup(device.program.stop)
        for device in devices:
            wait_until(lambda d=device: not d.program.running(), 60, f"{device.serial} to finish")
            self.assertEqual(0, device.program.process.returncode, device.program.tail())

    # ----- strangers on the link

    def test_20_false_proxies_do_not_keep_a_device_from_the_true_one(self):
        device = self.new_device()
        device.start("--no-mdns", "--no-dns", join=False)
        self.addCleanup(device.program.stop)
        device.program.wait_for("NO_REGISTRAR_FOUND", 20)
        liar = self.house.link_local("device2")
        # Nobody listens on these ports: each is tried in vain, and set aside for itself.
        self.shout("device2", *[[["AN_Proxy", 4, 1, ""], liar, port] for port in range(20000, 20005)])
        device.program.wait_for("ONBOARDING_FAILED", 20)
        self.start_proxy("--no-mdns")
        wait_until(lambda: not device.program.running(), 60, lambda: f"the device to finish ({device.program.tail(3)})")
        self.assertEqual(0, device.program.process.returncode, device.program.tail())

    def test_21_a_flood_that_points_elsewhere_is_not_followed(self):
        device = self.new_device()
        device.start("--no-mdns", "--no-dns", join=False)
        self.addCleanup(device.program.stop)
        device.program.wait_for("NO_REGISTRAR_FOUND", 20)
        capture = self.lab.capture("router", "tcp port 20001")
        router = self.house.link_local("router", "br1")
        own = self.house.link_local("device2")
        self.shout("device2", [["AN_Proxy", 4, 1, ""], router, 20001], [["AN_Proxy", 4, 2, ""], own, 20001],
                   [["AN_join_registrar", 4, 1, "EST-TLS"], own, 20001], [["AN_Proxy", 4, 1, ""], own, 20002])
        device.program.wait_for("ONBOARDING_FAILED", 20)  # of the last, which is sound
        self.assertEqual(0, capture.stop())

    def test_22_a_registrar_announced_by_a_device_is_not_used_by_the_proxy(self):
        proxy = self.start_proxy("--no-mdns")
        proxy.wait_for("PROXY_REGISTRAR_FOUND", 20, by="GRASP")
        liar = self.house.link_local("device2")
        self.shout("device2", [["AN_join_registrar", 4, 1, "EST-TLS"], liar, 8443])
        log = self.onboard(self.new_device(), "--no-mdns", "--no-dns")
        self.assertIsNotNone(log)
        found = [event for event in proxy.events() if event.get("id") == "PROXY_REGISTRAR_FOUND"]
        self.assertEqual([f"[fd77::2]:{PORTS[0]}"], [event["fields"]["registrar"] for event in found])

    def test_30_a_proxy_that_is_told_nothing_says_what_it_needs(self):
        done = self.house.at("router").run([self.house.program, "proxy", "--state", self.house.folder / "p", "--check"], check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn("--registrar", done.stderr)
        self.assertIn("--trusted-interface", done.stderr)


if __name__ == "__main__":
    unittest.main()
