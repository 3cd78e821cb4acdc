// Several makers in one service, and the form of what it answers.

#include <gtest/gtest.h>

#include "brski/masa_format.h"
#include "crypto/cms.h"
#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;
using test::TestDomain;

class AMasaOfTwoMakers : public test::MasaTest {
 protected:
  AMasaOfTwoMakers() : MasaTest(options()) {}
  static const test::Maker& bolt() {
    static const test::Maker maker = test::Maker::make("Bolt");
    return maker;
  }
  static MasaTenant tenant_of(const test::Maker& maker, const std::string& name) {
    MasaTenant tenant;
    tenant.name = name;
    tenant.signer = {maker.masa.certificate};
    tenant.key = maker.masa.key;
    tenant.idevid_anchors = crypto::TrustStore({maker.ca.certificate});
    tenant.factory_anchors = crypto::TrustStore({maker.ca.certificate});
    return tenant;
  }
  static test::RoadOptions options() {
    test::RoadOptions options;
    options.change_masa = [](MasaOptions& masa) {
      masa.tenants.push_back(tenant_of(bolt(), "bolt"));
      masa.tenants.back().ownership = OwnershipPolicy::sales;
    };
    return options;
  }
  test::Device born_by_bolt(const std::string& serial) {
    test::Device device = test::make_device(bolt(), serial, road_.masa_authority());
    road_.tell_masa(device);
    return device;
  }
  int report_birth(const test::Party& factory, const test::Device& device) {
    const crypto::TlsIdentity client{{factory.certificate}, factory.key};
    const Birth birth{device.serial_number, device.certificate(), "one"};
    return post_as(client, path_births, "application/json", as_bytes(to_json(birth))).status;
  }
};

TEST_F(AMasaOfTwoMakers, SignsForEachWithItsOwnKeyUnderItsOwnPolicy) {
  const auto of_acme = ask_of(ann_);
  ASSERT_EQ(of_acme.status, 200) << as_text(of_acme.body);
  EXPECT_EQ(need(voucher::open(of_acme.body, voucher::Root::voucher)).signer, road_.maker().masa.certificate);

  device_ = born_by_bolt("1");  // the same serial number
  expect_refused(ask_of(ann_), 403, "no sale");
  EXPECT_TRUE(log().events.empty()) << "one's audit log is not the other's";
  ASSERT_TRUE(import_csv("serial,owner\n1," + ann_.owner() + "\n", "bolt"));
  const auto of_bolt = ask_of(ann_);
  ASSERT_EQ(of_bolt.status, 200) << as_text(of_bolt.body);
  const auto opened = need(voucher::open(of_bolt.body, voucher::Root::voucher));
  EXPECT_EQ(opened.signer, bolt().masa.certificate);
  EXPECT_EQ(opened.voucher.idevid_issuer, device_.certificate().authority_key_identifier_der());
  EXPECT_EQ(log().events.size(), 1u);
}

TEST_F(AMasaOfTwoMakers, KeepsTheirRecordsInTablesOfTheirOwn) {
  born_by_bolt("2");
  ASSERT_TRUE(import_csv("serial,owner\n2," + ann_.owner() + "\n", "bolt"));
  EXPECT_EQ(need(road_.masa_store().scan("births.bolt", "", 10)).size(), 1u);
  EXPECT_EQ(need(road_.masa_store().scan("owners.bolt", "", 10)).size(), 1u);
  EXPECT_EQ(need(road_.masa_store().scan("births", "", 10)).size(), 1u) << "the fixture's device";
  EXPECT_TRUE(need(road_.masa_store().scan("owners", "", 10)).empty());
  const auto nobody = import_csv("serial,owner\n", "nobody");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, BrskiError::unknown_party);
}

TEST_F(AMasaOfTwoMakers, TakesBirthsFromTheMakersOwnFactory) {
  const auto device = test::make_device(bolt(), "3", road_.masa_authority());
  EXPECT_EQ(report_birth(road_.maker().ca, device), 403);
  EXPECT_EQ(report_birth(bolt().ca, device), 201);
}

