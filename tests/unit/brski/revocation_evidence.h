// What CAs say of their certificates, as tests want it: lists, OCSP responses, and messages that carry them.

#pragma once

#include <openssl/cms.h>

#include <memory>

#include "crypto/cms.h"
#include "crypto/crl.h"
#include "crypto/ocsp.h"
#include "road.h"

namespace cahn::test {

using OcspStatus = crypto::OcspAnswer::Status;

inline crypto::Crl list_by(const Party& ca, const std::vector<crypto::Certificate>& revoked, Time now,
                           std::chrono::seconds lasts = std::chrono::hours(1)) {
  crypto::CrlSpec spec;
  spec.this_update = now - std::chrono::hours(1);
  spec.next_update = std::chrono::floor<std::chrono::seconds>(now) + lasts;
  for (const auto& one : revoked) spec.entries.push_back({one.serial_hex(), now - std::chrono::hours(1)});
  return need(crypto::Crl::from_der(need(crypto::make_crl(spec, ca.certificate, *ca.key))));
}

inline Bytes response_to(const Bytes& request, const Party& signer, OcspStatus status, Time now,
                         std::chrono::seconds lasts = std::chrono::hours(1)) {
  const crypto::OcspResponseSpec spec{.answers = {{.status = status, .revoked_at = now - std::chrono::hours(1)}},
                                      .this_update = now - std::chrono::minutes(1),
                                      .next_update = std::chrono::floor<std::chrono::seconds>(now) + lasts};
  return need(
      crypto::make_ocsp_response(need(crypto::OcspRequest::from_der(request)), spec, signer.certificate, *signer.key));
}
inline Bytes response_about(const crypto::Certificate& certificate, const Party& ca, OcspStatus status, Time now) {
  return response_to(need(crypto::make_ocsp_request(certificate, ca.certificate)), ca, status, now);
}

// The same CMS with revocation lists in it, which no signature covers.
inline Bytes with_lists(const Bytes& cms, const std::vector<crypto::Crl>& lists) {
  const unsigned char* cursor = cms.data();
  const std::unique_ptr<CMS_ContentInfo, decltype(&CMS_ContentInfo_free)> message(
      d2i_CMS_ContentInfo(nullptr, &cursor, static_cast<long>(cms.size())), &CMS_ContentInfo_free);
  for (const crypto::Crl& list : lists) CMS_add1_crl(message.get(), list.handle());
  unsigned char* der = nullptr;
  const int size = i2d_CMS_ContentInfo(message.get(), &der);
  const Bytes out(der, der + std::max(size, 0));
  OPENSSL_free(der);
  return out;
}

}  // namespace cahn::test
