"""The checks behind every refusal, and the test that must notice when one is removed.

Each is (what is refused, file, the check as it stands, the same without it, program, test). The text stands exactly once in
its file, so that a check that was rewritten is noticed here. A program is a target of the build; a test is its GoogleTest
name. Where a refusal rests on several checks, each is removed alone if a test can tell them apart by the reason that each
gives; where a second check takes the first one's place, both are removed: further (file, before, after) stand in `also`.
"""

import collections

Check = collections.namedtuple("Check", "what file before after program test also", defaults=((),))


def edits(check):
    """Every (file, before, after) of a check."""
    return ((check.file, check.before, check.after), *check.also)


DEVICE = "src/brski/registrar_checks.cpp"
REGISTRAR = "src/brski/registrar.cpp"
ENROL = "src/brski/registrar_enrol.cpp"
VOUCHER = "src/voucher/read.cpp"
PROFILE = "src/pki/profile.cpp"
ACCESS = "src/assurance/access_table.cpp"
OWNERSHIP = "src/assurance/ownership.cpp"

CHECKS = [
    # --- stage C: who may ask
    Check("a maker nobody trusts: its MASA hears nothing", REGISTRAR,
          "CAHN_CO_CHECK(co_await ask_policy(std::move(received), \"C.3\", std::move(subject)));",
          "(void)co_await ask_policy(std::move(received), \"C.3\", std::move(subject));",
          "unit_brski", "ADenialAtC3.KeepsTheManufacturerFromHearingAnything"),
    Check("an IDevID that its device signed itself", DEVICE,
          "if (leaf.is_self_issued()) return", "if (false && leaf.is_self_issued()) return",
          "unit_brski", "ARegistrar.RefusesASelfSignedIDevID"),
    Check("an IDevID that is its own anchor", DEVICE,
          "if (path->size() < 2) continue;", "if (path->empty()) continue;",
          "unit_brski", "ARegistrar.RefusesADeviceThatIsItsOwnAnchor"),
    Check("a voucher-request that another than the TLS client signed", DEVICE,
          "if (request.signer != device.idevid) {", "if (false && request.signer != device.idevid) {",
          "unit_brski", "ARegistrar.RefusesARequestSignedByAnotherThanTheTlsClient"),
    Check("a voucher-request for another serial number", DEVICE,
          "if (request.voucher.serial_number != device.serial_number) {",
          "if (false && request.voucher.serial_number != device.serial_number) {",
          "unit_brski", "ARegistrar.RefusesARequestForAnotherSerialNumberThanTheCertificates"),
    Check("policy that denies", REGISTRAR,
          "if (answer->verdict == AdmissionAnswer::Verdict::deny) {",
          "if (false && answer->verdict == AdmissionAnswer::Verdict::deny) {",
          "unit_brski", "ADenialAtC3.KeepsTheManufacturerFromHearingAnything"),
    # --- stage C: what the pledge believes
    Check("a voucher for another serial number", VOUCHER,
          "if (!own || voucher.serial_number != *own) {", "if (!own) {",
          "unit_brski", "APledge.RefusesAVoucherForAnotherSerialNumber"),
    Check("a voucher with another nonce", VOUCHER,
          "if (voucher.nonce != sent) return", "if (false && voucher.nonce != sent) return",
          "unit_brski", "APledge.RefusesAVoucherWithAnotherNonce"),
    Check("a nonceless voucher past its expires-on, where there is a clock", VOUCHER,
          "if (voucher.expires_on && *voucher.expires_on <= *now) {",
          "if (false && voucher.expires_on && *voucher.expires_on <= *now) {",
          "unit_brski", "APledge.WithAClockRefusesANoncelessVoucherPastItsExpiry"),
    Check("a voucher that a device of the same maker signed", VOUCHER,
          "if (signer.masa_url() || signer.subject_serial_number()) return",
          "if (false && signer.masa_url()) return",
          "unit_voucher", "PledgeReadingAVoucher.RefusesADeviceOfAnotherCaUnderAnAnchoredRoot"),
    Check("a voucher by anyone under the CA that issues devices", VOUCHER,
          "if (issued(path[i], expected.idevid)) {", "if (false && issued(path[i], expected.idevid)) {",
          "unit_voucher", "PledgeReadingAVoucher.RefusesAnySignerUnderTheCaOfItsOwnIdevid"),
    Check("a voucher that pins another domain", VOUCHER,
          "  if (path) return {};\n  const bool expired", "  if (path || !path) return {};\n  const bool expired",
          "unit_brski", "APledge.RefusesAVoucherThatPinsAnotherDomain"),
    # --- stage D
    Check("enrolment without a voucher", ENROL,
          "if (!record || !record->voucher_at) {", "if (false && (!record || !record->voucher_at)) {",
          "unit_brski", "AnEnrolment.WithoutAVoucherIsRefused"),
    Check("enrolment while policy denies", ENROL,
          "  if (later) co_return undecided;\n  co_return refused;", "  if (later) co_return undecided;\n  co_return Result<void>{};",
          "unit_brski", "AnEnrolment.WhilePolicyDeniesIsRefused"),
    Check("renewal while policy denies", ENROL,
          "  if (later) co_return undecided;\n  co_return refused;", "  if (later) co_return undecided;\n  co_return Result<void>{};",
          "unit_brski", "ARenewal.WhilePolicyDeniesIsRefused"),
    Check("renewal of an LDevID on hold, as of a device that is cut off", ENROL,
          "if (const auto reason = options.revocation(leaf.serial_hex())) {",
          "if (const auto reason = options.revocation(leaf.serial_hex()); reason && false) {",
          "unit_brski", "ARenewal.OfAnLDevIDOnHoldIsRefusedUntilTheHoldIsDropped"),
    Check("renewal with an IDevID, without ever having had a voucher", ENROL,
          "if (!record || std::ranges::find(record->ldevids, leaf) == record->ldevids.end()) {",
          "if (!record) record = registry.by_idevid(leaf);\n  if (!record) {",
          "unit_brski", "ARenewal.WithTheIDevIDIsRefused",
          ((ENROL, "domain_anchors, clock.now()); !path) {", "domain_anchors, clock.now()); false && !path) {"),)),
    Check("renewal with a certificate of an LDevID's serial number that is not that LDevID", ENROL,
          "if (!record || std::ranges::find(record->ldevids, leaf) == record->ldevids.end()) {", "if (!record) {",
          "unit_brski", "ARenewal.WithAnotherCertificateUnderTheSameSerialNumberIsRefused",
          ((ENROL, "domain_anchors, clock.now()); !path) {", "domain_anchors, clock.now()); false && !path) {"),)),
    Check("a request for a CA certificate", PROFILE,
          "if (csr.requests_ca()) return", "if (false && csr.requests_ca()) return",
          "unit_pki", "ADomainCa.RefusesARequestForACaCertificate"),
    Check("a request for the serial number of another device", ENROL,
          "if (asked && *asked != serial_number) {", "if (false && asked && *asked != serial_number) {",
          "unit_brski", "AnEnrolment.AsAnotherDeviceIsRefusedByTheRegistrarItself"),
    Check("a renewal under another subject", ENROL,
          "if (csr.subject() != current.subject()) {", "if (false && csr.subject() != current.subject()) {",
          "unit_brski", "ARenewal.AsSomebodyElseIsRefusedByTheRegistrarItself"),
    # --- stage E
    Check("EAP-TLS with a certificate that is no LDevID of ours", ACCESS,
          "if (device == device_of_serial_.end()) return refusal(\"no decision knows this certificate\");",
          "bearer::JoinAnswer open;\n  open.permit = true;\n  if (device == device_of_serial_.end()) return open;",
          "unit_assurance", "AccessTableTest.RefusesUnknownCertificatesAndDeniedDevices"),
    Check("EAP-TLS with the LDevID of a device that is denied", ACCESS,
          "if (access.answer == Answer::deny) {", "if (false && access.answer == Answer::deny) {",
          "unit_assurance", "AccessTableTest.RefusesUnknownCertificatesAndDeniedDevices"),
    Check("EAP-TLS with a certificate by another issuer", ACCESS,
          "if (name == access.ldevids.end() || !is_issuer(request.certificate_issuer, name->issuer)) {",
          "if (name == access.ldevids.end() || (false && !is_issuer(request.certificate_issuer, name->issuer))) {",
          "unit_assurance", "AccessTableTest.RefusesACertificateOfAnotherIssuerOrSubject"),
    Check("EAP-TLS under another identity than the certificate's", ACCESS,
          "if (!is_identity(request.claimed_identity, access.serial_number)) {",
          "if (false && !is_identity(request.claimed_identity, access.serial_number)) {",
          "unit_assurance", "AccessTableTest.RefusesAnEapIdentityThatIsNotTheDevices"),
    # --- stage F
    Check("a claim with a broken signature", "src/credential/proof.cpp",
          "if (!key.verify(hash_data(unsecured, options), signature)) {",
          "if (false && !key.verify(hash_data(unsecured, options), signature)) {",
          "unit_cascade", "Node.ABrokenSignatureIsStoredThenRefused"),
    Check("a claim by nobody we know", "src/cascade/trust_voice.cpp",
          "if (person == nullptr) return {{}, {}, \"unknown issuer: no credential binds \" + claim.issuer + \" to a person\"};",
          "if (person == nullptr) person = &claim.statement.arguments[0];",
          "unit_cascade", "Node.AnUnknownIssuerIsRefusedAndCountsOnceBound"),
    Check("a claim by somebody without the right", "src/cascade/trust_voice.cpp",
          "return needed.empty() ? std::string{} : name_of(person) + \" lacks the right \" + names;",
          "return {};",
          "unit_cascade", "Node.AnIssuerWithoutTheRightIsRefusedAndChangesNothing"),
    Check("a router that belongs to another person", OWNERSHIP,
          "if (theirs.person() != ours.person()) {", "if (false && theirs.person() != ours.person()) {",
          "unit_assurance", "CommonOwnership.DoesNotHoldForAnotherPerson"),
    Check("a router whose owner somebody else wrote into its credential", OWNERSHIP,
          "if (theirs.signer() != ours.signer()) {", "if (false && theirs.signer() != ours.signer()) {",
          "unit_assurance", "CommonOwnership.DoesNotHoldForSomebodyElseWhoWritesThePersonsName"),
    Check("a router that shows the credential of another", OWNERSHIP,
          "if (theirs.key() != credential::did_key(shown)) {", "if (false && theirs.key() != credential::did_key(shown)) {",
          "unit_assurance", "CommonOwnership.DoesNotHoldForACredentialThatIsShownWithAnotherKey"),
    # --- malformed bodies
    Check("a body of 100 MB, at its header", "src/net/http_session.cpp",
          "if (parser.content_length().value_or(0) > max_body) {",
          "if (false && parser.content_length().value_or(0) > max_body) {",
          "unit_net", "HttpServerUnderAttack.RefusesABodyOf100MegabytesAtItsHeader",
          (("src/net/http_session.cpp", "parser.limit_body(max_body);", "parser.limit_body(std::size_t{1} << 40);"),)),
    Check("chunks that add up to too much", "src/net/http_session.cpp",
          "parser.limit_body(max_body);", "parser.limit_body(std::size_t{1} << 40);",
          "unit_net", "HttpServerUnderAttack.RefusesChunksThatAddUpToTooMuch"),
    Check("a sender that never goes on", "src/net/http_session.cpp",
          "stream_.set_deadline(Side::read, service_->limits.idle);", "stream_.set_deadline(Side::read, no_deadline);",
          "unit_net", "HttpServerUnderAttack.ClosesConnectionsThatSayNothing"),
    Check("JSON too deep for a voucher", "src/voucher/bounded_json.cpp",
          "if (opens && depth >= max_depth) refuse(", "if (false && opens && depth >= max_depth) refuse(",
          "unit_voucher", "VoucherJson.IsRefusedBelow16Levels"),
]
