#include "brski/masa_checks.h"

#include <algorithm>

namespace cahn::brski {
namespace {

constexpr std::size_t max_carried = 16;
constexpr std::size_t max_path = 8;

bool is_root(const crypto::Certificate& c) { return c.is_self_issued() && c.signed_by(c.public_key()); }

// The certificate of the registrar's chain that nothing else in the message issued, by names and key identifiers. It is
// only a guess at what to anchor on: the signatures below it are checked by verify_chain. Where a CA has changed its
// key, a new root goes before the certificate that the old key made for it (RFC 4210 4.4).
crypto::Certificate top_of(const crypto::Certificate& signer, const std::vector<crypto::Certificate>& carried) {
  crypto::Certificate top = signer;
  for (std::size_t step = 0; step < max_path && !top.is_self_issued(); ++step) {
    const auto wanted = top.authority_key_identifier();
    const auto may_have_issued = [&](const crypto::Certificate& c) {
      return c.subject() == top.issuer() && c != top && (!wanted || c.subject_key_identifier() == wanted);
    };
    auto issuer = std::ranges::find_if(carried, may_have_issued);
    if (issuer == carried.end()) break;
    // Roots are told from bridges by their signature only where there is a choice: a verification is dear.
    if (std::ranges::count_if(carried, may_have_issued) > 1) {
      const auto root =
          std::ranges::find_if(carried, [&](const crypto::Certificate& c) { return may_have_issued(c) && is_root(c); });
      if (root != carried.end()) issuer = root;
    }
    top = *issuer;
  }
  return top;
}

// RFC 8995 5.5.2, 5.5.3: the registrar may be unknown; its own chain is the temporary anchor, and must hold.
Result<std::vector<crypto::Certificate>> registrar_path(const voucher::SignedVoucher& request, Time now) {
  if (request.certificates.size() > max_carried) {
    return fail(BrskiError::unreadable_request, "the voucher-request carries more than 16 certificates");
  }
  auto path = self_contained_path(request.signer, request.certificates, now);
  if (!path) return fail(BrskiError::forbidden, "the registrar's chain does not hold: " + path.error().message);
  // RFC 8995 5.5.4
  if (!request.signer.has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(BrskiError::forbidden, "the signer of the voucher-request lacks id-kp-cmcRA and is no registrar");
  }
  return path;
}

// RFC 8995 5.5.5: the pledge saw this very registrar, so that the two have met.
Result<void> check_proximity(const voucher::Voucher& prior, const std::vector<crypto::Certificate>& registrar) {
  const auto& seen = prior.proximity_registrar_cert;
  if (prior.assertion != voucher::Assertion::proximity || !seen) {
    return fail(BrskiError::forbidden, "the pledge's request does not assert proximity to a registrar");
  }
  const auto same_key = [&](const crypto::Certificate& c) { return c.public_key() == seen->public_key(); };
  if (std::ranges::none_of(registrar, same_key)) {
    return fail(BrskiError::forbidden, "the pledge saw another registrar than the one that asks");
  }
  return {};
}

// RFC 8995 5.5.5, 5.5.6: serial number and nonce are the pledge's own.
Result<void> check_consistent(const RegistrarRequest& request, const voucher::SignedVoucher& prior) {
  const auto serial = prior.signer.subject_serial_number();
  if (!serial || request.serial_number != *serial || prior.voucher.serial_number != *serial) {
    return fail(BrskiError::forbidden,
                "the serial-number is not the one of the IDevID that signed the pledge's request");
  }
  if (request.nonce && request.nonce != prior.voucher.nonce) {
    return fail(BrskiError::forbidden, "the nonce is not the one of the pledge's request");
  }
  const auto& issuer = request.signed_request.voucher.idevid_issuer;
  if (issuer && !is_issuer_of(*issuer, prior.signer)) {
    return fail(BrskiError::forbidden,
                "idevid-issuer is not the issuer of the IDevID that signed the pledge's request");
  }
  return {};
}

Result<std::optional<voucher::SignedVoucher>> prior_request(const voucher::SignedVoucher& request) {
  const auto& prior = request.voucher.prior_signed_voucher_request;
  if (!prior) return std::optional<voucher::SignedVoucher>();
  auto opened = voucher::open(voucher::guess_format(*prior), *prior, voucher::Root::voucher_request);
  if (opened) return std::optional(*std::move(opened));
  Error error = as_request_error(opened.error());
  error.message = "the prior-signed-voucher-request: " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace

Result<std::vector<crypto::Certificate>> self_contained_path(const crypto::Certificate& leaf,
                                                             const std::vector<crypto::Certificate>& carried,
                                                             Time now) {
  return crypto::verify_chain(leaf, carried, crypto::TrustStore({top_of(leaf, carried)}), now);
}

Result<RegistrarRequest> read_registrar_request(voucher::Format format, ByteView signed_request, Time now) {
  auto request = voucher::open(format, signed_request, voucher::Root::voucher_request);
  if (!request) return std::unexpected(as_request_error(request.error()));
  CAHN_TRY(auto registrar, registrar_path(*request, now));
  CAHN_TRY(auto prior, prior_request(*request));
  std::string serial = request->voucher.serial_number;
  std::optional<std::string> nonce = request->voucher.nonce;
  return RegistrarRequest{*std::move(request), std::move(registrar), std::move(prior), std::move(serial),
                          std::move(nonce)};
}

Result<PledgeIdentity> check_pledge_request(const RegistrarRequest& request, const crypto::TrustStore& idevid_anchors,
                                            Time now) {
  const voucher::SignedVoucher& prior = *request.prior;
  const auto device = crypto::verify_chain(prior.signer, prior.certificates, idevid_anchors, now);
  if (!device && device.error().code == crypto::CryptoError::expired) {
    return fail(BrskiError::forbidden, "the IDevID is outside its validity");
  }
  if (!device || device->size() < 2 || prior.signer.is_ca()) {
    return fail(BrskiError::unknown_party, "the pledge's request is not signed by an IDevID of a maker served here");
  }
  CAHN_CHECK(check_consistent(request, prior));
  CAHN_CHECK(check_proximity(prior.voucher, request.registrar));
  return PledgeIdentity{prior.signer, (*device)[1]};
}

Result<void> check_fresh(const RegistrarRequest& request, std::chrono::seconds max_age, Time now) {
  constexpr auto wrong_clock = std::chrono::hours(1);
  const auto& created = request.signed_request.voucher.created_on;
  if (created && *created < now - max_age) {
    return fail(BrskiError::forbidden, "the voucher-request is stale: it was created on " + rfc3339(*created));
  }
  if (created && *created > now + wrong_clock) {
    return fail(BrskiError::forbidden, "the voucher-request was created on " + rfc3339(*created) +
                                           ", which has not come: the registrar's clock is wrong");
  }
  return {};
}

namespace {

// One step of a path. Without anything of use, and nothing demanded: nullopt.
Result<std::optional<Time>> check_one(const crypto::Certificate& certificate, const crypto::Certificate& issuer,
                                      const crypto::RevocationEvidence& evidence, bool required, Time now) {
  using Status = crypto::RevocationStanding::Status;
  const auto standing = crypto::revocation_standing(certificate, issuer, evidence, now);
  if (standing.status == Status::good) {
    // RFC 8995 5.6 bounds a voucher by "any CRL lifetime". An OCSP response is short-lived by nature: it would leave a
    // nonceless voucher a minute.
    const auto listed = crypto::revocation_standing(certificate, issuer, {evidence.lists, {}}, now);
    return listed.status == Status::good ? std::optional(listed.until) : std::nullopt;
  }
  if (standing.status == Status::revoked) {
    return fail(BrskiError::forbidden, "the registrar's chain does not hold: the certificate of " +
                                           certificate.subject_text() + " is revoked");
  }
  const bool has_list =
      std::ranges::any_of(evidence.lists, [&](const crypto::Crl& list) { return list.is_of(issuer); });
  if (has_list) {
    return fail(BrskiError::unavailable,
                "the revocation list of " + issuer.subject_text() + " that this MASA has is out of date or of no use");
  }
  if (!required) return std::optional<Time>();
  if (!names_revocation(certificate)) {
    return fail(BrskiError::forbidden,
                "this MASA has no revocation list of " + issuer.subject_text() + ", and demands one");
  }
  return fail(BrskiError::unavailable, "this MASA demands to know whether the certificate of " +
                                           certificate.subject_text() +
                                           " is revoked, and cannot learn it where the certificate says");
}

}  // namespace

bool names_revocation(const crypto::Certificate& certificate) {
  return !certificate.ocsp_urls().empty() || !certificate.crl_urls().empty();
}

Result<std::optional<Time>> check_revocation(const std::vector<crypto::Certificate>& path,
                                             const crypto::RevocationEvidence& evidence, bool required, Time now) {
  std::optional<Time> first_end;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const bool wanted = required && (i == 0 || names_revocation(path[i]));
    CAHN_TRY(const auto end, check_one(path[i], path[i + 1], evidence, wanted, now));
    if (end) first_end = first_end ? std::min(*first_end, *end) : *end;
  }
  if (required && path.size() < 2) {
    return fail(BrskiError::forbidden,
                "the voucher-request does not bring the CA of its registrar, "
                "whose revocation can then not be checked, as this MASA demands");
  }
  return first_end;
}

voucher::Voucher voucher_for(const RegistrarRequest& request, const VoucherTerms& terms, Time now) {
  voucher::Voucher voucher;
  voucher.created_on = now;
  voucher.assertion = terms.assertion;
  voucher.serial_number = request.serial_number;
  voucher.idevid_issuer = terms.idevid.authority_key_identifier_der();
  voucher.pinned_domain_cert = terms.pin;
  voucher.domain_cert_revocation_checks = terms.revocation_checks;
  voucher.nonce = request.nonce;
  if (request.nonce) return voucher;
  voucher.expires_on = terms.expires_on;
  voucher.last_renewal_date = terms.last_renewal;
  return voucher;
}

const crypto::Certificate& pin_of(const std::vector<crypto::Certificate>& path, PinPolicy policy) {
  return policy == PinPolicy::farthest ? path.back() : path.front();
}

std::string device_key(const crypto::Certificate& idevid) {
  return device_key(idevid.authority_key_identifier().value_or(Bytes{}), idevid.subject_serial_number().value_or(""));
}

std::string device_key(ByteView issuer_key_id, std::string_view serial_number) {
  return hex(issuer_key_id) + "/" + hex(as_bytes(serial_number));
}

}  // namespace cahn::brski
