// Pledge, registrar and MASA of RFC 8995 as functions. The roles of src/brski do the same with a network and a memory.

#include "voucher/brski.h"

#include <algorithm>

#include "voucher/c_api/arrays.h"
#include "voucher/c_api/artifact.h"
#include "voucher/c_api/signing.h"
#include "voucher/pledge_checks.h"

namespace cahn::voucher::c_api {
namespace {

using crypto::Certificate;

std::unexpected<Error> inconsistent(const char* why) { return fail(ApiError::inconsistent, why); }

Result<Time> time_from(const std::tm* tm, std::string_view name) {
  if (tm == nullptr) return fail(ApiError::missing_argument, std::string(name) + " is missing");
  return to_time(*tm);
}

// A nonce that was given, as it stands in the JSON; NULL and empty: none.
Result<std::optional<std::string>> nonce_given(const BinaryArray* nonce) {
  const auto octets = octets_of(nonce);
  if (!octets) return fail(ApiError::bad_argument, "nonce has a length but no octets");
  if (octets->empty()) return std::nullopt;
  CAHN_TRY(std::string text, nonce_from(*octets));
  return text;
}

struct Request {
  SignedVoucher opened;
  std::vector<Certificate> path;  // of its signer, leaf first
};

Result<Request> verify_request(ByteView cms, const Trust& trust, Time now) {
  const auto known = known_to(trust);
  CAHN_TRY(auto opened, open(cms, Root::voucher_request, Reading::strict, known));
  CAHN_TRY(auto path, path_of(opened.signer, opened.certificates, trust, now));
  return Request{std::move(opened), std::move(path)};
}

// A pledge speaks for the serial number in its IDevID only. The document lets a pledge sign with a certificate that is
// not its IDevID (L1439) and then names no device.
Result<void> check_pledge(const SignedVoucher& request, std::string_view serial_number) {
  if (request.signer.is_ca()) return inconsistent("the pledge's request is signed by a CA");
  const auto own = request.signer.subject_serial_number();
  if (request.voucher.serial_number != serial_number || (own && *own != serial_number)) {
    return inconsistent("the serial-number of the pledge's request is not the one of its IDevID");
  }
  if (request.voucher.assertion != Assertion::proximity || !request.voucher.proximity_registrar_cert) {
    return inconsistent("the pledge's request does not assert proximity to a registrar");
  }
  return {};
}

Result<Bytes> pledge_request(const std::tm* created_on, const char* serial_number, const BinaryArray* nonce,
                             const BinaryArray* registrar_tls_cert, const Signer& signer) {
  Voucher request;
  CAHN_TRY(request.created_on, time_from(created_on, "created_on"));
  CAHN_TRY(request.serial_number, serial_number_from(serial_number));
  CAHN_TRY(request.nonce, nonce_given(nonce));
  CAHN_TRY(request.proximity_registrar_cert, certificate_from(registrar_tls_cert, "registrar_tls_cert"));
  request.assertion = Assertion::proximity;
  return sign_by(signer, request, Root::voucher_request);
}

struct RegistrarInput {
  ByteView pledge_cms;
  Time created_on;
  std::string serial_number;
  Bytes idevid_issuer;
  Certificate tls_certificate;
};

Result<RegistrarInput> registrar_input(const BinaryArray* cms, const std::tm* created_on, const char* serial_number,
                                       const BinaryArray* issuer, const BinaryArray* tls_cert) {
  CAHN_TRY(const ByteView pledge_cms, needed(cms, "pledge_voucher_request_cms"));
  CAHN_TRY(const Time created, time_from(created_on, "created_on"));
  CAHN_TRY(auto serial, serial_number_from(serial_number));
  CAHN_TRY(const ByteView idevid_issuer, needed(issuer, "idevid_issuer"));
  CAHN_TRY(auto tls_certificate, certificate_from(tls_cert, "registrar_tls_cert"));
  return RegistrarInput{pledge_cms, created, std::move(serial), to_bytes(idevid_issuer), std::move(tls_certificate)};
}

// RFC 8995 5.5. Nothing of the pledge's request is passed on but its nonce and the whole of it.
Result<Bytes> registrar_request(const RegistrarInput& input, Signer signer, const Trust& pledges) {
  CAHN_TRY(const Request pledge, verify_request(input.pledge_cms, pledges, system_clock().now()));
  CAHN_CHECK(check_pledge(pledge.opened, input.serial_number));
  // RFC 8995 5.2
  if (pledge.opened.voucher.proximity_registrar_cert != input.tls_certificate) {
    return inconsistent("the pledge saw another certificate than this registrar's");
  }
  Voucher request;
  request.created_on = input.created_on;
  request.assertion = Assertion::proximity;
  request.serial_number = input.serial_number;
  request.idevid_issuer = input.idevid_issuer;
  request.nonce = pledge.opened.voucher.nonce;
  request.prior_signed_voucher_request = pledge.opened.cms;
  const bool is_carried = std::ranges::find(signer.carried, input.tls_certificate) != signer.carried.end();
  if (signer.certificate.public_key() != input.tls_certificate.public_key() && !is_carried) {
    signer.carried.push_back(input.tls_certificate);
  }
  return sign_by(signer, request, Root::voucher_request);
}

// RFC 8995 5.5.5: the key that the pledge saw is in the chain of the request's signer. Where a registrar signs with
// another key than that of its TLS, its request carries the TLS certificate too, and one CA must have issued both to
// registrars.
Result<void> check_proximity(const Request& registrar, const Certificate& seen, const Trust& registrars, Time now) {
  const auto& path = registrar.path;
  const auto same_key = [&](const Certificate& c) { return c.public_key() == seen.public_key(); };
  if (std::ranges::any_of(path, same_key)) return {};
  const auto& carried = registrar.opened.certificates;
  if (std::ranges::find(carried, seen) != carried.end() && seen.has_extended_key_usage(crypto::oid_cmc_ra)) {
    const auto tls_path = path_of(seen, carried, registrars, now);
    if (tls_path && tls_path->size() > 1 && path.size() > 1 && (*tls_path)[1] == path[1]) return {};
  }
  return inconsistent("the pledge saw another registrar than the one that asks");
}

Result<void> check_layers(const Request& registrar, const Request& pledge) {
  const Voucher& request = registrar.opened.voucher;
  CAHN_CHECK(check_pledge(pledge.opened, request.serial_number));
  if (request.nonce != pledge.opened.voucher.nonce) return inconsistent("the nonce is not the pledge's");
  const Certificate& idevid = pledge.opened.signer;
  const auto& issuer = request.idevid_issuer;
  // Decision 4. A signer without a serial number is no IDevID, and has nothing to compare with.
  if (issuer && idevid.subject_serial_number() && issuer != idevid.authority_key_identifier_der() &&
      issuer != idevid.authority_key_identifier()) {
    return inconsistent("idevid-issuer is not the issuer of the IDevID that signed the pledge's request");
  }
  return {};
}

struct MasaTrust {
  Trust registrars, pledges;
};

// Both layers of a registrar's request, RFC 8995 5.5.3 to 5.5.6. Returns the outer one.
Result<Request> verify_both(ByteView cms, const MasaTrust& trust, Time now) {
  CAHN_TRY(Request registrar, verify_request(cms, trust.registrars, now));
  if (!registrar.opened.signer.has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(ApiError::not_a_registrar, "the signer of the voucher-request lacks id-kp-cmcRA and is no registrar");
  }
  const auto& prior = registrar.opened.voucher.prior_signed_voucher_request;
  if (!prior) return inconsistent("the voucher-request brings no prior-signed-voucher-request");
  const auto pledge = verify_request(*prior, trust.pledges, now);
  if (!pledge) return fail(pledge.error(), "the prior-signed-voucher-request");
  CAHN_CHECK(check_layers(registrar, *pledge));
  CAHN_CHECK(check_proximity(registrar, *pledge->opened.voucher.proximity_registrar_cert, trust.registrars, now));
  if (!registrar.opened.voucher.idevid_issuer) {
    registrar.opened.voucher.idevid_issuer = pledge->opened.signer.authority_key_identifier_der();
  }
  return registrar;
}

Result<Certificate> ask_for_pin(voucher_req_fn callback, const void* context, const SignedVoucher& request) {
  struct Pin : BinaryArray {
    ~Pin() { free_binary_array_content(this); }
  } pin{{nullptr, 0}};
  const ListPtr carried = to_list(request.certificates);
  if (callback(request.voucher.serial_number.c_str(), carried.get(), context, &pin) != 0) {
    return fail(ApiError::callback_refused, "the callback refused the device");
  }
  return certificate_from(&pin, "the callback's pinned_domain_cert");
}

Voucher answer_to(const Voucher& request, Certificate pin, std::optional<Time> expires_on, Time now) {
  Voucher voucher;
  voucher.created_on = now;
  voucher.assertion = Assertion::proximity;
  voucher.serial_number = request.serial_number;
  voucher.idevid_issuer = request.idevid_issuer;
  voucher.pinned_domain_cert = std::move(pin);
  voucher.domain_cert_revocation_checks = false;
  voucher.nonce = request.nonce;
  if (!request.nonce) {
    voucher.expires_on = expires_on;
  } else if (expires_on) {
    // Decision 3.
    log_line("VOUCHER_EXPIRES_ON_IGNORED", "expires_on is ignored: the request has a nonce");
  }
  return voucher;
}

struct PledgeInput {
  ByteView cms;
  std::string serial_number;
  std::optional<std::string> nonce;
  Certificate registrar;
  Trust masas;
  std::optional<crypto::TrustStore> domain;
};

Result<PledgeInput> pledge_input(const BinaryArray* cms, const char* serial_number, const BinaryArray* nonce,
                                 const BinaryArray* tls_cert, const BinaryArrayList* domain_store,
                                 const BinaryArrayList* certs, const BinaryArrayList* store) {
  CAHN_TRY(const ByteView der, needed(cms, "masa_pledge_voucher_cms"));
  CAHN_TRY(auto serial, serial_number_from(serial_number));
  CAHN_TRY(auto sent, nonce_given(nonce));
  CAHN_TRY(auto registrar, certificate_from(tls_cert, "registrar_tls_cert"));
  std::optional<crypto::TrustStore> domain;
  if (!is_empty(domain_store)) {
    CAHN_TRY(domain, store_from(domain_store, "domain_store"));
  }
  CAHN_TRY(auto masas, trust_from(certs, store, "pledge_verify_"));
  return PledgeInput{
      der, std::move(serial), std::move(sent), std::move(registrar), std::move(masas), std::move(domain)};
}

// What may lie between the registrar and the pin: what the voucher carries, and of the domain store what stands above.
std::vector<Certificate> registrar_chain(const SignedVoucher& opened, const PledgeInput& input) {
  std::vector<Certificate> chain{input.registrar};
  chain.insert(chain.end(), opened.certificates.begin(), opened.certificates.end());
  if (!input.domain) return chain;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    for (const Certificate& anchor : input.domain->anchors()) {
      const bool is_above = anchor.subject() == chain[i].issuer();
      if (!is_above || chain.size() > max_listed || std::ranges::find(chain, anchor) != chain.end()) continue;
      chain.push_back(anchor);
    }
  }
  return chain;
}

// The pin covers the registrar (RFC 8995 5.6.2), and leads to the domain store where there is one.
Result<void> check_domain(const SignedVoucher& opened, const PledgeInput& input, Time now) {
  CAHN_CHECK(check_pin(opened.voucher, registrar_chain(opened, input), now));
  if (!input.domain) return {};
  const auto path = crypto::verify_chain(*opened.voucher.pinned_domain_cert, opened.certificates, *input.domain, now);
  if (!path) return fail(ApiError::untrusted_pin, "the pinned certificate: " + path.error().message);
  return {};
}

Result<SignedVoucher> check_voucher(const PledgeInput& input, Time now) {
  const auto known = known_to(input.masas);
  CAHN_TRY(SignedVoucher opened, open(input.cms, Root::voucher, Reading::strict, known));
  CAHN_CHECK(masa_path(opened, input.masas.between, input.masas.store, now));
  if (opened.voucher.serial_number != input.serial_number) {
    return fail(VoucherError::wrong_serial, "the voucher is for " + opened.voucher.serial_number);
  }
  CAHN_CHECK(check_nonce(opened.voucher, input.nonce, /*nonceless_allowed=*/true));
  CAHN_CHECK(check_times(opened, now));
  CAHN_CHECK(check_domain(opened, input, now));
  return opened;
}

}  // namespace
}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;
using cahn::ByteView;
using cahn::fail;
using cahn::Result;

