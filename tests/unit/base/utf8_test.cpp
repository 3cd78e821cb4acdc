#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace cahn {
namespace {

TEST(Utf8, IsKnownWhenItIsSeen) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8(std::string_view("a\"\\\0\x1f é 😀", 13)));
  EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf")) << "U+10FFFF, the last there is";
}

TEST(Utf8, HasNoLongFormsSurrogatesStraysOrEndsInTheMiddle) {  // RFC 3629 3, 4
  for (const char* text : {"\xff", "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "é\xc3", "a\xe2\x82", "\xc3(", "\xf0\x9f\x98"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, IsTakenSequenceBySequence) {
  EXPECT_EQ(utf8_length(""), 0u);
  EXPECT_EQ(utf8_length("az"), 1u);
  EXPECT_EQ(utf8_length("éz"), 2u);
  EXPECT_EQ(utf8_length("€z"), 3u);
  EXPECT_EQ(utf8_length("😀z"), 4u);
  EXPECT_EQ(utf8_length("\xffz"), 0u);
}

}  // namespace
}  // namespace cahn
