// Which device holds which LDevIDs: the pair IDevID-LDevID (L606), kept durably and asked for by either.
//
// Threads: safe from any thread; reads never wait for writes.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "crypto/certificate.h"
#include "pki/issuer.h"
#include "store/store.h"

namespace cahn::pki {

struct DeviceRecord {
  std::string device;        // did:key of the IDevID key (decision 64)
  std::string manufacturer;  // did:key of the CA that issued the IDevID
  std::string serial_number;
  crypto::Certificate idevid;
  std::optional<Time> voucher_at;            // when a voucher for it was last delivered; none: it may not enrol
  std::vector<crypto::Certificate> ldevids;  // newest last
};

class DeviceRegistry {
 public:
  static Result<std::unique_ptr<DeviceRegistry>> open(store::Store&);
  virtual ~DeviceRegistry() = default;

  // A voucher for this device has been verified and is about to be delivered. Durable when it completes.
  virtual boost::asio::awaitable<Result<void>> record_voucher(std::string device, std::string manufacturer,
                                                              crypto::Certificate idevid, Time at) = 0;
  virtual boost::asio::awaitable<Result<void>> record_ldevid(std::string device, crypto::Certificate ldevid) = 0;

  virtual std::optional<DeviceRecord> by_device(std::string_view device) const = 0;
  virtual std::optional<DeviceRecord> by_idevid(const crypto::Certificate&) const = 0;
  virtual std::optional<DeviceRecord> by_ldevid_serial(std::string_view serial_hex) const = 0;
  virtual std::vector<DeviceRecord> all() const = 0;
  // Called (on the store's thread; must not block) after an LDevID was recorded, until the handle is destroyed.
  virtual std::shared_ptr<void> on_ldevid(std::function<void(const DeviceRecord&)> listener) = 0;
};

}  // namespace cahn::pki