BinaryArray* sign_pledge_voucher_request(const struct tm* created_on, const char* serial_number,
                                         const BinaryArray* nonce, const BinaryArray* registrar_tls_cert,
                                         const BinaryArray* pledge_sign_cert, const BinaryArray* pledge_sign_key,
                                         const BinaryArrayList* additional_pledge_certs) {
  return guarded<BinaryArray*>(nullptr, [&]() -> Result<BinaryArray*> {
    CAHN_TRY(const Signer signer, signer_from(pledge_sign_cert, pledge_sign_key, additional_pledge_certs));
    CAHN_TRY(const auto cms, pledge_request(created_on, serial_number, nonce, registrar_tls_cert, signer));
    return to_heap_array(cms);
  });
}

BinaryArray* sign_voucher_request(const BinaryArray* pledge_voucher_request_cms, const struct tm* created_on,
                                  const char* serial_number, const BinaryArray* idevid_issuer,
                                  const BinaryArray* registrar_tls_cert, const BinaryArray* registrar_sign_cert,
                                  const BinaryArray* registrar_sign_key, const BinaryArrayList* pledge_verify_certs,
                                  const BinaryArrayList* pledge_verify_store,
                                  const BinaryArrayList* additional_registrar_certs) {
  return guarded<BinaryArray*>(nullptr, [&]() -> Result<BinaryArray*> {
    CAHN_TRY(const auto input,
             registrar_input(pledge_voucher_request_cms, created_on, serial_number, idevid_issuer, registrar_tls_cert));
    CAHN_TRY(Signer signer, signer_from(registrar_sign_cert, registrar_sign_key, additional_registrar_certs));
    CAHN_TRY(const Trust pledges, trust_from(pledge_verify_certs, pledge_verify_store, "pledge_verify_"));
    CAHN_TRY(const auto cms, registrar_request(input, std::move(signer), pledges));
    return to_heap_array(cms);
  });
}

