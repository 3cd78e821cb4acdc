#include "brski/masa_checks.h"

#include <algorithm>

namespace cahn::brski {
namespace {

constexpr std::size_t max_carried = 16;
constexpr std::size_t max_path = 8;

// The certificate of the registrar's chain that nothing else in the message issued, by names and key identifiers. It is
// only a guess at what to anchor on: the signatures below it are checked by verify_chain.
crypto::Certificate top_of(const crypto::Certificate& signer, const std::vector<crypto::Certificate>& carried) {
  crypto::Certificate top = signer;
  for (std::size_t step = 0; step < max_path && !top.is_self_issued(); ++step) {
    const auto wanted = top.authority_key_identifier();
    const auto issuer = std::ranges::find_if(carried, [&](const crypto::Certificate& c) {
      return c.subject() == top.issuer() && c != top && (!wanted || c.subject_key_identifier() == wanted);
    });
    if (issuer == carried.end()) break;
    top = *issuer;
  }
  return top;
}

// RFC 8995 5.5.2, 5.5.3: the registrar may be unknown; its own chain is the temporary anchor, and must hold.
Result<std::vector<crypto::Certificate>> registrar_path(const voucher::SignedVoucher& request, Time now) {
  if (request.certificates.size() > max_carried) {
    return fail(BrskiError::unreadable_request, "the voucher-request carries more than 16 certificates");
  }
  const crypto::TrustStore anchor({top_of(request.signer, request.certificates)});
  auto path = crypto::verify_chain(request.signer, request.certificates, anchor, now);
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
Result<void> check_consistent(const voucher::SignedVoucher& request, const voucher::SignedVoucher& prior) {
  const auto serial = prior.signer.subject_serial_number();
  if (!serial || request.voucher.serial_number != *serial || prior.voucher.serial_number != *serial) {
    return fail(BrskiError::forbidden,
                "the serial-number is not the one of the IDevID that signed the pledge's request");
  }
  if (!request.voucher.nonce || request.voucher.nonce != prior.voucher.nonce) {
    return fail(BrskiError::forbidden, "the nonce is not the one of the pledge's request");
  }
  const auto& issuer = request.voucher.idevid_issuer;
  if (issuer && issuer != prior.signer.authority_key_identifier_der() &&
      issuer != prior.signer.authority_key_identifier()) {
    return fail(BrskiError::forbidden,
                "idevid-issuer is not the issuer of the IDevID that signed the pledge's request");
  }
  return {};
}

Result<voucher::SignedVoucher> prior_request(const voucher::SignedVoucher& request) {
  const auto& prior = request.voucher.prior_signed_voucher_request;
  // Nonceless requests (5.5.4) need a registrar that is known beforehand; this MASA answers only for pledges that took
  // part.
  if (!prior) return fail(BrskiError::forbidden, "the voucher-request brings no prior-signed-voucher-request");
  auto opened = voucher::open(*prior, voucher::Root::voucher_request);
  if (!opened) {
    Error error = as_request_error(opened.error());
    error.message = "the prior-signed-voucher-request: " + error.message;
    return std::unexpected(std::move(error));
  }
  return opened;
}

}  // namespace

Result<RegistrarRequest> check_registrar_request(ByteView cms, const crypto::TrustStore& idevid_anchors, Time now) {
  auto request = voucher::open(cms, voucher::Root::voucher_request);
  if (!request) return std::unexpected(as_request_error(request.error()));
  CAHN_TRY(auto registrar, registrar_path(*request, now));
  CAHN_TRY(const auto prior, prior_request(*request));
  const auto device = crypto::verify_chain(prior.signer, prior.certificates, idevid_anchors, now);
  if (!device && device.error().code == crypto::CryptoError::expired) {
    return fail(BrskiError::forbidden, "the IDevID is outside its validity");
  }
  if (!device || device->size() < 2 || prior.signer.is_ca()) {
    return fail(BrskiError::unknown_party, "the pledge's request is not signed by an IDevID of a maker served here");
  }
  CAHN_CHECK(check_consistent(*request, prior));
  CAHN_CHECK(check_proximity(prior.voucher, registrar));
  std::string serial = request->voucher.serial_number;
  std::string nonce = *request->voucher.nonce;
  return RegistrarRequest{*std::move(request), std::move(registrar), prior.signer,
                          (*device)[1],        std::move(serial),    std::move(nonce)};
}

voucher::Voucher voucher_for(const RegistrarRequest& request, const crypto::Certificate& pin, Time now) {
  voucher::Voucher voucher;
  voucher.created_on = now;
  voucher.assertion = voucher::Assertion::proximity;
  voucher.serial_number = request.serial_number;
  voucher.idevid_issuer = request.idevid.authority_key_identifier_der();
  voucher.pinned_domain_cert = pin;
  voucher.domain_cert_revocation_checks = false;
  voucher.nonce = request.nonce;
  return voucher;
}

const crypto::Certificate& pin_of(const RegistrarRequest& request, PinPolicy policy) {
  return policy == PinPolicy::farthest ? request.registrar.back() : request.registrar.front();
}

std::string device_key(const crypto::Certificate& idevid) {
  const std::string serial = idevid.subject_serial_number().value_or("");
  return hex(idevid.authority_key_identifier().value_or(Bytes{})) + "/" + hex(as_bytes(serial));
}

}  // namespace cahn::brski
