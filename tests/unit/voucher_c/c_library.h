// What the tests of the C library share: its objects with owners, and the parties as DER.

#pragma once

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "include/voucher/voucher.h"
#include "tests/support/pki/pki.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher {

using test::Identity;
using test::must;
using test::pki;
using test::Pki;

inline constexpr const char* serial = "00-D0-E5-F2-00-02";

struct FreeVoucher {
  void operator()(::Voucher* voucher) const { free_voucher(voucher); }
};
using VoucherPtr = std::unique_ptr<::Voucher, FreeVoucher>;

struct FreeArray {
  void operator()(BinaryArray* array) const { free_binary_array(array); }
};
using ArrayPtr = std::unique_ptr<BinaryArray, FreeArray>;

struct FreeList {
  void operator()(BinaryArrayList* list) const { free_array_list(list); }
};
using ListPtr = std::unique_ptr<BinaryArrayList, FreeList>;

// Octets of a test, as an argument: valid as long as this lives.
struct Argument : BinaryArray {
  explicit Argument(ByteView from) : BinaryArray{nullptr, 0}, octets(to_bytes(from)) { point(); }
  explicit Argument(const crypto::Certificate& certificate) : Argument(certificate.der()) {}
  Argument(const Argument& other) : Argument(other.octets) {}
  Argument& operator=(const Argument&) = delete;
  Bytes octets;

 private:
  void point() {
    array = octets.data();
    length = octets.size();
  }
};

inline Bytes octets_of(const BinaryArray* array) {
  return array == nullptr ? Bytes{} : Bytes(array->array, array->array + array->length);
}

enum class KeyForm { traditional, pkcs8 };

// SEC 1 or PKCS#1, or PKCS#8.
inline Bytes key_der(const crypto::PrivateKey& key, KeyForm form = KeyForm::pkcs8) {
  unsigned char* der = nullptr;
  int size = 0;
  if (form == KeyForm::traditional) {
    size = i2d_PrivateKey(key.handle(), &der);
  } else {
    PKCS8_PRIV_KEY_INFO* const info = EVP_PKEY2PKCS8(key.handle());
    size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
  }
  if (size <= 0) throw std::runtime_error("the key does not encode");
  Bytes octets(der, der + size);
  OPENSSL_free(der);
  return octets;
}

inline Argument key_of(const Identity& who) { return Argument(key_der(*who.key)); }

inline void append(BinaryArrayList* list, ByteView octets, int flags) {
  BinaryArray copy{nullptr, 0};
  const Argument from(octets);
  ASSERT_EQ(copy_binary_array(&copy, &from), 0);
  ASSERT_EQ(push_array_list(list, copy.array, copy.length, flags), 0);
}

inline ListPtr list_of(const std::vector<crypto::Certificate>& certificates) {
  ListPtr list(init_array_list());
  for (const auto& certificate : certificates) append(list.get(), certificate.der(), CRYPTO_CERTIFICATE_VALID);
  return list;
}

inline std::vector<Bytes> contents(const BinaryArrayList* list) {
  std::vector<Bytes> found;
  BinaryArrayList* element = nullptr;
  dl_list_for_each(element, &list->list, BinaryArrayList, list) {
    found.emplace_back(element->arr, element->arr + element->length);
  }
  return found;
}

// 2026-03-01T12:00:00Z, as Pki::now().
inline std::tm march() {
  std::tm tm{};
  tm.tm_year = 126;
  tm.tm_mon = 2;
  tm.tm_mday = 1;
  tm.tm_hour = 12;
  return tm;
}

inline bool is_same_time(const std::tm& a, const std::tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday && a.tm_hour == b.tm_hour &&
         a.tm_min == b.tm_min && a.tm_sec == b.tm_sec;
}

inline const Bytes& nonce_octets() {
  static const Bytes octets = to_bytes("0123456789abcdef");
  return octets;
}

// The messages for the operator while this lives.
class HeardLog {
 public:
  HeardLog() {
    set_voucher_log([](const char* id, const char*, void* self) { static_cast<HeardLog*>(self)->ids.emplace_back(id); },
                    this);
  }
  ~HeardLog() { set_voucher_log(nullptr, nullptr); }
  HeardLog(const HeardLog&) = delete;
  HeardLog& operator=(const HeardLog&) = delete;
  std::vector<std::string> ids;
};

