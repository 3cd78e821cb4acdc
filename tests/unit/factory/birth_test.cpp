#include <algorithm>

#include "tests/unit/factory/support.h"

namespace cahn::factory {
namespace {

using test::certificates_in;
using test::value_of;

bool is_private(const std::filesystem::path& file) {
  return std::filesystem::status(file).permissions() ==
         (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

class AManufacturer : public test::FactoryTest {};

TEST_F(AManufacturer, HasSeparateKeysForDevicesVouchersAndHttps) {
  create();
  std::vector<crypto::PublicKey> keys;
  for (const auto* name : {"manufacturer-ca", "masa-ca", "web-ca", "factory", "masa/signer", "masa/tls"}) {
    const auto file = state() / (std::string(name) + ".key");
    EXPECT_TRUE(is_private(file)) << name;
    const auto key = value_of(crypto::open_key(file.string()))->public_key();
    EXPECT_EQ(std::ranges::find(keys, key), keys.end()) << name << " shares its key";
    keys.push_back(key);
  }
}

TEST_F(AManufacturer, NamesItselfAsTheSourceSays) {  // L899-905
  create();
  const auto [status, output] =
      test::run(state(), "openssl x509 -in manufacturer-ca.pem -noout -subject -ext basicConstraints");
  EXPECT_EQ(status, 0);
  EXPECT_NE(output.find("OU = www.manufacture.com, CN = Manufacturer ltd"), output.npos) << output;
  EXPECT_NE(output.find("CA:TRUE, pathlen:0"), output.npos) << output;
}

TEST_F(AManufacturer, GivesTheMasaCertificatesThatOpensslVerifies) {
  create();
  const auto signer = test::run(state(), "openssl verify -x509_strict -CAfile masa-anchor.pem masa/signer.pem");
  EXPECT_EQ(signer.first, 0) << signer.second;
  const auto tls =
      test::run(state(),
                "openssl verify -x509_strict -purpose sslserver -verify_hostname masa.example.org -CAfile "
                "web-anchor.pem masa/tls.pem && openssl verify -verify_ip 127.0.0.1 -CAfile web-anchor.pem "
                "masa/tls.pem");
  EXPECT_EQ(tls.first, 0) << tls.second;
  EXPECT_NE(test::run(state(), "openssl verify -CAfile masa-anchor.pem masa/tls.pem").first, 0);
  EXPECT_NE(test::run(state(), "openssl verify -CAfile manufacturer-ca.pem masa/signer.pem").first, 0);
}

TEST_F(AManufacturer, HandsTheMasaNoKeyOfItsOwn) {
  create();
  std::vector<std::string> keys;
  for (const auto& entry : std::filesystem::directory_iterator(state() / "masa")) {
    if (entry.path().extension() == ".key") keys.push_back(entry.path().filename());
  }
  std::ranges::sort(keys);
  EXPECT_EQ(keys, (std::vector<std::string>{"signer.key", "tls.key"}));
  EXPECT_EQ(certificates_in(state() / "masa/idevid-anchor.pem"), std::vector{manufacturer_->certificate()});
  EXPECT_EQ(certificates_in(state() / "masa/factory-anchor.pem"), std::vector{manufacturer_->client_certificate()});
}

TEST_F(AManufacturer, IsNotMadeTwiceInOneFolder) {
  create();
  const auto ca = manufacturer_->certificate();
  manufacturer_.reset();
  const auto again = Manufacturer::create(state(), options());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, FactoryError::exists);
  reopen();
  EXPECT_EQ(manufacturer_->certificate(), ca);
  EXPECT_EQ(manufacturer_->options().masa_url, "masa.example.org:9443");
}

TEST_F(AManufacturer, IsNotOpenedWhereThereIsNoneOrItsKeyIsGone) {
  EXPECT_EQ(Manufacturer::open(state()).error().code, FactoryError::no_factory);
  create();
  manufacturer_.reset();
  std::filesystem::remove(state() / "manufacturer-ca.key");
  EXPECT_FALSE(Manufacturer::open(state()).has_value());
  EXPECT_FALSE(std::filesystem::exists(state() / "manufacturer-ca.key")) << "a new key under the old name";
}

TEST_F(AManufacturer, IsNotOpenedByASecondProcess) {
  create();
  EXPECT_FALSE(Manufacturer::open(state()).has_value());
}

TEST_F(AManufacturer, IsFinishedWhenItsCreationBrokeOff) {
  create();
  const auto ca = manufacturer_->certificate();
  manufacturer_.reset();
  std::filesystem::remove(state() / "factory.json");
  create();
  EXPECT_EQ(manufacturer_->certificate(), ca);
}

TEST_F(AManufacturer, RenewsTheMasasCertificatesUnderTheSameAnchors) {
  create();
  const auto before = certificates_in(state() / "masa/signer.pem");
  ASSERT_TRUE(manufacturer_->renew_masa_certificates().has_value());
  const auto after = certificates_in(state() / "masa/signer.pem");
  EXPECT_NE(after.front(), before.front());
  EXPECT_EQ(after.front().public_key(), before.front().public_key());
  EXPECT_EQ(after.back(), before.back());
}

TEST_F(AManufacturer, RefusesNamesAndUrlsThatCannotStandInACertificate) {
  const auto refuses = [&](auto change) {
    auto bad = options();
    change(bad);
    const auto made = Manufacturer::create(state(), bad);
    EXPECT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, FactoryError::bad_option) << made.error().message;
  };
  refuses([](auto& o) { o.name = ""; });
  refuses([](auto& o) { o.name = std::string(51, 'x'); });
  refuses([](auto& o) { o.name = "two\nlines"; });
  refuses([](auto& o) { o.website = std::string(65, 'x'); });
  for (const auto* url :
       {"", "http://masa.example.org", "https://masa.example.org/path", "masa.example.org/path",
        "user@masa.example.org", "masa.example.org:99999", "masa.example.org?x", "two words", ":9443"}) {
    refuses([url](auto& o) { o.masa_url = url; });
  }
  EXPECT_FALSE(std::filesystem::exists(state() / "factory.json"));
}

TEST_F(AManufacturer, PutsTheAuthorityAloneIntoTheMasaUrl) {  // RFC 8995 2.3.2
  auto given = options();
  given.masa_url = "https://[2001:db8::1]:9443/";
  given.masa_dns_names = given.masa_ip_addresses = {};
  manufacturer_ = value_of(Manufacturer::create(state(), given));
  EXPECT_EQ(manufacturer_->options().masa_url, "[2001:db8::1]:9443");
  const auto birth = value_of(give_birth(*manufacturer_, device(), "SN-1", "lamp"));
  EXPECT_EQ(birth.idevid.masa_url(), "[2001:db8::1]:9443");
  EXPECT_NE(test::run(state(), "openssl x509 -in masa/tls.pem -noout -ext subjectAltName").second.find("2001:DB8:"),
            std::string::npos);
}

class ABirth : public test::FactoryTest {
 protected:
  ABirth() { create(); }
  void refuses(const Bytes& csr, FactoryError code, std::string_view serial = "SN-1", std::string_view model = "lamp") {
    const auto issued = manufacturer_->issue_idevid(csr, serial, model);
    ASSERT_FALSE(issued.has_value());
    EXPECT_EQ(issued.error().code, code) << issued.error().message;
  }
};

TEST_F(ABirth, GivesTheDeviceAnIdevidAsRfc8995WantsIt) {
  const auto birth = value_of(give_birth(*manufacturer_, device(), "SN-1", "lamp"));
  const auto chain = certificates_in(device() / "idevid.pem");
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0], birth.idevid);
  EXPECT_EQ(chain[1], manufacturer_->certificate());
  EXPECT_EQ(birth.idevid.subject_serial_number(), "SN-1");
  EXPECT_EQ(birth.idevid.common_name(), "SN-1");
  EXPECT_EQ(birth.idevid.masa_url(), "masa.example.org:9443");
  EXPECT_EQ(birth.idevid.not_after(), crypto::no_expiration());
  const auto [status, text] =
      test::run(device(), "openssl verify -x509_strict -CAfile " + (state() / "manufacturer-ca.pem").string() +
                              " idevid.pem && openssl x509 -in idevid.pem -noout -text");
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("Subject: OU = lamp, serialNumber = SN-1, CN = SN-1"), text.npos) << text;
  EXPECT_NE(text.find("Dec 31 23:59:59 9999 GMT"), text.npos);
  EXPECT_NE(text.find("CA:FALSE"), text.npos);
  EXPECT_NE(text.find("Subject Key Identifier"), text.npos);
  EXPECT_NE(text.find("Authority Key Identifier"), text.npos);
  EXPECT_EQ(text.find("Key Usage"), text.npos) << "RFC 8995 2.3 asks for none";
}

