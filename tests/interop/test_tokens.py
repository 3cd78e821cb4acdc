"""Keys in tokens: a SoftHSM and a TPM (swtpm) make them, `crypto_lab` signs with them, openssl judges what was signed."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from tests.support.programs import Loopback

from cast import Place

LAB = pathlib.Path(os.environ.get("CAHN_BIN", "build/release/bin")) / "crypto_lab"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "4711"


class Token:
    """A folder of a token's own, the environment in which programs find it, and the URIs of its keys by a name."""

    def __init__(self, case):
        self.case, self.keys, self.environment = case, {}, {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cahn-token-"))
        case.addClassCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        for name, pin in (("pin", PIN), ("wrong", "0000")):
            (self.folder / name).write_text(pin + "\n")
            (self.folder / name).chmod(0o600)

    def run(self, *command):
        return subprocess.run([str(part) for part in command], capture_output=True, encoding="utf-8", timeout=120,
                              cwd=self.folder, env={**os.environ, **self.environment})

    def done(self, *command):
        result = self.run(*command)
        if result.returncode != 0:
            raise AssertionError(f"{command}: exit {result.returncode}: {result.stderr}{result.stdout}")
        return result.stdout

    def lab(self, *arguments):
        return self.run(LAB.resolve(), *arguments)

    def certificate(self, name):
        """A file with a certificate of the key, signed by itself."""
        file = self.folder / f"{name}.pem"
        if not file.exists():
            file.write_text(self.done(LAB.resolve(), "self-signed", self.keys[name], name))
        return file


class WhatAnyKeyDoes:
    """For a test case with a `token`."""

    def test_it_signs_certificate_requests(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                request = self.token.folder / f"{name}.csr"
                request.write_text(self.token.done(LAB.resolve(), "csr", uri, name))
                self.token.done("openssl", "req", "-verify", "-noout", "-in", request)

    def test_it_signs_certificates(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                certificate = self.token.certificate(name)
                self.token.done("openssl", "verify", "-check_ss_sig", "-CAfile", certificate, certificate)

    def test_it_signs_voucher_requests(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                certificate, message = self.token.certificate(name), self.token.folder / f"{name}.vcj"
                self.token.done("sh", "-c", '"$0" request "$1" "$2" cms 42 >"$3"', LAB.resolve(), uri, certificate, message)
                content = self.token.done("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", message, "-purpose",
                                          "any", "-CAfile", certificate)
                self.assertEqual(json.loads(content)["ietf-voucher-request:voucher"]["serial-number"], "42")
                self.assertIn(f"CN={name}", self.token.done(LAB.resolve(), "open", "cms", "strict", message))

    def test_it_signs_voucher_requests_as_jws(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                message = self.token.folder / f"{name}.vjj"
                message.write_text(self.token.done(LAB.resolve(), "request", uri, self.token.certificate(name), "jws", "42"))
                self.assertIn(f"CN={name}", self.token.done(LAB.resolve(), "open", "jws", "strict", message))

    def test_it_signs_for_two_threads_at_once(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                self.assertEqual(self.token.done(LAB.resolve(), "sign-twice", uri), "done\n")

    def test_it_is_the_key_of_a_tls_client(self):
        for name, uri in self.token.keys.items():
            with self.subTest(name):
                for version in ("-tls1_2", "-tls1_3"):
                    page = self.connect(name, uri, version)
                    self.assertEqual(re.findall(r"Subject: (.*)", page), [f"CN={name}"])
                    self.assertEqual(set(re.findall(r"Verify return code: (.*)", page)), {"0 (ok)"})

    def test_it_is_the_key_of_a_device_that_onboards(self):
        """TLS client authentication and the voucher-request with the IDevID's key, from birth to LDevID."""
        where = Place(env={**os.environ, **self.token.environment})
        net = type("Net", (Loopback,), {})
        net.setUpClass()
        self.addCleanup(net.doClassCleanups)
        net.start_registrar()
        domain = net.domain
        domain.say(domain.ann, f"Trust({domain.ann.mail}, {net.maker.did})")
        for name, uri in self.token.keys.items():
            if name == "by id":
                continue  # the first one again: no key is born twice
            with self.subTest(name):
                device, serial = net.folder / f"device {name}", f"token-{name.replace(' ', '-')}"
                domain.cahn("factory", "--state", net.maker.state, "birth", "--serial", serial, "--model", "sensor",
                            "--device", device, "--key", uri, place=where)
                net.maker.report(net.here)
                did = domain.cahn("vc", "did", device / "idevid.pem").stdout.strip()
                domain.say(domain.ann, f"Trust({domain.ann.mail}, {did})")
                domain.cahn("pledge", "--state", device, "--clock", "--once", "--registrar", f"localhost:{domain.ports[0]}",
                            place=where, timeout=120)
                self.assertFalse((device / "idevid.key").exists(), "the key never was in a file")
                self.token.done("openssl", "verify", "-CAfile", domain.domain_ca, device / "network" / "ldevid.pem")

    def connect(self, name, uri, version):
        """The page of an openssl server that lets in whoever shows this certificate and has its key."""
        folder, certificate = self.token.folder, self.token.certificate(name)
        if not (folder / "server.pem").exists():
            self.token.done("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.pem")
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", version, "-www", "-Verify", "1",
                   "-verify_return_error", "-cert", "server.pem", "-key", "server.key", "-CAfile", str(certificate)]
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8") as server:
            try:
                for line in server.stdout:
                    if found := re.match(r"ACCEPT .*:(\d+)$", line):
                        return self.token.done(LAB.resolve(), "connect", uri, certificate, folder / "server.pem",
                                               "127.0.0.1", found[1])
                raise AssertionError("the server does not start")
            finally:
                server.terminate()

    def assert_unavailable(self, uri, reason):
        result = self.token.lab("csr", uri, "x")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("key_unavailable: " + uri, result.stderr)
        self.assertIn(reason, result.stderr)
        for secret in (PIN, "0000"):
            self.assertNotIn(secret, result.stderr)


class KeysInSoftHsm(WhatAnyKeyDoes, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.token = token = Token(cls)
        (token.folder / "tokens").mkdir(mode=0o700)
        (token.folder / "softhsm.conf").write_text(f"directories.tokendir = {token.folder}/tokens\nlog.level = ERROR\n")
        token.environment["SOFTHSM2_CONF"] = str(token.folder / "softhsm.conf")
        for label in ("registrar", "other"):
            token.done("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "12345678")
        for number, (name, kind) in enumerate({"p256": "EC:prime256v1", "p384": "EC:secp384r1", "rsa": "rsa:2048"}.items()):
            cls.make_key(name, kind, f"{number + 1:02x}")
            token.keys[name] = cls.uri(f"token=registrar;object={name};type=private")
        # By its id, and by whatever modules p11-kit knows.
        token.keys["by id"] = f"pkcs11:token=registrar;id=%01?pin-source=file:{token.folder}/pin"

    @classmethod
    def make_key(cls, name, kind, identity):
        cls.token.done("pkcs11-tool", "--module", MODULE, "--token-label", "registrar", "--login", "--pin", PIN,
                       "--keypairgen", "--key-type", kind, "--label", name, "--id", identity)

    @classmethod
    def uri(cls, path, pin="pin"):
        source = f"&pin-source=file:{cls.token.folder}/{pin}" if pin else ""
        return f"pkcs11:{path}?module-path={MODULE}{source}"

    def test_what_is_not_there_is_said(self):
        self.assert_unavailable(self.uri("token=nobody;object=p256"), "no such token is there")
        self.assert_unavailable(self.uri("token=registrar;object=nothing"), "the token has no such key")
        self.assert_unavailable(self.uri("token=other;object=p256"), "the token has no such key")
        self.assert_unavailable(self.uri("token=registrar"), "the URI fits several keys of the token")
        self.assert_unavailable(self.uri("object=p256"), "the URI fits 2 tokens")

    def test_a_pin_that_is_missing_wrong_or_open_to_others_is_said(self):
        self.assert_unavailable(self.uri("token=registrar;object=p256", pin=None), "pin-source is missing")
        self.assert_unavailable(self.uri("token=registrar;object=p256", pin="wrong"), "the PIN is wrong")
        self.assert_unavailable(self.uri("token=registrar;object=p256", pin="none"), "cannot be opened")
        shared = self.token.folder / "shared"
        shared.write_text(PIN)
        shared.chmod(0o640)
        self.assert_unavailable(self.uri("token=registrar;object=p256", pin="shared"), "its mode must be 0600")

    def test_a_module_that_is_none_is_said(self):
        self.assert_unavailable("pkcs11:object=x?module-path=/nowhere.so", "cannot be loaded")


class KeysInATpm(WhatAnyKeyDoes, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.token = token = Token(cls)
        (token.folder / "state").mkdir(mode=0o700)
        token.done("swtpm_setup", "--tpm2", "--tpmstate", token.folder / "state", "--lock-nvram", "--overwrite")
        cls.start()
        token.done("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc256", "-c", "primary.ctx")
        cls.make_key("idevid", "0x81010010")
        cls.make_key("with a pin", "0x81010011", "-p", PIN)
        token.keys = {"idevid": "tpm2:handle=0x81010010",
                      "with a pin": f"tpm2:handle=0x81010011?pin-source=file:{token.folder}/pin"}

    @classmethod
    def start(cls):
        """tpm2-tss wants the control port behind the other: two free ports side by side."""
        for _ in range(20):
            with socket.socket() as first, socket.socket() as second:
                first.bind(("127.0.0.1", 0))
                port = first.getsockname()[1]
                try:
                    second.bind(("127.0.0.1", port + 1))
                except OSError:
                    continue
            if cls.starts_at(port):
                return
        raise AssertionError("no TPM starts")

    @classmethod
    def starts_at(cls, port):
        where = f"swtpm:host=127.0.0.1,port={port}"
        cls.token.environment.update(TPM2TOOLS_TCTI=where, TPM2OPENSSL_TCTI=where, TSS2_LOG="all+NONE")
        tpm = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={cls.token.folder}/state", "--server",
             f"type=tcp,port={port},bindaddr=127.0.0.1", "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1",
             "--flags", "not-need-init,startup-clear"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while tpm.poll() is None and time.monotonic() < deadline:
            if cls.token.run("tpm2_getcap", "properties-fixed").returncode == 0:
                cls.addClassCleanup(tpm.wait)
                cls.addClassCleanup(tpm.terminate)
                return True
            time.sleep(0.1)
        tpm.kill()
        tpm.wait()
        return False

    @classmethod
    def make_key(cls, name, handle, *options):
        token = cls.token
        token.done("tpm2_create", "-Q", "-C", "primary.ctx", "-G", "ecc256:ecdsa-sha256", "-a",
                   "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-u", "key.pub", "-r", "key.priv", *options)
        cls.flush()
        token.done("tpm2_load", "-Q", "-C", "primary.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
        token.done("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "key.ctx", handle)
        cls.flush()

    @classmethod
    def flush(cls):
        """Without a resource manager nobody else makes room in the TPM."""
        for kind in ("-t", "-l", "-s"):
            cls.token.run("tpm2_flushcontext", kind)

    def test_what_is_not_there_is_said(self):
        self.assert_unavailable("tpm2:handle=0x81010099", "the TPM has no key at 0x81010099")

    def test_a_pin_that_is_missing_or_wrong_is_said(self):
        self.assert_unavailable("tpm2:handle=0x81010011", "the TPM does not sign with this key")
        self.assert_unavailable(f"tpm2:handle=0x81010011?pin-source=file:{self.token.folder}/wrong",
                                "the TPM does not sign with this key")

    def test_a_tpm_that_is_not_there_is_said(self):
        environment = self.token.environment
        try:
            self.token.environment = {**environment, "TPM2OPENSSL_TCTI": "device:/nowhere"}
            self.assert_unavailable("tpm2:handle=0x81010010", "no TPM answers")
        finally:
            self.token.environment = environment


if __name__ == "__main__":
    unittest.main()
