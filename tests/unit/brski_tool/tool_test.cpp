// What the `brski` tool does with vouchers in files, and what the anchors of its ini permit.

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "apps/brski/artefact.h"
#include "apps/brski/artefact_commands.h"
#include "apps/brski/ini_admission.h"
#include "apps/common/certificate_files.h"
#include "base/file.h"
#include "tests/support/pki/pki.h"

namespace cahn::apps::tool {
namespace {

using admission::AdmissionAnswer;
using admission::PolicyPoint;
using test::must;
using voucher::Root;
using voucher::VoucherError;

constexpr const char* serial = "00-D0-E5-F2-00-02";
constexpr const char* nonce = "QWJjZGVmZ2hpamtsbW5vcA==";

class AnArtefact : public testing::Test {
 protected:
  ~AnArtefact() override { std::filesystem::remove(file_); }

  const std::string& in_file(ByteView content) {
    EXPECT_TRUE(write_file(file_, content, FileMode::secret));
    return file_;
  }
  Bytes pledge_request() const {
    const auto device = pki_.device(serial);
    voucher::Voucher request;
    request.serial_number = serial;
    request.nonce = nonce;
    request.assertion = voucher::Assertion::proximity;
    request.proximity_registrar_cert = pki_.registrar().certificate;
    return must(voucher::sign(request, Root::voucher_request, device.certificate, *device.key, device.issuers()));
  }
  Bytes registrar_request(Bytes prior, const std::string& its_nonce = nonce) const {
    const auto& registrar = pki_.registrar();
    voucher::Voucher request;
    request.serial_number = serial;
    request.nonce = its_nonce;
    request.prior_signed_voucher_request = std::move(prior);
    return must(
        voucher::sign(request, Root::voucher_request, registrar.certificate, *registrar.key, registrar.issuers()));
  }
  Result<void> verified(ByteView cms, std::vector<crypto::Certificate> anchors) {
    Verification asked;
    asked.file = in_file(cms);
    const std::string anchor_file = file_ + ".anchors";
    EXPECT_TRUE(write_certificates(anchor_file, anchors));
    asked.anchors = {anchor_file};
    asked.at = rfc3339(test::Pki::now());
    auto result = verify(asked);
    std::filesystem::remove(anchor_file);
    return result;
  }

  const test::Pki pki_;
  std::string file_ = testing::TempDir() + "artefact_" + std::to_string(getpid());
};

TEST_F(AnArtefact, IsReadAsDerPemAndBase64) {
  const Bytes cms = pki_.sign(pki_.voucher_for(serial, nonce));
  const std::string text = base64(cms);
  EXPECT_EQ(must(read_artefact(in_file(cms))), cms);
  EXPECT_EQ(must(read_artefact(in_file(as_bytes(text)))), cms);
  EXPECT_EQ(must(read_artefact(in_file(as_bytes(text.substr(0, 64) + "\r\n" + text.substr(64) + "\r\n")))), cms);
  EXPECT_EQ(must(read_artefact(in_file(as_bytes("x\n-----BEGIN CMS-----\n" + text + "\n-----END CMS-----\n")))), cms);
  for (const std::string bad :
       {"", "-----BEGIN CMS-----", "-----BEGIN CMS-----\n", "-----END CMS----------BEGIN CMS-----\n", "not base64!",
        "-----BEGIN -----END -----\nAAAA"}) {
    const auto read = read_artefact(in_file(as_bytes(bad)));
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, VoucherError::not_cms) << bad;
  }
  EXPECT_EQ(read_artefact(in_file(Bytes((std::size_t{1} << 20) + 1))).error().code, FileError::too_large);
}

TEST_F(AnArtefact, ThatIsARequestInARequestIsToldWhole) {
  const std::string text = must(describe(registrar_request(pledge_request())));
  EXPECT_NE(text.find("\nprior-signed-voucher-request\n    voucher-request"), text.npos) << text;
  EXPECT_NE(text.find("    proximity-registrar-cert"), text.npos);
  const std::string json = must(describe_as_json(registrar_request(pledge_request())));
  EXPECT_NE(json.find("\"prior\": {\n    \"root\": \"voucher-request\""), json.npos) << json;
}

TEST_F(AnArtefact, SaysSoWhereThePriorRequestIsUnreadable) {
  const std::string text = must(describe(registrar_request(to_bytes("nonsense"))));
  EXPECT_NE(text.find("prior-signed-voucher-request\n    unreadable: "), text.npos) << text;
}

TEST_F(AnArtefact, IsNotToldDeeperThanFourLevels) {
  Bytes cms = pledge_request();
  for (int i = 0; i < 6; ++i) cms = registrar_request(cms);
  EXPECT_NE(must(describe(cms)).find("(not shown: too deep)"), std::string::npos);
  EXPECT_TRUE(describe_as_json(cms));
}

TEST_F(AnArtefact, SaysWhatAStrictReaderObjectsTo) {
  const auto& masa = pki_.masa();
  std::string json = voucher::to_json(pki_.voucher_for(serial, nonce), Root::voucher);
  const std::string date = rfc3339(*pki_.voucher_for(serial, nonce).created_on);
  json.replace(json.find(date), date.size(), "2026-03-01T13:00:00.5+01:00");
  const Bytes cms = must(crypto::cms_sign(as_bytes(json), crypto::oid_id_data, masa.certificate, *masa.key));
  const auto opened = must(open_artefact(cms));
  EXPECT_EQ(opened.root, Root::voucher);
  EXPECT_NE(opened.why_not_strict.find("created-on"), std::string::npos);
  EXPECT_NE(must(describe(cms)).find("read tolerantly"), std::string::npos);
  const auto strictly = verified(cms, {pki_.masa_ca().certificate});
  ASSERT_FALSE(strictly);
  EXPECT_NE(strictly.error().message.find("--tolerant"), std::string::npos);
}

TEST_F(AnArtefact, OfARegistrarIsVerifiedTogetherWithThePledges) {
  const auto domain = pki_.domain().certificate, maker = pki_.manufacturer().certificate;
  EXPECT_TRUE(verified(registrar_request(pledge_request()), {domain, maker}));
  EXPECT_EQ(verified(registrar_request(pledge_request()), {domain}).error().code, VoucherError::signer_not_trusted);
  EXPECT_EQ(verified(registrar_request(pledge_request()), {maker}).error().code, VoucherError::signer_not_trusted);
  EXPECT_EQ(verified(registrar_request(pledge_request(), "another"), {domain, maker}).error().code,
            VoucherError::wrong_nonce);
  EXPECT_EQ(verified(registrar_request(to_bytes("nonsense")), {domain, maker}).error().code, VoucherError::not_cms);
}

TEST_F(AnArtefact, OfNoRegistrarIsRefusedEvenUnderTheRightCa) {
  const auto member = test::Pki::issue({.subject = {{"CN", "a member"}}}, &pki_.domain());
  voucher::Voucher request;
  request.serial_number = serial;
  request.nonce = nonce;
  request.prior_signed_voucher_request = pledge_request();
  const Bytes cms =
      must(voucher::sign(request, Root::voucher_request, member.certificate, *member.key, member.issuers()));
  const auto result = verified(cms, {pki_.domain().certificate, pki_.manufacturer().certificate});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, VoucherError::bad_certificate) << result.error().message;
}

