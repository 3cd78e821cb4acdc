"""GRASP floods (RFC 8990) held against a CBOR implementation that is not ours: Debian's python3-cbor2."""

import ipaddress
import os
import pathlib
import subprocess
import unittest

import cbor2

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin"))) / "discovery_lab"
M_FLOOD, O_IPV6_LOCATOR, O_IPV4_LOCATOR, IPPROTO_TCP = 9, 103, 104, 6
PROXY = ipaddress.IPv6Address("fe80::1")
REGISTRAR = ipaddress.IPv6Address("fda3:79a6:f6ee:0:200:0:6400:1")


def lab(*arguments):
    done = subprocess.run([str(LAB), *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip()


def written(kind, address, port, session):
    return bytes.fromhex(lab("grasp-write", kind, address, port, session))


def places(message, instance="dull", source=PROXY, objective="AN_Proxy"):
    """What we make of a flood: lines of "address port milliseconds"."""
    octets = message if isinstance(message, bytes) else cbor2.dumps(message)
    return lab("grasp-read", instance, source, objective, octets.hex()).splitlines()


def flood(*objectives, ttl=180000):
    return [M_FLOOD, 1, PROXY.packed, ttl, *objectives]


def proxy(port=4443, address=PROXY):
    return [["AN_Proxy", 4, 1, ""], [O_IPV6_LOCATOR, address.packed, IPPROTO_TCP, port]]


class GraspAcrossImplementations(unittest.TestCase):
    def test_the_flood_of_a_proxy_is_what_figure_11_means(self):
        self.assertEqual([M_FLOOD, 12340815, PROXY.packed, 180000, [["AN_Proxy", 4, 1, ""],
                          [O_IPV6_LOCATOR, PROXY.packed, IPPROTO_TCP, 4443]]], cbor2.loads(written("proxy", PROXY, 4443, 12340815)))

    def test_the_flood_of_a_registrar_is_what_figure_12_means(self):
        self.assertEqual([M_FLOOD, 51804321, REGISTRAR.packed, 180000, [["AN_join_registrar", 4, 255, "EST-TLS"],
                          [O_IPV6_LOCATOR, REGISTRAR.packed, IPPROTO_TCP, 8443]]],
                         cbor2.loads(written("registrar", REGISTRAR, 8443, 51804321)))

    def test_what_we_write_is_in_the_shortest_form(self):
        for session in (0, 23, 24, 255, 256, 65535, 65536, 4294967295):
            octets = written("proxy", PROXY, 65535, session)
            self.assertEqual(octets, cbor2.dumps(cbor2.loads(octets), canonical=True))

    def test_a_proxy_that_another_announces_is_heard(self):
        self.assertEqual(["fe80::1%eth0 4443 180000"], places(flood(proxy())))

    def test_a_proxy_is_heard_among_other_objectives(self):
        acp = [["AN_ACP", 4, 1, "IKEv2"], [O_IPV6_LOCATOR, PROXY.packed, 17, 15000]]
        odd = [["example.org:odd", 4, 1, {"a": [1, -1, 1.5, None, True, b"x"]}], []]
        self.assertEqual(["fe80::1%eth0 4443 180000", "fe80::1%eth0 4444 180000"],
                         places(flood(acp, proxy(), odd, proxy(4444))))

    def test_a_registrar_is_heard_in_the_trusted_network_only(self):
        message = flood([["AN_join_registrar", 4, 255, "EST-TLS"], [O_IPV4_LOCATOR, b"\x0a\x4d\x00\x02", IPPROTO_TCP, 8443]])
        self.assertEqual(["10.77.0.2 8443 180000"], places(message, "trusted", REGISTRAR, "AN_join_registrar"))
        self.assertEqual([], places(message, "dull", REGISTRAR, "AN_join_registrar"))

    def test_other_encodings_of_the_same_flood_are_understood(self):
        canonical, plain = cbor2.dumps(flood(proxy()), canonical=True), cbor2.dumps(flood(proxy()))
        indefinite = b"\x9f" + plain[1:] + b"\xff"
        self.assertEqual(1, len({tuple(places(octets)) for octets in (canonical, plain, indefinite)}))

    def test_nonsense_is_refused(self):
        for message in (b"", b"\xff", cbor2.dumps("AN_Proxy"), cbor2.dumps({9: 1}), cbor2.dumps(flood())):
            self.assertTrue(places(message)[0].startswith("error malformed"), message)


if __name__ == "__main__":
    unittest.main()
