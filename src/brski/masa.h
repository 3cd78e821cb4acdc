// The MASA of RFC 8995: knows which devices were made, checks that registrar and pledge met, pins the registrar's
// domain, writes its audit log, and only then lets the voucher out.
//
// It serves requestvoucher and requestauditlog, and takes the factory's births at POST /factory/births (decision 66).
// Layout of its store: table "births" holds `<issuer key id, hex>/<serial number, hex>` → JSON of the birth; table
// "audit" holds
// `<same key>/<time>/<random>` → JSON of one issued voucher; the event log holds both as they happened.
//
// Threads: every member function is safe from any thread.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "base/time.h"
#include "brski/wire.h"
#include "crypto/chain.h"
#include "net/http.h"
#include "store/store.h"

namespace cahn::brski {

enum class PinPolicy {
  farthest,   // the certificate of the request's chain farthest from the registrar: usually the domain CA (5.5.2)
  end_entity  // the registrar's own certificate
};

struct MasaOptions {
  std::vector<crypto::Certificate> signer;  // signing certificate first; its key signs vouchers and nothing else
  crypto::PrivateKeyPtr key;
  crypto::TrustStore idevid_anchors;   // CAs of the devices it answers for
  crypto::TrustStore factory_anchors;  // who may report births, by TLS client certificate
  PinPolicy pin = PinPolicy::farthest;
  std::function<void(const Progress&)> on_progress;  // must not block; may be empty
};

class Masa {
 public:
  // What is passed by reference must outlive the MASA. Ownership is first come, all logged, unless `admission` (C.5) is
  // stricter. Errors: bad_option.
  static Result<std::unique_ptr<Masa>> create(MasaOptions, admission::Admission&, store::Store&,
                                              const Clock& clock = system_clock());
  ~Masa();

  void add_routes(net::Router&);

  // Records a birth without the network: for a factory in the same process. True if it is new, false if it was known.
  // Durable when it completes. Errors: unknown_party (not our CA), forbidden (the serial is another device's),
  // unavailable.
  net::awaitable<Result<bool>> record_birth(Birth birth);
  // Every voucher ever issued for the device, oldest first.
  Result<AuditLog> audit_log(const crypto::Certificate& idevid) const;

 private:
  struct Impl;
  explicit Masa(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::brski
