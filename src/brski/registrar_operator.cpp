// The operator's view of a running registrar, and orders to it: JSON on loopback (docs/guide-registrar.md).
//
// Layout of the store: table "manufacturers" holds the name of a maker the operator added → the order, as it came.

#include <algorithm>

#include "base/log.h"
#include "brski/registrar_impl.h"
#include "brski/registrar_json.h"
#include "brski/registrar_orders.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using stored::json;

constexpr std::string_view maker_table = "manufacturers";
constexpr std::size_t max_added = 1000;

std::string document(const json& value) { return stored::written(value, 2) + "\n"; }

net::HttpResponse done(std::string_view what) { return net::HttpResponse::text(200, std::string(what) + "\n"); }

net::HttpResponse not_done(const Error& why) {
  net::HttpResponse answer = refusal(why);
  if (why.code == BrskiError::bad_option) answer.status = 409;
  return answer;
}

json finding_shown(const AuditFinding& finding) {
  return {{"standing", admission::to_text(finding.verdict.standing)},
          {"reason", finding.verdict.reason},
          {"accepted", finding.verdict.accepted},
          {"at", rfc3339(finding.judged_at)}};
}

net::awaitable<net::HttpResponse> answer_with(net::HttpResponse answer) { co_return answer; }

net::awaitable<net::HttpResponse> answer_list(std::shared_ptr<const std::function<net::HttpResponse()>> list) {
  co_return (*list)();
}

std::optional<net::HttpResponse> not_an_order(const net::HttpRequest& request, const std::string& token) {
  if (auto refused = not_the_operator(request, token)) return refused;
  if (request.method != "DELETE" &&
      net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_json) {
    return net::HttpResponse::text(415, "orders are application/json\n");
  }
  return std::nullopt;
}

}  // namespace

void Registrar::add_operator_routes(net::Router& router, std::string token) {
  Impl* impl = impl_.get();
  using Answer = net::awaitable<net::HttpResponse>;
  const auto show = [&router](const char* path, std::function<net::HttpResponse()> list) {
    const auto shown = std::make_shared<const std::function<net::HttpResponse()>>(std::move(list));
    router.on("GET", path, [shown](net::HttpRequest, const net::Session&) -> Answer { return answer_list(shown); }, 0);
  };
  const auto order = [&router, impl, token](const char* method, const char* path,
                                            Answer (Impl::*answer)(net::HttpRequest)) {
    router.on(
        method, path,
        [impl, token, answer](net::HttpRequest request, const net::Session&) -> Answer {
          if (auto refused = not_an_order(request, token)) return answer_with(*std::move(refused));
          return (impl->*answer)(std::move(request));
        },
        max_order);
  };
  show("/pending", [impl] { return net::HttpResponse::json(200, impl->list_pending()); });
  show("/onboardings", [impl] { return net::HttpResponse::json(200, impl->list_onboardings()); });
  show("/manufacturers", [impl] { return net::HttpResponse::json(200, impl->list_manufacturers()); });
  show("/offline-vouchers", [impl] {
    const auto list = impl->list_offline();
    return list ? net::HttpResponse::json(200, *list) : net::HttpResponse::text(503, list.error().message + "\n");
  });
  order("POST", "/pending/{id}", &Impl::decide_pending);
  order("POST", "/onboardings/{id}", &Impl::order_onboarding);
  order("POST", "/manufacturers", &Impl::post_manufacturer);
  order("DELETE", "/manufacturers/{name}", &Impl::delete_manufacturer);
  order("POST", "/offline-vouchers", &Impl::post_offline_voucher);
}

std::string Registrar::Impl::list_pending() const {
  json list = json::array();
  for (const PendingDevice& device : pending->all()) {
    json one = {{"id", device.id},
                {"serialNumber", device.serial_number},
                {"manufacturer", device.manufacturer},
                {"state", to_text(device.state)},
                {"undecided", device.undecided},
                {"firstSeen", rfc3339(device.first_seen)},
                {"lastSeen", rfc3339(device.last_seen)}};
    if (device.state != PendingDevice::State::waiting) {
      one["reason"] = device.reason;
      one["decidedAt"] = rfc3339(device.decided_at);
    }
    list.push_back(std::move(one));
  }
  return document(list);
}

