/* Vouchers and voucher-requests (RFC 8366 5.3, RFC 8995 3) as a set of attributes, and their JSON (L1648-2044).
 *
 * Times are UTC; of a struct tm the year, month, day, hour, minute and second count. What a getter points to belongs to
 * the voucher, and is good until that attribute is set or cleared, or the voucher is freed. All functions take NULL for
 * any pointer and then fail. voucher_last_error (diagnostics.h) says why one failed.
 *
 * Threads: a voucher is used by one thread at a time; different vouchers by any. */

#ifndef VOUCHER_ARTIFACT_H
#define VOUCHER_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "binary_array.h"
#include "voucher_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

enum VoucherAttributes VOUCHER_ENUM_OF_INT {
  ATTR_CREATED_ON = 0,                /* struct tm */
  ATTR_EXPIRES_ON,                    /* struct tm */
  ATTR_ASSERTION,                     /* enum VoucherAssertions */
  ATTR_SERIAL_NUMBER,                 /* text of 1 to 256 octets of UTF-8 without control characters */
  ATTR_IDEVID_ISSUER,                 /* array: the DER AuthorityKeyIdentifier of the IDevID (RFC 8366bis 5.3) */
  ATTR_PINNED_DOMAIN_CERT,            /* array: DER certificate */
  ATTR_DOMAIN_CERT_REVOCATION_CHECKS, /* bool */
  ATTR_NONCE,                         /* array of 1 to 192 octets; the JSON holds its base64 */
  ATTR_LAST_RENEWAL_DATE,             /* struct tm */
  ATTR_PRIOR_SIGNED_VOUCHER_REQUEST,  /* array: DER CMS */
  ATTR_PROXIMITY_REGISTRAR_CERT       /* array: DER certificate */
};

enum VoucherAssertions VOUCHER_ENUM_OF_INT {
  VOUCHER_ASSERTION_NONE = 0, /* there is no assertion: setting it clears the attribute */
  VOUCHER_ASSERTION_VERIFIED = 1,
  VOUCHER_ASSERTION_LOGGED = 2,
  VOUCHER_ASSERTION_PROXIMITY = 3
};

struct Voucher;

/* Frees the voucher and all it holds. */
VOUCHER_API void free_voucher(struct Voucher* voucher);

/* A voucher without any attribute; NULL on failure. */
__must_free_voucher VOUCHER_API struct Voucher* init_voucher(void);

/* Each setter copies `value`. It returns 0, or -1 when `attr` is not of its type or the value cannot be one of the
 * attribute; the attribute is then as it was before. */
VOUCHER_API int set_attr_bool_voucher(struct Voucher* voucher, const enum VoucherAttributes attr, const bool value);
VOUCHER_API int set_attr_time_voucher(struct Voucher* voucher, const enum VoucherAttributes attr,
                                      const struct tm* value);
VOUCHER_API int set_attr_enum_voucher(struct Voucher* voucher, const enum VoucherAttributes attr, const int value);
VOUCHER_API int set_attr_str_voucher(struct Voucher* voucher, const enum VoucherAttributes attr, const char* value);
/* Any octets, at most 180 KiB: whether they are the certificate or message they should be is judged by whoever signs
 * or reads. */
VOUCHER_API int set_attr_array_voucher(struct Voucher* voucher, const enum VoucherAttributes attr,
                                       const struct BinaryArray* value);
/* One argument more, of the type that enum VoucherAttributes names: struct tm *, enum VoucherAssertions (or int),
 * char *, struct BinaryArray *, bool. A pointer of another type than the attribute's cannot be noticed. */
VOUCHER_API int set_attr_voucher(struct Voucher* voucher, const enum VoucherAttributes attr, ...);

/* Returns 0, or -1 on failure. Clearing what is not set is no failure. */
VOUCHER_API int clear_attr_voucher(struct Voucher* voucher, const enum VoucherAttributes attr);

/* Whether the attribute is set; a bool that is set to false is. */
VOUCHER_API bool is_attr_voucher_nonempty(const struct Voucher* voucher, const enum VoucherAttributes attr);

/* Each getter returns NULL when `attr` is not of its type, and when it is not set; but the assertion that is not set
 * reads as VOUCHER_ASSERTION_NONE. */
VOUCHER_API const bool* get_attr_bool_voucher(const struct Voucher* voucher, const enum VoucherAttributes attr);
VOUCHER_API const struct tm* get_attr_time_voucher(struct Voucher* voucher, const enum VoucherAttributes attr);
VOUCHER_API const int* get_attr_enum_voucher(const struct Voucher* voucher, const enum VoucherAttributes attr);
VOUCHER_API const char* const* get_attr_str_voucher(struct Voucher* voucher, const enum VoucherAttributes attr);
/* The nonce is given as the octets that its base64 or base64url stands for; NULL when a voucher that was read has a
 * nonce that is neither. */
VOUCHER_API const struct BinaryArray* get_attr_array_voucher(struct Voucher* voucher,
                                                             const enum VoucherAttributes attr);

/* The attributes that are set as compact JSON, also when they are not yet a voucher that could be signed. The object is
 * `ietf-voucher-request:voucher` if there is a prior-signed-voucher-request or a proximity-registrar-cert, or no
 * pinned-domain-cert; else `ietf-voucher:voucher`. NULL on failure. */
__must_free VOUCHER_API char* serialize_voucher(const struct Voucher* voucher);

/* Reads what RFC 8366 and RFC 8995 allow, under either name, of at most 256 KiB; NULL on failure. */
__must_free_voucher VOUCHER_API struct Voucher* deserialize_voucher(const uint8_t* json, const size_t length);

#ifdef __cplusplus
}
#endif

#endif
