#!/usr/bin/env python3
"""Writes docs/hostile-input.md from the tests: run it after a test or a seed was added.

A test is on the page if its name says that something is refused, bounded or closed (SAYS_SO), or if it stands in ALSO. Its name
is the sentence, and the outcome is what its body asserts: the codes of the errors and the statuses that it expects.
"""

import ast
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import named_tests  # noqa: E402

ROOT = named_tests.ROOT
DOCUMENT = ROOT / "docs" / "hostile-input.md"

AREAS = ("CMS, JWS and the encodings below them", "JSON", "Certificates, requests, revocation lists and keys", "HTTP and TLS",
         "CBOR and discovery", "Vouchers and the roles of BRSKI", "Enrolment", "The C library", "Joining, routers and commands", "Claims",
         "Files, settings and logs")
CMS, JSON, CERTIFICATES, HTTP, CBOR, BRSKI, ENROLMENT, C_LIBRARY, JOINING, CLAIMS, FILES = AREAS

# Folder, or folder/file, to its area; a new folder of tests/ must be named here. None: nothing from outside is read there.
PLACES = {
    "unit/admission": None, "unit/store": None, "house": None,
    "unit/apps": FILES, "unit/base": FILES, "unit/brski_tool": FILES, "interop/test_brski_tool": FILES,
    "unit/crypto": CERTIFICATES, "unit/crypto/ber_test": CMS, "unit/crypto/cms_test": CMS, "unit/crypto/der_test": CMS,
    "unit/crypto/jws_test": CMS, "unit/crypto/tls_test": HTTP, "unit/factory": CERTIFICATES, "unit/pki": CERTIFICATES,
    "unit/pki/est_server_test": ENROLMENT, "unit/pki/est_client_test": ENROLMENT, "unit/brski/enrolment_test": ENROLMENT,
    "unit/voucher": BRSKI, "unit/voucher/jws_test": CMS, "unit/voucher/signed_voucher_test": CMS,
    "unit/voucher/openssl_program_test": CMS, "unit/voucher/voucher_json_test": JSON, "unit/brski/wire_test": JSON,
    "unit/credential/json_test": JSON, "unit/credential/canonical_test": JSON, "unit/voucher_c": C_LIBRARY,
    "unit/voucher_c/json_test": JSON, "unit/net": HTTP, "unit/discovery": CBOR, "system/test_discovery": CBOR, "unit/brski": BRSKI,
    "system/test_road": BRSKI, "interop": BRSKI, "system": BRSKI, "unit/assurance": JOINING, "unit/bearer": JOINING,
    "interop/test_eapol": JOINING, "system/test_dot1x_bearer": JOINING, "unit/cascade": CLAIMS, "unit/credential": CLAIMS,
    "interop/test_credentials": CLAIMS,
}

SAYS_SO = re.compile(
    r"Refuse|_refuse|Hostile|Malformed|malformed|Discards|Forge(?!t)|Bound(?:s|ed)|Tamper|CannotPass|CannotBreak|NeverCount|Closes(?:A|On|Conn)|Resets[AB]"
    r"|BreaksOff|UnderAttack|NotObeyed|DoesNotTake|IsNot(?:Trusted|Taken|Known|Added|Stored|Fetched|Served|Read|Believed)|IsUnsupported"
    r"|TrustsNo|NothingOlder|IsNoProof|NotWellFormed|MustNotBe|Disagree|_fails|_fail_|is_closed|is_told_nothing")
