// Births: the factory says which devices exist (decision 66). Idempotent, so that the factory can repeat itself.

#include "base/log.h"
#include "brski/masa_impl.h"
#include "store/async.h"

namespace cahn::brski {

Result<void> Masa::Impl::check_born(const crypto::Certificate& idevid) const {
  const auto value = store.get(births_table, device_key(idevid));
  if (!value) return fail(BrskiError::unavailable, "the records of births cannot be read at the moment");
  if (!*value) return fail(BrskiError::unknown_party, "no device with this serial number is known here");
  const auto birth = birth_from_json(as_text(**value));
  if (!birth) return fail(BrskiError::unavailable, "the record of this device's birth cannot be read");
  if (!(birth->idevid.public_key() == idevid.public_key())) {
    return fail(BrskiError::forbidden, "the device with this serial number was born with another key");
  }
  return {};
}

net::awaitable<Result<bool>> Masa::Impl::record_birth(Birth birth) {
  if (auto path = crypto::verify_chain(birth.idevid, {}, options.idevid_anchors, clock.now()); !path) {
    co_return fail(BrskiError::unknown_party, "the IDevID is not of a CA served here: " + path.error().message);
  }
  const std::string key = device_key(birth.idevid);
  store::Batch batch;
  const Bytes document = to_bytes(to_json(birth));
  batch.events.push_back({"birth", document});
  batch.puts.push_back({std::string(births_table), key, document});
  batch.absent.emplace_back(std::string(births_table), key);
  const auto done = co_await store::commit(store, std::move(batch));
  if (done) {
    tell("BRSKI_BIRTH", {"0.4", birth.serial_number, "Recorded the birth of a device.", birth.idevid.issuer_text()});
    co_return true;
  }
  if (!(done.error().code == store::StoreError::conflict)) {
    co_return fail(BrskiError::unavailable, "the birth cannot be recorded: " + done.error().message);
  }
  const auto known = store.get(births_table, key);
  const auto earlier =
      known && *known ? birth_from_json(as_text(**known)) : Result<Birth>(fail(BrskiError::unavailable, ""));
  if (!earlier) co_return fail(BrskiError::unavailable, "the record of this device's birth cannot be read");
  if (earlier->idevid == birth.idevid) co_return false;
  co_return fail(BrskiError::forbidden, "another device was born with this serial number");
}

net::awaitable<net::HttpResponse> Masa::Impl::report_birth(net::HttpRequest request, net::Session session) {
  if (session.peer_chain.empty()) co_return net::HttpResponse::text(401, "a factory shows its certificate");
  const auto factory =
      crypto::verify_chain(session.peer_chain.front(), session.peer_chain, options.factory_anchors, clock.now());
  if (!factory) {
    log::warning("BRSKI_BIRTH_REFUSED", "Someone who is no factory of ours reported a birth.",
                 {{"peer", session.peer_address}, {"why", factory.error().message}});
    co_return net::HttpResponse::text(403, "this certificate is no factory's");
  }
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_json) {
    co_return refusal({BrskiError::unsupported_media_type, "a birth is application/json"});
  }
  auto birth = birth_from_json(as_text(request.body));
  if (!birth) co_return refusal(birth.error());
  Birth reported = *std::move(birth);
  const auto recorded = co_await record_birth(std::move(reported));
  if (recorded) co_return net::HttpResponse::text(*recorded ? 201 : 200, *recorded ? "recorded" : "known already");
  if (recorded.error().code == BrskiError::forbidden) co_return net::HttpResponse::text(409, recorded.error().message);
  if (recorded.error().code == BrskiError::unknown_party)
    co_return net::HttpResponse::text(403, recorded.error().message);
  co_return refusal(recorded.error());
}

}  // namespace cahn::brski
