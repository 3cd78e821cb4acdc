// BER as others write it around what they sign, brought into DER's form. Internal to this room.
//
// CMS may be BER outside the signed attributes (RFC 5652 5.3), and writers that stream (Bouncy Castle, `openssl cms
// -stream`) make use of it:
//
//   30 80 … 24 80  04 03 'abc'  04 02 'de'  00 00 … 00 00     indefinite lengths, a string in pieces
//   30 0a … 04 05 'abcde' …                                  the same as DER
//
// What is brought into form are lengths and OCTET STRINGs. The order of a SET and the octets of a value stay as they
// are.

#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/error.h"

namespace cahn::crypto {

class Normalised {
 public:
  // One element with nothing behind it, of at most 1 MiB, 32 levels and 16384 elements; tags of one octet. Else
  // malformed, with the octet at which it is. The result is_der().
  static Result<Normalised> from_ber(ByteView ber);

  const Bytes& der() const { return der_; }
  // Whether this part of der(), some whole elements of it, was received in just these octets.
  bool is_verbatim(ByteView part) const;

 private:
  Bytes der_;
  std::vector<std::size_t> rewritten_;  // where in der_ elements begin that had another form, ascending
};

}  // namespace cahn::crypto
