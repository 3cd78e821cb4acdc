// Who owns a device, as far as its maker knows: sales, releases, and who came first. Pure: no store, no clock.
//
// A device has a list of records, oldest first. Its owner at a time is told by the last record that counts: a sale that
// has begun beats whoever merely came first, a later sale beats an earlier one, and a record that was released or has
// run out leaves the device without an owner; it never falls back to an earlier one.
//
// Threads: values and pure functions.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "brski/wire.h"

namespace cahn::brski {

// How a domain is named in a record: by its certificate, or by a hash of its key. At least one is there.
struct Domain {
  std::optional<crypto::Certificate> certificate;
  std::optional<Bytes> spki_sha256;  // SHA-256 of the SubjectPublicKeyInfo (RFC 7469 2.4)
  std::optional<Bytes> domain_id;    // RFC 8995 5.8.2

  static Domain of(crypto::Certificate);
  // "certificate:<base64>", "spki-sha256:<hex>" or "domain-id:<base64>": for people, and to compare.
  std::string text() const;
  friend bool operator==(const Domain& a, const Domain& b) { return a.text() == b.text(); }
};
// Reads one of the three forms of text(), the hash in hex or base64, the certificate (at most 8 KiB) in base64, or a
// certificate in PEM form. Errors: bad_report.
Result<Domain> parse_domain(std::string_view text);
// Whether `certificate` is the domain's. A domain-id alone counts only for a key that it is computed from: whoever makes
// a certificate may write any SubjectKeyIdentifier into it (RFC 8995 11.2).
bool is_of(const Domain&, const crypto::Certificate&);

// The certificates of the message, signer first, up to the one that is the domain's (or the last that was sent, when
// the domain's own was not): the farthest that may be pinned for it. Nullopt: the signer does not belong to the domain.
// `path` is the signer's, checked; `carried` is what else came with the message.
std::optional<std::vector<crypto::Certificate>> path_within(const Domain&, const std::vector<crypto::Certificate>& path,
                                                            const std::vector<crypto::Certificate>& carried, Time now);

enum class OwnershipPolicy {
  logged_only,  // whoever met the device gets a voucher; the audit log tells (RFC 8995 7.4.2)
  first_come,   // the first domain keeps it until it is released or sold
  sales         // only the domain that a sale names
};
std::string_view to_text(OwnershipPolicy);
std::optional<OwnershipPolicy> ownership_policy_from(std::string_view);

struct OwnershipRecord {
  enum class Source { sale, first_come };

  Domain owner;
  std::string issuer;    // hex of the IDevID issuer's key id, where serial numbers alone are ambiguous; else empty
  std::string model;     // empty: any
  std::string customer;  // what the maker's books call the owner; told to operators only
  Time since;
  bool since_given = false;  // else it is when the record was made
  std::optional<Time> until;
  std::optional<Time> released;
  Source source = Source::sale;

  // Whether it is the same sale, told again: then nothing changes (and a release stands).
  bool same_sale(const OwnershipRecord&) const;
};

// All that is recorded under one serial number of one maker.
struct OwnershipBook {
  std::vector<OwnershipRecord> records;  // in the order they were made
  std::optional<OwnershipPolicy> policy;  // of this device, instead of its maker's
};
std::string to_json(const OwnershipBook&);
Result<OwnershipBook> ownership_book_from_json(std::string_view);

inline constexpr std::size_t max_ownership_records = 64;  // of one serial number; who came first is forgotten first
// Adds a record, or finds that it is there already (false). Errors: forbidden (too many sales of one device).
Result<bool> add_record(OwnershipBook&, OwnershipRecord);

// Which device a record is asked about.
struct DeviceIdentity {
  std::string issuer;  // hex of its IDevID issuer's key id
  std::string model;
  bool serial_is_unique = true;  // among the maker's devices; else a record must say which is meant
};
// The index of the record that tells the owner now; nullopt: none.
std::optional<std::size_t> current_record(const OwnershipBook&, const DeviceIdentity&, Time now);
// Whether a record is about this device and has begun by now: such a domain is or was an owner.
bool is_or_was_owner(const OwnershipRecord&, const DeviceIdentity&, Time now);

}  // namespace cahn::brski
