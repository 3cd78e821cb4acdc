/* The setter of variable arguments. It is in C, where an enum is passed before `...` as C programs pass it. */

#include <stdarg.h>

#include "voucher/artifact.h"

int set_attr_voucher(struct Voucher* voucher, enum VoucherAttributes attr, ...) {
  int status = -1;
  va_list arguments;
  va_start(arguments, attr);
  switch (attr) {
    case ATTR_CREATED_ON:
    case ATTR_EXPIRES_ON:
    case ATTR_LAST_RENEWAL_DATE:
      status = set_attr_time_voucher(voucher, attr, va_arg(arguments, const struct tm*));
      break;
    case ATTR_ASSERTION:
      status = set_attr_enum_voucher(voucher, attr, va_arg(arguments, int));
      break;
    case ATTR_SERIAL_NUMBER:
      status = set_attr_str_voucher(voucher, attr, va_arg(arguments, const char*));
      break;
    case ATTR_DOMAIN_CERT_REVOCATION_CHECKS:
      status = set_attr_bool_voucher(voucher, attr, va_arg(arguments, int) != 0);
      break;
    case ATTR_IDEVID_ISSUER:
    case ATTR_PINNED_DOMAIN_CERT:
    case ATTR_NONCE:
    case ATTR_PRIOR_SIGNED_VOUCHER_REQUEST:
    case ATTR_PROXIMITY_REGISTRAR_CERT:
      status = set_attr_array_voucher(voucher, attr, va_arg(arguments, const struct BinaryArray*));
      break;
    default:
      /* No function knows such an attribute; this one says so. */
      status = clear_attr_voucher(voucher, attr);
  }
  va_end(arguments);
  return status;
}
