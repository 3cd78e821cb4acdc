// Births: the factory says which devices exist (decision 66). Idempotent, so that the factory can repeat itself.

#include "base/log.h"
#include "brski/masa_impl.h"
#include "store/async.h"

namespace cahn::brski {

Result<std::optional<Birth>> Masa::Impl::birth_of(const Tenant& tenant, const std::string& device) const {
  const auto value = store.get(tenant.births, device);
  if (!value) return fail(BrskiError::unavailable, "the records of births cannot be read at the moment");
  if (!*value) return std::optional<Birth>();
  auto birth = birth_from_json(as_text(**value));
  if (!birth) return fail(BrskiError::unavailable, "the record of this device's birth cannot be read");
  return std::optional(*std::move(birth));
}

Result<Birth> Masa::Impl::check_born(const Tenant& tenant, const crypto::Certificate& idevid) const {
  CAHN_TRY(auto birth, birth_of(tenant, device_key(idevid)));
  if (!birth) return fail(BrskiError::unknown_party, "no device with this serial number is known here");
  if (!(birth->idevid.public_key() == idevid.public_key())) {
    return fail(BrskiError::forbidden, "the device with this serial number was born with another key");
  }
  return *std::move(birth);
}

Result<std::vector<std::string>> Masa::Impl::issuers_of(const Tenant& tenant, std::string_view serial_number) const {
  constexpr std::size_t more_than_any_maker_has = 64;
  const std::string prefix = hex(as_bytes(serial_number)) + "/";
  const auto rows = store.scan(tenant.serials, prefix, more_than_any_maker_has);
  if (!rows) return fail(BrskiError::unavailable, "the records of births cannot be read at the moment");
  std::vector<std::string> issuers;
  for (const auto& [key, nothing] : *rows) issuers.push_back(key.substr(prefix.size()));
  return issuers;
}

net::awaitable<Result<bool>> Masa::Impl::record_birth(Birth birth) {
  const Tenant* tenant = tenant_of(birth.idevid);
  if (!tenant) co_return fail(BrskiError::unknown_party, "the IDevID is not of a CA served here");
  if (auto path = crypto::verify_chain(birth.idevid, {}, tenant->options.idevid_anchors, clock.now()); !path) {
    co_return fail(BrskiError::unknown_party, "the IDevID is not of a CA served here: " + path.error().message);
  }
  const std::string key = device_key(birth.idevid);
  store::Batch batch;
  const Bytes document = to_bytes(to_json(birth));
  batch.events.push_back({"birth", document});
  batch.puts.push_back({tenant->births, key, document});
  batch.puts.push_back({tenant->serials,
                        hex(as_bytes(birth.serial_number)) + "/" +
                            hex(birth.idevid.authority_key_identifier().value_or(Bytes{})),
                        {}});
  batch.absent.emplace_back(tenant->births, key);
  const auto done = co_await store::commit(store, std::move(batch));
  if (done) {
    tell("BRSKI_BIRTH", {"0.4", birth.serial_number, "Recorded the birth of a device.", birth.idevid.issuer_text()});
    co_return true;
  }
  if (!(done.error().code == store::StoreError::conflict)) {
    co_return fail(BrskiError::unavailable, "the birth cannot be recorded: " + done.error().message);
  }
  CAHN_CO_TRY(const auto earlier, birth_of(*tenant, key));
  if (earlier && earlier->idevid == birth.idevid) co_return false;
  co_return fail(BrskiError::forbidden, "another device was born with this serial number");
}

net::awaitable<net::HttpResponse> Masa::Impl::report_birth(net::HttpRequest request, net::Session session) {
  if (session.peer_chain.empty()) co_return net::HttpResponse::text(401, "a factory shows its certificate");
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_json) {
    co_return refusal({BrskiError::unsupported_media_type, "a birth is application/json"});
  }
  auto birth = birth_from_json(as_text(request.body));
  // A factory speaks for its own maker only; whose it is, is told by the device. Of a birth that cannot be read, any
  // factory may learn what is wrong.
  const Tenant* of_device = birth ? tenant_of(birth->idevid) : nullptr;
  bool is_factory = false;
  for (const Tenant& tenant : tenants) {
    if (of_device && of_device != &tenant) continue;
    is_factory = is_factory || crypto::verify_chain(session.peer_chain.front(), session.peer_chain,
                                                    tenant.options.factory_anchors, clock.now());
  }
  if (!is_factory) {
    log::warning("BRSKI_BIRTH_REFUSED", "Someone who is no factory of ours reported a birth.",
                 {{"peer", session.peer_address}, {"who", session.peer_chain.front().subject_text()}});
    co_return net::HttpResponse::text(403, "this certificate is no factory's");
  }
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
