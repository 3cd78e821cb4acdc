// What an answer of a DNS server holds, as far as DNS-SD (RFC 6763) needs it. The server is a stranger: the message is
// read by libresolv's parser, within bounds, and what comes out still passes found_service.h.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cahn::discovery {

// Records of one kind that are read of one answer; the rest is noise or an attack.
inline constexpr std::size_t max_records = 16;

struct ServerRecord {  // SRV, RFC 2782
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  // a name; empty: "decidedly not available"
  friend bool operator==(const ServerRecord&, const ServerRecord&) = default;
};

struct DnsAnswer {
  std::vector<std::string> pointers;   // PTR: names as text, with escapes, ready to be asked for
  std::vector<ServerRecord> servers;   // SRV: in the order in which to try them
  std::vector<std::string> addresses;  // A and AAAA, as text
  std::vector<std::string> texts;      // the strings of the first TXT record
  friend bool operator==(const DnsAnswer&, const DnsAnswer&) = default;
};

// The records of the answer section. Errors: malformed.
Result<DnsAnswer> read_dns_answer(ByteView message);

// The first label of a name in text form, without escapes: "Ann\'s\032registrar._x._tcp.y" is "Ann's registrar".
std::string first_label(std::string_view name);

}  // namespace cahn::discovery
