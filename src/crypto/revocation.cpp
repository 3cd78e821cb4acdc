#include "crypto/revocation.h"

#include <algorithm>
#include <iterator>

#include "crypto/chain.h"
#include "crypto/ocsp.h"

namespace cahn::crypto {
namespace {

using Standing = RevocationStanding;

Standing by_lists(const Certificate& certificate, const Certificate& issuer, const std::vector<Crl>& lists, Time now) {
  std::vector<Crl> of_issuer;
  std::ranges::copy_if(lists, std::back_inserter(of_issuer), [&](const Crl& list) { return list.is_of(issuer); });
  if (of_issuer.empty()) return {.why = "there is no revocation list of " + issuer.subject_text()};
  const auto checked = verify_chain(certificate, {}, TrustStore({issuer}, of_issuer), now);
  if (checked) {
    return {.status = Standing::Status::good,
            .until = std::ranges::max(of_issuer, {}, &Crl::next_update).next_update(),
            .why = {}};
  }
  if (checked.error().code == CryptoError::revoked) return {.status = Standing::Status::revoked, .why = {}};
  return {.why = "the revocation list of " + issuer.subject_text() + ": " + checked.error().message};
}

Standing by_response(const Certificate& certificate, const Certificate& issuer, const Bytes& response, Time now) {
  const auto read = read_ocsp_response(response, certificate, issuer, now);
  if (!read) return {.why = read.error().message};
  switch (read->status) {
    case OcspAnswer::Status::good:
      return {.status = Standing::Status::good, .until = read->next_update, .why = {}};
    case OcspAnswer::Status::revoked:
      return {.status = Standing::Status::revoked, .why = {}};
    case OcspAnswer::Status::unknown:
      break;
  }
  return {.why = "the OCSP responder does not know the certificate"};
}

}  // namespace

Standing revocation_standing(const Certificate& certificate, const Certificate& issuer,
                             const RevocationEvidence& evidence, Time now) {
  Standing standing = by_lists(certificate, issuer, evidence.lists, now);
  for (const Bytes& response : evidence.ocsp) {
    if (standing.status == Standing::Status::revoked) break;
    Standing next = by_response(certificate, issuer, response, now);
    if (next.status != Standing::Status::unknown) {
      standing = std::move(next);
    } else if (standing.status == Standing::Status::unknown) {
      standing.why += "; " + next.why;
    }
  }
  return standing;
}

}  // namespace cahn::crypto
