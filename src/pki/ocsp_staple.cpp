#include "pki/ocsp_staple.h"

#include "crypto/ocsp.h"

namespace cahn::pki {

Result<std::shared_ptr<OcspStaple>> OcspStaple::create(DomainCa& ca, const crypto::Certificate& about) {
  if (!about.signed_by(ca.certificate().public_key())) {
    return fail(PkiError::bad_request, about.subject_text() + " is no certificate of this CA");
  }
  CAHN_TRY(Bytes request, crypto::make_ocsp_request(about, ca.certificate()));
  return std::shared_ptr<OcspStaple>(new OcspStaple(ca, std::move(request)));
}

net::awaitable<void> OcspStaple::refresh(std::shared_ptr<OcspStaple> self) {
  Bytes request = self->request_;
  auto answering = self->ca_.answer_ocsp(std::move(request));
  Bytes response = co_await std::move(answering);
  constexpr std::size_t failure_octets = 5;  // make_ocsp_failure: a status and nothing else
  if (response.size() <= failure_octets) co_return;
  const std::scoped_lock lock(self->mutex_);
  self->response_ = std::move(response);
}

Bytes OcspStaple::current() const {
  const std::scoped_lock lock(mutex_);
  return response_;
}

crypto::StatusSource OcspStaple::source() {
  return [self = shared_from_this()] { return self->current(); };
}

}  // namespace cahn::pki
