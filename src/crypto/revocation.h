// Whether a certificate is revoked, by what its issuer signed: lists (RFC 5280 5) and OCSP responses (RFC 6960),
// however they came.
//
// Threads: values and functions of their arguments.

#pragma once

#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/crl.h"

namespace cahn::crypto {

struct RevocationEvidence {
  std::vector<Crl> lists;
  std::vector<Bytes> ocsp;  // responses, DER, unread
};

struct RevocationStanding {
  enum class Status { good, revoked, unknown };
  Status status = Status::unknown;
  Time until{};     // good only: how long what says so holds
  std::string why;  // unknown only: what was wrong with the evidence
};

// What the evidence says at `now` of a certificate and its issuer. Only what the issuer's key (or its OCSP delegate's)
// signed and what is current counts; what says "revoked" beats what says "good", and a hold is a revocation.
RevocationStanding revocation_standing(const Certificate&, const Certificate& issuer, const RevocationEvidence&,
                                       Time now);

}  // namespace cahn::crypto
