"""The `brski` tool as its document tells of it (L1411-1640), every step by its program, and openssl as the other reader.

Everything is on loopback and on ports that the kernel chose. Needs no root.
"""

import base64
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CAHN_BIN", str(ROOT / "build" / "release" / "bin")))
BRSKI = BIN / "brski"
PATIENCE = 60  # seconds, for programs under sanitizers on a busy machine


def run(*argv, input=None, env=None):
    return subprocess.run([str(a) for a in argv], capture_output=True, input=input, timeout=PATIENCE, check=False, env=env)


def brski(*argv, **more):
    return run(BRSKI, *argv, **more)


def openssl(*argv, input=None):
    done = run("openssl", *argv, input=input)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, argv))}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Config:
    """An ini file as sections of keys; what is changed is written where the next command finds it."""

    def __init__(self, source):
        self.sections, section = {}, None
        for line in pathlib.Path(source).read_text().splitlines():
            if line.startswith("["):
                section = self.sections.setdefault(line.strip("[]"), {})
            elif "=" in line and not line.startswith(";"):
                key, _, value = line.partition(" = ")
                section[key] = value.strip('"')

    def copy(self, **changes):
        """With `registrar_port=1` for port of [registrar]."""
        other = Config.__new__(Config)
        other.sections = {name: dict(keys) for name, keys in self.sections.items()}
        for name, value in changes.items():
            section, _, key = name.partition("_")
            assert key in other.sections[section], name
            other.sections[section][key] = str(value)
        return other

    def write(self, path):
        lines = []
        for name, keys in self.sections.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {value if key == 'port' else chr(34) + value + chr(34)}" for key, value in keys.items()]
        path.write_text("\n".join(lines) + "\n")
        return path


