#include "pki/service.h"

#include <nlohmann/json.hpp>

namespace cahn::pki {
namespace {

using nlohmann::json;

std::string_view revocation_text(const std::optional<crypto::RevocationReason>& reason) {
  if (!reason) return "good";
  return *reason == crypto::RevocationReason::certificate_hold ? "on hold" : "revoked";
}

json to_json(const DeviceRecord& record, const CertificateAuthority& ca) {
  json ldevids = json::array();
  for (const crypto::Certificate& ldevid : record.ldevids)
    ldevids.push_back({{"serial", ldevid.serial_hex()},
                       {"subject", ldevid.subject_text()},
                       {"notBefore", rfc3339(ldevid.not_before())},
                       {"notAfter", rfc3339(ldevid.not_after())},
                       {"status", revocation_text(ca.revocation(ldevid.serial_hex()))}});
  return {{"device", record.device},
          {"manufacturer", record.manufacturer},
          {"serialNumber", record.serial_number},
          {"idevid", {{"sha256", hex(record.idevid.fingerprint())}, {"issuer", record.idevid.issuer_text()}}},
          {"voucherAt", record.voucher_at ? json(rfc3339(*record.voucher_at)) : json(nullptr)},
          {"ldevids", std::move(ldevids)}};
}

bool matches(const DeviceRecord& record, std::string_view key, std::string_view value) {
  if (key == "device") return record.device == value;
  if (key == "serial") return record.serial_number == value;
  if (key == "idevid") return hex(record.idevid.fingerprint()) == value;
  if (key != "ldevid") return false;
  for (const crypto::Certificate& ldevid : record.ldevids)
    if (ldevid.serial_hex() == value) return true;
  return false;
}

net::awaitable<net::HttpResponse> answer_devices(DeviceRegistry* registry, CertificateAuthority* ca,
                                                 net::HttpRequest request) {
  json found = json::array();
  const std::string_view query = request.query;
  const std::size_t equals = query.find('=');
  for (const DeviceRecord& record : registry->all())
    if (query.empty() ||
        (equals != std::string_view::npos && matches(record, query.substr(0, equals), query.substr(equals + 1))))
      found.push_back(to_json(record, *ca));
  if (!query.empty() && found.empty())
    co_return net::HttpResponse::text(404, "no device has that; ask by device, serial, ldevid or idevid\n");
  co_return net::HttpResponse::json(200, found.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

net::HttpResponse crl_response(const Bytes& crl) {
  net::HttpResponse response = net::HttpResponse::of(200, "application/pkix-crl", crl);
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

net::awaitable<net::HttpResponse> answer_crl(DomainCa* ca) { co_return crl_response(ca->crl()); }

net::awaitable<net::HttpResponse> answer_crl_of(DomainCa* ca, std::string key_id) {
  const auto crl = ca->crl_of(key_id);
  if (!crl) co_return net::HttpResponse::text(404, "this CA never had such a key");
  co_return crl_response(*crl);
}

net::awaitable<net::HttpResponse> answer_ca_certificate(DomainCa* ca, std::string key_id) {
  for (const crypto::Certificate& root : ca->roots())
    if (hex(root.public_key().key_identifier()) == key_id)
      co_return net::HttpResponse::of(200, "application/pkix-cert", root.der());
  co_return net::HttpResponse::text(404, "no CA certificate of such a key is valid");
}

}  // namespace

void add_crl_route(net::Router& router, DomainCa& ca) {
  router.on("GET", "/crl", [ca = &ca](net::HttpRequest, const net::Session&) { return answer_crl(ca); });
  router.on("GET", "/crl/{key}", [ca = &ca](net::HttpRequest request, const net::Session&) {
    return answer_crl_of(ca, request.parameters["key"]);
  });
  router.on("GET", "/ca/{key}", [ca = &ca](net::HttpRequest request, const net::Session&) {
    return answer_ca_certificate(ca, request.parameters["key"]);
  });
}

void add_device_routes(net::Router& router, DeviceRegistry& registry, CertificateAuthority& ca) {
  router.on("GET", "/devices", [registry = &registry, ca = &ca](net::HttpRequest request, const net::Session&) {
    return answer_devices(registry, ca, std::move(request));
  });
}

}  // namespace cahn::pki
