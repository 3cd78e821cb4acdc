#include "pki/cmp_transactions.h"

namespace cahn::pki {

std::optional<crypto::CmpFailure> CmpTransactions::begin(const Bytes& id, const Bytes& sender) {
  const std::lock_guard lock(mutex_);
  if (entries_.contains(id)) return crypto::CmpFailure::transaction_id_in_use;
  if (entries_.size() >= max_) return crypto::CmpFailure::system_unavailable;
  const auto counted = by_sender_.find(sender);
  if (counted != by_sender_.end() && counted->second >= max_per_sender_) return crypto::CmpFailure::system_unavailable;
  entries_.emplace(id, Entry{sender, std::nullopt});
  ++by_sender_[sender];
  return std::nullopt;
}

void CmpTransactions::keep(const Bytes& id, CmpTransaction transaction) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end()) found->second.transaction = std::move(transaction);
}

void CmpTransactions::end(const Bytes& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end()) erase(found);
}

std::optional<CmpTransaction> CmpTransactions::take(const Bytes& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return std::exchange(found->second.transaction, std::nullopt);
}

std::vector<CmpTransaction> CmpTransactions::expire(Time now) {
  const std::lock_guard lock(mutex_);
  std::vector<CmpTransaction> over;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->second.transaction && entry->second.transaction->ends <= now) {
      over.push_back(*std::move(entry->second.transaction));
      erase(entry);
    }
    entry = next;
  }
  return over;
}

void CmpTransactions::erase(std::map<Bytes, Entry>::iterator entry) {
  const auto counted = by_sender_.find(entry->second.sender);
  if (--counted->second == 0) by_sender_.erase(counted);
  entries_.erase(entry);
}

}  // namespace cahn::pki
