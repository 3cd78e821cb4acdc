// ASN.1 helpers of this room: a strict DER reader, and what OpenSSL's types hold as our own values. Internal.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/certificate.h"
#include "crypto/handles.h"

namespace cahn::crypto {

namespace tag {
inline constexpr std::uint8_t integer = 0x02, bit_string = 0x03, octet_string = 0x04, oid = 0x06, ia5_string = 0x16,
                              sequence = 0x30, set = 0x31, context0 = 0xa0, context1 = 0xa1;
}  // namespace tag

struct DerElement {
  std::uint8_t tag;
  ByteView content;
  ByteView whole;  // with tag and length
};

// Reads one element after the other: definite minimal lengths and tags of one octet that is not 0 only (X.690 10.1).
class DerReader {
 public:
  explicit DerReader(ByteView input) : rest_(input) {}
  bool at_end() const { return rest_.empty(); }
  ByteView rest() const { return rest_; }
  bool next_is(std::uint8_t tag) const { return !rest_.empty() && rest_[0] == tag; }
  std::optional<DerElement> next();
  // The next element if it has this tag; else nullopt, and nothing is consumed.
  std::optional<DerElement> next(std::uint8_t tag);

 private:
  ByteView rest_;
};

// Tag, length and content as one element.
Bytes der_element(std::uint8_t tag, ByteView content);

// Whether the octets are one element, DER in its lengths and string forms all the way down (at most 32 levels).
bool is_der(ByteView);

// What OpenSSL said last, for a message; empty if it said nothing.
std::string openssl_reason();
// An error of ours with OpenSSL's reason behind it.
std::unexpected<Error> openssl_failure(CryptoError, std::string_view what);

Result<Time> to_time(const ASN1_TIME*);
// UTCTime to 2049, GeneralizedTime beyond (RFC 5280 4.1.2.5); fractions of a second are cut.
Result<Asn1TimePtr> to_asn1_time(Time);
std::int64_t seconds_since_epoch(Time);

Result<Name> to_name(const X509_NAME*);
Result<X509NamePtr> to_x509_name(const Name&);
std::optional<std::string> find_attribute(const Name&, std::string_view type);

// The object of a short name or dotted OID; null when there is none.
Asn1ObjectPtr to_object(std::string_view name_or_oid);
std::string dotted(const ASN1_OBJECT*);
Bytes octets_of(const ASN1_STRING*);
std::string serial_to_hex(const ASN1_INTEGER*);

// DNS names and URIs of a subjectAltName; nullopt when one of them holds anything but printable ASCII.
struct AlternativeNames {
  std::vector<std::string> dns_names, uris;
};
std::optional<AlternativeNames> read_alternative_names(const GENERAL_NAMES*);
Result<GeneralNamesPtr> make_alternative_names(const std::vector<std::string>& dns_names,
                                               const std::vector<std::string>& uris,
                                               const std::vector<std::string>& emails = {},
                                               const std::vector<std::string>& ip_addresses = {});

// DER of anything that has an i2d function.
template <auto Encode, typename T>
Bytes encode(T* object) {
  const int size = Encode(object, nullptr);
  Bytes out(size > 0 ? static_cast<std::size_t>(size) : 0);
  unsigned char* cursor = out.data();
  if (size <= 0 || Encode(object, &cursor) != size) return {};
  return out;
}

// Decodes exactly one object whose encoding is exactly `der`; null otherwise.
template <auto Decode, auto Encode, typename Ptr>
Ptr decode_exactly(ByteView der) {
  const unsigned char* cursor = der.data();
  Ptr object(Decode(nullptr, &cursor, static_cast<long>(der.size())));
  if (!object || cursor != der.data() + der.size()) return nullptr;
  const Bytes again = encode<Encode>(object.get());
  if (!std::equal(again.begin(), again.end(), der.begin(), der.end())) return nullptr;
  return object;
}

}  // namespace cahn::crypto
