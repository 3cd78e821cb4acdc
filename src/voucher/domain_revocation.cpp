// domain-cert-revocation-checks (RFC 8366 5.3): what a pledge wants to see before it believes in a domain whose voucher
// says that its certificates must be looked up.

#include <algorithm>

#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

using Certificates = std::vector<crypto::Certificate>;

// From the registrar's certificate to the pin.
Result<Certificates> path_to_pin(const crypto::Certificate& pin, std::span<const crypto::Certificate> chain,
                                 std::optional<Time> now) {
  const auto& leaf = chain.front();
  // check_pin lets the pin's key stand for the pin. Asked about is the pin all the same: who holds the key of a revoked
  // one can make another certificate for it.
  if (leaf.public_key() == pin.public_key()) return Certificates{pin};
  auto path = crypto::verify_chain(leaf, chain.subspan(1), crypto::TrustStore({pin}), now);
  if (path) return path;
  return fail(VoucherError::pin_mismatch,
              "the registrar's certificate does not lead to the pin: " + path.error().message);
}

const crypto::Certificate* issuer_in(std::span<const crypto::Certificate> chain, const crypto::Certificate& issued) {
  const auto found = std::ranges::find_if(chain, [&](const crypto::Certificate& candidate) {
    return candidate.is_ca() && candidate.subject() == issued.issuer() && issued.signed_by(candidate.public_key());
  });
  return found == chain.end() ? nullptr : &*found;
}

Result<void> expect_good(const crypto::Certificate& certificate, const crypto::Certificate& issuer,
                         const crypto::RevocationEvidence& evidence, Time now) {
  using Status = crypto::RevocationStanding::Status;
  const auto standing = crypto::revocation_standing(certificate, issuer, evidence, now);
  if (standing.status == Status::good) return {};
  if (standing.status == Status::revoked) {
    return fail(VoucherError::revoked, "the certificate of " + certificate.subject_text() + " is revoked");
  }
  return fail(VoucherError::revocation_unknown, "the voucher demands to know whether the certificate of " +
                                                    certificate.subject_text() + " is revoked: " + standing.why);
}

}  // namespace

bool demands_revocation_checks(const Voucher& voucher) { return voucher.domain_cert_revocation_checks.value_or(false); }

Result<void> check_domain_revocation(const Voucher& voucher, std::span<const crypto::Certificate> registrar_chain,
                                     const crypto::RevocationEvidence& evidence, std::optional<Time> now) {
  if (!voucher.pinned_domain_cert) return fail(VoucherError::no_pin, "the voucher pins no certificate");
  if (registrar_chain.empty()) return fail(VoucherError::pin_mismatch, "the registrar showed no certificate");
  const auto time = now || !voucher.nonce ? now : voucher.created_on;
  if (!time) {
    return fail(VoucherError::revocation_unknown,
                "the voucher demands revocation checks, which a device without a clock cannot make: the voucher "
                "does not tell the time");
  }
  CAHN_TRY(Certificates path, path_to_pin(*voucher.pinned_domain_cert, registrar_chain, now));
  if (const auto& last = path.back(); !last.is_self_issued() || !last.signed_by(last.public_key())) {
    const auto* const issuer = issuer_in(registrar_chain, last);
    if (!issuer) {
      return fail(VoucherError::revocation_unknown, "the voucher demands to know whether the certificate of " +
                                                        last.subject_text() +
                                                        " is revoked, and the registrar does not show who issued it");
    }
    path.push_back(*issuer);
  }
  for (std::size_t i = 0; i + 1 < path.size(); ++i) CAHN_CHECK(expect_good(path[i], path[i + 1], evidence, *time));
  return {};
}

}  // namespace cahn::voucher
