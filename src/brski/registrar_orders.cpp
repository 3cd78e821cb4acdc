#include "brski/registrar_orders.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "voucher/bounded_json.h"

namespace cahn::brski {
namespace {

using nlohmann::json;

constexpr std::size_t max_text = 1000;

std::unexpected<Error> bad(const std::string& why) { return fail(BrskiError::bad_report, why); }

Result<json> parse_order(std::string_view text) {
  auto document = voucher::parse_object(text, max_order);
  if (!document) return bad("the order: " + document.error().message);
  return document;
}

// Reads the members of an order, each once; the first failure stays. Whatever was not asked for is unknown.
class Members {
 public:
  explicit Members(const json& object) : object_(object) {}

  std::optional<std::string> text(const char* name, std::size_t limit = max_text) {
    const json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_string()) return refuse(name, "is not a string");
    auto out = value->get<std::string>();
    if (out.empty() || out.size() > limit) return refuse(name, "is empty or too long");
    return out;
  }
  bool flag(const char* name) {
    const json* value = find(name);
    if (value && !value->is_boolean()) refuse(name, "is neither true nor false");
    return value && value->is_boolean() && value->get<bool>();
  }
  std::vector<crypto::Certificate> certificates(const char* name) {
    const auto pem = text(name, max_order);
    if (!pem) return {};
    auto all = crypto::Certificate::all_from_pem(*pem);
    if (!all || all->empty()) {
      refuse(name, "holds no certificate in PEM form");
      return {};
    }
    return *std::move(all);
  }
  std::nullopt_t refuse(const char* name, const std::string& why) {
    if (failure_.empty()) failure_ = "'" + std::string(name) + "' " + why;
    return std::nullopt;
  }
  template <typename T>
  T required(const char* name, std::optional<T> value) {
    if (!value) refuse(name, "is missing");
    return value ? *std::move(value) : T{};
  }
  Result<void> done() {
    for (auto it = object_.begin(); it != object_.end() && failure_.empty(); ++it) {
      if (!known_.contains(it.key())) failure_ = "'" + printable(it.key()) + "' is not a member of this order";
    }
    if (!failure_.empty()) return bad(failure_);
    return {};
  }

 private:
  const json* find(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  const json& object_;
  std::set<std::string> known_;
  std::string failure_;
};

// A refused word becomes the failure of the member that holds it.
template <typename T>
T word(Members& members, const char* name, Result<T> (*parse)(std::string_view), T otherwise) {
  const auto text = members.text(name);
  if (!text) return otherwise;
  const auto value = parse(*text);
  if (value) return *value;
  members.refuse(name, value.error().message);
  return otherwise;
}

}  // namespace

Result<PendingOrder> pending_order_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_order(text));
  Members members(document);
  PendingOrder order{};
  const std::string decision = members.required("decision", members.text("decision"));
  order.reason = members.required("reason", members.text("reason"));
  CAHN_CHECK(members.done());
  using Decision = PendingOrder::Decision;
  for (const auto& [name, value] : {std::pair<std::string_view, Decision>{"approve", Decision::approve},
                                    {"reject", Decision::reject},
                                    {"forget", Decision::forget}}) {
    order.decision = value;
    if (decision == name) return order;
  }
  return bad("'decision' is none of approve, reject, forget");
}

Result<OnboardingOrder> onboarding_order_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_order(text));
  Members members(document);
  const std::string kind = members.required("order", members.text("order"));
  OnboardingOrder order{};
  order.reason = members.required("reason", members.text("reason"));
  CAHN_CHECK(members.done());
  if (kind != "accept" && kind != "refresh") return bad("'order' is neither accept nor refresh");
  order.kind = kind == "accept" ? OnboardingOrder::Kind::accept : OnboardingOrder::Kind::refresh;
  return order;
}

Result<OfflineDevice> offline_device_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_order(text));
  Members members(document);
  OfflineDevice device;
  device.manufacturer = members.required("manufacturer", members.text("manufacturer"));
  device.serial_number = members.required("serialNumber", members.text("serialNumber", 256));
  const std::string issuer = members.required("idevidIssuer", members.text("idevidIssuer"));
  device.masa = members.text("masa");
  auto decoded = base64_decode(issuer);
  if (!decoded) members.refuse("idevidIssuer", "is not base64");
  CAHN_CHECK(members.done());
  device.idevid_issuer = *std::move(decoded);
  if (device.masa) CAHN_CHECK(parse_masa_address(*device.masa));
  return device;
}

Result<Manufacturer> manufacturer_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_order(text));
  Members members(document);
  Manufacturer maker;
  maker.name = members.required("name", members.text("name", 100));
  auto anchors = members.certificates("anchors");
  if (anchors.empty()) members.refuse("anchors", "is missing");
  maker.intermediates = members.certificates("intermediates");
  auto masa_anchors = members.certificates("masaAnchors");
  maker.masa_override = members.text("masa");
  maker.masa_fallback = members.text("masaFallback");
  maker.ignore_idevid_lifetime = members.flag("ignoreLifetime");
  maker.operator_approves = members.flag("operatorApproves");
  maker.offline_first = members.flag("offlineFirst");
  maker.masa_without_certificate = members.flag("withoutClientCertificate");
  maker.serial_source = word(members, "serialFrom", &serial_source_from, SerialSource::subject_serial_number);
  maker.compat = word(members, "compat", &compat_from, Compat::strict);
  if (printable(maker.name) != maker.name) members.refuse("name", "holds other than printable ASCII");
  CAHN_CHECK(members.done());
  maker.idevid_anchors = crypto::TrustStore(std::move(anchors));
  if (!masa_anchors.empty()) maker.masa_tls_anchors = crypto::TrustStore(std::move(masa_anchors));
  for (const auto& named : {maker.masa_override, maker.masa_fallback}) {
    if (named) CAHN_CHECK(parse_masa_address(*named));
  }
  return maker;
}

std::string_view to_text(SerialSource source) {
  switch (source) {
    case SerialSource::subject_serial_number:
      return "subject-serial-number";
    case SerialSource::common_name:
      return "common-name";
    case SerialSource::dns_name:
      return "dns-name";
    case SerialSource::uri:
      return "uri";
  }
  return "unknown";
}

std::string_view to_text(Compat compat) { return compat == Compat::field ? "field" : "strict"; }

Result<SerialSource> serial_source_from(std::string_view text) {
  for (const auto known :
       {SerialSource::subject_serial_number, SerialSource::common_name, SerialSource::dns_name, SerialSource::uri}) {
    if (text == to_text(known)) return known;
  }
  return bad("is none of subject-serial-number, common-name, dns-name, uri");
}

Result<Compat> compat_from(std::string_view text) {
  for (const auto known : {Compat::strict, Compat::field}) {
    if (text == to_text(known)) return known;
  }
  return bad("is neither strict nor field");
}

}  // namespace cahn::brski
