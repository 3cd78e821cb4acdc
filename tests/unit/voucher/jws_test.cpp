#include "crypto/jws.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/support/pki/pki.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

using nlohmann::json;
using test::must;
using test::pki;
using test::Pki;
using test::refusal;

// draft-ietf-anima-jws-voucher: the same voucher in a JWS.
class JwsVouchers : public testing::Test {
 protected:
  const Voucher voucher_ = pki().voucher_for("42", "bm9uY2U=");

  Bytes sign() const {
    return must(voucher::sign(voucher_, Root::voucher, pki().masa().certificate, *pki().masa().key,
                              pki().masa().issuers(), Format::jws));
  }
  static Result<SignedVoucher> read(std::string_view jws, Reading reading = Reading::strict,
                                    std::span<const crypto::Certificate> known = {}) {
    return open(Format::jws, as_bytes(jws), Root::voucher, reading, known);
  }
  static void expect_refused(std::string_view jws, VoucherError code, std::string_view message,
                             Reading reading = Reading::strict) {
    const Error error = refusal(read(jws, reading));
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_EQ(error.message, message);
  }

  // A message whose protected header was changed before it was signed, so that all else about it is right.
  std::string signed_with(const std::function<void(json&)>& change) const {
    json header = header_of(json::parse(as_text(sign())));
    change(header);
    return message_of(header.dump()).dump();
  }
  json message_of(std::string_view header) const {
    const Bytes payload = to_bytes(to_json(voucher_, Root::voucher));
    const std::string input = crypto::jws_signing_input(header, payload);
    const Bytes signature = must(crypto::jws_sign(crypto::JwsAlgorithm::es256, input, *pki().masa().key));
    return {{"payload", base64url(payload)},
            {"signatures", {{{"protected", base64url(as_bytes(header))}, {"signature", base64url(signature)}}}}};
  }
  static json header_of(const json& message) {
    return json::parse(must(base64url_decode(message["signatures"][0]["protected"].get<std::string>())));
  }
};

TEST_F(JwsVouchers, AreInTheGeneralSerialisation) {
  const json message = json::parse(as_text(sign()));
  EXPECT_EQ(message.size(), 2u);
  ASSERT_EQ(message["signatures"].size(), 1u);
  EXPECT_EQ(to_string(must(base64url_decode(message["payload"].get<std::string>()))), to_json(voucher_, Root::voucher));
  const json header = header_of(message);
  EXPECT_EQ(header["alg"], "ES256");
  EXPECT_EQ(header["typ"], "voucher-jws+json");
  ASSERT_EQ(header["x5c"].size(), 2u);
  EXPECT_EQ(header["x5c"][0], base64(pki().masa().certificate.der()));
  EXPECT_EQ(header.size(), 3u);
}

TEST_F(JwsVouchers, ComeBackAsTheyWereSigned) {
  const Bytes jws = sign();
  const SignedVoucher opened = must(open(Format::jws, jws, Root::voucher));
  EXPECT_EQ(opened.voucher.serial_number, "42");
  EXPECT_EQ(opened.voucher.nonce, "bm9uY2U=");
  EXPECT_EQ(opened.signer, pki().masa().certificate);
  EXPECT_EQ(opened.certificates.size(), 2u);
  EXPECT_EQ(opened.signing_time, std::nullopt);
  EXPECT_EQ(opened.cms, jws);
}

TEST_F(JwsVouchers, AreSignedWithEveryKindOfKey) {
  using crypto::KeyType;
  for (const auto type : {KeyType::p256, KeyType::p384, KeyType::rsa2048, KeyType::ed25519}) {
    const auto signer = Pki::issue({.subject = {{"CN", "device"}}}, nullptr, type);
    Voucher request;
    request.serial_number = "42";
    const Bytes jws =
        must(voucher::sign(request, Root::voucher_request, signer.certificate, *signer.key, {}, Format::jws));
    EXPECT_EQ(must(open(Format::jws, jws, Root::voucher_request)).signer, signer.certificate);
    EXPECT_EQ(refusal(open(Format::jws, jws, Root::voucher)).code, VoucherError::wrong_root);
  }
}

