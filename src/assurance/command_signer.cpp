#include "assurance/command_signer.h"

#include <algorithm>

namespace cahn::assurance {
namespace {

// A frame is at most 1 MiB; entries differ in size a hundredfold, so frames are filled by octets, not only by count.
constexpr std::size_t max_octets = max_message * 3 / 4;

std::size_t size_of(const Access& access) { return write_access(access).size() + 1; }

// Cuts `all` into pieces that fit a frame each; at least one, which may be empty.
std::vector<std::vector<Access>> pieces_of(const std::vector<Access>& all) {
  std::vector<std::vector<Access>> pieces(1);
  std::size_t octets = 0;
  for (const auto& access : all) {
    const std::size_t size = size_of(access);
    if (pieces.back().size() >= max_entries || (octets + size > max_octets && !pieces.back().empty())) {
      pieces.emplace_back();
      octets = 0;
    }
    pieces.back().push_back(access);
    octets += size;
  }
  return pieces;
}

}  // namespace

Result<std::vector<CommandSigner::Signed>> CommandSigner::commands(const std::vector<Access>& changes) const {
  std::vector<Signed> frames;
  if (changes.size() == 1) {
    const Access& access = changes.front();
    const CommandContent content{command_id(epoch_, access.number), registrar_, epoch_, lease_, access};
    CAHN_TRY(auto frame, sign_command(content, *key_, clock_.now()));
    frames.push_back({std::move(frame), {{access.number, access.device}}});
    return frames;
  }
  for (const auto& piece : pieces_of(changes)) {
    Batch batch;
    batch.registrar = registrar_;
    batch.epoch = epoch_;
    batch.lease = lease_;
    batch.entries = piece;
    CAHN_TRY(auto frame, sign_message(batch, *key_, clock_.now()));
    Signed one{std::move(frame), {}};
    for (const auto& access : piece) one.numbers.emplace_back(access.number, access.device);
    frames.push_back(std::move(one));
  }
  return frames;
}

Result<std::vector<Bytes>> CommandSigner::state(const Sync& asked, const std::vector<Access>& entries,
                                                std::uint64_t number) const {
  State state;
  state.registrar = registrar_;
  state.epoch = epoch_;
  state.nonce = asked.nonce;
  state.number = number;
  state.lease = lease_;
  state.digest = state_digest(entries);
  state.unchanged = asked.epoch == epoch_ && asked.number == number && asked.digest == state.digest;
  const auto pieces = state.unchanged ? std::vector<std::vector<Access>>(1) : pieces_of(entries);
  if (pieces.size() > max_parts) return fail(AssuranceError::malformed, "too many devices for one state");
  state.parts = static_cast<std::uint32_t>(pieces.size());
  std::vector<Bytes> frames;
  for (const auto& piece : pieces) {
    state.entries = piece;
    CAHN_TRY(auto frame, sign_message(state, *key_, clock_.now()));
    frames.push_back(std::move(frame));
    ++state.part;
  }
  return frames;
}

Result<Bytes> CommandSigner::lease(const std::string& nonce, std::uint64_t number) const {
  Lease lease;
  lease.registrar = registrar_;
  lease.epoch = epoch_;
  lease.nonce = nonce;
  lease.number = number;
  lease.lease = lease_;
  return sign_message(lease, *key_, clock_.now());
}

}  // namespace cahn::assurance
