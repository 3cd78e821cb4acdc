#include "brski/registrar.h"

#include <algorithm>

#include "base/log.h"
#include "brski/registrar_impl.h"
#include "crypto/digest.h"

namespace cahn::brski {
namespace {

using admission::AdmissionAnswer;
using admission::PolicyPoint;
using std::chrono::steady_clock;

constexpr std::size_t max_voucher_request = std::size_t{64} << 10;
constexpr std::size_t max_report = std::size_t{16} << 10;
constexpr std::size_t max_accept = 1000;
// How soon a pledge is to come back when only an operator can decide.
constexpr std::chrono::seconds operator_retry{10};

metrics::Counter voucher_counter(std::string_view result) {
  return {"cahn_vouchers_total",
          "Voucher-requests of pledges, by what became of them.",
          {{"role", "registrar"}, {"result", result}}};
}

Result<void> check_identity(const crypto::TlsIdentity& identity) {
  if (identity.chain.empty() || !identity.key) {
    return fail(BrskiError::bad_option, "the registrar has no certificate or no key");
  }
  if (!identity.chain.front().has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(BrskiError::bad_option, "the registrar's certificate lacks id-kp-cmcRA (RFC 8995 5.5.4)");
  }
  return {};
}

// LDevIDs of this domain lead here, also those from before the CA changed its key.
crypto::TrustStore anchors_of(const RegistrarOptions& options) {
  std::vector<crypto::Certificate> anchors = options.domain_ca;
  anchors.insert(anchors.end(), options.retired_roots.begin(), options.retired_roots.end());
  return crypto::TrustStore(std::move(anchors));
}

}  // namespace

Registrar::Impl::Impl(net::Executor executor_, RegistrarOptions options_, admission::Admission& admission_,
                      pki::DeviceRegistry& registry_, const Clock& clock_)
    : executor(std::move(executor_)),
      options(std::move(options_)),
      admission(admission_),
      registry(registry_),
      clock(clock_),
      domain_anchors(anchors_of(options)),
      configured(std::move(options.manufacturers)),
      masa_anchors(options.masa_tls_anchors),
      vouchers_delivered(voucher_counter("delivered")),
      vouchers_refused(voucher_counter("refused")),
      vouchers_delayed(voucher_counter("delayed")),
      vouchers_failed(voucher_counter("failed")),
      voucher_seconds("cahn_voucher_seconds", "Time from a pledge's voucher-request to the answer.",
                      {{"role", "registrar"}}) {
  if (options.network_uri.empty()) options.network_uri = network_uri(options.network);
}

Result<void> Registrar::Impl::open() {
  CAHN_TRY(records, Records::open(*options.store));
  CAHN_TRY(pending, PendingDevices::open(*options.store, options.pending_for));
  CAHN_CHECK(load_added());
  const std::lock_guard lock(makers_mutex);
  return renew_makers();
}

Result<std::unique_ptr<Registrar>> Registrar::create(net::Executor executor, RegistrarOptions options,
                                                     admission::Admission& admission, pki::DeviceRegistry& registry,
                                                     const Clock& clock) {
  CAHN_CHECK(check_identity(options.identity));
  for (const crypto::TlsIdentity& other : options.other_identities) CAHN_CHECK(check_identity(other));
  if (options.domain_ca.empty()) return fail(BrskiError::bad_option, "the registrar has no domain CA");
  if (!options.name_of_key || !options.revocation) {
    return fail(BrskiError::bad_option, "the registrar is not told how keys are named or what is revoked");
  }
  if (options.network.empty()) return fail(BrskiError::bad_option, "the target network has no name");
  if (!options.store) return fail(BrskiError::bad_option, "the registrar has no store");
  auto impl = std::make_unique<Impl>(std::move(executor), std::move(options), admission, registry, clock);
  CAHN_CHECK(impl->open());
  return std::unique_ptr<Registrar>(new Registrar(std::move(impl)));
}

Registrar::Registrar(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registrar::~Registrar() = default;

void Registrar::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  on_post(router, path_request_voucher, max_voucher_request, impl, &Impl::request_voucher);
  on_post(router, path_voucher_status, max_report, impl, &Impl::voucher_status);
  on_post(router, path_enrol_status, max_report, impl, &Impl::enrol_status);
}

std::string Registrar::Impl::name_of(const crypto::Certificate& certificate) const {
  return options.name_of_key(certificate.public_key());
}

void Registrar::Impl::tell(std::string_view id, const Progress& progress, bool is_alarming) const {
  if (!is_alarming) return brski::tell(id, progress, options.on_progress);
  log::write(log::Level::warning, id, progress.what,
             {{"stage", std::string(progress.stage)}, {"serial", printable(progress.serial_number)}});
  if (options.on_progress) options.on_progress(progress);
}

// The identity whose certificate this TLS session showed: the pledge names it, so its key must sign (decision 14).
const crypto::TlsIdentity* Registrar::Impl::identity_shown(const std::optional<crypto::Certificate>& own_leaf) const {
  const auto shown = [&](const crypto::TlsIdentity& one) { return own_leaf && one.chain.front() == *own_leaf; };
  if (shown(options.identity)) return &options.identity;
  const auto other = std::ranges::find_if(options.other_identities, shown);
  return other == options.other_identities.end() ? nullptr : &*other;
}

bool Registrar::Impl::has_joined(const crypto::Certificate& idevid) const {
  const auto record = registry.by_idevid(idevid);
  return record && std::ranges::any_of(record->ldevids, [&](const crypto::Certificate& ldevid) {
           return ldevid.valid_at(clock.now()) && !options.revocation(ldevid.serial_hex());
         });
}

Result<Registrar::Impl::VoucherRequest> Registrar::Impl::receive(const net::HttpRequest& request,
                                                                 const net::Session& session) const {
  const auto began = steady_clock::now();
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != voucher::media_type_cms) {
    return fail(BrskiError::unsupported_media_type, "a voucher-request is application/voucher-cms+json");
  }
  auto known = current_makers();
  auto identified = identify_device(session.peer_chain, known->list, clock.now());
  // What cannot be read is said first, to strangers too; how a maker's devices write is known of those alone.
  const Compat compat = identified ? known->list[identified->manufacturer].compat : Compat::strict;
  CAHN_TRY(voucher::SignedVoucher signed_request, read_pledge_request(request.body, compat));
  if (!identified) return std::unexpected(identified.error());
  KnownDevice device = *std::move(identified);
  CAHN_CHECK(check_pledge_request(signed_request, device, session.own_leaf));
  const crypto::TlsIdentity* identity = identity_shown(session.own_leaf);
  if (!identity) return fail(BrskiError::unavailable, "the registrar cannot sign for the certificate it shows here");
  std::string digest = hex(crypto::sha256(signed_request.cms));
  std::string id = id_of(device.idevid);
  const bool joined = has_joined(device.idevid);
  std::string accept = request.headers.get("Accept").value_or("");
  if (accept.size() > max_accept) return fail(BrskiError::unreadable_request, "the Accept header is too long");
  return VoucherRequest{std::move(known),
                        std::move(device),
                        std::move(signed_request),
                        session.peer_chain,
                        identity,
                        std::move(id),
                        std::move(digest),
                        printable(accept, max_accept),
                        joined,
                        began};
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
  const auto accepted = std::make_shared<const VoucherRequest>(*std::move(received));
  Answered<net::HttpResponse> answer = co_await obtain(accepted);
  voucher_seconds.observe(std::chrono::duration<double>(since(accepted->began)).count());
  if (answer) {
    vouchers_delivered.add();
    co_return *std::move(answer);
  }
  const int status = answer.error().status;
  (status == 202 ? vouchers_delayed : status < 500 ? vouchers_refused : vouchers_failed).add();
  co_return std::move(answer).error();
}

