#include "bearer/dot1x/port_controller.h"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "tests/unit/bearer/fake_hostapd.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;
using test::eventually;

// The kernel's set, and whether changing it works.
struct FakeGate {
  std::mutex mutex;
  std::set<Station> inside;
  int renewals = 0;
  bool expel_fails = false;

  bool holds(const Station& station) {
    const std::lock_guard lock(mutex);
    return inside.contains(station);
  }
  std::size_t size() {
    const std::lock_guard lock(mutex);
    return inside.size();
  }
};

class FakeStationSet final : public StationSet {
 public:
  explicit FakeStationSet(std::shared_ptr<FakeGate> gate) : gate_(std::move(gate)) {}
  Result<void> admit(const Station& station) override {
    const std::lock_guard lock(gate_->mutex);
    gate_->inside.insert(station);
    return {};
  }
  Result<void> expel(const Station& station) override {
    const std::lock_guard lock(gate_->mutex);
    if (gate_->expel_fails) return fail(BearerError::unavailable, "the kernel says no");
    gate_->inside.erase(station);
    return {};
  }
  Result<void> renew(std::span<const Station>) override {
    const std::lock_guard lock(gate_->mutex);
    ++gate_->renewals;
    return {};
  }
  Result<void> clear() override {
    const std::lock_guard lock(gate_->mutex);
    gate_->inside.clear();
    return {};
  }

 private:
  std::shared_ptr<FakeGate> gate_;
};

class PortUnderControl : public testing::Test {
 protected:
  static constexpr const char* address = "02:00:00:00:00:aa";

  PortUnderControl() {
    std::filesystem::create_directory(folder_.path() / "hostapd");
    hostapd_ = std::make_unique<test::FakeHostapd>(folder_.path() / "hostapd" / "port1");
    runtime_.start();
    start();
  }
  ~PortUnderControl() override {
    controller_.reset();
    runtime_.stop();
  }

  void start() {
    auto made = PortController::start({.executor = runtime_.executor(),
                                       .gate = std::make_unique<FakeStationSet>(gate_),
                                       .ports = {"port1"},
                                       .hostapd_sockets = folder_.path() / "hostapd",
                                       .own_sockets = folder_.path(),
                                       .memory = folder_.path() / "stations",
                                       .das_port = das_.port(),
                                       .das_secret = "secret",
                                       .renew_every = 20ms,
                                       .authoriser_patience = 300ms,
                                       .authoriser = [this](JoinRequest request) { return decide(std::move(request)); },
                                       .on_event = [this](StationEvent event) { note(event); }});
    ASSERT_TRUE(made.has_value());
    controller_ = *std::move(made);
    ASSERT_TRUE(net::run_blocking<Result<void>>(runtime_, [&] { return controller_->wait_until_attached(5s); }));
  }

  net::awaitable<JoinAnswer> decide(JoinRequest) {
    ++asked_;
    if (decides_in_ > 0ms) co_await net::sleep_for(decides_in_);
    if (throws_) throw std::runtime_error("a bug in the decision");
    const std::lock_guard lock(mutex_);
    co_return answer_;
  }
  void note(const StationEvent& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event.state);
  }
  std::ptrdiff_t events(StationState state) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count(events_, state);
  }

  void decide_on(bool permit, std::string segment = {}) {
    const std::lock_guard lock(mutex_);
    answer_.permit = permit;
    answer_.device = "did:key:d";
    answer_.segment = std::move(segment);
  }
  JoinAnswer authorise(const std::string& port = "port1") {
    JoinRequest request;
    request.station = address;
    request.port = port;
    return net::run_blocking<JoinAnswer>(runtime_, [&] { return controller_->authorise(request); });
  }
  Result<void> cut() {
    return net::run_blocking<Result<void>>(runtime_, [&] { return controller_->cut("did:key:d"); });
  }
  void hostapd_reports(const std::string& event) { hostapd_->tell("<3>" + event + " " + address); }
  void join() {
    decide_on(true);
    ASSERT_TRUE(authorise().permit);
    hostapd_reports("AP-STA-CONNECTED");
    ASSERT_TRUE(eventually([&] { return gate_->holds(station_); }));
  }

  test::TemporaryFolder folder_;
  const Station station_{"port1", address};
  std::shared_ptr<FakeGate> gate_ = std::make_shared<FakeGate>();
  test::FakeDas das_{"secret"};
  std::unique_ptr<test::FakeHostapd> hostapd_;
  net::Runtime runtime_{2};
  std::mutex mutex_;
  JoinAnswer answer_;
  std::vector<StationState> events_;
  std::atomic<int> asked_{0};
  std::atomic<bool> throws_{false};
  std::chrono::milliseconds decides_in_{0};
  std::shared_ptr<PortController> controller_;
};

