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

// DER of a CsrAttrs that holds these dotted OIDs. Errors: bad_request for what is no OID, or too many.
Result<Bytes> encode_csr_attributes(const std::vector<std::string>& oids);

// The dotted OIDs a CsrAttrs asks for; of an Attribute, its type. Errors: bad_answer for anything but one whole DER
// value of that form with at most `max_csr_attributes` elements.
Result<std::vector<std::string>> decode_csr_attributes(ByteView der);

}  // namespace cahn::pki