TEST_F(JwsVouchers, AreAcceptedByAPledgeThatWantsThem) {
  PledgeExpectation expected = pki().expectation("42", "bm9uY2U=");
  EXPECT_EQ(refusal(read_as_pledge(sign(), expected)).code, VoucherError::not_cms);
  expected.format = Format::jws;
  EXPECT_EQ(must(read_as_pledge(sign(), expected)).pinned_domain_cert, pki().domain().certificate);
  EXPECT_EQ(refusal(read_as_pledge(pki().sign(voucher_), expected)).code, VoucherError::not_jws);
  expected.nonce = "b3RoZXI=";
  EXPECT_EQ(refusal(read_as_pledge(sign(), expected)).code, VoucherError::wrong_nonce);
}

// RFC 8995 5.6.1 with the chain of another manufacturer.
TEST_F(JwsVouchers, AreRefusedByAPledgeOfAnotherMaker) {
  const Pki other({.maker = "Others"});
  PledgeExpectation expected = other.expectation("42", "bm9uY2U=");
  expected.format = Format::jws;
  EXPECT_EQ(refusal(read_as_pledge(sign(), expected)).code, VoucherError::signer_not_trusted);
}

TEST_F(JwsVouchers, AreRefusedWithAnythingChangedAfterwards) {
  json message = json::parse(as_text(sign()));
  message["payload"] = base64url(as_bytes(to_json(pki().voucher_for("43", "bm9uY2U="), Root::voucher)));
  EXPECT_EQ(refusal(read(message.dump())).code, VoucherError::bad_signature);
  message = json::parse(as_text(sign()));
  json header = header_of(message);
  header["kid"] = "another";
  message["signatures"][0]["protected"] = base64url(as_bytes(header.dump()));
  EXPECT_EQ(refusal(read(message.dump())).code, VoucherError::bad_signature);
  // Another certificate in front, whose key did not sign.
  const auto impostor = Pki::issue({.subject = {{"CN", "impostor"}}});
  EXPECT_EQ(refusal(read(signed_with([&](json& h) { h["x5c"][0] = base64(impostor.certificate.der()); }))).code,
            VoucherError::bad_signature);
}

TEST_F(JwsVouchers, MayHaveParametersThatNobodyKnows) {
  EXPECT_TRUE(read(signed_with([](json& h) { h["kid"] = "masa"; })));
  EXPECT_TRUE(read(signed_with([](json& h) { h["jku"] = "https://evil.example/keys"; })));
  json message = json::parse(as_text(sign()));
  message["signatures"][0]["header"] = {{"kid", "masa"}};
  message["more"] = 1;
  EXPECT_TRUE(read(message.dump()));
}

TEST_F(JwsVouchers, AreRefusedWithAHeaderThatMeansSomethingElse) {
  using enum VoucherError;
  const auto with = [&](const char* name, json value) {
    return signed_with([&](json& h) { h[name] = std::move(value); });
  };
  expect_refused(with("alg", "none"), not_jws, "alg: \"none\" is not taken");
  expect_refused(with("alg", "HS256"), not_jws, "alg: \"HS256\" is not taken");
  expect_refused(with("alg", 256), not_jws, "alg: expected a string, found a number");
  expect_refused(signed_with([](json& h) { h.erase("alg"); }), not_jws, "alg: missing");
  expect_refused(with("alg", "RS256"), bad_signature, "RS256 is not an algorithm of a key of p256");
  expect_refused(with("crit", {"exp"}), not_jws, "the header parameter crit is not taken");
  expect_refused(with("b64", false), not_jws, "the header parameter b64 is not taken");
  expect_refused(with("typ", "JWT"), wrong_content_type, "typ: expected voucher-jws+json, found \"JWT\"");
  expect_refused(with("typ", nullptr), not_jws, "typ: expected a string, found null");
  expect_refused(with("x5c", json::array()), not_jws, "x5c: expected an array of 1 to 20 certificates");
  expect_refused(with("x5c", json::array({1})), not_jws, "x5c: expected a string, found a number");
  expect_refused(with("x5c", json::array({"-_-_"})), not_jws, "x5c: expected base64, found \"-_-_\"");
  expect_refused(with("x5c", std::vector<std::string>(21, base64(pki().masa().certificate.der()))), not_jws,
                 "x5c: expected an array of 1 to 20 certificates");
  EXPECT_TRUE(read(with("typ", "application/Voucher-JWS+json")));
  EXPECT_TRUE(read(signed_with([](json& h) { h.erase("typ"); })));
}

