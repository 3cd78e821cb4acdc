#include <algorithm>
#include <future>

#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using namespace std::chrono_literals;
using crypto::RevocationReason;
using test::value_of;

class Revoking : public test::CaTest {
 protected:
  // The CRL after the interval in which it is not republished.
  crypto::Crl next_crl() {
    clock_.advance(options_.crl_interval);
    return crl();
  }
  static bool lists(const crypto::Crl& crl, const std::string& serial) {
    return std::ranges::find(crl.entries(), serial, &crypto::RevokedEntry::serial_hex) != crl.entries().end();
  }
  std::pair<int, std::string> openssl_verifies(const crypto::Certificate& leaf) {
    test::write(folder_ / "ca.pem", ca_->certificate().pem());
    test::write(folder_ / "leaf.pem", leaf.pem());
    test::write(folder_ / "crl.der", as_text(ca_->crl()));
    return test::run(folder_,
                     "openssl crl -inform DER -in crl.der -out crl.pem && "
                     "openssl verify -crl_check -CAfile ca.pem -CRLfile crl.pem leaf.pem");
  }
};

TEST_F(Revoking, PublishesACrlBeforeAnythingIsRevoked) {
  EXPECT_TRUE(crl().entries().empty());
  EXPECT_TRUE(crl().signed_by(ca_->certificate().public_key()));
  const auto [status, output] = openssl_verifies(issue_ldevid());
  EXPECT_EQ(status, 0) << output;
}

TEST_F(Revoking, PutsAHoldOnTheCrlAndOpensslThenRefusesTheCertificate) {
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  clock_.advance(options_.crl_interval);
  const auto [status, output] = openssl_verifies(leaf);
  EXPECT_NE(status, 0);
  EXPECT_NE(output.find("certificate revoked"), output.npos) << output;
  const std::string text = openssl("crl -in crl.pem -noout -text -CAfile ca.pem").second;
  EXPECT_NE(text.find("verify OK"), text.npos) << text;
  EXPECT_NE(text.find("Certificate Hold"), text.npos) << text;
}

TEST_F(Revoking, TakesAReleasedHoldOffTheNextCrlWithAHigherNumber) {  // decision 25
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  const auto held = next_crl();
  ASSERT_TRUE(lists(held, leaf.serial_hex()));
  ASSERT_TRUE(release(leaf.serial_hex()).has_value());
  const auto released = next_crl();
  EXPECT_FALSE(lists(released, leaf.serial_hex()));
  EXPECT_GT(released.number(), held.number());
  EXPECT_EQ(ca_->revocation(leaf.serial_hex()), std::nullopt);
  const auto [status, output] = openssl_verifies(leaf);
  EXPECT_EQ(status, 0) << output;
}

TEST_F(Revoking, NeverReleasesACompromisedKey) {
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::key_compromise).has_value());
  const auto released = release(leaf.serial_hex());
  ASSERT_FALSE(released.has_value());
  EXPECT_EQ(released.error().code, PkiError::not_permitted);
  EXPECT_TRUE(lists(next_crl(), leaf.serial_hex()));
}

TEST_F(Revoking, ReplacesAHoldByKeyCompromiseForGood) {
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::certificate_hold).has_value());
  const Time held_at = clock_.now();
  clock_.advance(1h);
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::key_compromise).has_value());
  EXPECT_EQ(ca_->revocation(leaf.serial_hex()), RevocationReason::key_compromise);
  ASSERT_EQ(next_crl().entries().size(), 1u);
  EXPECT_EQ(crl().entries().front().revoked_at, held_at) << "it was not good in between";
  EXPECT_FALSE(release(leaf.serial_hex()).has_value());
}

TEST_F(Revoking, ReplacesAHoldByAnyReasonForGood) {
  for (const auto reason : {RevocationReason::unspecified, RevocationReason::superseded, RevocationReason::cessation}) {
    const auto leaf = issue_ldevid();
    ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::certificate_hold).has_value());
    ASSERT_TRUE(revoke(leaf.serial_hex(), reason).has_value());
    EXPECT_EQ(ca_->revocation(leaf.serial_hex()), reason);
    EXPECT_FALSE(release(leaf.serial_hex()).has_value());
  }
}

