"""The cast in a laboratory of network namespaces: a house with a router, a registrar, makers on the internet, devices.

Addresses and wires are those of tests/support/lab/lab.py.
"""

import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from cast import Domain, Failed, Place, Role, wait_until  # noqa: E402
from lab.lab import REGISTRAR_ADDRESS, TARGET_ADDRESS, Lab  # noqa: E402

PORTS = (8443, 8444, 8445, 18443)


class Device:
    """A device: its folder from the factory, the port it is plugged into, and its running program."""

    def __init__(self, house, maker, serial, socket, model="sensor"):
        self.house, self.maker, self.serial, self.place = house, maker, serial, house.at(socket)
        self.socket = socket
        self.folder = house.folder / "devices" / serial
        maker.birth(self.folder, serial, model)
        self.did = house.cahn("vc", "did", self.folder / "idevid.pem").stdout.strip()
        self.program = None

    @property
    def files(self):
        """Where its network credential is."""
        return self.folder / "network"

    def start(self, *more, join=True):
        """Plugs it in and switches it on."""
        argv = [self.house.program, "pledge", "--json", "--state", self.folder, "--clock"]
        # The folder for control sockets must be short.
        argv += ["--run-directory", self.house.lab.directory / f"w{self.socket}"]
        if join:
            argv += ["--interface", "eth0"]
        self.program = self.house.role(self.place, f"device-{self.serial}", argv + list(more))
        return self.program

    def onboard_once(self, registrar, timeout=20):
        """Tries one registrar and ends; the CompletedProcess."""
        return self.place.run([self.house.program, "pledge", "--json", "--state", self.folder, "--clock",
                               "--registrar", registrar, "--once"], check=False, timeout=timeout)

    def step(self, stage, timeout=15):
        return self.program.wait_for("ROAD_STEP", timeout, stage=stage)

    def pings(self):
        return self.house.lab.ping(self.socket)


class House(Domain):
    def __init__(self, lab, folder, programs):
        super().__init__(folder, programs)
        self.lab = lab
        self.places = {}
        self.routers = {}

    def at(self, name):
        """The namespace `name` of the laboratory as a Place."""
        if name not in self.places:
            address = {"registrar": REGISTRAR_ADDRESS, "target": TARGET_ADDRESS}.get(name, "")
            if name in self.lab.makers:
                address = self.lab.maker_address(self.lab.makers.index(name))
            self.places[name] = Place(name, address, ["ip", "netns", "exec", self.lab.ns(name)], self.lab.environment(name))
        return self.places[name]

    def link_local(self, name, interface="eth0"):
        """The IPv6 link-local address of a namespace's interface, which mDNS also announces."""
        shown = self.lab.run(name, ["ip", "-6", "-j", "addr", "show", "dev", interface, "scope", "link"]).stdout
        return json.loads(shown)[0]["addr_info"][0]["local"]

    def build_makers(self, makers):
        """makers: [(name, title)], each with its MASA in a namespace of its own, started and ready."""
        for (name, title), socket in zip(makers, self.lab.makers):
            place = self.at(socket)
            self.maker(name, title, place.address).start_masa(place)
        for maker in self.makers.values():
            maker.masa.ready()

    def build_registrar(self, **settings):
        self.lab.start_avahi("registrar")
        self.prepare_registrar(self.at("registrar"))
        return self.start_registrar(ports=PORTS, **settings)

    def prepare_router(self, owner=None, name="router", place="router"):
        """Makes a router's identity, its owner's credential for it, and its RADIUS certificate. Before the registrar runs."""
        state = self.folder / name
        made = json.loads(self.cahn("router", "--state", state, "init", place=self.at(place)).stdout)
        owner = owner or self.ann
        ownership = owner.says(f"Trust({owner.mail}, {made['router']})", f"owns-{name}")
        radius = self.folder / f"{name}-radius.pem"
        self.cahn("registrar", "--state", self.registrar_state, *self._names(), "server-certificate",
                  "--csr", made["radius_csr"], "--name", f"radius.{self.network}", "--out", radius)
        self.routers[name] = {"state": state, "ownership": ownership, "radius": radius, "did": made["router"]}
        return self.routers[name]

    def start_router(self, name="router", place="router", interfaces=None, health_port=18446, ready=True, **settings):
        parts = self.routers[name]
        argv = [self.program, "router", "--json", "--state", parts["state"], "--ownership", parts["ownership"],
                "--radius-certificate", parts["radius"], "--domain-ca", self.domain_ca,
                "--registrar", f"{REGISTRAR_ADDRESS}:{PORTS[2]}", "--health-port", health_port,
                "--onboarding-service", f"{REGISTRAR_ADDRESS}:{PORTS[0]}",
                "--onboarding-service", f"[{self.link_local('registrar')}]:{PORTS[0]}",
                "--run-directory", self.lab.directory / f"r{name}"]
        for interface in self.lab.ports if interfaces is None else interfaces:
            argv += ["--interface", interface]
        for key, value in settings.items():
            argv += [f"--{key.replace('_', '-')}", value]
        role = self.role(self.at(place), name, argv)
        parts["role"] = role
        return role.ready(20) if ready else role

    def build(self, makers, lease_seconds=3600):
        """The whole house: makers, registrar, router, DHCP; Ann's binding is known to the claim node."""
        self.build_makers(makers)
        self.lab.start_avahi("registrar")
        self.prepare_registrar(self.at("registrar"))
        self.prepare_router()
        self.prepare_router(owner=self.bob, name="bobs-router", place="target")
        self.start_registrar(ports=PORTS, lease_seconds=lease_seconds)
        for person in (self.ann, self.bob):
            self.submit(self.binding(person))
        self.lab.start_dnsmasq()
        self.start_router()
        self.wait_for_router()

    def times_synced(self, name="router"):
        """How often this run of the router came into step with the registrar."""
        return sum(event.get("id") == "ROUTER_SYNCED" for event in self.routers[name]["role"].events())

    def wait_for_router(self, name="router", timeout=15, after=0):
        """Until the router is in step with the registrar, for the (`after` + 1)th time."""
        wait_until(lambda: self.times_synced(name) > after, timeout, f"{name} to be in step with the registrar")

    def device(self, maker, serial, socket, **more):
        device = Device(self, self.makers[maker], serial, socket, **more)
        self.makers[maker].report(self.at("registrar"))
        return device

    def prepare_device_network(self, device):
        """What the operating system of a device does: an address by DHCP, and (for avahi) a daemon."""
        self.lab.start_avahi(device.socket)
        return self.lab.dhcp(device.socket)


__all__ = ["Device", "Failed", "House", "Lab", "Place", "Role", "TARGET_ADDRESS", "REGISTRAR_ADDRESS", "PORTS", "os",
           "wait_until"]
