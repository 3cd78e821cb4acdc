// Turns changes of access into signed frames of the command protocol.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "assurance/command_messages.h"
#include "base/time.h"
#include "crypto/key.h"

namespace cahn::assurance {

class CommandSigner {
 public:
  struct Signed {
    Bytes frame;
    std::vector<std::pair<std::uint64_t, std::string>> numbers;  // and devices, of the commands in it
  };

  CommandSigner(const Clock& clock, crypto::PrivateKeyPtr key, std::string registrar, std::string epoch,
                std::chrono::seconds lease)
      : clock_(clock),
        key_(std::move(key)),
        registrar_(std::move(registrar)),
        epoch_(std::move(epoch)),
        lease_(lease) {}

  // One change is a credential; many are batches (decision 57).
  Result<std::vector<Signed>> commands(const std::vector<Access>& changes) const;
  // The answer to a Sync: all of `entries`, or that nothing has changed.
  Result<std::vector<Bytes>> state(const Sync& asked, const std::vector<Access>& entries, std::uint64_t number) const;
  Result<Bytes> lease(const std::string& nonce, std::uint64_t number) const;

 private:
  const Clock& clock_;
  const crypto::PrivateKeyPtr key_;
  const std::string registrar_, epoch_;
  const std::chrono::seconds lease_;
};

}  // namespace cahn::assurance
