// What devices report, and what their makers' audit logs say (RFC 8995 5.7, 5.8, 5.9.4).

#include <algorithm>

#include "base/log.h"
#include "brski/registrar_impl.h"

namespace cahn::brski {
namespace {

using Standing = admission::AuditVerdict::Standing;

constexpr std::uint64_t known_version = 1;

}  // namespace

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
  const bool newer = report->version > known_version;
  log::write(report->status && !newer ? log::Level::info : log::Level::warning,
             kind == "voucher_status" ? "BRSKI_VOUCHER_STATUS" : "BRSKI_ENROL_STATUS", "A device reports.",
             {{"serial", printable(serial)},
              {"peer", session.peer_address},
              {"status", report->status ? "true" : "false"},
              {"version", std::to_string(report->version)},
              {"reason", printable(report->reason)},
              {"certificate", std::string(shown_certificate)},
              {"report", printable(as_text(request.body), 1000)}});
  if (newer) {  // RFC 8995 5.7: for a human's eyes
    tell("BRSKI_REPORT_OF_NEWER_VERSION",
         {kind == "voucher_status" ? "C.10" : "D.7", serial,
          "A device reports in version " + std::to_string(report->version) +
              ", which is not known here: " + printable(as_text(request.body), 1000)},
         alarming);
  }
  if (options.on_progress) {
    Progress progress{kind == "voucher_status" ? "C.10" : "D.7", serial, {}};
    progress.what = "The device reports " + std::string(kind) + (report->status ? ": accepted" : ": refused") + "." +
                    (report->reason.empty() ? "" : " " + printable(report->reason)) +
                    " Its certificate: " + std::string(shown_certificate) + ".";
    progress.done = report->status;
    options.on_progress(progress);
  }
  store::Batch batch;
  batch.events.push_back({std::string(kind), request.body});
  options.store->commit(std::move(batch), [](Result<store::Committed> done) {
    if (!done) log::warning("BRSKI_REPORT_NOT_KEPT", done.error().message);
  });
  return net::HttpResponse::text(200, "");
}

