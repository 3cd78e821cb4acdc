#include "assurance/access_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assurance/access_json.h"
#include "assurance/command_messages.h"
#include "assurance/json_members.h"
#include "credential/json.h"
#include "store/async.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;

// Tables of the router's store. `progress` has one key: epoch, number, and the lease as end and boot.
constexpr std::string_view access_table = "assurance.access";
constexpr std::string_view progress_table = "assurance.progress";
constexpr std::string_view progress_key = "registrar";

std::unexpected<Error> corrupt(const Error& error) {
  return fail(store::StoreError::corrupt, "the router's table: " + error.message);
}

// The CN of an RFC 4514 name, unescaped.
std::string common_name(std::string_view name) {
  const auto start = name.starts_with("CN=")                       ? 3
                     : name.find(",CN=") == std::string_view::npos ? name.size()
                                                                   : name.find(",CN=") + 4;
  std::string value;
  for (std::size_t i = start; i < name.size() && name[i] != ','; ++i) {
    if (name[i] == '\\' && i + 1 < name.size()) ++i;
    value += name[i];
  }
  return value;
}

// As X509_NAME_oneline prints a value, which is what FreeRADIUS passes on: other octets than printable ASCII as \xHH.
std::string printed_on_one_line(std::string_view value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= ' ' && octet <= '~') {
      text += c;
    } else {
      text += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    }
  }
  return text;
}

// The authenticator has checked the chain; this guards against a second CA that it may have been given. `printed` is
// RFC 4514 text or OpenSSL's one-line form ("/C=GB/CN=…").
bool is_issuer(std::string_view printed, const std::string& issuer) {
  if (printed == issuer) return true;
  const std::string component = "/CN=" + printed_on_one_line(common_name(issuer));
  const auto at = printed.find(component);
  if (component == "/CN=" || at == std::string_view::npos) return false;
  const auto end = at + component.size();
  return end == printed.size() || printed[end] == '/';
}

// Decision 65: the LDevID's serialNumber, or "@realm" without a user (RFC 9190 2.1.4).
bool is_identity(std::string_view claimed, const std::string& serial_number) {
  if (claimed == serial_number) return true;
  return claimed.size() > 1 && claimed.front() == '@' && claimed.find('@', 1) == std::string_view::npos;
}

bearer::JoinAnswer refusal(std::string reason) {
  bearer::JoinAnswer answer;
  answer.reason = std::move(reason);
  return answer;
}

}  // namespace

Result<std::unique_ptr<AccessTable>> AccessTable::open(store::Store& store, const BootClock& clock,
                                                       AccessTableOptions options) {
  std::unique_ptr<AccessTable> table(new AccessTable(store, clock, options));
  CAHN_CHECK(table->load());
  return table;
}

Result<void> AccessTable::load() {
  CAHN_CHECK(store::each_row(store_, access_table, "", [&](const std::string&, const Bytes& value) -> Result<void> {
    const auto access = read_access(value);
    if (!access) return corrupt(access.error());
    index(*access);
    by_device_.insert_or_assign(access->device, *access);
    return {};
  }));
  CAHN_TRY(const auto progress, store_.get(progress_table, progress_key));
  if (!progress) return {};
  const auto object = credential::parse_json(as_text(*progress));
  if (!object) return corrupt(object.error());
  JsonMembers members(*object);
  epoch_ = members.text("epoch", max_epoch);
  number_ = members.number("number");
  const auto lease_until = members.number("leaseUntil");
  const auto boot = members.text("boot", 128);
  if (const auto read = members.check(); !read) return corrupt(read.error());
  // Milliseconds since another boot mean nothing now.
  if (boot == clock_.boot_id()) lease_until_ = std::chrono::milliseconds(lease_until);
  return {};
}

void AccessTable::index(const Access& access) {
  for (const auto& name : access.ldevids) device_of_serial_.insert_or_assign(name.serial_hex, access.device);
}

void AccessTable::unindex(const Access& access) {
  for (const auto& name : access.ldevids) {
    const auto found = device_of_serial_.find(name.serial_hex);
    if (found != device_of_serial_.end() && found->second == access.device) device_of_serial_.erase(found);
  }
}

store::Batch::Put AccessTable::progress() const {
  const json object = {
      {"epoch", epoch_}, {"number", number_}, {"leaseUntil", lease_until_.count()}, {"boot", clock_.boot_id()}};
  return {std::string(progress_table), std::string(progress_key), to_bytes(credential::canonical(object))};
}

std::string AccessTable::epoch() const {
  const std::scoped_lock lock(mutex_);
  return epoch_;
}

std::uint64_t AccessTable::number() const {
  const std::scoped_lock lock(mutex_);
  return number_;
}

