// Common ownership (L515-524): registrar and router belong together when one person has said so of both, with one key.
//
//   the person's key signs   Trust(person@, registrar+)   Trust(person@, registrar's command key+)   Trust(person@,
//   router+)
//
// Each side shows its credential on the TLS connection whose key it names, and each side checks the other's against its
// own.
//
// Threads: values and functions of their arguments.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assurance/error.h"
#include "base/time.h"
#include "credential/credential.h"
#include "crypto/key.h"

namespace cahn::assurance {

// A credential Trust(person@, key+) : person- whose form and proof hold.
class Ownership {
 public:
  // Errors: malformed, bad_credential.
  static Result<Ownership> read(std::string_view credential);

  const std::string& person() const { return credential_.statement().arguments[0]; }
  const std::string& key() const { return credential_.statement().arguments[1]; }  // did:key
  const std::string& signer() const { return credential_.issuer(); }               // did:key
  const std::string& text() const { return text_; }
  // Whether it is valid at `now`. Errors: bad_credential.
  Result<void> check_validity(Time now) const;

 private:
  Ownership(credential::Credential credential, std::string text)
      : credential_(std::move(credential)), text_(std::move(text)) {}
  credential::Credential credential_;
  std::string text_;
};

// Whether `theirs` is of the same owner as `ours`, valid now, and names the key that the peer showed in TLS.
// Errors: wrong_owner, wrong_key, bad_credential.
Result<void> check_common_ownership(const Ownership& ours, const Ownership& theirs, const crypto::PublicKey& shown,
                                    Time now);

// Whether this person, by this key, owns the network: asked by the registrar of a router's credential, after all else
// held, when it connects and again with every lease. Errors: not_an_owner, unavailable.
using OwnerCheck = std::function<boost::asio::awaitable<Result<void>>(Ownership)>;

// From configuration: mailto: of each owner to the did:keys that sign for them.
OwnerCheck configured_owners(std::map<std::string, std::vector<std::string>> owners);

}  // namespace cahn::assurance
