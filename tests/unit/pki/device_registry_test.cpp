#include "pki/device_registry.h"

#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using test::value_of;

// Any certificate will do as an IDevID here: the registry keeps, it does not judge.
crypto::Certificate certificate_named(const std::string& serial_number) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = {{"serialNumber", serial_number}};
  spec.key = key->public_key();
  spec.not_before = std::chrono::floor<std::chrono::seconds>(system_clock().now());
  spec.not_after = crypto::no_expiration();
  return value_of(crypto::issue_certificate(spec, *key));
}

class TheDeviceRegistry : public testing::Test {
 protected:
  TheDeviceRegistry() {
    runtime_.start();
    open();
  }
  void open() {
    registry_.reset();
    slow_.reset();
    store_.reset();
    store_ = value_of(store::Store::open(folder_ / "registry.db"));
    slow_ = std::make_unique<test::SlowStore>(*store_);
    registry_ = value_of(DeviceRegistry::open(*slow_));
  }
  Result<void> record_voucher(const std::string& device, const crypto::Certificate& idevid, Time at) {
    auto* registry = registry_.get();
    return net::run_blocking<Result<void>>(
        runtime_, [=] { return registry->record_voucher(device, "did:key:maker", idevid, at); });
  }
  Result<void> record_ldevid(const std::string& device, const crypto::Certificate& ldevid) {
    auto* registry = registry_.get();
    return net::run_blocking<Result<void>>(runtime_, [=] { return registry->record_ldevid(device, ldevid); });
  }

  test::Folder folder_;
  net::Runtime runtime_{2};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<test::SlowStore> slow_;
  std::unique_ptr<DeviceRegistry> registry_;
  const Time at_ = value_of(parse_rfc3339("2026-03-01T12:00:00.123456Z"));
  const crypto::Certificate idevid_ = certificate_named("SN-1");
};

TEST_F(TheDeviceRegistry, KnowsNobodyAtFirst) {
  EXPECT_EQ(registry_->by_device("did:key:one"), std::nullopt);
  EXPECT_EQ(registry_->by_idevid(idevid_), std::nullopt);
  EXPECT_EQ(registry_->by_ldevid_serial("00"), std::nullopt);
  EXPECT_TRUE(registry_->all().empty());
}

TEST_F(TheDeviceRegistry, FindsThePairByEitherCertificate) {  // L606
  const auto ldevid = certificate_named("SN-1");
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", ldevid).has_value());
  for (const auto& found : {registry_->by_device("did:key:one"), registry_->by_idevid(idevid_),
                            registry_->by_ldevid_serial(ldevid.serial_hex())}) {
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->device, "did:key:one");
    EXPECT_EQ(found->manufacturer, "did:key:maker");
    EXPECT_EQ(found->serial_number, "SN-1");
    EXPECT_EQ(found->idevid, idevid_);
    EXPECT_EQ(found->voucher_at, at_);
    EXPECT_EQ(found->ldevids, std::vector{ldevid});
  }
}

TEST_F(TheDeviceRegistry, KeepsEverythingAcrossARestartNewestLast) {
  std::vector<crypto::Certificate> ldevids;
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  for (int i = 0; i < 12; ++i) {
    ldevids.push_back(certificate_named("SN-1"));
    ASSERT_TRUE(record_ldevid("did:key:one", ldevids.back()).has_value());
    if (i == 5) open();
  }
  ASSERT_TRUE(record_voucher("did:key:two", certificate_named("SN-2"), at_).has_value());
  open();
  const auto found = registry_->by_ldevid_serial(ldevids.front().serial_hex());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->ldevids, ldevids);
  EXPECT_EQ(found->voucher_at, at_);
  EXPECT_EQ(registry_->all().size(), 2u);
}

TEST_F(TheDeviceRegistry, KeepsTheLdevidsWhenADeviceGetsAnotherVoucher) {
  const auto ldevid = certificate_named("SN-1");
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", ldevid).has_value());
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_ + std::chrono::hours(1)).has_value());
  for (int restarted = 0; restarted < 2; ++restarted) {
    const auto found = registry_->by_device("did:key:one");
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->voucher_at, at_ + std::chrono::hours(1));
    EXPECT_EQ(found->ldevids, std::vector{ldevid});
    open();
  }
}

TEST_F(TheDeviceRegistry, RecordsNoLdevidWithoutAVoucher) {
  const auto recorded = record_ldevid("did:key:one", certificate_named("SN-1"));
  ASSERT_FALSE(recorded.has_value());
  EXPECT_EQ(recorded.error().code, PkiError::bad_request);
}

TEST_F(TheDeviceRegistry, CountsAnLdevidRecordedTwiceOnce) {
  const auto ldevid = certificate_named("SN-1");
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", ldevid).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", ldevid).has_value());
  EXPECT_EQ(registry_->by_device("did:key:one")->ldevids.size(), 1u);
  open();
  EXPECT_EQ(registry_->by_device("did:key:one")->ldevids.size(), 1u);
}

TEST_F(TheDeviceRegistry, TellsListenersOfEachLdevidUntilTheyLeave) {
  std::vector<std::size_t> seen;
  auto handle = registry_->on_ldevid([&](const DeviceRecord& record) { seen.push_back(record.ldevids.size()); });
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", certificate_named("SN-1")).has_value());
  ASSERT_TRUE(record_ldevid("did:key:one", certificate_named("SN-1")).has_value());
  EXPECT_EQ(seen, (std::vector<std::size_t>{1, 2}));
  handle.reset();
  ASSERT_TRUE(record_ldevid("did:key:one", certificate_named("SN-1")).has_value());
  EXPECT_EQ(seen.size(), 2u);
}

TEST_F(TheDeviceRegistry, ShowsNothingThatIsNotDurable) {
  slow_->hold();
  std::thread writer([&] { EXPECT_FALSE(record_voucher("did:key:one", idevid_, at_).has_value()); });
  while (slow_->waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(registry_->by_device("did:key:one"), std::nullopt) << "and reading did not wait for the write";
  slow_->let_one_through(false);
  writer.join();
  EXPECT_EQ(registry_->by_device("did:key:one"), std::nullopt);
}

TEST_F(TheDeviceRegistry, DoesNotOpenOverADamagedRecord) {
  store::Batch batch;
  batch.puts.push_back({"devices", "did:key:one", to_bytes(R"({"manufacturer":"m","idevid":"AAAA"})")});
  ASSERT_TRUE(store_->commit_and_wait(std::move(batch)).has_value());
  const auto opened = DeviceRegistry::open(*store_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, store::StoreError::corrupt);
}

TEST_F(TheDeviceRegistry, IsReadWhileItIsWritten) {
  ASSERT_TRUE(record_voucher("did:key:one", idevid_, at_).has_value());
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      const auto found = registry_->by_idevid(idevid_);
      ASSERT_TRUE(found.has_value());
      registry_->all();
    }
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(record_ldevid("did:key:one", certificate_named("SN-1")).has_value());
  stop = true;
  reader.join();
  EXPECT_EQ(registry_->by_device("did:key:one")->ldevids.size(), 20u);
}

}  // namespace
}  // namespace cahn::pki
