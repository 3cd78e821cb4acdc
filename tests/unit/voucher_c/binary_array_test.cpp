// B-372, B-373: arrays and lists of octets, with everything that can be missing.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

TEST(CopyBinaryArray, MakesNewMemoryWithTheSameOctets) {
  const Argument from(to_bytes("octets"));
  BinaryArray copy{nullptr, 0};
  ASSERT_EQ(copy_binary_array(&copy, &from), 0);
  EXPECT_NE(copy.array, from.array);
  EXPECT_EQ(compare_binary_array(&copy, &from), 1);
  free_binary_array_content(&copy);
  EXPECT_EQ(copy.array, nullptr);
  EXPECT_EQ(copy.length, 0U);
}

TEST(CopyBinaryArray, OfAnEmptyArrayIsEmpty) {
  const BinaryArray empty{nullptr, 0};
  std::uint8_t octet = 1;
  BinaryArray copy{&octet, 1};
  ASSERT_EQ(copy_binary_array(&copy, &empty), 0);
  EXPECT_EQ(copy.array, nullptr);
  EXPECT_EQ(copy.length, 0U);
}

TEST(CopyBinaryArray, FailsWithoutAnArrayAndLeavesTheTargetAsItWas) {
  const Argument from(to_bytes("octets"));
  const BinaryArray impossible{nullptr, 3};
  std::uint8_t octet = 1;
  BinaryArray target{&octet, 1};
  EXPECT_EQ(copy_binary_array(nullptr, &from), -1);
  EXPECT_EQ(copy_binary_array(&target, nullptr), -1);
  EXPECT_EQ(copy_binary_array(&target, &impossible), -1);
  EXPECT_EQ(target.array, &octet);
  EXPECT_EQ(target.length, 1U);
}

TEST(CopyBinaryArray, OntoItselfChangesNothing) {
  Argument array(to_bytes("octets"));
  EXPECT_EQ(copy_binary_array(&array, &array), 0);
  EXPECT_EQ(array.array, array.octets.data());
}

TEST(CompareBinaryArray, TellsEqualFromDifferent) {
  const Argument a(to_bytes("octets")), b(to_bytes("octets")), other(to_bytes("octetz")), longer(to_bytes("octets!"));
  EXPECT_EQ(compare_binary_array(&a, &b), 1);
  EXPECT_EQ(compare_binary_array(&a, &other), 0);
  EXPECT_EQ(compare_binary_array(&a, &longer), 0);
}

TEST(CompareBinaryArray, FindsEmptyArraysEqualAndUnlikeAnyOther) {
  const BinaryArray empty{nullptr, 0};
  std::uint8_t octet = 0;
  const BinaryArray without_length{&octet, 0};
  const Argument some(Bytes{0});
  EXPECT_EQ(compare_binary_array(&empty, &without_length), 1);
  EXPECT_EQ(compare_binary_array(&empty, &some), 0);
}

TEST(CompareBinaryArray, FailsWithoutAnArray) {
  const Argument some(Bytes{0});
  const BinaryArray impossible{nullptr, 3};
  EXPECT_EQ(compare_binary_array(nullptr, &some), -1);
  EXPECT_EQ(compare_binary_array(&some, nullptr), -1);
  EXPECT_EQ(compare_binary_array(nullptr, nullptr), -1);
  EXPECT_EQ(compare_binary_array(&impossible, &some), -1);
}

TEST(FreeBinaryArray, TakesNothingToo) {
  free_binary_array(nullptr);
  free_binary_array_content(nullptr);
  free_array_list(nullptr);
  free_buffer_list(nullptr);
  free_voucher(nullptr);
}

TEST(BinaryArrayListOf, KeepsElementsInOrderUnderBothNames) {
  const ListPtr list(init_array_list());
  ASSERT_NE(list, nullptr);
  EXPECT_TRUE(dl_list_empty(&list->list));
  for (const char* text : {"one", "two"}) {
    BinaryArray copy{nullptr, 0};
    const Argument from(to_bytes(text));
    ASSERT_EQ(copy_binary_array(&copy, &from), 0);
    const auto push = text[0] == 'o' ? push_array_list : push_buffer_list;
    EXPECT_EQ(push(list.get(), copy.array, copy.length, text[0]), 0);
  }
  EXPECT_EQ(dl_list_len(&list->list), 2U);
  EXPECT_EQ(contents(list.get()), (std::vector<Bytes>{to_bytes("one"), to_bytes("two")}));
  const BinaryArrayList* const first = dl_list_first(&list->list, BinaryArrayList, list);
  EXPECT_EQ(first->flags, 'o');
  EXPECT_EQ(first->arr, first->buf);
}

TEST(BinaryArrayListOf, LeavesTheArrayToItsOwnerWhenThereIsNoList) {
  std::uint8_t octet = 1;
  EXPECT_EQ(push_array_list(nullptr, &octet, 1, 0), -1);
  EXPECT_EQ(push_buffer_list(nullptr, &octet, 1, 0), -1);
  BinaryArrayList never_initialised{};
  EXPECT_EQ(push_array_list(&never_initialised, &octet, 1, 0), -1);
}

TEST(BinaryArrayListOf, TakesEmptyArraysButNoLengthWithoutOctets) {
  const ListPtr list(init_array_list());
  EXPECT_EQ(push_array_list(list.get(), nullptr, 0, 0), 0);
  EXPECT_EQ(push_array_list(list.get(), nullptr, 1, 0), -1);
  EXPECT_EQ(dl_list_len(&list->list), 1U);
}

TEST(DlList, IsWalkedBackwardsAndWhileItShrinks) {
  struct Item {
    int number;
    dl_list link;
  } items[3] = {{1, {}}, {2, {}}, {3, {}}};
  dl_list list = DL_LIST_HEAD_INIT(list);
  EXPECT_EQ(dl_list_first(&list, Item, link), nullptr);
  EXPECT_EQ(dl_list_last(&list, Item, link), nullptr);
  dl_list_add(&list, &items[1].link);
  dl_list_add(&list, &items[0].link);
  dl_list_add_tail(&list, &items[2].link);
  int expected = 3;
  Item* item = nullptr;
  dl_list_for_each_reverse(item, &list, Item, link) EXPECT_EQ(item->number, expected--);
  EXPECT_EQ(expected, 0);
  Item* after = nullptr;
  dl_list_for_each_safe(item, after, &list, Item, link) {
    if (item->number == 2) dl_list_del(&item->link);
  }
  EXPECT_EQ(dl_list_len(&list), 2U);
  EXPECT_EQ(dl_list_last(&list, Item, link)->number, 3);
}

}  // namespace
}  // namespace cahn::voucher
