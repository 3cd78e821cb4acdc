// What of EST is a setting: csrattrs that are enforced, links with the TLS session, keys made by the server, labels,
// passwords, lines.

#include <algorithm>

#include "crypto/cms.h"
#include "pki/csr_attributes.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

constexpr const char* oid_serial_number = "2.5.4.5";
constexpr const char* ec_on_p256 = "1.2.840.10045.2.1=1.2.840.10045.3.1.7";
constexpr const char* alternative_name = "1.2.840.113549.1.9.14=2.5.29.17";

class EstWith : public test::EstTest {
 protected:
  net::HttpResponse enrolment(const crypto::Csr& csr, const std::string& operation = "simpleenroll") {
    return send(device("SN-1"), post(operation, body_of(csr)));
  }
  // The body of the part of this type.
  static std::string part_of(const net::HttpResponse& response, const std::string& type) {
    const std::string body = to_string(response.body);
    const std::string header = "Content-Type: " + type + "\r\n\r\n";
    const auto at = body.find(header);
    EXPECT_NE(at, body.npos) << type;
    return at == body.npos
               ? ""
               : body.substr(at + header.size(), body.find("\r\n", at + header.size()) - at - header.size());
  }
  // A request by openssl that asks to have the key encrypted (DecryptKeyIdentifier, RFC 7030 4.4.1.1).
  crypto::Csr request_for_an_encrypted_key() {
    test::write(folder_ / "req.cnf",
                "[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\n[dn]\nserialNumber=SN-1\n[at]\n"
                "1.2.840.113549.1.9.16.2.37=key-1\n");
    const auto [status, output] = openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout encrypted.key -config req.cnf -outform "
        "DER "
        "-out encrypted.csr");
    EXPECT_EQ(status, 0) << output;
    return value_of(crypto::Csr::from_der(value_of(read_file(folder_ / "encrypted.csr"))));
  }
  // A request that is linked with the session it is sent on.
  net::HttpResponse linked_enrolment(std::function<std::string(const Bytes&)> password_of) {
    return value_of(on_connection<net::HttpResponse>(device("SN-1"), [password_of](net::HttpConnection& connection) {
      return send_linked(connection, password_of);
    }));
  }
  static net::awaitable<Result<net::HttpResponse>> send_linked(net::HttpConnection& connection,
                                                               std::function<std::string(const Bytes&)> password_of) {
    const auto csr = fresh_csr({.challenge_password = password_of(connection.tls_unique())});
    auto request = post("simpleenroll", body_of(csr));
    co_return co_await connection.send(std::move(request));
  }
};

