// A map of strings that is cheap to copy and to change after a copy: what did not change is shared. So a snapshot of
// 100,000 decisions costs, per change, the copying of two arrays of 64 pointers and of one small leaf.
//
//   root: 64 branches, by hash bits 0-5  →  branch: 64 leaves, by hash bits 6-11  →  leaf: sorted (key, value) pairs
//
// Threads: a value; copies may be read from any thread while one of them is changed by its owner.

#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cahn::cascade {

template <typename Value>
class PersistentMap {
 public:
  const Value* find(std::string_view key) const {
    const auto [i, j] = place(key);
    const auto& branch = root_[i];
    if (!branch || !(*branch)[j]) return nullptr;
    const Leaf& leaf = *(*branch)[j];
    const auto at = lower_bound(leaf, key);
    return at != leaf.end() && at->first == key ? at->second.get() : nullptr;
  }

  void set(std::string key, Value value) {
    const auto [i, j] = place(key);
    auto branch = root_[i] ? std::make_shared<Branch>(*root_[i]) : std::make_shared<Branch>();
    auto leaf = (*branch)[j] ? std::make_shared<Leaf>(*(*branch)[j]) : std::make_shared<Leaf>();
    auto shared = std::make_shared<const Value>(std::move(value));
    const auto at = std::ranges::lower_bound(*leaf, key, {}, &Entry::first);
    if (at != leaf->end() && at->first == key) {
      at->second = std::move(shared);
    } else {
      leaf->insert(at, Entry{std::move(key), std::move(shared)});
    }
    (*branch)[j] = std::move(leaf);
    root_[i] = std::move(branch);
  }

  // In no order that means anything.
  void for_each(const std::function<void(const std::string&, const Value&)>& visit) const {
    for (const auto& branch : root_) {
      if (!branch) continue;
      for (const auto& leaf : *branch) {
        if (!leaf) continue;
        for (const auto& [key, value] : *leaf) visit(key, *value);
      }
    }
  }

 private:
  using Entry = std::pair<std::string, std::shared_ptr<const Value>>;
  using Leaf = std::vector<Entry>;
  using Branch = std::array<std::shared_ptr<const Leaf>, 64>;

  static std::pair<std::size_t, std::size_t> place(std::string_view key) {
    const auto hash = std::hash<std::string_view>{}(key);
    return {hash & 63U, hash >> 6U & 63U};
  }
  static auto lower_bound(const Leaf& leaf, std::string_view key) {
    return std::ranges::lower_bound(leaf, key, {}, [](const Entry& entry) { return std::string_view(entry.first); });
  }

  std::array<std::shared_ptr<const Branch>, 64> root_;
};

}  // namespace cahn::cascade
