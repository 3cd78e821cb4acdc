// Looks at a claim's form and proof, once, on a few threads of its own, so that neither intake nor the engine waits for
// a signature before it must. About 100 µs each.
//
// Threads: safe from any thread.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "cascade/trust_engine.h"
#include "credential/credential.h"

namespace cahn::cascade {

// Nothing when the bytes are no credential. `position` and `received_at` are left to who knows them.
std::optional<VerifiedClaim> look_at_claim(ByteView, std::size_t max_claim);

class Verifier {
 public:
  using Checked = std::optional<VerifiedClaim>;  // as look_at_claim says
  using Pending = std::shared_future<Checked>;

  explicit Verifier(std::size_t max_claim);
  ~Verifier();  // what is queued is still looked at

  Pending check(credential::Credential);
  Pending check(Bytes);

 private:
  Pending enqueue(std::function<Checked()>);
  void work();

  const std::size_t max_claim_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::packaged_task<Checked()>> tasks_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace cahn::cascade
