// What the cmsVerify* keys of registrar and MASA add to RFC 8995: anchors to which the other party must lead as well.

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "admission/admission.h"
#include "crypto/chain.h"

namespace cahn::apps::tool {

struct RequiredAnchors {
  std::optional<crypto::TrustStore> devices;  // [registrar] cmsVerifyStorePath: asked at C.3
  std::optional<crypto::TrustStore> domains;  // [masa] cmsVerifyStorePath: asked at C.5
  std::vector<crypto::Certificate> intermediates;
};

// Permits what leads to the anchors that are there, and what none are there for.
std::unique_ptr<admission::Admission> permit_under(RequiredAnchors, const Clock& clock = system_clock());

}  // namespace cahn::apps::tool
