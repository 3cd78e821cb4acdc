#include "bearer/dot1x/nft_station_set.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "bearer/dot1x/configuration.h"

namespace cahn::bearer::dot1x {

struct NftStationSet::Change {
  enum class What { add, remove, flush } what;
  std::string set;
  Bytes address;  // 6 octets; empty with flush
};

namespace {

constexpr std::chrono::milliseconds kernel_patience{2000};
constexpr std::size_t changes_per_batch = 128;  // stays under the receive buffer of the kernel's answers

// A netlink message under construction: the fixed heads, then attributes, each padded to 4 octets, lengths filled in
// late.
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, std::uint8_t family,
          std::uint16_t resource) {
    octets_.resize(NLMSG_HDRLEN + sizeof(nfgenmsg));
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = flags;
    head.nlmsg_seq = sequence;
    std::memcpy(octets_.data(), &head, sizeof head);
    const nfgenmsg family_head{family, NFNETLINK_V0, htons(resource)};
    std::memcpy(octets_.data() + NLMSG_HDRLEN, &family_head, sizeof family_head);
  }

  void put(std::uint16_t type, ByteView value) {
    const std::size_t at = begin(type);
    octets_.insert(octets_.end(), value.begin(), value.end());
    end(at);
  }
  void put_text(std::uint16_t type, const std::string& text) {
    put(type, ByteView(reinterpret_cast<const std::uint8_t*>(text.c_str()), text.size() + 1));
  }
  std::size_t begin(std::uint16_t type) {
    const nlattr head{0, type};
    const std::size_t at = octets_.size();
    octets_.resize(at + NLA_HDRLEN);
    std::memcpy(octets_.data() + at, &head, sizeof head);
    return at;
  }
  void end(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(octets_.size() - at);
    std::memcpy(octets_.data() + at, &length, sizeof length);
    octets_.resize(NLA_ALIGN(octets_.size()));
  }
  Bytes finish() && {
    const auto length = static_cast<std::uint32_t>(octets_.size());
    std::memcpy(octets_.data(), &length, sizeof length);
    return std::move(octets_);
  }

 private:
  Bytes octets_;
};

constexpr std::uint16_t nft_message(int type) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type); }

void put_element(Message& message, const Bytes& address, std::optional<std::chrono::milliseconds> lease) {
  const auto elements = message.begin(NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS);
  const auto element = message.begin(NLA_F_NESTED | NFTA_LIST_ELEM);
  const auto key = message.begin(NLA_F_NESTED | NFTA_SET_ELEM_KEY);
  message.put(NFTA_DATA_VALUE, address);
  message.end(key);
  if (lease) {
    Bytes milliseconds(8);
    auto left = static_cast<std::uint64_t>(lease->count());
    for (auto it = milliseconds.rbegin(); it != milliseconds.rend(); ++it, left >>= 8)
      *it = static_cast<std::uint8_t>(left);
    message.put(NFTA_SET_ELEM_TIMEOUT, milliseconds);
  }
  message.end(element);
  message.end(elements);
}

void append(Bytes& batch, Bytes message) { batch.insert(batch.end(), message.begin(), message.end()); }

Result<Bytes> link_address(const std::string& text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != ':'; });
  auto octets = hex_decode(digits);
  if (!octets || octets->size() != 6) return fail(BearerError::unknown_station, "not a link address: " + text);
  return octets;
}

}  // namespace

Result<std::unique_ptr<NftStationSet>> NftStationSet::open(std::string table, std::vector<std::string> ports,
                                                           std::chrono::milliseconds lease) {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return fail(BearerError::unavailable, std::string("no netfilter socket: ") + std::strerror(errno));
  return std::unique_ptr<NftStationSet>(
      new NftStationSet(std::move(socket), std::move(table), std::move(ports), lease));
}

Result<std::string> NftStationSet::set_of(const Station& station) const {
  const auto port = std::ranges::find(ports_, station.port);
  if (port == ports_.end()) return fail(BearerError::unknown_station, "no port " + station.port);
  return set_name(static_cast<std::size_t>(port - ports_.begin()));
}