std::vector<Access> AccessTable::entries() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Access> all;
  all.reserve(by_device_.size());
  for (const auto& [device, access] : by_device_) all.push_back(access);
  return all;
}

std::optional<Access> AccessTable::find(const std::string& device) const {
  const std::scoped_lock lock(mutex_);
  const auto found = by_device_.find(device);
  return found == by_device_.end() ? std::nullopt : std::optional(found->second);
}

AccessTable::Taken AccessTable::take(Access access, std::chrono::seconds lease) {
  const std::scoped_lock lock(mutex_);
  Taken taken;
  lease_until_ = clock_.now() + lease;
  const auto known = by_device_.find(access.device);
  if (known != by_device_.end()) {
    taken.before = known->second.answer;
    if (known->second.number > access.number) return taken;
    taken.newness = known->second.number == access.number ? Newness::again : Newness::news;
    unindex(known->second);
  } else {
    taken.newness = Newness::news;
  }
  index(access);
  number_ = std::max(number_, access.number);
  taken.batch.puts.push_back({std::string(access_table), access.device, write_access(access)});
  taken.batch.puts.push_back(progress());
  std::string device = access.device;
  by_device_.insert_or_assign(std::move(device), std::move(access));
  return taken;
}

store::Batch AccessTable::replace(std::string epoch, std::uint64_t number, std::vector<Access> entries,
                                  std::chrono::seconds lease) {
  const std::scoped_lock lock(mutex_);
  store::Batch batch;
  for (const auto& [device, access] : by_device_) batch.erases.push_back({std::string(access_table), device});
  by_device_.clear();
  device_of_serial_.clear();
  for (auto& access : entries) {
    index(access);
    batch.puts.push_back({std::string(access_table), access.device, write_access(access)});
    std::string device = access.device;
    by_device_.insert_or_assign(std::move(device), std::move(access));
  }
  epoch_ = std::move(epoch);
  number_ = number;
  lease_until_ = clock_.now() + lease;
  batch.puts.push_back(progress());
  return batch;
}

store::Batch AccessTable::renew(std::chrono::seconds lease) {
  const std::scoped_lock lock(mutex_);
  lease_until_ = clock_.now() + lease;
  store::Batch batch;
  batch.puts.push_back(progress());
  return batch;
}

boost::asio::awaitable<Result<void>> AccessTable::keep(store::Batch batch) {
  const auto committed = co_await store::commit(store_, std::move(batch));
  if (!committed) co_return fail(committed.error(), "keeping the registrar's decisions");
  co_return Result<void>();
}

std::chrono::milliseconds AccessTable::lease_left() const {
  const std::scoped_lock lock(mutex_);
  return std::max(lease_until_ - clock_.now(), std::chrono::milliseconds(0));
}

bool AccessTable::may_answer() const { return !options_.fail_closed || lease_left().count() > 0; }

bearer::JoinAnswer AccessTable::answer(const bearer::JoinRequest& request) const {
  const bool leased = may_answer();
  const std::scoped_lock lock(mutex_);
  const auto device = device_of_serial_.find(request.certificate_serial_hex);
  if (device == device_of_serial_.end()) return refusal("no decision knows this certificate");
  const Access& access = by_device_.at(device->second);
  const auto name = std::ranges::find(access.ldevids, request.certificate_serial_hex, &LdevidName::serial_hex);
  if (name == access.ldevids.end() || !is_issuer(request.certificate_issuer, name->issuer)) {
    return refusal("a certificate of this serial number by another issuer");
  }
  if (!request.certificate_subject_serial.empty() && request.certificate_subject_serial != access.serial_number) {
    return refusal("the certificate's subject is not the device's serialNumber");
  }
  if (!is_identity(request.claimed_identity, access.serial_number)) {
    return refusal("the EAP identity is neither the device's serialNumber nor @realm");
  }
  // From here on it is this device that asks; a refusal names it too, so that its station is known when it is invited.
  bearer::JoinAnswer answer;
  answer.device = access.device;
  if (!leased) {
    answer.reason = "the lease of the registrar's decisions has run out";
    return answer;
  }
  if (access.answer == Answer::deny) {
    answer.reason = access.reason.empty() ? "the device is denied" : access.reason;
    return answer;
  }
  answer.permit = true;
  answer.segment = access.segment;
  answer.reason = access.reason;
  if (options_.fail_closed) {
    // Nobody stays on past the lease by an old answer.
    const auto left = std::chrono::floor<std::chrono::seconds>(lease_until_ - clock_.now());
    answer.session = std::clamp(left, std::chrono::seconds(1), answer.session);
  }
  return answer;
}

}  // namespace cahn::assurance
