// A MASA, a device of its maker, and registrars of several domains, as the MASA's tests want them.

#pragma once

#include <gtest/gtest.h>

#include "brski/masa.h"
#include "brski/masa_ownership.h"
#include "requests.h"

namespace cahn::test {

// A domain that the MASA has never seen: its CA, and a registrar.
struct TestDomain {
  Party ca, registrar;

  static TestDomain make(const std::string& name, const std::function<void(crypto::CertificateSpec&)>& change = {}) {
    return under(make_ca(name), change);
  }
  static TestDomain under(const Party& ca, const std::function<void(crypto::CertificateSpec&)>& change = {}) {
    return {ca, make_party(ca, {{"CN", "registrar of " + ca.certificate.subject_text()}}, [&](auto& spec) {
              spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)};
              if (change) change(spec);
            })};
  }
  // Another registrar of the domain.
  TestDomain another() const { return under(ca); }
  crypto::TlsIdentity identity() const { return {{registrar.certificate, ca.certificate}, registrar.key}; }
  crypto::TlsIdentity end_entity() const { return {{registrar.certificate}, registrar.key}; }
  std::string owner() const { return "certificate:" + base64(ca.certificate.der()); }
};

class MasaTest : public testing::Test {
 protected:
  explicit MasaTest(RoadOptions options = {}) : road_(std::move(options)) {}

  static RoadOptions with(const std::function<void(brski::MasaTenant&)>& change, const Clock* clock = nullptr) {
    RoadOptions options;
    options.change_masa = [change](brski::MasaOptions& masa) { change(masa.tenants.front()); };
    if (clock) options.masa_clock = clock;
    return options;
  }

  // What a registrar of `identity` posts for a device it has met.
  static Bytes request_of(const crypto::TlsIdentity& identity, const Device& device, const Change& own = {}) {
    voucher::Voucher prior = pledge_request(device, identity.chain.front());
    const std::string nonce = *prior.nonce;
    const Bytes signed_prior = sign_as(device.idevid, prior, voucher::Root::voucher_request);
    return signed_registrar_request(identity, device, signed_prior, nonce, own);
  }
  // What it posts for one that it only knows by its label.
  static Bytes nonceless_request_of(const crypto::TlsIdentity& identity, const Device& device,
                                    const Change& own = {}) {
    voucher::Voucher request;
    request.created_on = system_clock().now();
    request.serial_number = device.serial_number;
    request.idevid_issuer = device.certificate().authority_key_identifier_der();
    if (own) own(request);
    return sign_as(identity, request, voucher::Root::voucher_request);
  }

  net::HttpResponse post_as(std::optional<crypto::TlsIdentity> client, std::string_view path, std::string_view type,
                            ByteView body) {
    return need(send(road_, road_.masa_endpoint(), std::move(client), post(path, type, body)));
  }
  net::HttpResponse ask(const Bytes& body, std::optional<crypto::TlsIdentity> client = std::nullopt) {
    return post_as(std::move(client), brski::path_request_voucher, voucher::media_type_cms, body);
  }
  net::HttpResponse ask_of(const TestDomain& domain) { return ask(request_of(domain.identity(), device_)); }
  net::HttpResponse audit(const Bytes& body) {
    return post_as(std::nullopt, brski::path_request_audit_log, voucher::media_type_cms, body);
  }
  static voucher::Voucher voucher_in(const net::HttpResponse& answer) {
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
    return need(voucher::open(answer.body, voucher::Root::voucher)).voucher;
  }
  brski::AuditLog log() const { return need(road_.masa().audit_log(device_.certificate())); }

  static void expect_refused(const net::HttpResponse& answer, int status, std::string_view naming) {
    EXPECT_EQ(answer.status, status) << as_text(answer.body);
    EXPECT_EQ(answer.headers.get("Content-Type"), "text/plain; charset=utf-8");  // RFC 8995 5.6
    EXPECT_NE(as_text(answer.body).find(naming), std::string_view::npos) << as_text(answer.body);
  }

  Result<brski::ImportOutcome> import_csv(const std::string& text, const std::string& tenant = "default") {
    return road_.run<Result<brski::ImportOutcome>>(
        [&]() { return road_.masa().import_sales(tenant, std::string(brski::media_type_csv), to_bytes(text)); });
  }
  void sell_to(const std::string& owner, const std::string& since = {}, const std::string& until = {}) {
    const auto outcome = need(import_csv("serial,owner,since,until\n" + device_.serial_number + "," + owner + "," +
                                         since + "," + until + "\n"));
    ASSERT_EQ(outcome.added, 1u);
  }
  void sell_to(const TestDomain& domain) { sell_to(domain.owner()); }

  mutable Road road_;
  Device device_ = road_.born("1");
  const TestDomain ann_ = TestDomain::make("Ann"), bob_ = TestDomain::make("Bob");
};

}  // namespace cahn::test