TEST_F(ABirth, LeavesTheDeviceWithItsKeyItsAnchorAndItsMakersServer) {  // B-342, B-343
  ASSERT_TRUE(give_birth(*manufacturer_, device(), "SN-1", "lamp").has_value());
  EXPECT_TRUE(is_private(device() / "idevid.key"));
  const auto key = value_of(crypto::open_key((device() / "idevid.key").string()));
  EXPECT_EQ(key->public_key(), certificates_in(device() / "idevid.pem").front().public_key());
  EXPECT_EQ(certificates_in(device() / "masa-anchor.pem"), std::vector{manufacturer_->masa_anchor()});
  const auto description = nlohmann::json::parse(test::text_of_file(device() / "device.json"));
  EXPECT_EQ(description["serialNumber"], "SN-1");
  EXPECT_EQ(description["masaUrl"], "masa.example.org:9443");
  EXPECT_EQ(description["manufacturer"], "Manufacturer ltd");
  EXPECT_EQ(std::filesystem::status(device()).permissions(), std::filesystem::perms::owner_all);
}

TEST_F(ABirth, MayBeOfADeviceThatHasItsKeyElsewhere) {
  const auto elsewhere = state() / "elsewhere.key";
  const auto key = value_of(crypto::open_or_create_key_file(crypto::KeyType::p384, elsewhere));
  const std::string uri = "file:" + elsewhere.string();
  const auto refused = give_birth(*manufacturer_, device(), "SN-1", "lamp", "file:" + (state() / "nothing").string());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, FactoryError::wrong_key);
  ASSERT_TRUE(prepare_device(device(), "SN-1", uri).has_value());  // and then the birth breaks off
  const auto born = give_birth(*manufacturer_, device(), "SN-1", "lamp");
  ASSERT_TRUE(born.has_value()) << born.error().message;
  EXPECT_EQ(born->idevid.public_key(), key->public_key());
  EXPECT_EQ(value_of(device_key(device())), uri);
  EXPECT_FALSE(std::filesystem::exists(device() / "idevid.key"));
}

