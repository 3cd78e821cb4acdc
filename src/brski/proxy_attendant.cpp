#include "brski/proxy_attendant.h"

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "discovery/finder.h"
#include "discovery/grasp_link.h"

namespace cahn::brski {
namespace {

namespace grasp = discovery::grasp;

constexpr std::chrono::milliseconds one_turn{500};  // how soon a stop is noticed

class Attendant final : public ProxyAttendant {
 public:
  Attendant(Proxy& proxy, AttendantOptions options) : proxy_(proxy), options_(std::move(options)) {
    if (!options_.trusted.empty()) finder_ = discovery::Finder::start(what_to_find());
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) turn();
    });
  }

 private:
  discovery::FinderOptions what_to_find() const {
    discovery::FinderOptions find;
    find.grasp = options_.grasp;
    find.grasp_instance = grasp::Instance::trusted;
    find.grasp_objective = grasp::registrar_objective;
    find.interfaces = options_.trusted;
    find.mdns = options_.mdns;
    find.mdns_types = {std::string(discovery::registrar_service)};
    return find;
  }

  void turn() {
    if (finder_) {
      finder_->wait(one_turn);
      auto found = finder_->found();
      std::erase_if(found, [this](const discovery::Candidate& candidate) {
        return std::ranges::find(options_.trusted, candidate.service.interface) == options_.trusted.end();
      });
      proxy_.offer(found);
    } else {
      std::this_thread::sleep_for(one_turn);
    }
    const bool can_help = !proxy_.registrars().empty();
    if (can_help && !announced_) announce();
    if (!can_help && announced_) withdraw();
  }

  void announce() {
    announced_ = true;
    if (options_.mdns) {
      auto by_mdns = discovery::Announcement::start(options_.instance, discovery::proxy_service, proxy_.port());
      if (by_mdns)
        mdns_ = *std::move(by_mdns);
      else
        not_announced("mDNS", by_mdns.error());
    }
    if (options_.grasp) {
      auto by_grasp = grasp::FloodAnnouncement::start({.objective = std::string(grasp::proxy_objective),
                                                       .tcp_port = proxy_.port(),
                                                       .interfaces = options_.facing,
                                                       .period = options_.flood_period});
      if (by_grasp)
        grasp_ = *std::move(by_grasp);
      else
        not_announced("GRASP", by_grasp.error());
    }
    log::info("PROXY_ANNOUNCED", "pledges are told of this proxy", {{"port", std::to_string(proxy_.port())}});
  }

  void withdraw() {
    announced_ = false;
    mdns_.reset();
    grasp_.reset();
    log::warning("PROXY_WITHDRAWN", "no registrar is known any more: pledges are not told of this proxy");
  }

  static void not_announced(std::string_view by, const Error& why) {
    log::warning("PROXY_NOT_ANNOUNCED", "the proxy is not announced in one of the ways",
                 {{"by", std::string(by)}, {"why", why.message}});
  }

  Proxy& proxy_;
  const AttendantOptions options_;
  std::unique_ptr<discovery::Finder> finder_;
  bool announced_ = false;
  std::unique_ptr<discovery::Announcement> mdns_;
  std::unique_ptr<grasp::FloodAnnouncement> grasp_;
  std::jthread thread_;  // ends before what it uses
};

}  // namespace

std::unique_ptr<ProxyAttendant> ProxyAttendant::start(Proxy& proxy, AttendantOptions options) {
  return std::make_unique<Attendant>(proxy, std::move(options));
}

}  // namespace cahn::brski
