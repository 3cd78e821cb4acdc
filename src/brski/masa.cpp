#include "brski/masa.h"

#include <algorithm>

#include "base/log.h"
#include "brski/masa_impl.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using admission::AdmissionAnswer;
using std::chrono::steady_clock;

// A voucher-request of a registrar holds that of the pledge in base64, and the chains of both.
constexpr std::size_t max_voucher_request = std::size_t{256} << 10;
constexpr std::size_t max_birth = std::size_t{128} << 10;
constexpr std::size_t audit_page = 1000;

metrics::Counter voucher_counter(std::string_view result) {
  return {"cahn_vouchers_total",
          "Voucher-requests of pledges, by what became of them.",
          {{"role", "masa"}, {"result", result}}};
}

// RFC 8995 5.6: only CMS vouchers are made here; an Accept that excludes them is not understood.
bool accepts_cms(const std::optional<std::string>& accept) {
  if (!accept || accept->empty()) return true;
  for (const std::string_view wanted :
       {voucher::media_type_cms, std::string_view("application/*"), std::string_view("*/*")}) {
    if (accept->find(wanted) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Masa::Impl::Impl(MasaOptions options_, admission::Admission& admission_, store::Store& store_, const Clock& clock_)
    : options(std::move(options_)),
      admission(admission_),
      store(store_),
      clock(clock_),
      issued(voucher_counter("issued")),
      refused(voucher_counter("refused")),
      delayed(voucher_counter("delayed")) {}

Result<std::unique_ptr<Masa>> Masa::create(MasaOptions options, admission::Admission& admission, store::Store& store,
                                           const Clock& clock) {
  if (options.signer.empty() || !options.key)
    return fail(BrskiError::bad_option, "the MASA has no signing certificate or key");
  if (!(options.signer.front().public_key() == options.key->public_key())) {
    return fail(BrskiError::bad_option, "the MASA's signing certificate is not its key's");
  }
  if (options.idevid_anchors.empty())
    return fail(BrskiError::bad_option, "the MASA has no CA of devices to answer for");
  auto impl = std::make_unique<Impl>(std::move(options), admission, store, clock);
  return std::unique_ptr<Masa>(new Masa(std::move(impl)));
}

Masa::Masa(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Masa::~Masa() = default;

void Masa::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  on_post(router, path_request_voucher, max_voucher_request, impl, &Impl::request_voucher);
  on_post(router, path_request_audit_log, max_voucher_request, impl, &Impl::request_audit_log);
  on_post(router, path_births, max_birth, impl, &Impl::report_birth);
}

net::awaitable<Result<bool>> Masa::record_birth(Birth birth) { return impl_->record_birth(std::move(birth)); }
Result<AuditLog> Masa::audit_log(const crypto::Certificate& idevid) const { return impl_->audit_log(idevid); }

void Masa::Impl::tell(std::string_view id, const Progress& progress) const {
  brski::tell(id, progress, options.on_progress);
}

net::HttpResponse Masa::Impl::refuse(const Error& error, std::string serial) {
  refused.add();
  tell("BRSKI_MASA_REFUSES",
       {"C.5", std::move(serial), "Refused a registrar's request: " + error.message + ".", {}, false});
  return refusal(error);
}

Result<RegistrarRequest> Masa::Impl::receive(const net::HttpRequest& request) const {
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != voucher::media_type_cms) {
    return fail(BrskiError::unsupported_media_type, "a voucher-request is application/voucher-cms+json");
  }
  CAHN_TRY(auto checked, check_registrar_request(request.body, options.idevid_anchors, clock.now()));
  CAHN_CHECK(check_born(checked.idevid));
  return checked;
}

net::awaitable<net::HttpResponse> Masa::Impl::request_voucher(net::HttpRequest request, net::Session) {
  const auto began = steady_clock::now();
  if (!accepts_cms(request.headers.get("Accept"))) {
    co_return refuse({BrskiError::unsupported_media_type, "only application/voucher-cms+json vouchers are made here"},
                     {});
  }
  auto received = receive(request);
  if (!received) co_return refuse(received.error(), {});
  const auto checked = std::make_shared<const RegistrarRequest>(*std::move(received));
  auto no = co_await ask_policy(checked);
  if (no) co_return *std::move(no);
  tell("BRSKI_MASA_ACCEPTS", {"C.5", checked->serial_number, "The registrar and a device of ours have met.",
                              checked->registrar.front().subject_text(), true, since(began)});

  const Time now = clock.now();
  const voucher::Voucher content = voucher_for(*checked, pin_of(*checked, options.pin), now);
  const std::vector<crypto::Certificate> chain(options.signer.begin() + 1, options.signer.end());
  const auto cms = voucher::sign(content, voucher::Root::voucher, options.signer.front(), *options.key, chain);
  if (!cms)
    co_return refuse({BrskiError::unavailable, "the voucher cannot be signed at the moment"}, checked->serial_number);
  // RFC 8995 5.6: every voucher that leaves is in the audit log first.
  Bytes logged_bytes = *cms;
  auto logged = co_await log_voucher(checked, std::move(logged_bytes), now);
  if (!logged) {
    log::error("BRSKI_AUDIT_LOG_FAILED", logged.error().message, {{"serial", printable(checked->serial_number)}});
    co_return refuse({BrskiError::unavailable, "the audit log cannot be written at the moment"},
                     checked->serial_number);
  }
  issued.add();
  tell("BRSKI_VOUCHER_ISSUED",
       {"C.6", checked->serial_number,
        "Logged and signed a voucher that pins " + content.pinned_domain_cert->subject_text() + ".",
        options.signer.front().subject_text(), true, since(began)});
  co_return net::HttpResponse::of(200, voucher::media_type_cms, *cms);
}

net::awaitable<std::optional<net::HttpResponse>> Masa::Impl::ask_policy(
    std::shared_ptr<const RegistrarRequest> checked) {
  admission::AdmissionEvidence about{.point = admission::PolicyPoint::masa_receives,
                                     .idevid = checked->idevid,
                                     .manufacturer = checked->issuer,
                                     .serial_number = checked->serial_number,
                                     .assertion = voucher::Assertion::proximity,
                                     .masa_url = checked->idevid.masa_url(),
                                     .owner = pin_of(*checked, options.pin),
                                     .network = {}};
  const auto answer = co_await admission.decide(std::move(about));
  if (!answer) {
    tell("BRSKI_POLICY_FAILED",
         {"C.5", checked->serial_number, "Policy cannot answer: " + answer.error().message, {}, false});
    co_return refuse({BrskiError::unavailable, "the MASA cannot decide at the moment"}, checked->serial_number);
  }
  if (answer->verdict == AdmissionAnswer::Verdict::permit) co_return std::nullopt;
  const bool later = answer->verdict == AdmissionAnswer::Verdict::later;
  tell(later ? "BRSKI_POLICY_UNDECIDED" : "BRSKI_POLICY_DENIED",
       {"C.5", checked->serial_number, (later ? "Not decided yet: " : "Policy denies: ") + answer->reason, {}, false});
  if (later) {
    delayed.add();
    co_return come_back_later(answer->retry_after);
  }
  refused.add();
  co_return net::HttpResponse::text(403, "the device is not to be owned by this domain");
}

net::awaitable<Result<void>> Masa::Impl::log_voucher(std::shared_ptr<const RegistrarRequest> checked, Bytes cms,
                                                     Time now) {
  AuditLog entry;
  entry.events.push_back({.date = now,
                          .domain_id = pin_of(*checked, options.pin).domain_id(),
                          .nonce = checked->nonce,
                          .assertion = voucher::Assertion::proximity});
  store::Batch batch;
  batch.events.push_back({"voucher_issued", std::move(cms)});
  // Octet order of the keys is the order of issue.
  std::string key = device_key(checked->idevid) + "/" + rfc3339(now, true) + "/" + hex(random_bytes(8));
  batch.puts.push_back({std::string(audit_table), std::move(key), to_bytes(to_json(entry))});
  auto done = co_await store::commit(store, std::move(batch));
  if (!done) co_return fail(done.error());
  co_return Result<void>{};
}

Result<AuditLog> Masa::Impl::audit_log(const crypto::Certificate& idevid) const {
  AuditLog log;
  const std::string prefix = device_key(idevid) + "/";
  std::string after;
  for (;;) {
    CAHN_TRY(const auto page, store.scan(audit_table, prefix, audit_page, after));
    for (const auto& [key, value] : page) {
      CAHN_TRY(AuditLog one, audit_log_from_json(as_text(value)));
      log.events.insert(log.events.end(), one.events.begin(), one.events.end());
    }
    if (page.size() < audit_page) return log;
    after = page.back().first;
  }
}

// RFC 8995 5.8: the log goes to whoever was an owner once, and to nobody else.
net::awaitable<net::HttpResponse> Masa::Impl::request_audit_log(net::HttpRequest request, net::Session) {
  const auto checked = receive(request);
  if (!checked) co_return refuse(checked.error(), {});
  const auto log = audit_log(checked->idevid);
  if (!log)
    co_return refuse({BrskiError::unavailable, "the audit log cannot be read at the moment"}, checked->serial_number);
  const Bytes domain = pin_of(*checked, options.pin).domain_id();
  const bool owner = std::ranges::any_of(log->events, [&](const AuditEvent& e) { return e.domain_id == domain; });
  if (!owner) {
    co_return refuse({BrskiError::unknown_party, "this domain never was an owner of such a device"},
                     checked->serial_number);
  }
  co_return net::HttpResponse::json(200, to_json(*log));
}

}  // namespace cahn::brski
