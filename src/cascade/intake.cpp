#include "cascade/intake.h"

#include <algorithm>

#include "credential/notation.h"
#include "crypto/digest.h"

namespace cahn::cascade {
namespace {

std::string digest(ByteView bytes) {
  const auto sum = crypto::sha256(bytes);
  return {sum.begin(), sum.end()};
}

}  // namespace

struct Intake::Pending {
  std::string bytes_digest;
  ClaimStatus status;  // position 0 while not durable
  Verifier::Pending verification;
  SteadyTime received;
  Done done;
  std::vector<Done> also;  // who posted the same meanwhile
};

Intake::Intake(store::Store& store, const Clock& clock, Verifier& verifier, Limits limits)
    : store_(store), clock_(clock), verifier_(verifier), limits_(limits) {}

void Intake::submit(Bytes bytes, Done done) {
  if (bytes.size() > limits_.max_claim) {
    return done(fail(ClaimError::too_large, "a claim has at most " + std::to_string(limits_.max_claim) + " octets"));
  }
  auto credential = credential::Credential::parse(as_text(bytes), {.max_size = limits_.max_claim});
  if (!credential) return done(fail(ClaimError::malformed, credential.error().message));  // decision 47

  auto entry = std::make_shared<Pending>();
  entry->bytes_digest = digest(bytes);
  entry->status.id = credential->content_hash();
  entry->status.received_at = clock_.now();
  entry->status.relation = credential->statement().relation;
  entry->status.notation = credential::to_notation({credential->statement(), credential->issuer()});
  entry->status.issuer = credential->issuer();
  entry->received = std::chrono::steady_clock::now();
  const auto& id = entry->status.id;
  {
    std::unique_lock lock(mutex_);
    if (const auto known = known_.find(id); known != known_.end()) {
      if (known->second == 0) return pending_.at(id)->also.push_back(std::move(done));
      ClaimReceipt receipt{id, known->second, true};
      lock.unlock();
      return done(std::move(receipt));
    }
    if (pending_.size() >= limits_.max_pending) {
      lock.unlock();
      return done(fail(ClaimError::overloaded, "too many claims wait to be looked at; try again soon"));
    }
    entry->done = std::move(done);
    entry->verification = verifier_.check(*std::move(credential));  // while the disk is busy
    known_.emplace(id, 0);
    pending_.emplace(id, entry);
    pending_bytes_.emplace(entry->bytes_digest, entry);
  }
  store::Batch batch;
  batch.events.push_back({std::string(claim_event), std::move(bytes)});
  store_.commit(std::move(batch), [self = shared_from_this(), entry](Result<store::Committed> result) {
    self->committed(entry, std::move(result));
  });
}

void Intake::committed(const std::shared_ptr<Pending>& entry, Result<store::Committed> result) {
  std::vector<Done> also;
  const auto& id = entry->status.id;
  {
    const std::lock_guard lock(mutex_);
    also.swap(entry->also);
    if (result) {
      known_[id] = entry->status.position = result->first;
    } else {
      known_.erase(id);
      pending_.erase(id);
      pending_bytes_.erase(entry->bytes_digest);
    }
  }
  const auto answer = [&](bool known_already) -> Result<ClaimReceipt> {
    if (result) return ClaimReceipt{id, result->first, known_already};
    return fail(ClaimError::unavailable, "the claim could not be stored: " + result.error().message);
  };
  entry->done(answer(false));
  for (const auto& done : also) done(answer(true));
}

Intake::Taken Intake::take(const Bytes& payload) const {
  auto key = digest(payload);
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_bytes_.find(key);
    if (found != pending_bytes_.end()) return {found->second->verification, std::move(key), found->second->received};
  }
  return {verifier_.check(payload), std::move(key), std::nullopt};
}

void Intake::folded(const std::string& id, store::Position position, const std::string& bytes_digest) {
  const std::lock_guard lock(mutex_);
  known_[id] = position;
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  // Who waits for the commit is answered by it: the log may be read before the log's own callback has run.
  pending_bytes_.erase(bytes_digest);
  pending_.erase(found);
}

std::optional<ClaimStatus> Intake::status(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = pending_.find(id);
  if (found == pending_.end() || found->second->status.position == 0) return std::nullopt;
  return found->second->status;
}

std::vector<ClaimStatus> Intake::list(store::Position after) const {
  std::vector<ClaimStatus> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : pending_) {
      if (entry->status.position > after) waiting.push_back(entry->status);
    }
  }
  std::ranges::sort(waiting, {}, &ClaimStatus::position);
  return waiting;
}

std::size_t Intake::pending() const {
  const std::lock_guard lock(mutex_);
  return pending_.size();
}

}  // namespace cahn::cascade