TEST_F(AMasaOfTwoMakers, NeedsTheIssuerWhereASerialNumberIsTwoDevices) {  // RFC 8366 5.3
  const auto of_bolt = born_by_bolt("1");
  sell_to(ann_);
  const auto without_issuer = [](auto& own) { own.idevid_issuer.reset(); };
  expect_refused(ask(nonceless_request_of(ann_.identity(), device_, without_issuer), ann_.identity()), 406,
                 "idevid-issuer");
  EXPECT_EQ(ask(nonceless_request_of(ann_.identity(), device_), ann_.identity()).status, 200);
  expect_refused(ask(nonceless_request_of(ann_.identity(), of_bolt), ann_.identity()), 403, "a sale names");
}

TEST_F(AMasaOfTwoMakers, MustHaveTenantsThatCanBeToldApart) {
  const auto create = [&](std::vector<MasaTenant> tenants) {
    MasaOptions options;
    options.tenants = std::move(tenants);
    const auto masa = Masa::create(std::move(options), road_.masa_policy(), road_.masa_store());
    return masa ? std::string() : masa.error().message;
  };
  EXPECT_EQ(create({tenant_of(road_.maker(), "acme"), tenant_of(bolt(), "bolt")}), "");
  EXPECT_NE(create({}).find("no maker"), std::string::npos);
  EXPECT_NE(create({tenant_of(road_.maker(), "acme"), tenant_of(bolt(), "acme")}).find("are called 'acme'"),
            std::string::npos);
  EXPECT_NE(create({tenant_of(bolt(), "acme"), tenant_of(bolt(), "bolt")}).find("in common"), std::string::npos);
  for (const std::string& name : {std::string(), std::string("Acme"), std::string("a.b"), std::string(33, 'a')}) {
    EXPECT_NE(create({tenant_of(bolt(), name)}).find("a name is"), std::string::npos) << name;
  }
}

class AMakerOfTwoIssuers : public test::MasaTest {
 protected:
  AMakerOfTwoIssuers() : MasaTest(with([](auto& maker) {
    maker.ownership = OwnershipPolicy::sales;
    auto anchors = maker.idevid_anchors.anchors();
    anchors.push_back(second().ca.certificate);
    maker.idevid_anchors = crypto::TrustStore(anchors);
  })) {}
  static const test::Maker& second() {
    static const test::Maker maker = test::Maker::make("Acme, second");
    return maker;
  }
};

TEST_F(AMakerOfTwoIssuers, TellsApartTheirDevicesOfOneSerialNumber) {
  const auto other = test::make_device(second(), "1", road_.masa_authority());
  sell_to(ann_);  // while there is one device of that number
  EXPECT_EQ(ask_of(ann_).status, 200);
  road_.tell_masa(other);
  expect_refused(ask_of(ann_), 403, "no sale");
  const auto vague = import_csv("serial,owner\n1," + bob_.owner() + "\n");
  ASSERT_FALSE(vague);
  EXPECT_EQ(vague.error().message, "several devices have the serial number '1': the sale needs an issuer");
  need(import_csv("serial,owner,issuer\n1," + ann_.owner() + "," +
                  hex(*device_.certificate().authority_key_identifier()) + "\n1," + bob_.owner() + "," +
                  hex(*other.certificate().authority_key_identifier()) + "\n"));
  EXPECT_EQ(ask_of(ann_).status, 200);
  expect_refused(ask_of(bob_), 403, "another domain");
  device_ = other;
  EXPECT_EQ(ask_of(bob_).status, 200);
  expect_refused(ask_of(ann_), 403, "another domain");
}

// --- the form of a voucher ----------------------------------------------------------------------------------------

using voucher::Format;

std::string chosen(const std::optional<std::string>& accept, std::vector<Format> of_device = {Format::cms}) {
  const auto format = choose_format(accept, of_device);
  if (!format) return std::to_string(http_status(format.error().code));
  return *format == Format::jws ? "jws" : "cms";
}

