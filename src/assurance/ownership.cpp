#include "assurance/ownership.h"

#include <algorithm>

namespace cahn::assurance {

Result<Ownership> Ownership::read(std::string_view text) {
  auto credential = credential::Credential::parse(text, {.max_size = std::size_t{16} << 10, .max_depth = 8});
  if (!credential) return fail(AssuranceError::malformed, "an ownership credential: " + credential.error().message);
  if (credential->statement().relation != "Trust") {
    return fail(AssuranceError::bad_credential,
                "an ownership credential is a Trust, not a " + credential->statement().relation);
  }
  if (const auto proof = credential::verify_proof(*credential); !proof) {
    return fail(AssuranceError::bad_credential, "an ownership credential: " + proof.error().message);
  }
  return Ownership(std::move(*credential), std::string(text));
}

Result<void> Ownership::check_validity(Time now) const {
  const auto valid = credential::check_validity(credential_, now);
  if (!valid) return fail(AssuranceError::bad_credential, "an ownership credential: " + valid.error().message);
  return {};
}

Result<void> check_common_ownership(const Ownership& ours, const Ownership& theirs, const crypto::PublicKey& shown,
                                    Time now) {
  if (theirs.person() != ours.person()) {
    return fail(AssuranceError::wrong_owner, "it belongs to " + theirs.person() + ", we to " + ours.person());
  }
  // L524: the same person is the signatory. Anyone can write the person's name into a credential of his own.
  if (theirs.signer() != ours.signer()) {
    return fail(AssuranceError::wrong_owner, "the key that signed its ownership is not the one that signed ours");
  }
  if (theirs.key() != credential::did_key(shown)) {
    return fail(AssuranceError::wrong_key, "its ownership credential names another key than the one shown in TLS");
  }
  CAHN_CHECK(theirs.check_validity(now));
  return ours.check_validity(now);
}

OwnerCheck configured_owners(std::map<std::string, std::vector<std::string>> owners) {
  auto shared = std::make_shared<const std::map<std::string, std::vector<std::string>>>(std::move(owners));
  return [shared](Ownership claimed) -> boost::asio::awaitable<Result<void>> {
    const auto keys = shared->find(claimed.person());
    if (keys == shared->end() || std::ranges::find(keys->second, claimed.signer()) == keys->second.end()) {
      co_return fail(AssuranceError::not_an_owner, claimed.person() + " by this key does not own the network");
    }
    co_return Result<void>();
  };
}

}  // namespace cahn::assurance