// C.3 to C.8, policy first: nothing leaves for a manufacturer that policy has not let through.
net::awaitable<Answered<net::HttpResponse>> Registrar::Impl::obtain(Pending request) {
  const KnownDevice& device = request->device;
  if (request->has_joined) {  // RFC 8995 11.4
    tell("BRSKI_UNEXPECTED_BOOTSTRAP",
         {"C.3", device.serial_number, "A device that has joined asks for a voucher anew; its audit log is looked at."},
         alarming);
  }
  admission::AdmissionEvidence received = evidence(PolicyPoint::registrar_receives, device);
  received.assertion = request->signed_request.voucher.assertion;
  received.owner = options.domain_ca.back();
  Subject subject{request->id, request->digest, request->manufacturer().name,
                  request->manufacturer().operator_approves};
  CAHN_CO_CHECK(co_await ask_policy(std::move(received), "C.3", std::move(subject)));
  tell("BRSKI_REQUEST_ACCEPTED",
       {"C.3", device.serial_number, "The voucher-request speaks for this device, and policy lets it pass.",
        device.idevid.subject_text(), true, since(request->began)});
  CAHN_CO_TRY(Obtained obtained, co_await find_voucher(request));
  CAHN_CO_CHECK(co_await check_history(request, &obtained));
  // RFC 8995 5.6: the MASA's bytes, unchanged.
  net::HttpResponse answer = net::HttpResponse::of(200, obtained.exchange.media_type, obtained.exchange.answer);
  CAHN_CO_CHECK(co_await return_voucher(request, std::move(obtained)));
  co_return answer;
}

