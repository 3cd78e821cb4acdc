#include "brski/registrar.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "brski/registrar_impl.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using admission::AdmissionAnswer;
using admission::PolicyPoint;
using std::chrono::steady_clock;

constexpr std::size_t max_voucher_request = std::size_t{64} << 10;
constexpr std::size_t max_report = std::size_t{16} << 10;
constexpr std::chrono::seconds default_retry{5};

metrics::Counter voucher_counter(std::string_view result) {
  return {"cahn_vouchers_total",
          "Voucher-requests of pledges, by what became of them.",
          {{"role", "registrar"}, {"result", result}}};
}

net::HttpRequest to_masa(const MasaAddress& masa, const Bytes& request, const std::string& accept) {
  net::HttpRequest http;
  http.method = "POST";
  http.path = masa.request_voucher_path;
  http.headers.set("Content-Type", std::string(voucher::media_type_cms));
  // RFC 8995 5.5: the pledge's own list is passed on.
  http.headers.set("Accept", accept.empty() ? std::string(voucher::media_type_cms) : accept);
  http.body = request;
  return http;
}

std::chrono::seconds retry_after(const net::HttpResponse& response) {
  const std::string text = response.headers.get("Retry-After").value_or("");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return error == std::errc{} && end == text.data() + text.size() ? std::chrono::seconds(seconds) : default_retry;
}

// What a pledge is told of the MASA's refusal: its kind, not its words (those are for the operator's log).
net::HttpResponse pass_on(const net::HttpResponse& from_masa) {
  switch (from_masa.status) {
    case 202:
      return come_back_later(retry_after(from_masa));
    case 403:
    case 404:
    case 406:
      return net::HttpResponse::text(from_masa.status, "the manufacturer refuses a voucher for this device");
    default:
      return net::HttpResponse::text(502, "the manufacturer's service gave no usable answer");
  }
}

}  // namespace

Registrar::Impl::Impl(net::Executor executor_, RegistrarOptions options_, admission::Admission& admission_,
                      pki::DeviceRegistry& registry_, const Clock& clock_)
    : executor(std::move(executor_)),
      options(std::move(options_)),
      admission(admission_),
      registry(registry_),
      clock(clock_),
      domain_anchors(options.domain_ca),
      vouchers_delivered(voucher_counter("delivered")),
      vouchers_refused(voucher_counter("refused")),
      vouchers_delayed(voucher_counter("delayed")),
      vouchers_failed(voucher_counter("failed")),
      voucher_seconds("cahn_voucher_seconds", "Time from a pledge's voucher-request to the answer.",
                      {{"role", "registrar"}}) {
  if (options.network_uri.empty()) options.network_uri = network_uri(options.network);
}

Result<std::unique_ptr<Registrar>> Registrar::create(net::Executor executor, RegistrarOptions options,
                                                     admission::Admission& admission, pki::DeviceRegistry& registry,
                                                     const Clock& clock) {
  if (options.identity.chain.empty() || !options.identity.key) {
    return fail(BrskiError::bad_option, "the registrar has no certificate or no key");
  }
  if (!options.identity.chain.front().has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(BrskiError::bad_option, "the registrar's certificate lacks id-kp-cmcRA (RFC 8995 5.5.4)");
  }
  if (options.domain_ca.empty()) return fail(BrskiError::bad_option, "the registrar has no domain CA");
  if (!options.name_of_key || !options.revocation) {
    return fail(BrskiError::bad_option, "the registrar is not told how keys are named or what is revoked");
  }
  if (options.network.empty()) return fail(BrskiError::bad_option, "the target network has no name");
  std::vector<Manufacturer> manufacturers = std::move(options.manufacturers);
  auto impl = std::make_unique<Impl>(std::move(executor), std::move(options), admission, registry, clock);
  CAHN_TRY(impl->makers, impl->make_makers(std::move(manufacturers)));
  return std::unique_ptr<Registrar>(new Registrar(std::move(impl)));
}

