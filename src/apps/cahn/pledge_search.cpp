// How a device finds a way in and takes it.

#include <optional>
#include <utility>

#include "apps/cahn/pledge_parts.h"
#include "base/log.h"
#include "discovery/finder.h"

namespace cahn::apps {
namespace {

net::awaitable<Credential> onboard_with(brski::Pledge* pledge, net::Endpoint registrar) {
  std::vector<net::Endpoint> candidates = {std::move(registrar)};
  if (pledge->credential()) co_return co_await pledge->onboard_again(std::move(candidates));
  co_return co_await pledge->onboard(std::move(candidates));
}

// Where a way in may be: what was configured, else all that is found (L746-759, RFC 8995 4.1 and appendix B).
class Surroundings {
 public:
  explicit Surroundings(const PledgeSettings& settings) : candidates_(system_clock()) {
    if (!settings.registrars.empty()) return;
    discovery::FinderOptions options;
    options.grasp = settings.grasp;
    options.mdns = settings.mdns;
    options.mdns_types = {std::string(discovery::proxy_service), std::string(discovery::registrar_service)};
    options.dns = settings.dns;
    options.dns_domain = settings.dns_domain;
    if (!settings.interface.empty()) options.interfaces = {settings.interface};
    finder_ = discovery::Finder::start(std::move(options));
  }

  Result<void> offer_configured(const std::vector<std::string>& registrars) {
    int strength = static_cast<int>(registrars.size());
    for (const std::string& text : registrars) {
      CAHN_TRY(const auto endpoint, net::parse_endpoint(text, 8443));
      discovery::Service service;
      service.instance = text;
      service.address = endpoint.host;
      service.port = endpoint.port;
      candidates_.offer({.service = std::move(service), .strength = strength--});
    }
    return {};
  }

  // Where the device was onboarded before.
  void offer_known(const net::Endpoint& endpoint) {
    discovery::Service service;
    service.instance = "its registrar";
    service.address = endpoint.host;
    service.port = endpoint.port;
    candidates_.offer({.service = std::move(service), .strength = discovery::strength_grasp + 1});
  }

  // Waits for something to try, at most so long.
  void look(std::chrono::milliseconds at_most) {
    if (!finder_) return;
    if (take(finder_->wait(at_most))) {
      // A registrar has an IPv4 and an IPv6 address and is announced in several ways, and the network may pass only
      // one of them: a moment for the others.
      take(finder_->wait(others_come_within));
    }
  }

  discovery::Candidates& candidates() { return candidates_; }

 private:
  static constexpr std::chrono::milliseconds others_come_within{250};

  bool take(const discovery::Finder::News& news) {
    for (const std::string& interface : news.links_up) candidates_.link_changed(interface);
    for (const discovery::Candidate& found : finder_->found())
      if (candidates_.offer(found)) tell(found);
    return news.places;
  }

  void tell(const discovery::Candidate& found) const {
    const auto took = std::chrono::steady_clock::now() - started_;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    log::info("ROAD_STEP", "found " + found.service.instance + " at " + found.service.address + " by " + found.found_by,
              {{"stage", "B"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
  }

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  discovery::Candidates candidates_;
  std::unique_ptr<discovery::Finder> finder_;
};

// Every candidate that may be tried now, once. True when one of them led to a credential.
bool try_all(net::Runtime& runtime, brski::Pledge* pledge, discovery::Candidates& candidates, Error& last) {
  while (const auto candidate = candidates.next()) {
    const net::Endpoint registrar{candidate->service.address, candidate->service.port};
    const auto credential =
        net::run_blocking<Credential>(runtime, [pledge, registrar] { return onboard_with(pledge, registrar); });
    if (credential) return true;
    last = credential.error();
    log::warning("ONBOARDING_FAILED", last.message,
                 {{"registrar", registrar.authority()}, {"code", std::string(last.code.name())}});
    candidates.failed(*candidate);
    if (asked_to_stop()) return false;
  }
  return false;
}

}  // namespace

Result<void> search_and_onboard(net::Runtime& runtime, const PledgeSettings& settings, Device& device) {
  Surroundings surroundings(settings);
  CAHN_CHECK(surroundings.offer_configured(settings.registrars));
  if (const auto& member = device.pledge->credential(); member && settings.registrars.empty())
    surroundings.offer_known(member->registrar);
  const auto started = std::chrono::steady_clock::now();
  const auto give_up = started + std::chrono::seconds(settings.patience);
  Error last{brski::BrskiError::no_registrar, "no registrar was found"};
  bool told = false;
  while (!asked_to_stop()) {
    surroundings.look(std::chrono::milliseconds(500));
    const bool nobody = !surroundings.candidates().next_try_at();
    if (try_all(runtime, device.pledge.get(), surroundings.candidates(), last)) return {};
    const auto now = std::chrono::steady_clock::now();
    const bool looked = !nobody || now - started >= std::chrono::seconds(2);
    if (nobody && looked && !std::exchange(told, true))
      log::info("NO_REGISTRAR_FOUND", "no registrar is announced here");
    if ((settings.once && looked) || (settings.patience > 0 && now >= give_up)) return std::unexpected(last);
    if (!settings.registrars.empty()) wait_a_little(std::chrono::milliseconds(1000));
  }
  return {};
}

}  // namespace cahn::apps