net::awaitable<Answered<Registrar::Impl::Obtained>> Registrar::Impl::find_voucher(Pending request) {
  if (auto earlier = earlier_answer(*request)) co_return *std::move(earlier);
  std::optional<Obtained> stored = stored_voucher(*request);
  if (stored && request->manufacturer().offline_first) co_return *std::move(stored);
  Answered<Obtained> asked = co_await ask_masa(request);
  // Not a refusal, but no answer: what was fetched for this day is used.
  if (!asked && asked.error().status >= 500 && stored) co_return *std::move(stored);
  co_return asked;
}

// RFC 8995 5.6: the answer to this very request, while it is fresh.
std::optional<Registrar::Impl::Obtained> Registrar::Impl::earlier_answer(const VoucherRequest& request) const {
  const auto known = records->onboarding(request.id);
  if (!known || known->request_digest != request.digest || known->offline) return std::nullopt;
  if (clock.now() >= known->delivered_at + options.reuse_answers_for) return std::nullopt;
  auto exchange = records->exchange(request.id);
  if (!exchange || !*exchange || (*exchange)->media_type != voucher::media_type_cms) return std::nullopt;
  auto voucher = check_returned_voucher((*exchange)->answer, expectation(request), clock.now());
  if (!voucher) return std::nullopt;
  return Obtained{**std::move(exchange), *std::move(voucher), Obtained::From::earlier_answer, known->audit};
}

