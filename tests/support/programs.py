"""What tests of running programs share: where ours are, ports that are free, others' programs run to their end, and a network
on loopback with one device in it. Needs no root."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

from cast import Domain, Place  # noqa: E402

BIN = os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin"))


def free_ports(count):
    """So many TCP ports of 127.0.0.1 that nobody has, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(probe.getsockname()[1] for probe in probes)
    finally:
        for probe in probes:
            probe.close()


def free_port():
    return free_ports(1)[0]


def run(*argv, input=None, check=True):
    """Runs a program to its end, within a minute; octets in, octets out. With `check` its failure is the test's."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, input=input, timeout=60, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout.decode(errors='replace')}\n"
                             f"{done.stderr.decode(errors='replace')}")
    return done


class Loopback(unittest.TestCase):
    """A folder, and in it a domain with one maker whose MASA runs."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cahn-loopback-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.domain = Domain(cls.folder / "house", BIN)
        cls.addClassCleanup(cls.domain.stop)
        cls.here = Place()
        cls.maker = cls.domain.maker("acme", "Acme Sensors", "127.0.0.1", free_port())
        cls.masa = cls.maker.start_masa(cls.here, health_port=free_port(), **cls.masa_settings()).ready(30)
        cls.prepare_registrar()

    @classmethod
    def prepare_registrar(cls):
        cls.domain.prepare_registrar(cls.here, "localhost")

    @classmethod
    def masa_settings(cls):
        """Flags of the MASA beside those that it must have."""
        return {}

    @classmethod
    def start_registrar(cls, **settings):
        cls.domain.start_registrar(announce=False, ports=free_ports(4), **settings)
        cls.domain.submit(cls.domain.binding(cls.domain.ann))


    @classmethod
    def device_of(cls, name):
        """A device that was born, reported to its MASA and is trusted here: its folder and its DID."""
        folder = cls.folder / name
        cls.maker.birth(folder, name)
        cls.maker.report(cls.here)
        did = cls.domain.cahn("vc", "did", folder / "idevid.pem").stdout.strip()
        cls.domain.say(cls.domain.ann, f"Trust({cls.domain.ann.mail}, {did})")
        return folder, did


class OneDevice(Loopback):
    """That, a registrar, and a device that has its voucher and its first LDevID."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        domain = cls.domain
        cls.start_registrar()
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {cls.maker.did})")
        cls.device, cls.did = cls.device_of("acme-0001")
        done = domain.cahn("pledge", "--state", cls.device, "--clock", "--patience-seconds", "10",
                           "--registrar", f"127.0.0.1:{domain.ports[0]}", check=False)
        if done.returncode != 0:
            raise AssertionError(f"the pledge did not onboard: {done.stderr}\n{domain.registrar.tail()}")
        cls.files = cls.device / "network"

    def curl(self, *argv, input=None):
        """The status and the body of an answer of the registrar."""
        done = run("curl", "-s", "--max-time", "10", "--cacert", self.domain.domain_ca, "-w", "\n%{http_code}", *argv, input=input)
        body, _, status = done.stdout.rpartition(b"\n")
        return int(status), body
