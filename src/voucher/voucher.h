// Vouchers and voucher-requests (RFC 8366 5.3, RFC 8995 3) as values, and their JSON.
//
// One type serves both (decision 6); which JSON root it has is asked for when it is written and told when it is read.
//
// Threads: values.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/certificate.h"

namespace cahn::voucher {

enum class VoucherError {
  not_json,    // not JSON, duplicate members, too deep or too large
  wrong_root,  // neither ietf-voucher:voucher nor ietf-voucher-request:voucher, or the other one
  missing_member,
  bad_member,     // a member of the wrong type or with an impossible value; the message names it and what was found
  contradiction,  // nonce and expires-on together, …
  not_cms,
  not_jws,
  wrong_content_type,
  bad_signature,
  signer_not_trusted,
  signer_is_not_the_masa,
  wrong_serial,
  wrong_nonce,
  expired,
  not_yet_valid,
  wrong_issuer,  // idevid-issuer is not ours
  assertion_refused,
  no_pin,
  pin_mismatch,        // the registrar's chain does not lead to the pin
  revoked,             // a certificate of the domain
  revocation_unknown,  // of a certificate of the domain, where the voucher demands to know
  bad_certificate
};
std::string_view error_name(VoucherError);

enum class Assertion { verified, logged, proximity };
std::string_view to_text(Assertion);

enum class Root { voucher, voucher_request };

struct Voucher {
  std::optional<Time> created_on;
  std::optional<Time> expires_on;
  std::optional<Assertion> assertion;
  std::string serial_number;           // never empty once parsed
  std::optional<Bytes> idevid_issuer;  // DER AuthorityKeyIdentifier (decision 4); a bare key id is accepted
  std::optional<crypto::Certificate> pinned_domain_cert;
  std::optional<bool> domain_cert_revocation_checks;
  std::optional<std::string> nonce;  // as it stands in the JSON: roles compare strings (decision 3)
  std::optional<Time> last_renewal_date;
  std::optional<Bytes> prior_signed_voucher_request;
  std::optional<crypto::Certificate> proximity_registrar_cert;
};

// Strict reads just RFC 8366 in the JSON of RFC 7951, with dates as we write them. Tolerant also reads what is found in
// the field (decision 6): the voucher's root for requests, dates with fractions or offsets, base64url, base64 unpadded
// or in lines, "true" for true, a serial number as a JSON number, and null for what is not there. Unknown members are
// never an error.
enum class Reading { strict, tolerant };

// Compact JSON. Writes what is there, also what `sign` would refuse.
std::string to_json(const Voucher&, Root);
// A voucher must have created-on, assertion and serial-number, a request the last of them; whether there is a pin is
// for the reader to judge (RFC 8995 5.6.1). Nonce and expires-on together in a voucher: contradiction (decision 2). At
// most 256 KiB, depth 16, no duplicate member names. An error names the member and what was found there:
// "ietf-voucher:voucher/serial-number: expected a string, found a number".
Result<Voucher> from_json(std::string_view json, Root expected, Reading = Reading::strict);

// At least 128 random bits as base64 (decision 3).
std::string fresh_nonce();

}  // namespace cahn::voucher
