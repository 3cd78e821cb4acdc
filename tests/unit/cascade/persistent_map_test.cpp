#include "cascade/persistent_map.h"

#include <gtest/gtest.h>

namespace cahn::cascade {
namespace {

TEST(PersistentMap, FindsWhatWasSetLastAndNothingElse) {
  PersistentMap<int> map;
  for (int i = 0; i < 20'000; ++i) map.set("did:key:" + std::to_string(i), i);
  for (int i = 0; i < 20'000; i += 2) map.set("did:key:" + std::to_string(i), -i);
  for (int i = 0; i < 20'000; ++i) {
    const auto* found = map.find("did:key:" + std::to_string(i));
    ASSERT_NE(found, nullptr) << i;
    ASSERT_EQ(*found, i % 2 == 0 ? -i : i);
  }
  EXPECT_EQ(map.find("did:key:20000"), nullptr);
  EXPECT_EQ(map.find(""), nullptr);
}

TEST(PersistentMap, ACopyKeepsWhatItHadWhenTheOriginalChanges) {
  PersistentMap<int> map;
  map.set("a", 1);
  const auto before = map;
  map.set("a", 2);
  map.set("b", 3);
  EXPECT_EQ(*before.find("a"), 1);
  EXPECT_EQ(before.find("b"), nullptr);
  EXPECT_EQ(*map.find("a"), 2);
}

TEST(PersistentMap, ACopySharesWhatDidNotChange) {
  PersistentMap<int> map;
  map.set("a", 1);
  map.set("b", 2);
  const auto before = map;
  map.set("a", 3);
  EXPECT_EQ(before.find("b"), map.find("b")) << "the value itself is shared, not copied";
}

TEST(PersistentMap, VisitsEveryEntryOnce) {
  PersistentMap<int> map;
  for (int i = 0; i < 1'000; ++i) map.set(std::to_string(i), i);
  long sum = 0;
  int count = 0;
  map.for_each([&](const std::string& key, int value) {
    EXPECT_EQ(key, std::to_string(value));
    sum += value;
    ++count;
  });
  EXPECT_EQ(count, 1'000);
  EXPECT_EQ(sum, 999 * 1'000 / 2);
}

}  // namespace
}  // namespace cahn::cascade
