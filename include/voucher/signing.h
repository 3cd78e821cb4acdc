/* Signed vouchers: the CMS SignedData around the JSON (RFC 8366 5.4; L2046-2168).
 *
 * Certificates are DER. Private keys are DER: PKCS#8 without encryption, SEC 1 (EC) or PKCS#1 (RSA); P-256, P-384, RSA
 * of 2048 bits and more. Lists of certificates may be NULL and hold at most 19. All functions take NULL for any
 * pointer; where it is not said to mean "none", they then fail. */

#ifndef VOUCHER_SIGNING_H
#define VOUCHER_SIGNING_H

#include "artifact.h"
#include "binary_array.h"
#include "voucher_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an element of a store is: its `flags`. */
enum CRYPTO_CERTIFICATE_TYPE VOUCHER_ENUM_OF_INT {
  CRYPTO_CERTIFICATE_VALID = 0, /* a certificate that is trusted */
  CRYPTO_CERTIFICATE_CRL        /* a certificate revocation list, DER */
};

/* Sign `voucher` with `key`, whose certificate is `cert`, and carry `cert` and `certs` in the message. The JSON has the
 * name that serialize_voucher would give it. A voucher must be whole (created-on, assertion, serial-number and a pinned
 * certificate), a request must have its serial-number; neither may have both a nonce and an expires-on.
 *
 * Return the message (DER); NULL on failure, also when the key is of another type than the function's name says. */
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_eccms_voucher(struct Voucher* voucher,
                                                                            const struct BinaryArray* cert,
                                                                            const struct BinaryArray* key,
                                                                            const struct BinaryArrayList* certs);
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_rsacms_voucher(struct Voucher* voucher,
                                                                             const struct BinaryArray* cert,
                                                                             const struct BinaryArray* key,
                                                                             const struct BinaryArrayList* certs);
/* With either type of key. */
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_cms_voucher(struct Voucher* voucher,
                                                                          const struct BinaryArray* cert,
                                                                          const struct BinaryArray* key,
                                                                          const struct BinaryArrayList* certs);

/* Verifies the signature of `cms` and that its signer's certificate leads, over those it carries and `certs` (NULL for
 * none), to one in `store`, now. An empty store trusts nobody.
 *
 * If there is a revocation list in the store, there must be one for the issuer of the signer's certificate, and nothing
 * on the path may be revoked by those that are there.
 *
 * `out_certs` (NULL if not wanted) becomes a new list of the certificates that the message carries, to be freed with
 * free_array_list; NULL on failure. What it pointed to before is overwritten.
 *
 * Returns the voucher or voucher-request; NULL on failure. Who the signer is, and whether it may sign such a thing, is
 * for the caller to judge; the functions of brski.h do. */
__must_free_voucher VOUCHER_API struct Voucher* verify_cms_voucher(const struct BinaryArray* cms,
                                                                   const struct BinaryArrayList* certs,
                                                                   const struct BinaryArrayList* store,
                                                                   struct BinaryArrayList** out_certs);

#ifdef __cplusplus
}
#endif

#endif
