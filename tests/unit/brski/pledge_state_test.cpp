// What a device keeps survives; what is half done does not count.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "brski/pledge_impl.h"
#include "requests.h"

namespace cahn::brski {
namespace {

namespace fs = std::filesystem;
using test::need;

NetworkCredential some_credential(const std::string& serial_number) {
  const test::Party ca = test::make_ca("domain");
  const test::Party device = test::make_party(ca, {{"CN", "lab"}, {"serialNumber", serial_number}});
  return {device.key, device.certificate, {ca.certificate}, to_bytes("voucher"), "lab", {"fe80::1%eth0", 8443}};
}

class AState : public testing::Test {
 protected:
  std::size_t folders() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path_)) {
      count += entry.path().filename().string().starts_with("network-") && !entry.is_symlink();
    }
    return count;
  }
  test::TemporaryFolder folder_;
  fs::path path_ = folder_ / "state";
};

TEST_F(AState, IsEmptyAtTheFactory) {
  const auto state = need(PledgeState::open(path_));
  EXPECT_FALSE(need(state.load()));
}

TEST_F(AState, KeepsWhatIsSaved) {
  const NetworkCredential credential = some_credential("1");
  need(need(PledgeState::open(path_)).save(credential));
  const auto loaded = need(need(PledgeState::open(path_)).load());
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->ldevid, credential.ldevid);
  EXPECT_TRUE(loaded->key->public_key() == credential.key->public_key());
  EXPECT_EQ(loaded->domain_ca, credential.domain_ca);
  EXPECT_EQ(loaded->voucher, credential.voucher);
  EXPECT_EQ(loaded->network, "lab");
  EXPECT_EQ(loaded->registrar.host, "fe80::1%eth0");
  EXPECT_EQ(loaded->registrar.port, 8443);
}

TEST_F(AState, MayBeNamedFromTheWorkingFolderWhateverItsName) {
  const fs::path odd = fs::relative(folder_ / "50% of: a state");
  ASSERT_TRUE(odd.is_relative());
  need(need(PledgeState::open(odd)).save(some_credential("1")));
  EXPECT_TRUE(need(need(PledgeState::open(odd)).load()));
}

TEST_F(AState, HasItsSecretsForTheOwnerOnly) {
  need(need(PledgeState::open(path_)).save(some_credential("1")));
  struct stat key = {}, folder = {};
  ASSERT_EQ(::stat((path_ / "network" / "ldevid.key").c_str(), &key), 0);
  ASSERT_EQ(::stat((path_ / "network/.").c_str(), &folder), 0);
  EXPECT_EQ(key.st_mode & 0777, 0600u);
  EXPECT_EQ(folder.st_mode & 0777, 0700u);
}

TEST_F(AState, IsReplacedAsAWhole) {
  const auto state = need(PledgeState::open(path_));
  need(state.save(some_credential("1")));
  const NetworkCredential second = some_credential("2");
  need(state.save(second));
  EXPECT_EQ(need(state.load())->ldevid, second.ldevid);
  EXPECT_EQ(folders(), 1u) << "the old key is gone";
}

TEST_F(AState, OfACrashBeforeTheLastStepIsTheOneBefore) {
  const NetworkCredential first = some_credential("1");
  need(need(PledgeState::open(path_)).save(first));
  // What a save leaves that lost its power anywhere before the rename.
  fs::create_directory(path_ / "network-half");
  need(write_file(path_ / "network-half" / "ldevid.key", as_bytes("half a key")));
  fs::create_symlink("network-half", path_ / "network.new");
  const auto state = need(PledgeState::open(path_));
  EXPECT_EQ(need(state.load())->ldevid, first.ldevid);
  EXPECT_EQ(folders(), 1u) << "what was half done is cleared away";
  const NetworkCredential second = some_credential("2");
  need(state.save(second));
  EXPECT_EQ(need(state.load())->ldevid, second.ldevid);
}

TEST_F(AState, OfACrashInTheFirstSaveIsTheFactorys) {
  fs::create_directory(path_);
  fs::permissions(path_, fs::perms::owner_all);
  fs::create_directory(path_ / "network-half");
  const auto state = need(PledgeState::open(path_));
  EXPECT_FALSE(need(state.load()));
}

TEST_F(AState, ThatWasTamperedWithIsNotTakenForAFactorys) {
  const auto damage = [&](const char* file, std::string_view content) {
    test::TemporaryFolder other;
    const fs::path path = other / "state";
    need(need(PledgeState::open(path)).save(some_credential("1")));
    const fs::path victim = path / "network" / file;
    if (content.empty()) {
      fs::remove(victim);
    } else {
      need(write_file(victim, as_bytes(content), FileMode::secret));
    }
    const auto loaded = need(PledgeState::open(path)).load();
    ASSERT_FALSE(loaded) << file;
    EXPECT_EQ(loaded.error().code, BrskiError::bad_state);
  };
  for (const char* file : {"ldevid.key", "ldevid.pem", "domain-ca.pem", "voucher.cms", "network.json"})
    damage(file, "");
  for (const char* file : {"ldevid.key", "ldevid.pem", "domain-ca.pem", "network.json"}) damage(file, "nonsense");
  damage("network.json", R"({"network":1,"registrarHost":"h","registrarPort":2})");
  damage("network.json", R"({"network":"n","registrarHost":"h","registrarPort":70000})");
  damage("ldevid.key", need(crypto::key_to_pem(*need(crypto::generate_key(crypto::KeyType::p256)))));
}

TEST_F(AState, ForgetsTheNetworkOnAFactoryReset) {
  const auto state = need(PledgeState::open(path_));
  need(state.save(some_credential("1")));
  need(state.forget());
  EXPECT_FALSE(need(state.load()));
  EXPECT_EQ(folders(), 0u) << "also the key";
  need(state.forget());
}

TEST_F(AState, IsOfOneProcessAtATime) {
  const auto state = need(PledgeState::open(path_));
  EXPECT_FALSE(PledgeState::open(path_));
}

TEST_F(AState, OfARealOnboardingIsReadBackByTheNextProcess) {
  test::Road road;
  PledgeOptions options = road.pledge_options(road.born("1"));
  options.state = path_;
  crypto::Certificate ldevid = road.maker().ca.certificate;
  {
    const auto pledge = need(Pledge::open(options));
    const auto got = need(road.onboard(*pledge));
    EXPECT_EQ(got.key->uri(), "file:" + (path_ / "network" / "ldevid.key").string());
    ldevid = got.ldevid;
  }
  const auto pledge = need(Pledge::open(options));
  ASSERT_TRUE(pledge->credential());
  EXPECT_EQ(pledge->credential()->ldevid, ldevid);
  const auto renewed = road.run<Result<NetworkCredential>>([&]() { return pledge->renew(); });
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_NE(renewed->ldevid, ldevid);
}

}  // namespace
}  // namespace cahn::brski