net::awaitable<net::HttpResponse> Registrar::Impl::voucher_status(net::HttpRequest request, net::Session session) {
  const bool known = !session.peer_chain.empty() && registry.by_idevid(session.peer_chain.front()).has_value();
  net::HttpResponse answer =
      keep_report("voucher_status", request, session, known ? "IDevID of a known device" : "unknown");
  if (answer.status != 200 || !known) co_return answer;
  const std::string id = id_of(session.peer_chain.front());
  auto onboarding = records->onboarding(id);
  if (!onboarding) co_return answer;
  std::string reporting = id;
  if (auto kept = co_await records->reported(std::move(reporting), clock.now()); !kept) {
    log::warning("BRSKI_REPORT_NOT_KEPT", kept.error().message);
  }
  // RFC 8995 5.8: now the log is asked for, once for a voucher. The device waits for its answer meanwhile, and enrols
  // when this is done.
  const bool there = onboarding->audit && onboarding->audit->verdict.standing != Standing::unavailable;
  if (options.audit.timing != AuditTiming::never && !there) (void)co_await audit_again(*std::move(onboarding));
  co_return answer;
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

// RFC 8995 5.8.2: the registrar must recognise itself, whatever of its chain the MASA pinned.
std::vector<Bytes> Registrar::Impl::own_domains(const Exchange& exchange) const {
  std::vector<Bytes> own;
  const auto add = [&](const crypto::Certificate& one) { own.push_back(one.domain_id()); };
  std::ranges::for_each(options.identity.chain, add);
  for (const crypto::TlsIdentity& other : options.other_identities) std::ranges::for_each(other.chain, add);
  std::ranges::for_each(options.domain_ca, add);
  if (!exchange.pinned_domain.empty()) own.push_back(exchange.pinned_domain);
  return own;
}

net::awaitable<AuditFinding> Registrar::Impl::audit(MasaLink link, Exchange exchange, std::string serial) {
  const auto masa = parse_masa_address(exchange.masa);
  if (!masa) co_return finding_without_log(masa.error(), clock.now());
  Bytes own_request = exchange.own_request;
  const auto log = co_await fetch_audit_log(std::move(link), *masa, std::move(own_request));
  AuditFinding finding = log ? judge_audit_log(*log, options.audit, own_domains(exchange), clock.now())
                             : finding_without_log(log.error(), clock.now());
  const std::string what = "The audit log of " + masa->text() + " is " +
                           std::string(admission::to_text(finding.verdict.standing)) + ": " + finding.verdict.reason +
                           ".";
  const bool clean = finding.verdict.standing == Standing::clean;
  tell(clean ? "BRSKI_AUDIT_LOG_CLEAN" : "BRSKI_AUDIT_LOG_ALARMS", {"C.10", serial, what, {}, clean});
  co_return finding;
}

net::awaitable<AuditFinding> Registrar::Impl::audit_again(Onboarding onboarding) {
  const auto exchange = records->exchange(onboarding.id);
  if (!exchange || !*exchange) {
    co_return finding_without_log({BrskiError::bad_report, "the exchange with the MASA is not kept here"}, clock.now());
  }
  const auto known = current_makers();
  const auto device = identify_device((*exchange)->client, known->list, clock.now());
  if (!device) {
    co_return finding_without_log({BrskiError::bad_report, "its maker is not dealt with any more"}, clock.now());
  }
  Exchange of = **exchange;
  MasaLink link = known->links[device->manufacturer];
  AuditFinding finding = co_await audit(std::move(link), std::move(of), onboarding.serial_number);
  AuditFinding kept = finding;
  auto stored = co_await records->found(onboarding.id, onboarding.request_digest, std::move(kept));
  if (!stored) log::warning("BRSKI_FINDING_NOT_KEPT", stored.error().message);
  const auto now_known = records->onboarding(onboarding.id);
  co_return now_known && now_known->audit ? *now_known->audit : finding;
}

// Before the voucher leaves: where the policy wants it so, and for a device that should have no need of one.
net::awaitable<Answered<void>> Registrar::Impl::check_history(Pending request, Obtained* obtained) {
  const bool wanted = options.audit.timing == AuditTiming::before_delivery || request->has_joined;
  const bool alarms = obtained->audit && obtained->audit->verdict.standing == Standing::unexpected;
  if (!wanted && !alarms) co_return Answered<void>{};
  const auto known = records->onboarding(request->id);
  if (!obtained->audit) {
    MasaLink link = request->link();
    Exchange exchange = obtained->exchange;
    obtained->audit = co_await audit(std::move(link), std::move(exchange), request->device.serial_number);
  }
  // An operator's word about this past, or about this device, stands.
  const bool same_past = known && known->audit && known->audit->digest == obtained->audit->digest;
  if (same_past && known->audit->verdict.accepted) obtained->audit->verdict.accepted = true;
  if (pending->word(request->id, clock.now()) == PendingDevices::Word::approved) {
    obtained->audit->verdict.accepted = true;
  }
  const auto permitted = permits(options.audit, *obtained->audit);
  if (permitted) co_return Answered<void>{};
  tell("BRSKI_HISTORY_REFUSED", {"C.8", request->device.serial_number, permitted.error().message + ".", {}, false});
  if (permitted.error().code == BrskiError::not_yet) {
    co_return std::unexpected(come_back_later(std::chrono::seconds(10)));
  }
  PendingDevice refused;
  refused.id = request->id;
  refused.serial_number = request->device.serial_number;
  refused.manufacturer = request->manufacturer().name;
  refused.request_digest = request->digest;
  refused.undecided = permitted.error().message;
  (void)co_await pending->wait(std::move(refused), clock.now());  // an operator may still approve it
  co_return std::unexpected(net::HttpResponse::text(406, "this registrar does not take this device"));
}

net::awaitable<void> Registrar::Impl::look_after_silent_devices() {
  if (options.audit.timing == AuditTiming::never) co_return;
  const Time late = clock.now() - options.status_within;
  for (Onboarding& one : records->all()) {
    if (one.reported_at || one.audit || one.delivered_at > late) continue;
    tell("BRSKI_DEVICE_SILENT",
         {"C.10", one.serial_number, "The device has not told what became of its voucher; its audit log is looked at."},
         alarming);
    (void)co_await audit_again(std::move(one));
  }
}

net::awaitable<void> Registrar::look_after_silent_devices() { return impl_->look_after_silent_devices(); }

}  // namespace cahn::brski
