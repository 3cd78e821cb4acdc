#include "discovery/finder.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "discovery/back_off.h"
#include "discovery/grasp_link.h"
#include "discovery/service_watch.h"

namespace cahn::discovery {
namespace {

class AllSources final : public Finder {
 public:
  explicit AllSources(FinderOptions options) : options_(std::move(options)) {}

  void begin() {
    if (options_.grasp) listen();
    if (options_.dns) asking_ = std::jthread([this](const std::stop_token& stop) { ask_dns(stop); });
    if (!options_.mdns) return;
    for (const std::string& type : options_.mdns_types) {
      auto watch = ServiceWatch::start(type, [this] { note_places(); });
      if (watch)
        watches_.push_back({type, *std::move(watch)});
      else
        leave_out("mDNS", watch.error());
    }
  }

  std::vector<Candidate> found() const override {
    std::vector<Candidate> all;
    if (listener_)
      for (grasp::Heard& heard : listener_->current())
        all.push_back({std::move(heard.service), strength_grasp, "GRASP", heard.lifetime});
    for (const Watch& watch : watches_) {
      const int strength = watch.type == proxy_service ? strength_mdns_proxy : strength_mdns_registrar;
      for (Service& service : watch.source->current()) {
        // Of one host's addresses IPv4 first, only because it is shorter to read in logs.
        const int shorter = service.address.find(':') == std::string::npos ? 1 : 0;
        all.push_back({.service = std::move(service), .strength = strength + shorter, .found_by = "mDNS"});
      }
    }
    const std::lock_guard lock(mutex_);
    for (const Service& service : by_dns_)
      all.push_back({.service = service, .strength = strength_dns, .found_by = "DNS"});
    return all;
  }

  News wait(std::chrono::milliseconds at_most) override {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [this] { return news_.places || !news_.links_up.empty(); });
    return std::exchange(news_, {});
  }

 private:
  struct Watch {
    std::string type;
    std::unique_ptr<ServiceWatch> source;
  };

  void listen() {
    grasp::ListenOptions listen{.instance = options_.grasp_instance,
                                .objective = options_.grasp_objective,
                                .interfaces = options_.interfaces,
                                .on_news = [this] { note_places(); },
                                .on_link_up = [this](const std::string& name) { note_link(name); },
                                .port = options_.grasp_port};
    auto listener = grasp::FloodListener::start(std::move(listen));
    if (listener)
      listener_ = *std::move(listener);
    else
      leave_out("GRASP", listener.error());
  }

  // RFC 8995 4.1: active methods back off by doubling to an hour, and begin anew with a link.
  void ask_dns(const std::stop_token& stop) {
    BackOff back_off(options_.dns_after);
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        const bool anew = asking_wakes_.wait_for(lock, stop, back_off.next(), [this] { return begin_anew_; });
        if (stop.stop_requested()) return;
        begin_anew_ = false;
        if (anew) {
          back_off.begin_anew();
          continue;
        }
      }
      auto found = options_.ask_dns(
          registrar_service, {.domain = options_.dns_domain, .give_up = [&stop] { return stop.stop_requested(); }});
      if (!found) {
        log::debug("DISCOVERY_NOTHING_IN_DNS", "no registrar in DNS", {{"why", found.error().message}});
        continue;
      }
      {
        const std::lock_guard lock(mutex_);
        by_dns_ = *std::move(found);
      }
      note_places();
    }
  }

  static void leave_out(std::string_view source, const Error& why) {
    log::warning("DISCOVERY_SOURCE_MISSING", "one way of finding does not work on this host; the others go on",
                 {{"source", std::string(source)}, {"why", why.message}});
  }

  void note_places() {
    const std::lock_guard lock(mutex_);
    news_.places = true;
    changed_.notify_all();
  }

  void note_link(const std::string& name) {
    const std::lock_guard lock(mutex_);
    begin_anew_ = true;
    asking_wakes_.notify_all();
    if (std::ranges::find(news_.links_up, name) == news_.links_up.end()) news_.links_up.push_back(name);
    changed_.notify_all();
  }

  const FinderOptions options_;
  mutable std::mutex mutex_;  // guards news_, by_dns_ and begin_anew_
  std::condition_variable changed_;
  std::condition_variable_any asking_wakes_;
  News news_;
  std::vector<Service> by_dns_;
  bool begin_anew_ = false;
  std::unique_ptr<grasp::FloodListener> listener_;  // these end their threads before what they use goes
  std::vector<Watch> watches_;
  std::jthread asking_;
};

}  // namespace

std::unique_ptr<Finder> Finder::start(FinderOptions options) {
  auto finder = std::make_unique<AllSources>(std::move(options));
  finder->begin();
  return finder;
}

}  // namespace cahn::discovery
