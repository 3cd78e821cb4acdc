#include "assurance/command_messages.h"

#include <nlohmann/json.hpp>

#include "assurance/access_json.h"
#include "assurance/json_members.h"
#include "credential/credential.h"
#include "credential/proof.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;

constexpr std::size_t max_credential = std::size_t{16} << 10;
constexpr std::size_t max_network = 256;
constexpr std::size_t max_id = 64;
constexpr std::size_t nonce_size = 32;   // hex digits
constexpr std::size_t digest_size = 64;  // hex digits
constexpr std::uint64_t max_lease = std::uint64_t{7} * 24 * 3600;
constexpr std::size_t max_items = 2'000;  // of one ack

std::chrono::seconds lease_of(JsonMembers& members) {
  const auto seconds = members.number("lease", max_lease);
  members.require(seconds > 0, "lease");
  return std::chrono::seconds(seconds);
}

// What all signed messages say first: by whom, for which life of the store.
template <typename Signed>
Signed read_head(JsonMembers& members, const json& object) {
  Signed message;
  message.registrar = members.text("registrar", max_device);
  message.epoch = members.text("epoch", max_epoch);
  message.lease = lease_of(members);
  message.document = std::make_shared<const json>(object);
  return message;
}

Result<std::vector<Access>> read_entries(const json& object) {
  std::vector<Access> entries;
  std::optional<Error> wrong;
  JsonMembers members(object);
  members.array("entries", max_entries, [&](const json& element) {
    auto entry = access_from_json(element);
    if (entry) {
      entries.push_back(std::move(*entry));
    } else {
      wrong = entry.error();
    }
    return !wrong.has_value();
  });
  if (wrong) return fail(*wrong, "entries");
  CAHN_CHECK(members.check());
  return entries;
}

Result<Message> checked(const JsonMembers& members, Message message) {
  CAHN_CHECK(members.check());
  return message;
}

Result<Message> read_hello(const json& object) {
  JsonMembers members(object);
  members.require(members.number("version") == protocol_version, "version");
  Hello hello{members.text("ownership", max_credential)};
  return checked(members, std::move(hello));
}

Result<Message> read_welcome(const json& object) {
  JsonMembers members(object);
  members.require(members.number("version") == protocol_version, "version");
  Welcome welcome{members.text("ownership", max_credential), members.text("commander", max_credential),
                  members.text("network", max_network), members.text("epoch", max_epoch)};
  members.require(!welcome.epoch.empty(), "epoch");
  return checked(members, std::move(welcome));
}

Result<Message> read_refused(const json& object) {
  JsonMembers members(object);
  Refused refused{members.text("reason", max_reason)};
  return checked(members, std::move(refused));
}

Result<Message> read_sync(const json& object) {
  JsonMembers members(object);
  Sync sync{members.text("epoch", max_epoch), members.number("number"), members.text("digest", digest_size),
            members.text("nonce", nonce_size)};
  members.require(sync.nonce.size() == nonce_size, "nonce");
  return checked(members, std::move(sync));
}

Result<Message> read_state(const json& object) {
  JsonMembers members(object);
  auto state = read_head<State>(members, object);
  state.nonce = members.text("nonce", nonce_size);
  state.number = members.number("number");
  state.digest = members.text("digest", digest_size);
  state.part = static_cast<std::uint32_t>(members.number("part", max_parts));
  state.parts = static_cast<std::uint32_t>(members.number("parts", max_parts));
  state.unchanged = members.flag("unchanged");
  members.require(state.part < state.parts, "part");
  CAHN_CHECK(members.check());
  CAHN_TRY(state.entries, read_entries(object));
  return state;
}

Result<Message> read_synced(const json& object) {
  JsonMembers members(object);
  Synced synced{members.number("number"), members.text("digest", digest_size)};
  return checked(members, std::move(synced));
}