TEST_F(PortUnderControl, OpensForAPermittedStationOnlyWhenHostapdReportsIt) {
  decide_on(true);
  EXPECT_TRUE(authorise().permit);
  EXPECT_EQ(gate_->size(), 0U);
  hostapd_reports("AP-STA-CONNECTED");
  EXPECT_TRUE(eventually([&] { return gate_->holds(station_); }));
  EXPECT_TRUE(eventually([&] { return events(StationState::joined) == 1; }));
}

TEST_F(PortUnderControl, StaysShutForAStationThatHostapdLetInWithoutUs) {
  hostapd_reports("AP-STA-CONNECTED");
  EXPECT_TRUE(eventually([&] { return !das_.requests().empty(); })) << "it is sent away";
  EXPECT_EQ(gate_->size(), 0U);
  EXPECT_TRUE(eventually([&] { return events(StationState::refused) == 1; }));
}

TEST_F(PortUnderControl, ShutsWhenHostapdReportsTheEnd) {
  join();
  hostapd_reports("AP-STA-DISCONNECTED");
  EXPECT_TRUE(eventually([&] { return gate_->size() == 0; }));
  EXPECT_TRUE(eventually([&] { return events(StationState::left) == 1; }));
}

TEST_F(PortUnderControl, IsShutWhenACutReturnsAndHostapdIsToldByRadius) {
  join();
  EXPECT_TRUE(cut().has_value());
  EXPECT_EQ(gate_->size(), 0U);
  EXPECT_TRUE(eventually([&] { return das_.requests().size() == 1; }));
}

TEST_F(PortUnderControl, FallsBackToTheControlSocketWhenTheDisconnectIsNotAcknowledged) {
  join();
  das_.code = 42;
  EXPECT_TRUE(cut().has_value());
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("DEAUTHENTICATE ") + address); }));
}

TEST_F(PortUnderControl, ACutOfADeviceWithoutASessionIsFine) {
  EXPECT_TRUE(cut().has_value());
  EXPECT_TRUE(das_.requests().empty());
}

TEST_F(PortUnderControl, APermitThatACutOvertakesOpensNothing) {
  decide_on(true);
  decides_in_ = 100ms;
  auto answer = std::async(std::launch::async, [&] { return authorise(); });
  ASSERT_TRUE(eventually([&] { return asked_ == 1; }));
  EXPECT_TRUE(cut().has_value());
  EXPECT_FALSE(answer.get().permit);
  hostapd_reports("AP-STA-CONNECTED");
  EXPECT_TRUE(eventually([&] { return events(StationState::refused) >= 2; }));
  EXPECT_EQ(gate_->size(), 0U);
}

TEST_F(PortUnderControl, RefusesWhenTheDecisionIsLateAndWhenItThrows) {
  decide_on(true);
  throws_ = true;
  EXPECT_FALSE(authorise().permit);
  throws_ = false;
  decides_in_ = 5s;
  EXPECT_FALSE(authorise().permit);
  decides_in_ = 0ms;
  EXPECT_TRUE(authorise().permit);
}

TEST_F(PortUnderControl, ARefusedReauthenticationShutsWithoutWaitingForHostapd) {
  join();
  decide_on(false);
  EXPECT_FALSE(authorise().permit);
  EXPECT_EQ(gate_->size(), 0U);
}

