// The body of EST's csrattrs (RFC 7030 4.5.2): which attributes and algorithms a client should put into its request.
//
//   CsrAttrs  ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID
//   AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
//   Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }
//
// Threads: functions of their arguments.

#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "pki/issuer.h"

namespace cahn::pki {

inline constexpr std::size_t max_csr_attributes = 64;

// DER of a CsrAttrs. Each wish is a dotted OID ("2.5.4.5": the attribute itself), or one with values, which are OIDs
// too
// ("1.2.840.10045.2.1=1.3.132.0.34": an EC key on P-384; "1.2.840.113549.1.9.14=2.5.29.17": an extension request for a
// subjectAltName). Errors: bad_request for what is no OID, or too many.
Result<Bytes> encode_csr_attributes(const std::vector<std::string>& wishes);

// Whether a request has what was asked for (RFC 8995 5.9.2): every OID of a wish occurs in it. Errors: bad_request,
// which names the first that does not.
Result<void> check_csr_attributes(const crypto::Csr&, const std::vector<std::string>& wishes);

// The dotted OIDs a CsrAttrs asks for; of an Attribute, its type. Errors: bad_answer for anything but one whole DER
// value of that form with at most `max_csr_attributes` elements.
Result<std::vector<std::string>> decode_csr_attributes(ByteView der);

}  // namespace cahn::pki