TEST_F(ABirth, HappensOnceToADevice) {  // B-345
  ASSERT_TRUE(give_birth(*manufacturer_, device(), "SN-1", "lamp").has_value());
  const auto before = test::text_of_file(device() / "idevid.pem") + test::text_of_file(device() / "idevid.key");
  for (const auto* serial : {"SN-1", "SN-2"}) {
    const auto again = give_birth(*manufacturer_, device(), serial, "lamp");
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, FactoryError::already_born);
  }
  EXPECT_EQ(test::text_of_file(device() / "idevid.pem") + test::text_of_file(device() / "idevid.key"), before);
  EXPECT_EQ(value_of(manufacturer_->births()).size(), 1u);
}

TEST_F(ABirth, NeverGivesASerialNumberTwice) {  // B-344
  ASSERT_TRUE(give_birth(*manufacturer_, device("one"), "SN-1", "lamp").has_value());
  reopen();
  const auto second = give_birth(*manufacturer_, device("two"), "SN-1", "lamp");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, FactoryError::serial_taken);
  EXPECT_FALSE(std::filesystem::exists(device("two") / "idevid.pem"));
}

TEST_F(ABirth, NeverGivesAKeyTwice) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  ASSERT_TRUE(manufacturer_->issue_idevid(csr({}, key), "SN-1", "lamp").has_value());
  refuses(csr({}, key), FactoryError::key_taken, "SN-2");
  EXPECT_EQ(value_of(manufacturer_->find("SN-2")), std::nullopt);
}

