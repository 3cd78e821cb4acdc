// An LDevID that ends: renewed in time, and a new one where that was missed (RFC 8995 9.1.3, L27427).

#include "brski/pledge_upkeep.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "pledge_fixture.h"

namespace cahn::brski {
namespace {

using namespace std::chrono_literals;
using Task = Upkeep::Task;

crypto::Certificate certificate_of(Time from, Time to) {
  static const test::Party ca = test::make_ca("upkeep");
  return test::make_party(ca, {{"serialNumber", "1"}},
                          [&](crypto::CertificateSpec& spec) {
                            spec.not_before = from;
                            spec.not_after = to;
                          })
      .certificate;
}

class AnUpkeep : public testing::Test {
 protected:
  void pass(std::chrono::microseconds time) {
    clock_.advance(time);
    up_ += time;
  }
  const Time start_ = parse_rfc3339("2026-03-01T00:00:00Z").value();
  ManualClock clock_{start_};
  Upkeep::Uptime up_{1000s};
  Upkeep upkeep_{clock_, [this] { return up_; }};
};

TEST_F(AnUpkeep, RenewsAtTwoThirdsOfTheLife) {
  upkeep_.issued(certificate_of(start_, start_ + 300h));
  pass(200h - 1s);
  EXPECT_EQ(upkeep_.due(), Task::nothing);
  pass(1s);
  EXPECT_EQ(upkeep_.due(), Task::renew);
}

TEST_F(AnUpkeep, CountsTheLifeOfAnLDevIDItIsFoundWith) {
  upkeep_.found(certificate_of(start_ - 100h, start_ + 200h));
  pass(100h - 1s);
  EXPECT_EQ(upkeep_.due(), Task::nothing);
  pass(1s);
  EXPECT_EQ(upkeep_.due(), Task::renew);
}

TEST_F(AnUpkeep, DoesNotTakeANewLDevIDForOldBecauseItsCaDatesBack) {
  upkeep_.issued(certificate_of(start_ - 1h, start_ + 30s));
  pass(19s);
  EXPECT_EQ(upkeep_.due(), Task::nothing);
  pass(1s);
  EXPECT_EQ(upkeep_.due(), Task::renew);
}

TEST_F(AnUpkeep, StartsOverOnceTheLDevIDHasEnded) {
  upkeep_.issued(certificate_of(start_, start_ + 300h));
  pass(300h - 1s);
  EXPECT_EQ(upkeep_.due(), Task::renew);
  pass(1s);
  EXPECT_EQ(upkeep_.due(), Task::onboard_again);
  Upkeep later(clock_, [this] { return up_; });
  later.found(certificate_of(start_, start_ + 300h));
  EXPECT_EQ(later.due(), Task::onboard_again) << "also one that was switched off meanwhile";
}

TEST_F(AnUpkeep, TriesAgainAfterPausesThatDoubleToAnHour) {
  upkeep_.issued(certificate_of(start_, start_ + 3000h));
  pass(2000h);
  for (const auto pause : {1min, 2min, 4min, 8min, 16min, 32min, 60min, 60min}) {
    ASSERT_EQ(upkeep_.due(), Task::renew);
    upkeep_.failed();
    pass(pause - 1s);
    EXPECT_EQ(upkeep_.due(), Task::nothing) << pause.count();
    pass(1s);
  }
  EXPECT_EQ(upkeep_.due(), Task::renew);
  upkeep_.issued(certificate_of(clock_.now(), clock_.now() + 3000h));
  pass(2000h);
  upkeep_.failed();
  pass(1min);
  EXPECT_EQ(upkeep_.due(), Task::renew) << "what failed before the last success is forgotten";
}

TEST_F(AnUpkeep, TriesMoreOftenWhenTheEndIsNearButDoesNotSpin) {
  upkeep_.issued(certificate_of(start_, start_ + 30s));
  pass(20s);
  int tries = 0;
  while (clock_.now() < start_ + 30s) {
    if (upkeep_.due() == Task::renew) {
      ++tries;
      upkeep_.failed();
      EXPECT_EQ(upkeep_.due(), Task::nothing);
    }
    pass(100ms);
  }
  EXPECT_GE(tries, 5);
  EXPECT_LE(tries, 11);
}

TEST_F(AnUpkeep, OfADeviceWhoseClockIsBehindComesByTheTimeItIsSwitchedOn) {
  clock_.set(Time{});  // 1970
  upkeep_.found(certificate_of(start_, start_ + 300h));
  pass(200h - 1s);
  EXPECT_EQ(upkeep_.due(), Task::nothing);
  pass(1s);
  EXPECT_EQ(upkeep_.due(), Task::renew);
}

TEST_F(AnUpkeep, OfAnLDevIDWithoutEndIsNotDue) {
  upkeep_.issued(certificate_of(start_, parse_rfc3339("9999-12-31T23:59:59Z").value()));
  pass(50 * 365 * 24h);
  EXPECT_EQ(upkeep_.due(), Task::nothing);
}

// A device whose LDevID ran out goes back to its own network, and to no other.
class AnExpiredDevice : public APledge {
 protected:
  AnExpiredDevice() {
    registrar_.issue_with([this](crypto::CertificateSpec& spec, test::Party&) {
      if (spec.not_after > system_clock().now() && first_) spec.not_after = spec.not_before + 1min;
      first_ = false;
    });
    options_ = options();
    options_.clock = nullptr;  // the first one has ended before it is there
    options_.state = folder_ / "state";
    pledge_ = need(Pledge::open(options_));
    credential_ = need(run([this] { return pledge_->onboard({registrar_.endpoint()}); }));
  }
  Result<NetworkCredential> run(std::function<net::awaitable<Result<NetworkCredential>>()> task) {
    return net::run_blocking<Result<NetworkCredential>>(runtime_, std::move(task));
  }
  Result<NetworkCredential> again(std::vector<net::Endpoint> candidates) {
    return run([&] { return pledge_->onboard_again(candidates); });
  }
  bool first_ = true;
  test::TemporaryFolder folder_;
  PledgeOptions options_;
  std::unique_ptr<Pledge> pledge_;
  std::optional<NetworkCredential> credential_;
};

TEST_F(AnExpiredDevice, GetsANewVoucherAndANewLDevIDFromItsNetwork) {
  ASSERT_LT(credential_->ldevid.not_after(), system_clock().now());
  const auto got = again({registrar_.endpoint()});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_GT(got->ldevid.not_after(), system_clock().now());
  EXPECT_FALSE(got->ldevid.public_key() == credential_->ldevid.public_key());
  EXPECT_EQ(registrar_.seen(path_request_voucher).size(), 2u);
  EXPECT_EQ(
      need(crypto::Certificate::from_pem(to_string(need(read_file(folder_ / "state" / "network" / "ldevid.pem"))))),
      got->ldevid);
}

TEST_F(AnExpiredDevice, IsNotTakenByAnotherNetworkWhateverItsMakerSays) {
  FalseRegistrar other(runtime_, maker_);  // has vouchers of the device's own maker
  const auto got = again({other.endpoint()});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::not_the_registrar) << got.error().message;
  EXPECT_TRUE(other.seen().empty()) << "not even a request";
  EXPECT_EQ(pledge_->credential()->ldevid, credential_->ldevid) << "and keeps what it has";
  const auto home = again({other.endpoint(), registrar_.endpoint()});
  ASSERT_TRUE(home) << home.error().message;
}

TEST_F(AnExpiredDevice, KeepsWhatItHasWhenItIsRefused) {
  registrar_.answer_vouchers([](const auto&) { return net::HttpResponse::text(403, "not now"); });
  ASSERT_FALSE(again({registrar_.endpoint()}));
  pledge_.reset();
  pledge_ = need(Pledge::open(options_));
  ASSERT_TRUE(pledge_->credential());
  EXPECT_EQ(pledge_->credential()->ldevid, credential_->ldevid);
}

TEST_F(APledge, InFactoryStateHasNoNetworkToGoBackTo) {
  const auto pledge = need(Pledge::open(options()));
  const auto got = net::run_blocking<Result<NetworkCredential>>(
      runtime_, [&] { return pledge->onboard_again({registrar_.endpoint()}); });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::bad_state);
}

}  // namespace
}  // namespace cahn::brski
