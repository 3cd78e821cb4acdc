// A device that belongs to a network and stays: it joins, says when the network takes or refuses it, and keeps its
// LDevID valid (RFC 8995 9.1.3).

#include <optional>

#include "apps/cahn/pledge_parts.h"
#include "base/log.h"
#include "bearer/dot1x/supplicant.h"
#include "brski/pledge_upkeep.h"

namespace cahn::apps {
namespace {

using Task = brski::Upkeep::Task;

Result<std::unique_ptr<bearer::dot1x::Supplicant>> join(const PledgeSettings& settings, const Device& device) {
  const std::filesystem::path files = device.pledge->files();
  bearer::dot1x::SupplicantOptions options;
  options.interface = settings.interface;
  options.run_directory =
      settings.run_directory.empty() ? device.state / "run" : std::filesystem::path(settings.run_directory);
  options.certificate = files / "ldevid.pem";
  options.key = files / "ldevid.key";
  options.domain_ca = files / "domain-ca.pem";
  options.identity = device.serial_number;
  options.radius_name =
      settings.radius_name.empty() ? "radius." + device.pledge->credential()->network : settings.radius_name;
  return bearer::dot1x::Supplicant::start(std::move(options));
}

void report_join(bool authenticated, std::chrono::steady_clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  if (authenticated)
    log::info("ROAD_STEP", "joined the target network by EAP-TLS with the LDevID",
              {{"stage", "E"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
  else
    log::warning("ROAD_REFUSED", "the target network refused the LDevID",
                 {{"stage", "E"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
}

// The supplicant of the target network, started anew with each LDevID.
class Membership {
 public:
  Membership(const PledgeSettings& settings, const Device& device) : settings_(settings), device_(device) {}

  Result<void> begin() {
    if (settings_.interface.empty()) return {};
    supplicant_.reset();
    CAHN_TRY(supplicant_, join(settings_, device_));
    known_.reset();
    started_ = std::chrono::steady_clock::now();
    return {};
  }

  // Says what changed.
  void look() {
    if (!supplicant_) return;
    const auto status =
        known_ ? supplicant_->status() : supplicant_->wait_until_authenticated(std::chrono::seconds(10));
    if (status && (status->authenticated || status->refused) && known_ != status->authenticated) {
      known_ = status->authenticated;
      report_join(*known_, std::chrono::steady_clock::now() - started_);
    } else if (!status && !known_) {
      known_ = false;
      log::warning("JOIN_FAILED", status.error().message);
    }
  }

 private:
  const PledgeSettings& settings_;
  const Device& device_;
  std::unique_ptr<bearer::dot1x::Supplicant> supplicant_;
  std::optional<bool> known_;
  std::chrono::steady_clock::time_point started_;
};

net::awaitable<Result<void>> renew(brski::Pledge* pledge) {
  const auto renewed = co_await pledge->renew();
  if (!renewed) co_return fail(renewed.error());
  co_return Result<void>{};
}

Result<void> carry_out(Task task, net::Runtime& runtime, const PledgeSettings& settings, Device& device) {
  if (task == Task::renew) {
    brski::Pledge* const pledge = device.pledge.get();
    return net::run_blocking<Result<void>>(runtime, [pledge] { return renew(pledge); });
  }
  log::warning("LDEVID_EXPIRED", "the LDevID has ended; the device onboards again in its network",
               {{"until", rfc3339(device.pledge->credential()->ldevid.not_after())}});
  return search_and_onboard(runtime, settings, device);
}

}  // namespace

Result<void> stay(net::Runtime& runtime, const PledgeSettings& settings, Device& device, bool fresh) {
  Membership membership(settings, device);
  CAHN_CHECK(membership.begin());
  brski::Upkeep upkeep(system_clock());
  const crypto::Certificate ldevid = device.pledge->credential()->ldevid;
  fresh ? upkeep.issued(ldevid) : upkeep.found(ldevid);
  while (!asked_to_stop()) {
    membership.look();
    if (const Task task = upkeep.due(); task != Task::nothing) {
      const auto done = carry_out(task, runtime, settings, device);
      if (asked_to_stop()) return {};
      if (done) {
        upkeep.issued(device.pledge->credential()->ldevid);
        CAHN_CHECK(membership.begin());
      } else {
        log::warning("RENEWAL_FAILED", done.error().message);
        upkeep.failed();
      }
    }
    wait_a_little(std::chrono::milliseconds(200));
  }
  return {};
}

}  // namespace cahn::apps
