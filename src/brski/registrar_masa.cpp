// The registrar's way to MASAs: who they are, how they are spoken to, and what they answer (RFC 8995 5.4, 5.5, 5.8).

#include <algorithm>
#include <charconv>
#include <set>

#include "base/log.h"
#include "brski/registrar_credentials.h"
#include "brski/registrar_impl.h"

namespace cahn::brski {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds default_retry{5};
constexpr std::size_t max_voucher = std::size_t{256} << 10;

net::HttpRequest post(const std::string& path, const Bytes& body, const std::string& accept) {
  net::HttpRequest http;
  http.method = "POST";
  http.path = path;
  http.headers.set("Content-Type", std::string(voucher::media_type_cms));
  http.headers.set("Accept", accept);
  http.body = body;
  return http;
}

// What a pledge is told of the MASA's refusal: its kind, not its words (those are for the operator's log).
net::HttpResponse pass_on(const net::HttpResponse& from_masa) {
  switch (from_masa.status) {
    case 202:
      return come_back_later(net::retry_after(from_masa).value_or(default_retry));
    case 403:
    case 404:
    case 406:
      return net::HttpResponse::text(from_masa.status, "the manufacturer refuses a voucher for this device");
    default:
      return net::HttpResponse::text(502, "the manufacturer's service gave no usable answer");
  }
}

std::string uri_of(const net::HttpRequest& request) {
  return request.query.empty() ? request.path : request.path + "?" + request.query;
}

// Whether the pledge's Accept names the type itself: "*/*" is no promise to understand a format nobody here knows.
bool names_type(const std::string& accept, const std::string& type) {
  if (type.empty()) return false;
  for (std::string_view rest = accept; !rest.empty();) {
    const auto comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (net::media_type(one) == type) return true;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return false;
}

}  // namespace

net::awaitable<Result<net::HttpResponse>> send_to_masa(MasaLink link, net::Endpoint endpoint,
                                                       net::HttpRequest request) {
  const bool digest = link.credentials && link.credentials->scheme == MasaCredentials::Scheme::digest;
  if (link.credentials && !digest) request.headers.set("Authorization", basic_authorization(*link.credentials));
  net::HttpRequest again = digest ? request : net::HttpRequest{};
  net::Endpoint there = endpoint;
  auto answer = co_await link.pool->send(std::move(there), std::move(request));
  if (!answer || answer->status != 401 || !digest) co_return answer;
  const auto header = digest_authorization(*link.credentials, answer->headers.get("WWW-Authenticate").value_or(""),
                                           again.method, uri_of(again), hex(random_bytes(16)));
  if (!header) co_return fail(header.error());
  again.headers.set("Authorization", *header);
  co_return co_await link.pool->send(std::move(endpoint), std::move(again));
}

net::awaitable<Result<AuditLog>> fetch_audit_log(MasaLink link, MasaAddress masa, Bytes own_request) {
  net::HttpRequest request = post(masa.audit_log_path, own_request, std::string(media_type_json));
  net::Endpoint endpoint = masa.endpoint;
  auto answer = co_await send_to_masa(link, std::move(endpoint), std::move(request));
  if (answer && answer->status == 201) {
    const auto location = audit_location(masa, answer->headers.get("Location").value_or(""));
    if (!location) co_return fail(location.error());
    net::HttpRequest prepared;
    prepared.path = location->first;
    prepared.query = location->second;
    prepared.headers.set("Accept", std::string(media_type_json));
    net::Endpoint same = masa.endpoint;
    answer = co_await send_to_masa(link, std::move(same), std::move(prepared));
  }
  if (!answer) co_return fail(BrskiError::masa_failed, printable(answer.error().message));
  const int status = answer->status;
  if (status == 200) co_return audit_log_from_json(as_text(answer->body));
  const std::string what = "the MASA answered " + std::to_string(status) + " when asked for the audit log";
  if (status == 404) co_return fail(BrskiError::unknown_party, what);
  const bool passing = status == 202 || status == 401 || status == 408 || status == 429 || status >= 500;
  co_return fail(passing ? BrskiError::masa_failed : BrskiError::bad_report, what);
}

net::awaitable<Result<Bytes>> request_offline(MasaLink link, MasaAddress masa, Bytes own_request) {
  net::HttpRequest request = post(masa.request_voucher_path, own_request, std::string(voucher::media_type_cms));
  auto answer = co_await send_to_masa(std::move(link), std::move(masa.endpoint), std::move(request));
  if (!answer) co_return fail(BrskiError::masa_failed, printable(answer.error().message));
  const bool right_type = net::media_type(answer->headers.get("Content-Type").value_or("")) == voucher::media_type_cms;
  if (answer->status == 200 && right_type && answer->body.size() <= max_voucher) co_return std::move(answer->body);
  co_return fail(BrskiError::masa_failed,
                 "the MASA answered " + std::to_string(answer->status) + ": " + printable(as_text(answer->body)));
}

Result<MasaLink> Registrar::Impl::link_to(const Manufacturer& maker, const crypto::TrustStore& common) const {
  crypto::TlsClientOptions tls;
  // RFC 8995 5.4: a MASA may ask who we are.
  if (!maker.masa_without_certificate) tls.identity = maker.masa_identity.value_or(options.identity);
  tls.check = crypto::PeerCheck::anchors;
  tls.anchors = maker.masa_tls_anchors.value_or(common);
  CAHN_TRY(crypto::TlsContext context, crypto::TlsContext::client(tls));
  return MasaLink{std::make_shared<net::HttpPool>(executor, std::move(context), options.masa_limits),
                  maker.masa_credentials};
}

Result<std::shared_ptr<const Makers>> Registrar::Impl::make_makers(std::vector<Manufacturer> list,
                                                                   const crypto::TrustStore& common) const {
  auto made = std::make_shared<Makers>();
  std::set<std::string> names;
  std::optional<MasaLink> shared;  // by those that need nothing of their own
  for (Manufacturer& maker : list) {
    if (maker.idevid_anchors.empty()) {
      return fail(BrskiError::bad_option, "the manufacturer '" + maker.name + "' has no IDevID anchors");
    }
    if (!names.insert(maker.name).second) {
      return fail(BrskiError::bad_option, "two manufacturers are called '" + maker.name + "'");
    }
    for (const auto& named : {maker.masa_override, maker.masa_fallback}) {
      if (named) CAHN_CHECK(parse_masa_address(*named));
    }
    if (maker.masa_override) {
      log::info("BRSKI_MASA_OVERRIDDEN",
                "The MASA of this manufacturer is the configured one, whatever its IDevIDs name.",
                {{"manufacturer", maker.name}, {"masa", printable(*maker.masa_override)}});
    }
    const bool own = maker.masa_tls_anchors || maker.masa_identity || maker.masa_without_certificate;
    if (own || !shared) {
      CAHN_TRY(MasaLink link, link_to(maker, common));
      if (!own) shared = link;
      made->links.push_back(std::move(link));
    } else {
      made->links.push_back({shared->pool, maker.masa_credentials});
    }
    made->list.push_back(std::move(maker));
  }
  return made;
}

std::shared_ptr<const Makers> Registrar::Impl::current_makers() const {
  const std::lock_guard lock(makers_mutex);
  return makers;
}

Result<void> Registrar::Impl::renew_makers() {
  std::vector<Manufacturer> all = configured;
  for (const auto& [name, one] : added) all.push_back(one.manufacturer);
  CAHN_TRY(makers, make_makers(std::move(all), masa_anchors));
  return {};
}

Result<void> Registrar::Impl::set_manufacturers(std::vector<Manufacturer> list,
                                                std::optional<crypto::TrustStore> anchors) {
  const std::lock_guard lock(makers_mutex);
  const auto before = std::pair(configured, masa_anchors);
  configured = std::move(list);
  if (anchors) masa_anchors = *std::move(anchors);
  auto renewed = renew_makers();
  if (!renewed) std::tie(configured, masa_anchors) = before;
  return renewed;
}

Result<void> Registrar::set_manufacturers(std::vector<Manufacturer> list, std::optional<crypto::TrustStore> anchors) {
  return impl_->set_manufacturers(std::move(list), std::move(anchors));
}

net::awaitable<Answered<Registrar::Impl::Obtained>> Registrar::Impl::ask_masa(Pending request) {
  const KnownDevice& device = request->device;
  const auto began = steady_clock::now();
  const auto masa = masa_of(device.idevid, request->manufacturer());
  if (!masa) {
    tell("BRSKI_NO_MASA", {"C.4", device.serial_number, masa.error().message, {}, false});
    co_return std::unexpected(refusal(masa.error()));
  }
  const RequestStyle style{*request->identity, options.domain_ca, options.pin_depth, request->manufacturer().compat};
  const auto own_request = make_registrar_request(request->signed_request, device, style, clock.now());
  if (!own_request) {
    tell("BRSKI_SIGNING_FAILED", {"C.4", device.serial_number, own_request.error().message, {}, false});
    co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot sign at the moment"));
  }
  tell("BRSKI_MASA_ASKED", {"C.4", device.serial_number, "Forwarded to " + masa->text() + ".",
                            request->identity->chain.front().subject_text(), true, since(began)});
  // RFC 8995 5.5: the pledge's own list of formats is passed on.
  const std::string accept = request->accept.empty() ? std::string(voucher::media_type_cms) : request->accept;
  net::HttpRequest http = post(masa->request_voucher_path, *own_request, accept);
  net::Endpoint endpoint = masa->endpoint;
  MasaLink link = request->link();
  auto answer = co_await send_to_masa(std::move(link), std::move(endpoint), std::move(http));
  if (!answer) {
    tell("BRSKI_MASA_UNREACHABLE",
         {"C.7",
          device.serial_number,
          "The MASA at " + masa->text() + " cannot be asked: " + printable(answer.error().message),
          {},
          false,
          since(began)});
    co_return std::unexpected(net::HttpResponse::text(502, "the manufacturer's service cannot be reached"));
  }
  if (answer->status == 200) {
    Exchange exchange{request->client,
                      masa->text(),
                      *own_request,
                      std::move(answer->body),
                      net::media_type(answer->headers.get("Content-Type").value_or("")),
                      {}};
    co_return judge_answer(*request, std::move(exchange));
  }
  // RFC 8995 5.4: an unexpected 401 is a graceful failure that the operator hears of.
  tell("BRSKI_MASA_REFUSED", {"C.7",
                              device.serial_number,
                              "The MASA answered " + std::to_string(answer->status) +
                                  (answer->status == 401 ? ", it wants credentials we do not have" : "") + ": " +
                                  printable(as_text(answer->body)),
                              {},
                              false,
                              since(began)});
  co_return std::unexpected(pass_on(*answer));
}

VoucherExpectation Registrar::Impl::expectation(const VoucherRequest& request) const {
  return {request.device.serial_number, request.signed_request.voucher.nonce, request.identity->chain,
          request.manufacturer().compat};
}

Answered<Registrar::Impl::Obtained> Registrar::Impl::judge_answer(const VoucherRequest& request,
                                                                  Exchange exchange) const {
  const auto refuse = [&](const std::string& why) {
    tell("BRSKI_VOUCHER_UNUSABLE", {"C.8", request.device.serial_number, why, {}, false});
    return std::unexpected(net::HttpResponse::text(502, "the manufacturer's service gave no usable answer"));
  };
  if (exchange.answer.size() > max_voucher) return refuse("the MASA's answer is larger than any voucher");
  if (exchange.media_type != voucher::media_type_cms) {
    const std::string what = "the MASA answered with a voucher of type '" + printable(exchange.media_type) + "'";
    if (!options.opaque_vouchers) return refuse(what);
    if (!names_type(request.accept, exchange.media_type)) return refuse(what + ", which the device did not ask for");
    tell("BRSKI_VOUCHER_OPAQUE", {"C.8", request.device.serial_number, what + "; passed on unread.", {}}, alarming);
    return Obtained{std::move(exchange), std::nullopt, Obtained::From::masa, std::nullopt};
  }
  auto voucher = check_returned_voucher(exchange.answer, expectation(request), clock.now());
  if (!voucher) return refuse(voucher.error().message);
  exchange.pinned_domain = voucher->voucher.pinned_domain_cert->domain_id();
  return Obtained{std::move(exchange), *std::move(voucher), Obtained::From::masa, std::nullopt};
}

}  // namespace cahn::brski
