#include "assurance/ca_reconciler.h"

#include <algorithm>

#include "base/log.h"

namespace cahn::assurance {
namespace {

bool is_in_line(std::optional<crypto::RevocationReason> revocation, Answer answer) {
  if (answer == Answer::deny) return revocation.has_value();
  return revocation != crypto::RevocationReason::certificate_hold;
}

}  // namespace

void CaReconciler::want(const std::string& device, Answer answer) {
  if (const auto known = wanted_.find(device); known != wanted_.end()) {
    known->second = {answer, true};
    return;
  }
  const auto record = registry_.by_device(device);
  if (!record) return;
  const bool all_in_line = std::ranges::all_of(record->ldevids, [&](const crypto::Certificate& ldevid) {
    return is_in_line(ca_.revocation(ldevid.serial_hex()), answer);
  });
  if (all_in_line) return;
  wanted_.emplace(device, Wish{answer, true});
  net::spawn(strand_, reconcile(device), "hold or release at the CA");
}

net::awaitable<void> CaReconciler::reconcile(std::string device) {
  const auto self = shared_from_this();
  // The answer may change while the CA writes; then the work begins again with the new one.
  while (wanted_.at(device).fresh) {
    wanted_.at(device).fresh = false;
    const Answer answer = wanted_.at(device).answer;
    const auto record = registry_.by_device(device);
    if (!record) break;
    for (const auto& ldevid : record->ldevids) {
      crypto::Certificate certificate = ldevid;
      if (!co_await put_in_line(std::move(certificate), answer)) break;  // the sweep tries again
    }
  }
  wanted_.erase(device);
}

net::awaitable<bool> CaReconciler::put_in_line(crypto::Certificate ldevid, Answer answer) {
  std::string serial = ldevid.serial_hex();
  if (is_in_line(ca_.revocation(serial), answer)) co_return true;
  Result<void> done;
  if (answer == Answer::deny) {
    done = co_await ca_.revoke(serial, crypto::RevocationReason::certificate_hold);
  } else {
    done = co_await ca_.release(serial);
  }
  if (!done) {
    log::error("CA_HOLD", "the CA could not hold or release an LDevID; it is tried again",
               {{"serial", serial}, {"error", done.error().message}});
  }
  co_return done.has_value();
}

}  // namespace cahn::assurance