TEST(TheFormOfAVoucher, IsWhatAcceptLikesBestOfWhatTheDeviceReads) {  // RFC 8995 5.6
  const std::vector<Format> both = {Format::cms, Format::jws};
  EXPECT_EQ(chosen(std::nullopt), "cms");
  EXPECT_EQ(chosen(""), "cms");
  EXPECT_EQ(chosen("*/*"), "cms");
  EXPECT_EQ(chosen("application/*;q=0.1"), "cms");
  EXPECT_EQ(chosen("Application/Voucher-CMS+JSON"), "cms");
  EXPECT_EQ(chosen("application/voucher-jws+json", both), "jws");
  EXPECT_EQ(chosen("application/voucher-cms+json;q=0.5, application/voucher-jws+json;q=0.8", both), "jws");
  EXPECT_EQ(chosen("application/voucher-jws+json, application/voucher-cms+json", both), "cms") << "its maker's first";
  EXPECT_EQ(chosen("*/*, application/voucher-cms+json;q=0", both), "jws");
  EXPECT_EQ(chosen("text/html, , ;q=1, application/voucher-cms+json;level=1"), "cms");
  EXPECT_EQ(chosen("application/voucher-cms+json;q=nonsense"), "cms");
}

TEST(TheFormOfAVoucher, IsRefusedWith406WhenTheDeviceCannotReadItAnd415WhenNobodyCan) {
  EXPECT_EQ(chosen("application/voucher-jws+json"), "406");
  EXPECT_EQ(chosen("application/voucher-jws+json, application/voucher-cms+json;q=0"), "406");
  EXPECT_EQ(chosen("application/voucher-cms+json", {Format::jws}), "406");
  EXPECT_EQ(chosen("application/voucher-cose+cbor"), "415");
  EXPECT_EQ(chosen("text/html"), "415");
  EXPECT_EQ(chosen("*/*;q=0"), "415");
}

class AMasaWhoseDevicesReadJws : public test::MasaTest {
 protected:
  AMasaWhoseDevicesReadJws() : MasaTest(with([](auto& maker) {
    maker.formats = {Format::cms_id_data, Format::jws};
    maker.domain_cert_revocation_checks = true;
    maker.pin = PinPolicy::end_entity;
  })) {}
  net::HttpResponse ask_for(const std::string& accept, std::string_view type, const Bytes& body) {
    auto request = test::post(path_request_voucher, type, body);
    request.headers.set("Accept", accept);
    return need(test::send(road_, road_.masa_endpoint(), std::nullopt, request));
  }
};

TEST_F(AMasaWhoseDevicesReadJws, MakesOneAndSaysSo) {
  const auto answer = ask_for("application/voucher-jws+json", voucher::media_type_cms, request_of(ann_.identity(), device_));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_EQ(answer.headers.get("Content-Type"), voucher::media_type_jws);
  EXPECT_TRUE(voucher::open(Format::jws, answer.body, voucher::Root::voucher));
}

TEST_F(AMasaWhoseDevicesReadJws, MakesCmsWithTheContentTypeOfTheField) {  // decision 1
  const auto answer = ask_of(ann_);
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_EQ(need(crypto::SignedMessage::verify(answer.body)).content_type(), "1.2.840.113549.1.7.1");
}

TEST_F(AMasaWhoseDevicesReadJws, PutsItsSettingsIntoTheVoucher) {
  const auto voucher = voucher_in(ask_of(ann_));
  EXPECT_EQ(voucher.pinned_domain_cert, ann_.registrar.certificate);
  EXPECT_EQ(voucher.domain_cert_revocation_checks, true);
}

TEST_F(AMasaWhoseDevicesReadJws, ReadsARegistrarsJwsAroundAPledgesJws) {
  voucher::Voucher prior = test::pledge_request(device_, ann_.registrar.certificate);
  const auto root = voucher::Root::voucher_request;
  const auto signed_by = [&](const crypto::TlsIdentity& who, const voucher::Voucher& content) {
    const std::vector<crypto::Certificate> rest(who.chain.begin() + 1, who.chain.end());
    return need(voucher::sign(content, root, who.chain.front(), *who.key, rest, Format::jws));
  };
  voucher::Voucher request;
  request.created_on = system_clock().now();
  request.serial_number = device_.serial_number;
  request.nonce = prior.nonce;
  request.prior_signed_voucher_request = signed_by(device_.idevid, prior);
  const auto answer =
      ask_for("application/voucher-jws+json", voucher::media_type_jws, signed_by(ann_.identity(), request));
  EXPECT_EQ(answer.status, 200) << as_text(answer.body);
  expect_refused(ask_for("*/*", voucher::media_type_cms, signed_by(ann_.identity(), request)), 406, "");
}

}  // namespace
}  // namespace cahn::brski
