// One router as the registrar sees it, for the length of a connection: who it is, and what it has not acknowledged yet.
//
// Threads: guarded by the command server's mutex, but for what is marked as constant after the introduction.

#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "assurance/ownership.h"
#include "net/frame.h"

namespace cahn::assurance {

using SteadyTime = std::chrono::steady_clock::time_point;
using SharedFrame = std::shared_ptr<const Bytes>;

class RouterPeer {
 public:
  // A state is being put together (building), everything after it goes out at once (live).
  enum class Phase { introduced, building, live };

  struct Outstanding {
    std::string device;
    SharedFrame frame;
    SteadyTime published, last_sent;
  };

  RouterPeer(std::shared_ptr<net::FrameConnection> connection, Ownership ownership, Time connected_at)
      : connection_(std::move(connection)), ownership_(std::move(ownership)), connected_at_(connected_at) {}

  const Ownership& ownership() const { return ownership_; }  // constant
  const std::string& router() const { return ownership_.key(); }
  net::FrameConnection& connection() const { return *connection_; }
  Time connected_at() const { return connected_at_; }

  // A frame of commands to send now, or, while a state is being built, after it.
  void send_commands(const SharedFrame& frame, const std::vector<std::pair<std::uint64_t, std::string>>& numbers,
                     SteadyTime now);
  void begin_state(std::string nonce);
  // Sends the frames of a state, then what came meanwhile.
  void send_state(const std::vector<Bytes>& frames);
  // Sends again what has waited for longer than `patience`; returns how many commands.
  std::size_t repeat(SteadyTime now, std::chrono::milliseconds patience);
  // The command that was acknowledged, if it was outstanding.
  std::optional<Outstanding> acknowledged(std::uint64_t number);

  Phase phase = Phase::introduced;
  bool synced = false;
  bool renewing = false;     // a check of its ownership is under way
  std::uint64_t number = 0;  // the last it acknowledged
  std::string nonce;         // of its last sync
  SteadyTime last_renewal{}, last_ping{};
  std::map<std::uint64_t, Outstanding> outstanding;

 private:
  const std::shared_ptr<net::FrameConnection> connection_;
  const Ownership ownership_;
  const Time connected_at_;
  std::vector<SharedFrame> waiting_;  // while building
};

}  // namespace cahn::assurance
