"""Credentials and the `cahn vc` commands, held against implementations that are not ours.

The libraries of tests/interop/npm sign and verify eddsa-jcs-2022 proofs and write RFC 8785; openssl makes keys,
certificates and requests; Python's HTTP server stands in for a claim node.
"""

import http.server
import json
import os
import pathlib
import random
import shutil
import ssl
import stat
import struct
import subprocess
import tempfile
import threading
import unittest

CAHN = pathlib.Path(os.environ.get("CAHN_BIN", "build/release/bin")) / "cahn"
NPM = pathlib.Path(__file__).resolve().parent / "npm"
CAMERA = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
TRUST = f"Trust(mailto:ann@example.org, {CAMERA})"
SEED = "0102030405060708" * 4


def run(*command, text=None, cwd=None):
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, input=text, capture_output=True, encoding="utf-8", cwd=cwd, timeout=120)


def vc(*arguments, text=None):
    return run(CAHN, "vc", *arguments, text=text)


def node(script, *arguments, text):
    return run("node", NPM / script, *arguments, text=text)


class WithAFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cahn-vc-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.key = cls.folder / "ann.pem"
        cls.ann = cls.done(vc("key", cls.key)).strip()

    @classmethod
    def done(cls, result):
        if result.returncode != 0:
            raise AssertionError(f"exit {result.returncode}: {result.stderr}{result.stdout}")
        return result.stdout

    def signed(self, expression=TRUST, *options):
        return self.done(vc("new", expression, "--key", self.key, *options))

    def assert_refused(self, result, reason, code=1):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertIn(reason, result.stdout + result.stderr)


class WithNpm(WithAFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not (NPM / "node_modules" / ".package-lock.json").exists():
            cls.done(run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=NPM))

    def npm_verdict(self, text):
        return json.loads(self.done(node("verify.mjs", text=text)))

    def npm_signed(self, expression=TRUST):
        unsigned = self.done(vc("new", expression, "--issuer", self.ann))
        return self.done(node("sign.mjs", SEED, text=unsigned))


class CredentialsAcrossImplementations(WithNpm):
    def test_one_we_sign_verifies_with_npm(self):
        for expression in (TRUST, f"Purchase({CAMERA}, mailto:ann@example.org, \"Caméra 😀, (outdoor)\")",
                           "UserRight(mailto:ann@example.org, connect-devices)", f"Retraction({'ab' * 32})"):
            with self.subTest(expression):
                text = self.signed(expression, "--valid-until", "2099-01-01T00:00:00Z")
                self.assertEqual(self.npm_verdict(text), {"verified": True})

    def test_one_npm_signs_verifies_with_us(self):
        verdict = json.loads(self.done(vc("verify", "-", "--json", text=self.npm_signed())))
        self.assertTrue(verdict["verified"])
        self.assertTrue(verdict["notation"].startswith(TRUST + " : did:key:z6Mk"), verdict["notation"])

    def test_both_make_the_same_signature_of_the_same_statement(self):
        """Ed25519 is deterministic: one key, one statement, one date, one proof."""
        key, der = self.folder / "seed.pem", self.folder / "seed.der"
        der.write_bytes(bytes.fromhex("302e020100300506032b657004220420" + SEED))  # RFC 8410 7
        self.done(run("openssl", "pkey", "-inform", "DER", "-in", der, "-out", key))
        key.chmod(0o600)
        ours = json.loads(self.done(vc("new", TRUST, "--key", key)))
        unsigned = json.dumps({name: value for name, value in ours.items() if name != "proof"})
        theirs = json.loads(self.done(node("sign.mjs", SEED, ours["proof"]["created"], text=unsigned)))
        self.assertEqual(theirs, ours)

    def test_what_was_changed_verifies_with_neither(self):
        for text in (self.signed(), self.npm_signed()):
            for old, new in (("ann@example", "bob@example"), ("assertionMethod", "authentication"),
                             ('"Trust"', '"Distrust"'), ('"20', '"19'), ("proofValue", "proofvalue")):
                changed = text.replace(old, new, 1)
                with self.subTest(f"{old} -> {new}"):
                    self.assertNotEqual(changed, text)
                    self.assertFalse(self.npm_verdict(changed)["verified"])
                    self.assertNotEqual(vc("verify", "-", text=changed).returncode, 0)

    def test_the_hash_with_document_first_is_refused_by_both(self):
        """A known deviant concatenates the two hashes the other way round (decision 32)."""
        script = self.folder / "deviant.mjs"
        script.write_text(DEVIANT.replace("NPM", NPM.as_uri()))
        unsigned = self.done(vc("new", TRUST, "--issuer", self.ann))
        deviant = self.done(run("node", script, SEED, text=unsigned))
        self.assertFalse(self.npm_verdict(deviant)["verified"])
        self.assert_refused(vc("verify", "-", text=deviant), "bad_proof")


