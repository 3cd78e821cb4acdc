// What the tests of pki share: a folder, a store, a CA on a clock of its own, requests, and `openssl` as the judge
// outside.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/file.h"
#include "net/async.h"
#include "pki/domain_ca.h"
#include "store/store.h"
#include "tests/unit/pki/outside.h"

namespace cahn::pki::test {

using cahn::test::Folder;
using cahn::test::run;
using cahn::test::value_of;
using cahn::test::write;

// A store in front of a real one that can hold commits back, or fail them, as a disk does.
class SlowStore final : public store::Store {
 public:
  explicit SlowStore(store::Store& disk) : disk_(disk) {}

  // From now on commits wait until let_one_through().
  void hold() { is_holding_ = true; }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void let_one_through(bool succeeds = true) {
    std::pair<store::Batch, std::function<void(Result<store::Committed>)>> one;
    {
      const std::lock_guard lock(mutex_);
      one = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (succeeds) {
      one.second(disk_.commit_and_wait(std::move(one.first)));
    } else {
      one.second(fail(store::StoreError::unavailable, "the disk is full"));
    }
  }

  void commit(store::Batch batch, std::function<void(Result<store::Committed>)> done) override {
    if (!is_holding_) return disk_.commit(std::move(batch), std::move(done));
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(batch), std::move(done));
  }
  Result<std::vector<store::Event>> read(store::Position from, std::size_t limit) const override {
    return disk_.read(from, limit);
  }
  store::Position last_position() const override { return disk_.last_position(); }
  std::shared_ptr<void> follow(std::function<void()> wake) override { return disk_.follow(std::move(wake)); }
  Result<std::optional<Bytes>> get(std::string_view table, std::string_view key) const override {
    return disk_.get(table, key);
  }
  Result<std::vector<std::pair<std::string, Bytes>>> scan(std::string_view table, std::string_view prefix,
                                                          std::size_t limit, std::string_view after) const override {
    return disk_.scan(table, prefix, limit, after);
  }

 private:
  store::Store& disk_;
  std::atomic<bool> is_holding_ = false;
  mutable std::mutex mutex_;
  std::deque<std::pair<store::Batch, std::function<void(Result<store::Committed>)>>> waiting_;
};

// One CA with its store, which can be closed and opened again as after a crash.
class CaTest : public testing::Test {
 protected:
  CaTest() {
    runtime_.start();
    open();
  }

  void open() {
    store_ = value_of(store::Store::open(folder_ / "ca.db"), "opening the store");
    slow_ = std::make_unique<SlowStore>(*store_);
    ca_ = value_of(DomainCa::open(*slow_, clock_, options_), "opening the CA");
  }
  void close() {
    ca_.reset();
    slow_.reset();
    store_.reset();
  }
  void restart() {
    close();
    open();
  }

  template <typename T>
  T await(std::function<net::awaitable<T>()> task) {
    return net::run_blocking<T>(runtime_, std::move(task));
  }

  static crypto::Csr csr_of(const crypto::PrivateKeyPtr& key, crypto::CsrSpec spec = {}) {
    return value_of(crypto::Csr::from_der(value_of(crypto::make_csr(spec, *key))));
  }
  static crypto::Csr fresh_csr(crypto::CsrSpec spec = {}) {
    return csr_of(value_of(crypto::generate_key(crypto::KeyType::p256)), std::move(spec));
  }
  // A request that openssl made: what our own code would never ask for.
  crypto::Csr foreign_csr(const std::string& subject, const std::string& arguments) {
    const auto [status, output] =
        run(folder_, "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout foreign.key -subj '" +
                         subject + "' -outform DER -out foreign.csr " + arguments);
    EXPECT_EQ(status, 0) << output;
    return value_of(crypto::Csr::from_der(value_of(read_file(folder_ / "foreign.csr"))));
  }
  static IssueRequest for_device(crypto::Csr csr, std::string serial_number = "SN-1") {
    return {.csr = std::move(csr),
            .profile = Profile::ldevid,
            .subject = {{"serialNumber", serial_number}, {"CN", "home"}},
            .dns_names = {},
            .uris = {"urn:cahn:network:home"},
            .ip_addresses = {}};
  }

  Result<IssuedCertificate> issue(const IssueRequest& request) {
    auto* ca = ca_.get();
    return await<Result<IssuedCertificate>>([ca, request] { return ca->issue(request); });
  }
  crypto::Certificate issue_ldevid(std::string serial_number = "SN-1") {
    return value_of(issue(for_device(fresh_csr(), std::move(serial_number)))).certificate;
  }
  Result<void> revoke(const std::string& serial,
                      crypto::RevocationReason reason = crypto::RevocationReason::certificate_hold) {
    auto* ca = ca_.get();
    return await<Result<void>>([ca, serial, reason] { return ca->revoke(serial, reason); });
  }
  Result<void> release(const std::string& serial) {
    auto* ca = ca_.get();
    return await<Result<void>>([ca, serial] { return ca->release(serial); });
  }
  crypto::Crl crl() { return value_of(crypto::Crl::from_der(ca_->crl())); }
  std::pair<int, std::string> openssl(const std::string& arguments) { return run(folder_, "openssl " + arguments); }

  Folder folder_;
  ManualClock clock_{std::chrono::floor<std::chrono::seconds>(system_clock().now())};
  DomainCaOptions options_{.owner_name = "ann@example.org", .key_uri = "file:" + (folder_ / "ca.key").string()};
  net::Runtime runtime_{2};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<SlowStore> slow_;
  std::unique_ptr<DomainCa> ca_;
};

}  // namespace cahn::pki::test