Registrar::Registrar(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registrar::~Registrar() = default;

Result<std::shared_ptr<const Makers>> Registrar::Impl::make_makers(std::vector<Manufacturer> list) const {
  auto makers = std::make_shared<Makers>();
  const auto pool_for = [this](const crypto::TrustStore& anchors) -> Result<std::shared_ptr<net::HttpPool>> {
    crypto::TlsClientOptions tls;
    tls.identity = options.identity;  // RFC 8995 5.4: a MASA may ask who we are
    tls.check = crypto::PeerCheck::anchors;
    tls.anchors = anchors;
    CAHN_TRY(crypto::TlsContext context, crypto::TlsContext::client(tls));
    return std::make_shared<net::HttpPool>(executor, std::move(context), options.masa_limits);
  };
  CAHN_TRY(const auto common, pool_for(options.masa_tls_anchors));
  for (Manufacturer& maker : list) {
    if (maker.idevid_anchors.empty()) {
      return fail(BrskiError::bad_option, "the manufacturer '" + maker.name + "' has no IDevID anchors");
    }
    std::shared_ptr<net::HttpPool> pool = common;
    if (maker.masa_tls_anchors) {
      CAHN_TRY(pool, pool_for(*maker.masa_tls_anchors));
    }
    if (maker.masa_override) {
      CAHN_TRY(const MasaAddress masa, parse_masa_address(*maker.masa_override));
      log::info("BRSKI_MASA_OVERRIDDEN",
                "The MASA of this manufacturer is the configured one, whatever its IDevIDs name.",
                {{"manufacturer", maker.name}, {"masa", masa.text()}});
    }
    makers->pools.push_back(std::move(pool));
    makers->list.push_back(std::move(maker));
  }
  return makers;
}

std::shared_ptr<const Makers> Registrar::Impl::current_makers() const {
  const std::lock_guard lock(makers_mutex);
  return makers;
}

Result<void> Registrar::set_manufacturers(std::vector<Manufacturer> list) {
  CAHN_TRY(auto makers, impl_->make_makers(std::move(list)));
  const std::lock_guard lock(impl_->makers_mutex);
  impl_->makers = std::move(makers);
  return {};
}

void Registrar::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  on_post(router, path_request_voucher, max_voucher_request, impl, &Impl::request_voucher);
  on_post(router, path_voucher_status, max_report, impl, &Impl::voucher_status);
  on_post(router, path_enrol_status, max_report, impl, &Impl::enrol_status);
}

std::string Registrar::Impl::name_of(const crypto::Certificate& certificate) const {
  return options.name_of_key(certificate.public_key());
}

void Registrar::Impl::tell(std::string_view id, const Progress& progress) const {
  brski::tell(id, progress, options.on_progress);
}

Result<Registrar::Impl::VoucherRequest> Registrar::Impl::receive(const net::HttpRequest& request,
                                                                 const net::Session& session) const {
  const auto began = steady_clock::now();
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != voucher::media_type_cms) {
    return fail(BrskiError::unsupported_media_type, "a voucher-request is application/voucher-cms+json");
  }
  CAHN_TRY(voucher::SignedVoucher signed_request, read_pledge_request(request.body));
  auto known = current_makers();
  CAHN_TRY(KnownDevice device, identify_device(session.peer_chain, known->list, clock.now()));
  CAHN_CHECK(check_pledge_request(signed_request, device, session.own_leaf));
  return VoucherRequest{std::move(known), std::move(device), std::move(signed_request),
                        printable(request.headers.get("Accept").value_or("")), began};
}

net::awaitable<net::HttpResponse> Registrar::Impl::request_voucher(net::HttpRequest request, net::Session session) {
  auto received = receive(request, session);
  if (!received) {
    vouchers_refused.add();
    Progress refused{"C.3",
                     session.peer_chain.empty() ? "" : session.peer_chain.front().subject_serial_number().value_or("")};
    refused.what = "Refused the voucher-request: " + received.error().message + ".";
    refused.done = false;
    tell("BRSKI_REQUEST_REFUSED", std::move(refused));
    co_return refusal(received.error());
  }
  const auto pending = std::make_shared<const VoucherRequest>(*std::move(received));
  Answered<Bytes> voucher = co_await obtain(pending);
  voucher_seconds.observe(std::chrono::duration<double>(since(pending->began)).count());
  if (voucher) {
    vouchers_delivered.add();
    // RFC 8995 5.6: the MASA's bytes, unchanged.
    co_return net::HttpResponse::of(200, voucher::media_type_cms, *voucher);
  }
  const int status = voucher.error().status;
  (status == 202 ? vouchers_delayed : status < 500 ? vouchers_refused : vouchers_failed).add();
  co_return std::move(voucher).error();
}

