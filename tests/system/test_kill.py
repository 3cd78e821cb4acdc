"""kill -9 of registrar and MASA in the middle of bench_onboard: nothing that was acknowledged is lost, and the road goes on.

What kill -9 cannot show (the page cache survives it) is shown by tests/unit/store with a VFS that sees every fsync.
Runs on loopback. 3 kills of each role, 25 with --long.
"""

import json
import os
import random
import shutil
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from tests.support.programs import BIN, Loopback

from cast import wait_until

KILLS = 25 if os.environ.get("CAHN_LONG") else 3
DEVICES = 40


class Claims:
    """Posts claims one after another until stopped; keeps the location of each that was acknowledged."""

    def __init__(self, domain, files):
        self.url = f"https://localhost:{domain.ports[1]}"
        self.context = ssl.create_default_context(cafile=str(domain.domain_ca))
        self.files = files
        self.acknowledged = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._post_all, daemon=True)
        self.thread.start()

    def _request(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=body, headers={"Content-Type": "application/vc"})
        with urllib.request.urlopen(request, timeout=5, context=self.context) as answer:
            return answer.status, answer.headers.get("Location"), answer.read()

    def _post_all(self):
        for path in self.files:
            if self.stopping.is_set():
                return
            try:
                status, location, _ = self._request("/claims", path.read_bytes())
                if status == 202:
                    self.acknowledged.append(location)
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)  # killed just now: not acknowledged

    def stop(self):
        self.stopping.set()
        self.thread.join(10)

    def lost(self):
        missing = []
        for location in self.acknowledged:
            try:
                self._request(location)
            except urllib.error.HTTPError as error:
                missing.append(f"{location}: {error.code}")
        return missing


class KillNine(Loopback):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(int(os.environ.get("CAHN_SEED", time.time_ns() % 1_000_000)))
        super().setUpClass()
        cls.start_registrar()
        domain, folder, here = cls.domain, cls.folder, cls.here
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {cls.maker.did})")
        cls.devices = folder / "devices"
        for number in range(DEVICES):
            cls.maker.birth(cls.devices / f"d{number:03d}", f"kill-{number:03d}")
        cls.maker.report(here)
        for number in range(DEVICES):
            did = domain.cahn("vc", "did", cls.devices / f"d{number:03d}" / "idevid.pem").stdout.strip()
            domain.say(domain.ann, f"Trust({domain.ann.mail}, {did})")
        # Claims to post while the kills happen: about keys nobody else speaks of.
        cls.claim_files = []
        for number in range(120):
            did = domain.make_key(folder / "keys" / f"k{number}")
            cls.claim_files.append(domain.ann.says(f"Trust({domain.ann.mail}, {did})", f"filler-{number}"))

    def onboard_and_kill(self, role, after):
        """Runs bench_onboard over all devices, kills `role` in the middle and starts it again; what the pledges were told."""
        argv = [f"{BIN}/bench_onboard", "--registrar", f"127.0.0.1:{self.domain.ports[0]}", "--devices", self.devices,
                "--pledges", "8", "--retry", "60", "--json"]
        bench = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            first = bench.stdout.readline()  # something has been told: the flows are under way
            time.sleep(after)
            role.kill()
            time.sleep(0.2)
            role.start().ready(30)
            out, err = bench.communicate(timeout=120)
        finally:
            bench.kill()
        lines = [json.loads(line) for line in (first + out).splitlines() if line.startswith('{"') and '"event"' in line]
        self.assertEqual(0, bench.returncode, f"the road did not go on: {err[-600:]}\n{role.tail()}")
        return lines

    def issued(self):
        return {c["serial"] for device in self.domain.devices() for c in device["ldevids"]}

    def vouchers_logged(self):
        """How many vouchers the MASA's audit log has, a device."""
        with tempfile.TemporaryDirectory() as folder:
            for file in (self.domain.folder / "masa-state" / "acme").glob("masa.db*"):
                shutil.copy(file, folder)
            database = sqlite3.connect(f"{folder}/masa.db")
            counts = {}
            # Keys are <issuer key id, hex>/<serial number, hex>/<time>/<domain> (src/brski/masa_audit.h); a newer entry of a
            # domain counts those it replaced.
            for key, value in database.execute("SELECT key, value FROM item WHERE name = 'audit'"):
                serial = bytes.fromhex(bytes(key).decode().split("/")[1]).decode()
                (event,) = json.loads(value)["events"]
                counts[serial] = counts.get(serial, 0) + 1 + event.get("truncated", 0)
            database.close()
            return counts

    def check(self, role):
        for attempt in range(KILLS):
            after = self.random.uniform(0.0, 0.6)
            with self.subTest(kill=attempt, after_seconds=round(after, 3)):
                batch = self.claim_files[attempt % 4:: 4]
                claims = Claims(self.domain, batch)
                before = self.vouchers_logged()
                told = self.onboard_and_kill(role, after)
                claims.stop()
                enrolled = [line for line in told if line["event"] == "ldevid"]
                vouchers = [line["serial"] for line in told if line["event"] == "voucher"]
                self.assertEqual(DEVICES, len({line["serial"] for line in enrolled}), "every device ends enrolled")
                self.assertEqual(set(), {line["certificate"] for line in enrolled} - self.issued(), "certificates were lost")
                logged = self.vouchers_logged()
                for serial in set(vouchers):
                    self.assertGreaterEqual(logged.get(serial, 0) - before.get(serial, 0), vouchers.count(serial),
                                            f"vouchers of {serial} are not in the MASA's log")
                wait_until(lambda: self.domain.registrar.running(), 1, "the registrar")
                self.assertEqual([], claims.lost(), "acknowledged claims were lost")

    def test_a_killed_registrar_loses_no_certificate_and_no_claim(self):
        self.check(self.domain.registrar)

    def test_a_killed_masa_loses_no_entry_of_its_log(self):
        self.check(self.masa)


if __name__ == "__main__":
    unittest.main()
