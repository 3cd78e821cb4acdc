// A claim node on a store of its own, a clock that stands still, and a few people, makers and devices with real keys.

#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>

#include "cascade/claim_node.h"
#include "credential/credential.h"

namespace cahn::cascade::test {

// The same name gives the same key.
inline crypto::PrivateKeyPtr key_of(std::string_view name) {
  Bytes seed(32, 0x5a);
  std::ranges::copy(as_bytes(name).first(std::min<std::size_t>(name.size(), 32)), seed.begin());
  return crypto::ed25519_from_seed(seed).value();
}
inline std::string did_of(std::string_view name) { return credential::did_key(key_of(name)->public_key()); }
inline std::string mailbox(std::string_view name) { return "mailto:" + std::string(name) + "@example.org"; }

class NodeWorld : public testing::Test {
 protected:
  static inline const Time morning = parse_rfc3339("2026-03-01T08:00:00Z").value();
  static inline const std::string ann = mailbox("ann"), bob = mailbox("bob");

  NodeWorld() {
    std::string name = (std::filesystem::temp_directory_path() / "cahn-claims-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    options_.owners = {ann};
    options_.binding_keys = {did_of("service")};
    options_.rules_directory = "rules";
    options_.node_key = key_of("node");
    options_.clock_step = std::chrono::milliseconds(10);
    runtime_.start();
    open();
  }
  ~NodeWorld() override {
    close();
    runtime_.stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void open() {
    if (!store_) {
      auto store = store::Store::open(folder_ / "claims.db", clock_);
      ASSERT_TRUE(store) << store.error().message;
      store_ = *std::move(store);
    }
    auto node = ClaimNode::open(*store_, clock_, options_);
    ASSERT_TRUE(node) << node.error().message;
    node_ = *std::move(node);
  }
  void close() {
    node_.reset();
    store_.reset();
  }

  struct When {
    Time from;
    std::optional<Time> until;
  };
  // The credential as bytes, signed by the key of `signer`.
  Bytes credential(std::string_view signer, const std::string& relation, std::vector<std::string> arguments,
                   std::optional<When> when = std::nullopt) {
    if (!when) when = When{clock_.now(), std::nullopt};
    const credential::NewCredential wanted{{relation, std::move(arguments)}, when->from, when->until, {}, nullptr};
    return to_bytes(credential::issue(wanted, *key_of(signer)).value());
  }
  // The same with its proof broken: one statement changed after signing.
  Bytes forged(std::string_view signer, const std::string& relation, std::vector<std::string> arguments) {
    auto document = nlohmann::json::parse(credential(signer, relation, std::move(arguments)));
    document["id"] = "urn:uuid:00000000-0000-4000-8000-000000000000";
    return to_bytes(document.dump());
  }

  Result<ClaimReceipt> submit(Bytes bytes) {
    return net::run_blocking<Result<ClaimReceipt>>(runtime_,
                                                   [this, bytes = std::move(bytes)] { return node_->submit(bytes); });
  }
  void folded(store::Position position) {
    net::run_blocking<void>(runtime_, [this, position] { return node_->folded(position); });
  }
  // Submits and waits until it is folded; the id.
  std::string post(Bytes bytes) {
    const auto receipt = submit(std::move(bytes));
    EXPECT_TRUE(receipt) << receipt.error().message;
    if (!receipt) return {};
    folded(receipt->position);
    return receipt->id;
  }
  std::string say(std::string_view signer, const std::string& relation, std::vector<std::string> arguments,
                  std::optional<When> when = std::nullopt) {
    return post(credential(signer, relation, std::move(arguments), when));
  }
  Result<void> observe(std::string_view device, std::string_view maker, const std::string& serial = "42") {
    return net::run_blocking<Result<void>>(
        runtime_, [&, this] { return node_->observe_device(did_of(device), did_of(maker), serial); });
  }
  void bind_people() {
    say("service", "KeyBinding", {ann, did_of("ann")});
    say("service", "KeyBinding", {bob, did_of("bob")});
  }
  // Ann's key is bound, she trusts the maker and the lamp, and the lamp was seen.
  void make_the_lamp_welcome() {
    bind_people();
    maker_claim_ = say("ann", "Trust", {ann, did_of("maker")});
    lamp_claim_ = say("ann", "Trust", {ann, did_of("lamp")});
    ASSERT_TRUE(observe("lamp", "maker"));
    ASSERT_TRUE(lamp().permit) << lamp().reason;
  }
  Verdict lamp() const { return node_->snapshot()->device(did_of("lamp")); }
  ClaimStatus status(const std::string& id) const { return node_->status(id).value(); }

  std::filesystem::path folder_;
  ManualClock clock_{morning};
  ClaimNodeOptions options_;
  net::Runtime runtime_{2};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ClaimNode> node_;
  std::string maker_claim_, lamp_claim_;
};

}  // namespace cahn::cascade::test
