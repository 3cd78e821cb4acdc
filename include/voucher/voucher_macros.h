/* What the headers of libvoucher say about their functions to a compiler. */

#ifndef VOUCHER_MACROS_H
#define VOUCHER_MACROS_H

#include <stdlib.h>

#if defined(__GNUC__)
#define VOUCHER_API __attribute__((visibility("default")))
#define VOUCHER_MUST_USE __attribute__((warn_unused_result))
#else
#define VOUCHER_API
#define VOUCHER_MUST_USE
#endif

/* C programs may pass any int where an enum is meant, so that C++ must know the enum to hold any. */
#if defined(__cplusplus)
#define VOUCHER_ENUM_OF_INT : int
#else
#define VOUCHER_ENUM_OF_INT
#endif

/* gcc 11 and later also warn of a result that is given to the wrong function, or to none (-fanalyzer). */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define VOUCHER_FREED_BY(function) __attribute__((malloc(function, 1)))
#else
#define VOUCHER_FREED_BY(function)
#endif

/* The result is the caller's, who frees it: with free, ... */
#define __must_free VOUCHER_FREED_BY(free) VOUCHER_MUST_USE
/* ... with free_binary_array, ... */
#define __must_free_binary_array VOUCHER_FREED_BY(free_binary_array) VOUCHER_MUST_USE
/* ... with free_array_list or free_buffer_list, which are the same, ... */
#define __must_free_binary_array_list \
  VOUCHER_FREED_BY(free_array_list) VOUCHER_FREED_BY(free_buffer_list) VOUCHER_MUST_USE
/* ... with free_voucher. */
#define __must_free_voucher VOUCHER_FREED_BY(free_voucher) VOUCHER_MUST_USE

#endif
