// Those who meet on the command protocol, for tests: an owner with a key, registrars and routers the owner vouches for,
// a bearer that writes down what it is asked to do, and clocks that stand still.

#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "assurance/access_table.h"
#include "assurance/command_server.h"
#include "assurance/ownership.h"
#include "assurance/router_agent.h"
#include "bearer/bearer.h"
#include "tests/support/pki/pki.h"

namespace cahn::test {

// Polls until `condition` holds; false if it does not within 20 s.
bool eventually(const std::function<bool()>& condition);
// Holds for as long as something that would come, if it came at all, takes; false as soon as it does not hold.
bool stays(const std::function<bool()>& condition);

struct Owner {
  explicit Owner(std::string mail = "mailto:ann@example.org");
  // Trust(person@, key+) : person-
  std::string vouch_for(const crypto::PublicKey& key, std::optional<Time> until = std::nullopt) const;
  std::string vouch_for_did(const std::string& did, std::optional<Time> until = std::nullopt) const;

  std::string person;
  crypto::PrivateKeyPtr key;
  std::string did;
};

// A self-signed TLS party (L517-518).
Identity self_signed(const std::string& name);
std::string did_of(const Identity&);

// A permit for a made-up device; `n` tells devices apart.
assurance::Access permit(int n, std::uint64_t number);
assurance::Access deny(int n, std::uint64_t number);
// What the authenticator asks when that device joins.
bearer::JoinRequest join_of(const assurance::Access&);

class ManualBootClock final : public assurance::BootClock {
 public:
  std::chrono::milliseconds now() const override { return std::chrono::milliseconds(now_.load()); }
  std::string boot_id() const override { return boot_id_; }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }
  void reboot() {
    now_ = 1'000;
    boot_id_ += "+";
  }

 private:
  std::atomic<std::int64_t> now_ = 1'000'000;
  std::string boot_id_ = "boot";
};

class FakeBearer final : public bearer::Bearer {
 public:
  std::string_view technology() const override { return "fake"; }
  net::awaitable<Result<void>> start(bearer::Authoriser, std::function<void(bearer::StationEvent)>) override;
  net::awaitable<void> stop() override;
  net::awaitable<Result<void>> cut(std::string device) override;
  net::awaitable<void> invite(std::string device) override;

  int cuts(const std::string& device) const { return count(cuts_, device); }  // that were begun
  int invitations(const std::string& device) const { return count(invitations_, device); }
  int all_cuts() const;
  void hold_cuts(bool hold) { held_ = hold; }  // until released, cuts do not complete
  void fail_cuts(int times) { failing_ = times; }

 private:
  int count(const std::vector<std::string>& calls, const std::string& device) const;
  mutable std::mutex mutex_;
  std::vector<std::string> cuts_, invitations_;
  std::atomic<bool> held_ = false;
  std::atomic<int> failing_ = 0;
};

}  // namespace cahn::test