std::string Registrar::Impl::list_onboardings() const {
  json list = json::array();
  for (const Onboarding& one : records->all()) {
    list.push_back({{"id", one.id},
                    {"serialNumber", one.serial_number},
                    {"manufacturer", one.manufacturer},
                    {"voucherAt", rfc3339(one.delivered_at)},
                    {"reportedAt", one.reported_at ? json(rfc3339(*one.reported_at)) : json(nullptr)},
                    {"storedVoucher", one.offline},
                    {"auditLog", one.audit ? finding_shown(*one.audit) : json(nullptr)}});
  }
  return document(list);
}

std::string Registrar::Impl::list_manufacturers() const {
  const auto known = current_makers();
  std::map<std::string, bool> by_operator;
  {
    const std::lock_guard lock(makers_mutex);
    for (const auto& [name, one] : added) by_operator[name] = true;
  }
  json list = json::array();
  for (const Manufacturer& maker : known->list) {
    json anchors = json::array();
    for (const crypto::Certificate& anchor : maker.idevid_anchors.anchors()) anchors.push_back(anchor.subject_text());
    list.push_back({{"name", maker.name},
                    {"from", by_operator.contains(maker.name) ? "operator" : "configuration"},
                    {"anchors", std::move(anchors)},
                    {"masa", maker.masa_override ? json(*maker.masa_override) : json(nullptr)},
                    {"masaFallback", maker.masa_fallback ? json(*maker.masa_fallback) : json(nullptr)},
                    {"ownMasaAnchors", maker.masa_tls_anchors.has_value()},
                    {"credentials", maker.masa_credentials.has_value()},
                    {"ignoreLifetime", maker.ignore_idevid_lifetime},
                    {"serialFrom", to_text(maker.serial_source)},
                    {"operatorApproves", maker.operator_approves},
                    {"offlineFirst", maker.offline_first},
                    {"compat", to_text(maker.compat)}});
  }
  return document(list);
}

Result<std::string> Registrar::Impl::list_offline() const {
  CAHN_TRY(const auto all, records->all_offline());
  json list = json::array();
  for (const OfflineVoucher& one : all) {
    list.push_back({{"manufacturer", one.manufacturer},
                    {"serialNumber", one.serial_number},
                    {"fetchedAt", rfc3339(one.fetched_at)},
                    {"expiresOn", one.expires_on ? json(rfc3339(*one.expires_on)) : json(nullptr)},
                    {"auditLog", one.audit ? finding_shown(*one.audit) : json(nullptr)}});
  }
  return document(list);
}

net::awaitable<net::HttpResponse> Registrar::Impl::decide_pending(net::HttpRequest request) {
  using Decision = PendingOrder::Decision;
  const auto order = pending_order_from_json(as_text(request.body));
  if (!order) co_return not_done(order.error());
  std::string id = request.parameters["id"], reason = order->reason;
  Result<void> decided;
  if (order->decision == Decision::forget) {
    decided = co_await pending->forget(std::move(id), std::move(reason), clock.now());
  } else {
    decided =
        co_await pending->decide(std::move(id), order->decision == Decision::approve, std::move(reason), clock.now());
  }
  if (!decided) co_return not_done(decided.error());
  constexpr std::string_view words[] = {"approved", "rejected", "forgotten"};
  const std::string_view word = words[static_cast<std::size_t>(order->decision)];
  log::info("BRSKI_OPERATOR_DECIDED", "An operator decided about a device.",
            {{"device", printable(request.parameters["id"])},
             {"decision", std::string(word)},
             {"reason", printable(order->reason)}});
  co_return done(word);
}

net::awaitable<net::HttpResponse> Registrar::Impl::order_onboarding(net::HttpRequest request) {
  const auto order = onboarding_order_from_json(as_text(request.body));
  if (!order) co_return not_done(order.error());
  std::string id = request.parameters["id"];
  auto onboarding = records->onboarding(id);
  if (!onboarding) co_return not_done({BrskiError::unknown_party, "no voucher went to such a device"});
  if (order->kind == OnboardingOrder::Kind::refresh) {  // RFC 8995 5.8: logs may be asked for later
    const AuditFinding finding = co_await audit_again(*std::move(onboarding));
    co_return net::HttpResponse::json(200, document(finding_shown(finding)));
  }
  std::string reason = order->reason;
  auto accepted = co_await records->accept(std::move(id), std::move(reason));
  if (!accepted) co_return not_done(accepted.error());
  log::info("BRSKI_HISTORY_ACCEPTED", "An operator lets a device in although its audit log alarms.",
            {{"serial", printable(onboarding->serial_number)}, {"reason", printable(order->reason)}});
  co_return done("accepted");
}