// C.3 to C.8, policy first: nothing leaves for a manufacturer that policy has not let through.
net::awaitable<Answered<Bytes>> Registrar::Impl::obtain(std::shared_ptr<const VoucherRequest> pending) {
  admission::AdmissionEvidence received = evidence(PolicyPoint::registrar_receives, pending->device);
  received.assertion = pending->signed_request.voucher.assertion;
  received.owner = options.domain_ca.back();
  CAHN_CO_CHECK(co_await ask_policy(std::move(received), "C.3"));
  tell("BRSKI_REQUEST_ACCEPTED",
       {"C.3", pending->device.serial_number, "The voucher-request speaks for this device, and policy lets it pass.",
        pending->device.idevid.subject_text(), true, since(pending->began)});
  CAHN_CO_TRY(net::HttpResponse answer, co_await ask_masa(pending));
  auto voucher = check_returned_voucher(answer.body, pending->signed_request, pending->device, options.identity.chain,
                                        clock.now());
  if (!voucher) {
    tell("BRSKI_VOUCHER_UNUSABLE", {"C.8", pending->device.serial_number, voucher.error().message, {}, false});
    co_return std::unexpected(net::HttpResponse::text(502, "the manufacturer's service gave no usable answer"));
  }
  voucher::SignedVoucher returned = *std::move(voucher);
  CAHN_CO_CHECK(co_await return_voucher(pending, std::move(returned)));
  co_return std::move(answer.body);
}

net::awaitable<Answered<net::HttpResponse>> Registrar::Impl::ask_masa(std::shared_ptr<const VoucherRequest> pending) {
  const KnownDevice& device = pending->device;
  const auto began = steady_clock::now();
  const auto masa = masa_of(device, pending->manufacturer());
  if (!masa) {
    tell("BRSKI_NO_MASA", {"C.4", device.serial_number, masa.error().message, {}, false});
    co_return std::unexpected(refusal(masa.error()));
  }
  const auto own_request = make_registrar_request(pending->signed_request, device, options, clock.now());
  if (!own_request) {
    tell("BRSKI_SIGNING_FAILED", {"C.4", device.serial_number, own_request.error().message, {}, false});
    co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot sign at the moment"));
  }
  tell("BRSKI_MASA_ASKED", {"C.4", device.serial_number, "Forwarded to " + masa->text() + ".",
                            options.identity.chain.front().subject_text(), true, since(began)});
  net::HttpRequest http = to_masa(*masa, *own_request, pending->accept);
  net::Endpoint endpoint = masa->endpoint;
  const auto pool = pending->makers->pools[device.manufacturer];
  auto answer = co_await pool->send(std::move(endpoint), std::move(http));
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
  const std::string type = net::media_type(answer->headers.get("Content-Type").value_or(""));
  if (answer->status == 200 && type == voucher::media_type_cms) co_return *std::move(answer);
  // RFC 8995 5.4.1: also an unexpected 401 is a graceful failure that the operator hears of.
  tell("BRSKI_MASA_REFUSED", {"C.7",
                              device.serial_number,
                              "The MASA answered " + std::to_string(answer->status) + " (" + printable(type) +
                                  "): " + printable(as_text(answer->body)),
                              {},
                              false,
                              since(began)});
  co_return std::unexpected(pass_on(*answer));
}

net::awaitable<Answered<void>> Registrar::Impl::return_voucher(std::shared_ptr<const VoucherRequest> pending,
                                                               voucher::SignedVoucher voucher) {
  const KnownDevice& device = pending->device;
  admission::AdmissionEvidence returning = evidence(PolicyPoint::registrar_returns, device);
  returning.assertion = voucher.voucher.assertion;
  returning.owner = voucher.voucher.pinned_domain_cert;
  CAHN_CO_CHECK(co_await ask_policy(std::move(returning), "C.8"));
  std::string name = name_of(device.idevid);
  std::string maker = name_of(device.issuer);
  // Durable before the voucher leaves: a device that has one is never unknown here after a crash.
  auto recorded = co_await registry.record_voucher(std::move(name), std::move(maker), device.idevid, clock.now());
  if (!recorded) {
    tell("BRSKI_NOT_RECORDED", {"C.8", device.serial_number, recorded.error().message, {}, false});
    co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot record the voucher at the moment"));
  }
  tell("BRSKI_VOUCHER_RETURNED",
       {"C.9", device.serial_number, "The voucher is for this device and pins this domain; returned it.",
        voucher.signer.subject_text(), true, since(pending->began)});
  co_return Answered<void>{};
}