TEST_F(JwsVouchers, AreRefusedWithAParameterInBothHeaders) {
  json message = json::parse(as_text(sign()));
  message["signatures"][0]["header"] = {{"alg", "ES256"}};
  expect_refused(message.dump(), VoucherError::not_jws, "the header parameter \"alg\" is there twice");
  message["signatures"][0]["header"] = {{"crit", {"b64"}}};
  expect_refused(message.dump(), VoucherError::not_jws, "the header parameter crit is not taken");
  expect_refused(message_of(R"({"alg":"none","alg":"ES256"})").dump(), VoucherError::not_jws,
                 "protected: JSON with two members named \"alg\"");
}

// An algorithm that is not signed could be exchanged.
TEST_F(JwsVouchers, AreRefusedWithTheAlgorithmInTheUnprotectedHeaderOnly) {
  for (const auto reading : {Reading::strict, Reading::tolerant}) {
    json message = message_of("{}");
    message["signatures"][0]["header"] = {{"alg", "ES256"}};
    expect_refused(message.dump(), VoucherError::not_jws, "alg: missing", reading);
  }
}

TEST_F(JwsVouchers, AreRefusedWithoutExactlyOneSignature) {
  json message = json::parse(as_text(sign()));
  message["signatures"].push_back(message["signatures"][0]);
  expect_refused(message.dump(), VoucherError::not_jws, "signatures: expected an array of one object");
  message["signatures"] = json::array();
  expect_refused(message.dump(), VoucherError::not_jws, "signatures: expected an array of one object");
  message["signatures"] = "x";
  expect_refused(message.dump(), VoucherError::not_jws, "signatures: expected an array of one object");
  message.erase("signatures");
  expect_refused(message.dump(), VoucherError::not_jws, "signatures: missing");
}

TEST_F(JwsVouchers, AreRefusedWhenTheyAreNone) {
  using enum VoucherError;
  expect_refused("", not_jws, "not JSON in UTF-8 from octet 1 on");
  expect_refused("[]", not_jws, "expected a JSON object, found an array");
  expect_refused(R"({"signatures":[{}]})", not_jws, "payload: missing");
  expect_refused(R"({"payload":1})", not_jws, "payload: expected a string, found a number");
  expect_refused(R"({"payload":"","signatures":[{}]})", not_jws, "protected: missing");
  expect_refused(R"({"payload":"","signatures":[{"protected":"e30","signature":"","header":[]}]})", not_jws,
                 "header: expected an object, found an array");
  expect_refused(R"({"payload":"","signatures":[{"protected":"e30=","signature":""}]})", not_jws,
                 "protected: expected base64url, found \"e30=\"");
  expect_refused(R"({"payload":"","signatures":[{"protected":"MTE","signature":""}]})", not_jws,
                 "protected: expected a JSON object, found a number");
  expect_refused(R"({"payload":"","signature":"","protected":"e30","signatures":[{}]})", not_jws,
                 "a message in two serialisations");
  for (const char* part : {"payload", "signature"}) {
    json message = json::parse(as_text(sign()));
    (part == std::string("payload") ? message : message["signatures"][0])[part] = "a+b=";
    expect_refused(message.dump(), not_jws, std::string(part) + ": expected base64url, found \"a+b=\"");
  }
  EXPECT_EQ(refusal(read(std::string((1 << 20) + 1, ' '))).code, not_jws);
}

