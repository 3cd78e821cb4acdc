// Makes the network look like the table: cuts who is denied, invites who is permitted again. What concerns one device
// happens in the order it was asked for; different devices do not wait for each other.
//
// Threads: all on one strand, whose executor it is given; completions are called there.

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "assurance/access_table.h"
#include "bearer/bearer.h"
#include "net/async.h"

namespace cahn::assurance {

class Enforcer : public std::enable_shared_from_this<Enforcer> {
 public:
  using Done = std::function<void(Result<void>)>;

  // `strand` must run one handler at a time. Table and bearer must outlive what is under way. A bearer that starts lets
  // nobody in by itself, so without a lease there is nobody to cut yet.
  Enforcer(net::Executor strand, AccessTable& table, bearer::Bearer& bearer)
      : strand_(std::move(strand)), table_(table), bearer_(bearer), lapsed_(!table.may_answer()) {}

  // One decision: `done` when it took effect (a denied device: the gate is shut) and is durable. Answers go by it at
  // once.
  void apply(Access access, std::chrono::seconds lease, Done done);
  // Shuts the gate to one device, whatever the table says.
  void cut(std::string device, Done done);
  void invite(std::string device);
  // Follows the lease and tries again what failed; call it now and then, and when the lease was renewed. When the lease
  // has run out everybody is cut (if the table fails closed); when it is back, everybody who may is invited.
  void tend();
  // Whether something about this device is under way or has failed.
  bool is_unsettled(const std::string& device) const { return jobs_.contains(device) || uncut_.contains(device); }

  std::size_t under_way() const { return jobs_.size(); }
  std::size_t failed_cuts() const { return uncut_.size(); }

 private:
  enum class Action { none, cut, invite };
  struct Job {
    Action action = Action::none;
    store::Batch batch;  // may be empty
    Done done;
  };
  struct Effect;

  bool must_be_out(const std::string& device) const;
  void retry_failed_cuts();
  void follow_lease();
  void enqueue(const std::string& device, Job job);
  void start_next();
  void finish(const std::string& device);
  net::awaitable<void> act(std::string device, std::shared_ptr<Effect> effect);
  net::awaitable<void> keep(std::shared_ptr<Effect> effect);
  void part_done(const std::shared_ptr<Effect>& effect, Result<void> result);

  const net::Executor strand_;
  AccessTable& table_;
  bearer::Bearer& bearer_;
  std::map<std::string, std::deque<Job>> jobs_;  // by device; the first of each is under way
  std::set<std::string> uncut_;                  // denied, but the bearer could not cut them
  std::deque<std::string> ready_;                // devices whose first job waits for its turn
  std::size_t running_ = 0;
  bool lapsed_;  // no lease: nobody is in
};

}  // namespace cahn::assurance
