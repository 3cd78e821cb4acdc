// From the POST of a claim to (a) the decision and (b) the router's acknowledgement, over many revocations one after
// another.
//
// Floor, in the same run on the same files: what no design could leave out. (a) a TLS round trip, the fsync of the
// claim, the verification of its signature, the fsync of the decision. (b) the same, and the command's signature, its
// trip to the router, its verification there, the fsync of the router's table, and the trip back.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "bench/revoke/revoke_setting.h"
#include "bench/support/report.h"

namespace cahn::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double ms_since(SteadyClock::time_point begin, SteadyClock::time_point end = SteadyClock::now()) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

// Sees decisions and acknowledgements of one device, one revocation after another.
class Watch {
 public:
  void expect(const std::string& device, assurance::Answer answer) {
    const std::lock_guard lock(mutex_);
    device_ = device;
    answer_ = answer;
    decided_ = acknowledged_ = {};
  }
  void decision(const assurance::Decision& decision) {
    const std::lock_guard lock(mutex_);
    if (decision.device != device_ || decision.answer != answer_) return;
    decided_ = SteadyClock::now();
    number_ = decision.number;
    changed_.notify_all();
  }
  void acknowledgement(const assurance::CommandServer::Acknowledgement& ack) {
    const std::lock_guard lock(mutex_);
    if (ack.device != device_) return;
    // An acknowledgement of an earlier command about the same device has an earlier number.
    last_ack_ = ack.number;
    acknowledged_ = SteadyClock::now();
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] {
      return decided_ != SteadyClock::time_point{} && acknowledged_ != SteadyClock::time_point{} &&
             last_ack_ >= number_;
    });
  }
  SteadyClock::time_point decided() const { return decided_; }
  SteadyClock::time_point acknowledged() const { return acknowledged_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string device_;
  assurance::Answer answer_ = assurance::Answer::deny;
  std::uint64_t number_ = 0, last_ack_ = 0;
  SteadyClock::time_point decided_, acknowledged_;
};

struct Samples {
  std::vector<double> decision, acknowledgement;
};

Samples measure(RevokeSetting& setting, std::size_t count) {
  Watch watch;
  const auto decisions = setting.loop->on_decision([&](const assurance::Decision& d) { watch.decision(d); });
  const auto acks =
      setting.commands->on_ack([&](const assurance::CommandServer::Acknowledgement& a) { watch.acknowledgement(a); });
  Samples samples;
  const auto change = [&](const char* relation, const std::string& device, assurance::Answer answer, bool count_it) {
    const std::string claim = setting.claim(relation, device);
    watch.expect(device, answer);
    const auto begin = SteadyClock::now();
    setting.post(claim);
    if (!watch.wait()) {
      std::fprintf(stderr, "bench_revoke: %s of %s was not acknowledged in 10 s\n", relation, device.c_str());
      std::exit(1);
    }
    if (!count_it) return;
    samples.decision.push_back(ms_since(begin, watch.decided()));
    samples.acknowledgement.push_back(ms_since(begin, watch.acknowledged()));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& device = setting.devices[i % setting.devices.size()];
    change("Distrust", device, assurance::Answer::deny, true);
    change("Trust", device, assurance::Answer::permit, false);
    if ((i + 1) % 250 == 0) std::fprintf(stderr, "  %zu of %zu revocations\n", i + 1, count);
  }
  return samples;
}

class Floor {
 public:
  Floor(RevokeSetting& setting, const std::filesystem::path& folder)
      : setting_(setting), claim_(setting.claim("Trust", setting.devices.front())) {
    file_ = ::open((folder / "floor").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    signature_ = *setting.ann->sign(as_bytes(claim_));
  }
  ~Floor() { ::close(file_); }

  void decision() const {
    setting_.post_nothing(claim_);
    fsync();
    verify();
    fsync();
  }
  void acknowledgement() const {
    decision();
    if (!setting_.ann->sign(as_bytes(claim_))) std::exit(1);
    setting_.post_nothing(claim_);
    verify();
    fsync();
  }

 private:
  void fsync() const {
    if (::write(file_, claim_.data(), claim_.size()) < 0 || ::fdatasync(file_) != 0) std::exit(1);
  }
  void verify() const {
    if (!setting_.ann->public_key().verify(as_bytes(claim_), signature_)) std::exit(1);
  }
  RevokeSetting& setting_;
  std::string claim_;
  Bytes signature_;
  int file_;
};

template <typename Work>
std::vector<double> repeat(std::size_t count, Work work) {
  std::vector<double> samples;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = SteadyClock::now();
    work();
    samples.push_back(ms_since(begin));
  }
  return samples;
}

int run(std::size_t count, bool json) {
  log::configure({.level = log::Level::error, .json = false, .role = "bench"});
  std::string name = "/tmp/cahn-bench-XXXXXX";
  if (!::mkdtemp(name.data())) return 1;
  const std::filesystem::path folder = name;
  {
    RevokeSetting setting(folder, 50);
    auto samples = measure(setting, count);
    const Floor floor(setting, folder);
    auto floor_decision = repeat(count, [&] { floor.decision(); });
    auto floor_ack = repeat(count, [&] { floor.acknowledgement(); });
    report({{"revoke.decision_p50_ms", quantile(samples.decision, 0.5), "ms", quantile(floor_decision, 0.5), false, ""},
            {"revoke.decision_p99_ms", quantile(samples.decision, 0.99), "ms", quantile(floor_decision, 0.99), false,
             "claim POST to decision; target 5 ms"},
            {"revoke.ack_p50_ms", quantile(samples.acknowledgement, 0.5), "ms", quantile(floor_ack, 0.5), false, ""},
            {"revoke.ack_p99_ms", quantile(samples.acknowledgement, 0.99), "ms", quantile(floor_ack, 0.99), false,
             "claim POST to the router's acknowledgement; target 15 ms"}},
           json);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace cahn::bench

int main(int argc, char** argv) {
  std::size_t count = 1000;
  bool json = false;
  CLI::App app("Measures how soon a claim that takes trust away is decided and acknowledged", "bench_revoke");
  app.add_option("--count", count, "Revocations")->check(CLI::Range(1, 1000000));
  app.add_flag("--json", json, "One object a line");
  CLI11_PARSE(app, argc, argv);
  return cahn::bench::run(count, json);
}