TEST_F(JwsVouchers, InOtherSerialisationsAreForTheTolerant) {
  const json general = json::parse(as_text(sign()));
  const json& signature = general["signatures"][0];
  const json flattened{
      {"payload", general["payload"]}, {"protected", signature["protected"]}, {"signature", signature["signature"]}};
  const std::string compact = signature["protected"].get<std::string>() + "." + general["payload"].get<std::string>() +
                              "." + signature["signature"].get<std::string>();
  for (const std::string& text : {flattened.dump(), compact}) {
    EXPECT_EQ(refusal(read(text)).code, VoucherError::not_jws);
    EXPECT_EQ(must(read(text, Reading::tolerant)).signer, pki().masa().certificate);
  }
  EXPECT_EQ(refusal(read(compact + ".", Reading::tolerant)).code, VoucherError::not_jws);
}

TEST_F(JwsVouchers, WithCertificatesInTheUnprotectedHeaderAreForTheTolerant) {
  json message = message_of(R"({"alg":"ES256"})");
  message["signatures"][0]["header"] = {{"x5c", {base64(pki().masa().certificate.der())}}};
  EXPECT_EQ(refusal(read(message.dump())).code, VoucherError::signer_not_trusted);
  EXPECT_EQ(must(read(message.dump(), Reading::tolerant)).signer, pki().masa().certificate);
}

TEST_F(JwsVouchers, WithoutCertificatesAreReadByWhoKnowsTheSigner) {
  const std::string jws = message_of(R"({"alg":"ES256"})").dump();
  EXPECT_EQ(refusal(read(jws)).code, VoucherError::signer_not_trusted);
  const std::vector<crypto::Certificate> others{pki().domain().certificate, pki().registrar().certificate};
  EXPECT_EQ(refusal(read(jws, Reading::strict, others)).code, VoucherError::signer_not_trusted);
  const std::vector<crypto::Certificate> known{pki().domain().certificate, pki().masa().certificate};
  const auto opened = must(read(jws, Reading::strict, known));
  EXPECT_EQ(opened.signer, pki().masa().certificate);
  EXPECT_TRUE(opened.certificates.empty());
}

TEST(SignedVoucherFormats, HaveMediaTypes) {
  EXPECT_EQ(media_type(Format::cms), "application/voucher-cms+json");
  EXPECT_EQ(media_type(Format::cms_id_data), "application/voucher-cms+json");
  EXPECT_EQ(media_type(Format::jws), "application/voucher-jws+json");
  EXPECT_EQ(format_of("application/voucher-cms+json"), Format::cms);
  EXPECT_EQ(format_of("application/voucher-jws+json"), Format::jws);
  for (const char* other : {"", "application/json", "application/voucher-cose+cbor", "application/pkcs7-mime"}) {
    EXPECT_EQ(format_of(other), std::nullopt) << other;
  }
}

TEST(SignedVoucherFormats, AreGuessedWhereNobodySaysThem) {
  const Pki pki;
  const Voucher voucher = pki.voucher_for("42", "n");
  const auto sign_as = [&](Format format) {
    return must(sign(voucher, Root::voucher, pki.masa().certificate, *pki.masa().key, {}, format));
  };
  EXPECT_EQ(guess_format(sign_as(Format::cms)), Format::cms);
  EXPECT_EQ(guess_format(sign_as(Format::jws)), Format::jws);
  EXPECT_EQ(guess_format(as_bytes(" \n{")), Format::jws);
  EXPECT_EQ(guess_format(as_bytes("eyJ")), Format::jws);
  EXPECT_EQ(guess_format({}), Format::cms);
}

}  // namespace
}  // namespace cahn::voucher