Result<Message> read_command_frame(const json& object) {
  JsonMembers members(object);
  Command command{members.text("credential", max_credential)};
  return checked(members, std::move(command));
}

Result<Message> read_batch(const json& object) {
  JsonMembers members(object);
  auto batch = read_head<Batch>(members, object);
  CAHN_CHECK(members.check());
  CAHN_TRY(batch.entries, read_entries(object));
  return batch;
}

Result<Message> read_ack(const json& object) {
  Ack ack;
  JsonMembers members(object);
  members.array("items", max_items, [&](const json& element) {
    JsonMembers item(element);
    ack.items.push_back(
        {item.text("id", max_id), item.number("number"), item.flag("done"), item.text("reason", max_reason)});
    return item.check().has_value();
  });
  return checked(members, std::move(ack));
}

Result<Message> read_lease(const json& object) {
  JsonMembers members(object);
  auto lease = read_head<Lease>(members, object);
  lease.nonce = members.text("nonce", nonce_size);
  lease.number = members.number("number");
  return checked(members, std::move(lease));
}

json entries_json(const std::vector<Access>& entries) {
  json all = json::array();
  for (const auto& entry : entries) all.push_back(to_json(entry));
  return all;
}

// Each message as an object, without its type.
struct Writer {
  json operator()(const Hello& m) const { return {{"version", protocol_version}, {"ownership", m.ownership}}; }
  json operator()(const Welcome& m) const {
    return {{"version", protocol_version},
            {"ownership", m.ownership},
            {"commander", m.commander},
            {"network", m.network},
            {"epoch", m.epoch}};
  }
  json operator()(const Refused& m) const { return {{"reason", fit_text(m.reason, max_reason)}}; }
  json operator()(const Sync& m) const {
    return {{"epoch", m.epoch}, {"number", m.number}, {"digest", m.digest}, {"nonce", m.nonce}};
  }
  json operator()(const State& m) const {
    return {{"registrar", m.registrar}, {"epoch", m.epoch},
            {"nonce", m.nonce},         {"number", m.number},
            {"digest", m.digest},       {"part", m.part},
            {"parts", m.parts},         {"unchanged", m.unchanged},
            {"lease", m.lease.count()}, {"entries", entries_json(m.entries)}};
  }
  json operator()(const Synced& m) const { return {{"number", m.number}, {"digest", m.digest}}; }
  json operator()(const Command& m) const { return {{"credential", m.credential}}; }
  json operator()(const Batch& m) const {
    return {{"registrar", m.registrar},
            {"epoch", m.epoch},
            {"lease", m.lease.count()},
            {"entries", entries_json(m.entries)}};
  }
  json operator()(const Ack& m) const {
    json items = json::array();
    for (const auto& item : m.items) {
      items.push_back({{"id", item.id},
                       {"number", item.number},
                       {"done", item.done},
                       {"reason", fit_text(item.reason, max_reason)}});
    }
    return {{"items", std::move(items)}};
  }
  json operator()(const Lease& m) const {
    return {{"registrar", m.registrar},
            {"epoch", m.epoch},
            {"nonce", m.nonce},
            {"number", m.number},
            {"lease", m.lease.count()}};
  }
  json operator()(const Ping&) const { return json::object(); }
};

constexpr std::string_view type_names[] = {"hello",   "welcome", "refused", "sync",  "state", "synced",
                                           "command", "batch",   "ack",     "lease", "ping"};
static_assert(std::size(type_names) == std::variant_size_v<Message>);

json to_object(const Message& message) {
  json object = std::visit(Writer(), message);
  object["type"] = type_names[message.index()];
  return object;
}

Result<Message> read_object(const std::string& type, const json& object) {
  if (type == "hello") return read_hello(object);
  if (type == "welcome") return read_welcome(object);
  if (type == "refused") return read_refused(object);
  if (type == "sync") return read_sync(object);
  if (type == "state") return read_state(object);
  if (type == "synced") return read_synced(object);
  if (type == "command") return read_command_frame(object);
  if (type == "batch") return read_batch(object);
  if (type == "ack") return read_ack(object);
  if (type == "lease") return read_lease(object);
  if (type == "ping") return Ping{};
  return fail(AssuranceError::malformed, "there is no such type of message");
}

}  // namespace