DEVIANT = """
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
const require = createRequire('NPM/');
const load = name => import(require.resolve(name));
const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
const Ed25519Multikey = await load('@digitalbazaar/ed25519-multikey');
const {createSignCryptosuite} = await load('@digitalbazaar/eddsa-jcs-2022-cryptosuite');
const jsigs = (await load('jsonld-signatures')).default;
const {documentLoader} = await import('NPM/did_loader.mjs');
const key = await Ed25519Multikey.generate({seed: Buffer.from(process.argv[2], 'hex')});
key.controller = `did:key:${key.publicKeyMultibase}`;
key.id = `${key.controller}#${key.publicKeyMultibase}`;
const document = JSON.parse(readFileSync(0, 'utf8'));
document.issuer = key.controller;
const suite = createSignCryptosuite();
const honest = suite.createVerifyData;
suite.createVerifyData = async options => {
  const data = await honest(options);
  return Buffer.concat([data.slice(32), data.slice(0, 32)]);
};
const proof = new DataIntegrityProof({signer: key.signer(), cryptosuite: suite});
const purpose = new jsigs.purposes.AssertionProofPurpose();
console.log(JSON.stringify(await jsigs.sign(document, {suite: proof, purpose, documentLoader})));
"""


class TheCanonicalForm(WithNpm):
    """`cahn vc sign` writes the JCS form of the document, so it shows ours of any value put into a credential."""

    def assert_same_form(self, values):
        document = json.loads(self.done(vc("new", TRUST, "--issuer", self.ann)))
        document["credentialSubject"]["values"] = "HERE"
        text = json.dumps(document).replace('"HERE"', "[" + ",".join(values) + "]")
        ours = self.done(vc("sign", "-", "--key", self.key, text=text)).rstrip("\n")
        proof = json.dumps(json.loads(ours)["proof"])
        theirs = self.done(node("canonicalize.mjs", text=f'{text[:-1]}, "proof": {proof}}}'))
        self.assertEqual(ours, theirs)

    def test_of_numbers_is_the_same_as_npm_s(self):
        source = random.Random(8785)
        doubles = [struct.unpack(">d", source.randbytes(8))[0] for _ in range(2500)]
        numbers = [repr(d) for d in doubles if d == d and abs(d) != float("inf")]
        numbers += [f"{source.uniform(-1, 1):.25e}" for _ in range(500)]
        numbers += [f"{source.choice((1, -1)) * source.randrange(2**53)}" for _ in range(500)]
        mantissas = ("1", "9.5", "123456789012345.678")
        numbers += [f"{mantissa}e{exponent}" for mantissa in mantissas for exponent in range(-30, 31)]
        self.assert_same_form(numbers)

    def test_of_numbers_at_the_edges_is_the_same_as_npm_s(self):
        self.assert_same_form(["-0", "-0.0", "0e9", "5e-324", "-5e-324", "2.2250738585072014e-308", "1e-400",
                               "1.7976931348623157e308", "9007199254740991", "-9007199254740992", "9007199254740993.0",
                               "1e20", "1e21", "1e-6", "1e-7", "0.000001", "123e-20", "999999999999999900000", "1E+2",
                               "333333333.33333329", "0.1", "0.30000000000000004", "1e23", "4.35", "2.5e-7"])

    def test_of_strings_and_names_is_the_same_as_npm_s(self):
        source = random.Random(3629)
        ranges = [(0, 0x7f), (0x80, 0x7ff), (0x2020, 0x2030), (0xd000, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff)]

        def word():
            return "".join(chr(source.randint(*source.choice(ranges))) for _ in range(source.randrange(5)))

        objects = [{word(): word() for _ in range(source.randrange(8))} for _ in range(500)]
        self.assert_same_form([json.dumps(o, ensure_ascii=source.random() < 0.5) for o in objects])


