// A registrar with a domain of its own that does as a test tells it, and a MASA in its pocket.

#pragma once

#include <mutex>

#include "crypto/cms.h"
#include "crypto/csr.h"
#include "requests.h"
#include "revocation_evidence.h"

namespace cahn::test {

// What came over which connection.
struct Seen {
  std::string path;
  std::uint64_t session = 0;
  std::optional<crypto::Certificate> client;
  net::HttpRequest request;
};

class FalseRegistrar {
 public:
  using VoucherAnswer = std::function<net::HttpResponse(const voucher::SignedVoucher&)>;
  using Answer = std::function<std::optional<net::HttpResponse>(const net::HttpRequest&)>;
  using Issue = std::function<void(crypto::CertificateSpec&, Party& ca)>;

  explicit FalseRegistrar(net::Runtime& runtime, const Maker& maker)
      : maker_(maker), domain_(make_ca("False domain")), identity_(registrar_identity()) {
    net::Router router;
    const auto route = [&](const char* method, std::string_view path, auto member) {
      router.on(method, std::string(path), [this, member](net::HttpRequest request, const net::Session& session) {
        note(request, session);
        return answer_with((this->*member)(request));
      });
    };
    route("POST", brski::path_request_voucher, &FalseRegistrar::on_voucher);
    route("POST", brski::path_voucher_status, &FalseRegistrar::on_report);
    route("POST", brski::path_enrol_status, &FalseRegistrar::on_report);
    route("GET", "/.well-known/est/cacerts", &FalseRegistrar::on_cacerts);
    route("GET", "/.well-known/est/csrattrs", &FalseRegistrar::on_csrattrs);
    route("POST", "/.well-known/est/simpleenroll", &FalseRegistrar::on_enrol);
    route("POST", "/.well-known/est/simplereenroll", &FalseRegistrar::on_enrol);
    site_.emplace(runtime, identity_, std::move(router), "false registrar");
  }

  net::Endpoint endpoint() const { return site_->endpoint(); }
  const Party& domain() const { return domain_; }
  const crypto::Certificate& certificate() const { return identity_.chain.front(); }  // until it changes it

  // New connections see another certificate of the same domain.
  void change_certificate() { site_->show(registrar_identity()); }

  // What it staples on new connections.
  void staple(crypto::StatusSource status) { site_->show(identity_, std::move(status)); }
  // What cacerts carries beside the domain's certificate.
  void carry(std::vector<crypto::Crl> lists) { carried_ = std::move(lists); }
  // How vouchers are answered; by default rightly.
  void answer_vouchers(VoucherAnswer answer) { voucher_answer_ = std::move(answer); }
  // How issued certificates differ from right ones.
  void issue_with(Issue issue) { issue_ = std::move(issue); }
  // What answers CSRs instead of a certificate, for as long as it returns something.
  void answer_enrolments(Answer answer) { enrolment_answer_ = std::move(answer); }
  // How status reports are answered; by default with an empty 200.
  void answer_reports(Answer answer) { report_answer_ = std::move(answer); }

  voucher::Voucher good_voucher(const voucher::SignedVoucher& request) const {
    voucher::Voucher voucher;
    voucher.created_on = system_clock().now();
    voucher.assertion = voucher::Assertion::proximity;
    voucher.serial_number = request.voucher.serial_number;
    voucher.nonce = request.voucher.nonce;
    voucher.pinned_domain_cert = domain_.certificate;
    return voucher;
  }
  net::HttpResponse sign(const voucher::Voucher& voucher, const Party& signer) const {
    const crypto::TlsIdentity identity{{signer.certificate, maker_.ca.certificate}, signer.key};
    return net::HttpResponse::of(200, voucher::media_type_cms, sign_as(identity, voucher, voucher::Root::voucher));
  }
  net::HttpResponse sign(const voucher::Voucher& voucher) const { return sign(voucher, maker_.masa); }

  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::vector<Seen> seen(std::string_view path) const {
    std::vector<Seen> some;
    for (Seen& s : seen()) {
      if (s.path == path) some.push_back(std::move(s));
    }
    return some;
  }

 private:
  crypto::TlsIdentity registrar_identity() const {
    const Party party = make_party(domain_, {{"CN", "false registrar"}},
                                   [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
    return {{party.certificate}, party.key};
  }
  void note(const net::HttpRequest& request, const net::Session& session) {
    const std::lock_guard lock(mutex_);
    seen_.push_back({request.path, session.id, session.peer(), request});
  }
  static net::awaitable<net::HttpResponse> answer_with(net::HttpResponse response) { co_return response; }

  net::HttpResponse on_voucher(const net::HttpRequest& request) {
    const auto opened = voucher::open(request.body, voucher::Root::voucher_request);
    if (!opened) return net::HttpResponse::text(406, opened.error().message);
    return voucher_answer_ ? voucher_answer_(*opened) : sign(good_voucher(*opened));
  }
  net::HttpResponse on_report(const net::HttpRequest& request) {
    if (report_answer_) {
      if (auto answer = report_answer_(request)) return *std::move(answer);
    }
    return net::HttpResponse::text(200, "");
  }
  net::HttpResponse on_cacerts(const net::HttpRequest&) {
    if (carried_.empty()) return certificates({domain_.certificate});
    const Bytes message = with_lists(need(crypto::certs_only(std::vector{domain_.certificate})), carried_);
    return net::HttpResponse::of(200, "application/pkcs7-mime; smime-type=certs-only", as_bytes(base64(message)));
  }
  net::HttpResponse on_csrattrs(const net::HttpRequest&) { return net::HttpResponse::text(404, ""); }
  net::HttpResponse on_enrol(const net::HttpRequest& request) {
    if (enrolment_answer_) {
      if (auto answer = enrolment_answer_(request)) return *std::move(answer);
    }
    const auto csr = crypto::Csr::from_der(need(base64_decode_lenient(as_text(request.body))));
    if (!csr) return net::HttpResponse::text(400, csr.error().message);
    crypto::CertificateSpec spec;
    spec.subject = {{"CN", "false network"}, {"serialNumber", csr->subject_serial_number().value_or("")}};
    spec.key = csr->public_key();
    spec.not_before = std::chrono::floor<std::chrono::seconds>(system_clock().now() - std::chrono::hours(1));
    spec.not_after = spec.not_before + std::chrono::days(1);
    Party ca = domain_;
    if (issue_) issue_(spec, ca);
    return certificates({need(crypto::issue_certificate(spec, *ca.key, &ca.certificate))});
  }
  static net::HttpResponse certificates(const std::vector<crypto::Certificate>& list) {
    return net::HttpResponse::of(200, "application/pkcs7-mime; smime-type=certs-only",
                                 as_bytes(base64(need(crypto::certs_only(list)))));
  }

  const Maker& maker_;
  Party domain_;
  crypto::TlsIdentity identity_;
  std::vector<crypto::Crl> carried_;
  VoucherAnswer voucher_answer_;
  Issue issue_;
  Answer enrolment_answer_, report_answer_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  std::optional<Site> site_;  // last: its server ends before what its handlers use
};

}  // namespace cahn::test
