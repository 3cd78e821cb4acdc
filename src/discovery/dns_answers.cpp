#include "discovery/dns_answers.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

std::unexpected<Error> bad(std::string what) {
  return fail(DiscoveryError::malformed, "a DNS answer: " + std::move(what));
}

// A name inside `record`, which may point back into the message.
Result<std::string> name_at(ns_msg& message, const std::uint8_t* where) {
  char text[NS_MAXDNAME] = {};
  if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), where, text, sizeof text) < 0)
    return bad("a name that is none");
  return std::string(text) == "." ? std::string() : std::string(text);
}

std::uint16_t number_at(const std::uint8_t* where) { return static_cast<std::uint16_t>(where[0] << 8 | where[1]); }

Result<void> read_pointer(ns_msg& message, const ns_rr& record, DnsAnswer& answer) {
  if (answer.pointers.size() >= max_records) return {};
  CAHN_TRY(auto name, name_at(message, ns_rr_rdata(record)));
  answer.pointers.push_back(std::move(name));
  return {};
}

Result<void> read_server(ns_msg& message, const ns_rr& record, DnsAnswer& answer) {
  if (ns_rr_rdlen(record) < 7) return bad("an SRV record that is too short");
  if (answer.servers.size() >= max_records) return {};
  const std::uint8_t* const data = ns_rr_rdata(record);
  ServerRecord server{number_at(data), number_at(data + 2), number_at(data + 4), {}};
  CAHN_TRY(server.target, name_at(message, data + 6));
  answer.servers.push_back(std::move(server));
  return {};
}

Result<void> read_address(const ns_rr& record, int family, std::size_t size, DnsAnswer& answer) {
  if (ns_rr_rdlen(record) != size) return bad("an address of the wrong size");
  if (answer.addresses.size() >= max_records) return {};
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, ns_rr_rdata(record), text, sizeof text);
  answer.addresses.emplace_back(text);
  return {};
}

Result<void> read_text(const ns_rr& record, DnsAnswer& answer) {
  if (!answer.texts.empty()) return {};
  ByteView left(ns_rr_rdata(record), ns_rr_rdlen(record));
  while (!left.empty()) {
    const std::size_t size = left.front();
    if (size >= left.size()) return bad("a TXT string that is cut short");
    if (answer.texts.size() < max_records) answer.texts.push_back(to_string(left.subspan(1, size)));
    left = left.subspan(1 + size);
  }
  return {};
}

Result<void> read_record(ns_msg& message, const ns_rr& record, DnsAnswer& answer) {
  if (ns_rr_class(record) != ns_c_in) return {};
  switch (ns_rr_type(record)) {
    case ns_t_ptr:
      return read_pointer(message, record, answer);
    case ns_t_srv:
      return read_server(message, record, answer);
    case ns_t_a:
      return read_address(record, AF_INET, 4, answer);
    case ns_t_aaaa:
      return read_address(record, AF_INET6, 16, answer);
    case ns_t_txt:
      return read_text(record, answer);
    default:
      return {};
  }
}

}  // namespace

Result<DnsAnswer> read_dns_answer(ByteView octets) {
  ns_msg message;
  if (octets.size() > std::numeric_limits<std::uint16_t>::max() ||
      ns_initparse(octets.data(), static_cast<int>(octets.size()), &message) != 0)
    return bad("not a DNS message");
  DnsAnswer answer;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return bad("a record that is none");
    CAHN_CHECK(read_record(message, record, answer));
  }
  // RFC 2782: the lowest priority first; of equals we take the heaviest, where it would have us draw lots.
  std::ranges::sort(answer.servers, [](const ServerRecord& a, const ServerRecord& b) {
    return std::tuple(a.priority, -a.weight, a.target) < std::tuple(b.priority, -b.weight, b.target);
  });
  return answer;
}

std::string first_label(std::string_view name) {
  std::string label;
  for (std::size_t i = 0; i < name.size() && name[i] != '.'; ++i) {
    if (name[i] != '\\') {
      label += name[i];
      continue;
    }
    const auto digit = [&](std::size_t at) {
      return at < name.size() && std::isdigit(static_cast<unsigned char>(name[at])) != 0;
    };
    if (digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      label += static_cast<char>((name[i + 1] - '0') * 100 + (name[i + 2] - '0') * 10 + (name[i + 3] - '0'));
      i += 3;
    } else if (i + 1 < name.size()) {
      label += name[++i];
    }
  }
  return label;
}

}  // namespace cahn::discovery