Result<void> Registrar::Impl::load_added() {
  CAHN_TRY(const auto rows, options.store->scan(maker_table, "", max_added));
  const std::lock_guard lock(makers_mutex);
  for (const auto& [name, order] : rows) {
    auto maker = manufacturer_from_json(as_text(order));
    if (!maker) return fail(maker.error(), "the manufacturer '" + printable(name) + "' in the store");
    added.insert_or_assign(name, Added{*std::move(maker), to_string(order)});
  }
  return {};
}

net::awaitable<Result<void>> Registrar::Impl::add_manufacturer(Manufacturer maker, std::string order) {
  const std::string name = maker.name;
  {
    const std::lock_guard lock(makers_mutex);
    if (added.size() >= max_added && !added.contains(name)) {
      co_return fail(BrskiError::bad_option, "an operator can add no more than 1000 manufacturers");
    }
    const auto before = added;
    added.insert_or_assign(name, Added{std::move(maker), order});
    if (auto renewed = renew_makers(); !renewed) {
      added = before;
      co_return renewed;
    }
  }
  store::Batch batch;
  batch.puts.push_back({std::string(maker_table), name, to_bytes(order)});
  batch.events.push_back({"manufacturer_added", to_bytes(order)});
  auto kept = co_await store::commit(*options.store, std::move(batch));
  if (!kept) co_return fail(BrskiError::unavailable, "it counts until a restart only: " + kept.error().message);
  co_return Result<void>{};
}

net::awaitable<Result<void>> Registrar::Impl::remove_manufacturer(std::string name) {
  {
    const std::lock_guard lock(makers_mutex);
    if (added.erase(name) == 0) {
      const bool listed = std::ranges::find(configured, name, &Manufacturer::name) != configured.end();
      co_return listed ? fail(BrskiError::bad_option, "it is in the configuration: take it out there, and send SIGHUP")
                       : fail(BrskiError::unknown_party, "no manufacturer is called so");
    }
    if (auto renewed = renew_makers(); !renewed) co_return renewed;
  }
  store::Batch batch;
  batch.erases.push_back({std::string(maker_table), name});
  batch.events.push_back({"manufacturer_removed", to_bytes(name)});
  auto kept = co_await store::commit(*options.store, std::move(batch));
  if (!kept) co_return fail(BrskiError::unavailable, "it is gone until a restart only: " + kept.error().message);
  co_return Result<void>{};
}

net::awaitable<net::HttpResponse> Registrar::Impl::post_manufacturer(net::HttpRequest request) {
  auto maker = manufacturer_from_json(as_text(request.body));
  if (!maker) co_return not_done(maker.error());
  const std::string name = maker->name;
  std::string order = to_string(request.body);
  auto set = co_await add_manufacturer(*std::move(maker), std::move(order));
  if (!set) co_return not_done(set.error());
  log::info("BRSKI_MANUFACTURER_ADDED", "An operator added a manufacturer.", {{"manufacturer", name}});
  co_return done("added");
}

net::awaitable<net::HttpResponse> Registrar::Impl::delete_manufacturer(net::HttpRequest request) {
  const std::string name = request.parameters["name"];
  std::string gone = name;
  auto removed = co_await remove_manufacturer(std::move(gone));
  if (!removed) co_return not_done(removed.error());
  log::info("BRSKI_MANUFACTURER_REMOVED", "An operator removed a manufacturer.", {{"manufacturer", printable(name)}});
  co_return done("removed");
}

net::awaitable<net::HttpResponse> Registrar::Impl::post_offline_voucher(net::HttpRequest request) {
  auto device = offline_device_from_json(as_text(request.body));
  if (!device) co_return not_done(device.error());
  auto fetched = co_await fetch_offline_voucher(*std::move(device));
  if (!fetched) co_return not_done(fetched.error());
  co_return done("stored");
}

}  // namespace cahn::brski
