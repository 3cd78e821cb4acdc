// Admission answered from claims: the registrar's policy points C.3 and C.8 of the voucher flow and D.4, enrolment.
//
// A device that the claim node denies gets no voucher and no LDevID (decision 51). Any other point is denied: it is not
// the registrar's to answer.

#pragma once

#include <memory>

#include "admission/admission.h"
#include "cascade/claim_node.h"

namespace cahn::assurance {

// `node` must outlive what is returned.
std::unique_ptr<admission::Admission> claims_admission(cascade::ClaimNode& node);

}  // namespace cahn::assurance
