/* A whole exchange: the pledge asks, the registrar asks for it, the MASA answers, the pledge reads.
 *
 *   flow FOLDER  reads the parties' certificates and keys there (*.der, *.key.der), writes pledge.cms, registrar.cms,
 *                voucher.cms and pin.der */

#include <string.h>

#include "files.h"

static const char* const serial_number = "acme-0001";
static const char nonce_text[] = "0123456789abcdef";

/* The owner's database: one device, whose owner is told in user_ctx. */
static int find_owner(const char* serial, const struct BinaryArrayList* additional_registrar_certs,
                      const void* user_ctx, struct BinaryArray* pinned_domain_cert) {
  if (strcmp(serial, serial_number) != 0 || dl_list_empty(&additional_registrar_certs->list)) return -1;
  return copy_binary_array(pinned_domain_cert, (const struct BinaryArray*)user_ctx);
}

static struct BinaryArray* of_pledge(const char* folder, const struct tm* now, const struct BinaryArray* nonce,
                                     const struct BinaryArray* tls_cert) {
  struct BinaryArray* cert = read_file(folder, "pledge.der");
  struct BinaryArray* key = read_file(folder, "pledge.key.der");
  struct BinaryArray* cms = sign_pledge_voucher_request(now, serial_number, nonce, tls_cert, cert, key, NULL);
  EXPECT(cms != NULL);
  write_file(folder, "pledge.cms", cms);
  free_binary_array(cert);
  free_binary_array(key);
  return cms;
}

static struct BinaryArray* of_registrar(const char* folder, const struct tm* now, const struct BinaryArray* tls_cert,
                                        const struct BinaryArray* pledge_cms) {
  struct BinaryArray* key = read_file(folder, "registrar.key.der");
  struct BinaryArray* issuer = read_file(folder, "pledge-issuer.der");
  struct BinaryArrayList* makers = list_of(folder, "maker-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArrayList* carried = list_of(folder, "domain-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArray* cms =
      sign_voucher_request(pledge_cms, now, serial_number, issuer, tls_cert, tls_cert, key, NULL, makers, carried);
  EXPECT(cms != NULL);
  EXPECT(sign_voucher_request(pledge_cms, now, "acme-0002", issuer, tls_cert, tls_cert, key, NULL, makers, carried) ==
         NULL);
  write_file(folder, "registrar.cms", cms);
  free_binary_array(key);
  free_binary_array(issuer);
  free_array_list(makers);
  free_array_list(carried);
  return cms;
}

static struct BinaryArray* of_masa(const char* folder, const struct BinaryArray* registrar_cms) {
  struct BinaryArray* cert = read_file(folder, "masa.der");
  struct BinaryArray* key = read_file(folder, "masa.key.der");
  struct BinaryArray* owner = read_file(folder, "domain-ca.der");
  struct BinaryArrayList* registrars = list_of(folder, "domain-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArrayList* pledges = list_of(folder, "maker-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArrayList* carried = list_of(folder, "masa-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArray* cms = sign_masa_pledge_voucher(registrar_cms, NULL, find_owner, owner, cert, key, NULL,
                                                     registrars, NULL, pledges, carried);
  EXPECT(cms != NULL);
  write_file(folder, "voucher.cms", cms);
  free_binary_array(cert);
  free_binary_array(key);
  free_binary_array(owner);
  free_array_list(registrars);
  free_array_list(pledges);
  free_array_list(carried);
  return cms;
}

static void read_voucher(const char* folder, const struct BinaryArray* cms, const struct BinaryArray* nonce,
                         const struct BinaryArray* tls_cert) {
  struct BinaryArrayList* masas = list_of(folder, "masa-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArrayList* domain = list_of(folder, "domain-ca.der", CRYPTO_CERTIFICATE_VALID);
  struct BinaryArrayList* out_certs = NULL;
  struct BinaryArray pin = {NULL, 0};
  EXPECT(verify_masa_pledge_voucher(cms, serial_number, nonce, tls_cert, domain, NULL, masas, &out_certs, &pin) == 0);
  EXPECT(dl_list_len(&out_certs->list) == 2);
  write_file(folder, "pin.der", &pin);
  free_array_list(out_certs);
  free_binary_array_content(&pin);
  EXPECT(verify_masa_pledge_voucher(cms, "acme-0002", nonce, tls_cert, domain, NULL, masas, &out_certs, &pin) == -1);
  EXPECT(out_certs == NULL && pin.array == NULL);
  free_array_list(masas);
  free_array_list(domain);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const char* folder = argv[1];
  const time_t seconds = time(NULL);
  const struct tm now = *gmtime(&seconds);
  const struct BinaryArray nonce = {(uint8_t*)nonce_text, sizeof nonce_text - 1};
  struct BinaryArray* tls_cert = read_file(folder, "registrar.der");
  struct BinaryArray* pledge_cms = of_pledge(folder, &now, &nonce, tls_cert);
  struct BinaryArray* registrar_cms = of_registrar(folder, &now, tls_cert, pledge_cms);
  struct BinaryArray* voucher_cms = of_masa(folder, registrar_cms);
  read_voucher(folder, voucher_cms, &nonce, tls_cert);
  free_binary_array(tls_cert);
  free_binary_array(pledge_cms);
  free_binary_array(registrar_cms);
  free_binary_array(voucher_cms);
  puts("done");
  return 0;
}
