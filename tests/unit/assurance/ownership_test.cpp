#include "assurance/ownership.h"

#include <gtest/gtest.h>

#include "net/async.h"
#include "tests/unit/assurance/parties.h"

namespace cahn::assurance {
namespace {

using test::must;
using test::Owner;
using test::Pki;

crypto::PrivateKeyPtr some_key() { return must(crypto::generate_key(crypto::KeyType::p256)); }

// L524: ACCEPTED IF the same person is the signatory, the same person is in both, and the keys match the evidence in
// TLS.
class CommonOwnership : public testing::Test {
 protected:
  Ownership read(const std::string& text) { return must(Ownership::read(text)); }

  Owner ann_;
  crypto::PrivateKeyPtr registrar_ = some_key(), router_ = some_key();
  Ownership ours_ = read(ann_.vouch_for(registrar_->public_key()));
};

TEST_F(CommonOwnership, HoldsForOnePersonOneKeyAndTheKeyShown) {
  const auto theirs = read(ann_.vouch_for(router_->public_key()));
  EXPECT_TRUE(check_common_ownership(ours_, theirs, router_->public_key(), Pki::now()));
}

TEST_F(CommonOwnership, DoesNotHoldForAnotherPerson) {
  Owner bob("mailto:bob@example.org");
  bob.key = ann_.key;  // even by the same key
  const auto checked =
      check_common_ownership(ours_, read(bob.vouch_for(router_->public_key())), router_->public_key(), Pki::now());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, AssuranceError::wrong_owner);
}

TEST_F(CommonOwnership, DoesNotHoldForSomebodyElseWhoWritesThePersonsName) {
  const Owner impostor(ann_.person);
  const auto checked =
      check_common_ownership(ours_, read(impostor.vouch_for(router_->public_key())), router_->public_key(), Pki::now());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, AssuranceError::wrong_owner);
}

TEST_F(CommonOwnership, DoesNotHoldForACredentialThatIsShownWithAnotherKey) {
  const auto theirs = read(ann_.vouch_for(router_->public_key()));
  const auto checked = check_common_ownership(ours_, theirs, some_key()->public_key(), Pki::now());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, AssuranceError::wrong_key);
}

TEST_F(CommonOwnership, DoesNotHoldOutsideTheValidityOfEitherCredential) {
  const Time until = Pki::now() + std::chrono::hours(1);
  const auto theirs = read(ann_.vouch_for(router_->public_key(), until));
  EXPECT_TRUE(check_common_ownership(ours_, theirs, router_->public_key(), Pki::now()));
  EXPECT_EQ(check_common_ownership(ours_, theirs, router_->public_key(), until).error().code,
            AssuranceError::bad_credential);
  const auto ours = read(ann_.vouch_for(registrar_->public_key(), until));
  const auto lasting = read(ann_.vouch_for(router_->public_key()));
  EXPECT_EQ(check_common_ownership(ours, lasting, router_->public_key(), until).error().code,
            AssuranceError::bad_credential);
  EXPECT_EQ(
      check_common_ownership(ours_, lasting, router_->public_key(), Pki::now() - std::chrono::days(7)).error().code,
      AssuranceError::bad_credential);
}

TEST_F(CommonOwnership, IsNotReadFromACredentialThatWasChanged) {
  std::string text = ann_.vouch_for(router_->public_key());
  const auto at = text.find("ann@");
  text.replace(at, 3, "eve");
  const auto read = Ownership::read(text);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, AssuranceError::bad_credential);
}

TEST_F(CommonOwnership, IsNotReadFromACommandNorFromAnotherRelation) {
  const auto device = must(crypto::generate_key(crypto::KeyType::ed25519));
  credential::NewCredential command;
  command.statement = {"DeviceTrustCommand",
                       {credential::did_key(device->public_key()), credential::did_key(registrar_->public_key())}};
  command.valid_from = Pki::now();
  EXPECT_EQ(Ownership::read(must(credential::issue(command, *ann_.key))).error().code, AssuranceError::bad_credential);
  command.statement = {"Distrust", {ann_.person, credential::did_key(router_->public_key())}};
  EXPECT_EQ(Ownership::read(must(credential::issue(command, *ann_.key))).error().code, AssuranceError::bad_credential);
  EXPECT_EQ(Ownership::read("{}").error().code, AssuranceError::malformed);
}

TEST_F(CommonOwnership, ConfiguredOwnersAreAPersonAndItsKey) {
  net::Runtime runtime(1);
  runtime.start();
  const auto check = configured_owners({{ann_.person, {ann_.did}}});
  const auto ask = [&](const Owner& owner) {
    return net::run_blocking<Result<void>>(runtime,
                                           [&] { return check(read(owner.vouch_for(router_->public_key()))); });
  };
  EXPECT_TRUE(ask(ann_));
  EXPECT_EQ(ask(Owner(ann_.person)).error().code, AssuranceError::not_an_owner);
  EXPECT_EQ(ask(Owner("mailto:bob@example.org")).error().code, AssuranceError::not_an_owner);
}

}  // namespace
}  // namespace cahn::assurance
