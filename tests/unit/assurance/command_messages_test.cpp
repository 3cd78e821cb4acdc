#include "assurance/command_messages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "assurance/access_json.h"
#include "tests/unit/assurance/parties.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;
using test::deny;
using test::must;
using test::permit;
using test::Pki;

template <typename M>
M read_as(const Bytes& frame) {
  return std::get<M>(must(read_message(frame)));
}

ErrorCode error_of(const json& object) {
  const auto read = read_message(to_bytes(object.dump()));
  return read ? ErrorCode(AssuranceError::unavailable) : read.error().code;
}

class CommandMessages : public testing::Test {
 protected:
  crypto::PrivateKeyPtr key_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  std::string commander_ = credential::did_key(key_->public_key());
  std::string registrar_ = test::did_of(test::self_signed("registrar"));
  std::string epoch_ = "e1";

  CommandContent content(Access access) {
    return {command_id(epoch_, access.number), registrar_, epoch_, std::chrono::hours(1), std::move(access)};
  }
  std::string text_of(const CommandContent& what) {
    return read_as<Command>(must(sign_command(what, *key_, Pki::now()))).credential;
  }
  Batch batch() {
    Batch batch;
    batch.registrar = registrar_;
    batch.epoch = epoch_;
    batch.lease = std::chrono::seconds(60);
    batch.entries = {permit(1, 1), deny(2, 2)};
    return batch;
  }
};

TEST_F(CommandMessages, AreReadAsWritten) {
  EXPECT_EQ(read_as<Hello>(write_message(Hello{"vc"})).ownership, "vc");
  const auto welcome = read_as<Welcome>(write_message(Welcome{"o", "c", "home", "e1"}));
  EXPECT_EQ(welcome.commander, "c");
  EXPECT_EQ(welcome.network, "home");
  EXPECT_EQ(read_as<Refused>(write_message(Refused{"no"})).reason, "no");
  const Sync asked{"e1", 7, std::string(64, 'a'), std::string(32, 'b')};
  const auto sync = read_as<Sync>(write_message(asked));
  EXPECT_EQ(sync.number, 7U);
  EXPECT_EQ(sync.nonce, asked.nonce);
  EXPECT_EQ(read_as<Synced>(write_message(Synced{9, "d"})).number, 9U);
  const Ack several{{{"urn:uuid:1", 1, true, ""}, {"urn:uuid:2", 2, false, "why"}}};
  const auto ack = read_as<Ack>(write_message(several));
  ASSERT_EQ(ack.items.size(), 2U);
  EXPECT_EQ(ack.items[1].reason, "why");
  EXPECT_FALSE(ack.items[1].done);
  (void)read_as<Ping>(write_message(Ping{}));
}

TEST_F(CommandMessages, ACommandIsACredentialThatSaysEverything) {
  for (const auto& access : {permit(1, 12), deny(1, 13)}) {
    const auto read = read_command(text_of(content(access)), commander_);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->access, access);
    EXPECT_EQ(read->registrar, registrar_);
    EXPECT_EQ(read->epoch, epoch_);
    EXPECT_EQ(read->id, command_id(epoch_, access.number));
    EXPECT_EQ(read->lease, std::chrono::hours(1));
  }
}

TEST_F(CommandMessages, ACommandByAnotherKeyIsRefused) {
  const auto other = must(crypto::generate_key(crypto::KeyType::ed25519));
  const auto read = read_command(text_of(content(permit(1, 1))), credential::did_key(other->public_key()));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, AssuranceError::wrong_commander);
}

TEST_F(CommandMessages, ACommandThatWasChangedIsRefused) {
  std::string text = text_of(content(deny(1, 1)));
  const auto at = text.find("DeviceRevokeCommand");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 19, "DeviceTrustCommand");
  EXPECT_EQ(read_command(text, commander_).error().code, AssuranceError::wrong_commander);
  std::string other_serial = text_of(content(permit(1, 1)));
  other_serial.replace(other_serial.find("SN-1"), 4, "SN-2");
  EXPECT_EQ(read_command(other_serial, commander_).error().code, AssuranceError::wrong_commander);
}

// Decision 35: a router refuses a fact as a command, though the registrar itself has signed it.
TEST_F(CommandMessages, AFactIsNoCommand) {
  credential::NewCredential fact;
  fact.statement = {"Trust", {"mailto:ann@example.org", permit(1, 1).device}};
  fact.valid_from = Pki::now();
  const auto read = read_command(must(credential::issue(fact, *key_)), commander_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, AssuranceError::not_a_command);

  json object = json::parse(as_text(must(sign_message(batch(), *key_, Pki::now()))));
  object["entries"][0]["relation"] = "Trust";
  EXPECT_EQ(error_of(object), AssuranceError::not_a_command);
}

TEST_F(CommandMessages, ACommandWithoutItsDetailsIsRefused) {
  credential::NewCredential bare;
  bare.statement = {"DeviceTrustCommand", {permit(1, 1).device, registrar_}};
  bare.valid_from = Pki::now();
  EXPECT_EQ(read_command(must(credential::issue(bare, *key_)), commander_).error().code, AssuranceError::malformed);
}

TEST_F(CommandMessages, SignedMessagesAreReadAndVerified) {
  const auto read = read_as<Batch>(must(sign_message(batch(), *key_, Pki::now())));
  EXPECT_EQ(read.entries, batch().entries);
  EXPECT_EQ(read.registrar, registrar_);
  EXPECT_EQ(read.lease, std::chrono::seconds(60));
  EXPECT_TRUE(verify_message(read.document, commander_));
}

