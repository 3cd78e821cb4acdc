"""What docs/guide-registrar.md tells an operator to do, done with curl and signals against a real registrar and MASA. Needs no root."""

import json
import signal
import stat
import subprocess
import threading
import unittest

from tests.support.programs import Loopback, free_port

from cast import Place, wait_until


class AnOperator(Loopback):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        domain = cls.domain
        cls.file = cls.folder / "acme.toml"
        cls.write_maker("operator-approves = true")
        cls.start_registrar(makers=[], manufacturer=cls.file, masa_anchor=cls.maker.state / "web-anchor.pem")
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {cls.maker.did})")
        cls.at = f"http://127.0.0.1:{domain.ports[3]}"
        cls.token_file = domain.registrar_state / "operator.token"

    @classmethod
    def write_maker(cls, *more):
        state = cls.maker.state
        cls.file.write_text("\n".join(['name = "Acme"', f'anchors = ["{state}/manufacturer-ca.pem"]',
                                       f'masa-anchors = ["{state}/web-anchor.pem"]', *more]) + "\n")

    def curl(self, path, *argv):
        """(status, body) of a request to the operator's port."""
        done = subprocess.run(["curl", "-s", "--max-time", "20", "-w", "\n%{http_code}", *map(str, argv), self.at + path],
                              capture_output=True, text=True, timeout=30, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def order(self, path, order=None, *argv):
        token = self.token_file.read_text().strip()
        more = ["-d", json.dumps(order)] if order is not None else []
        return self.curl(path, "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json", *more, *argv)

    def listed(self, path, serial):
        status, body = self.curl(path)
        self.assertEqual(200, status)
        return next((one for one in json.loads(body) if one["serialNumber"] == serial), None)

    def born(self, serial):
        """A device that its owner trusts, made and reported."""
        device = self.folder / serial
        self.maker.birth(device, serial)
        self.maker.report(Place())
        did = self.domain.cahn("vc", "did", device / "idevid.pem").stdout.strip()
        self.domain.say(self.domain.ann, f"Trust({self.domain.ann.mail}, {did})")
        return device

    def onboarding(self, device):
        """Runs the device in the background; returns what waits for its end."""
        done = []
        argv = ["pledge", "--state", device, "--clock", "--patience-seconds", "60", "--registrar",
                f"127.0.0.1:{self.domain.ports[0]}"]
        thread = threading.Thread(target=lambda: done.append(self.domain.cahn(*argv, check=False, timeout=90)))
        thread.start()
        self.addCleanup(thread.join)

        def result():
            thread.join()
            return done[0]

        return result

    def reload(self, expected):
        log = self.domain.registrar
        before = sum(event.get("id") == expected for event in log.events())
        log.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sum(event.get("id") == expected for event in log.events()) > before, 15, expected)
        return [event for event in log.events() if event.get("id") == expected][-1]

    def test_the_token_is_the_registrars_own_and_orders_need_it(self):
        self.assertEqual(0o600, stat.S_IMODE(self.token_file.stat().st_mode))
        for headers in ([], ["-H", "Authorization: Bearer x"]):
            status, _ = self.curl("/pending/00", "-H", "Content-Type: application/json", "-d", "{}", *headers)
            self.assertEqual(401, status)

    def test_a_device_waits_for_approval_and_enrols_after_it_with_a_clean_past(self):
        result = self.onboarding(self.born("acme-0001"))
        waiting = wait_until(lambda: self.listed("/pending", "acme-0001"), 30, "the device on the list")
        self.assertEqual(("waiting", "Acme"), (waiting["state"], waiting["manufacturer"]))
        status, body = self.order(f"/pending/{waiting['id']}", {"decision": "approve", "reason": "ordered, PO 4711"})
        self.assertEqual((200, "approved"), (status, body.strip()))
        done = result()
        self.assertEqual(0, done.returncode, done.stderr)
        found = self.listed("/onboardings", "acme-0001")
        self.assertEqual("clean", found["auditLog"]["standing"], found)
        self.assertIsNotNone(found["reportedAt"])
        status, body = self.order(f"/onboardings/{found['id']}", {"order": "refresh", "reason": "monthly"})
        self.assertEqual((200, "clean"), (status, json.loads(body)["standing"]))

    def test_a_rejected_device_is_refused(self):
        result = self.onboarding(self.born("acme-0002"))
        waiting = wait_until(lambda: self.listed("/pending", "acme-0002"), 30, "the device on the list")
        self.assertEqual(200, self.order(f"/pending/{waiting['id']}", {"decision": "reject", "reason": "not ours"})[0])
        self.assertNotEqual(0, result().returncode)
        self.assertEqual("rejected", self.listed("/pending", "acme-0002")["state"])

    def test_sighup_reads_the_makers_again_and_a_mistake_leaves_the_list_as_it_was(self):
        def acme():
            return next(one for one in json.loads(self.curl("/manufacturers")[1]) if one["name"] == "Acme")

        self.addCleanup(self.write_maker, "operator-approves = true")
        self.write_maker("operator-approves = true", "ignore-lifetimes = true")
        refused = self.reload("REGISTRAR_NOT_RELOADED")
        self.assertIn("did you mean `ignore-lifetime`?", json.dumps(refused))
        self.assertFalse(acme()["ignoreLifetime"])
        self.write_maker("operator-approves = true", "ignore-lifetime = true", 'serial-from = "subject-serial-number"',
                         'masa = "127.0.0.1:%d"' % self.maker.port)
        self.reload("REGISTRAR_RELOADED")
        self.assertTrue(acme()["ignoreLifetime"])
        self.assertEqual(f"127.0.0.1:{self.maker.port}", acme()["masa"])

    def test_credentials_that_others_may_read_are_refused_and_never_shown(self):
        secret = self.folder / "acme.credentials"
        secret.write_text("ann:hush-hush\n")
        secret.chmod(0o644)
        self.addCleanup(self.write_maker, "operator-approves = true")
        self.write_maker("operator-approves = true", 'credentials = "acme.credentials"')
        self.assertIn("chmod 600", json.dumps(self.reload("REGISTRAR_NOT_RELOADED")))
        secret.chmod(0o600)
        self.reload("REGISTRAR_RELOADED")
        self.assertNotIn("hush", self.curl("/manufacturers")[1])
        self.assertNotIn("hush", self.domain.registrar.log_path.read_text())

    def test_a_maker_is_added_and_removed_while_the_registrar_runs(self):
        other = self.domain.maker("other", "Other Things", "127.0.0.1", free_port())
        pem = (other.state / "manufacturer-ca.pem").read_text()
        self.assertEqual(200, self.order("/manufacturers", {"name": "Other", "anchors": pem, "masaFallback": "masa.example"})[0])
        names = [one["name"] for one in json.loads(self.curl("/manufacturers")[1])]
        self.assertEqual(["Acme", "Other"], names)
        self.assertEqual(200, self.order("/manufacturers/Other", None, "-X", "DELETE")[0])
        self.assertEqual(409, self.order("/manufacturers/Acme", None, "-X", "DELETE")[0])

    def test_a_check_of_the_settings_names_what_is_wrong(self):
        def check(*more):
            return self.domain.cahn("registrar", "--check", "--state", self.folder / "none", *self.domain._names(),
                                    "--binding-key", self.domain.binding_did, "--ownership", "x", "--command-ownership", "x",
                                    "--masa-anchor", self.maker.state / "web-anchor.pem", *more, check=False)

        good = ["--manufacturer", self.maker.state / "manufacturer-ca.pem"]
        self.assertEqual(0, check(*good).returncode)
        for argv, naming in ((["--pin", "all"], "`pin` must be one of chain, ca, end-entity"),
                             (["--audit-log", "sometimes"], "`audit-log` must be one of"),
                             (["--known-domain", "%"], "domainID in base64"),
                             (["--manufacturer", self.folder / "gone.toml"], "gone.toml")):
            done = check(*good, *argv)
            self.assertNotEqual(0, done.returncode)
            self.assertIn(naming, done.stderr)


if __name__ == "__main__":
    unittest.main()
