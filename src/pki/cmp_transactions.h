// The transactions of a CMP server that are not over: a request that waits for a decision, or a certificate that waits
// for its confirmation. In memory: after a restart clients begin anew. Internal to this room.
//
// Threads: safe from any thread. A transaction is taken out while it is worked on, so that two messages of one are
// never worked on at once.

#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "crypto/cmp.h"

namespace cahn::pki {

struct CmpTransaction {
  enum class State { waiting, unconfirmed };
  State state = State::waiting;
  crypto::CmpBody request = crypto::CmpBody::ir;  // ir, cr, p10cr or kur
  int id = 0;                                     // certReqId
  Bytes sender;                                   // fingerprint of the certificate that signed the request
  Bytes nonce;                                    // our last senderNonce, which the next message must bring back
  std::optional<crypto::Csr> csr;                 // while waiting
  std::optional<crypto::Certificate> issued;      // while unconfirmed
  bool implicit_confirm = false;
  Time ends;
};

class CmpTransactions {
 public:
  CmpTransactions(std::size_t max, std::size_t max_per_sender) : max_(max), max_per_sender_(max_per_sender) {}

  // Reserves an id for `sender`. Errors, as what CMP answers: transaction_id_in_use, system_unavailable (too many).
  std::optional<crypto::CmpFailure> begin(const Bytes& id, const Bytes& sender);
  // Keeps what `begin` or `take` left reserved.
  void keep(const Bytes& id, CmpTransaction);
  // Ends what `begin` or `take` left reserved.
  void end(const Bytes& id);
  // Takes one out to work on it, and leaves it reserved; nullopt when there is none, or it is being worked on.
  std::optional<CmpTransaction> take(const Bytes& id);
  // Removes and returns what ended before `now`.
  std::vector<CmpTransaction> expire(Time now);

 private:
  struct Entry {
    Bytes sender;
    std::optional<CmpTransaction> transaction;  // none: it is being worked on
  };
  void erase(std::map<Bytes, Entry>::iterator);  // with mutex_ held

  const std::size_t max_, max_per_sender_;
  std::mutex mutex_;
  std::map<Bytes, Entry> entries_;
  std::map<Bytes, std::size_t> by_sender_;
};

}  // namespace cahn::pki
