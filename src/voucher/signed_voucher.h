// Signed vouchers: the CMS or JWS around the JSON, and the checks of each party that reads one.

#pragma once

#include <optional>
#include <span>

#include "crypto/chain.h"
#include "crypto/cms.h"
#include "voucher/voucher.h"

namespace cahn::voucher {

inline constexpr std::string_view media_type_cms = "application/voucher-cms+json";
inline constexpr std::string_view media_type_jws = "application/voucher-jws+json";

// What is around the JSON: CMS with the content type of RFC 8366 5.4, the same with id-data as many in the field write
// it (decision 1; reading takes either), or the JWS of draft-ietf-anima-jws-voucher.
enum class Format { cms, cms_id_data, jws };
std::string_view media_type(Format);
// Of a media type in lower case and without parameters: cms or jws.
std::optional<Format> format_of(std::string_view media_type);
// Of octets that come without a media type, as a prior-signed-voucher-request does.
Format guess_format(ByteView);

// Errors: missing_member, no_pin, contradiction (nonce with expires-on, last-renewal-date without it, expires-on after
// the pin's end), bad_certificate (signer and key do not belong together). In CMS the signing time is created-on where
// there is one; CMS is not signed with Ed25519, JWS is.
Result<Bytes> sign(const Voucher&, Root, const crypto::Certificate& signer, const crypto::PrivateKey& key,
                   std::span<const crypto::Certificate> include = {}, Format = Format::cms);

// A voucher(-request) whose signature holds for the certificate it carries. Who that is, is for the caller to
// judge.
struct SignedVoucher {
  Voucher voucher;
  crypto::Certificate signer;
  std::vector<crypto::Certificate> certificates;
  std::optional<Time> signing_time;  // CMS only
  Bytes cms;                         // exactly as received, a JWS too
};
// `known_signers` stand in for a signer's certificate that the message does not carry (RFC 8366 5.4: it SHOULD).
// Errors: not_cms or not_jws (which the format says), wrong_content_type, bad_signature, signer_not_trusted (no
// certificate of the signer at hand), and those of from_json.
//
// Of a JWS (RFC 7515) the strict take the general JSON serialisation with one signature, and header parameters from the
// protected header only; the tolerant also take the flattened and the compact form, and x5c from the unprotected
// header. Nobody takes "crit", "b64" or an algorithm that is not in crypto/jws.h.
Result<SignedVoucher> open(Format, ByteView, Root, Reading = Reading::strict,
                           std::span<const crypto::Certificate> known_signers = {});
// The same of CMS.
Result<SignedVoucher> open(ByteView cms, Root, Reading = Reading::strict,
                           std::span<const crypto::Certificate> known_signers = {});

// What a pledge expects of a voucher (RFC 8995 5.6.1, RFC 8366 5.3).
struct PledgeExpectation {
  crypto::Certificate idevid;
  std::optional<std::string>
      nonce;                      // what it sent; a voucher with another one, or (unless nonceless_allowed) none, fails
  bool nonceless_allowed = true;  // RFC 8995 7.2
  std::optional<Time> now;        // a pledge without a clock has none: times are then ignored (2.6.1)
  crypto::TrustStore masa_anchors;  // the MASA's certificate itself, or a CA that only signs MASAs (decision 7)
  std::vector<crypto::Certificate> intermediates{};  // between those and the signer, where the message brings none
  bool accept_logged = true, accept_verified = true, accept_proximity = true;
  Reading reading = Reading::strict;
  Format format = Format::cms;
};
// Verifies signature, signer, serial, nonce, times, idevid-issuer, assertion and that there is a pin. Errors: the
// VoucherError that says which.
//
// The signer (decision 7) is one of the anchors, byte for byte, whose key usage lets it sign; or it is issued under
// them and is neither a CA nor shaped like a device (subject serialNumber or MASA URL), and no certificate of its path
// issued this pledge's own IDevID. Else signer_not_trusted (no path) or signer_is_not_the_masa (a path, but not a
// MASA's).
Result<Voucher> read_as_pledge(ByteView signed_voucher, const PledgeExpectation&);

// Checks that the registrar's chain from the TLS handshake leads to the pin, or that its leaf's key is the pin's
// (RFC 8995 5.6.2). `now` as above. Errors: no_pin, pin_mismatch, expired.
Result<void> check_pin(const Voucher&, std::span<const crypto::Certificate> registrar_chain, std::optional<Time> now);

// Whether the voucher demands that the domain's certificates are looked up (RFC 8366 5.3,
// domain-cert-revocation-checks).
bool demands_revocation_checks(const Voucher&);
// REQUIRES: read_as_pledge and check_pin took the voucher and the chain. Demands evidence that no certificate on the
// way from the registrar's to the pin, nor the pin itself, is revoked; where a certificate is self-signed there is
// nobody to ask. A pin that is not self-signed needs its issuer in the chain. Without `now` the time is the created-on
// of a voucher that answers a nonce (RFC 8995 2.6.1: it is fresh). Whoever says nothing says no. Errors: revoked,
// revocation_unknown.
Result<void> check_domain_revocation(const Voucher&, std::span<const crypto::Certificate> registrar_chain,
                                     const crypto::RevocationEvidence&, std::optional<Time> now);

}  // namespace cahn::voucher
