/* Every attribute through the setter of variable arguments and its own getter, as a C compiler passes them. */

#include <string.h>

#include "files.h"

int main(void) {
  struct Voucher* voucher = init_voucher();
  struct tm time = {0};
  uint8_t octets[] = {1, 2, 3};
  struct BinaryArray array = {octets, sizeof octets};
  const int arrays[] = {ATTR_IDEVID_ISSUER, ATTR_PINNED_DOMAIN_CERT, ATTR_NONCE, ATTR_PRIOR_SIGNED_VOUCHER_REQUEST,
                        ATTR_PROXIMITY_REGISTRAR_CERT};
  const int times[] = {ATTR_CREATED_ON, ATTR_EXPIRES_ON, ATTR_LAST_RENEWAL_DATE};
  size_t i;
  time.tm_year = 73;
  time.tm_mon = 10;
  time.tm_mday = 29;
  time.tm_hour = 21;
  time.tm_min = 33;
  time.tm_sec = 9;
  for (i = 0; i < 3; ++i) {
    EXPECT(set_attr_voucher(voucher, times[i], &time) == 0);
    EXPECT(memcmp(get_attr_time_voucher(voucher, times[i]), &time, sizeof time) == 0);
  }
  for (i = 0; i < 5; ++i) {
    EXPECT(set_attr_voucher(voucher, arrays[i], &array) == 0);
    EXPECT(compare_binary_array(get_attr_array_voucher(voucher, arrays[i]), &array) == 1);
  }
  EXPECT(set_attr_voucher(voucher, ATTR_ASSERTION, VOUCHER_ASSERTION_VERIFIED) == 0);
  EXPECT(*get_attr_enum_voucher(voucher, ATTR_ASSERTION) == VOUCHER_ASSERTION_VERIFIED);
  EXPECT(set_attr_voucher(voucher, ATTR_SERIAL_NUMBER, "12345") == 0);
  EXPECT(strcmp(*get_attr_str_voucher(voucher, ATTR_SERIAL_NUMBER), "12345") == 0);
  EXPECT(set_attr_voucher(voucher, ATTR_DOMAIN_CERT_REVOCATION_CHECKS, true) == 0);
  EXPECT(*get_attr_bool_voucher(voucher, ATTR_DOMAIN_CERT_REVOCATION_CHECKS));
  EXPECT(set_attr_voucher(voucher, 99, "12345") == -1);
  for (i = ATTR_CREATED_ON; i <= ATTR_PROXIMITY_REGISTRAR_CERT; ++i) {
    EXPECT(is_attr_voucher_nonempty(voucher, (enum VoucherAttributes)i));
    EXPECT(clear_attr_voucher(voucher, (enum VoucherAttributes)i) == 0);
    EXPECT(!is_attr_voucher_nonempty(voucher, (enum VoucherAttributes)i));
  }
  free_voucher(voucher);
  return 0;
}
