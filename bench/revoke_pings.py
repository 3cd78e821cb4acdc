#!/usr/bin/env python3
"""From the POST of a claim to the last answered ping (one every 5 ms), on real wires: hostapd, FreeRADIUS, nftables. Needs root.

The floor is the interval of the pings: silence cannot be seen sooner. `--count` revocations, each undone again before the next.
"""

import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "bench" / "support")]

from figures import report  # noqa: E402
from house import House, Lab, wait_until  # noqa: E402


def measure(house, device, pings, count):
    samples = []
    for i in range(count):
        claim = house.ann.says(f"Distrust({house.ann.mail}, {device.did})", "bench")
        pings.wait_for_reply(time.time(), 10)
        begin = time.time()
        house.cahn("vc", "submit", claim, "--to", house.url(1), "--cacert", house.domain_ca, place=house.registrar_place)
        last = pings.wait_for_silence(0.15, 10)
        samples.append(max(0.0, (last - begin) * 1000))
        house.say(house.ann, f"Trust({house.ann.mail}, {device.did})")
        pings.wait_for_reply(time.time(), 20)
        if (i + 1) % 50 == 0:
            print(f"  {i + 1} of {count} cuts", file=sys.stderr, flush=True)
    return sorted(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--bin", default=os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin")))
    options = parser.parse_args()
    with Lab(devices=1, makers=1) as lab:
        house = House(lab, lab.directory / "house", options.bin)
        try:
            house.build([("acme", "Acme Sensors")])
            device = house.device("acme", "acme-0001", "device1")
            house.say(house.ann, f"Trust({house.ann.mail}, {house.makers['acme'].did})")
            house.say(house.ann, f"Trust({house.ann.mail}, {device.did})")
            house.prepare_device_network(device)
            device.start()
            device.step("E", 30)
            wait_until(device.pings, 5, "the device to join")
            samples = measure(house, device, lab.continuous_ping("device1"), options.count)
        finally:
            house.stop()
    floor = 5.0
    at = lambda q: samples[min(len(samples) - 1, int(q * len(samples)))]  # noqa: E731
    note = "claim POST (by `cahn vc submit`, its start included) to the last answered ping; target 100 ms"
    report([(f"revoke.cut_{name}_ms", at(q), "ms", floor, note) for name, q in (("p50", 0.5), ("p99", 0.99))], options.json)


if __name__ == "__main__":
    main()
