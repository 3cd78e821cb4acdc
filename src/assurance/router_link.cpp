#include "assurance/router_link.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <set>

#include "assurance/latch.h"
#include "base/log.h"
#include "base/metrics.h"
#include "credential/did.h"

namespace cahn::assurance {
namespace {

constexpr std::size_t max_acknowledged_at_once = 500;

void count_command(Answer answer) {
  static metrics::Counter permits("cahn_router_commands_total", "Commands carried out.", {{"answer", "permit"}});
  static metrics::Counter denials("cahn_router_commands_total", "Commands carried out.", {{"answer", "deny"}});
  (answer == Answer::permit ? permits : denials).add();
}

}  // namespace

net::awaitable<Error> RouterLink::run() {
  const auto self = shared_from_this();
  auto ended = co_await converse();
  in_step_ = false;
  connection_->close();
  if (ended) co_return Error{AssuranceError::unavailable, "the connection ended"};
  co_return ended.error();
}

net::awaitable<Result<Message>> RouterLink::next() {
  for (;;) {
    const auto frame = co_await connection_->receive();
    if (!frame) co_return fail(frame.error());
    auto message = read_message(*frame);
    if (!message) co_return fail(message.error());
    if (const auto* refused = std::get_if<Refused>(&*message)) {
      co_return fail(AssuranceError::refused_by_peer, refused->reason);
    }
    if (!std::holds_alternative<Ping>(*message)) co_return message;
  }
}

net::awaitable<Result<void>> RouterLink::converse() {
  connection_->send(write_message(Hello{home_->ownership.text()}));
  const auto first = co_await next();
  if (!first) co_return fail(first.error());
  const auto* welcome = std::get_if<Welcome>(&*first);
  if (welcome == nullptr) co_return fail(AssuranceError::unexpected, "the registrar did not begin with a welcome");
  if (const auto accepted = accept(*welcome); !accepted) {
    connection_->send(write_message(Refused{accepted.error().message}));
    co_return accepted;
  }
  ask_for_state();
  for (;;) {
    auto message = co_await next();
    if (!message) co_return fail(message.error());
    Message value = std::move(*message);
    const auto handled = co_await handle(std::move(value));
    if (!handled) co_return handled;
  }
}

// The common-ownership check (L524), this way round: a router obeys nobody else's registrar.
Result<void> RouterLink::accept(const Welcome& welcome) {
  const auto& session = connection_->session();
  const auto certificate = session.peer();
  if (!certificate) return fail(AssuranceError::no_certificate, "the registrar showed no certificate");
  const Time now = home_->clock.now();
  CAHN_TRY(const auto ownership, Ownership::read(welcome.ownership));
  CAHN_CHECK(check_common_ownership(home_->ownership, ownership, certificate->public_key(), now));
  if (home_->domain) {
    const auto path = crypto::verify_chain(*certificate, session.peer_chain, *home_->domain, now);
    if (!path) return fail(AssuranceError::wrong_owner, "the registrar is not of our domain: " + path.error().message);
  }
  // Commands are signed by a key of their own, for which the owner vouches likewise.
  CAHN_TRY(const auto commander, Ownership::read(welcome.commander));
  if (commander.person() != ownership.person() || commander.signer() != ownership.signer()) {
    return fail(AssuranceError::wrong_commander, "the owner did not vouch for the key that signs commands");
  }
  CAHN_CHECK(commander.check_validity(now));
  registrar_ = ownership.key();
  commander_ = commander.key();
  network_ = welcome.network;
  epoch_ = welcome.epoch;
  return {};
}

void RouterLink::ask_for_state() {
  collected_.reset();
  nonce_ = hex(random_bytes(16));
  Sync sync;
  sync.nonce = nonce_;
  if (home_->table.epoch() == epoch_) {
    sync.epoch = epoch_;
    sync.number = home_->table.number();
    sync.digest = state_digest(home_->table.entries());
  }
  connection_->send(write_message(sync));
}

net::awaitable<Result<void>> RouterLink::handle(Message message) {
  if (auto* state = std::get_if<State>(&message)) {
    State part = std::move(*state);
    co_return co_await take_state(std::move(part));
  }
  if (auto* lease = std::get_if<Lease>(&message)) {
    Lease taken = std::move(*lease);
    co_return co_await take_lease(std::move(taken));
  }
  // Before the state is there, numbers mean nothing.
  if (!in_step_) co_return fail(AssuranceError::unexpected, "a command came before the state");
  if (const auto* command = std::get_if<Command>(&message)) co_return take_command(*command);
  if (const auto* batch = std::get_if<Batch>(&message)) co_return take_batch(*batch);
  co_return fail(AssuranceError::unexpected, "a message that only a router may send");
}

Result<void> RouterLink::check_origin(const std::string& registrar, const std::string& epoch) const {
  if (registrar != registrar_) return fail(AssuranceError::wrong_commander, "in the name of another registrar");
  if (epoch != epoch_) return fail(AssuranceError::stale, "of another life of the registrar");
  return {};
}

net::awaitable<Result<void>> RouterLink::take_state(State part) {
  CAHN_CO_CHECK(verify_message(part.document, commander_));
  CAHN_CO_CHECK(check_origin(part.registrar, part.epoch));
  if (part.nonce != nonce_) co_return fail(AssuranceError::stale, "a state that was not asked for");
  if (!collected_ && part.part == 0) {
    collected_ = std::move(part);
  } else if (collected_ && part.part == collected_->part + 1 && part.parts == collected_->parts &&
             part.number == collected_->number && part.digest == collected_->digest && !part.unchanged) {
    collected_->part = part.part;
    std::ranges::move(part.entries, std::back_inserter(collected_->entries));
  } else {
    co_return fail(AssuranceError::unexpected, "the parts of a state do not fit together");
  }
  if (collected_->part + 1 < collected_->parts) co_return Result<void>();
  State whole = std::move(*collected_);
  collected_.reset();
  co_return co_await become(std::move(whole));
}

net::awaitable<Result<void>> RouterLink::become(State whole) {
  AccessTable& table = home_->table;
  Enforcer& enforcer = *home_->enforcer;
  store::Batch batch;
  std::vector<Access> to_cut;
  if (whole.unchanged) {
    if (whole.number != table.number() || whole.digest != state_digest(table.entries())) {
      co_return fail(AssuranceError::malformed, "a state that is not ours is called unchanged");
    }
    batch = table.renew(whole.lease);
  } else {
    if (state_digest(whole.entries) != whole.digest) {
      co_return fail(AssuranceError::malformed, "a state's digest is not that of its entries");
    }
    std::map<std::string, Access> before;
    for (auto& access : table.entries()) before.emplace(access.device, access);
    std::vector<Access> to_invite;
    for (const auto& access : whole.entries) {
      const auto known = before.find(access.device);
      const bool was_in = known != before.end() && known->second.answer == Answer::permit;
      if (access.answer == Answer::deny && (was_in || enforcer.is_unsettled(access.device))) to_cut.push_back(access);
      if (access.answer == Answer::permit && !was_in) to_invite.push_back(access);
      if (known != before.end()) before.erase(known);
    }
    for (auto& [device, access] : before) {
      if (access.answer == Answer::permit) to_cut.push_back(access);
    }
    batch = table.replace(whole.epoch, whole.number, whole.entries, whole.lease);
    for (auto& access : to_invite) enforcer.invite(access.device);
  }
  const auto latch = std::make_shared<Latch>(home_->strand, to_cut.size());
  for (const auto& access : to_cut) {
    enforcer.cut(access.device, [self = shared_from_this(), latch, number = access.number](const Result<void>& result) {
      if (!result) self->acknowledge(number, result);
      latch->count_down();
    });
  }
  const auto kept = co_await table.keep(std::move(batch));
  if (!kept) co_return kept;
  co_await latch->wait();
  send_acknowledgements();
  enforcer.tend();
  in_step_ = was_in_step_ = true;
  Synced synced{whole.number, whole.digest};
  connection_->send(write_message(synced));
  log::info("ROUTER_SYNCED", "in step with the registrar",
            {{"registrar", registrar_}, {"number", std::to_string(whole.number)}});
  co_return Result<void>();
}

Result<void> RouterLink::take_command(const Command& command) {
  CAHN_TRY(auto content, read_command(command.credential, commander_));
  CAHN_CHECK(check_origin(content.registrar, content.epoch));
  if (content.id != command_id(epoch_, content.access.number)) {
    return fail(AssuranceError::malformed, "a command's id is not the one of its number");
  }
  carry_out(std::move(content.access), content.lease);
  return {};
}

Result<void> RouterLink::take_batch(const Batch& batch) {
  CAHN_CHECK(verify_message(batch.document, commander_));
  CAHN_CHECK(check_origin(batch.registrar, batch.epoch));
  for (const auto& access : batch.entries) carry_out(access, batch.lease);
  return {};
}

net::awaitable<Result<void>> RouterLink::take_lease(Lease lease) {
  CAHN_CO_CHECK(verify_message(lease.document, commander_));
  CAHN_CO_CHECK(check_origin(lease.registrar, lease.epoch));
  if (lease.nonce != nonce_) co_return fail(AssuranceError::stale, "a lease of another connection");
  // Behind: what we would go on with is not what the registrar leases.
  if (lease.number != home_->table.number()) {
    ask_for_state();
    co_return Result<void>();
  }
  store::Batch batch = home_->table.renew(lease.lease);
  const auto kept = co_await home_->table.keep(std::move(batch));
  home_->enforcer->tend();
  co_return kept;
}

void RouterLink::carry_out(Access access, std::chrono::seconds lease) {
  const auto number = access.number;
  const Answer answer = access.answer;
  log::info("ROUTER_COMMAND", answer == Answer::permit ? "a device is permitted" : "a device is denied",
            {{"device", access.device}, {"number", std::to_string(number)}, {"reason", access.reason}});
  home_->enforcer->apply(std::move(access), lease,
                         [self = shared_from_this(), number, answer](const Result<void>& result) {
                           if (result) count_command(answer);
                           self->acknowledge(number, result);
                         });
}

void RouterLink::acknowledge(std::uint64_t number, const Result<void>& result) {
  acknowledgements_.push_back(
      {command_id(epoch_, number), number, result.has_value(), result ? "" : result.error().message});
  // What ends in one turn of the strand goes out as one message.
  if (acknowledgements_.size() == 1) {
    boost::asio::post(home_->strand, [self = shared_from_this()] { self->send_acknowledgements(); });
  }
}

void RouterLink::send_acknowledgements() {
  for (std::size_t at = 0; at < acknowledgements_.size(); at += max_acknowledged_at_once) {
    const auto end = std::min(acknowledgements_.size(), at + max_acknowledged_at_once);
    Ack ack;
    ack.items.assign(acknowledgements_.begin() + static_cast<std::ptrdiff_t>(at),
                     acknowledgements_.begin() + static_cast<std::ptrdiff_t>(end));
    connection_->send(write_message(ack));
  }
  acknowledgements_.clear();
}

}  // namespace cahn::assurance
