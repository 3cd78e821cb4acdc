// What bench_revoke measures in: a registrar's claim node, decision loop and command server, and a router's agent,
// joined by real TLS on loopback with real files, in one process. Only the bearer is a fake: its gate shuts at once, so
// that what is measured is ours (the real gate is in revoke_pings.py).

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "assurance/command_server.h"
#include "assurance/decision_loop.h"
#include "assurance/router_agent.h"
#include "cascade/claim_service.h"
#include "credential/credential.h"
#include "net/http.h"
#include "pki/device_registry.h"
#include "pki/domain_ca.h"
#include "store/store.h"

namespace cahn::bench {

class RevokeSetting {
 public:
  // Aborts with a message when anything fails: a benchmark of half a system means nothing.
  RevokeSetting(const std::filesystem::path& folder, std::size_t devices);
  ~RevokeSetting();

  // Signs Trust or Distrust(ann, device) as of now.
  std::string claim(const std::string& relation, const std::string& device) const;
  // POSTs over the kept connection and returns when the answer is there. Not to be called from a runtime's thread.
  void post(const std::string& claim);
  // One POST of as many octets to a handler that does nothing: the floor's TLS round trip.
  void post_nothing(const std::string& octets);

  net::Runtime runtime{2};
  std::vector<std::string> devices;
  std::unique_ptr<store::Store> claims, registrar_store, router_store;
  std::unique_ptr<cascade::ClaimNode> node;
  std::unique_ptr<pki::DomainCa> ca;
  std::unique_ptr<pki::DeviceRegistry> registry;
  std::unique_ptr<assurance::DecisionLoop> loop;
  std::unique_ptr<assurance::CommandServer> commands;
  std::unique_ptr<bearer::Bearer> bearer;
  std::unique_ptr<assurance::RouterAgent> agent;
  crypto::PrivateKeyPtr ann;

 private:
  void open_node(const std::filesystem::path&);
  void make_devices(const std::filesystem::path&, std::size_t count);
  void start_commands();
  void start_router(const std::filesystem::path&);
  void send(const std::string& path, const std::string& octets);

  crypto::PrivateKeyPtr binding_, registrar_key_, command_key_, router_key_, maker_key_;
  std::optional<crypto::Certificate> registrar_certificate_, maker_certificate_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::HttpConnection> connection_;
};

}  // namespace cahn::bench
