#include "tests/unit/assurance/parties.h"

#include <algorithm>

#include "credential/credential.h"

namespace cahn::test {

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 4'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

bool stays(const std::function<bool()>& condition) {
  for (int i = 0; i < 40; ++i) {
    if (!condition()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Owner::Owner(std::string mail)
    : person(std::move(mail)),
      key(must(crypto::generate_key(crypto::KeyType::ed25519))),
      did(credential::did_key(key->public_key())) {}

std::string Owner::vouch_for_did(const std::string& of, std::optional<Time> until) const {
  credential::NewCredential trust;
  trust.statement = {"Trust", {person, of}};
  trust.valid_from = Pki::now() - std::chrono::hours(24);
  trust.valid_until = until;
  return must(credential::issue(trust, *key));
}

std::string Owner::vouch_for(const crypto::PublicKey& of, std::optional<Time> until) const {
  return vouch_for_did(credential::did_key(of), until);
}

Identity self_signed(const std::string& name) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", name}};
  return Pki::issue(std::move(spec));
}

std::string did_of(const Identity& identity) { return credential::did_key(identity.certificate.public_key()); }

assurance::Access permit(int n, std::uint64_t number) {
  static std::mutex mutex;
  static std::map<int, std::string> devices;  // by n: keys take a while to make
  const std::scoped_lock lock(mutex);
  auto& device = devices[n];
  if (device.empty()) device = credential::did_key(must(crypto::generate_key(crypto::KeyType::ed25519))->public_key());
  assurance::Access access;
  access.device = device;
  access.number = number;
  access.answer = assurance::Answer::permit;
  access.serial_number = "SN-" + std::to_string(n);
  access.ldevids = {{hex(as_bytes("ldevid" + std::to_string(n))), "CN=owner's CA,O=home"}};
  access.segment = "trusted";
  access.reason = "an owner trusts it";
  return access;
}

assurance::Access deny(int n, std::uint64_t number) {
  auto access = permit(n, number);
  access.answer = assurance::Answer::deny;
  access.segment.clear();
  access.reason = "its SBOM is vulnerable";
  return access;
}

bearer::JoinRequest join_of(const assurance::Access& access) {
  bearer::JoinRequest request;
  request.certificate_serial_hex = access.ldevids.back().serial_hex;
  request.certificate_issuer = "/O=home/CN=owner's CA";
  request.certificate_subject_serial = access.serial_number;
  request.claimed_identity = access.serial_number;
  request.station = "02:00:00:00:00:01";
  return request;
}

net::awaitable<Result<void>> FakeBearer::start(bearer::Authoriser, std::function<void(bearer::StationEvent)>) {
  co_return Result<void>();
}

net::awaitable<void> FakeBearer::stop() { co_return; }

net::awaitable<Result<void>> FakeBearer::cut(std::string device) {
  {
    const std::scoped_lock lock(mutex_);
    cuts_.push_back(device);
  }
  while (held_) co_await net::sleep_for(std::chrono::milliseconds(2));
  if (failing_ > 0) {
    --failing_;
    co_return fail(bearer::BearerError::unavailable, "the gate does not answer");
  }
  co_return Result<void>();
}

net::awaitable<void> FakeBearer::invite(std::string device) {
  const std::scoped_lock lock(mutex_);
  invitations_.push_back(device);
  co_return;
}

int FakeBearer::count(const std::vector<std::string>& calls, const std::string& device) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(std::ranges::count(calls, device));
}

int FakeBearer::all_cuts() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(cuts_.size());
}

}  // namespace cahn::test