TEST_F(AnArtefact, ThatExpiredIsRefusedWithoutAPledgeToo) {
  voucher::Voucher voucher = pki_.voucher_for(serial, std::nullopt);
  voucher.expires_on = test::Pki::now() - std::chrono::hours(1);
  EXPECT_EQ(verified(pki_.sign(voucher), {pki_.masa_ca().certificate}).error().code, VoucherError::expired);
  voucher.expires_on = test::Pki::now() + std::chrono::hours(1);
  EXPECT_TRUE(verified(pki_.sign(voucher), {pki_.masa_ca().certificate}));
}

class TheAnchorsOfTheIni : public testing::Test {
 protected:
  AdmissionAnswer ask(RequiredAnchors required, PolicyPoint point) {
    const ManualClock clock(test::Pki::now());
    const auto policy = permit_under(std::move(required), clock);
    admission::AdmissionEvidence about{.point = point,
                                       .idevid = pki_.device(serial).certificate,
                                       .manufacturer = pki_.manufacturer().certificate,
                                       .serial_number = serial,
                                       .owner = owner_};
    boost::asio::io_context io;
    auto answer = boost::asio::co_spawn(io, policy->decide(std::move(about)), boost::asio::use_future);
    io.run();
    return must(answer.get());
  }
  static bool permits(const AdmissionAnswer& answer) { return answer.verdict == AdmissionAnswer::Verdict::permit; }

  const test::Pki pki_;
  std::optional<crypto::Certificate> owner_ = pki_.domain().certificate;
};

TEST_F(TheAnchorsOfTheIni, PermitWhatTheySayNothingOf) {
  for (const auto point : {PolicyPoint::registrar_receives, PolicyPoint::masa_receives, PolicyPoint::registrar_returns})
    EXPECT_TRUE(permits(ask({}, point)));
  EXPECT_TRUE(permits(ask({.devices = pki_.domain_anchors()}, PolicyPoint::masa_receives)));
  EXPECT_TRUE(permits(ask({.domains = pki_.masa_anchors()}, PolicyPoint::registrar_receives)));
}

TEST_F(TheAnchorsOfTheIni, PermitOnlyWhatLeadsToThem) {
  EXPECT_TRUE(permits(ask({.devices = pki_.manufacturer_anchors()}, PolicyPoint::registrar_receives)));
  EXPECT_FALSE(permits(ask({.devices = pki_.domain_anchors()}, PolicyPoint::registrar_receives)));
  EXPECT_TRUE(permits(ask({.domains = pki_.domain_anchors()}, PolicyPoint::masa_receives)));
  const auto refused = ask({.domains = pki_.masa_anchors()}, PolicyPoint::masa_receives);
  EXPECT_FALSE(permits(refused));
  EXPECT_NE(refused.reason.find("cmsVerifyStorePath"), std::string::npos);
}

TEST_F(TheAnchorsOfTheIni, PermitNobodyWhoseDomainIsNotKnown) {
  owner_.reset();
  EXPECT_FALSE(permits(ask({.domains = pki_.domain_anchors()}, PolicyPoint::masa_receives)));
}

TEST_F(TheAnchorsOfTheIni, FindTheirWayOverIntermediates) {
  const auto site = test::Pki::issue({.subject = {{"CN", "Site CA"}}, .ca = true}, &pki_.domain());
  owner_ = test::Pki::issue({.subject = {{"CN", "Building CA"}}, .ca = true}, &site).certificate;
  EXPECT_FALSE(permits(ask({.domains = pki_.domain_anchors()}, PolicyPoint::masa_receives)));
  EXPECT_TRUE(permits(
      ask({.domains = pki_.domain_anchors(), .intermediates = {site.certificate}}, PolicyPoint::masa_receives)));
}

}  // namespace
}  // namespace cahn::apps::tool
