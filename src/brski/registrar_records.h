// What a registrar remembers of every device it passed a voucher to: the exchange with the MASA, so that the same
// request gets the same answer and the audit log can be asked for again, and what that log said.
//
// Layout of the store: table "onboardings" holds the device's id → JSON of Onboarding; "exchanges" the same id → JSON
// of Exchange; "offline" `<maker>/<serial number>` → JSON of OfflineVoucher. An id is the SHA-256 of the IDevID, hex.
//
// Threads: safe from any thread.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "brski/registrar_audit.h"
#include "net/async.h"
#include "store/store.h"

namespace cahn::brski {

std::string id_of(const crypto::Certificate& idevid);

struct Onboarding {
  std::string id, serial_number, manufacturer;
  std::string request_digest;  // SHA-256 of the pledge's request, hex
  Time delivered_at{};
  std::optional<Time> reported_at;  // when its voucher_status came
  bool offline = false;             // the voucher was stored beforehand
  std::optional<AuditFinding> audit;
};

struct Exchange {
  std::vector<crypto::Certificate> client;  // as the device showed it, IDevID first
  std::string masa;                         // URI
  Bytes own_request, answer;                // CMS as sent and as received
  std::string media_type;
  Bytes pinned_domain;  // domainID of the voucher's pin (RFC 8995 5.8.2)
};

// A voucher fetched before its device came (RFC 8995 3.1).
struct OfflineVoucher {
  std::string manufacturer, serial_number;
  Bytes idevid_issuer;
  std::string masa;
  Bytes own_request, voucher, pinned_domain;
  std::optional<Time> expires_on;
  Time fetched_at{};
  std::optional<AuditFinding> audit;
};

class Records {
 public:
  static Result<std::unique_ptr<Records>> open(store::Store&);

  // Durable when it completes.
  net::awaitable<Result<void>> delivered(Onboarding, Exchange);
  net::awaitable<Result<void>> reported(std::string id, Time);
  // Replaces what was found before, for the same request only. What is merely unavailable replaces nothing; an
  // operator's acceptance of the same past stays.
  net::awaitable<Result<void>> found(std::string id, std::string request_digest, AuditFinding);
  // The operator's word on the finding there is. Errors: unknown_party (none).
  net::awaitable<Result<void>> accept(std::string id, std::string reason);

  std::optional<Onboarding> onboarding(const std::string& id) const;
  std::vector<Onboarding> all() const;
  Result<std::optional<Exchange>> exchange(const std::string& id) const;

  net::awaitable<Result<void>> keep(OfflineVoucher);
  Result<std::optional<OfflineVoucher>> offline(const std::string& manufacturer, const std::string& serial) const;
  Result<std::vector<OfflineVoucher>> all_offline() const;

 private:
  explicit Records(store::Store& store) : store_(store) {}
  Result<void> load();
  // Changes the onboarding unless the function says that there is nothing to change, and makes it durable.
  using Change = std::function<bool(Onboarding&)>;
  net::awaitable<Result<void>> write(store::Batch, std::string id, Change);

  store::Store& store_;
  mutable std::mutex mutex_;
  std::map<std::string, Onboarding> onboardings_;
};

}  // namespace cahn::brski
