#include "crypto/asn1.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cahn::crypto {

std::optional<DerElement> DerReader::next() {
  if (rest_.size() < 2 || rest_[0] == 0 || (rest_[0] & 0x1f) == 0x1f) return std::nullopt;
  std::size_t header = 2;
  std::size_t length = rest_[1];
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 4 || rest_.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | rest_[2 + i];
    header += octets;
    // X.690 10.1: the length takes as few octets as it can.
    if (length < 0x80 || length >> (8 * (octets - 1)) == 0) return std::nullopt;
  }
  if (length > rest_.size() - header) return std::nullopt;
  DerElement element{rest_[0], rest_.subspan(header, length), rest_.first(header + length)};
  rest_ = rest_.subspan(header + length);
  return element;
}

std::optional<DerElement> DerReader::next(std::uint8_t tag) {
  if (!next_is(tag)) return std::nullopt;
  return next();
}

Bytes der_element(std::uint8_t tag, ByteView content) {
  Bytes out{tag};
  if (content.size() < 0x80) {
    out.push_back(static_cast<std::uint8_t>(content.size()));
  } else {
    Bytes length;
    for (std::size_t rest = content.size(); rest > 0; rest >>= 8)
      length.insert(length.begin(), static_cast<std::uint8_t>(rest));
    out.push_back(static_cast<std::uint8_t>(0x80 | length.size()));
    out.insert(out.end(), length.begin(), length.end());
  }
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

namespace {

bool are_der(ByteView elements, int levels_left) {
  DerReader reader(elements);
  while (!reader.at_end()) {
    const auto element = reader.next();
    if (!element) return false;
    if ((element->tag & 0x20) == 0) continue;
    // X.690 10.2: strings are primitive, so that of the universal types only SEQUENCE and SET are constructed.
    const bool universal = (element->tag & 0xc0) == 0;
    if (universal && element->tag != tag::sequence && element->tag != tag::set) return false;
    if (levels_left == 0 || !are_der(element->content, levels_left - 1)) return false;
  }
  return true;
}

constexpr bool is_printable_ascii(unsigned char c) { return c >= 0x20 && c < 0x7f; }

}  // namespace

bool is_der(ByteView der) {
  DerReader reader(der);
  return reader.next() && reader.at_end() && are_der(der, 32);
}

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? std::string() : std::string(reason);
}

std::unexpected<Error> openssl_failure(CryptoError code, std::string_view what) {
  const std::string reason = openssl_reason();
  return fail(code, reason.empty() ? std::string(what) : std::string(what) + ": " + reason);
}

Result<Time> to_time(const ASN1_TIME* time) {
  using namespace std::chrono;
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return fail(CryptoError::malformed, "not a time");
  const year_month_day date{year(parts.tm_year + 1900), month(static_cast<unsigned>(parts.tm_mon + 1)),
                            day(static_cast<unsigned>(parts.tm_mday))};
  if (!date.ok()) return fail(CryptoError::malformed, "no such date");
  return Time(sys_days(date) + hours(parts.tm_hour) + minutes(parts.tm_min) + seconds(parts.tm_sec));
}

std::int64_t seconds_since_epoch(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

Result<Asn1TimePtr> to_asn1_time(Time time) {
  Asn1TimePtr out(ASN1_TIME_set(nullptr, seconds_since_epoch(time)));
  if (!out) return fail(CryptoError::malformed, "a time that certificates cannot hold");
  return out;
}

Result<Name> to_name(const X509_NAME* name) {
  Name out;
  const int count = X509_NAME_entry_count(name);
  if (count > 64) return fail(CryptoError::malformed, "a name of more than 64 attributes");
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (size < 0) return fail(CryptoError::malformed, "a name attribute that is not text");
    std::string value(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    // A NUL would end the name for whoever reads it as a C string.
    if (value.find('\0') != std::string::npos) return fail(CryptoError::malformed, "a name attribute with a NUL in it");
    const int nid = OBJ_obj2nid(type);
    out.emplace_back(nid == NID_undef ? dotted(type) : std::string(OBJ_nid2sn(nid)), std::move(value));
  }
  return out;
}

Result<X509NamePtr> to_x509_name(const Name& name) {
  X509NamePtr out(X509_NAME_new());
  for (const auto& [type, value] : name) {
    // OpenSSL's string table picks the type: PrintableString for serialNumber and C, UTF8String for CN, O and OU.
    if (!out || value.empty() || value.find('\0') != std::string::npos ||
        X509_NAME_add_entry_by_txt(out.get(), type.c_str(), MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.data()), static_cast<int>(value.size()),
                                   -1, 0) != 1) {
      return openssl_failure(CryptoError::malformed, "the name attribute " + type);
    }
  }
  return out;
}

