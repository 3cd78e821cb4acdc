// B-379, B-380: every attribute has one type, and no function of another type touches it.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

static_assert(ATTR_CREATED_ON == 0 && ATTR_EXPIRES_ON == 1 && ATTR_ASSERTION == 2 && ATTR_SERIAL_NUMBER == 3 &&
              ATTR_IDEVID_ISSUER == 4 && ATTR_PINNED_DOMAIN_CERT == 5 && ATTR_DOMAIN_CERT_REVOCATION_CHECKS == 6 &&
              ATTR_NONCE == 7 && ATTR_LAST_RENEWAL_DATE == 8 && ATTR_PRIOR_SIGNED_VOUCHER_REQUEST == 9 &&
              ATTR_PROXIMITY_REGISTRAR_CERT == 10);
static_assert(VOUCHER_ASSERTION_NONE == 0 && VOUCHER_ASSERTION_VERIFIED == 1 && VOUCHER_ASSERTION_LOGGED == 2 &&
              VOUCHER_ASSERTION_PROXIMITY == 3);
static_assert(CRYPTO_CERTIFICATE_VALID == 0 && CRYPTO_CERTIFICATE_CRL == 1);
static_assert(sizeof(VoucherAttributes) == sizeof(int));

enum class Type { time, enumeration, text, array, boolean };

struct Attribute {
  VoucherAttributes name;
  Type type;
};
constexpr Attribute attributes[] = {{ATTR_CREATED_ON, Type::time},
                                    {ATTR_EXPIRES_ON, Type::time},
                                    {ATTR_ASSERTION, Type::enumeration},
                                    {ATTR_SERIAL_NUMBER, Type::text},
                                    {ATTR_IDEVID_ISSUER, Type::array},
                                    {ATTR_PINNED_DOMAIN_CERT, Type::array},
                                    {ATTR_DOMAIN_CERT_REVOCATION_CHECKS, Type::boolean},
                                    {ATTR_NONCE, Type::array},
                                    {ATTR_LAST_RENEWAL_DATE, Type::time},
                                    {ATTR_PRIOR_SIGNED_VOUCHER_REQUEST, Type::array},
                                    {ATTR_PROXIMITY_REGISTRAR_CERT, Type::array}};

class EveryAttribute : public testing::TestWithParam<Attribute> {
 protected:
  // Sets a good value with the setter of `type`, whatever the attribute's own type is.
  int set_as(Type type) {
    const std::tm time = march();
    const Argument array(to_bytes("octets"));
    switch (type) {
      case Type::time:
        return set_attr_time_voucher(voucher_.get(), GetParam().name, &time);
      case Type::enumeration:
        return set_attr_enum_voucher(voucher_.get(), GetParam().name, VOUCHER_ASSERTION_LOGGED);
      case Type::text:
        return set_attr_str_voucher(voucher_.get(), GetParam().name, "42");
      case Type::array:
        return set_attr_array_voucher(voucher_.get(), GetParam().name, &array);
      case Type::boolean:
        return set_attr_bool_voucher(voucher_.get(), GetParam().name, false);
    }
    return -2;
  }

  int set_by_variable_arguments() {
    const std::tm time = march();
    const Argument array(to_bytes("octets"));
    switch (GetParam().type) {
      case Type::time:
        return set_attr_voucher(voucher_.get(), GetParam().name, &time);
      case Type::enumeration:
        return set_attr_voucher(voucher_.get(), GetParam().name, VOUCHER_ASSERTION_LOGGED);
      case Type::text:
        return set_attr_voucher(voucher_.get(), GetParam().name, "42");
      case Type::array:
        return set_attr_voucher(voucher_.get(), GetParam().name, static_cast<const BinaryArray*>(&array));
      case Type::boolean:
        return set_attr_voucher(voucher_.get(), GetParam().name, false);
    }
    return -2;
  }

  // What the getters of each type say.
  void expect_only_its_own_getter_finds_the_value() {
    ::Voucher* const voucher = voucher_.get();
    const VoucherAttributes name = GetParam().name;
    const std::tm* const time = get_attr_time_voucher(voucher, name);
    const int* const enumeration = get_attr_enum_voucher(voucher, name);
    const char* const* const text = get_attr_str_voucher(voucher, name);
    const BinaryArray* const array = get_attr_array_voucher(voucher, name);
    const bool* const boolean = get_attr_bool_voucher(voucher, name);
    EXPECT_EQ(time != nullptr, GetParam().type == Type::time);
    EXPECT_EQ(enumeration != nullptr, GetParam().type == Type::enumeration);
    EXPECT_EQ(text != nullptr, GetParam().type == Type::text);
    EXPECT_EQ(array != nullptr, GetParam().type == Type::array);
    EXPECT_EQ(boolean != nullptr, GetParam().type == Type::boolean);
    if (time) EXPECT_TRUE(is_same_time(*time, march()));
    if (enumeration) EXPECT_EQ(*enumeration, VOUCHER_ASSERTION_LOGGED);
    if (text) EXPECT_STREQ(*text, "42");
    if (array) EXPECT_EQ(octets_of(array), to_bytes("octets"));
    if (boolean) EXPECT_FALSE(*boolean);
  }

