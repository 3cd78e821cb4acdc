// `sign`, `show` and `verify`: what one does with a voucher or a voucher-request in a file.

#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cahn::apps::tool {

struct Signing {
  std::string file, key, certificate, out;
  std::vector<std::string> include;
  bool id_data = false;   // content type id-data, as some pledges in the field want it (decision 1)
  bool tolerant = false;  // of the JSON
};
// JSON to CMS: the very octets of the file are signed, once the voucher room finds nothing wrong with them.
Result<void> sign(const Signing&);

struct Showing {
  std::string file;
  bool json = false;
};
Result<void> show(const Showing&);

struct Verification {
  std::string file;
  std::vector<std::string> anchors, intermediates;
  std::string idevid;         // file: a voucher must be this pledge's, by every check of RFC 8995 5.6.1
  std::string registrar;      // file: a voucher must pin it, a request must have seen it
  std::string serial, nonce;  // must be these
  std::string at;             // RFC 3339; empty: now
  bool no_clock = false;      // times are ignored (RFC 8995 2.6.1)
  bool tolerant = false;
};
// Prints what holds, or fails with the reason.
Result<void> verify(const Verification&);

}  // namespace cahn::apps::tool
