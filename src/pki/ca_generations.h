// The keys a CA has had, one after the other under one name (RFC 4210 4.4). The last one issues; the earlier ones still
// sign the CRLs and OCSP answers of what they issued. Internal to this room.
//
// Layout in the store: table "ca_state", "certificate" → DER of the first; table "ca_generations", four-digit number of
// each later one → JSON {"certificate", "newWithOld", "oldWithNew": base64 DER, "keyUri"}; event "ca_rolled_over".

#pragma once

#include <optional>
#include <vector>

#include "pki/domain_ca.h"

namespace cahn::pki {

struct CaGeneration {
  crypto::Certificate certificate;
  crypto::PrivateKeyPtr key;
  // How it hangs together with the one before; the first has none.
  std::optional<crypto::Certificate> new_with_old, old_with_new;
};

// All of them, oldest first, or a first one that is made now. A CA whose key is gone is an error, never a new key under
// an old name.
Result<std::vector<CaGeneration>> open_generations(store::Store&, const DomainCaOptions&, Time now);

// One more. `key_uri` must name another key than those there are.
Result<CaGeneration> next_generation(const CaGeneration& last, const DomainCaOptions&, const std::string& key_uri,
                                     Time now);
store::Batch record_of(const CaGeneration&, std::size_t number, const std::string& key_uri);

// Certificates and CRLs are valid from a little before they are made: the clocks of those who check them differ.
inline constexpr std::chrono::minutes backdated{5};
Time whole_second(Time);

}  // namespace cahn::pki
