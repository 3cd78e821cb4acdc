#include "brski/masa.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "brski/masa_format.h"
#include "brski/masa_impl.h"
#include "crypto/digest.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using admission::AdmissionAnswer;
using std::chrono::steady_clock;

// A voucher-request of a registrar holds that of the pledge in base64, and the chains of both.
constexpr std::size_t max_voucher_request = std::size_t{256} << 10;
constexpr std::size_t max_birth = std::size_t{128} << 10;
constexpr std::size_t max_release = 1024;

metrics::Counter voucher_counter(std::string_view result) {
  return {"cahn_vouchers_total",
          "Voucher-requests of pledges, by what became of them.",
          {{"role", "masa"}, {"result", result}}};
}

}  // namespace

Masa::Impl::Impl(MasaOptions options_, std::vector<Tenant> tenants_, std::shared_ptr<RevocationSources> sources_,
                 admission::Admission& admission_, store::Store& store_, const Clock& clock_)
    : options(std::move(options_)),
      tenants(std::move(tenants_)),
      admission(admission_),
      store(store_),
      clock(clock_),
      lists(std::make_shared<const std::vector<crypto::Crl>>(std::move(options.revocation_lists))),
      sources(std::move(sources_)),
      issued(voucher_counter("issued")),
      repeated(voucher_counter("repeated")),
      refused(voucher_counter("refused")),
      delayed(voucher_counter("delayed")) {}

Result<std::unique_ptr<Masa>> Masa::create(MasaOptions options, admission::Admission& admission, store::Store& store,
                                           const Clock& clock) {
  CAHN_TRY(auto tenants, make_tenants(std::move(options.tenants)));
  CAHN_TRY(auto sources, RevocationSources::create(options.revocation_lookup));
  auto impl =
      std::make_unique<Impl>(std::move(options), std::move(tenants), std::move(sources), admission, store, clock);
  return std::unique_ptr<Masa>(new Masa(std::move(impl)));
}