Result<Message> read_message(ByteView octets) {
  const auto object = credential::parse_json(as_text(octets), {.max_size = max_message, .max_depth = 8});
  if (!object) return fail(AssuranceError::malformed, object.error().message);
  JsonMembers members(*object);
  const std::string type = members.text("type", 16);
  CAHN_CHECK(members.check());
  auto message = read_object(type, *object);
  if (!message) return fail(message.error(), type);
  return message;
}

Bytes write_message(const Message& message) { return to_bytes(credential::canonical(to_object(message))); }

Result<Bytes> sign_message(const Message& message, const crypto::PrivateKey& key, Time created) {
  json object = to_object(message);
  const std::string commander = credential::did_key(key.public_key());
  object["issuer"] = commander;
  CAHN_TRY(const auto signed_object,
           credential::add_proof(object, key, credential::verification_method(commander), created));
  return to_bytes(credential::canonical(signed_object));
}

Result<void> verify_message(const Document& document, const std::string& commander) {
  JsonMembers members(*document);
  if (members.text("issuer", max_device) != commander) {
    return fail(AssuranceError::wrong_commander, "the message is not signed by the key that may command here");
  }
  const auto key = credential::key_of_did(commander);
  if (!key) return fail(AssuranceError::wrong_commander, key.error().message);
  const auto proof = credential::check_proof(*document, *key, credential::verification_method(commander));
  if (!proof) return fail(AssuranceError::wrong_commander, proof.error().message);
  return {};
}

Result<Bytes> sign_command(const CommandContent& content, const crypto::PrivateKey& key, Time created) {
  json details = to_json_details(content.access);
  details["epoch"] = content.epoch;
  details["lease"] = content.lease.count();
  credential::NewCredential command;
  command.statement = {std::string(command_relation(content.access.answer)),
                       {content.access.device, content.registrar}};
  command.valid_from = created;
  command.id = content.id;
  command.more = std::make_shared<const json>(json{{"command", std::move(details)}});
  CAHN_TRY(std::string text, credential::issue(command, key));
  return write_message(Command{std::move(text)});
}

Result<CommandContent> read_command(std::string_view text, const std::string& commander) {
  const auto command = credential::Credential::parse(text, {.max_size = max_credential, .max_depth = 8});
  if (!command) {
    return fail(AssuranceError::malformed, "a command's credential: " + command.error().message);
  }
  const auto& statement = command->statement();
  const bool trust = statement.relation == command_relation(Answer::permit);
  if (!trust && statement.relation != command_relation(Answer::deny)) {
    return fail(AssuranceError::not_a_command, "a credential of " + statement.relation + " is no command");
  }
  if (command->issuer() != commander) {
    return fail(AssuranceError::wrong_commander, "the command is not signed by the key that may command here");
  }
  if (const auto proof = credential::verify_proof(*command); !proof) {
    return fail(AssuranceError::wrong_commander, proof.error().message);
  }
  const auto& subject = command->document()["credentialSubject"];
  const auto details = subject.find("command");
  if (details == subject.end()) return fail(AssuranceError::malformed, "a command without its details");
  CommandContent content;
  CAHN_TRY(content.access, details_from_json(*details));
  JsonMembers members(*details);
  content.epoch = members.text("epoch", max_epoch);
  content.lease = lease_of(members);
  CAHN_CHECK(members.check());
  content.id = command->id();
  content.registrar = statement.arguments[1];
  content.access.device = statement.arguments[0];
  content.access.answer = trust ? Answer::permit : Answer::deny;
  return content;
}

}  // namespace cahn::assurance
