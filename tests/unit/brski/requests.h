// Voucher-requests as tests want them: right, or wrong in one way.

#pragma once

#include <functional>

#include "road.h"
#include "voucher/signed_voucher.h"

namespace cahn::test {

using Change = std::function<void(voucher::Voucher&)>;

inline voucher::Voucher pledge_request(const Device& device, const crypto::Certificate& registrar) {
  voucher::Voucher request;
  request.created_on = system_clock().now();
  request.assertion = voucher::Assertion::proximity;
  request.serial_number = device.serial_number;
  request.nonce = voucher::fresh_nonce();
  request.proximity_registrar_cert = registrar;
  return request;
}

inline Bytes sign_as(const crypto::TlsIdentity& signer, const voucher::Voucher& content, voucher::Root root) {
  const std::vector<crypto::Certificate> rest(signer.chain.begin() + 1, signer.chain.end());
  return need(voucher::sign(content, root, signer.chain.front(), *signer.key, rest));
}

// A pledge's request, signed by its IDevID.
inline Bytes signed_pledge_request(const Device& device, const crypto::Certificate& registrar,
                                   const Change& change = {}) {
  voucher::Voucher request = pledge_request(device, registrar);
  if (change) change(request);
  return sign_as(device.idevid, request, voucher::Root::voucher_request);
}

// A registrar's request around that of a pledge.
inline Bytes signed_registrar_request(const crypto::TlsIdentity& registrar, const Device& device, const Bytes& prior,
                                      const std::string& nonce, const Change& change = {}) {
  voucher::Voucher request;
  request.created_on = system_clock().now();
  request.assertion = voucher::Assertion::proximity;
  request.serial_number = device.serial_number;
  request.nonce = nonce;
  request.idevid_issuer = device.certificate().authority_key_identifier_der();
  request.prior_signed_voucher_request = prior;
  if (change) change(request);
  return sign_as(registrar, request, voucher::Root::voucher_request);
}

inline Result<net::HttpResponse> request_voucher(Road& road, net::Endpoint endpoint,
                                                 std::optional<crypto::TlsIdentity> identity, const Bytes& body) {
  return send(road, std::move(endpoint), std::move(identity),
              post(brski::path_request_voucher, voucher::media_type_cms, body));
}

}  // namespace cahn::test
