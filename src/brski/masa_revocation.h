// What the certificates of a registrar's chain say about where their revocation is told (RFC 8995 5.5.3): lists and
// OCSP responders of domain CAs, asked over the network.
//
// Who sends a voucher-request writes these addresses. So only hosts that the operator named are asked, redirects are
// not followed, and every answer is bounded in time and size. What was got is kept until its nextUpdate (a day at
// most), a failure for half a minute; all of it together stays below 16 MiB.
//
// Threads: safe from any thread.

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "brski/masa.h"
#include "crypto/revocation.h"

namespace cahn::brski {

class RevocationSources {
 public:
  // Errors: bad_option (a host that cannot be read).
  static Result<std::shared_ptr<RevocationSources>> create(RevocationLookup);

  struct Found {
    crypto::RevocationEvidence evidence;  // signed by the issuer, and current
    std::vector<std::string> failures;    // one sentence for each address that was of no use
  };
  // What the addresses in `certificate` lead to: OCSP first, then its lists, until one says something. At most 2 of
  // each kind are asked, within 10 seconds together.
  static net::awaitable<Found> ask(std::shared_ptr<RevocationSources>, crypto::Certificate certificate,
                                   crypto::Certificate issuer, Time now);

 private:
  struct Kept {
    crypto::RevocationEvidence evidence;
    std::size_t octets = 0;
    Time until;
    std::string failure;  // not empty: there was nothing to get
  };
  struct Question;

  explicit RevocationSources(RevocationLookup lookup) : lookup_(std::move(lookup)) {}
  bool is_allowed(const net::Url&) const;
  std::optional<Kept> kept(const std::string& key, Time now);
  void keep(std::string key, Kept, Time now);
  net::awaitable<Result<Bytes>> fetch(net::Url, net::HttpRequest);
  static net::awaitable<Result<Kept>> ask_one(std::shared_ptr<RevocationSources>, std::shared_ptr<const Question>);

  const RevocationLookup lookup_;
  std::vector<net::Endpoint> allowed_;  // port 0: the scheme's own
  std::atomic<int> under_way_ = 0;
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;
  std::size_t octets_ = 0;
};

}  // namespace cahn::brski