TEST_F(Revoking, DoesNotTurnARevocationForGoodIntoAHold) {
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::superseded).has_value());
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::certificate_hold).has_value());
  EXPECT_EQ(ca_->revocation(leaf.serial_hex()), RevocationReason::superseded);
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::key_compromise).has_value());
  EXPECT_EQ(ca_->revocation(leaf.serial_hex()), RevocationReason::key_compromise);
}

TEST_F(Revoking, HasNothingToDoForWhatIsGoodOrHeldAlready) {
  const auto leaf = issue_ldevid();
  EXPECT_TRUE(release(leaf.serial_hex()).has_value());
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  const auto events = store_->last_position();
  EXPECT_TRUE(revoke(leaf.serial_hex()).has_value());
  EXPECT_EQ(store_->last_position(), events);
}

TEST_F(Revoking, RefusesASerialNumberItNeverIssued) {
  for (const auto* serial : {"00ff", "", "not hex"}) {
    const auto revoked = revoke(serial);
    ASSERT_FALSE(revoked.has_value());
    EXPECT_EQ(revoked.error().code, PkiError::bad_request);
    EXPECT_FALSE(release(serial).has_value());
  }
}

TEST_F(Revoking, ReadsSerialNumbersInEitherCase) {
  const auto leaf = issue_ldevid();
  std::string upper = leaf.serial_hex();
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  ASSERT_TRUE(revoke(upper).has_value());
  EXPECT_EQ(ca_->revocation(upper), RevocationReason::certificate_hold);
  EXPECT_TRUE(lists(next_crl(), leaf.serial_hex()));
}

TEST_F(Revoking, SurvivesARestart) {
  const auto held = issue_ldevid("SN-1"), compromised = issue_ldevid("SN-2"), released = issue_ldevid("SN-3");
  ASSERT_TRUE(revoke(held.serial_hex()).has_value());
  ASSERT_TRUE(revoke(compromised.serial_hex(), RevocationReason::key_compromise).has_value());
  ASSERT_TRUE(revoke(released.serial_hex()).has_value());
  ASSERT_TRUE(release(released.serial_hex()).has_value());
  const auto before = next_crl();
  restart();
  const auto after = crl();
  EXPECT_EQ(after.entries().size(), 2u);
  EXPECT_TRUE(lists(after, held.serial_hex()));
  EXPECT_TRUE(lists(after, compromised.serial_hex()));
  EXPECT_EQ(ca_->revocation(compromised.serial_hex()), RevocationReason::key_compromise);
  EXPECT_GT(after.number(), before.number());
  EXPECT_TRUE(release(held.serial_hex()).has_value());
  EXPECT_FALSE(release(compromised.serial_hex()).has_value());
}

TEST_F(Revoking, RaisesTheCrlNumberAtEveryRestart) {
  std::uint64_t last = crl().number();
  for (int i = 0; i < 3; ++i) {
    restart();
    EXPECT_GT(crl().number(), last);
    last = crl().number();
  }
}

TEST_F(Revoking, RepublishesTheCrlAtMostOnceAnInterval) {  // decision 57
  const auto first = issue_ldevid("SN-1"), second = issue_ldevid("SN-2");
  ASSERT_TRUE(revoke(first.serial_hex()).has_value());
  const auto published = next_crl();
  ASSERT_TRUE(revoke(second.serial_hex()).has_value());
  clock_.advance(options_.crl_interval - 1ms);
  EXPECT_EQ(crl().number(), published.number());
  clock_.advance(1ms);
  EXPECT_EQ(crl().number(), published.number() + 1);
  EXPECT_TRUE(lists(crl(), second.serial_hex()));
  clock_.advance(10 * options_.crl_interval);
  EXPECT_EQ(crl().number(), published.number() + 1) << "nothing changed";
}

TEST_F(Revoking, RefreshesTheCrlLongBeforeItsNextUpdate) {
  const auto first = crl();
  clock_.advance(options_.crl_lifetime / 2 - 1s);
  EXPECT_EQ(crl().number(), first.number());
  clock_.advance(1s);
  const auto second = crl();
  EXPECT_GT(second.number(), first.number());
  EXPECT_EQ(second.next_update(), clock_.now() + options_.crl_lifetime);
  clock_.advance(10 * options_.crl_lifetime);
  EXPECT_GT(crl().next_update(), clock_.now());
}