std::optional<std::string> find_attribute(const Name& name, std::string_view type) {
  const auto found = std::find_if(name.begin(), name.end(), [&](const auto& entry) { return entry.first == type; });
  if (found == name.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Asn1ObjectPtr to_object(std::string_view name_or_oid) {
  return Asn1ObjectPtr(OBJ_txt2obj(std::string(name_or_oid).c_str(), 0));
}

std::string dotted(const ASN1_OBJECT* object) {
  std::array<char, 128> text{};
  const int size = OBJ_obj2txt(text.data(), text.size(), object, 1);
  if (size <= 0 || static_cast<std::size_t>(size) >= text.size()) return {};
  return {text.data(), static_cast<std::size_t>(size)};
}

Bytes octets_of(const ASN1_STRING* string) {
  const unsigned char* data = ASN1_STRING_get0_data(string);
  return Bytes(data, data + ASN1_STRING_length(string));
}

std::string serial_to_hex(const ASN1_INTEGER* serial) {
  const Bytes magnitude = octets_of(serial);
  return magnitude.empty() ? "00" : hex(magnitude);
}

std::optional<AlternativeNames> read_alternative_names(const GENERAL_NAMES* names) {
  AlternativeNames out;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    const Bytes octets = octets_of(name->d.ia5);
    if (octets.empty() || !std::all_of(octets.begin(), octets.end(), is_printable_ascii)) return std::nullopt;
    (name->type == GEN_DNS ? out.dns_names : out.uris).push_back(to_string(octets));
  }
  return out;
}

namespace {

bool push_text(GENERAL_NAMES* names, int type, const std::string& text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_printable_ascii)) return false;
  Handle<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
  Handle<ASN1_IA5STRING, ASN1_IA5STRING_free> value(ASN1_IA5STRING_new());
  if (!name || !value || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  name.release();
  return true;
}

bool push_address(GENERAL_NAMES* names, const std::string& text) {
  Handle<GENERAL_NAME, GENERAL_NAME_free> name(GENERAL_NAME_new());
  Asn1OctetStringPtr value(a2i_IPADDRESS(text.c_str()));
  if (!name || !value) return false;
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  name.release();
  return true;
}

}  // namespace

Result<GeneralNamesPtr> make_alternative_names(const std::vector<std::string>& dns_names,
                                               const std::vector<std::string>& uris,
                                               const std::vector<std::string>& emails,
                                               const std::vector<std::string>& ip_addresses) {
  GeneralNamesPtr names(GENERAL_NAMES_new());
  const auto refuse = [](const std::string& text) {
    return fail(CryptoError::malformed, "an alternative name that cannot be written: " + text);
  };
  for (const auto& text : dns_names)
    if (!push_text(names.get(), GEN_DNS, text)) return refuse(text);
  for (const auto& text : uris)
    if (!push_text(names.get(), GEN_URI, text)) return refuse(text);
  for (const auto& text : emails)
    if (!push_text(names.get(), GEN_EMAIL, text)) return refuse(text);
  for (const auto& text : ip_addresses)
    if (!push_address(names.get(), text)) return refuse(text);
  return names;
}

}  // namespace cahn::crypto
