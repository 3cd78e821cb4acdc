#include "cascade/verifier.h"

#include <algorithm>

#include "credential/relations.h"

namespace cahn::cascade {
namespace {

std::string refusal_of(const credential::Credential& credential) {
  const auto* relation = credential::find_relation(credential.statement().relation);
  if (relation == nullptr || relation->command) {
    return credential.statement().relation + " is a command: it is for routers and no fact";  // decision 35
  }
  if (const auto proof = credential::verify_proof(credential); !proof) return "bad signature: " + proof.error().message;
  return {};
}

VerifiedClaim look_at(const credential::Credential& credential) {
  VerifiedClaim claim;
  claim.id = credential.content_hash();
  claim.statement_hash = credential.statement_hash();
  claim.statement = credential.statement();
  claim.issuer = credential.issuer();
  claim.valid_from = credential.valid_from();
  claim.valid_until = credential.valid_until();
  claim.refusal = refusal_of(credential);
  return claim;
}

}  // namespace

std::optional<VerifiedClaim> look_at_claim(ByteView bytes, std::size_t max_claim) {
  const auto credential = credential::Credential::parse(as_text(bytes), {.max_size = max_claim});
  if (!credential) return std::nullopt;
  return look_at(*credential);
}

Verifier::Verifier(std::size_t max_claim) : max_claim_(max_claim) {
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Verifier::~Verifier() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
}

Verifier::Pending Verifier::check(credential::Credential credential) {
  return enqueue([credential = std::move(credential)]() -> Checked { return look_at(credential); });
}

Verifier::Pending Verifier::check(Bytes bytes) {
  return enqueue([this, bytes = std::move(bytes)] { return look_at_claim(bytes, max_claim_); });
}

Verifier::Pending Verifier::enqueue(std::function<Checked()> job) {
  std::packaged_task<Checked()> task(std::move(job));
  Pending pending = task.get_future().share();
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  ready_.notify_one();
  return pending;
}

void Verifier::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace cahn::cascade
