#include "brski/proxy.h"

#include <mutex>

#include "base/log.h"
#include "brski/wire.h"

namespace cahn::brski {
namespace {

using discovery::Candidate;

// Stronger than anything that is found.
constexpr int configured_strength = 1'000'000;

net::Endpoint endpoint_of(const Candidate& candidate) { return {candidate.service.address, candidate.service.port}; }

Candidate candidate_of(const net::Endpoint& endpoint) {
  Candidate candidate;
  candidate.service.address = endpoint.host;
  candidate.service.port = endpoint.port;
  return candidate;
}

// A registrar that fails is passed over for a while, so that not every pledge waits for it in vain.
discovery::CandidateOptions patience() {
  return {.first_pause = std::chrono::seconds(1),
          .longest_pause = std::chrono::minutes(5),
          .order = discovery::Order::strongest_first,
          .jitter = discovery::random_fraction};
}

class Registrars final : public net::RelayTargets {
 public:
  explicit Registrars(const Clock& clock) : known_(clock, patience()) {}

  void offer(Candidate candidate) {
    const std::string what = endpoint_of(candidate).authority(), how = candidate.found_by;
    const std::lock_guard lock(mutex_);
    if (known_.offer(std::move(candidate)))
      log::info("PROXY_REGISTRAR_FOUND", "a registrar to pass pledges on to", {{"registrar", what}, {"by", how}});
  }

  std::vector<net::Endpoint> targets() override {
    std::vector<net::Endpoint> all = everyone();
    if (all.size() > Proxy::max_tries) all.resize(Proxy::max_tries);
    return all;
  }

  void tried(const net::Endpoint& endpoint, bool connected, const std::string& why_not) override {
    {
      const std::lock_guard lock(mutex_);
      if (connected)
        known_.succeeded(candidate_of(endpoint));
      else
        known_.failed(candidate_of(endpoint));
    }
    if (!connected)
      log::debug("PROXY_REGISTRAR_SILENT", "a registrar does not answer",
                 {{"registrar", endpoint.authority()}, {"why", why_not}});
  }

  std::vector<net::Endpoint> everyone() const {
    const std::lock_guard lock(mutex_);
    std::vector<net::Endpoint> all;
    for (const Candidate& candidate : known_.ranked()) all.push_back(endpoint_of(candidate));
    return all;
  }

 private:
  mutable std::mutex mutex_;  // guards known_
  discovery::Candidates known_;
};

class CircuitProxy final : public Proxy {
 public:
  CircuitProxy(std::shared_ptr<Registrars> registrars, std::unique_ptr<net::Relay> relay)
      : registrars_(std::move(registrars)), relay_(std::move(relay)) {}

  std::uint16_t port() const override { return relay_->port(); }

  void offer(const std::vector<Candidate>& found) override {
    for (Candidate candidate : found) {
      candidate.strength = std::min(candidate.strength, configured_strength - 1);
      registrars_->offer(std::move(candidate));
    }
  }

  std::vector<std::string> registrars() const override {
    std::vector<std::string> names;
    for (const net::Endpoint& endpoint : registrars_->everyone()) names.push_back(endpoint.authority());
    return names;
  }

  net::awaitable<void> stop() override { return relay_->stop(); }

 private:
  const std::shared_ptr<Registrars> registrars_;
  const std::unique_ptr<net::Relay> relay_;
};

}  // namespace

Result<std::unique_ptr<Proxy>> Proxy::start(net::Executor executor, ProxyOptions options) {
  if (options.clock == nullptr) return fail(BrskiError::bad_option, "the proxy has no clock");
  auto registrars = std::make_shared<Registrars>(*options.clock);
  int strength = configured_strength + static_cast<int>(options.registrars.size());
  for (const net::Endpoint& endpoint : options.registrars) {
    Candidate candidate = candidate_of(endpoint);
    candidate.strength = strength--;
    candidate.found_by = "configuration";
    registrars->offer(std::move(candidate));
  }
  CAHN_TRY(auto relay, net::Relay::start(std::move(executor), std::move(options.relay), registrars));
  return std::make_unique<CircuitProxy>(std::move(registrars), std::move(relay));
}

}  // namespace cahn::brski