TEST_F(Revoking, KeepsTheCrlCurrentWhenTheClockIsSetBack) {
  const auto leaf = issue_ldevid();
  const auto before = crl();
  clock_.advance(-1h);
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  EXPECT_TRUE(lists(crl(), leaf.serial_hex()));
  EXPECT_GT(crl().number(), before.number());
}

TEST_F(Revoking, DropsCertificatesFromTheCrlOnlyAfterTheyExpiredAndWereShown) {  // RFC 5280 3.3
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex(), RevocationReason::key_compromise).has_value());
  clock_.set(leaf.not_after() + 1s);
  EXPECT_TRUE(lists(crl(), leaf.serial_hex()));
  clock_.advance(2 * options_.crl_lifetime);
  EXPECT_FALSE(lists(crl(), leaf.serial_hex()));
  EXPECT_EQ(ca_->revocation(leaf.serial_hex()), RevocationReason::key_compromise);
}

// Two operators at once: the hold is released while the report of a stolen key is on its way to the disk.
TEST_F(Revoking, DoesNotLetAReleaseOvertakeAKeyCompromise) {
  const auto leaf = issue_ldevid();
  const std::string serial = leaf.serial_hex();
  ASSERT_TRUE(revoke(serial).has_value());
  slow_->hold();
  auto compromise = std::async(std::launch::async, [&] { return revoke(serial, RevocationReason::key_compromise); });
  while (slow_->waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(ca_->revocation(serial), RevocationReason::certificate_hold) << "what is not durable is not shown";
  EXPECT_FALSE(release(serial).has_value());
  slow_->let_one_through();
  EXPECT_TRUE(compromise.get().has_value());
  EXPECT_EQ(ca_->revocation(serial), RevocationReason::key_compromise);
}

TEST_F(Revoking, AnswersASecondRequestOnlyWhenTheFirstIsDurable) {
  const std::string serial = issue_ldevid().serial_hex();
  slow_->hold();
  auto first = std::async(std::launch::async, [&] { return revoke(serial); });
  while (slow_->waiting() < 1) std::this_thread::yield();
  auto second = std::async(std::launch::async, [&] { return revoke(serial); });
  while (slow_->waiting() < 2) std::this_thread::yield();
  EXPECT_EQ(second.wait_for(20ms), std::future_status::timeout);
  slow_->let_one_through();
  slow_->let_one_through();
  EXPECT_TRUE(first.get().has_value());
  EXPECT_TRUE(second.get().has_value());
}

TEST_F(Revoking, LeavesThingsAsTheyWereWhenTheStoreFails) {
  const std::string serial = issue_ldevid().serial_hex();
  slow_->hold();
  auto failing = std::async(std::launch::async, [&] { return revoke(serial, RevocationReason::key_compromise); });
  while (slow_->waiting() < 1) std::this_thread::yield();
  slow_->let_one_through(false);
  const auto revoked = failing.get();
  ASSERT_FALSE(revoked.has_value());
  EXPECT_EQ(revoked.error().code, PkiError::unavailable);
  EXPECT_EQ(ca_->revocation(serial), std::nullopt);
  auto retried = std::async(std::launch::async, [&] { return revoke(serial); });
  while (slow_->waiting() < 1) std::this_thread::yield();
  slow_->let_one_through();
  EXPECT_TRUE(retried.get().has_value());
  EXPECT_EQ(ca_->revocation(serial), RevocationReason::certificate_hold) << "the failed compromise must not linger";
}

TEST_F(Revoking, HoldsUpWhenManyThreadsRevokeAndRelease) {
  std::vector<std::string> serials;
  for (int i = 0; i < 8; ++i) serials.push_back(issue_ldevid("SN-" + std::to_string(i)).serial_hex());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < serials.size(); ++i) {
        EXPECT_TRUE(revoke(serials[i]).has_value());
        if (i % 2 == 1) {
          EXPECT_TRUE(release(serials[i]).has_value());
        } else if (t == 0) {
          EXPECT_TRUE(revoke(serials[i], RevocationReason::key_compromise).has_value());
        }
        crl();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < serials.size(); i += 2) {
    EXPECT_EQ(ca_->revocation(serials[i]), RevocationReason::key_compromise);
  }
  const auto shown = next_crl();
  for (std::size_t i = 0; i < serials.size(); ++i) {
    EXPECT_EQ(lists(shown, serials[i]), ca_->revocation(serials[i]).has_value());
  }
}

}  // namespace
}  // namespace cahn::pki
