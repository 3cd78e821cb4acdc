// The registrar's side of the command protocol: holds the state every router must have, checks who a router belongs to,
// sends each change as a signed command and repeats it until the router has acknowledged that it took effect.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assurance/access.h"
#include "assurance/ownership.h"
#include "base/time.h"
#include "crypto/tls.h"
#include "net/frame.h"
#include "store/event_log.h"

namespace cahn::assurance {

struct CommandServerOptions {
  std::string address = "::";
  std::uint16_t port = 8445;
  crypto::TlsIdentity identity;       // the registrar's: L517, decision 64
  std::string ownership;              // credential text Trust(person@, registrar+) for identity's key
  crypto::PrivateKeyPtr command_key;  // Ed25519
  std::string commander;              // credential text Trust(person@, command key+)
  OwnerCheck owner_check;
  // Decision 18: if set, a router's certificate must also lead to one of these.
  std::optional<crypto::TrustStore> domain;
  std::string network;
  std::string epoch;  // of the store the decision numbers live in
  std::chrono::seconds lease = std::chrono::hours(1);
  std::chrono::milliseconds repeat{1000};  // unacknowledged for so long: sent again
  std::chrono::milliseconds keep_alive{20'000};
  std::chrono::milliseconds handshake{10'000};  // from connection to `sync`
  std::size_t max_routers = 1'000;
  store::EventLog* log = nullptr;  // if set: "command" and "command_ack" events, for the console and for audit
};

struct RouterStatus {
  std::string router;  // did:key of its TLS key
  std::string address;
  Time connected_at;
  bool synced = false;
  std::uint64_t number = 0;  // the last it acknowledged
  std::size_t unacknowledged = 0;
};

class CommandServer : public AccessSink {
 public:
  struct Acknowledgement {
    std::string router;
    std::uint64_t number = 0;
    std::string device;
    std::chrono::steady_clock::duration after;  // since publish
  };

  // `state`: the last Access of every device, `number`: of the last decision taken. Errors: bad_credential, wrong_key,
  // wrong_owner (our own two credentials do not fit), address_in_use and others of net.
  static Result<std::unique_ptr<CommandServer>> start(net::Executor, const Clock&, CommandServerOptions,
                                                      std::vector<Access> state, std::uint64_t number);
  ~CommandServer() override = default;

  // Numbers must be greater than all before. Signs and queues to every router before it returns.
  void publish(std::vector<Access> changes) override = 0;
  virtual std::uint16_t port() const = 0;
  virtual std::vector<RouterStatus> routers() const = 0;
  // Called on a connection's strand with each first acknowledgement of a command; must not block.
  virtual std::shared_ptr<void> on_ack(std::function<void(const Acknowledgement&)>) = 0;
  virtual net::awaitable<void> stop() = 0;
};

}  // namespace cahn::assurance