TEST_F(PortUnderControl, RefusesASegmentThatAWireDoesNotHave) {
  decide_on(true, "quarantine");
  EXPECT_FALSE(authorise().permit);
  decide_on(true, "trusted");
  EXPECT_TRUE(authorise().permit);
}

TEST_F(PortUnderControl, RefusesWhatComesFromAPortThatIsNotOurs) {
  decide_on(true);
  EXPECT_FALSE(authorise("port9").permit);
  EXPECT_EQ(asked_, 0);
}

TEST_F(PortUnderControl, InvitesAnUnknownStationByNewSta) {
  join();
  hostapd_->reply("STA", "FAIL\n");
  controller_->invite("did:key:d");
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("NEW_STA ") + address); }));
}

TEST_F(PortUnderControl, InvitesALiveStationByStartingItsStateMachineAnew) {
  join();
  hostapd_->reply("STA", std::string(address) + "\ntimeout_next=NULLFUNC POLL\ndot1xPaePortNumber=0\n");
  controller_->invite("did:key:d");
  const std::string control = std::string("EAPOL_SET ") + address + " AdminControlledPortControl ";
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(control + "Auto"); }));
  EXPECT_TRUE(hostapd_->was_told(control + "ForceUnauthorized"));
}

TEST_F(PortUnderControl, SetsThePortUpAnewForAStationThatIsOnlyAShellAndAlone) {
  join();
  hostapd_->reply("STA", std::string(address) + "\ntimeout_next=REMOVE\n");
  hostapd_->reply("STA-NEXT", "");
  controller_->invite("did:key:d");
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("NEW_STA ") + address); }));
  EXPECT_EQ(hostapd_->commands(), (std::vector<std::string>{"DISABLE", "ENABLE", std::string("NEW_STA ") + address}));
}

TEST_F(PortUnderControl, WaitsForTheShellToGoWhereAnotherStationSharesThePort) {
  join();
  hostapd_->reply("STA", std::string(address) + "\ntimeout_next=REMOVE\n");
  hostapd_->reply("STA-NEXT", "02:00:00:00:00:bb\n");
  controller_->invite("did:key:d");
  std::this_thread::sleep_for(150ms);
  EXPECT_FALSE(hostapd_->was_told("DISABLE"));
  hostapd_->reply("STA", "FAIL\n");
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("NEW_STA ") + address); }));
}

TEST_F(PortUnderControl, ShutsWhenHostapdIsGoneAndInvitesItsStationsWhenItIsBack) {
  join();
  hostapd_.reset();
  EXPECT_TRUE(eventually([&] { return gate_->size() == 0; }));
  hostapd_ = std::make_unique<test::FakeHostapd>(folder_.path() / "hostapd" / "port1");
  hostapd_->reply("STA", "FAIL\n");
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("NEW_STA ") + address); }));
}

TEST_F(PortUnderControl, InvitesAfterARestartOfOursTheStationsItHad) {
  join();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_.path() / "stations"); }));
  controller_.reset();
  hostapd_->reply("STA", "FAIL\n");
  start();
  EXPECT_EQ(gate_->size(), 0U);
  EXPECT_TRUE(eventually([&] { return hostapd_->was_told(std::string("NEW_STA ") + address); }));
}

TEST_F(PortUnderControl, ShutsForEveryoneWhenOneStationCannotBePutOut) {
  join();
  gate_->expel_fails = true;
  EXPECT_TRUE(cut().has_value());
  EXPECT_EQ(gate_->size(), 0U);
}

TEST_F(PortUnderControl, RenewsTheLeaseOfItsStations) {
  join();
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(gate_->mutex);
    return gate_->renewals >= 3;
  }));
}

TEST_F(PortUnderControl, IsShutForGoodAfterAStop) {
  join();
  net::run_blocking<void>(runtime_, [&] { return controller_->stop(); });
  EXPECT_EQ(gate_->size(), 0U);
  EXPECT_FALSE(authorise().permit);
  hostapd_reports("AP-STA-CONNECTED");
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(gate_->size(), 0U);
}

}  // namespace
}  // namespace cahn::bearer::dot1x
