#!/usr/bin/env python3
"""What the programs weigh: a registrar that holds idle TLS connections, and the pledge-only program. Needs no root.

Peers in the same run: what the same connections take at the client, an interpreter with OpenSSL; what `openssl s_client` peaks at
for one handshake. Fails when more than one connection in a thousand is lost or the pledge does not onboard,
never for a figure.
"""

import argparse
import os
import pathlib
import resource
import shutil
import socket
import ssl
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "bench" / "support")]

import programs  # noqa: E402
from figures import report  # noqa: E402
from programs import OneDevice, run  # noqa: E402

PER_ADDRESS = 1500  # a registrar takes at most 2,000 connections of one address


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def peak_mb(*argv, input=b""):
    """The peak resident size of a program that must end well. A child of this interpreter would count its pages; of `time`, not."""
    with tempfile.NamedTemporaryFile() as figures:
        run("/usr/bin/time", "-f", "%M", "-o", figures.name, *argv, input=input)
        return int(pathlib.Path(figures.name).read_text(encoding="ascii").split()[-1]) / 1024


def stripped_mb(program):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "program"
        shutil.copy(program, copy)
        run("strip", copy)
        return copy.stat().st_size / 1e6


def idle(port, device, count):
    """Opens so many connections as a pledge does, with the device's IDevID, and holds them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # RFC 8995 5.1: provisional
    context.load_cert_chain(device / "idevid.pem", device / "idevid.key")
    held = []
    for i in range(count):
        source = (f"127.0.1.{1 + i // PER_ADDRESS}", 0)
        connection = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=source)
        held.append(context.wrap_socket(connection))
        if (i + 1) % 1000 == 0:
            print(f"  {i + 1} of {count} connections", file=sys.stderr, flush=True)
    return held


def lost_among(connections):
    """Why those are over that are: nothing was asked of the registrar, which has no cause to send or close."""
    reasons = []
    for index, connection in enumerate(connections):
        connection.setblocking(False)
        try:
            reasons.append(f"connection {index}: closed" if connection.recv(1) == b"" else f"connection {index}: data came")
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError as error:
            reasons.append(f"connection {index}: {error!r}")
    return reasons


def measure(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        raise SystemExit(f"{count} connections need as many open files; the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))  # the registrar inherits it
    OneDevice.setUpClass()
    try:
        domain, registrar = OneDevice.domain, OneDevice.domain.registrar.process.pid
        port = domain.ports[0]
        mine = resident_mb(os.getpid())
        held = idle(port, OneDevice.device, count)
        value, peer = resident_mb(registrar), resident_mb(os.getpid()) - mine
        lost = lost_among(held)
        for reason in lost[:10]:
            print(f"  {reason}", file=sys.stderr)
        if len(lost) * 1000 > count:
            raise SystemExit(f"{len(lost)} of {count} connections did not last")
        for connection in held:
            connection.close()
        yield f"registrar.idle{count}_mb", value, "MB", peer, "all of the registrar; peer: the same connections in CPython; target: 420"
        peak, peer = pledge(domain, port)
        yield "pledge.peak_mb", peak, "MB", peer, "peer: openssl s_client; target: 15"
        program = pathlib.Path(programs.BIN) / "cahn-pledge"
        yield "pledge.binary_mb", stripped_mb(program), "MB", 0, "stripped; the libraries it loads not counted"
    finally:
        OneDevice.doClassCleanups()


def pledge(domain, port):
    """Peaks of the pledge-only program while it onboards anew, and of one handshake of OpenSSL's own client."""
    program = pathlib.Path(programs.BIN) / "cahn-pledge"
    run(program, "pledge", "reset", "--state", OneDevice.device)
    value = peak_mb(program, "pledge", "--state", OneDevice.device, "--clock", "--patience-seconds", "10", "--registrar", f"127.0.0.1:{port}")
    return value, peak_mb("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", domain.domain_ca, input=b"Q\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(measure(options.connections), options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
