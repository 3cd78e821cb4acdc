// The EST server: what it answers, and the malformed matrix sent by hand.

#include "pki/est_server.h"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "crypto/cms.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::Chain;
using test::value_of;

class Est : public test::EstTest {};

TEST_F(Est, GivesTheCaCertificatesToAnyoneOnOneLine) {
  const auto response = send(std::nullopt, get("cacerts"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/pkcs7-mime; smime-type=certs-only");
  EXPECT_EQ(response.headers.get("Content-Transfer-Encoding"), std::nullopt);
  EXPECT_EQ(std::ranges::count(response.body, '\n'), 0) << "strongSwan reads one line";
  const auto read = value_of(on_connection<Chain>(std::nullopt, est_cacerts));
  EXPECT_EQ(read, Chain{ca_->certificate()});
}

TEST_F(Est, GivesCaCertificatesThatOpensslReads) {
  test::write(folder_ / "cacerts.b64", as_text(send(std::nullopt, get("cacerts")).body));
  const auto [status, output] = openssl("base64 -d -A -in cacerts.b64 | openssl pkcs7 -inform DER -print_certs -noout");
  EXPECT_EQ(status, 0);
  EXPECT_NE(output.find("CN = ann@example.org"), output.npos) << output;
}

TEST_F(Est, SaysWhatACsrShouldHold) {
  restart_with({.csr_attribute_oids = {"2.5.4.5", "1.2.840.10045.4.3.2"}});
  const auto response = send(std::nullopt, get("csrattrs"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/csrattrs");
  const auto read = value_of(on_connection<std::vector<std::string>>(std::nullopt, est_csrattrs));
  EXPECT_EQ(read, (std::vector<std::string>{"2.5.4.5", "1.2.840.10045.4.3.2"}));
}

TEST_F(Est, SaysNothingWhenACsrNeedHoldNothing) {
  EXPECT_EQ(send(std::nullopt, get("csrattrs")).status, 204);
  EXPECT_TRUE(value_of(on_connection<std::vector<std::string>>(std::nullopt, est_csrattrs)).empty());
}

TEST_F(Est, EnrolsADeviceAndRecordsItBeforeItAnswers) {
  const auto csr = fresh_csr();
  const auto certificate = value_of(enrol(device("SN-1"), csr.der()));
  EXPECT_EQ(certificate.public_key(), csr.public_key());
  EXPECT_EQ(certificate.subject_serial_number(), "SN-1");
  EXPECT_EQ(authority_.recorded(), Chain{certificate});
  EXPECT_EQ(authority_.renewals, 0);
  EXPECT_TRUE(value_of(ca_->find(certificate.serial_hex())).has_value());
}

TEST_F(Est, AnswersWithTheIssuedCertificateAlone) {  // RFC 7030 4.2.3
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  ASSERT_EQ(response.status, 200) << to_string(response.body);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/pkcs7-mime; smime-type=certs-only");
  EXPECT_EQ(value_of(crypto::certs_from_certs_only(value_of(base64_decode(as_text(response.body))))).size(), 1u);
}

TEST_F(Est, ReadsBase64InLinesAndIgnoresTheTransferEncoding) {  // RFC 8951 3.1
  std::string lines;
  for (std::string rest = body_of(fresh_csr()); !rest.empty(); rest.erase(0, 64)) lines += rest.substr(0, 64) + "\r\n";
  auto request = post("simpleenroll", lines, "Application/PKCS10; charset=us-ascii");
  request.headers.set("Content-Transfer-Encoding", "base64");
  EXPECT_EQ(send(device("SN-1"), request).status, 200);
}

TEST_F(Est, RenewsWithANewKeyOrTheOldOne) {
  const auto first_key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto first = value_of(enrol(device("SN-1"), csr_of(first_key).der()));
  const crypto::TlsIdentity holder{{first}, first_key};
  const auto renewed = value_of(enrol(holder, fresh_csr({.subject = first.subject()}).der(), true));
  EXPECT_EQ(renewed.subject(), first.subject());
  EXPECT_NE(renewed.serial_hex(), first.serial_hex());
  EXPECT_TRUE(enrol(holder, csr_of(first_key, {.subject = first.subject()}).der(), true).has_value());
  EXPECT_EQ(authority_.renewals, 2);
}

TEST_F(Est, RefusesToRenewForAnotherSubject) {  // RFC 7030 4.2.2
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto first = value_of(enrol(device("SN-1"), csr_of(key).der()));
  const auto response = send(crypto::TlsIdentity{{first}, key},
                             post("simplereenroll", body_of(fresh_csr({.subject = {{"serialNumber", "SN-1"}}}))));
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("another subject"), std::string_view::npos);
}

TEST_F(Est, RefusesTheIdevidKeyAsLdevidKey) {  // decision 9
  const auto identity = device("SN-1");
  const auto response = send(identity, post("simpleenroll", body_of(csr_of(identity.key))));
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("fresh"), std::string_view::npos) << to_string(response.body);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(Est, RefusesAClientWithoutACertificate) {
  for (const auto* operation : {"simpleenroll", "simplereenroll"}) {
    const auto response = send(std::nullopt, post(operation, body_of(fresh_csr())));
    EXPECT_EQ(response.status, 401);
    EXPECT_TRUE(response.headers.get("WWW-Authenticate").has_value());
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesAnotherMediaType) {
  for (const auto* type : {"", "text/plain", "application/pkcs7-mime", "application/pkcs10x", "application"}) {
    EXPECT_EQ(send(device("SN-1"), post("simpleenroll", body_of(fresh_csr()), type)).status, 415) << type;
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesWhatIsNoCertificateRequest) {
  const auto good = fresh_csr();
  auto cut = good.der();
  cut.resize(cut.size() / 2);
  auto forged = good.der();
  forged[forged.size() - 1] ^= 1;
  auto longer = good.der();
  longer.push_back(0);
  const std::map<std::string, std::string> bodies = {
      {"nothing", ""},
      {"not base64", "****"},
      {"raw DER", to_string(good.der())},
      {"PEM", "-----BEGIN CERTIFICATE REQUEST-----\n" + base64(good.der()) + "\n-----END CERTIFICATE REQUEST-----\n"},
      {"base64 of no DER", base64(as_bytes("hello, world"))},
      {"a cut request", base64(cut)},
      {"a broken signature", base64(forged)},
      {"something behind it", base64(longer)},
      {"a certificate", base64(ca_->certificate().der())},
      {"base64 of base64", base64(as_bytes(base64(good.der())))},
      {"60 KiB of noise", base64(random_bytes(45'000))},
      {"deep nesting", base64(Bytes(40'000, 0x30))}};
  for (const auto& [what, body] : bodies) {
    EXPECT_EQ(send(device("SN-1"), post("simpleenroll", body)).status, 400) << what;
    EXPECT_EQ(send(device("SN-1"), post("simplereenroll", body)).status, 400) << what;
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesABodyOverItsLimit) {
  const auto context = client_context(device("SN-1"));
  const net::Endpoint endpoint{"127.0.0.1", server_->port()};
  const auto request = post("simpleenroll", std::string(std::size_t{65} << 10, 'A'));
  std::function<net::awaitable<Result<net::HttpResponse>>(net::HttpConnection&)> task =
      [request](net::HttpConnection& connection) { return connection.send(request); };
  const auto response =
      await<Result<net::HttpResponse>>([&] { return connected<net::HttpResponse>(endpoint, &context, task); });
  // The server closes without reading on: a client may or may not see the answer.
  if (response) {
    EXPECT_EQ(response->status, 413);
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesARequestForMoreThanWasGranted) {
  const std::map<std::string, crypto::Csr> requests = {
      {"CA:TRUE", fresh_csr({.ask_for_ca = true})},
      {"another subject", fresh_csr({.subject = {{"serialNumber", "SN-2"}}})},
      {"cmcRA", foreign_csr("/", "-addext extendedKeyUsage=1.3.6.1.5.5.7.3.28")},
      {"alternative name", fresh_csr({.dns_names = {"registrar.example.org"}})}};
  for (const auto& [words, csr] : requests) {
    const auto response = send(device("SN-1"), post("simpleenroll", body_of(csr)));
    EXPECT_EQ(response.status, 403) << words;
    EXPECT_NE(as_text(response.body).find(words), std::string_view::npos) << to_string(response.body);
  }
  EXPECT_TRUE(authority_.recorded().empty());
  still_serves();
}

TEST_F(Est, PassesOnWhyTheAuthorityRefuses) {
  authority_.refusal = Error{PkiError::not_authorized, "no voucher was issued for this device"};
  const auto csr = fresh_csr();
  for (const auto* operation : {"simpleenroll", "simplereenroll"}) {
    const auto response = send(device("SN-1"), post(operation, body_of(csr)));
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(as_text(response.body), "no voucher was issued for this device");
  }
  const auto refused = enrol(device("SN-1"), csr.der());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, PkiError::server_refused);
  EXPECT_NE(refused.error().message.find("403"), std::string::npos);
  EXPECT_NE(refused.error().message.find("no voucher"), std::string::npos);
}

TEST_F(Est, AsksTheDeviceToComeBackWhileUndecided) {  // RFC 7030 4.2.3
  authority_.refusal = Error{PkiError::undecided, "waiting for the owner"};
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.headers.get("Retry-After"), "10");
  const auto refused = enrol(device("SN-1"), fresh_csr().der());
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("retry after 10 s"), std::string::npos) << refused.error().message;
}

TEST_F(Est, WithholdsACertificateThatCouldNotBeRecordedAndTellsNoDetails) {
  authority_.cannot_record = true;
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(as_text(response.body).find("secret"), std::string_view::npos);
  EXPECT_TRUE(response.headers.get("Retry-After").has_value());
}

TEST_F(Est, KnowsNoLabelsAndNoOtherOperations) {
  EXPECT_EQ(send(std::nullopt, get("lab/cacerts")).status, 404);
  EXPECT_EQ(send(device("SN-1"), post("lab/simpleenroll", body_of(fresh_csr()))).status, 404);
  EXPECT_EQ(send(std::nullopt, get("nothing")).status, 404);
  EXPECT_EQ(send(device("SN-1"), post("fullcmc", "AAAA", "application/pkcs7-mime")).status, 501);
  EXPECT_EQ(send(device("SN-1"), post("serverkeygen", body_of(fresh_csr()))).status, 501);
  EXPECT_EQ(send(device("SN-1"), get("simpleenroll")).status, 405);
}

TEST_F(Est, EnrolsManyDevicesAtOnceWithoutMixingThemUp) {
  constexpr int devices = 16;
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<std::string> serials;
  for (int i = 0; i < devices; ++i) {
    threads.emplace_back([&, name = "SN-" + std::to_string(i)] {
      const auto csr = fresh_csr();
      const auto certificate = enrol(device(name), csr.der());
      ASSERT_TRUE(certificate.has_value()) << certificate.error().message;
      EXPECT_EQ(certificate->subject_serial_number(), name);
      EXPECT_EQ(certificate->public_key(), csr.public_key());
      const std::lock_guard lock(mutex);
      serials.insert(certificate->serial_hex());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(serials.size(), std::size_t{devices});
}

}  // namespace
}  // namespace cahn::pki