class TheCommands(WithAFolder):
    def test_a_new_key_file_is_for_its_owner_only_and_never_overwritten(self):
        path = self.folder / "once.pem"
        did = self.done(vc("key", path)).strip()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertRegex(did, r"^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]+$")
        before = path.read_bytes()
        self.assertEqual(vc("key", path).returncode, 1)
        self.assertEqual(path.read_bytes(), before)

    def test_did_reads_keys_certificates_and_requests_that_openssl_made(self):
        key, certificate, request = (self.folder / name for name in ("ca.key", "ca.pem", "ca.csr"))
        for algorithm in (("ec", "ec_paramgen_curve:P-256"), ("ec", "ec_paramgen_curve:P-384"),
                          ("rsa", "rsa_keygen_bits:2048"), ("ed25519", None)):
            with self.subTest(algorithm):
                parameters = ["-pkeyopt", algorithm[1]] if algorithm[1] else []
                self.done(run("openssl", "genpkey", "-algorithm", algorithm[0], *parameters, "-out", key))
                key.chmod(0o600)
                self.done(run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=x", "-out", certificate))
                self.done(run("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", request))
                der = self.folder / "ca.der"
                self.done(run("openssl", "x509", "-in", certificate, "-outform", "DER", "-out", der))
                public = self.done(run("openssl", "pkey", "-in", key, "-pubout"))
                dids = {self.done(vc("did", path)) for path in (key, f"file:{key}", certificate, request, der)}
                dids.add(self.done(vc("did", "-", text=public)))
                self.assertEqual(len(dids), 1, dids)

    def test_did_refuses_what_is_no_key(self):
        self.assert_refused(vc("did", "-", text="hello"), "neither")
        self.assert_refused(vc("did", self.folder / "absent"), "absent")

    def test_new_signs_with_a_key_and_writes_the_unsigned_form_without(self):
        self.assertIn('"proofValue"', self.signed())
        unsigned = self.done(vc("new", f"{TRUST} : {self.ann}-"))
        self.assertNotIn("proof", unsigned)
        self.assertEqual(json.loads(unsigned)["issuer"], self.ann)
        signed = self.done(vc("sign", "-", "--key", self.key, text=unsigned))
        self.assertIn("verified", self.done(vc("verify", "-", text=signed)))

    def test_new_says_what_is_wrong_with_its_arguments(self):
        for arguments, reason in ((["Trust(ann)"], "nobody to state it"),
                                  (["Trust(ann", "--key", self.key], "expected"),
                                  (["Likes(mailto:ann@example.org)", "--key", self.key], "no such relation"),
                                  ([f"Trust(ann, {CAMERA})", "--key", self.key], "argument 1 of Trust"),
                                  ([f"{TRUST} : {CAMERA}-", "--key", self.key], "not the same"),
                                  ([TRUST, "--key", self.key, "--valid-until", "tomorrow"], "RFC 3339"),
                                  ([TRUST, "--key", self.key, "--valid-until", "2001-01-01T00:00:00Z"], "before the"),
                                  ([TRUST, "--key", self.key, "--id", "no url"], "id is not a URL"),
                                  ([TRUST, "--issuer", "did:web:example.org"], "another method")):
            with self.subTest(arguments):
                self.assert_refused(vc("new", *arguments), reason, code=2)
        self.assertEqual(vc("new").returncode, 2)
        self.assertEqual(vc().returncode, 2)

    def test_sign_refuses_another_issuer_and_a_second_proof(self):
        other = self.folder / "other.pem"
        self.done(vc("key", other))
        unsigned = self.done(vc("new", TRUST, "--issuer", self.ann))
        self.assert_refused(vc("sign", "-", "--key", other, text=unsigned), "issuer is not")
        self.assert_refused(vc("sign", "-", "--key", self.key, text=self.signed()), "a proof already")

    def test_verify_names_the_reason_of_every_refusal(self):
        good = self.signed(TRUST, "--valid-until", "2099-01-01T00:00:00Z")
        document = json.loads(good)
        cases = [("{", "not_json"), (good.replace("{", '{"id":"urn:x:y",', 1), "duplicate_member"),
                 ("[" * 1000, "too_deep"), (" " * 300_000, "too large"), ("\ufeff" + good, "not_json"),
                 (good.replace("Trust", "Likes"), "bad_relation"),
                 (good.replace("eddsa-jcs-2022", "eddsa-rdfc-2022"), "eddsa-rdfc-2022 needs RDF canonicalization"),
                 (json.dumps({k: v for k, v in document.items() if k != "proof"}), "missing_proof"),
                 (json.dumps(document | {"issuer": CAMERA}), "wrong_verification_method"),
                 (json.dumps(document | {"validFrom": "2001-01-01T00:00:00Z"}), "bad_proof")]
        for text, reason in cases:
            with self.subTest(reason):
                self.assert_refused(vc("verify", "-", text=text), reason)
        self.assert_refused(vc("verify", "-", "--at", "2099-01-01T00:00:00Z", text=good), "expired")
        self.assert_refused(vc("verify", "-", "--at", "2001-01-01T00:00:00Z", text=good), "not_yet_valid")
        answer = vc("verify", "-", "--json", "--at", "2001-01-01T00:00:00Z", text=good)
        self.assertEqual(answer.returncode, 1)
        self.assertEqual(json.loads(answer.stdout)["error"], "not_yet_valid")

    def test_show_prints_what_it_says_whoever_signed(self):
        text = self.signed()
        shown = self.done(vc("show", "-", text=text))
        self.assertTrue(shown.startswith(TRUST + "\n"), shown)
        self.assertIn(self.ann, shown)
        facts = json.loads(self.done(vc("show", "-", "--json", text=text)))
        self.assertEqual(facts["arguments"], ["mailto:ann@example.org", CAMERA])
        self.assertEqual(facts["proof"], "good")
        forged = json.loads(self.done(vc("show", "-", "--json", text=text.replace("ann@", "bob@"))))
        self.assertEqual(forged["proof"], "bad_proof")

    def test_the_notation_it_prints_is_the_notation_it_reads(self):
        for expression in (TRUST, f'OwnerDeclaration({CAMERA}, "c++ (v2)")', f"Purchase({CAMERA}, mailto:a@b.example)"):
            notation = json.loads(self.done(vc("show", "-", "--json", text=self.signed(expression))))["notation"]
            self.assertEqual(notation, f"{expression} : {self.ann}-")
            again = json.loads(self.done(vc("new", notation, "--key", self.key)))
            self.assertEqual(again["issuer"], self.ann)


class FakeNode(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_message = lambda self, *_: None

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        script = self.server.script
        script.setdefault("posts", []).append((self.path, self.headers["Content-Type"],
                                               self.rfile.read(int(self.headers["Content-Length"]))))
        location = script.get("location", "/claims/abc")
        self.answer(script.get("status", 202), script.get("body", b"{}"), Location=location)

    def do_GET(self):
        script = self.server.script
        states = script["states"]
        state = states.pop(0) if len(states) > 1 else states[0]
        script.setdefault("gets", []).append(self.path)
        self.answer(200, json.dumps(state).encode(), Content_Type="application/json")


class SubmittingACredential(WithAFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server_key, cls.certificate = cls.folder / "server.key", cls.folder / "server.pem"
        cls.done(run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", cls.server_key,
                     "-out", cls.certificate))
        fingerprint = cls.done(run("openssl", "x509", "-in", cls.certificate, "-noout", "-fingerprint", "-sha256"))
        cls.pin = fingerprint.strip().split("=")[1].replace(":", "").lower()

    def start(self, tls=True, **script):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeNode)
        server.script = script
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.server_key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http{'s' if tls else ''}://localhost:{server.server_address[1]}", script

    def submit(self, url, *options, text=None):
        return vc("submit", "-", "--to", url, *options, text=text or self.signed())

    def test_it_is_posted_as_it_is_and_the_place_to_ask_is_printed(self):
        url, script = self.start()
        text = self.signed()
        out = self.done(self.submit(url, "--cacert", self.certificate, text=text))
        self.assertEqual(script["posts"], [("/claims", "application/vc", text.encode())])
        self.assertEqual(out.splitlines()[0], f"{url}/claims/abc")

    def test_waiting_ends_when_it_is_accepted(self):
        url, script = self.start(states=[{"state": "received"}, {"state": "received"}, {"state": "accepted"}])
        answer = json.loads(self.done(self.submit(url, "--cacert", self.certificate, "--wait", "--json")))
        self.assertEqual(answer["state"], "accepted")
        self.assertEqual(script["gets"], ["/claims/abc"] * 3)

    def test_waiting_ends_with_the_reason_when_it_is_refused(self):
        url, _ = self.start(states=[{"state": "refused", "reason": "the issuer is not entitled\x1b[2J"}])
        result = self.submit(url, "--cacert", self.certificate, "--wait")
        self.assert_refused(result, "refused: the issuer is not entitled?[2J")

    def test_waiting_has_an_end(self):
        url, _ = self.start(states=[{"state": "received"}])
        result = self.submit(url, "--cacert", self.certificate, "--wait", "--wait-seconds", "0")
        self.assert_refused(result, "not decided in time")

    def test_what_the_node_does_not_take_is_a_failure_with_its_words(self):
        url, _ = self.start(status=400, body=b"not a credential")
        self.assert_refused(self.submit(url, "--cacert", self.certificate), "400: not a credential")
        url, _ = self.start(status=302, location="https://elsewhere.example/")
        self.assert_refused(self.submit(url, "--cacert", self.certificate), "302")

    def test_a_place_to_ask_on_another_server_is_not_followed(self):
        for location in ("https://elsewhere.example/claims/abc", "", "claims/abc"):
            url, script = self.start(location=location, states=[{"state": "accepted"}])
            self.assert_refused(self.submit(url, "--cacert", self.certificate, "--wait"), "named no place")
            self.assertNotIn("gets", script)

    def test_nothing_is_sent_to_a_server_that_is_not_the_named_one(self):
        url, script = self.start()
        other = self.folder / "other-ca.pem"
        self.done(run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=other", "-keyout",
                      os.devnull, "-out", other))
        self.assertEqual(self.submit(url, "--cacert", other).returncode, 1)
        self.assertEqual(self.submit(url.replace("localhost", "127.0.0.1"), "--cacert", self.certificate).returncode, 1)
        self.assert_refused(self.submit(url, "--insecure-pin", "00" * 32), "not the pinned one")
        self.assertNotIn("posts", script)
        self.done(self.submit(url, "--insecure-pin", self.pin))
        self.assertEqual(len(script["posts"]), 1)

    def test_the_way_to_the_node_must_be_safe(self):
        url, _ = self.start()
        self.assert_refused(self.submit(url), "--cacert or --insecure-pin", code=2)
        self.assertEqual(self.submit(url, "--insecure-pin", "xyz").returncode, 2)
        self.assertEqual(self.submit("ftp://localhost", "--cacert", self.certificate).returncode, 2)
        self.assert_refused(self.submit("http://192.0.2.1:80"), "for this machine only")
        plain, script = self.start(tls=False)
        self.done(self.submit(plain))
        self.assertEqual(len(script["posts"]), 1)

    def test_a_node_that_is_not_there_is_a_failure(self):
        self.assertEqual(self.submit("https://127.0.0.1:1", "--insecure-pin", self.pin).returncode, 1)


if __name__ == "__main__":
    unittest.main()
