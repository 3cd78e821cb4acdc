// A MASA of a test's own mind: a real HTTPS server that answers as it is told, and remembers what it was asked. And
// what tests of a registrar do all the time.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "crypto/csr.h"
#include "requests.h"

namespace cahn::test {

// Beside requestvoucher and requestauditlog it serves GET /prepared, as a MASA that answers 201 would.
class OwnMasa {
 public:
  using Answer = std::function<net::HttpResponse(const net::HttpRequest&)>;

  // An answer that may be changed while the server runs.
  class Told {
   public:
    void operator=(Answer answer) {
      const std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
    }
    net::HttpResponse operator()(const net::HttpRequest& request) const {
      const std::lock_guard lock(mutex_);
      return answer_(request);
    }

   private:
    mutable std::mutex mutex_;
    Answer answer_;
  };

  explicit OwnMasa(Road& road, std::optional<crypto::TlsIdentity> identity = std::nullopt) : road_(road) {
    on_voucher = [this](const net::HttpRequest& request) { return good_answer(request); };
    on_audit = [this](const net::HttpRequest&) { return log_of({own_event()}); };
    on_prepared = [](const net::HttpRequest&) { return net::HttpResponse::text(404, ""); };
    net::Router router;
    serve(router, "POST", brski::path_request_voucher, &OwnMasa::on_voucher, voucher_requests_);
    serve(router, "POST", brski::path_request_audit_log, &OwnMasa::on_audit, audit_requests_);
    serve(router, "GET", "/prepared", &OwnMasa::on_prepared, prepared_requests_);
    site_ = std::make_unique<Site>(road.runtime(), identity ? *identity : road.web_identity(), std::move(router),
                                   "own masa");
  }

  Told on_voucher, on_audit, on_prepared;

  std::string authority() const { return site_->authority(); }
  net::Endpoint endpoint() const { return site_->endpoint(); }
  void go_away() { site_.reset(); }
  std::vector<net::HttpRequest> voucher_requests() const { return seen(voucher_requests_); }
  std::vector<net::HttpRequest> audit_requests() const { return seen(audit_requests_); }
  std::vector<net::HttpRequest> prepared_requests() const { return seen(prepared_requests_); }
  // Whether the last connection showed a client certificate, and which.
  std::optional<crypto::Certificate> client() const {
    const std::lock_guard lock(mutex_);
    return client_;
  }

  Device device(const std::string& serial) const { return make_device(road_.maker(), serial, authority()); }
  voucher::Voucher good_voucher(const voucher::SignedVoucher& request) const {
    voucher::Voucher voucher;
    voucher.created_on = system_clock().now();
    voucher.assertion = request.voucher.nonce ? voucher::Assertion::proximity : voucher::Assertion::logged;
    voucher.serial_number = request.voucher.serial_number;
    voucher.nonce = request.voucher.nonce;
    if (!voucher.nonce) voucher.expires_on = system_clock().now() + std::chrono::days(30);
    voucher.pinned_domain_cert = road_.domain_ca().certificate();
    return voucher;
  }
  Bytes signed_by_masa(const voucher::Voucher& voucher) const {
    const crypto::TlsIdentity masa{{road_.maker().masa.certificate}, road_.maker().masa.key};
    return sign_as(masa, voucher, voucher::Root::voucher);
  }
  net::HttpResponse good_answer(const net::HttpRequest& request) const {
    return net::HttpResponse::of(200, voucher::media_type_cms, signed_by_masa(good_voucher(opened(request))));
  }
  static voucher::SignedVoucher opened(const net::HttpRequest& request) {
    return need(voucher::open(request.body, voucher::Root::voucher_request));
  }

  static Time day(int n) { return need(parse_rfc3339("2026-01-01T00:00:00Z")) + std::chrono::days(n); }
  brski::AuditEvent own_event(int n = 10) const {
    return {day(n), road_.domain_ca().certificate().domain_id(), "n", voucher::Assertion::proximity, 0};
  }
  static brski::AuditEvent foreign_event(int n, std::optional<std::string> nonce = "f") {
    return {day(n), Bytes(20, 0xab), std::move(nonce), voucher::Assertion::proximity, 0};
  }
  static net::HttpResponse log_of(std::vector<brski::AuditEvent> events) {
    brski::AuditLog log;
    log.events = std::move(events);
    return net::HttpResponse::json(200, brski::to_json(log));
  }