TEST_F(CommandMessages, SignedMessagesThatWereChangedOrReSignedAreRefused) {
  json object = json::parse(as_text(must(sign_message(batch(), *key_, Pki::now()))));
  json changed = object;
  changed["lease"] = 61;
  EXPECT_EQ(verify_message(read_as<Batch>(to_bytes(changed.dump())).document, commander_).error().code,
            AssuranceError::wrong_commander);
  json unsigned_one = object;
  unsigned_one.erase("proof");
  EXPECT_EQ(verify_message(read_as<Batch>(to_bytes(unsigned_one.dump())).document, commander_).error().code,
            AssuranceError::wrong_commander);
  const auto other = must(crypto::generate_key(crypto::KeyType::ed25519));
  EXPECT_EQ(
      verify_message(read_as<Batch>(must(sign_message(batch(), *other, Pki::now()))).document, commander_).error().code,
      AssuranceError::wrong_commander);
}

// A signature over one type of message must not do for another.
TEST_F(CommandMessages, ASignedLeaseIsNoState) {
  Lease lease;
  lease.registrar = registrar_;
  lease.epoch = epoch_;
  lease.nonce = std::string(32, 'b');
  lease.number = 3;
  lease.lease = std::chrono::seconds(60);
  json object = json::parse(as_text(must(sign_message(lease, *key_, Pki::now()))));
  object["type"] = "state";
  object.update({{"digest", ""}, {"part", 0}, {"parts", 1}, {"unchanged", true}, {"entries", json::array()}});
  EXPECT_FALSE(verify_message(read_as<State>(to_bytes(object.dump())).document, commander_));
}

TEST_F(CommandMessages, HostileOnesAreMalformed) {
  const json good = json::parse(as_text(must(sign_message(batch(), *key_, Pki::now()))));
  ASSERT_EQ(error_of(good), AssuranceError::unavailable) << "the unchanged one must be readable";
  const auto with = [&](const json& change) {
    json object = good;
    object.merge_patch(change);
    return object;
  };
  EXPECT_EQ(error_of(with({{"lease", 0}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"lease", -1}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"lease", 1e9}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"lease", "60"}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"type", "batsh"}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"type", nullptr}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"epoch", std::string(65, 'e')}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with({{"entries", json::object()}})), AssuranceError::malformed);
  const auto with_entry = [&](const json& change) {
    json object = good;
    object["entries"][0].merge_patch(change);
    return object;
  };
  EXPECT_EQ(error_of(with_entry({{"number", 0}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with_entry({{"device", "did:key:z0OIl"}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with_entry({{"device", "mailto:ann@example.org"}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with_entry({{"serialNumber", ""}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with_entry({{"ldevids", {{{"serial", "ABC"}, {"issuer", ""}}}}})), AssuranceError::malformed);
  EXPECT_EQ(error_of(with_entry({{"ldevids", json::array_t(17, {{"serial", "ab"}, {"issuer", ""}})}})),
            AssuranceError::malformed);
  json many = good;
  many["entries"] = json::array_t(max_entries + 1, good["entries"][0]);
  EXPECT_EQ(error_of(many), AssuranceError::malformed);
  for (const auto* text : {"", "[]", "null", "{", "{\"type\":\"ping\",\"type\":\"ping\"}", "{\"type\":\"ping\"} x"}) {
    EXPECT_FALSE(read_message(to_bytes(std::string_view(text)))) << text;
  }
  EXPECT_FALSE(read_message(Bytes(max_message + 1, ' ')));
  EXPECT_FALSE(read_message(to_bytes(std::string(100'000, '['))));
}

TEST_F(CommandMessages, TheDigestOfAStateIsThatOfItsContentInAnyOrder) {
  const auto digest = state_digest({permit(1, 1), deny(2, 2)});
  EXPECT_EQ(digest, state_digest({deny(2, 2), permit(1, 1)}));
  EXPECT_NE(digest, state_digest({permit(1, 1), permit(2, 2)}));
  EXPECT_NE(digest, state_digest({permit(1, 1), deny(2, 3)}));
  EXPECT_NE(digest, state_digest({permit(1, 1)}));
}

TEST_F(CommandMessages, TheIdOfACommandIsThatOfItsNumberInOneLife) {
  EXPECT_EQ(command_id("e1", 5), command_id("e1", 5));
  EXPECT_NE(command_id("e1", 5), command_id("e1", 6));
  EXPECT_NE(command_id("e1", 5), command_id("e2", 5));
}

TEST_F(CommandMessages, AnAccessIsKeptAsItIs) {
  for (const auto& access : {permit(1, 5), deny(2, 6)}) EXPECT_EQ(must(read_access(write_access(access))), access);
  EXPECT_FALSE(read_access(to_bytes(std::string_view("{}"))));
}

TEST_F(CommandMessages, TextOfOthersIsMadeFitWithoutBreakingACharacter) {
  EXPECT_EQ(fit_text("short", 10), "short");
  EXPECT_EQ(fit_text("äöü", 5), "äö");
  EXPECT_EQ(fit_text("a\xff", 10), "a\xef\xbf\xbd");
  EXPECT_LE(fit_text(std::string(100, '\xff'), 10).size(), 10U);
  EXPECT_EQ(fit_text("", 0), "");
}

}  // namespace
}  // namespace cahn::assurance