ALSO = (
    "interop test_brski_tool.OneMachine.test_every_bad_ini_is_exit_2_and_says_where",
    "interop test_brski_tool.OneMachine.test_keys_and_certificates_that_do_not_fit_are_exit_2",
    "unit_assurance CommonOwnership.DoesNotHoldForACredentialThatIsShownWithAnotherKey",
    "unit_assurance CommonOwnership.DoesNotHoldForSomebodyElseWhoWritesThePersonsName",
    "unit_brski ALocationOfAnAuditLog.StaysOnTheMasasOwnOrigin",
    "unit_brski ARegistrar.Answers415To415",
    "unit_brski ARegistrarThatIsNotTheOneSeen.Answers401AndCloses",
    "unit_brski ARegistrarThatIsNotTheOneSeen.Answers401WithoutProximity",
    "unit_brski ARegistrarToRenewWith.MustBeOfTheDomain",
    "unit_brski AReportOfABirth.MustBeOfADeviceOfOurs",
    "unit_brski AnUndecidedDevice.IsDecidedAboutByNobodyWithoutTheToken",
    "unit_brski AnUndecidedDevice.IsDecidedAboutOnlyInOrdersThatCanBeRead",
    "unit_brski Births.AreReadOnlyWhenSerialNumberAndCertificateAgree",
    "unit_crypto Certificate.DoesNotReadAMasaUrlOfAnotherStringType",
    "unit_discovery ALifetime.IsTheTtlWithinABound",
    "unit_discovery APledge.AsksThatTheObjectiveIsForSynchronization",
    "unit_discovery APledge.GoesOnlyToWhoSpeaks",
    "unit_discovery APledge.UsesTcpOnly",
    "unit_discovery AProxy.AsksThatTheRegistrarSpeaksEstOverTls",
    "unit_discovery AProxy.TakesAnIPv4RegistrarButNoAddressThatIsNobody",
    "unit_discovery AnotherMessageOfGrasp.IsNotAFloodAndNotAFault",
    "unit_discovery FoundService.IsTakenWithALinkLocalAddressOnlyWithItsZone",
    "unit_discovery FoundService.LosesTxtEntriesThatAreTooLongTooManyOrNotPrintable",
    "unit_factory ABirth.InstallsNoCertificateForAnotherKey",
    "unit_net HttpConnectionTest.GivesUpOnAServerThatDoesNotShakeHands",
    "unit_net HttpConnectionTest.GivesUpOnAnAnswerThatDoesNotCome",
    "unit_net HttpServerTest.DoesNotSayContinueToABodyItWillNotTake",
    "unit_net RelayTest.HoldsLittleForAReaderThatDoesNotRead",
    "unit_net RequestParserTest.TakesABodyUpToItsLimitAndNotOneOctetMore",
    "unit_pki CsrAttributes.AreReadWithNoMoreArcsThanAreWritten",
    "unit_voucher_c TheLastError.NamesWhatWasWrongInPrintableCharacters",
    "unit_voucher_c TimesOfAVoucher.AreDaysThatExist",
)
# Names that say so and are about something else.
NOT = (
    "unit_assurance AccessTableTest.NamesTheDeviceItRefusesButNotWhoOnlyClaimsToBeIt",
    "unit_assurance AHostileRegistrar.IsToldApartFromAnHonestOneByTheseTests",
    "unit_brski AStoredVoucher.IsNoWayAroundARefusalOfTheMasa",
)

WORDS = {"Cms": "CMS", "Jws": "JWS", "Jwss": "JWSs", "Ca": "CA", "CAs": "CA's", "Masa": "MASA", "Masas": "MASA's", "Http": "HTTP",
         "Tls": "TLS", "Json": "JSON", "Ber": "BER", "Der": "DER", "DidKey": "did:key", "Crl": "CRL", "Est": "EST", "Csr": "CSR", "Grasp": "GRASP",
         "Cbor": "CBOR", "Radius": "RADIUS", "Eap": "EAP", "Url": "URL", "Uri": "URI", "Pem": "PEM", "Rsa": "RSA", "Idevid": "IDevID",
         "Ldevid": "LDevID", "Utf": "UTF-", "Sha": "SHA-", "Rfc": "RFC", "Hex": "hex", "Ini": "ini", "Mi": "Mi", "Txt": "TXT", "Tcp": "TCP",
         "Ttl": "TTL", "Nul": "NUL", "Aead": "AEAD", "Cmc": "cmc", "Openssl": "openssl", "Freeradius": "FreeRADIUS", "I": "I"}
TOKEN = re.compile(r"DidKey|A(?=CA)|IDevIDs?|LDevIDs?|CmcR[Aa]|CRLs?|CAs?(?![a-z])|KiB|MiB|IPv[46]|Ed25519|Base64url|Base64|Base58|P256|Rfc3339|[A-Z]?[a-z]+"
                   r"|[A-Z]+(?![a-z])|\d+")