Result<int> NftStationSet::commit(std::span<const Change> changes) {
  Bytes batch = Message(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, ++sequence_, AF_UNSPEC, NFNL_SUBSYS_NFTABLES).finish();
  const std::uint32_t first = sequence_ + 1;
  for (const Change& change : changes) {
    const bool add = change.what == Change::What::add;
    const auto flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE : 0));
    Message message(nft_message(add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), flags, ++sequence_, NFPROTO_NETDEV, 0);
    message.put_text(NFTA_SET_ELEM_LIST_TABLE, table_);
    message.put_text(NFTA_SET_ELEM_LIST_SET, change.set);
    if (change.what != Change::What::flush)  // a DELSETELEM without elements empties the set
      put_element(message, change.address, add ? std::optional(lease_) : std::nullopt);
    append(batch, std::move(message).finish());
  }
  const std::uint32_t last = sequence_;
  append(batch, Message(NFNL_MSG_BATCH_END, NLM_F_REQUEST, ++sequence_, AF_UNSPEC, NFNL_SUBSYS_NFTABLES).finish());

  if (::send(socket_.get(), batch.data(), batch.size(), 0) != static_cast<ssize_t>(batch.size()))
    return fail(BearerError::unavailable, std::string("netfilter: ") + std::strerror(errno));
  // The kernel answers each change after the whole batch has been committed or given up.
  int failure = 0;
  for (std::uint32_t answered = 0; answered <= last - first;) {
    pollfd waiting{socket_.get(), POLLIN, 0};
    alignas(nlmsghdr) std::uint8_t answers[16384];
    if (::poll(&waiting, 1, static_cast<int>(kernel_patience.count())) <= 0)
      return fail(BearerError::unavailable, "netfilter does not answer");
    auto left = static_cast<int>(::recv(socket_.get(), answers, sizeof answers, 0));
    if (left < 0) return fail(BearerError::unavailable, std::string("netfilter: ") + std::strerror(errno));
    for (auto* head = reinterpret_cast<nlmsghdr*>(answers); NLMSG_OK(head, static_cast<unsigned>(left));
         head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR) continue;
      const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      if (error != 0 && failure == 0) failure = error;
      // An error at the head of the batch (no right, out of memory) is the only answer there will be.
      if (head->nlmsg_seq < first && error != 0) return failure;
      if (head->nlmsg_seq >= first && head->nlmsg_seq <= last) ++answered;
    }
  }
  return failure;
}

Result<void> NftStationSet::admit(const Station& station) { return renew(std::span(&station, 1)); }

Result<void> NftStationSet::expel(const Station& station) {
  CAHN_TRY(const std::string set, set_of(station));
  CAHN_TRY(const Bytes address, link_address(station.address));
  const Change change{Change::What::remove, set, address};
  CAHN_TRY(const int error, commit(std::span(&change, 1)));
  if (error != 0 && error != ENOENT)
    return fail(BearerError::unavailable, std::string("shutting the gate: ") + std::strerror(error));
  return {};
}

Result<void> NftStationSet::renew(std::span<const Station> stations) {
  // Adding an element that is there does not restart its timeout on all kernels, so it is removed and added in one
  // transaction: packets see the set before or after, never between. ENOENT: one was not there (new, or its lease ran
  // out).
  std::vector<Change> changes;
  for (const Station& station : stations.first(std::min(stations.size(), changes_per_batch / 2))) {
    CAHN_TRY(const std::string set, set_of(station));
    CAHN_TRY(const Bytes address, link_address(station.address));
    changes.push_back({Change::What::remove, set, address});
    changes.push_back({Change::What::add, set, address});
  }
  if (changes.empty()) return {};
  CAHN_TRY(int error, commit(changes));
  if (error == ENOENT && changes.size() == 2) {
    CAHN_TRY(error, commit(std::span(changes).last(1)));
  } else if (error == ENOENT) {
    for (std::size_t i = 0; i < changes.size() / 2; ++i) CAHN_CHECK(renew(stations.subspan(i, 1)));
    error = 0;
  }
  if (error != 0) return fail(BearerError::unavailable, std::string("opening the gate: ") + std::strerror(error));
  return renew(stations.subspan(changes.size() / 2));
}

Result<void> NftStationSet::clear() {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < ports_.size(); ++i) changes.push_back({Change::What::flush, set_name(i), {}});
  if (changes.empty()) return {};
  CAHN_TRY(const int error, commit(changes));
  if (error != 0) return fail(BearerError::unavailable, std::string("shutting the gate: ") + std::strerror(error));
  return {};
}

}  // namespace cahn::bearer::dot1x
