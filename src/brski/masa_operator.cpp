// The operator's door, on loopback:
//
//   GET  /owners/{tenant}[?after=KEY]          serial numbers with records of owners, 500 at a time, JSON
//   GET  /owners/{tenant}/{serial}             one of them: devices, records, who owns it now, its audit log
//   POST /owners/{tenant}/{serial}/release     ends the current ownership
//   POST /owners/{tenant}/{serial}/policy      the body is logged-only, first-come, sales or default
//   POST /sales/{tenant}                       CSV or JSON (masa_sales.h)

#include <nlohmann/json.hpp>

#include "brski/masa_impl.h"

namespace cahn::brski {
namespace {

using net::HttpRequest;
using net::HttpResponse;
using nlohmann::json;

constexpr std::size_t owners_page = 500;
constexpr std::size_t max_policy_word = 32;

std::string written(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

HttpResponse no_tenant() { return HttpResponse::text(404, "no such tenant"); }

json parsed(const std::string& own_json) { return json::parse(own_json, nullptr, false); }

std::string serial_of(const std::string& key) {
  const auto octets = hex_decode(key);
  return octets ? to_string(*octets) : key;
}

}  // namespace

// Answers of the door; the functions are coroutines of their own because they outlive the lambda that was asked.
struct Masa::Operator {
  static net::awaitable<HttpResponse> list(Impl* masa, HttpRequest request) {
    const Tenant* tenant = masa->tenant_named(request.parameters["tenant"]);
    if (!tenant) co_return no_tenant();
    const std::string after = request.query.starts_with("after=") ? request.query.substr(6) : std::string();
    const auto rows = masa->store.scan(tenant->owners, "", owners_page, after);
    if (!rows) co_return HttpResponse::text(503, rows.error().message);
    json owners = json::array();
    for (const auto& [key, value] : *rows) {
      json book = parsed(to_string(value));
      book["serial"] = serial_of(key);
      owners.push_back(std::move(book));
    }
    json document = {{"tenant", tenant->options.name},
                     {"policy", to_text(tenant->options.ownership)},
                     {"owners", std::move(owners)}};
    if (rows->size() == owners_page) document["next"] = rows->back().first;
    co_return HttpResponse::json(200, written(document));
  }

  static Result<json> devices_of(const Impl& masa, const Tenant& tenant, const std::string& serial,
                                 const OwnershipBook& book) {
    json devices = json::array();
    CAHN_TRY(const auto issuers, masa.issuers_of(tenant, serial));
    for (const std::string& issuer : issuers) {
      const std::string key = issuer + "/" + hex(as_bytes(serial));
      CAHN_TRY(const auto birth, masa.birth_of(tenant, key));
      if (!birth) continue;
      CAHN_TRY(const auto audit, masa.audit_of(tenant, key));
      CAHN_TRY(const auto identity, masa.identity_of(tenant, *birth));
      const auto current = current_record(book, identity, masa.clock.now());
      devices.push_back({{"issuer", issuer},
                         {"model", birth->model},
                         {"owner", current ? json(book.records[*current].owner.text()) : json(nullptr)},
                         {"auditLog", parsed(to_json(audit.log()))}});
    }
    return devices;
  }

  static net::awaitable<HttpResponse> show(Impl* masa, HttpRequest request) {
    const Tenant* tenant = masa->tenant_named(request.parameters["tenant"]);
    if (!tenant) co_return no_tenant();
    const std::string serial = request.parameters["serial"];
    const auto book = masa->book_of(*tenant, serial);
    if (!book) co_return refusal(book.error());
    auto devices = devices_of(*masa, *tenant, serial, *book);
    if (!devices) co_return refusal(devices.error());
    if (devices->empty() && book->records.empty() && !book->policy) {
      co_return HttpResponse::text(404, "neither a birth nor a sale of such a device is recorded");
    }
    json document = parsed(to_json(*book));
    document["serial"] = serial;
    document["policy"] = to_text(book->policy.value_or(tenant->options.ownership));
    document["policyIsItsOwn"] = book->policy.has_value();
    document["devices"] = *std::move(devices);
    co_return HttpResponse::json(200, written(document));
  }

  static net::awaitable<HttpResponse> release(Impl* masa, HttpRequest request) {
    const Tenant* tenant = masa->tenant_named(request.parameters["tenant"]);
    if (!tenant) co_return no_tenant();
    std::string serial = request.parameters["serial"];
    const auto done = co_await masa->release(tenant, std::move(serial), {});
    if (!done) co_return refusal(done.error());
    co_return HttpResponse::text(200, "released");
  }

  static net::awaitable<HttpResponse> set_policy(Impl* masa, HttpRequest request) {
    const Tenant* tenant = masa->tenant_named(request.parameters["tenant"]);
    if (!tenant) co_return no_tenant();
    const std::string_view word = as_text(request.body);
    const auto policy = ownership_policy_from(word);
    if (!policy && word != "default") {
      co_return HttpResponse::text(400, "a policy is logged-only, first-come, sales or default");
    }
    std::string serial = request.parameters["serial"];
    const auto done = co_await masa->set_policy(tenant, std::move(serial), policy);
    if (!done) co_return refusal(done.error());
    co_return HttpResponse::text(200, "recorded");
  }

  static net::awaitable<HttpResponse> import(Impl* masa, HttpRequest request) {
    const Tenant* tenant = masa->tenant_named(request.parameters["tenant"]);
    if (!tenant) co_return no_tenant();
    co_return co_await masa->import_answer(tenant, std::move(request));
  }

  using Answer = net::awaitable<HttpResponse> (*)(Impl*, HttpRequest);

  static net::awaitable<HttpResponse> refuse(HttpResponse answer) { co_return answer; }

  static net::Handler reading(Impl* masa, Answer answer) {
    return [masa, answer](HttpRequest request, const net::Session&) { return answer(masa, std::move(request)); };
  }
  static net::Handler changing(Impl* masa, Answer answer, std::shared_ptr<const std::string> token) {
    return [masa, answer, token](HttpRequest request, const net::Session&) {
      if (auto refused = not_the_operator(request, *token)) return refuse(*std::move(refused));
      return answer(masa, std::move(request));
    };
  }
};

void Masa::add_operator_routes(net::Router& router, std::string operator_token) {
  Impl* masa = impl_.get();
  const auto token = std::make_shared<const std::string>(std::move(operator_token));
  router.on("GET", "/owners/{tenant}", Operator::reading(masa, &Operator::list), 0);
  router.on("GET", "/owners/{tenant}/{serial}", Operator::reading(masa, &Operator::show), 0);
  router.on("POST", "/owners/{tenant}/{serial}/release", Operator::changing(masa, &Operator::release, token), 0);
  router.on("POST", "/owners/{tenant}/{serial}/policy", Operator::changing(masa, &Operator::set_policy, token),
            max_policy_word);
  router.on("POST", "/sales/{tenant}", Operator::changing(masa, &Operator::import, token), max_sales_document);
}

}  // namespace cahn::brski
