/* What libvoucher has beyond its document: why a call failed, where messages go, and reading what the field sends. */

#ifndef VOUCHER_DIAGNOSTICS_H
#define VOUCHER_DIAGNOSTICS_H

#include "artifact.h"
#include "binary_array.h"
#include "voucher_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One sentence on the latest call of this thread that failed, in printable ASCII, at most 511 octets; "" before the
 * first. Never NULL. Good until the next call that fails in this thread. */
VOUCHER_API const char* voucher_last_error(void);

/* Receives a message: its id (docs/messages.md) and one sentence. It may be called by any thread. */
typedef void (*voucher_log_fn)(const char* id, const char* message, void* user_ctx);

/* Sends messages to `fn` from now on; NULL sends them to stderr, as at start. For the whole process; any thread. */
VOUCHER_API void set_voucher_log(voucher_log_fn fn, void* user_ctx);

enum VoucherReading VOUCHER_ENUM_OF_INT {
  VOUCHER_READING_STRICT = 0, /* as deserialize_voucher and verify_cms_voucher read */
  VOUCHER_READING_TOLERANT    /* also dates with fractions and offsets, base64url, requests under the voucher's name */
};

/* deserialize_voucher with a reading. */
__must_free_voucher VOUCHER_API struct Voucher* deserialize_voucher_as(const uint8_t* json, const size_t length,
                                                                       const enum VoucherReading reading);

/* verify_cms_voucher with a reading, and with certificates and revocation lists judged at the time `at` (UTC; NULL:
 * now). */
__must_free_voucher VOUCHER_API struct Voucher* verify_cms_voucher_as(
    const struct BinaryArray* cms, const struct BinaryArrayList* certs, const struct BinaryArrayList* store,
    struct BinaryArrayList** out_certs, const enum VoucherReading reading, const struct tm* at);

#ifdef __cplusplus
}
#endif

#endif
