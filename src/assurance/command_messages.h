// The messages of the command protocol, as docs/command-protocol.md describes them: read from hostile octets at the
// door, written by us. A message here has a right form; who may say it, and when, is for the two ends to judge.
//
//   router                                     registrar
//     │ hello: ownership ─────────────────────▶ │
//     │ ◀─────────── welcome: ownership, commander (or refused)
//     │ sync: epoch, number, digest, nonce ───▶ │
//     │ ◀──────────── state, signed, in parts   │
//     │ synced ───────────────────────────────▶ │
//     │ ◀──────────── command | batch, signed   │   repeated until
//     │ ack ──────────────────────────────────▶ │   acknowledged
//     │ ◀──────────── lease, signed             │   ping: both ways
//
// Threads: values.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "assurance/access.h"
#include "assurance/error.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"

namespace cahn::assurance {

inline constexpr int protocol_version = 1;
inline constexpr std::size_t max_message = std::size_t{1} << 20;
inline constexpr std::size_t max_entries = 400;  // of one batch or one part of a state
inline constexpr std::size_t max_parts = 1'000;

// The JSON document a signature is over.
using Document = std::shared_ptr<const nlohmann::json>;

struct Hello {
  std::string ownership;  // credential text
};
struct Welcome {
  std::string ownership;  // Trust(person@, registrar+)
  std::string commander;  // Trust(person@, the key that signs commands)
  std::string network;
  std::string epoch;
};
struct Refused {
  std::string reason;
};
// What the router has: the number and digest of the last state; zero and empty when it has none of this epoch.
struct Sync {
  std::string epoch;
  std::uint64_t number = 0;
  std::string digest;
  std::string nonce;  // 32 hex digits, fresh; comes back in what is signed for this connection
};
struct State {
  std::string registrar, epoch, nonce;
  std::uint64_t number = 0;  // of the last decision in it
  std::string digest;        // of the whole state
  std::uint32_t part = 0, parts = 1;
  bool unchanged = false;  // what the router has is right; no entries
  std::chrono::seconds lease{0};
  std::vector<Access> entries;
  Document document;
};
struct Synced {
  std::uint64_t number = 0;
  std::string digest;
};
struct Command {
  std::string credential;  // a VC: DeviceTrustCommand or DeviceRevokeCommand
};
struct Batch {
  std::string registrar, epoch;
  std::chrono::seconds lease{0};
  std::vector<Access> entries;
  Document document;
};
struct Ack {
  struct Item {
    std::string id;
    std::uint64_t number = 0;
    bool done = false;
    std::string reason;  // why not, when not done
  };
  std::vector<Item> items;
};
struct Lease {
  std::string registrar, epoch, nonce;
  std::uint64_t number = 0;  // of the registrar's last decision; a router that has less asks for the state
  std::chrono::seconds lease{0};
  Document document;
};
struct Ping {};

using Message = std::variant<Hello, Welcome, Refused, Sync, State, Synced, Command, Batch, Ack, Lease, Ping>;

// Errors: malformed.
Result<Message> read_message(ByteView);
// For the messages that are not signed; State, Batch and Lease are written by `sign_message`.
Bytes write_message(const Message&);

// A State, Batch or Lease with a Data Integrity proof by `key` (Ed25519) over all of it; `document` is not looked at.
Result<Bytes> sign_message(const Message&, const crypto::PrivateKey& key, Time created);
// Whether `document`, of a message that was read, was signed by `commander` (a did:key). Errors: wrong_commander.
Result<void> verify_message(const Document&, const std::string& commander);

// One command as a credential: Device{Trust,Revoke}Command(device+, registrar+) : commander-, details in `command`.
struct CommandContent {
  std::string id, registrar, epoch;
  std::chrono::seconds lease{0};
  Access access;
};
// A whole frame, type "command".
Result<Bytes> sign_command(const CommandContent&, const crypto::PrivateKey& key, Time created);
// Reads the credential and checks that it is a command, by `commander`. Errors: malformed, not_a_command,
// wrong_commander.
Result<CommandContent> read_command(std::string_view credential, const std::string& commander);

// SHA-256, in hex, of the canonical JSON array of the entries in the order of their devices.
std::string state_digest(std::vector<Access> entries);

// Access as stored by either side. Errors: malformed.
Bytes write_access(const Access&);
Result<Access> read_access(ByteView);

}  // namespace cahn::assurance