  const VoucherPtr voucher_{init_voucher()};
};
INSTANTIATE_TEST_SUITE_P(OfAVoucher, EveryAttribute, testing::ValuesIn(attributes));

TEST_P(EveryAttribute, IsAbsentAtFirst) {
  EXPECT_FALSE(is_attr_voucher_nonempty(voucher_.get(), GetParam().name));
  EXPECT_EQ(get_attr_time_voucher(voucher_.get(), GetParam().name), nullptr);
  EXPECT_EQ(get_attr_str_voucher(voucher_.get(), GetParam().name), nullptr);
  EXPECT_EQ(get_attr_array_voucher(voucher_.get(), GetParam().name), nullptr);
  EXPECT_EQ(get_attr_bool_voucher(voucher_.get(), GetParam().name), nullptr);
  const int* const assertion = get_attr_enum_voucher(voucher_.get(), GetParam().name);
  EXPECT_EQ(assertion != nullptr, GetParam().type == Type::enumeration);
  if (assertion) EXPECT_EQ(*assertion, VOUCHER_ASSERTION_NONE);
}

TEST_P(EveryAttribute, IsSetByTheSetterOfItsTypeAndNoOther) {
  for (const Type type : {Type::time, Type::enumeration, Type::text, Type::array, Type::boolean}) {
    if (type == GetParam().type) continue;
    EXPECT_EQ(set_as(type), -1);
    EXPECT_FALSE(is_attr_voucher_nonempty(voucher_.get(), GetParam().name));
  }
  ASSERT_EQ(set_as(GetParam().type), 0);
  EXPECT_TRUE(is_attr_voucher_nonempty(voucher_.get(), GetParam().name));
  expect_only_its_own_getter_finds_the_value();
}

TEST_P(EveryAttribute, IsSetByTheFunctionOfVariableArguments) {
  ASSERT_EQ(set_by_variable_arguments(), 0);
  EXPECT_TRUE(is_attr_voucher_nonempty(voucher_.get(), GetParam().name));
  expect_only_its_own_getter_finds_the_value();
}

TEST_P(EveryAttribute, TouchesNoOther) {
  ASSERT_EQ(set_as(GetParam().type), 0);
  for (const Attribute& other : attributes) {
    EXPECT_EQ(is_attr_voucher_nonempty(voucher_.get(), other.name), other.name == GetParam().name);
  }
}

TEST_P(EveryAttribute, IsAbsentAgainOnceCleared) {
  ASSERT_EQ(set_as(GetParam().type), 0);
  EXPECT_EQ(clear_attr_voucher(voucher_.get(), GetParam().name), 0);
  EXPECT_FALSE(is_attr_voucher_nonempty(voucher_.get(), GetParam().name));
  EXPECT_EQ(clear_attr_voucher(voucher_.get(), GetParam().name), 0);
}

TEST_P(EveryAttribute, KeepsItsValueWhenAnImpossibleOneIsSet) {
  ASSERT_EQ(set_as(GetParam().type), 0);
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 9};
  std::tm no_time = march();
  no_time.tm_mon = 12;
  ::Voucher* const voucher = voucher_.get();
  EXPECT_EQ(set_attr_time_voucher(voucher, GetParam().name, &no_time), -1);
  EXPECT_EQ(set_attr_time_voucher(voucher, GetParam().name, nullptr), -1);
  EXPECT_EQ(set_attr_enum_voucher(voucher, GetParam().name, 4), -1);
  EXPECT_EQ(set_attr_enum_voucher(voucher, GetParam().name, -1), -1);
  EXPECT_EQ(set_attr_str_voucher(voucher, GetParam().name, nullptr), -1);
  EXPECT_EQ(set_attr_str_voucher(voucher, GetParam().name, ""), -1);
  for (const BinaryArray* array : {static_cast<const BinaryArray*>(nullptr), &empty, &impossible}) {
    EXPECT_EQ(set_attr_array_voucher(voucher, GetParam().name, array), -1);
  }
  expect_only_its_own_getter_finds_the_value();
}

TEST_P(EveryAttribute, NeedsAVoucher) {
  const std::tm time = march();
  const Argument array(to_bytes("octets"));
  const VoucherAttributes name = GetParam().name;
  EXPECT_EQ(set_attr_time_voucher(nullptr, name, &time), -1);
  EXPECT_EQ(set_attr_enum_voucher(nullptr, name, VOUCHER_ASSERTION_LOGGED), -1);
  EXPECT_EQ(set_attr_str_voucher(nullptr, name, "42"), -1);
  EXPECT_EQ(set_attr_array_voucher(nullptr, name, &array), -1);
  EXPECT_EQ(set_attr_bool_voucher(nullptr, name, true), -1);
  EXPECT_EQ(clear_attr_voucher(nullptr, name), -1);
  EXPECT_FALSE(is_attr_voucher_nonempty(nullptr, name));
  EXPECT_EQ(get_attr_time_voucher(nullptr, name), nullptr);
  EXPECT_EQ(get_attr_enum_voucher(nullptr, name), nullptr);
  EXPECT_EQ(get_attr_str_voucher(nullptr, name), nullptr);
  EXPECT_EQ(get_attr_array_voucher(nullptr, name), nullptr);
  EXPECT_EQ(get_attr_bool_voucher(nullptr, name), nullptr);
}

