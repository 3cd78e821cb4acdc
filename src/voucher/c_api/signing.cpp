#include "voucher/c_api/signing.h"

#include <algorithm>

#include "voucher/c_api/artifact.h"
#include "voucher/diagnostics.h"
#include "voucher/signing.h"

namespace cahn::voucher::c_api {
namespace {

enum class KeyKind { any, ec, rsa };

Result<void> check_kind(const crypto::PrivateKey& key, KeyKind kind) {
  const bool is_rsa = key.public_key().algorithm() == "rsa";
  const bool is_ec = key.public_key().algorithm() == "p256" || key.public_key().algorithm() == "p384";
  if (kind == KeyKind::ec && !is_ec) return fail(ApiError::wrong_key_type, "the key is no Elliptic Curve key");
  if (kind == KeyKind::rsa && !is_rsa) return fail(ApiError::wrong_key_type, "the key is no RSA key");
  return {};
}

BinaryArray* sign_with(KeyKind kind, const ::Voucher* voucher, const BinaryArray* cert, const BinaryArray* key,
                       const BinaryArrayList* certs) noexcept {
  return guarded<BinaryArray*>(nullptr, [&]() -> Result<BinaryArray*> {
    if (voucher == nullptr) return fail(ApiError::missing_argument, "voucher is missing");
    CAHN_TRY(const Signer signer, signer_from(cert, key, certs));
    CAHN_CHECK(check_kind(*signer.key, kind));
    CAHN_TRY(const Voucher content, from_api(*voucher));
    CAHN_TRY(const Bytes cms, sign_by(signer, content, root_of(content)));
    return to_heap_array(cms);
  });
}

struct Opened {
  Voucher voucher;
  std::vector<crypto::Certificate> certificates;
};

Result<Opened> open_either(ByteView cms, const Trust& trust, Reading reading, Time at) {
  const auto known = known_to(trust);
  CAHN_TRY(const auto message, crypto::SignedMessage::verify(cms, known));
  if (message.content_type() != crypto::oid_anima_json_voucher && message.content_type() != crypto::oid_id_data) {
    return fail(VoucherError::wrong_content_type, "the content type is " + message.content_type());
  }
  CAHN_CHECK(path_of(message.signer(), message.certificates(), trust, at));
  CAHN_TRY(Voucher voucher, read_either(as_text(message.content()), reading));
  return Opened{std::move(voucher), message.certificates()};
}

::Voucher* verify(const BinaryArray* cms, const BinaryArrayList* certs, const BinaryArrayList* store,
                  BinaryArrayList** out_certs, VoucherReading reading, const std::tm* at) noexcept {
  if (out_certs != nullptr) *out_certs = nullptr;
  return guarded<::Voucher*>(nullptr, [&]() -> Result<::Voucher*> {
    if (reading != VOUCHER_READING_STRICT && reading != VOUCHER_READING_TOLERANT) {
      return fail(ApiError::bad_argument, "there is no such reading");
    }
    CAHN_TRY(const ByteView der, needed(cms, "cms"));
    CAHN_TRY(const Trust trust, trust_from(certs, store, ""));
    Time when = system_clock().now();
    if (at != nullptr) {
      CAHN_TRY(when, to_time(*at));
    }
    const Reading how = reading == VOUCHER_READING_TOLERANT ? Reading::tolerant : Reading::strict;
    CAHN_TRY(const Opened opened, open_either(der, trust, how, when));
    ApiVoucherPtr voucher = to_api(opened.voucher);
    if (out_certs != nullptr) *out_certs = to_list(opened.certificates).release();
    return voucher.release();
  });
}

}  // namespace

Result<Signer> signer_from(const BinaryArray* cert, const BinaryArray* key, const BinaryArrayList* carried) {
  CAHN_TRY(auto certificate, certificate_from(cert, "the signer's certificate"));
  CAHN_TRY(auto private_key, key_from(key, "the signer's key"));
  CAHN_TRY(auto certificates, certificates_from(carried, "the certificates to carry"));
  return Signer{std::move(certificate), std::move(private_key), std::move(certificates)};
}

Result<Bytes> sign_by(const Signer& signer, const Voucher& voucher, Root root) {
  if (signer.carried.size() > max_listed) return fail(ApiError::bad_argument, "more than 19 certificates to carry");
  // Decision 2, of requests too: the nonce is what makes a voucher end.
  if (voucher.nonce && voucher.expires_on) {
    return fail(VoucherError::contradiction, "nonce and expires-on are both there");
  }
  return sign(voucher, root, signer.certificate, *signer.key, signer.carried);
}

Result<Trust> trust_from(const BinaryArrayList* certs, const BinaryArrayList* store, std::string_view who) {
  CAHN_TRY(auto between, certificates_from(certs, std::string(who) + "certs"));
  CAHN_TRY(auto anchors, store_from(store, std::string(who) + "store"));
  return Trust{std::move(between), std::move(anchors)};
}

std::vector<crypto::Certificate> known_to(const Trust& trust) {
  std::vector<crypto::Certificate> known = trust.between;
  known.insert(known.end(), trust.store.anchors().begin(), trust.store.anchors().end());
  return known;
}

Result<std::vector<crypto::Certificate>> path_of(const crypto::Certificate& leaf,
                                                 std::span<const crypto::Certificate> carried, const Trust& trust,
                                                 Time at) {
  std::vector<crypto::Certificate> between(carried.begin(), carried.end());
  for (const auto& certificate : trust.between) {
    if (std::ranges::find(between, certificate) == between.end()) between.push_back(certificate);
  }
  return crypto::verify_chain(leaf, between, trust.store, at);
}

}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;

BinaryArray* sign_eccms_voucher(Voucher* voucher, const BinaryArray* cert, const BinaryArray* key,
                                const BinaryArrayList* certs) {
  return sign_with(KeyKind::ec, voucher, cert, key, certs);
}

BinaryArray* sign_rsacms_voucher(Voucher* voucher, const BinaryArray* cert, const BinaryArray* key,
                                 const BinaryArrayList* certs) {
  return sign_with(KeyKind::rsa, voucher, cert, key, certs);
}

BinaryArray* sign_cms_voucher(Voucher* voucher, const BinaryArray* cert, const BinaryArray* key,
                              const BinaryArrayList* certs) {
  return sign_with(KeyKind::any, voucher, cert, key, certs);
}

Voucher* verify_cms_voucher(const BinaryArray* cms, const BinaryArrayList* certs, const BinaryArrayList* store,
                            BinaryArrayList** out_certs) {
  return verify(cms, certs, store, out_certs, VOUCHER_READING_STRICT, nullptr);
}

Voucher* verify_cms_voucher_as(const BinaryArray* cms, const BinaryArrayList* certs, const BinaryArrayList* store,
                               BinaryArrayList** out_certs, const VoucherReading reading, const struct tm* at) {
  return verify(cms, certs, store, out_certs, reading, at);
}
