// CMP over real sockets: the EST tests' server with our CMP routes, and a client that can be as wrong as a test wants.

#pragma once

#include "crypto/cmp.h"
#include "pki/cmp_server.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki::test {

// An Issuer that has not decided the first few times it is asked: what an upstream CA looks like.
class HesitantIssuer final : public Issuer {
 public:
  explicit HesitantIssuer(Issuer& behind) : behind_(behind) {}
  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override {
    if (hesitations > 0) {
      --hesitations;
      co_return fail(PkiError::undecided, "the CA has not decided yet");
    }
    auto issuing = behind_.issue(std::move(request));
    co_return co_await std::move(issuing);
  }
  std::vector<crypto::Certificate> ca_certificates() const override { return behind_.ca_certificates(); }
  std::vector<crypto::Certificate> rollover_certificates() const override { return behind_.rollover_certificates(); }
  std::atomic<int> hesitations = 0;

 private:
  Issuer& behind_;
};

class CmpTest : public EstTest {
 protected:
  CmpTest() {
    restart_with({});
    write(folder_ / "ca.pem", ca_->certificate().pem());
  }
  ~CmpTest() override { stop(); }

  void more_routes(net::Router& router) override {
    if (!issuer_) issuer_ = std::make_unique<HesitantIssuer>(*ca_);
    cmp_.signer = registration_authority();
    cmp_.revoke = [this](std::string serial, crypto::RevocationReason reason) { return ca_->revoke(serial, reason); };
    add_cmp_routes(router, *issuer_, authority_, cmp_, clock_);
  }
  void restart_cmp() { restart_with({}); }

  crypto::TlsIdentity registration_authority() {
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    IssueRequest request{csr_of(key), Profile::registrar, {{"CN", "ra.example.org"}}, {"ra.example.org"}, {}, {}};
    return {{value_of(issue(request)).certificate, ca_->certificate()}, key};
  }
  // A member of the domain, with the LDevID it enrolled by.
  crypto::TlsIdentity member(const std::string& serial_number = "SN-1") {
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    return {{value_of(issue(for_device(csr_of(key), serial_number))).certificate, ca_->certificate()}, key};
  }

  // One message of `who`, with the headers of RFC 9483 3.1.
  struct Outgoing {
    crypto::TlsIdentity who;
    crypto::CmpHeader header;
    crypto::CmpBody body = crypto::CmpBody::ir;
    Bytes content;
    Bytes der() const { return value_of(crypto::make_cmp_message(header, body, content, who.chain, *who.key)); }
  };
  Outgoing message(const crypto::TlsIdentity& who, crypto::CmpBody body, Bytes content) {
    Outgoing out{who, {}, body, std::move(content)};
    out.header.recipient = value_of(crypto::general_name(ca_->certificate().subject()));
    out.header.transaction_id = random_bytes(16);
    out.header.sender_nonce = random_bytes(16);
    return out;
  }
  Bytes request_for(const crypto::PrivateKeyPtr& key, const std::string& serial_number = "SN-1") {
    return value_of(crypto::cmp_request({{"serialNumber", serial_number}}, *key, {}, {}));
  }
  Outgoing ir(const crypto::TlsIdentity& who) {
    return message(who, crypto::CmpBody::ir,
                   request_for(value_of(crypto::generate_key(crypto::KeyType::p256)),
                               who.chain.front().subject_serial_number().value_or("")));
  }
  // The next message of the same transaction.
  Outgoing next(const Outgoing& before, const crypto::CmpMessage& answer, crypto::CmpBody body, Bytes content) {
    Outgoing out = before;
    out.body = body;
    out.content = std::move(content);
    out.header.sender_nonce = random_bytes(16);
    out.header.recipient_nonce = answer.header().sender_nonce;
    out.header.implicit_confirm = false;
    return out;
  }

  net::HttpResponse post_cmp(const Bytes& der, const std::string& path = "",
                             const std::string& type = "application/pkixcmp") {
    net::HttpRequest request{.method = "POST", .path = "/.well-known/cmp" + path, .body = der};
    request.headers.set("Content-Type", type);
    return send(std::nullopt, request);
  }
  // The answer, which must be of the domain whatever it says.
  crypto::CmpMessage exchange(const Bytes& der, const std::string& path = "") {
    const auto response = post_cmp(der, path);
    EXPECT_EQ(response.status, 200) << to_string(response.body);
    EXPECT_EQ(response.headers.get("Content-Type"), "application/pkixcmp");
    auto answer = value_of(crypto::CmpMessage::from_der(response.body));
    const auto signer = value_of(answer.verify_signer());
    EXPECT_TRUE(crypto::verify_chain(signer, answer.extra_certificates(), crypto::TrustStore({ca_->certificate()}),
                                     clock_.now())
                    .has_value());
    return answer;
  }
  crypto::CmpMessage exchange(const Outgoing& out, const std::string& path = "") {
    auto answer = exchange(out.der(), path);
    EXPECT_EQ(answer.header().transaction_id, out.header.transaction_id);
    EXPECT_EQ(answer.header().recipient_nonce, out.header.sender_nonce);
    EXPECT_GE(answer.header().sender_nonce.size(), 16u);
    return answer;
  }
  // Why a message is refused, whether by an error message or in the answer to a certificate request.
  static crypto::CmpStatusInfo refusal_in(const crypto::CmpMessage& answer) {
    crypto::CmpStatusInfo status;
    if (answer.body() == crypto::CmpBody::error) {
      status = value_of(crypto::read_cmp_error(answer));
    } else {
      const auto read = value_of(crypto::read_cmp_answer(answer));
      EXPECT_FALSE(read.certificate.has_value());
      status = read.status;
    }
    EXPECT_EQ(status.status, crypto::CmpStatus::rejection);
    return status;
  }
  void refuses(const Outgoing& out, crypto::CmpFailure failure, std::string_view words) {
    refuses(out.der(), failure, words);
  }
  void refuses(const Bytes& der, crypto::CmpFailure failure, std::string_view words) {
    const auto status = refusal_in(exchange(der));
    EXPECT_EQ(status.failure, failure) << status.text;
    EXPECT_NE(status.text.find(words), std::string::npos) << status.text;
  }
  void still_serves_cmp() {
    EXPECT_TRUE(value_of(crypto::read_cmp_answer(exchange(ir(device("SN-9"))))).certificate.has_value());
  }

  CmpOptions cmp_;
  std::unique_ptr<HesitantIssuer> issuer_;
};

}  // namespace cahn::pki::test
