/* Octets, and lists of octets (L1047-1198): certificates, keys and signed messages go in and out of libvoucher so.
 *
 * Memory: every `array` and `arr` is from malloc, and is freed with free or by the functions below. All functions take
 * NULL for any pointer and then fail.
 *
 * Threads: an object is used by one thread at a time; different objects by any. */

#ifndef VOUCHER_BINARY_ARRAY_H
#define VOUCHER_BINARY_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "dl_list.h"
#include "voucher_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* With array NULL and length 0 it is empty. */
struct BinaryArray {
  uint8_t* array;
  size_t length;
};

/* Copies the octets of `src` into new memory at `dst`. What `dst` held before is overwritten, not freed; when the
 * function fails it is left as it was. Returns 0, or -1 on failure. */
VOUCHER_API int copy_binary_array(struct BinaryArray* const dst, const struct BinaryArray* src);

/* Returns 1 when both hold the same octets, 0 when they do not, -1 on failure. */
VOUCHER_API int compare_binary_array(const struct BinaryArray* src, const struct BinaryArray* dst);

/* Frees the octets, and leaves `arr` empty. */
VOUCHER_API void free_binary_array_content(struct BinaryArray* arr);

/* Frees the octets and `arr` itself. */
VOUCHER_API void free_binary_array(struct BinaryArray* arr);

/* An element of a list, and also its head, whose own octets do not count. */
struct BinaryArrayList {
  __extension__ union {
    uint8_t* arr; /* from malloc */
    uint8_t* buf; /* the same by its other name (L2162) */
  };
  size_t length;
  int flags; /* in a store of trusted certificates: enum CRYPTO_CERTIFICATE_TYPE; else 0 */
  struct dl_list list;
};

/* Frees the list: every element with its octets, and the head. The two names are one function. */
VOUCHER_API void free_array_list(struct BinaryArrayList* arr_list);
VOUCHER_API void free_buffer_list(struct BinaryArrayList* arr_list);

/* A new, empty list; NULL on failure. */
__must_free_binary_array_list VOUCHER_API struct BinaryArrayList* init_array_list(void);

/* Appends `arr`, which is from malloc and belongs to the list from now on; when the function fails it stays the
 * caller's. Returns 0, or -1 on failure. The two names are one function. */
VOUCHER_API int push_array_list(struct BinaryArrayList* arr_list, uint8_t* const arr, const size_t length,
                                const int flags);
VOUCHER_API int push_buffer_list(struct BinaryArrayList* arr_list, uint8_t* const arr, const size_t length,
                                 const int flags);

#ifdef __cplusplus
}
#endif

#endif