// A pledge, its maker and a domain, and the three functions of a whole exchange with every argument in a member, so
// that a test changes one and expects a refusal.
class Exchange : public testing::Test {
 protected:
  static std::vector<crypto::Certificate> issuers(const Identity& who) {
    return {who.issuers().begin(), who.issuers().end()};
  }

  ArrayPtr pledge_request() const {
    const Argument tls(registrar_tls_.certificate), cert(pledge_.certificate), key = key_of(pledge_), nonce(nonce_);
    const std::tm created = march();
    return ArrayPtr(sign_pledge_voucher_request(&created, asked_serial_.c_str(), nonce_.empty() ? nullptr : &nonce,
                                                &tls, &cert, &key, nullptr));
  }

  ArrayPtr registrar_request(const BinaryArray* from_pledge) const {
    const Argument tls(registrar_tls_.certificate), cert(registrar_.certificate), key = key_of(registrar_),
                                                                                  issuer(issuer_);
    const std::tm created = march();
    const ListPtr store = list_of(registrar_trusts_), carried = list_of(issuers(registrar_));
    return ArrayPtr(sign_voucher_request(from_pledge, &created, serial_.c_str(), &issuer, &tls, &cert, &key, nullptr,
                                         store.get(), carried.get()));
  }

  // The callback's view: what it was asked, and what it answers.
  struct Owner {
    int status = 0;
    Bytes pin;
    std::string asked_for;
    std::vector<Bytes> carried;
  };
  static int answer(const char* serial_number, const BinaryArrayList* carried, const void* context, BinaryArray* pin) {
    Owner& owner = *static_cast<Owner*>(const_cast<void*>(context));
    owner.asked_for = serial_number;
    owner.carried = contents(carried);
    const Argument octets(owner.pin);
    return copy_binary_array(pin, &octets) != 0 ? -1 : owner.status;
  }

  ArrayPtr masa_voucher(const BinaryArray* from_registrar) {
    const Argument cert(masa_.certificate), key = key_of(masa_);
    const ListPtr registrars = list_of(masa_trusts_registrars_), pledges = list_of(masa_trusts_pledges_),
                  carried = list_of(issuers(masa_));
    return ArrayPtr(sign_masa_pledge_voucher(from_registrar, expires_on_ ? &*expires_on_ : nullptr, &answer, &owner_,
                                             &cert, &key, nullptr, registrars.get(), nullptr, pledges.get(),
                                             carried.get()));
  }

  int pledge_reads(const BinaryArray* voucher) {
    const Argument tls(registrar_tls_.certificate), nonce(nonce_);
    const ListPtr domain = list_of(domain_trusts_), masas = list_of(pledge_trusts_);
    BinaryArrayList* out = nullptr;
    BinaryArray pin{nullptr, 0};
    const int status = verify_masa_pledge_voucher(voucher, serial_.c_str(), nonce_.empty() ? nullptr : &nonce, &tls,
                                                  domain.get(), nullptr, masas.get(), &out, &pin);
    out_certs_.reset(out);
    pinned_ = octets_of(&pin);
    free_binary_array_content(&pin);
    return status;
  }

  // What a voucher-request or voucher says.
  static SignedVoucher read(const BinaryArray* cms, Root root) { return must(open(octets_of(cms), root)); }

  const Pki pki_;
  Identity pledge_ = pki_.device(serial), registrar_ = pki_.registrar(), registrar_tls_ = pki_.registrar(),
           masa_ = pki_.masa();
  std::string serial_ = serial, asked_serial_ = serial;
  Bytes nonce_ = nonce_octets();
  Bytes issuer_ = *pledge_.certificate.authority_key_identifier_der();
  std::optional<std::tm> expires_on_;
  Owner owner_{.pin = pki_.domain().certificate.der()};
  std::vector<crypto::Certificate> registrar_trusts_{pki_.manufacturer().certificate};
  std::vector<crypto::Certificate> masa_trusts_registrars_{pki_.domain().certificate};
  std::vector<crypto::Certificate> masa_trusts_pledges_{pki_.manufacturer().certificate};
  std::vector<crypto::Certificate> pledge_trusts_{pki_.masa_ca().certificate};
  std::vector<crypto::Certificate> domain_trusts_;
  ListPtr out_certs_;
  Bytes pinned_;
};

}  // namespace cahn::voucher