class Server:
    """`brski masa` or `brski registrar` on a port of the kernel's choice."""

    def __init__(self, command, config, log, env=None):
        self.log_path = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen([str(BRSKI), "-c", str(config), command], stdout=output, stderr=output,
                                            stdin=subprocess.DEVNULL, env=env)
        deadline = time.monotonic() + PATIENCE
        while not (ready := re.search(r"listens on 127\.0\.0\.1:(\d+)", self.log())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{command} does not serve: {self.log()}")
            time.sleep(0.02)
        self.port = int(ready[1])

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class ToolTest(unittest.TestCase):
    @classmethod
    def make_folder(cls):
        temporary = tempfile.TemporaryDirectory(prefix="brski-tool-")
        cls.addClassCleanup(temporary.cleanup)
        return pathlib.Path(temporary.name)

    def assert_exit(self, code, done, *texts):
        out = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
        self.assertEqual(code, done.returncode, out)
        for text in texts:
            self.assertIn(text, out)
        return out


class OneMachine(ToolTest):
    """What `generate` makes, with a MASA and a registrar that run."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.make_folder()
        cls.made = cls.folder / "made"
        done = brski("generate", cls.made)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        generated = Config(cls.made / "test-config.ini")
        cls.masa = cls.serve("masa", generated.copy(masa_port=0))
        cls.config = generated.copy(masa_port=cls.masa.port)
        cls.registrar = cls.serve("registrar", cls.config.copy(registrar_port=0))
        cls.config = cls.config.copy(registrar_port=cls.registrar.port)
        cls.ini = cls.config.write(cls.folder / "config.ini")

    @classmethod
    def serve(cls, command, config, **more):
        name = f"{command}-{len(list(cls.folder.iterdir()))}"
        server = Server(command, config.write(cls.folder / f"{name}.ini"), cls.folder / f"{name}.log", **more)
        cls.addClassCleanup(server.stop)
        return server

    def write(self, name="changed", **changes):
        return self.config.copy(**changes).write(self.folder / f"{name}-{self.id().rpartition('.')[2]}.ini")

    def preq(self, *argv, **changes):
        return brski("-c", self.write(**changes), "preq", *argv)

    def device(self, name, serial, days="30"):
        """An IDevID by openssl; the settings that make it the pledge."""
        base = self.folder / f"{name}-{serial}"
        key, request, certificate = (base.with_suffix(ext) for ext in (".key", ".csr", ".crt"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                "-subj", f"/CN=device/serialNumber={serial}")
        key.chmod(0o600)
        authority = self.made / "maker" / "manufacturer-ca"
        extensions = base.with_suffix(".ext")
        extensions.write_text("basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        openssl("x509", "-req", "-in", request, "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial",
                "-days", days, "-extfile", extensions, "-out", certificate)
        return {"pledge_idevidKeyPath": key, "pledge_idevidCertPath": certificate, "pledge_cmsSignKeyPath": key,
                "pledge_cmsSignCertPath": certificate, "pledge_serialNumber": serial}

    # --- generate ---

    def test_generated_keys_are_for_their_owner_alone(self):
        keys = list(self.made.rglob("*.key"))
        self.assertGreaterEqual(len(keys), 9)
        self.assertEqual({0o600}, {key.stat().st_mode & 0o777 for key in keys})
        self.assertEqual(0o700, self.made.stat().st_mode & 0o777)

    def test_openssl_finds_in_the_generated_certificates_what_brski_needs(self):
        def text(name):
            return openssl("x509", "-noout", "-text", "-in", self.made / name).decode()
        registrar = text("domain/registrar-tls.pem")
        self.assertIn("CMC Registration Authority", registrar)
        self.assertIn("TLS Web Server Authentication", registrar)
        self.assertIn("IP Address:127.0.0.1", registrar)
        self.assertIn("1.3.6.1.5.5.7.1.32", text("device/idevid.pem"))
        openssl("verify", "-CAfile", self.made / "maker/manufacturer-ca.pem", self.made / "device/idevid.pem")
        openssl("verify", "-CAfile", self.made / "domain/domain-ca.pem", self.made / "domain/registrar-tls.pem")
        openssl("verify", "-CAfile", self.made / "maker/web-anchor.pem", self.made / "maker/masa/tls.pem")
        openssl("verify", "-CAfile", self.made / "device/masa-anchor.pem", self.made / "maker/masa/signer.pem")

    def test_generate_overwrites_nothing(self):
        before = {path: path.read_bytes() for path in self.made.rglob("*") if path.is_file()}
        self.assert_exit(1, brski("generate", self.made), "is there already")
        self.assertEqual(before, {path: path.read_bytes() for path in self.made.rglob("*") if path.is_file()})

    def test_generate_refuses_what_cannot_stand_in_a_certificate_or_an_ini(self):
        self.assert_exit(2, brski("generate", self.folder / "bad1", "--serial", "x" * 65), "serial number")
        self.assert_exit(2, brski("generate", self.folder / 'a"b'), "quote")

    # --- epvr (B-385) ---

    def test_openssl_reads_the_exported_request_and_verifies_it(self):
        out = self.folder / "out.cms"
        ini = self.write(pledge_createdOn="1973-11-29T21:33:09Z", pledge_nonce="c29tZS1ub25jZQ==")
        self.assert_exit(0, brski("-c", ini, "-o", out, "epvr"))
        printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", out).decode()
        self.assertIn("1.2.840.113549.1.9.16.1.40", printed)
        content = openssl("cms", "-verify", "-inform", "DER", "-in", out, "-purpose", "any", "-CAfile",
                          self.made / "maker/manufacturer-ca.pem")
        request = json.loads(content)["ietf-voucher-request:voucher"]
        seen = openssl("x509", "-in", self.made / "domain/registrar-tls.pem", "-outform", "DER")
        self.assertEqual({"created-on": "1973-11-29T21:33:09Z", "assertion": "proximity", "serial-number": "idev-serial12345",
                          "nonce": "c29tZS1ub25jZQ==", "proximity-registrar-cert": base64.b64encode(seen).decode()}, request)

    def test_an_exported_request_has_a_fresh_nonce_each_time_and_goes_to_standard_output_too(self):
        first, second = (brski("-c", self.ini, "epvr").stdout for _ in range(2))
        nonces = {json.loads(brski("show", "--json", "-", input=cms).stdout)["document"]["ietf-voucher-request:voucher"]["nonce"]
                  for cms in (first, second)}
        self.assertEqual(2, len(nonces))

    def test_an_exported_request_says_the_serial_number_it_is_told_and_warns(self):
        out = self.folder / "other-serial.cms"
        done = brski("-c", self.write(pledge_serialNumber="12345"), "-o", out, "epvr")
        self.assert_exit(0, done, "TOOL_SERIAL_DIFFERS")
        self.assert_exit(0, brski("show", out), '"serial-number": "12345"')

    # --- preq (B-386), registrar (B-387), masa (B-388) ---

    def test_a_valid_voucher_is_exit_0_and_openssl_verifies_it(self):
        out = self.folder / "voucher.cms"
        self.assert_exit(0, brski("-c", self.ini, "-o", out, "preq"), "The voucher is valid", "pinned-domain-cert",
                         "CN=Test Domain CA", "signed by", "CN=Test Manufacturer MASA")
        content = openssl("cms", "-verify", "-inform", "DER", "-in", out, "-purpose", "any", "-CAfile",
                          self.made / "device/masa-anchor.pem")
        voucher = json.loads(content)["ietf-voucher:voucher"]
        self.assertEqual("idev-serial12345", voucher["serial-number"])
        self.assertEqual("proximity", voucher["assertion"])
        self.assertNotIn("expires-on", voucher)

    def test_the_spelling_of_the_document_is_a_command_too(self):
        self.assert_exit(0, brski("-c", self.ini, "preg"), "The voucher is valid")

    def test_the_nonce_and_the_date_of_the_ini_are_sent(self):
        out = self.folder / "nonce.cms"
        ini = self.write(pledge_nonce="some-nonce-value-in-base64", pledge_createdOn="1973-11-29T21:33:09Z")
        self.assert_exit(0, brski("-c", ini, "preq", "-o", out))
        self.assert_exit(0, brski("show", out), '"nonce": "some-nonce-value-in-base64"')

    def test_the_idevid_signs_where_no_other_signer_is_named(self):
        self.assert_exit(0, self.preq(pledge_cmsSignKeyPath="", pledge_cmsSignCertPath="", pledge_serialNumber=""))

    def test_the_certificate_of_the_masa_is_an_anchor_too(self):
        self.assert_exit(0, self.preq(pledge_cmsVerifyStorePath=""))

    def test_the_files_may_be_der(self):
        changes = {}
        for setting in ("pledge_idevidKeyPath", "pledge_idevidCertPath", "pledge_idevidCACertPath", "pledge_cmsSignKeyPath",
                        "pledge_cmsSignCertPath", "pledge_cmsVerifyStorePath", "registrar_tlsCertPath",
                        "registrar_tlsCACertPath"):
            section, _, key = setting.partition("_")
            source = self.config.sections[section][key]
            der = changes[setting] = self.folder / f"{setting}.der"
            command = "pkey" if key.endswith("KeyPath") else "x509"
            openssl(command, "-in", source, "-outform", "DER", "-out", der)
            der.chmod(0o600)
        self.assert_exit(0, self.preq(**changes))
        sec1 = self.folder / "sec1.der"
        openssl("ec", "-in", self.config.sections["pledge"]["idevidKeyPath"], "-outform", "DER", "-out", sec1)
        sec1.chmod(0o600)
        self.assert_exit(0, self.preq(pledge_idevidKeyPath=sec1))
        sec1.chmod(0o644)
        self.assert_exit(2, self.preq(pledge_idevidKeyPath=sec1), "idevidKeyPath", "0600")

    def test_a_voucher_of_another_serial_number_is_refused(self):
        self.assert_exit(1, self.preq(pledge_serialNumber="12345"), "403", "serial-number")

    def test_a_request_that_another_key_than_the_idevid_signs_is_refused(self):
        signer = self.device("signer", "idev-serial12345")
        del signer["pledge_idevidKeyPath"], signer["pledge_idevidCertPath"]
        self.assert_exit(1, self.preq(**signer), "403", "not signed by the certificate of the TLS client")

    def test_a_device_of_an_unknown_maker_is_refused(self):
        stranger = self.folder / "stranger"
        self.assert_exit(0, brski("generate", stranger))
        pledge = Config(stranger / "test-config.ini").sections["pledge"]
        self.assert_exit(1, self.preq(**{f"pledge_{key}": value for key, value in pledge.items()}), "404", "no manufacturer")

    def test_a_device_that_its_maker_does_not_know_is_refused(self):
        self.assert_exit(1, self.preq(**self.device("unborn", "never-born")), "404", "the manufacturer refuses")

    def test_an_expired_device_is_refused(self):
        self.assert_exit(1, self.preq(**self.device("expired", "idev-serial12345", days="-1")), "403", "outside its validity")

    def test_a_voucher_of_a_masa_that_is_not_the_pledges_is_refused(self):
        self.assert_exit(1, self.preq(pledge_cmsVerifyStorePath=self.made / "maker/web-anchor.pem"), "signer_not_trusted")

    def test_another_registrar_than_the_expected_one_is_told_nothing(self):
        self.assert_exit(1, self.preq(registrar_tlsCertPath=self.made / "maker/masa/tls.pem"), "not_the_registrar",
                         "another certificate than the expected one")
        self.assert_exit(1, self.preq(registrar_tlsCertPath="", registrar_tlsCACertPath=self.made / "maker/web-anchor.pem"),
                         "not_the_registrar", "does not lead to the expected CA")
        self.assert_exit(0, self.preq(registrar_tlsCertPath="", registrar_tlsCACertPath=""))

    def test_nobody_there_is_exit_1(self):
        with socket.socket() as bound:  # nobody listens on it, and nobody else can
            bound.bind(("127.0.0.1", 0))
            self.assert_exit(1, self.preq(registrar_port=bound.getsockname()[1]), "brski: ")

    def test_a_masa_that_is_away_is_exit_1(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_port=bound.getsockname()[1]))
            self.assert_exit(1, self.preq(registrar_port=registrar.port), "502", "cannot be reached")

    def test_a_masa_believes_only_the_domains_it_is_told_to(self):
        masa = self.serve("masa", self.config.copy(masa_port=0, masa_cmsVerifyStorePath=self.made / "maker/web-anchor.pem"))
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_port=masa.port))
        self.assert_exit(1, self.preq(registrar_port=registrar.port), "403")
        self.assertIn("does not lead to cmsVerifyStorePath", masa.log())
        masa = self.serve("masa", self.config.copy(masa_port=0, masa_cmsVerifyStorePath=self.made / "domain/domain-ca.pem"))
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_port=masa.port))
        self.assert_exit(0, self.preq(registrar_port=registrar.port))

    def test_a_registrar_wants_both_anchors_of_devices_where_two_are_named(self):
        wrong, right = self.made / "maker/web-anchor.pem", self.made / "maker/manufacturer-ca.pem"
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, registrar_cmsVerifyStorePath=wrong))
        self.assert_exit(1, self.preq(registrar_port=registrar.port), "403")
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, registrar_cmsVerifyStorePath=right,
                                                             pledge_idevidCACertPath=""))
        self.assert_exit(0, self.preq(registrar_port=registrar.port))

    def test_the_masa_says_what_it_does_not_use(self):
        ca = self.made / "domain/domain-ca.pem"
        masa = self.serve("masa", self.config.copy(masa_port=0, masa_expiresOn="1973-11-29T21:33:09Z", masa_ldevidCACertPath=ca,
                                                   masa_ldevidCAKeyPath=self.made / "domain/domain-ca.key"))
        unused = re.findall(r"TOOL_VALUE_IGNORED.*?key=(\w+)", masa.log())
        self.assertEqual({"expiresOn", "ldevidCAKeyPath", "ldevidCACertPath"}, set(unused), masa.log())
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_port=masa.port))
        out = self.folder / "no-expiry.cms"
        self.assert_exit(0, brski("-c", self.write(registrar_port=registrar.port), "-o", out, "preq"))
        self.assertNotIn("expires-on", brski("show", out).stdout.decode())

    def test_the_registrar_believes_the_very_certificate_of_a_masa_too(self):
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_tlsCACertPath=""))
        self.assert_exit(0, self.preq(registrar_port=registrar.port))
        registrar = self.serve("registrar", self.config.copy(registrar_port=0, masa_tlsCACertPath=self.made / "domain/domain-ca.pem"))
        self.assert_exit(1, self.preq(registrar_port=registrar.port), "502")

    def test_a_body_in_base64_is_read_where_the_ini_says_that_peers_speak_so(self):
        request = base64.b64encode(brski("-c", self.ini, "epvr").stdout)
        pledge = self.config.sections["pledge"]
        for compat, status in (("", b"406"), ("field", b"200")):
            config = self.config.copy(registrar_port=0, registrar_compat=compat)
            registrar = self.serve("registrar", config)
            voucher = self.folder / f"curl-{status.decode()}.cms"
            done = run("curl", "-s", "--max-time", PATIENCE, "--cert", pledge["idevidCertPath"], "--key", pledge["idevidKeyPath"],
                       "--cacert", self.made / "domain/domain-ca.pem", "-H", "Content-Type: application/voucher-cms+json",
                       "--data-binary", "@-", "-o", voucher, "-w", "%{http_code}",
                       f"https://127.0.0.1:{registrar.port}/.well-known/brski/requestvoucher", input=request)
            self.assertEqual(status, done.stdout, registrar.log())
        self.assert_exit(0, self.verify(voucher, "--idevid", self.made / "device/idevid.pem"))

    def test_address_and_port_of_the_command_line_win(self):
        ini = self.write(registrar_port=1, registrar_bindAddress="192.0.2.1")
        self.assert_exit(0, brski("-c", ini, "-a", "https://127.0.0.1", "-p", self.registrar.port, "preq"))

    def test_a_debugging_pledge_tells_every_step(self):
        self.assert_exit(0, brski("-c", self.ini, "-d", "preq"), "Provisional TLS", "Signed a voucher-request", "C.10")

    def test_servers_stop_on_sigterm_and_sigint_and_leave_nothing(self):
        place = self.folder / "tmp"
        place.mkdir()
        environment = dict(os.environ, TMPDIR=str(place))
        for command, number in (("masa", signal.SIGTERM), ("registrar", signal.SIGINT), ("masa", signal.SIGINT),
                                ("registrar", signal.SIGTERM)):
            server = self.serve(command, self.config.copy(masa_port=0, registrar_port=0), env=environment)
            self.assertEqual(1, len(list(place.iterdir())))
            self.assertEqual(0, server.stop(number), server.log())
            self.assertEqual([], list(place.iterdir()))

    def test_records_may_stay(self):
        state = self.folder / "state"
        ini = self.config.copy(masa_port=0).write(self.folder / "stateful.ini")
        for _ in range(2):  # the second time the device is known already
            log = self.folder / "stateful.log"
            with open(log, "wb") as output:
                process = subprocess.Popen([str(BRSKI), "-c", str(ini), "masa", "--state", str(state)], stdout=output, stderr=output)
            self.addCleanup(process.kill)
            deadline = time.monotonic() + PATIENCE
            while b"ROLE_READY" not in log.read_bytes():
                self.assertIsNone(process.poll(), log.read_text())
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(0, process.wait(PATIENCE), log.read_text())
        self.assertTrue((state / "masa.db").exists())

    def test_a_port_in_use_is_exit_1(self):
        self.assert_exit(1, brski("-c", self.ini, "masa"), "address_in_use")

    # --- wrong usage: exit 2, and a message that says what and where ---

    def test_every_bad_ini_is_exit_2_and_says_where(self):
        text = self.ini.read_text()
        nonce = 'nonce = ""'
        cases = {
            "unknown key": (text.replace(nonce, 'nonse = ""'), ":4: [pledge] 'nonse' is not a key; did you mean 'nonce'?"),
            "unknown section": (text.replace("[masa]", "[mama]"), ": [mama] is not a section; did you mean 'masa'?"),
            "key of another section": (text.replace(nonce, 'port = 1'), ":4: [pledge] 'port' is not a key; it is one of ["),
            "twice": (text.replace(nonce, nonce + "\n" + nonce), ":5: [pledge] nonce: it stands in line 4 already"),
            "section twice": (text + "[pledge]\n", ": [pledge] stands in line 1 already"),
            "bad date": (text.replace('createdOn = ""', 'createdOn = "29.11.1973"'), ":2: [pledge] createdOn: '29.11.1973' is no date"),
            "bad expiry": (text.replace('expiresOn = ""', 'expiresOn = "soon"'), "[masa] expiresOn: 'soon' is no date"),
            "bad port": (re.sub(r"port = \d+", "port = 99999", text, count=1), "[registrar] port: '99999' is no port"),
            "bad host": (text.replace('bindAddress = "127.0.0.1"', 'bindAddress = "http://x"', 1), "bindAddress: 'http://x' is no host"),
            "no quote": (text.replace(nonce, 'nonce = "'), ":4: [pledge] nonce: the quote is not closed"),
            "no line": (text.replace(nonce, "hello"), ":4: 'hello' is neither"),
            "before sections": ('nonce = ""\n' + text, ":1: 'nonce' stands before the first [section]"),
            "control": (text.replace(nonce, 'nonce = "\x07"'), ":4: it has a control character"),
            "long line": (text.replace(nonce, "; " + "x" * 5000), ":4: a line of more than 4096 octets"),
            "large": (text + ";\n" * 40000, "larger than 65536 octets"),
        }
        for name, (content, message) in cases.items():
            with self.subTest(name):
                self.assertNotEqual(text, content)
                path = self.folder / "bad.ini"
                path.write_text(content)
                out = self.assert_exit(2, brski("-c", path, "preq"), "brski: ")
                self.assertIn(message, out)
        path.write_bytes(text.replace(nonce, 'nonce = "\u00e4"').encode("latin-1"))
        self.assert_exit(2, brski("-c", path, "preq"), f"brski: {path}:4: it is not UTF-8")
        self.assert_exit(2, brski("-c", self.folder / "nowhere.ini", "preq"), "nowhere.ini")
        self.assert_exit(2, brski("-c", self.folder, "preq"), str(self.folder))
        self.assert_exit(2, brski("preq"), "needs an ini file")

    def test_every_file_that_is_not_there_is_exit_2_and_says_which_key_names_it(self):
        missing = self.folder / "not-there"
        cases = {"epvr": ["pledge_cmsSignKeyPath", "pledge_cmsSignCertPath", "pledge_cmsAdditionalCertPath", "registrar_tlsCertPath"],
                 "preq": ["pledge_idevidKeyPath", "pledge_idevidCertPath", "pledge_idevidCACertPath", "pledge_cmsVerifyStorePath",
                          "pledge_cmsVerifyCertPath", "registrar_tlsCertPath", "registrar_tlsCACertPath"],
                 "registrar": ["pledge_idevidCACertPath", "registrar_tlsKeyPath", "registrar_tlsCertPath", "registrar_tlsCACertPath",
                               "registrar_cmsSignKeyPath", "registrar_cmsSignCertPath", "registrar_cmsAdditionalCertPath", "registrar_cmsVerifyCertPath",
                               "registrar_cmsVerifyStorePath", "masa_tlsCACertPath"],
                 "masa": ["pledge_idevidCertPath", "pledge_idevidCACertPath", "masa_tlsKeyPath", "masa_tlsCertPath",
                          "masa_cmsSignKeyPath", "masa_cmsSignCertPath", "masa_cmsAdditionalCertPath", "masa_cmsVerifyCertPath",
                          "masa_cmsVerifyStorePath"]}
        for command, settings in cases.items():
            for setting in settings:
                section, _, key = setting.partition("_")
                with self.subTest(f"{command} {setting}"):
                    path = self.write(**{setting: missing})
                    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if text == f'{key} = "{missing}"')
                    self.assert_exit(2, brski("-c", path, command), f"{path}:{line}: [{section}] {key}: ", str(missing))

    def test_every_key_that_a_command_needs_is_asked_for_by_name(self):
        cases = {"epvr": ["registrar_tlsCertPath", "pledge_cmsSignKeyPath"],
                 "preq": ["pledge_idevidKeyPath", "pledge_idevidCertPath", "registrar_bindAddress"],
                 "registrar": ["registrar_tlsKeyPath", "registrar_tlsCertPath", "registrar_tlsCACertPath", "registrar_cmsSignKeyPath",
                               "registrar_cmsSignCertPath", "pledge_idevidCACertPath"],
                 "masa": ["pledge_idevidCertPath", "pledge_idevidCACertPath", "masa_tlsKeyPath", "masa_tlsCertPath",
                          "masa_cmsSignKeyPath", "masa_cmsSignCertPath"]}
        for command, settings in cases.items():
            for setting in settings:
                section, _, key = setting.partition("_")
                with self.subTest(f"{command} {setting}"):
                    self.assert_exit(2, brski("-c", self.write(**{setting: ""}), command), f"[{section}] {key} is not set; ")
        self.assert_exit(2, self.preq(pledge_cmsVerifyStorePath="", masa_cmsSignCertPath=""),
                         "[pledge] cmsVerifyStorePath is not set; nor is [masa] cmsSignCertPath: without an anchor any voucher would do")

    def test_keys_and_certificates_that_do_not_fit_are_exit_2(self):
        other = self.made / "domain/domain-ca.key"
        self.assert_exit(2, self.preq(pledge_idevidKeyPath=other), "[pledge] idevidKeyPath: the key does not belong")
        self.assert_exit(2, self.preq(pledge_idevidCertPath=other), "[pledge] idevidCertPath: ", "no certificate")
        self.assert_exit(2, self.preq(pledge_idevidKeyPath=self.ini), "[pledge] idevidKeyPath: ")
        ini = self.write(registrar_cmsSignCertPath=self.made / "domain/domain-ca.pem", registrar_cmsSignKeyPath=other)
        self.assert_exit(2, brski("-c", ini, "registrar"), "[registrar] cmsSignCertPath: this is of another key")
        ini = self.write(registrar_tlsCertPath=self.made / "maker/masa/tls.pem", registrar_tlsKeyPath=self.made / "maker/masa/tls.key",
                         registrar_cmsSignCertPath="", registrar_cmsSignKeyPath="")
        self.assert_exit(2, brski("-c", ini, "registrar"), "cmcRA")
        self.assert_exit(2, self.preq(registrar_bindAddress="0.0.0.0"), "[registrar] bindAddress: one can listen on 0.0.0.0")

    def test_the_command_line_is_held_to_its_words(self):
        for argv in ([], ["preqq"], ["--colour"], ["-c"], ["preq", "more"], ["-p", "x", "-c", self.ini, "preq"], ["verify", self.ini],
                     ["-a", "http://x", "-c", self.ini, "preq"]):
            with self.subTest(argv):
                self.assert_exit(2, brski(*argv))
        self.assert_exit(0, brski("--help"), "epvr", "preq", "registrar", "masa", "generate", "sign", "show", "verify")
        self.assert_exit(0, brski("preq", "--help"), "--wait")
        self.assert_exit(0, brski("--version"), "brski 0.")

    # --- sign, show, verify ---

    def voucher(self):
        out = self.folder / "to-verify.cms"
        if not out.exists():
            self.assert_exit(0, brski("-c", self.ini, "-o", out, "preq"))
        return out

    def verify(self, file, *argv, anchor="device/masa-anchor.pem"):
        return brski("verify", file, "--anchor", self.made / anchor, *argv)

    def test_a_voucher_is_verified_and_each_fault_has_its_name(self):
        voucher = self.voucher()
        idevid, registrar = self.made / "device/idevid.pem", self.made / "domain/registrar-tls.pem"
        self.assert_exit(0, self.verify(voucher), "The voucher for idev-serial12345 is valid")
        self.assert_exit(0, self.verify(voucher, "--idevid", idevid, "--registrar", registrar, "--serial", "idev-serial12345"))
        self.assert_exit(1, self.verify(voucher, anchor="maker/web-anchor.pem"), "signer_not_trusted")
        self.assert_exit(1, self.verify(voucher, "--serial", "1"), "wrong_serial")
        self.assert_exit(1, self.verify(voucher, "--nonce", "AAAA"), "wrong_nonce")
        other = self.device("verify", "another")["pledge_idevidCertPath"]
        self.assert_exit(1, self.verify(voucher, "--idevid", other), "wrong_serial")
        self.assert_exit(1, self.verify(voucher, "--registrar", self.made / "maker/masa/tls.pem"), "pin_mismatch")
        self.assert_exit(1, self.verify(voucher, "--at", "2099-01-01T00:00:00Z"), "expired")
        self.assert_exit(0, self.verify(voucher, "--no-clock"))
        self.assert_exit(2, self.verify(voucher, "--at", "tomorrow"), "--at")
        forged = bytearray(voucher.read_bytes())
        forged[-1] ^= 1
        broken = self.folder / "forged.cms"
        broken.write_bytes(forged)
        self.assert_exit(1, self.verify(broken), "bad_signature")
        self.assert_exit(1, self.verify(self.ini), "not_cms")

    def test_a_request_is_verified_too(self):
        request = self.folder / "request.cms"
        self.assert_exit(0, brski("-c", self.ini, "-o", request, "epvr"))
        registrar = self.made / "domain/registrar-tls.pem"
        anchor = "maker/manufacturer-ca.pem"
        self.assert_exit(0, self.verify(request, "--registrar", registrar, anchor=anchor), "The voucher-request for")
        self.assert_exit(1, self.verify(request), "signer_not_trusted")
        self.assert_exit(1, self.verify(request, "--registrar", self.made / "maker/masa/tls.pem", anchor=anchor), "pin_mismatch")
        self.assert_exit(0, brski("-c", self.write(pledge_serialNumber="12345"), "-o", request, "epvr"))
        self.assert_exit(1, self.verify(request, anchor=anchor), "wrong_serial")

    def test_pem_and_base64_are_read_as_well(self):
        voucher = self.voucher()
        pem = openssl("cms", "-cmsout", "-inform", "DER", "-in", voucher, "-outform", "PEM")
        base64_text = openssl("base64", "-in", voucher)
        for form in (pem, base64_text, base64_text.replace(b"\n", b"")):
            self.assert_exit(0, brski("show", "-", input=form), '"serial-number": "idev-serial12345"')
        self.assert_exit(1, brski("show", "-", input=b""), "neither DER nor PEM nor base64")
        self.assert_exit(1, brski("show", "-", input=b"\x30\x03\x02\x01\x00"), "malformed")

    def test_show_tells_programs_what_is_in_a_voucher(self):
        shown = json.loads(brski("show", "--json", self.voucher()).stdout)
        self.assertEqual("voucher", shown["root"])
        self.assertEqual("1.2.840.113549.1.9.16.1.40", shown["contentType"])
        self.assertTrue(shown["strict"])
        self.assertIn("MASA", shown["signer"]["subject"])
        self.assertEqual("proximity", shown["document"]["ietf-voucher:voucher"]["assertion"])
        self.assertRegex(shown["signingTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def sign(self, document, *argv):
        path = self.folder / "document.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document, indent=3))
        masa = self.made / "maker/masa"
        out = self.folder / "signed.cms"
        out.unlink(missing_ok=True)
        return path, out, brski("sign", path, "--key", masa / "signer.key", "--certificate", masa / "signer.pem", "-o", out, *argv)

    def test_signed_json_is_the_very_octets_of_the_file(self):
        members = json.loads(brski("show", "--json", self.voucher()).stdout)["document"]["ietf-voucher:voucher"]
        members["example:more"] = {"is": "kept"}
        for argv, oid in (([], "1.2.840.113549.1.9.16.1.40"), (["--id-data"], "pkcs7-data")):
            path, out, done = self.sign({"ietf-voucher:voucher": members}, *argv)
            self.assert_exit(0, done)
            content = openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", out, "-purpose", "any", "-CAfile",
                              self.made / "device/masa-anchor.pem")
            self.assertEqual(path.read_bytes(), content)
            self.assertIn(oid, openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", out).decode())
            self.assert_exit(0, self.verify(out, "--idevid", self.made / "device/idevid.pem"))

    def test_what_is_no_voucher_is_not_signed(self):
        members = json.loads(brski("show", "--json", self.voucher()).stdout)["document"]["ietf-voucher:voucher"]
        without_pin = {key: value for key, value in members.items() if key != "pinned-domain-cert"}
        for document, reason in (("{", "not_json"), ({"voucher": members}, "wrong_root"),
                                 ({"ietf-voucher:voucher": {**members, "expires-on": "2030-01-01T00:00:00Z"}}, "contradiction"),
                                 ({"ietf-voucher:voucher": without_pin}, "no_pin"),
                                 ({"ietf-voucher:voucher": {**members, "created-on": "2026-01-01T00:00:00.5Z"}}, "bad_member")):
            with self.subTest(reason):
                _, out, done = self.sign(document)
                self.assert_exit(1, done, reason)
                self.assertFalse(out.exists())
        self.assert_exit(0, self.sign({"ietf-voucher:voucher": {**members, "created-on": "2026-01-01T00:00:00.5Z"}}, "--tolerant")[2])
        self.assert_exit(1, brski("show", self.folder / "nothing"), "nothing")

    def test_json_from_standard_input_is_signed_to_standard_output(self):
        shown = json.loads(brski("show", "--json", self.voucher()).stdout)["document"]
        masa = self.made / "maker/masa"
        done = brski("sign", "-", "--key", masa / "signer.key", "--certificate", masa / "signer.pem", input=json.dumps(shown).encode())
        self.assertEqual(0, done.returncode, done.stderr)
        self.assert_exit(0, brski("verify", "-", "--anchor", self.made / "device/masa-anchor.pem", input=done.stdout), "is valid")

    def test_show_does_not_let_a_voucher_play_tricks_on_a_terminal(self):
        members = json.loads(brski("show", "--json", self.voucher()).stdout)["document"]["ietf-voucher:voucher"]
        _, out, done = self.sign({"ietf-voucher:voucher": {**members, "example:evil": "\x1b[2J\u202e"}})
        self.assert_exit(0, done)
        shown = brski("show", out).stdout
        self.assertNotIn(b"\x1b", shown)
        self.assertTrue(all(octet < 0x80 for octet in shown), shown)


if __name__ == "__main__":
    unittest.main()