TEST(AnAttributeThatDoesNotExist, IsRefusedByEveryFunction) {
  const VoucherPtr voucher(init_voucher());
  const std::tm time = march();
  const Argument array(to_bytes("octets"));
  for (const int number : {-1, 11, 12345}) {
    const auto name = static_cast<VoucherAttributes>(number);
    EXPECT_EQ(set_attr_time_voucher(voucher.get(), name, &time), -1);
    EXPECT_EQ(set_attr_enum_voucher(voucher.get(), name, VOUCHER_ASSERTION_LOGGED), -1);
    EXPECT_EQ(set_attr_str_voucher(voucher.get(), name, "42"), -1);
    EXPECT_EQ(set_attr_array_voucher(voucher.get(), name, &array), -1);
    EXPECT_EQ(set_attr_bool_voucher(voucher.get(), name, true), -1);
    EXPECT_EQ(set_attr_voucher(voucher.get(), name, "42"), -1);
    EXPECT_EQ(clear_attr_voucher(voucher.get(), name), -1);
    EXPECT_FALSE(is_attr_voucher_nonempty(voucher.get(), name));
    EXPECT_EQ(get_attr_enum_voucher(voucher.get(), name), nullptr);
    EXPECT_EQ(get_attr_array_voucher(voucher.get(), name), nullptr);
  }
}

TEST(TimesOfAVoucher, AreDaysThatExist) {
  const VoucherPtr voucher(init_voucher());
  const auto accepted = [&](int year, int month, int day, int second) {
    std::tm tm{};
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_sec = second;
    return set_attr_time_voucher(voucher.get(), ATTR_CREATED_ON, &tm) == 0;
  };
  EXPECT_TRUE(accepted(1973, 11, 29, 9));
  EXPECT_TRUE(accepted(2024, 2, 29, 60));
  EXPECT_TRUE(accepted(9999, 12, 31, 0));
  EXPECT_FALSE(accepted(2023, 2, 29, 0));
  EXPECT_FALSE(accepted(2023, 1, 0, 0));
  EXPECT_FALSE(accepted(2023, 1, 32, 0));
  EXPECT_FALSE(accepted(2023, 1, 1, 61));
  EXPECT_FALSE(accepted(0, 1, 1, 0));
  EXPECT_FALSE(accepted(10000, 1, 1, 0));
  EXPECT_FALSE(accepted(2147483647, 1, 1, 0));
}

TEST(SerialNumbersOfAVoucher, AreShortTextWithoutControlCharacters) {
  const VoucherPtr voucher(init_voucher());
  const auto accepted = [&](const std::string& text) {
    return set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, text.c_str()) == 0;
  };
  EXPECT_TRUE(accepted("00-D0-E5-F2-00-02"));
  EXPECT_TRUE(accepted("Gerät \xe2\x82\xac \xf0\x9f\x94\x91"));
  EXPECT_TRUE(accepted(std::string(256, 'a')));
  EXPECT_FALSE(accepted(std::string(257, 'a')));
  EXPECT_FALSE(accepted("one\ntwo"));
  EXPECT_FALSE(accepted("\x7f"));
  for (const char* no_utf8 :
       {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"}) {
    EXPECT_FALSE(accepted(no_utf8)) << no_utf8;
  }
}

TEST(ArraysOfAVoucher, AreBounded) {
  const VoucherPtr voucher(init_voucher());
  const Argument fits(Bytes(180 << 10, 1)), too_long(Bytes((180 << 10) + 1, 1));
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_PRIOR_SIGNED_VOUCHER_REQUEST, &fits), 0);
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_PRIOR_SIGNED_VOUCHER_REQUEST, &too_long), -1);
  const Argument nonce(Bytes(192, 1)), long_nonce(Bytes(193, 1));
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_NONCE, &nonce), 0);
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_NONCE, &long_nonce), -1);
}

TEST(AnAssertionOfNone, ClearsTheAttribute) {
  const VoucherPtr voucher(init_voucher());
  ASSERT_EQ(set_attr_enum_voucher(voucher.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_VERIFIED), 0);
  ASSERT_EQ(set_attr_enum_voucher(voucher.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_NONE), 0);
  EXPECT_FALSE(is_attr_voucher_nonempty(voucher.get(), ATTR_ASSERTION));
}

TEST(TheLastError, NamesWhatWasWrongInPrintableCharacters) {
  const VoucherPtr voucher(init_voucher());
  EXPECT_EQ(set_attr_bool_voucher(voucher.get(), ATTR_NONCE, true), -1);
  EXPECT_STREQ(voucher_last_error(), "the attribute is no bool");
  EXPECT_EQ(set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, nullptr), -1);
  EXPECT_STREQ(voucher_last_error(), "serial_number is missing");
}

}  // namespace
}  // namespace cahn::voucher
