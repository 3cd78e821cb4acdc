/* The examples of the document (L1953-1962, L1993-2008, L2033-2044, L2148-2168) with their errata mended.
 *
 *   libtest FOLDER  with voucher.cms and the certificate masa-ca.der in it */

#include <string.h>

#include "files.h"

static void get_attr_str_example(void) {
  struct Voucher* voucher = init_voucher();
  EXPECT(set_attr_str_voucher(voucher, ATTR_SERIAL_NUMBER, "12345") == 0);

  const char* const* serial_number = get_attr_str_voucher(voucher, ATTR_SERIAL_NUMBER);
  if (strcmp(*serial_number, "12345") == 0) printf("serial number %s\n", *serial_number);

  free_voucher(voucher);
}

static void serialize_example(void) {
  struct Voucher* voucher = init_voucher();

  set_attr_enum_voucher(voucher, ATTR_ASSERTION, VOUCHER_ASSERTION_PROXIMITY);

  char* serialized = serialize_voucher(voucher);
  EXPECT(serialized != NULL);
  printf("%s\n", serialized);

  free(serialized);
  free_voucher(voucher);
}

static void deserialize_example(void) {
  const char* text = "{\"ietf-voucher-request:voucher\":{\"serial-number\":\"12345\",\"nonce\":\"bm9uY2U=\"}}";
  const uint8_t* json = (const uint8_t*)text;
  const size_t json_length = strlen(text);

  struct Voucher* voucher = deserialize_voucher(json, json_length);
  EXPECT(voucher != NULL);

  const struct BinaryArray* nonce = get_attr_array_voucher(voucher, ATTR_NONCE);
  printf("nonce %.*s\n", (int)nonce->length, (const char*)nonce->array);

  free_voucher(voucher);
}

static void verify_example(const struct BinaryArray* cms, const struct BinaryArrayList* certs,
                           const struct BinaryArrayList* store) {
  struct BinaryArrayList* out_certs = NULL;
  struct Voucher* voucher = verify_cms_voucher(cms, certs, store, &out_certs);
  struct BinaryArrayList* cert = NULL;
  EXPECT(voucher != NULL);

  dl_list_for_each(cert, &out_certs->list, struct BinaryArrayList, list) {
    uint8_t* cert_array = cert->buf;
    size_t cert_length = cert->length;
    EXPECT(cert_length > 2 && cert_array[0] == 0x30);
    printf("a certificate\n");
  }

  free_voucher(voucher);
  free_buffer_list(out_certs);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  get_attr_str_example();
  serialize_example();
  deserialize_example();
  struct BinaryArray* cms = read_file(argv[1], "voucher.cms");
  struct BinaryArrayList* store = list_of(argv[1], "masa-ca.der", CRYPTO_CERTIFICATE_VALID);
  verify_example(cms, NULL, store);
  free_array_list(store);
  free_binary_array(cms);
  return 0;
}
