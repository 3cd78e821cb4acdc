#include "assurance/router_peer.h"

#include <algorithm>

namespace cahn::assurance {

void RouterPeer::send_commands(const SharedFrame& frame,
                               const std::vector<std::pair<std::uint64_t, std::string>>& numbers, SteadyTime now) {
  if (phase == Phase::introduced) return;  // its first state will have them
  for (const auto& [number_of_one, device] : numbers) outstanding[number_of_one] = {device, frame, now, now};
  if (phase == Phase::live) {
    connection_->send(*frame);
  } else {
    waiting_.push_back(frame);
  }
}

void RouterPeer::begin_state(std::string fresh_nonce) {
  phase = Phase::building;
  nonce = std::move(fresh_nonce);
  outstanding.clear();  // the state has what they said
  waiting_.clear();
}

void RouterPeer::send_state(const std::vector<Bytes>& frames) {
  for (const auto& frame : frames) connection_->send(frame);
  for (const auto& frame : waiting_) connection_->send(*frame);
  waiting_.clear();
  phase = Phase::live;
}

std::size_t RouterPeer::repeat(SteadyTime now, std::chrono::milliseconds patience) {
  if (phase != Phase::live || !synced) return 0;
  std::set<SharedFrame> sent;  // a batch has many commands, and goes out once
  std::size_t repeated = 0;
  for (auto& [number_of_one, waiting] : outstanding) {
    if (now - waiting.last_sent < patience) continue;
    waiting.last_sent = now;
    ++repeated;
    if (sent.insert(waiting.frame).second) connection_->send(*waiting.frame);
  }
  return repeated;
}

std::optional<RouterPeer::Outstanding> RouterPeer::acknowledged(std::uint64_t number_of_one) {
  number = std::max(number, number_of_one);
  const auto found = outstanding.find(number_of_one);
  if (found == outstanding.end()) return std::nullopt;
  auto known = std::move(found->second);
  outstanding.erase(found);
  return known;
}

}  // namespace cahn::assurance