admission::AdmissionEvidence Registrar::Impl::evidence(PolicyPoint point, const KnownDevice& device) const {
  return {.point = point,
          .idevid = device.idevid,
          .manufacturer = device.issuer,
          .serial_number = device.serial_number,
          .assertion = std::nullopt,
          .masa_url = device.idevid.masa_url(),
          .owner = std::nullopt,
          .network = options.network};
}

net::awaitable<Answered<void>> Registrar::Impl::ask_policy(admission::AdmissionEvidence about, std::string stage) {
  const std::string serial = about.serial_number;
  const auto began = steady_clock::now();
  const auto answer = co_await admission.decide(std::move(about));
  if (!answer) {  // an error is never a permit
    tell("BRSKI_POLICY_FAILED",
         {stage, serial, "Policy cannot answer: " + answer.error().message, {}, false, since(began)});
    co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot decide at the moment"));
  }
  if (answer->verdict == AdmissionAnswer::Verdict::permit) co_return Answered<void>{};
  const bool later = answer->verdict == AdmissionAnswer::Verdict::later;
  tell(later ? "BRSKI_POLICY_UNDECIDED" : "BRSKI_POLICY_DENIED",
       {stage, serial, (later ? "Not decided yet: " : "Policy denies: ") + answer->reason, {}, false, since(began)});
  // The reason is the operator's; the device learns only that it is so (admission.h).
  co_return std::unexpected(later ? come_back_later(answer->retry_after)
                                  : net::HttpResponse::text(403, "this registrar does not admit this device"));
}

// Telemetry is kept as it came; what cannot be read is refused, so that it never counts as success.
net::HttpResponse Registrar::Impl::keep_report(std::string_view kind, const net::HttpRequest& request,
                                               const net::Session& session, std::string_view shown_certificate) {
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_json) {
    return refusal({BrskiError::unsupported_media_type, "a status report is application/json"});
  }
  const auto report = status_report_from_json(as_text(request.body));
  if (!report) return refusal(report.error());
  const std::string serial =
      session.peer_chain.empty() ? "" : session.peer_chain.front().subject_serial_number().value_or("");
  // RFC 8995 5.7: a version newer than ours is for a human's eyes.
  const bool alarming = !report->status || report->version > 1;
  log::write(alarming ? log::Level::warning : log::Level::info,
             kind == "voucher_status" ? "BRSKI_VOUCHER_STATUS" : "BRSKI_ENROL_STATUS", "A device reports.",
             {{"serial", printable(serial)},
              {"peer", session.peer_address},
              {"status", report->status ? "true" : "false"},
              {"version", std::to_string(report->version)},
              {"reason", printable(report->reason)},
              {"certificate", std::string(shown_certificate)},
              {"report", printable(as_text(request.body), 1000)}});
  if (options.on_progress) {
    Progress progress{kind == "voucher_status" ? "C.10" : "D.7", serial, {}};
    progress.what = "The device reports " + std::string(kind) + (report->status ? ": accepted" : ": refused") + "." +
                    (report->reason.empty() ? "" : " " + printable(report->reason));
    progress.done = report->status;
    options.on_progress(progress);
  }
  if (options.telemetry) {
    store::Batch batch;
    batch.events.push_back({std::string(kind), to_bytes(to_json(*report))});
    options.telemetry->commit(std::move(batch), [](Result<store::Committed> done) {
      if (!done) log::warning("BRSKI_REPORT_NOT_KEPT", done.error().message);
    });
  }
  return net::HttpResponse::text(200, "");
}

net::awaitable<net::HttpResponse> Registrar::Impl::voucher_status(net::HttpRequest request, net::Session session) {
  const bool known = !session.peer_chain.empty() && registry.by_idevid(session.peer_chain.front()).has_value();
  co_return keep_report("voucher_status", request, session, known ? "IDevID of a known device" : "unknown");
}

net::awaitable<net::HttpResponse> Registrar::Impl::enrol_status(net::HttpRequest request, net::Session session) {
  // RFC 8995 5.9.4: the log says whether the client certificate matches.
  std::string_view shown = "none";
  if (!session.peer_chain.empty()) {
    const bool ldevid = holder_of(session.peer_chain).has_value();
    const bool idevid = !ldevid && registry.by_idevid(session.peer_chain.front()).has_value();
    shown = ldevid ? "matching LDevID" : idevid ? "IDevID of a known device" : "not matching";
  }
  co_return keep_report("enrollstatus", request, session, shown);
}

}  // namespace cahn::brski
