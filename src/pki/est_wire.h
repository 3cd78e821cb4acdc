// What both ends of EST share: media types, and bodies in base64 (RFC 8951 3.1). We send one line, because strongSwan
// reads nothing else, and read any number of lines.
//
// Threads: functions of their arguments.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/csr.h"
#include "pki/issuer.h"

namespace cahn::pki {

inline constexpr std::string_view est_root = "/.well-known/est/";
inline constexpr std::string_view media_type_pkcs10 = "application/pkcs10";
inline constexpr std::string_view media_type_pkcs7 = "application/pkcs7-mime";
inline constexpr std::string_view content_type_certs_only = "application/pkcs7-mime; smime-type=certs-only";
inline constexpr std::string_view media_type_csrattrs = "application/csrattrs";

// base64 in lines of this many characters, each ended by CRLF; 0: all in one line without an end.
std::string base64_lines(ByteView, std::size_t line_length);

// The request in the body of simpleenroll: base64 with or without line breaks, then PKCS#10 DER whose signature holds.
// Errors: bad_request, with what was wrong.
Result<crypto::Csr> csr_from_est_body(ByteView body);

// The certificates of a certs-only body, at least one. Errors: bad_answer.
Result<std::vector<crypto::Certificate>> certificates_from_est_body(ByteView body);

}  // namespace cahn::pki