Masa::Masa(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Masa::~Masa() = default;

void Masa::add_routes(net::Router& router) {
  Impl* impl = impl_.get();
  on_post(router, path_request_voucher, max_voucher_request, impl, &Impl::request_voucher);
  on_post(router, path_request_audit_log, max_voucher_request, impl, &Impl::request_audit_log);
  router.on("GET", std::string(path_request_audit_log) + "/{name}",
            [impl](net::HttpRequest request, const net::Session& session) {
              return impl->prepared_audit_log(std::move(request), session);
            });
  on_post(router, path_births, max_birth, impl, &Impl::report_birth);
  on_post(router, "/sales/{tenant}", max_sales_document, impl, &Impl::tell_sales);
  on_post(router, "/owners/{serial}/release", max_release, impl, &Impl::owner_releases);
}

net::awaitable<Result<bool>> Masa::record_birth(Birth birth) { return impl_->record_birth(std::move(birth)); }

net::awaitable<Result<ImportOutcome>> Masa::import_sales(std::string tenant, std::string media_type, Bytes document) {
  const Tenant* maker = impl_->tenant_named(tenant);
  if (!maker)
    co_return fail(BrskiError::unknown_party, "no maker called '" + printable(tenant, 40) + "' is served here");
  co_return co_await impl_->import_sales(maker, std::move(media_type), std::move(document));
}

Result<AuditLog> Masa::audit_log(const crypto::Certificate& idevid) const {
  const Tenant* tenant = impl_->tenant_of(idevid);
  if (!tenant) return fail(BrskiError::unknown_party, "the IDevID is not of a CA served here");
  CAHN_TRY(const auto audit, impl_->audit_of(*tenant, device_key(idevid)));
  return audit.log();
}

void Masa::replace_revocation_lists(std::vector<crypto::Crl> lists) {
  auto fresh = std::make_shared<const std::vector<crypto::Crl>>(std::move(lists));
  const std::scoped_lock lock(impl_->lists_mutex);
  impl_->lists = std::move(fresh);
}

std::shared_ptr<const std::vector<crypto::Crl>> Masa::Impl::revocation_lists() const {
  const std::scoped_lock lock(lists_mutex);
  return lists;
}

void Masa::Impl::tell(std::string_view id, const Progress& progress) const {
  brski::tell(id, progress, options.on_progress);
}

net::HttpResponse Masa::Impl::refuse(const Error& error, std::string serial) {
  refused.add();
  tell("BRSKI_MASA_REFUSES",
       {"C.5", std::move(serial), "Refused a registrar's request: " + error.message + ".", {}, false});
  return refusal(error);
}

net::awaitable<net::HttpResponse> Masa::Impl::request_voucher(net::HttpRequest request, net::Session session) {
  const auto began = steady_clock::now();
  auto received = receive(request, session);
  if (!received) co_return refuse(received.error(), {});
  const auto checked = std::make_shared<Asked>(*std::move(received));
  if (const auto current = co_await look_up(checked); !current) {
    co_return refuse(current.error(), checked->request.serial_number);
  }
  const std::shared_ptr<const Asked> asked = checked;
  const std::string serial = asked->request.serial_number;
  const auto format = choose_format(request.headers.get("Accept"), asked->tenant->options.formats);
  if (!format) co_return refuse(format.error(), serial);
  const Time now = clock.now();
  if (const auto fresh = check_fresh(asked->request, options.max_request_age, now); !fresh) {
    co_return refuse(fresh.error(), serial);
  }
  auto grant = judge(*asked, now);
  if (!grant) co_return refuse(grant.error(), serial);
  Grant expected = *std::move(grant);
  auto no = co_await ask_policy(asked, std::move(expected));
  if (no) co_return *std::move(no);
  tell("BRSKI_MASA_ACCEPTS", {"C.5", serial, "The registrar may ask for this device of ours.",
                              asked->request.registrar.front().subject_text(), true, since(began)});

  const auto answer = co_await issue(asked, *format);
  if (!answer) co_return refuse(answer.error(), serial);
  co_return net::HttpResponse::of(200, voucher::media_type(*format), *answer);
}

net::awaitable<std::optional<net::HttpResponse>> Masa::Impl::ask_policy(std::shared_ptr<const Asked> asked,
                                                                        Grant grant) {
  const std::string serial = asked->request.serial_number;
  admission::AdmissionEvidence about{.point = admission::PolicyPoint::masa_receives,
                                     .idevid = asked->birth.idevid,
                                     .manufacturer = asked->issuer,
                                     .serial_number = serial,
                                     .assertion = grant.assertion,
                                     .masa_url = asked->birth.idevid.masa_url(),
                                     .owner = grant.pin,
                                     .network = {}};
  const auto answer = co_await admission.decide(std::move(about));
  if (!answer) {
    tell("BRSKI_POLICY_FAILED", {"C.5", serial, "Policy cannot answer: " + answer.error().message, {}, false});
    co_return refuse({BrskiError::unavailable, "the MASA cannot decide at the moment"}, serial);
  }
  if (answer->verdict == AdmissionAnswer::Verdict::permit) co_return std::nullopt;
  const bool later = answer->verdict == AdmissionAnswer::Verdict::later;
  tell(later ? "BRSKI_POLICY_UNDECIDED" : "BRSKI_POLICY_DENIED",
       {"C.5", serial, (later ? "Not decided yet: " : "Policy denies: ") + answer->reason, {}, false});
  if (later) {
    delayed.add();
    co_return come_back_later(answer->retry_after);
  }
  refused.add();
  co_return net::HttpResponse::text(403, "the device is not to be owned by this domain");
}

namespace {

Time whole_seconds(Time time) { return std::chrono::floor<std::chrono::seconds>(time); }

// RFC 8995 5.6: before the earliest of the voucher's own lifetime and the ends of all that it rests on.
Time expiry_of(const Asked& asked, const Grant& grant, Time now) {
  Time first_end = std::min(asked.request.registrar.front().not_after(), grant.pin.not_after());
  if (asked.lists_end) first_end = std::min(first_end, *asked.lists_end);
  if (grant.ownership_ends) first_end = std::min(first_end, *grant.ownership_ends);
  return whole_seconds(std::min(now + asked.tenant->options.nonceless_lifetime, first_end - std::chrono::seconds(1)));
}

// Two requests of one name may have one answer: their octets are the same, and so is all that the voucher would say.
std::string answer_name(const Asked& asked, const Grant& grant, voucher::Format format) {
  Bytes all = to_bytes(voucher::media_type(format));
  for (const Bytes& part : {asked.tenant->options.signer.front().fingerprint(), grant.pin.fingerprint(), asked.body}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return std::string(voucher::to_text(grant.assertion)) + ":" + hex(crypto::sha256(all));
}

}  // namespace

Result<Bytes> Masa::Impl::make_voucher(const Asked& asked, const Grant& grant, voucher::Format format, Time now) const {
  VoucherTerms terms{.assertion = grant.assertion,
                     .pin = grant.pin,
                     .idevid = asked.birth.idevid,
                     .revocation_checks = asked.tenant->options.domain_cert_revocation_checks};
  if (!asked.request.nonce) {
    terms.expires_on = expiry_of(asked, grant, now);
    if (*terms.expires_on <= now) {
      return fail(BrskiError::forbidden, "the registrar's certificate, or the ownership, ends too soon for a voucher");
    }
    // RFC 8366 5.3: until when we expect to renew it.
    terms.last_renewal = whole_seconds(std::min(grant.pin.not_after(), grant.ownership_ends.value_or(Time::max())));
  }
  const MasaTenant& maker = asked.tenant->options;
  const auto content = voucher_for(asked.request, terms, now);
  auto voucher = voucher::sign(content, voucher::Root::voucher, maker.signer.front(), *maker.key,
                               std::span(maker.signer).subspan(1), format);
  if (voucher) return voucher;
  log::error("BRSKI_VOUCHER_NOT_SIGNED", voucher.error().message, {{"tenant", maker.name}});
  return fail(BrskiError::unavailable, "the voucher cannot be signed at the moment");
}

net::awaitable<Result<Bytes>> Masa::Impl::issue(std::shared_ptr<const Asked> asked, voucher::Format format) {
  const auto began = steady_clock::now();
  std::vector<std::string> names = {asked->tenant->turn(asked->request.serial_number)};
  const auto turn = co_await turns.take(std::move(names));
  const Time now = clock.now();
  // Once more: a sale, a release or another domain may have come in between.
  CAHN_CO_TRY(Grant judged, judge(*asked, now));
  const auto grant = std::make_shared<const Grant>(std::move(judged));
  std::string name = answer_name(*asked, *grant, format);
  CAHN_CO_TRY(auto earlier, repeated_answer(*asked, name, now));
  if (earlier) {
    repeated.add();
    tell("BRSKI_ANSWER_REPEATED",
         {"C.6", asked->request.serial_number, "Answered the same request once more with the voucher it had.",
          asked->tenant->options.signer.front().subject_text(), true, since(began)});
    co_return *std::move(earlier);
  }
  CAHN_CO_TRY(Bytes signed_voucher, make_voucher(*asked, *grant, format, now));
  // RFC 8995 5.6: every voucher that leaves is in the audit log first.
  Bytes logged_bytes = signed_voucher;
  auto logged = co_await record_voucher(asked, grant, std::move(logged_bytes), std::move(name), now);
  if (!logged) {
    log::error("BRSKI_AUDIT_LOG_FAILED", logged.error().message, {{"serial", printable(asked->request.serial_number)}});
    co_return fail(BrskiError::unavailable, "the audit log cannot be written at the moment");
  }
  issued.add();
  tell("BRSKI_VOUCHER_ISSUED",
       {"C.6", asked->request.serial_number, "Logged and signed a voucher that pins " + grant->pin.subject_text() + ".",
        asked->tenant->options.signer.front().subject_text(), true, since(began)});
  co_return signed_voucher;
}

Result<std::optional<Bytes>> Masa::Impl::repeated_answer(const Asked& asked, std::string_view answer_name,
                                                         Time now) const {
  const auto value = store.get(asked.tenant->answers, device_key(asked.birth.idevid));
  if (!value) return fail(BrskiError::unavailable, "the last answer cannot be read at the moment");
  if (!*value) return std::optional<Bytes>();
  const auto known = nlohmann::json::parse(as_text(**value), nullptr, false);
  if (!known.is_object() || known.value("request", "") != answer_name) return std::optional<Bytes>();
  auto voucher = base64_decode(known.value("voucher", ""));
  if (!voucher) return std::optional<Bytes>();
  if (const std::string expires = known.value("expires", ""); !expires.empty()) {
    const auto end = parse_rfc3339(expires);
    if (!end || *end <= now) return std::optional<Bytes>();  // RFC 8995 5.5.1: to be renewed
  }
  return std::optional(*std::move(voucher));
}

net::awaitable<Result<void>> Masa::Impl::record_voucher(std::shared_ptr<const Asked> asked,
                                                        std::shared_ptr<const Grant> grant, Bytes signed_voucher,
                                                        std::string answer_name, Time now) {
  const Tenant& tenant = *asked->tenant;
  const std::string device = device_key(asked->birth.idevid);
  store::Batch batch;
  CAHN_CO_TRY(auto audit, read_audit(store, tenant.audit, device));
  AuditEvent event{
      .date = now, .domain_id = grant->pin.domain_id(), .nonce = asked->request.nonce, .assertion = grant->assertion};
  const std::size_t cut =
      append_entry(batch, tenant.audit, audit, std::move(event), grant->pin, tenant.options.max_audit_entries);
  nlohmann::json answer = {{"request", std::move(answer_name)}, {"voucher", base64(signed_voucher)}};
  if (!asked->request.nonce) answer["expires"] = rfc3339(expiry_of(*asked, *grant, now));
  batch.puts.push_back({tenant.answers, device, to_bytes(answer.dump())});
  if (grant->comes_first) {
    CAHN_CO_TRY(auto book, book_of(tenant, asked->request.serial_number));
    OwnershipRecord first{.owner = Domain::of(asked->request.registrar.back()),
                          .issuer = hex(asked->birth.idevid.authority_key_identifier().value_or(Bytes{})),
                          .since = now,
                          .source = OwnershipRecord::Source::first_come};
    CAHN_CO_CHECK(add_record(book, std::move(first)));
    batch.puts.push_back({tenant.owners, hex(as_bytes(asked->request.serial_number)), to_bytes(to_json(book))});
  }
  batch.events.push_back({"voucher_issued", std::move(signed_voucher)});
  auto done = co_await store::commit(store, std::move(batch));
  if (!done) co_return fail(done.error());
  if (cut > 0) {
    log::warning("BRSKI_AUDIT_LOG_CUT", "More domains than the audit log keeps have had vouchers for a device.",
                 {{"serial", printable(asked->request.serial_number)}, {"removed", std::to_string(audit.arbitrary)}});
  }
  if (grant->comes_first) {
    tell("BRSKI_OWNER_CAME_FIRST", {"C.6", asked->request.serial_number, "The first domain to come is now the owner.",
                                    asked->request.registrar.back().subject_text()});
  }
  co_return Result<void>{};
}

// RFC 8995 5.8: the log goes to whoever is or was an owner, and to nobody else.
net::awaitable<net::HttpResponse> Masa::Impl::request_audit_log(net::HttpRequest request, net::Session session) {
  auto received = receive(request, session);
  if (!received) co_return refuse(received.error(), {});
  const auto asked = std::make_shared<Asked>(*std::move(received));
  const std::string serial = asked->request.serial_number;
  if (const auto current = co_await look_up(asked); !current) co_return refuse(current.error(), serial);
  const auto audit = audit_of(*asked->tenant, device_key(asked->birth.idevid));
  if (!audit) co_return refuse(audit.error(), serial);
  const auto owner = ever_owned(*asked, *audit, clock.now());
  if (!owner) co_return refuse(owner.error(), serial);
  if (!*owner) {
    co_return refuse({BrskiError::unknown_party, "this domain never was an owner of such a device"}, serial);
  }
  if (audit->entries.empty()) {  // RFC 8995 figure 17: a log has an event at least
    co_return refuse({BrskiError::unknown_party, "no voucher has been issued for this device yet"}, serial);
  }
  std::string log = to_json(audit->log());
  const std::string name = prepared.keep(
      {.device = device_key(asked->birth.idevid), .domain = asked->request.registrar.back(), .log = log}, clock.now());
  auto answer = options.audit_answer == AuditAnswer::location ? net::HttpResponse::text(201, "")
                                                              : net::HttpResponse::json(200, log);
  answer.headers.set("Location", std::string(path_request_audit_log) + "/" + name);
  co_return answer;
}

// RFC 8995 5.8: the name is a secret, which nobody else was told. Who shows a certificate must show one of the domain
// that asked.
net::awaitable<net::HttpResponse> Masa::Impl::prepared_audit_log(net::HttpRequest request, net::Session session) {
  const Time now = clock.now();
  const auto found = prepared.find(request.parameters["name"], now);
  const auto is_of = [&](const crypto::Certificate& domain) {
    return session.peer_chain.front() == domain ||
           crypto::verify_chain(session.peer_chain.front(), session.peer_chain, crypto::TrustStore({domain}), now);
  };
  if (!found || (!session.peer_chain.empty() && !is_of(found->domain))) {
    co_return refuse({BrskiError::unknown_party, "no audit log is prepared under this name"}, {});
  }
  auto answer = net::HttpResponse::json(200, found->log);
  answer.headers.set("Cache-Control", "private, max-age=60");
  co_return answer;
}

}  // namespace cahn::brski