def words_of(camel):
    out = []
    for token in TOKEN.findall(camel):
        word = WORDS.get(token, token)
        if word == token and not re.match(r"IDevID|LDevID|CRL|CA|KiB|MiB|IPv|Ed25519|Base|P256|Rfc", token):
            word = token.lower()
        out.append("cmcRA" if token.startswith("CmcR") else word)
    text = " ".join(out)
    return re.sub(r"(UTF-|SHA-) (\d)", r"\1\2", text)


def sentence(name):
    program, _, test = name.partition(" ")
    if not program.startswith("unit_"):
        text = re.sub(r"^test_(\d+_)?", "", test.rsplit(".", 1)[1]).replace("_", " ")
    else:
        suite, _, case = test.partition(".")
        joint = ": " if re.match(r"(?:An?|The|Another)[A-Z]", case) else " "
        text = words_of(suite.removesuffix("Test")) + joint + words_of(case)
    return text[0].upper() + text[1:] + "."


# ----- what a body asserts

CODE = re.compile(r"\b\w*Error::(\w+)")
STATUS = re.compile(r"\b(40[0-9]|41[0-9]|429|431|50[0-5])\b")
SPEAK_HTTP = ("unit_brski ", "unit_pki", "unit_net", "unit_cascade", "unit_factory", "system", "interop")
HELPER = re.compile(r"^ {0,2}(?:static )?(?:void|bool|int) (\w+)\([^;{]*\) (?:const )?\{", re.MULTILINE)
ASSERTS = re.compile(r"EXPECT|ASSERT|expect|refus|status|assert")


# What counts for the nesting of braces, and what hides braces.
PIECE = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|[{}]', re.DOTALL)


def block_at(text, brace):
    """The text from the brace at `brace` to its partner."""
    depth = 0
    for piece in PIECE.finditer(text, brace):
        depth += {"{": 1, "}": -1}.get(piece[0], 0)
        if depth == 0:
            return text[brace:piece.end()]
    return text[brace:]


# Where a body asserts no more than that there is no result.
UNSAID = ((r"efuse|_fails?(_|$)|[Mm]alformed|Forge(?!t)", "refused"), (r"Bound", "bounded"), (r"Closes|is_closed", "closed"), (r"Discards", "passed over"),
          (r"IsNot(?:Trusted|Taken|Known|Added|Stored|Fetched|Served|Read|Believed)|DoesNotTake|DoesNotHold|MustNotBe|CannotPass|TrustsNo|NoProof|Disagree",
           "refused"), (r"BreaksOff", "broken off"))


class Source:
    """One file of tests: the body of each, and its helpers."""

    def __init__(self, path):
        self.text = path.read_text()
        self.helpers, self.methods = {}, {}
        if path.suffix == ".cpp":
            for found in HELPER.finditer(self.text):
                body = block_at(self.text, found.end() - 1)
                self.helpers[found[1]] = self.helpers.get(found[1], "") + body

    def body(self, name):
        if name.startswith("unit_"):
            suite, case = name.split(" ")[1].split(".")
            found = re.search(rf"\(\s*{suite}\s*,\s*{case}\s*\)\s*\{{", self.text)
            return block_at(self.text, found.end() - 1) if found else ""
        if not self.methods:
            lines = self.text.splitlines()
            for node in ast.walk(ast.parse(self.text)):
                if isinstance(node, ast.FunctionDef):
                    self.methods[node.name] = "\n".join(lines[node.lineno - 1: node.end_lineno])
        return self.methods.get(name.rsplit(".", 1)[1], "")

    def with_helpers(self, body):
        called = [self.helpers[n] for n in dict.fromkeys(re.findall(r"\b(\w+)\(", body)) if n in self.helpers]
        return body + "\n".join(called)


