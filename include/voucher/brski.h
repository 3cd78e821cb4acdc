/* The three parties of BRSKI (RFC 8995), each a function of what it is given: no network, no files (L1200-1374).
 *
 * Certificates, keys and messages are DER, as in signing.h. Lists of certificates may be NULL and hold at most 19; a
 * `*_store` is a list as verify_cms_voucher takes it, and an empty one trusts nobody. All functions take NULL for any
 * pointer; where it is not said to mean "none", they then fail. */

#ifndef VOUCHER_BRSKI_H
#define VOUCHER_BRSKI_H

#include "artifact.h"
#include "binary_array.h"
#include "signing.h"
#include "voucher_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The pledge's voucher-request (RFC 8995 5.2), with the assertion "proximity".
 *
 * created_on               when it is made
 * serial_number            the pledge's
 * nonce                    random octets (RFC 8366: 8 to 32), new ones for every attempt; NULL for none
 * registrar_tls_cert       the first certificate of the list that the registrar showed in TLS
 * pledge_sign_cert, _key   the signer: the IDevID
 * additional_pledge_certs  carried as well; NULL for none
 *
 * Returns the signed message; NULL on failure. */
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_pledge_voucher_request(
    const struct tm* created_on, const char* serial_number, const struct BinaryArray* nonce,
    const struct BinaryArray* registrar_tls_cert, const struct BinaryArray* pledge_sign_cert,
    const struct BinaryArray* pledge_sign_key, const struct BinaryArrayList* additional_pledge_certs);

/* The registrar's voucher-request (RFC 8995 5.5) for a pledge's, which is verified first: its signature and signer, the
 * serial number (also the one in the subject of the signer's certificate, if it has one), and that the pledge saw
 * `registrar_tls_cert`.
 *
 * pledge_voucher_request_cms        the pledge's request
 * created_on                        when this one is made
 * serial_number, idevid_issuer      those of the IDevID that the pledge showed in TLS; the issuer is the DER of the
 *                                   AuthorityKeyIdentifier in it
 * registrar_tls_cert                the first certificate of the list that the registrar showed in TLS
 * registrar_sign_cert, _key         the signer
 * pledge_verify_certs, _store       who may have signed the pledge's request
 * additional_registrar_certs        carried as well, the chain that is to be pinned; NULL for none
 *
 * Returns the signed message; NULL on failure. It carries registrar_tls_cert as well where that is not the signer's:
 * the MASA looks for it. */
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_voucher_request(
    const struct BinaryArray* pledge_voucher_request_cms, const struct tm* created_on, const char* serial_number,
    const struct BinaryArray* idevid_issuer, const struct BinaryArray* registrar_tls_cert,
    const struct BinaryArray* registrar_sign_cert, const struct BinaryArray* registrar_sign_key,
    const struct BinaryArrayList* pledge_verify_certs, const struct BinaryArrayList* pledge_verify_store,
    const struct BinaryArrayList* additional_registrar_certs);

/* The owner of a MASA's devices answers here: puts the certificate that the device of `serial_number` is to be pinned
 * to into `pinned_domain_cert` (octets from malloc, for example by copy_binary_array; the library frees them) and
 * returns 0, or returns -1 to refuse. `additional_registrar_certs` are the certificates that the registrar's request
 * carries. */
typedef int (*voucher_req_fn)(const char* serial_number, const struct BinaryArrayList* additional_registrar_certs,
                              const void* user_ctx, struct BinaryArray* pinned_domain_cert);

/* The MASA's voucher (RFC 8995 5.6) for a registrar's request, after both layers of it are verified (5.5.3 to 5.5.6):
 * the registrar's signature, signer and its id-kp-cmcRA; the pledge's prior request, its signature and signer; that
 * serial number and nonce agree; that the pledge saw this registrar.
 *
 * voucher_request_cms             the registrar's request
 * expires_on                      when the voucher ends; NULL for never. Ignored, with a message in the log, when the
 *                                 request has a nonce: RFC 8366 allows one of them only
 * cb, user_ctx                    asked for the pinned certificate once all else holds
 * masa_sign_cert, _key            the signer
 * registrar_verify_certs, _store  who may have signed the registrar's request
 * pledge_verify_certs, _store     who may have signed the pledge's request
 * additional_masa_certs           carried as well; NULL for none
 *
 * Returns the signed message; NULL on failure. */
__must_free_binary_array VOUCHER_API struct BinaryArray* sign_masa_pledge_voucher(
    const struct BinaryArray* voucher_request_cms, const struct tm* expires_on, const voucher_req_fn cb, void* user_ctx,
    const struct BinaryArray* masa_sign_cert, const struct BinaryArray* masa_sign_key,
    const struct BinaryArrayList* registrar_verify_certs, const struct BinaryArrayList* registrar_verify_store,
    const struct BinaryArrayList* pledge_verify_certs, const struct BinaryArrayList* pledge_verify_store,
    const struct BinaryArrayList* additional_masa_certs);

/* The pledge's checks of a voucher (RFC 8995 5.6.1, 5.6.2): signature, signer (a MASA: one of the store itself, or
 * issued under it and neither a CA nor a device), times, serial number, nonce, and that the pinned certificate covers
 * the registrar's.
 *
 * masa_pledge_voucher_cms      the voucher
 * serial_number                the pledge's own
 * nonce                        the one it sent; NULL for none. A voucher without a nonce is taken (RFC 8995 7.2), one
 *                              with another nonce, or with one that was not sent, is not
 * registrar_tls_cert           the first certificate of the list that the registrar showed in TLS
 * domain_store                 whom the pinned certificate must lead to besides; NULL or empty: the voucher is enough
 * pledge_verify_certs, _store  who may have signed the voucher: the MASA's certificate, or a CA that signs MASAs only
 * pledge_out_certs             becomes a new list of the certificates the message carries, to be freed with
 *                              free_array_list; NULL if not wanted
 * pinned_domain_cert           becomes the pinned certificate, to be freed with free_binary_array_content
 *
 * Returns 0, or -1 on failure; the outputs are then NULL and empty. What they held before is overwritten, not freed. */
VOUCHER_API int verify_masa_pledge_voucher(
    const struct BinaryArray* masa_pledge_voucher_cms, const char* serial_number, const struct BinaryArray* nonce,
    const struct BinaryArray* registrar_tls_cert, const struct BinaryArrayList* domain_store,
    const struct BinaryArrayList* pledge_verify_certs, const struct BinaryArrayList* pledge_verify_store,
    struct BinaryArrayList** pledge_out_certs, struct BinaryArray* const pinned_domain_cert);

#ifdef __cplusplus
}
#endif

#endif