BinaryArray* sign_masa_pledge_voucher(const BinaryArray* voucher_request_cms, const struct tm* expires_on,
                                      const voucher_req_fn cb, void* user_ctx, const BinaryArray* masa_sign_cert,
                                      const BinaryArray* masa_sign_key, const BinaryArrayList* registrar_verify_certs,
                                      const BinaryArrayList* registrar_verify_store,
                                      const BinaryArrayList* pledge_verify_certs,
                                      const BinaryArrayList* pledge_verify_store,
                                      const BinaryArrayList* additional_masa_certs) {
  return guarded<BinaryArray*>(nullptr, [&]() -> Result<BinaryArray*> {
    CAHN_TRY(const ByteView request, needed(voucher_request_cms, "voucher_request_cms"));
    if (cb == nullptr) return fail(ApiError::missing_argument, "the callback is missing");
    std::optional<cahn::Time> expiry;
    if (expires_on != nullptr) {
      CAHN_TRY(expiry, to_time(*expires_on));
    }
    CAHN_TRY(const Signer signer, signer_from(masa_sign_cert, masa_sign_key, additional_masa_certs));
    CAHN_TRY(Trust registrars, trust_from(registrar_verify_certs, registrar_verify_store, "registrar_verify_"));
    CAHN_TRY(Trust pledges, trust_from(pledge_verify_certs, pledge_verify_store, "pledge_verify_"));
    const auto now = cahn::system_clock().now();
    CAHN_TRY(const auto verified, verify_both(request, {std::move(registrars), std::move(pledges)}, now));
    CAHN_TRY(auto pin, ask_for_pin(cb, user_ctx, verified.opened));
    const auto voucher = answer_to(verified.opened.voucher, std::move(pin), expiry, now);
    CAHN_TRY(const auto cms, sign_by(signer, voucher, cahn::voucher::Root::voucher));
    return to_heap_array(cms);
  });
}