TEST_F(ABirth, IsFinishedWhenItBrokeOffBeforeTheDeviceHadItsCertificate) {
  const auto request = value_of(prepare_device(device(), "SN-1"));
  const auto first = value_of(manufacturer_->issue_idevid(request, "SN-1", "lamp"));  // and then the power went
  reopen();
  const auto birth = value_of(give_birth(*manufacturer_, device(), "SN-1", "lamp"));
  EXPECT_EQ(birth.idevid, first.idevid) << "one birth, one certificate";
  EXPECT_EQ(value_of(manufacturer_->births()).size(), 1u);
}

TEST_F(ABirth, RefusesARequestWhoseSignatureIsBroken) {  // B-344
  auto request = csr();
  request.back() ^= 1;
  refuses(request, FactoryError::bad_request);
  refuses(to_bytes("nonsense"), FactoryError::bad_request);
  EXPECT_TRUE(value_of(manufacturer_->births()).empty());
}

TEST_F(ABirth, RefusesARequestForACaCertificate) { refuses(csr({.ask_for_ca = true}), FactoryError::bad_request); }

TEST_F(ABirth, RefusesARequestForAnotherSerialNumber) {
  refuses(csr({.subject = {{"serialNumber", "SN-2"}}}), FactoryError::bad_request);
  refuses(csr({.subject = {{"CN", "SN-2"}}}), FactoryError::bad_request);
  EXPECT_TRUE(
      manufacturer_->issue_idevid(csr({.subject = {{"O", "Acme"}, {"CN", "SN-1"}}}), "SN-1", "lamp").has_value());
}

TEST_F(ABirth, RefusesARequestWithUsagesOrNames) {
  refuses(csr({.dns_names = {"registrar.example.org"}}), FactoryError::bad_request);
  const auto [status, output] =
      test::run(folder_ / ".",
                "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj / "
                "-addext extendedKeyUsage=1.3.6.1.5.5.7.3.28 -outform DER -out r.der");
  ASSERT_EQ(status, 0) << output;
  refuses(value_of(read_file(folder_ / "r.der")), FactoryError::bad_request);
}

TEST_F(ABirth, RefusesSerialNumbersAndModelsThatCannotStandInACertificate) {
  for (const std::string& serial : {std::string(), std::string(65, '1'), std::string("a\nb"), std::string("a@b"),
                                    std::string("sérial"), std::string("a_b"), std::string("a\0b", 3)}) {
    refuses(csr(), FactoryError::bad_option, serial);
  }
  for (const std::string& model : {std::string(), std::string(65, 'm'), std::string("a\tb")}) {
    refuses(csr(), FactoryError::bad_option, "SN-1", model);
  }
  EXPECT_TRUE(value_of(manufacturer_->births()).empty());
}

TEST_F(ABirth, InstallsNoCertificateForAnotherKey) {
  value_of(prepare_device(device(), "SN-1"));
  const auto other = value_of(manufacturer_->issue_idevid(csr(), "SN-1", "lamp"));
  const auto installed = install_idevid(device(), other);
  ASSERT_FALSE(installed.has_value());
  EXPECT_EQ(installed.error().code, FactoryError::wrong_key);
  EXPECT_FALSE(std::filesystem::exists(device() / "idevid.pem"));
}

TEST_F(ABirth, IsInTheBooksAfterARestart) {
  const auto birth = value_of(give_birth(*manufacturer_, device(), "SN-1", "lamp"));
  reopen();
  const auto found = value_of(manufacturer_->find("SN-1"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->idevid, birth.idevid);
  EXPECT_EQ(found->model, "lamp");
  EXPECT_EQ(found->at, birth.at);
  EXPECT_EQ(value_of(manufacturer_->pending()), std::vector<std::string>{"SN-1"});
}

}  // namespace
}  // namespace cahn::factory
