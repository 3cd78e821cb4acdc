// The MASA's audit log of one device (RFC 8995 5.8.1): one entry for each voucher that left, abridged as the RFC allows.
//
// Of one domain the newest nonced and the newest nonceless entry are kept, with the count of those before it. A domain is
// told from another by its domainID and its key together: a forged SubjectKeyIdentifier replaces nobody's entry
// (RFC 8995 11.2). Beyond a limit of entries the oldest go, and are counted as "arbitrary".
//
//   table "audit"      <device>/<time>/<domain>.<nonced|nonceless> → JSON of an audit log with that one event
//   table "audit_cut"  <device> → how many were removed beyond the limit, decimal
//
// Threads: reading is safe from any thread; whoever appends holds the device's turn.

#pragma once

#include <string>
#include <vector>

#include "brski/wire.h"
#include "store/store.h"

namespace cahn::brski {

struct AuditTables {
  std::string entries = "audit", cut = "audit_cut";
};

struct AuditEntry {
  std::string key;
  AuditEvent event;
};

struct DeviceAudit {
  std::string device;
  std::vector<AuditEntry> entries;  // oldest first
  std::uint64_t arbitrary = 0;

  // Whether a voucher that pins this certificate was ever issued.
  bool has(const crypto::Certificate& pin) const;
  // What RFC 8995 5.8.1 wants to be told.
  AuditLog log() const;
};

// Errors: those of the store, bad_report (damaged).
Result<DeviceAudit> read_audit(const store::Store&, const AuditTables&, const std::string& device);

// Puts the entry of a voucher that pins `pin` into the batch, and what it makes superfluous out of it; `audit` is then as
// it will be. At most `limit` (at least 1) entries stay. Returns how many were cut arbitrarily.
std::size_t append_entry(store::Batch&, const AuditTables&, DeviceAudit& audit, AuditEvent, const crypto::Certificate& pin,
                         std::size_t limit);

}  // namespace cahn::brski