int verify_masa_pledge_voucher(const BinaryArray* masa_pledge_voucher_cms, const char* serial_number,
                               const BinaryArray* nonce, const BinaryArray* registrar_tls_cert,
                               const BinaryArrayList* domain_store, const BinaryArrayList* pledge_verify_certs,
                               const BinaryArrayList* pledge_verify_store, BinaryArrayList** pledge_out_certs,
                               BinaryArray* const pinned_domain_cert) {
  if (pledge_out_certs != nullptr) *pledge_out_certs = nullptr;
  if (pinned_domain_cert != nullptr) *pinned_domain_cert = {nullptr, 0};
  return guarded_status([&]() -> Result<void> {
    if (pinned_domain_cert == nullptr) return fail(ApiError::missing_argument, "pinned_domain_cert is missing");
    CAHN_TRY(const auto input, pledge_input(masa_pledge_voucher_cms, serial_number, nonce, registrar_tls_cert,
                                            domain_store, pledge_verify_certs, pledge_verify_store));
    CAHN_TRY(const auto opened, check_voucher(input, cahn::system_clock().now()));
    ListPtr carried = to_list(opened.certificates);
    *pinned_domain_cert = to_array(opened.voucher.pinned_domain_cert->der());
    if (pledge_out_certs != nullptr) *pledge_out_certs = carried.release();
    return {};
  });
}