TEST_F(EstWith, CsrAttributesRefusesARequestThatLacksOneAndNamesIt) {
  restart_with({.csr_attribute_oids = {oid_serial_number, ec_on_p256, alternative_name}});
  const auto response = enrolment(fresh_csr({.subject = {{"serialNumber", "SN-1"}}}));
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(as_text(response.body).find("2.5.29.17"), std::string_view::npos) << to_string(response.body);
  EXPECT_EQ(enrolment(fresh_csr({.uris = {"urn:cahn:network:home"}})).status, 400) << "no serialNumber";
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(EstWith, CsrAttributesTakesARequestThatHasThemAll) {
  restart_with({.csr_attribute_oids = {oid_serial_number, ec_on_p256, alternative_name}});
  const auto csr = fresh_csr({.subject = {{"serialNumber", "SN-1"}}, .uris = {"urn:cahn:network:home"}});
  EXPECT_EQ(enrolment(csr).status, 200);
}

TEST_F(EstWith, CsrAttributesOfAnotherCurveRefusesTheKey) {
  restart_with({.csr_attribute_oids = {"1.2.840.10045.2.1=1.3.132.0.34"}});
  EXPECT_EQ(enrolment(fresh_csr()).status, 400);
  EXPECT_EQ(enrolment(csr_of(value_of(crypto::generate_key(crypto::KeyType::p384)))).status, 200);
}

TEST_F(EstWith, CsrAttributesCanBeWishesOnly) {
  restart_with({.csr_attribute_oids = {alternative_name}, .check_csr_attributes = false});
  EXPECT_EQ(enrolment(fresh_csr()).status, 200);
}

TEST_F(EstWith, CsrAttributesWithValuesAreReadByOpensslAndByOurClient) {
  restart_with({.csr_attribute_oids = {oid_serial_number, ec_on_p256, alternative_name}, .line_length = 64});
  test::write(folder_ / "attributes.b64", as_text(send(std::nullopt, get("csrattrs")).body));
  const auto [status, text] = openssl("base64 -d -in attributes.b64 | openssl asn1parse -inform DER");
  EXPECT_EQ(status, 0);
  for (const auto* name : {"serialNumber", "id-ecPublicKey", "prime256v1", "Extension Request", "Subject Alternative"})
    EXPECT_NE(text.find(name), text.npos) << text;
  EXPECT_EQ(value_of(on_connection<std::vector<std::string>>(std::nullopt, est_csrattrs)),
            (std::vector<std::string>{oid_serial_number, "1.2.840.10045.2.1", "1.2.840.113549.1.9.14"}));
}

TEST_F(EstWith, Tls12TakesARequestThatIsLinkedWithItsSession) {  // RFC 7030 3.5
  tls12_only_ = true;
  const auto response = linked_enrolment([](const Bytes& unique) {
    EXPECT_FALSE(unique.empty());
    return base64(unique);
  });
  EXPECT_EQ(response.status, 200) << to_string(response.body);
}

TEST_F(EstWith, Tls12RefusesARequestOfAnotherSession) {
  tls12_only_ = true;
  const auto response = linked_enrolment([](const Bytes&) { return base64(random_bytes(12)); });
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("another TLS session"), std::string_view::npos);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(EstWith, LinkingDemandedRefusesARequestWithoutIt) {
  restart_with({.require_pop_linking = true});
  tls12_only_ = true;
  const auto response = enrolment(fresh_csr());
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(as_text(response.body).find("challengePassword is missing"), std::string_view::npos);
  EXPECT_EQ(linked_enrolment([](const Bytes& unique) { return base64(unique); }).status, 200);
}

TEST_F(EstWith, LinkingDemandedRefusesTls13AndSaysWhy) {  // decision 71
  restart_with({.require_pop_linking = true});
  const auto response = linked_enrolment([](const Bytes& unique) {
    EXPECT_TRUE(unique.empty()) << "TLS 1.3 has no tls-unique";
    return std::string("anything");
  });
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("connect with TLS 1.2"), std::string_view::npos) << to_string(response.body);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(EstWith, LinesWrapsItsAnswersAndOurClientReadsThem) {
  restart_with({.line_length = 76});
  const auto body = to_string(send(std::nullopt, get("cacerts")).body);
  EXPECT_GT(std::ranges::count(body, '\n'), 3);
  for (std::size_t at = 0, end; (end = body.find("\r\n", at)) != body.npos; at = end + 2) EXPECT_LE(end - at, 76u);
  EXPECT_EQ(value_of(on_connection<test::Chain>(std::nullopt, est_cacerts)), test::Chain{ca_->certificate()});
  EXPECT_TRUE(enrol(device("SN-1"), fresh_csr().der()).has_value());
}

TEST_F(EstWith, ALabelServesThatLabelBesideTheUnlabelledAndNoOther) {  // RFC 7030 3.2.2
  restart_with({.csr_attribute_oids = {oid_serial_number}, .label = "lab"});
  EXPECT_EQ(send(std::nullopt, get("lab/cacerts")).status, 200);
  EXPECT_EQ(send(std::nullopt, get("lab/csrattrs")).status, 200);
  EXPECT_EQ(send(std::nullopt, get("csrattrs")).status, 204);
  EXPECT_EQ(enrolment(fresh_csr({.subject = {{"serialNumber", "SN-1"}}}), "lab/simpleenroll").status, 200);
  EXPECT_EQ(enrolment(fresh_csr(), "lab/simpleenroll").status, 400);
  EXPECT_EQ(enrolment(fresh_csr()).status, 200);
  EXPECT_EQ(send(std::nullopt, get("other/cacerts")).status, 404);
  EXPECT_EQ(enrolment(fresh_csr(), "other/simpleenroll").status, 404);
}

TEST_F(EstWith, ServerKeysGivesAKeyAndItsCertificateThatOpensslPutsTogether) {  // RFC 7030 4.4
  restart_with({.server_keys = true});
  const auto response = enrolment(fresh_csr({.subject = {{"serialNumber", "SN-1"}}}), "serverkeygen");
  ASSERT_EQ(response.status, 200) << to_string(response.body);
  const auto type = response.headers.get("Content-Type").value_or("");
  ASSERT_TRUE(type.starts_with("multipart/mixed; boundary=")) << type;
  EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
  test::write(folder_ / "key.b64", part_of(response, "application/pkcs8"));
  test::write(folder_ / "certs.b64", part_of(response, "application/pkcs7-mime; smime-type=certs-only"));
  const auto [status, output] =
      test::run(folder_,
                "openssl base64 -d -A -in key.b64 | openssl pkey -inform DER -pubout -out of-key.pem && "
                "openssl base64 -d -A -in certs.b64 | openssl pkcs7 -inform DER -print_certs -out cert.pem && "
                "openssl x509 -in cert.pem -noout -pubkey > of-cert.pem && cmp of-key.pem of-cert.pem");
  EXPECT_EQ(status, 0) << output;
  ASSERT_EQ(authority_.recorded().size(), 1u);
  EXPECT_EQ(authority_.recorded().front().subject_serial_number(), "SN-1");
}

TEST_F(EstWith, ServerKeysRefusesToEncryptBeyondTlsRatherThanNotTo) {
  restart_with({.server_keys = true});
  const auto response = enrolment(request_for_an_encrypted_key(), "serverkeygen");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(as_text(response.body).find("1.2.840.113549.1.9.16.2.37"), std::string_view::npos)
      << to_string(response.body);
  EXPECT_EQ(enrolment(fresh_csr({.ask_for_ca = true}), "serverkeygen").status, 403);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(EstWith, EnrolmentOffStillTellsTheCaCertificates) {  // BRSKI-AE 4.2
  restart_with({.enrolment = false, .server_keys = true});
  EXPECT_EQ(send(std::nullopt, get("cacerts")).status, 200);
  for (const auto* operation : {"simpleenroll", "simplereenroll", "serverkeygen"})
    EXPECT_EQ(enrolment(fresh_csr(), operation).status, 501) << operation;
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(EstWith, APasswordEnrolsAClientWithoutACertificate) {  // RFC 7030 3.2.3
  EstOptions options;
  options.password_authority = [](std::string user, std::string password,
                                  crypto::Csr) -> net::awaitable<Result<EnrolmentGrant>> {
    if (user != "ann" || password != "a:b") co_return fail(PkiError::not_authorized, "who is this");
    co_return EnrolmentGrant{{{"serialNumber", "SN-7"}, {"CN", "home"}}, {}, Profile::ldevid};
  };
  restart_with(options);
  auto request = post("simpleenroll", body_of(fresh_csr()));
  EXPECT_EQ(send(std::nullopt, request).headers.get("WWW-Authenticate"), "Basic realm=\"EST\"");
  request.headers.set("Authorization", "Basic " + base64(as_bytes("ann:a:b")));
  EXPECT_EQ(send(std::nullopt, request).status, 200);
  for (const std::string& wrong : {"Basic " + base64(as_bytes("ann:wrong")), std::string("Basic ???"),
                                   std::string("Bearer abc"), "Basic " + base64(as_bytes("nocolon"))}) {
    request.headers.set("Authorization", wrong);
    const auto response = send(std::nullopt, request);
    EXPECT_EQ(response.status, 401) << wrong;
    EXPECT_EQ(as_text(response.body).find("who is this"), std::string_view::npos);
  }
  EXPECT_EQ(authority_.recorded().size(), 1u);
}

TEST_F(EstWith, NoPasswordAuthorityTakesNoPasswords) {
  auto request = post("simpleenroll", body_of(fresh_csr()));
  request.headers.set("Authorization", "Basic " + base64(as_bytes("ann:secret")));
  EXPECT_EQ(send(std::nullopt, request).status, 401);
}

// An Issuer that is not ready, then is: what an upstream CA looks like.
class HesitantIssuer final : public Issuer {
 public:
  explicit HesitantIssuer(Issuer& behind) : behind_(behind) {}
  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override {
    if (!ready) co_return fail(PkiError::undecided, "the CA has not decided yet");
    auto issuing = behind_.issue(std::move(request));
    co_return co_await std::move(issuing);
  }
  std::vector<crypto::Certificate> ca_certificates() const override { return behind_.ca_certificates(); }
  std::atomic<bool> ready = false;

 private:
  Issuer& behind_;
};

class EstBeforeAHesitantIssuer : public EstWith {
 protected:
  void more_routes(net::Router& router) override {
    add_est_routes(router, issuer_, authority_, {.retry_after = std::chrono::seconds(7), .label = "slow"});
  }
  HesitantIssuer issuer_{*ca_};
};

TEST_F(EstBeforeAHesitantIssuer, AnswersLaterUntilItHasDecided) {  // RFC 7030 4.2.3
  restart_with({});
  const auto csr = fresh_csr();
  const auto response = enrolment(csr, "slow/simpleenroll");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.headers.get("Retry-After"), "7");
  issuer_.ready = true;
  EXPECT_EQ(enrolment(csr, "slow/simpleenroll").status, 200) << "the same request again";
}

}  // namespace
}  // namespace cahn::pki