def outcome(name, source):
    body = source.with_helpers(source.body(name))
    codes = list(dict.fromkeys(CODE.findall(body)))
    statuses = []
    for statement in body.split(";" if name.startswith("unit_") else "\n"):
        if ASSERTS.search(statement) and name.startswith(SPEAK_HTTP):
            statuses += STATUS.findall(re.sub(r'"(?:\\.|[^"\\])*"', '""', statement) if name.startswith("unit_") else statement)
    parts = [f"`{code}`" for code in codes] + [f"HTTP {status}" for status in sorted(set(statuses))]
    exits = sorted(set(re.findall(r"assert_exit\(([12]),", body)))
    parts += [f"exit {code}" for code in exits]
    if not parts and name.startswith("unit_voucher_c"):
        parts += ["NULL"] if re.search(r"nullptr\)", body) else []
        parts += ["-1"] if re.search(r", -1\)|== -1", body) else []
    text = ", ".join(parts[:6]) + (", …" if len(parts) > 6 else "")
    if not text:
        text = next((words for said, words in UNSAID if re.search(said, name)), "as it says")
    if re.search(r"expect_next_one_served\(|still_serves\(|next honest|NextHonest|next_honest", body + name):
        text += "; the next honest one is served"
    return text


def area_of(path):
    place = str(path.relative_to(ROOT / "tests").with_suffix(""))
    if place in PLACES:
        return PLACES[place]
    return PLACES[str(pathlib.PurePath(place).parent)]  # KeyError: a new folder, see PLACES


@functools.cache
def cases():
    """{area: [(name, sentence, outcome)]} in the order of the files."""
    found = {area: [] for area in AREAS}
    sources = {}
    for name, path in {**named_tests.unit_tests(), **named_tests.python_tests()}.items():
        area = area_of(path)
        if area is None or name in NOT or not (SAYS_SO.search(name) or name in ALSO):
            continue
        source = sources[path] = sources.get(path) or Source(path)
        found[area].append((name, sentence(name), outcome(name, source)))
    return found


# ----- fuzz targets

def first_sentence(path):
    comment = []
    for line in path.read_text().splitlines():
        if not line.startswith("//"):
            break
        comment.append(line.removeprefix("//").strip())
    return " ".join(comment).replace("|", "\\|")


def fuzz_table():
    rows = []
    for name, path in named_tests.fuzz_targets().items():
        target = name.removeprefix("fuzz ")
        seeds = [p for p in (path.parent / "corpus" / target).glob("*") if p.is_file()]
        rows.append((target, first_sentence(path), len(seeds), sum(p.stat().st_size for p in seeds)))
    return rows


HEAD = """# Hostile input

What is sent to this system to break it, and what becomes of it. Generated by `tests/house/hostile_input.py` from the tests: each line is
a test whose name says what is tried, the outcome is what it asserts (the code of the error, the HTTP status, the exit code), and
`house test_hostile_input.py` keeps this page true. One line is often many inputs: a table of them, every cut, every octet changed.

The rules behind them: input is parsed once, at the door, under bounds of size, depth, count and time, into a type that can
only be valid; nothing is half accepted; an error of a check is never a permit; what a peer wrote is shown on one line, without control
characters, and no secret is in it.
"""


def document():
    found, targets = cases(), fuzz_table()
    total = sum(len(rows) for rows in found.values())
    lines = [HEAD, "| | cases |", "|---|---|"]
    lines += [f"| {area} | {len(rows)} |" for area, rows in found.items()]
    lines += [f"| **all** | **{total}** |", f"| fuzz targets | {len(targets)}, with {sum(t[2] for t in targets)} seeds |"]
    for area, rows in found.items():
        lines += ["", f"## {area}", "", "| what is tried | outcome | test |", "|---|---|---|"]
        lines += [f"| {text} | {result} | `{name}` |" for name, text, result in rows]
    lines += ["", "## Fuzz targets", "", "Each runs over its kept seeds and what libFuzzer makes of them, with the sanitizers, in every `./test` (10 s) "
              "and longer with `--long`.", "", "| target | what it reads and holds | seeds | octets |", "|---|---|---|---|"]
    lines += [f"| `{target}` | {text} | {count} | {size} |" for target, text, count, size in targets]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