net::awaitable<Answered<void>> Registrar::Impl::return_voucher(Pending request, Obtained obtained) {
  const KnownDevice& device = request->device;
  admission::AdmissionEvidence returning = evidence(PolicyPoint::registrar_returns, device);
  if (obtained.voucher) {
    returning.assertion = obtained.voucher->voucher.assertion;
    returning.owner = obtained.voucher->voucher.pinned_domain_cert;
  }
  if (obtained.audit) returning.audit_log = obtained.audit->verdict;
  Subject subject{request->id, request->digest, request->manufacturer().name, false};
  CAHN_CO_CHECK(co_await ask_policy(std::move(returning), "C.8", std::move(subject)));
  if (obtained.from != Obtained::From::earlier_answer) {
    std::string name = name_of(device.idevid);
    std::string maker = name_of(device.issuer);
    // Durable before the voucher leaves: a device that has one is never unknown here after a crash.
    auto recorded = co_await registry.record_voucher(std::move(name), std::move(maker), device.idevid, clock.now());
    Onboarding onboarding{request->id, device.serial_number, request->manufacturer().name,           request->digest,
                          clock.now(), std::nullopt,         obtained.from == Obtained::From::store, obtained.audit};
    if (recorded) recorded = co_await records->delivered(std::move(onboarding), std::move(obtained.exchange));
    if (!recorded) {
      tell("BRSKI_NOT_RECORDED", {"C.8", device.serial_number, recorded.error().message, {}, false});
      co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot record the voucher at the moment"));
    }
  }
  std::string id = request->id;
  if (auto settled = co_await pending->decided(std::move(id)); !settled) {
    log::warning("BRSKI_PENDING_NOT_KEPT", settled.error().message, {{"serial", printable(device.serial_number)}});
  }
  constexpr std::string_view told[] = {"The voucher is for this device and pins this domain; returned it.",
                                       "Returned the voucher of the same request again.",
                                       "Returned the voucher that was stored for this device."};
  tell("BRSKI_VOUCHER_RETURNED",
       {"C.9", device.serial_number, std::string(told[static_cast<std::size_t>(obtained.from)]),
        obtained.voucher ? obtained.voucher->signer.subject_text() : "", true, since(request->began)});
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

// Policy decides; where it cannot yet, an operator may. An operator's rejection stands above both.
net::awaitable<Answered<void>> Registrar::Impl::ask_policy(admission::AdmissionEvidence about, std::string stage,
                                                           Subject subject) {
  const std::string serial = about.serial_number;
  const auto began = steady_clock::now();
  // The reason is the operator's; the device learns only that it is so (admission.h).
  const auto refused = net::HttpResponse::text(403, "this registrar does not admit this device");
  const auto word = pending->word(subject.id, clock.now());
  if (word == PendingDevices::Word::rejected) {
    tell("BRSKI_OPERATOR_REJECTED", {stage, serial, "An operator has rejected this device.", {}, false});
    co_return std::unexpected(refused);
  }
  const auto answer = co_await admission.decide(std::move(about));
  if (!answer) {  // an error is never a permit
    tell("BRSKI_POLICY_FAILED",
         {stage, serial, "Policy cannot answer: " + answer.error().message, {}, false, since(began)});
    co_return std::unexpected(net::HttpResponse::text(503, "the registrar cannot decide at the moment"));
  }
  if (answer->verdict == AdmissionAnswer::Verdict::deny) {
    tell("BRSKI_POLICY_DENIED", {stage, serial, "Policy denies: " + answer->reason, {}, false, since(began)});
    std::string id = subject.id;
    (void)co_await pending->decided(std::move(id));  // a list that is out of date does no harm
    co_return std::unexpected(refused);
  }
  const bool later = answer->verdict == AdmissionAnswer::Verdict::later;
  const bool approved = word == PendingDevices::Word::approved;
  if (approved || (!later && !subject.operator_approves)) co_return Answered<void>{};
  const std::string why = later ? answer->reason : "devices of this maker need an operator's approval";
  const auto again = later ? answer->retry_after : operator_retry;
  co_return std::unexpected(co_await let_wait(serial, stage, std::move(subject), why, again));
}

net::awaitable<net::HttpResponse> Registrar::Impl::let_wait(std::string serial, std::string stage, Subject subject,
                                                            std::string reason, std::chrono::seconds retry_after) {
  PendingDevice device;
  device.id = std::move(subject.id);
  device.serial_number = serial;
  device.manufacturer = std::move(subject.manufacturer);
  device.request_digest = std::move(subject.digest);
  device.undecided = reason;
  auto waits = co_await pending->wait(std::move(device), clock.now());
  if (waits) {
    tell("BRSKI_POLICY_UNDECIDED", {stage, serial, "Not decided yet: " + reason, {}, false});
    co_return come_back_later(retry_after);
  }
  tell("BRSKI_NOT_DECIDED_IN_TIME", {stage, serial, waits.error().message, {}, false});
  co_return refusal(waits.error());
}

}  // namespace cahn::brski
