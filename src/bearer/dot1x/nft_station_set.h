// The gate in nftables: one `netdev` table, for each port an ingress chain with policy drop and a set of the addresses
// that pass (configuration.h writes it). The table is installed by the nft program, once; the sets are changed by
// netlink from here, because a cut is worth microseconds and not a process.
//
// Every element has a timeout, the lease: an agent that dies or hangs takes its stations off the network with it. The
// table itself stays, shut.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bearer/dot1x/file_descriptor.h"
#include "bearer/dot1x/station_set.h"

namespace cahn::bearer::dot1x {

class NftStationSet final : public StationSet {
 public:
  // `ports[i]` is the interface whose stations are in set `set_name(i)` of `table`. Errors: unavailable.
  static Result<std::unique_ptr<NftStationSet>> open(std::string table, std::vector<std::string> ports,
                                                     std::chrono::milliseconds lease);

  Result<void> admit(const Station&) override;
  Result<void> expel(const Station&) override;
  Result<void> renew(std::span<const Station>) override;
  Result<void> clear() override;

 private:
  struct Change;
  NftStationSet(FileDescriptor socket, std::string table, std::vector<std::string> ports,
                std::chrono::milliseconds lease)
      : socket_(std::move(socket)), table_(std::move(table)), ports_(std::move(ports)), lease_(lease) {}
  // Applies all changes in one transaction, or none. The value is 0, or the errno of the first that failed.
  Result<int> commit(std::span<const Change>);
  Result<std::string> set_of(const Station&) const;

  FileDescriptor socket_;
  std::string table_;
  std::vector<std::string> ports_;
  std::chrono::milliseconds lease_;
  std::uint32_t sequence_ = 0;
};

}  // namespace cahn::bearer::dot1x
