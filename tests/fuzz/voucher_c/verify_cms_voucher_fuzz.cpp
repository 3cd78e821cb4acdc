// The input is a signed message, and whoever signed it is trusted, so that what is behind the signature is reached. It
// also stands for the certificates and revocation lists that come beside one.

#include <openssl/x509.h>

#include <cstdlib>

#include "crypto/cms.h"
#include "include/voucher/voucher.h"

namespace {

using namespace cahn;

struct List {
  BinaryArrayList* list = init_array_list();
  ~List() { free_array_list(list); }
  void add(const BinaryArray& octets, int flags) {
    BinaryArray copy{nullptr, 0};
    if (copy_binary_array(&copy, &octets) != 0) std::abort();
    if (push_array_list(list, copy.array, copy.length, flags) != 0) std::abort();
  }
};

bool is_verified(const BinaryArray& cms, const BinaryArrayList* certs, const BinaryArrayList* store) {
  BinaryArrayList* out = nullptr;
  ::Voucher* const voucher = verify_cms_voucher(&cms, certs, store, &out);
  if ((voucher == nullptr) != (out == nullptr)) std::abort();
  if (voucher == nullptr && *voucher_last_error() == '\0') std::abort();
  free_voucher(voucher);
  free_array_list(out);
  return voucher != nullptr;
}

int refuse(const char*, const BinaryArrayList*, const void*, BinaryArray*) { return -1; }

// A MASA and its key, DER.
struct Masa {
  Bytes certificate, key;
  Masa() {
    const auto made = crypto::generate_key(crypto::KeyType::p256);
    if (!made) std::abort();
    const auto issued = crypto::issue_certificate({.subject = {{"CN", "MASA"}},
                                                   .key = (*made)->public_key(),
                                                   .not_before = system_clock().now(),
                                                   .not_after = crypto::no_expiration()},
                                                  **made);
    if (!issued) std::abort();
    certificate = issued->der();
    unsigned char* der = nullptr;
    const int size = i2d_PrivateKey((*made)->handle(), &der);
    if (size <= 0) std::abort();
    key.assign(der, der + size);
    OPENSSL_free(der);
  }
};

BinaryArray view(const Bytes& octets) { return {const_cast<std::uint8_t*>(octets.data()), octets.size()}; }

// The doors that go a layer deeper, with the message's signer in every other part.
void knock_everywhere(const BinaryArray& input, const Bytes& signer, const BinaryArrayList* store) {
  static const Masa masa;
  const BinaryArray tls = view(signer), cert = view(masa.certificate), key = view(masa.key);
  const std::uint8_t issuer_octet = 1;
  const BinaryArray issuer{const_cast<std::uint8_t*>(&issuer_octet), 1};
  std::tm now{};
  now.tm_year = 126;
  now.tm_mday = 1;
  BinaryArray pin{nullptr, 0};
  verify_masa_pledge_voucher(&input, "42", nullptr, &tls, store, nullptr, store, nullptr, &pin);
  free_binary_array_content(&pin);
  free_binary_array(sign_voucher_request(&input, &now, "JADA123", &issuer, &tls, &cert, &key, nullptr, store, nullptr));
  // Its owner refuses, whatever the request says.
  if (sign_masa_pledge_voucher(&input, nullptr, &refuse, nullptr, &cert, &key, nullptr, store, nullptr, store,
                               nullptr) != nullptr) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BinaryArray input{const_cast<std::uint8_t*>(data), size};
  List signer, certificate, revocations;
  certificate.add(input, CRYPTO_CERTIFICATE_VALID);
  revocations.add(input, CRYPTO_CERTIFICATE_CRL);
  const auto message = crypto::SignedMessage::verify({data, size});
  if (message) {
    signer.add(view(message->signer().der()), CRYPTO_CERTIFICATE_VALID);
    knock_everywhere(input, message->signer().der(), signer.list);
  }
  const bool verified = is_verified(input, nullptr, signer.list);
  if (verified && !message) std::abort();
  if (is_verified(input, nullptr, nullptr)) std::abort();
  is_verified(input, certificate.list, signer.list);
  is_verified(input, nullptr, certificate.list);
  is_verified(input, nullptr, revocations.list);
  return 0;
}
