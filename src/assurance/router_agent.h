// The router's side of the command protocol: stays connected to its registrar, keeps the table of who may join, carries
// each command out on the bearer, and acknowledges what took effect.
//
// Order of a revocation: answers are "no" → the bearer has shut the gate, and the table is on the disk → acknowledged.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "assurance/access_table.h"
#include "assurance/ownership.h"
#include "base/time.h"
#include "bearer/bearer.h"
#include "crypto/tls.h"
#include "net/frame.h"
#include "store/store.h"

namespace cahn::assurance {

struct RouterAgentOptions {
  crypto::TlsIdentity identity;  // the router's own, self-signed or not (L518, decision 67)
  std::string ownership;         // credential text Trust(person@, router+) for identity's key
  // Where the registrar may be, best first (decision 55: configured, or found by mDNS or GRASP). Asked before each
  // attempt.
  std::function<net::awaitable<std::vector<net::Endpoint>>()> find_registrars;
  // Decision 18: if set, the registrar's certificate must also lead to one of these.
  std::optional<crypto::TrustStore> domain;
  AccessTableOptions table;
  std::chrono::milliseconds retry_first{200};  // doubles up to retry_most
  std::chrono::milliseconds retry_most{10'000};
  std::chrono::milliseconds keep_alive{20'000};
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds lease_watch{1'000};  // how soon the end of the lease is noticed
};

struct RouterAgentStatus {
  bool connected = false;  // and in step with the registrar
  std::string registrar;   // did:key, of the last one
  std::string network;
  std::uint64_t number = 0;
  std::size_t permitted = 0, denied = 0;
  std::chrono::milliseconds lease_left{0};
  std::string last_error;  // why it is not connected
};

class RouterAgent {
 public:
  // Errors: bad_credential, wrong_key (of our own credential), and those of the store.
  static Result<std::unique_ptr<RouterAgent>> open(net::Executor, const Clock&, const BootClock&, store::Store&,
                                                   bearer::Bearer&, RouterAgentOptions);
  virtual ~RouterAgent() = default;

  // What to start the bearer with.
  virtual bearer::Authoriser authoriser() = 0;
  // Connects, and connects again, until stop(). Once.
  virtual void run() = 0;
  virtual net::awaitable<void> stop() = 0;
  virtual RouterAgentStatus status() const = 0;
};

}  // namespace cahn::assurance