 private:
  using Requests = std::vector<net::HttpRequest>;
  void serve(net::Router& router, std::string method, std::string_view path, Told OwnMasa::* answer, Requests& seen) {
    router.on(
        std::move(method), std::string(path),
        [this, answer, &seen](net::HttpRequest request, const net::Session& session) {
          note(seen, request, session);
          return respond((this->*answer)(request));
        },
        std::size_t{256} << 10);
  }
  void note(Requests& seen, const net::HttpRequest& request, const net::Session& session) {
    const std::lock_guard lock(mutex_);
    seen.push_back(request);
    client_ = session.peer();
  }
  static net::awaitable<net::HttpResponse> respond(net::HttpResponse response) { co_return response; }
  Requests seen(const Requests& requests) const {
    const std::lock_guard lock(mutex_);
    return requests;
  }

  Road& road_;
  mutable std::mutex mutex_;
  Requests voucher_requests_, audit_requests_, prepared_requests_;
  std::optional<crypto::Certificate> client_;
  std::unique_ptr<Site> site_;
};

class RegistrarTest : public testing::Test {
 protected:
  enum class Time { passes, stands_still };  // for the registrar: then clock_ is its clock
  explicit RegistrarTest(Time time = Time::passes) : road_(options_for(time)) {}

  const crypto::Certificate& own() const { return road_.registrar_identity().chain.front(); }
  net::HttpResponse ask(const Device& device, const Bytes& body) {
    return need(request_voucher(road_, road_.registrar_endpoint(), device.idevid, body));
  }
  net::HttpResponse ask(const Device& device) { return ask(device, signed_pledge_request(device, own())); }
  net::HttpResponse report(const Device& device, std::string_view body = R"({"version":1,"status":true})") {
    return need(send(road_, road_.registrar_endpoint(), device.idevid,
                     post(brski::path_voucher_status, "application/json", as_bytes(body))));
  }
  net::HttpResponse enrol(const Device& device) {
    crypto::CsrSpec spec;
    spec.subject = {{"serialNumber", device.serial_number}};
    const auto key = need(crypto::generate_key(crypto::KeyType::p256));
    const std::string body = base64(need(crypto::make_csr(spec, *key)));
    return need(send(road_, road_.registrar_endpoint(), device.idevid,
                     post("/.well-known/est/simpleenroll", "application/pkcs10", as_bytes(body))));
  }
  static std::string id_of(const Device& device) { return hex(device.certificate().fingerprint()); }

  net::HttpResponse at_operator(net::HttpRequest request) {
    return road_.run<net::HttpResponse>([&]() { return exchange_plain(road_.operator_endpoint(), request); });
  }
  net::HttpResponse show(std::string_view path) {
    net::HttpRequest request;
    request.path = path;
    return at_operator(std::move(request));
  }
  net::HttpResponse order(std::string_view path, std::string_view json, std::string method = "POST") {
    net::HttpRequest request = post(path, "application/json", as_bytes(json));
    request.method = std::move(method);
    request.headers.set("Authorization", std::string("Bearer ") + Road::operator_token);
    return at_operator(std::move(request));
  }
  void change(const std::function<void(brski::RegistrarOptions&)>& how) {
    how(road_.registrar_options());
    road_.restart_registrar();
  }
  // The road's maker, changed in one way, as the only one there is.
  void change_maker(const std::function<void(brski::Manufacturer&)>& how) {
    brski::Manufacturer maker = road_.manufacturer(road_.maker());
    how(maker);
    need(road_.registrar().set_manufacturers({maker}));
  }

  ManualClock clock_{system_clock().now()};
  std::mutex told_mutex_;
  std::vector<std::string> told_;  // what its operator heard
  Road road_;

  bool was_told(std::string_view what) {
    const std::lock_guard lock(told_mutex_);
    return std::ranges::any_of(told_, [&](const std::string& one) { return one.find(what) != std::string::npos; });
  }

 private:
  RoadOptions options_for(Time time) {
    RoadOptions options;
    if (time == Time::stands_still) options.registrar_clock = options.masa_clock = &clock_;
    options.on_progress = [this](const brski::Progress& progress) {
      const std::lock_guard lock(told_mutex_);
      told_.push_back(progress.what);
    };
    return options;
  }
  static net::awaitable<net::HttpResponse> exchange_plain(net::Endpoint endpoint, net::HttpRequest request) {
    auto connection = co_await net::HttpConnection::open(std::move(endpoint), nullptr);
    if (!connection) throw std::runtime_error(connection.error().message);
    co_return need(co_await (*connection)->send(std::move(request)));
  }
};

inline void expect_in(std::string_view needle, const net::HttpResponse& answer) {
  EXPECT_NE(as_text(answer.body).find(needle), std::string_view::npos) << as_text(answer.body);
}

}  // namespace cahn::test
