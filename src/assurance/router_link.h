// One connection of a router to its registrar, from hello to its end.
//
// Threads: all on the agent's strand.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assurance/access_table.h"
#include "assurance/command_messages.h"
#include "assurance/enforcer.h"
#include "assurance/ownership.h"
#include "crypto/chain.h"
#include "net/frame.h"

namespace cahn::assurance {

class RouterLink : public std::enable_shared_from_this<RouterLink> {
 public:
  // What outlives every link.
  struct Home {
    net::Executor strand;
    const Clock& clock;
    Ownership ownership;
    std::optional<crypto::TrustStore> domain;
    AccessTable& table;
    std::shared_ptr<Enforcer> enforcer;
  };

  RouterLink(std::shared_ptr<const Home> home, std::shared_ptr<net::FrameConnection> connection)
      : home_(std::move(home)), connection_(std::move(connection)) {}

  // Runs until the connection is over, and says why it is.
  net::awaitable<Error> run();
  void ping() { connection_->send(write_message(Ping{})); }
  void close() { connection_->close(); }

  bool in_step() const { return in_step_; }  // has the registrar's whole state
  bool was_in_step() const { return was_in_step_; }
  const std::string& registrar() const { return registrar_; }
  const std::string& network() const { return network_; }

 private:
  net::awaitable<Result<void>> converse();
  net::awaitable<Result<Message>> next();
  Result<void> accept(const Welcome&);
  void ask_for_state();
  net::awaitable<Result<void>> handle(Message message);
  net::awaitable<Result<void>> take_state(State part);
  net::awaitable<Result<void>> become(State whole);
  Result<void> take_command(const Command&);
  Result<void> take_batch(const Batch&);
  net::awaitable<Result<void>> take_lease(Lease lease);
  Result<void> check_origin(const std::string& registrar, const std::string& epoch) const;
  void carry_out(Access access, std::chrono::seconds lease);
  void acknowledge(std::uint64_t number, const Result<void>& result);
  void send_acknowledgements();

  const std::shared_ptr<const Home> home_;
  const std::shared_ptr<net::FrameConnection> connection_;
  std::string registrar_;  // did:key of its TLS key
  std::string commander_;  // did:key that signs its commands
  std::string network_, epoch_, nonce_;
  std::optional<State> collected_;  // parts of a state so far
  std::vector<Ack::Item> acknowledgements_;
  bool in_step_ = false, was_in_step_ = false;
};

}  // namespace cahn::assurance
