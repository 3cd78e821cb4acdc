// The registrar's way to MASAs: what it sends, how it proves itself, and what it makes of the answer (RFC
// 8995 5.4-5.6).

#include "brski/registrar_checks.h"
#include "brski/registrar_credentials.h"
#include "own_masa.h"

namespace cahn::brski {
namespace {

using test::Device;
using test::need;
using test::OwnMasa;

class TheWayToTheMasa : public test::RegistrarTest {
 protected:
  voucher::SignedVoucher last_request() const { return OwnMasa::opened(masa_.voucher_requests().back()); }

  OwnMasa masa_{road_};
  Device device_ = masa_.device("5");
};

// --- the request --------------------------------------------------------------------------------------------------

TEST_F(TheWayToTheMasa, CarriesThePledgesBytesNonceAndFormats) {  // B-174 to B-180
  const Bytes request = test::signed_pledge_request(device_, own(), [](auto& v) { v.nonce = "not_base-64!~"; });
  net::HttpRequest http = test::post(path_request_voucher, voucher::media_type_cms, request);
  http.headers.set("Accept", "application/voucher-cms+json, application/voucher-jws+json;q=0.5");
  EXPECT_EQ(need(test::send(road_, road_.registrar_endpoint(), device_.idevid, http)).status, 200);
  const auto sent = masa_.voucher_requests().at(0);
  EXPECT_EQ(sent.headers.get("Content-Type"), voucher::media_type_cms);
  EXPECT_EQ(sent.headers.get("Accept"), "application/voucher-cms+json, application/voucher-jws+json;q=0.5");
  const auto opened = OwnMasa::opened(sent);
  EXPECT_EQ(opened.voucher.nonce, "not_base-64!~");
  EXPECT_EQ(opened.voucher.prior_signed_voucher_request, request);
  EXPECT_LT(std::chrono::abs(*opened.voucher.created_on - system_clock().now()), std::chrono::minutes(10));
}

TEST_F(TheWayToTheMasa, CarriesNothingElseThePledgeClaims) {  // B-183
  const test::Party stranger = test::make_ca("stranger");
  EXPECT_EQ(ask(device_, test::signed_pledge_request(device_, own(),
                                                     [&](auto& v) {
                                                       v.pinned_domain_cert = stranger.certificate;
                                                       v.expires_on = system_clock().now();
                                                       v.idevid_issuer = Bytes(20, 9);
                                                       v.domain_cert_revocation_checks = true;
                                                     }))
                .status,
            200);
  const auto sent = last_request().voucher;
  EXPECT_FALSE(sent.pinned_domain_cert || sent.expires_on || sent.domain_cert_revocation_checks);
  EXPECT_EQ(sent.idevid_issuer, device_.certificate().authority_key_identifier_der());
}

TEST_F(TheWayToTheMasa, ShowsAsMuchOfTheChainAsIsToBePinned) {  // B-181
  for (const auto& [depth, count] :
       {std::pair(PinDepth::end_entity, 1u), {PinDepth::issuing_ca, 2u}, {PinDepth::chain, 2u}}) {
    change([depth = depth](auto& options) { options.pin_depth = depth; });
    EXPECT_EQ(ask(masa_.device("depth" + std::to_string(static_cast<int>(depth)))).status, 200);
    EXPECT_EQ(last_request().certificates.size(), count);
  }
}

TEST(ARegistrarsRequest, ShowsTheIssuingCaOrTheWholeChainAboveIt) {  // B-181
  const test::Party root = test::make_ca("Root");
  const test::Party issuing = test::make_party(root, {{"CN", "Issuing"}}, [](auto& s) { s.ca = true; });
  const test::Party leaf = test::make_party(issuing, {{"CN", "Registrar"}});
  const crypto::TlsIdentity identity{{leaf.certificate, issuing.certificate}, leaf.key};
  const std::vector<crypto::Certificate> domain_ca{issuing.certificate, root.certificate};
  for (const auto& [depth, count] :
       {std::pair(PinDepth::end_entity, 1u), {PinDepth::issuing_ca, 2u}, {PinDepth::chain, 3u}}) {
    const RequestStyle style{identity, domain_ca, depth, Compat::strict};
    const OfflineDevice device{"m", "1", Bytes(20, 1), {}};
    const Bytes cms = need(make_registrar_request(device, style, system_clock().now()));
    EXPECT_EQ(need(voucher::open(cms, voucher::Root::voucher_request)).certificates.size(), count);
  }
}

TEST_F(TheWayToTheMasa, IsShownByTheFallbackOnlyWhereTheIdevidNamesNone) {  // B-186
  change_maker([&](auto& maker) { maker.masa_fallback = masa_.authority(); });
  const Device silent = test::make_device(road_.maker(), "6", "", [](auto& spec) { spec.masa_url.reset(); });
  EXPECT_EQ(ask(silent).status, 200);
  EXPECT_EQ(masa_.voucher_requests().size(), 1u);
  EXPECT_EQ(ask(road_.born("7")).status, 200);
  EXPECT_EQ(masa_.voucher_requests().size(), 1u);
  change_maker([](auto&) {});
  const auto refused = ask(silent);
  EXPECT_EQ(refused.status, 403);
  test::expect_in("names no MASA", refused);
}

// --- who we are there ---------------------------------------------------------------------------------------------

TEST_F(TheWayToTheMasa, ShowsTheRegistrarsCertificateItsOwnForTheMakerOrNone) {  // B-190
  EXPECT_EQ(ask(masa_.device("1")).status, 200);
  EXPECT_EQ(masa_.client(), own());
  const test::Party customer = test::make_party(road_.web_ca(), {{"CN", "customer 17"}});
  change_maker([&](auto& maker) { maker.masa_identity = crypto::TlsIdentity{{customer.certificate}, customer.key}; });
  EXPECT_EQ(ask(masa_.device("2")).status, 200);
  EXPECT_EQ(masa_.client(), customer.certificate);
  change_maker([](auto& maker) { maker.masa_without_certificate = true; });
  EXPECT_EQ(ask(masa_.device("3")).status, 200);
  EXPECT_EQ(masa_.client(), std::nullopt);
}

TEST_F(TheWayToTheMasa, IsBelievedByTheAnchorsOfItsMakerAndNoOthers) {  // B-186, B-190
  const test::Party private_ca = test::make_ca("Private CA");
  const test::Party server =
      test::make_party(private_ca, {{"CN", "m"}}, [](auto& s) { s.ip_addresses = {"127.0.0.1"}; });
  OwnMasa hidden(road_, crypto::TlsIdentity{{server.certificate}, server.key});
  const auto refused = ask(hidden.device("1"));
  EXPECT_EQ(refused.status, 502);
  test::expect_in("cannot be reached", refused);
  EXPECT_TRUE(hidden.voucher_requests().empty());
  change_maker([&](auto& maker) { maker.masa_tls_anchors = crypto::TrustStore({private_ca.certificate}); });
  EXPECT_EQ(ask(hidden.device("1")).status, 200);
  EXPECT_EQ(ask(masa_.device("2")).status, 502) << "the common anchors do not count for this maker now";
}

TEST_F(TheWayToTheMasa, IsTakenWithBasicAuthenticationForVouchersAndLogs) {  // B-190
  change_maker([](auto& maker) { maker.masa_credentials = MasaCredentials{"ann", "s3cret:x", {}}; });
  const auto guarded = [](const net::HttpRequest& request) {
    return request.headers.get("Authorization") == "Basic " + base64(as_bytes("ann:s3cret:x"));
  };
  masa_.on_voucher = [&](const auto& request) {
    return guarded(request) ? masa_.good_answer(request) : net::HttpResponse::text(401, "");
  };
  masa_.on_audit = [&](const auto& request) {
    return guarded(request) ? OwnMasa::log_of({masa_.own_event()}) : net::HttpResponse::text(401, "");
  };
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_EQ(enrol(device_).status, 200);
}

TEST_F(TheWayToTheMasa, IsTakenWithDigestAuthenticationAfterOneChallenge) {  // B-190
  change_maker(
      [](auto& maker) { maker.masa_credentials = MasaCredentials{"ann", "s3cret", MasaCredentials::Scheme::digest}; });
  const std::string challenge =
      R"(Digest realm="masa", qop="auth,auth-int", algorithm=SHA-256, nonce="n1", opaque="o")";
  masa_.on_voucher = [&](const net::HttpRequest& request) {
    const std::string shown = request.headers.get("Authorization").value_or("");
    const auto at = shown.find("cnonce=\"");
    const std::string cnonce = at == std::string::npos ? "" : shown.substr(at + 8, shown.find('"', at + 8) - at - 8);
    const auto right = digest_authorization({"ann", "s3cret", MasaCredentials::Scheme::digest}, challenge, "POST",
                                            path_request_voucher, cnonce);
    if (!cnonce.empty() && right && shown == *right) return masa_.good_answer(request);
    net::HttpResponse answer = net::HttpResponse::text(401, "");
    answer.headers.set("WWW-Authenticate", challenge);
    return answer;
  };
  EXPECT_EQ(ask(device_).status, 200);
  const auto asked = masa_.voucher_requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_FALSE(asked[0].headers.get("Authorization"));
  EXPECT_EQ(asked[0].body, asked[1].body);
}

TEST_F(TheWayToTheMasa, EndsInANoticeForTheOperatorWhereCredentialsAreWantedThatWeDoNotHave) {  // B-191
  masa_.on_voucher = [](const auto&) { return net::HttpResponse::text(401, ""); };
  const auto answer = ask(device_);
  EXPECT_EQ(answer.status, 502);
  test::expect_in("no usable answer", answer);
  EXPECT_TRUE(was_told("it wants credentials we do not have"));
  EXPECT_EQ(ask(road_.born("2")).status, 200);
}

TEST_F(TheWayToTheMasa, EndsWhereTheDigestChallengeIsOfAKindWeDoNotHave) {
  change_maker(
      [](auto& maker) { maker.masa_credentials = MasaCredentials{"ann", "s3cret", MasaCredentials::Scheme::digest}; });
  masa_.on_voucher = [](const auto&) {
    net::HttpResponse answer = net::HttpResponse::text(401, "");
    answer.headers.set("WWW-Authenticate", R"(Digest realm="m", nonce="n", qop="auth", algorithm=MD5)");
    return answer;
  };
  EXPECT_EQ(ask(device_).status, 502);
  EXPECT_TRUE(was_told("not for SHA-256"));
  EXPECT_EQ(masa_.voucher_requests().size(), 1u);
}

// RFC 7616 3.9.1
TEST(DigestAuthentication, IsThatOfRfc7616) {
  const MasaCredentials mufasa{"Mufasa", "Circle of Life", MasaCredentials::Scheme::digest};
  const std::string challenge = R"(Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,)"
                                R"( nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",)"
                                R"( opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")";
  const auto header = need(digest_authorization(mufasa, challenge, "GET", "/dir/index.html",
                                                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"));
  EXPECT_NE(header.find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            std::string::npos)
      << header;
  EXPECT_NE(header.find("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), std::string::npos);
}

TEST(DigestAuthentication, RefusesChallengesItCannotAnswer) {
  const MasaCredentials ann{"ann", "x", MasaCredentials::Scheme::digest};
  for (const auto& [challenge, naming] :
       {std::pair<std::string, const char*>{"", "is not Digest"},
        {"Basic realm=\"x\"", "is not Digest"},
        {"Digest realm=\"x\", nonce=\"n", "a string without end"},
        {"Digest realm=\"x\", realm=\"y\", nonce=\"n\", qop=\"auth\"", "names a parameter twice"},
        {"Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-256", "lacks realm, nonce or qop=auth"},
        {"Digest realm=\"x\", nonce=\"n\", qop=\"auth\"", "not for SHA-256"},
        {"Digest realm=\"x\", nonce=\"a\x01\"", "control characters"},
        {"Digest realm=\"" + std::string(5000, 'a') + "\"", "too long"}}) {
    const auto refused = digest_authorization(ann, challenge, "GET", "/", "c");
    ASSERT_FALSE(refused) << challenge;
    EXPECT_NE(refused.error().message.find(naming), std::string::npos) << refused.error().message;
  }
}

TEST(CredentialsInAFile, AreOneLine) {
  const auto good = need(parse_credentials("ann:s:3\n"));
  EXPECT_EQ(good.user, "ann");
  EXPECT_EQ(good.password, "s:3");
  for (const char* bad : {"", "ann", ":x", "ann:", "ann:x\nbob:y", "an\tn:x"}) {
    const auto refused = parse_credentials(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, BrskiError::bad_option);
    EXPECT_EQ(refused.error().message.find("x"), std::string::npos) << "no secret in a message";
  }
}

// --- the answer ---------------------------------------------------------------------------------------------------

TEST_F(TheWayToTheMasa, IsNotGoneAgainForTheSameRequest) {  // B-195
  const Bytes request = test::signed_pledge_request(device_, own());
  const auto first = ask(device_, request);
  const auto second = ask(device_, request);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(masa_.voucher_requests().size(), 1u);
  road_.restart_registrar();
  EXPECT_EQ(ask(device_, request).body, first.body);
  EXPECT_EQ(masa_.voucher_requests().size(), 1u);
  EXPECT_EQ(ask(device_).status, 200) << "another request";
  EXPECT_EQ(masa_.voucher_requests().size(), 2u);
}

TEST_F(TheWayToTheMasa, IsGoneAgainForTheSameRequestWhereAnswersAreNotToBeReused) {  // B-195
  change([](auto& options) { options.reuse_answers_for = std::chrono::seconds(0); });
  const Bytes request = test::signed_pledge_request(device_, own());
  EXPECT_EQ(ask(device_, request).status, 200);
  EXPECT_EQ(ask(device_, request).status, 200);
  const auto asked = masa_.voucher_requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(OwnMasa::opened(asked[0]).voucher.nonce, OwnMasa::opened(asked[1]).voucher.nonce);
}

TEST_F(TheWayToTheMasa, IsNoWayAroundPolicyForTheSameRequest) {
  const Bytes request = test::signed_pledge_request(device_, own());
  EXPECT_EQ(ask(device_, request).status, 200);
  road_.registrar_policy().answer(admission::PolicyPoint::registrar_returns, test::ScriptedAdmission::Verdict::deny);
  EXPECT_EQ(ask(device_, request).status, 403);
}

TEST_F(TheWayToTheMasa, PassesUnknownFormatsOnOnlyWhereConfiguredAndAskedFor) {  // B-197
  masa_.on_voucher = [](const auto&) {
    return net::HttpResponse::of(200, "application/voucher-cose+cbor", to_bytes("opaque"));
  };
  const auto asking_for = [&](const std::string& serial, const std::string& accept) {
    const Device device = masa_.device(serial);
    net::HttpRequest http =
        test::post(path_request_voucher, voucher::media_type_cms, test::signed_pledge_request(device, own()));
    http.headers.set("Accept", accept);
    return need(test::send(road_, road_.registrar_endpoint(), device.idevid, http));
  };
  const std::string both = "application/voucher-cms+json, Application/Voucher-COSE+cbor";
  EXPECT_EQ(asking_for("1", both).status, 502);
  change([](auto& options) { options.opaque_vouchers = true; });
  EXPECT_EQ(asking_for("2", "application/voucher-cms+json").status, 502) << "the device did not ask for it";
  EXPECT_EQ(asking_for("3", "*/*").status, 502) << "nor does a wildcard";
  const auto answer = asking_for("4", both);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(as_text(answer.body), "opaque");
  EXPECT_EQ(answer.headers.get("Content-Type"), "application/voucher-cose+cbor");
  EXPECT_TRUE(was_told("passed on unread"));
  masa_.on_voucher = [](const auto&) { return net::HttpResponse::of(200, voucher::media_type_cms, to_bytes("bad")); };
  EXPECT_EQ(asking_for("5", both).status, 502) << "a voucher that claims to be readable must be";
}

TEST_F(TheWayToTheMasa, DoesNotTakeAnswersLargerThanAnyVoucher) {
  masa_.on_voucher = [](const auto&) {
    return net::HttpResponse::of(200, voucher::media_type_cms, Bytes(std::size_t{300} << 10, 0x30));
  };
  EXPECT_EQ(ask(device_).status, 502);
  EXPECT_TRUE(was_told("larger than any voucher"));
}

// --- peers in the field -------------------------------------------------------------------------------------------

class APeerInTheField : public TheWayToTheMasa {
 protected:
  void compatible() {
    change_maker([](auto& maker) { maker.compat = Compat::field; });
  }
  static std::string wrapped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 64) out += text.substr(i, 64) + "\r\n";
    return out;
  }
  // A pledge's request under the voucher's JSON root, with a date of offset and fraction.
  Bytes other_root() const {
    std::string json = voucher::to_json(test::pledge_request(device_, own()), voucher::Root::voucher);
    const auto date = json.find("Z\"");
    json.replace(date, 1, ".5+00:00");
    return need(crypto::cms_sign(as_bytes(json), crypto::oid_id_data, device_.certificate(), *device_.idevid.key));
  }
};

TEST_F(APeerInTheField, IsRefusedUnlessItsMakerIsConfiguredSo) {
  const std::string text = base64(test::signed_pledge_request(device_, own()));
  EXPECT_EQ(ask(device_, to_bytes(text)).status, 406);
  EXPECT_EQ(ask(device_, other_root()).status, 406);
  compatible();
  EXPECT_EQ(ask(device_, to_bytes(text)).status, 200);
  EXPECT_EQ(ask(device_, to_bytes(wrapped(base64(test::signed_pledge_request(device_, own()))))).status, 200);
  EXPECT_EQ(ask(device_, other_root()).status, 200);
  EXPECT_EQ(ask(device_).status, 200) << "what is right stays right";
  EXPECT_EQ(ask(device_, to_bytes("MIIB not a voucher")).status, 406);
  EXPECT_EQ(ask(device_, {}).status, 406);
}

TEST_F(APeerInTheField, IsNoReasonToBeLenientWithOtherMakers) {
  const test::Maker other = test::Maker::make("Other");
  Manufacturer lenient = road_.manufacturer(other);
  lenient.compat = Compat::field;
  need(road_.registrar().set_manufacturers({road_.manufacturer(road_.maker()), lenient}));
  EXPECT_EQ(ask(device_, to_bytes(base64(test::signed_pledge_request(device_, own())))).status, 406);
}

TEST_F(APeerInTheField, IsSentIdDataAndItsBase64IsPassedOnAsItIs) {  // decision 1
  EXPECT_EQ(ask(masa_.device("0")).status, 200);
  EXPECT_EQ(need(crypto::SignedMessage::verify(masa_.voucher_requests().back().body)).content_type(),
            crypto::oid_anima_json_voucher);
  compatible();
  std::string sent;
  masa_.on_voucher = [&](const net::HttpRequest& request) {
    sent = wrapped(base64(masa_.good_answer(request).body));
    return net::HttpResponse::of(200, voucher::media_type_cms, as_bytes(sent));
  };
  const auto answer = ask(device_);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(as_text(answer.body), sent);
  EXPECT_EQ(need(crypto::SignedMessage::verify(masa_.voucher_requests().back().body)).content_type(),
            crypto::oid_id_data);
}

}  // namespace
}  // namespace cahn::brski
