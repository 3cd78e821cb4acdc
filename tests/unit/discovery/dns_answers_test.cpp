// Unicast DNS-SD: answers as a server, honest or not, may send them, and a look with a server of our own on loopback.

#include "discovery/dns_answers.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "discovery/unicast_dns_sd.h"

namespace cahn::discovery {
namespace {

constexpr int a = 1, ptr = 12, txt = 16, aaaa = 28, srv = 33;  // RFC 1035, 2782, 3596

std::string u16(int number) { return {static_cast<char>(number >> 8), static_cast<char>(number)}; }

std::string label(const std::string& text) { return static_cast<char>(text.size()) + text; }

// "a.b" without escapes.
std::string name(std::string text) {
  std::string octets;
  while (!text.empty()) {
    const auto dot = text.find('.');
    octets += label(text.substr(0, dot));
    text = dot == std::string::npos ? "" : text.substr(dot + 1);
  }
  return octets + std::string(1, 0);
}

std::string record(const std::string& owner, int type, const std::string& data, int the_class = 1) {
  return owner + u16(type) + u16(the_class) + std::string(2, 0) + u16(120) + u16(static_cast<int>(data.size())) + data;
}

// A message with one question, which `owner` \xc0\x0c points to.
std::string message(const std::string& question, int type, const std::vector<std::string>& records, int id = 0) {
  std::string octets = u16(id) + u16(0x8180) + u16(1) + u16(static_cast<int>(records.size())) + u16(0) + u16(0);
  octets += question + u16(type) + u16(1);
  for (const std::string& one : records) octets += one;
  return octets;
}

const std::string same("\xc0\x0c", 2);
const std::string service = name("_brski-registrar._tcp.example.com");
const std::string instance = label("Ann's registrar") + service;

Result<DnsAnswer> read(const std::string& octets) { return read_dns_answer(as_bytes(octets)); }

TEST(ADnsAnswer, HoldsPointersWhoseNamesAreAskedForAsTheyAre) {
  const auto answer = read(message(service, ptr, {record(same, ptr, label("Ann's registrar") + same)}));
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->pointers.size(), 1u);
  EXPECT_EQ(answer->pointers[0], "Ann's\\032registrar._brski-registrar._tcp.example.com");
  EXPECT_EQ(first_label(answer->pointers[0]), "Ann's registrar");
}

TEST(ADnsAnswer, HoldsServersInTheOrderInWhichToTryThem) {
  const auto server = [](int priority, int weight, const std::string& host) {
    return record(same, srv, u16(priority) + u16(weight) + u16(8443) + name(host));
  };
  const auto answer = read(message(
      instance, srv, {server(2, 9, "c.example.com"), server(1, 1, "b.example.com"), server(1, 5, "a.example.com")}));
  ASSERT_TRUE(answer) << answer.error().message;
  const std::vector<ServerRecord> expected = {
      {1, 5, 8443, "a.example.com"}, {1, 1, 8443, "b.example.com"}, {2, 9, 8443, "c.example.com"}};
  EXPECT_EQ(answer->servers, expected);
}

TEST(ADnsAnswer, HoldsAddressesAndText) {
  const std::string v6("\xfd\xa3\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
  const auto answer = read(message(
      name("a.example.com"), a,
      {record(same, a, "\x0a\x4d\x01\x02"), record(same, aaaa, v6), record(same, txt, label("path=/x") + label(""))}));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->addresses, (std::vector<std::string>{"10.77.1.2", "fda3::1"}));
  EXPECT_EQ(answer->texts, (std::vector<std::string>{"path=/x", ""}));
}

TEST(ADnsAnswer, PassesOverOtherTypesAndClasses) {
  const auto answer = read(message(name("a.example.com"), a,
                                   {record(same, 5, name("b.example.com")), record(same, a, "\x01\x02\x03\x04", 3)}));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, DnsAnswer{});
}

TEST(ADnsAnswer, IsReadWithinABound) {
  const std::vector<std::string> many(500, record(same, a, "\x0a\x4d\x01\x02"));
  const auto answer = read(message(name("a.example.com"), a, many));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->addresses.size(), max_records);
}

TEST(ABadDnsAnswer, IsRefused) {
  const std::string good = message(service, ptr, {record(same, ptr, label("x") + same)});
  const std::map<std::string, std::string> bad = {
      {"nothing", ""},
      {"half a header", good.substr(0, 7)},
      {"cut in the record", good.substr(0, good.size() - 1)},
      {"a record more than there is",
       [&] {
         auto more = good;
         more[7] = 2;
         return more;
       }()},
      {"an octet too many", good + "x"},
      {"a name that points to itself",
       message(service, ptr, {record(same, ptr, u16(0xc000 + static_cast<int>(good.size()) - 4))})},
      {"a name that points outside", message(service, ptr, {record(same, ptr, "\xff\xff")})},
      {"an address of three octets", message(service, a, {record(same, a, "abc")})},
      {"an IPv6 address of four octets", message(service, aaaa, {record(same, aaaa, "abcd")})},
      {"an SRV record of six octets", message(service, srv, {record(same, srv, "abcdef")})},
      {"a TXT string longer than its record", message(service, txt, {record(same, txt, "\x09short")})}};
  for (const auto& [what, octets] : bad) EXPECT_FALSE(read(octets)) << what;
}

TEST(AFirstLabel, IsWithoutEscapes) {
  EXPECT_EQ(first_label("a\\.b\\\\c\\032d.e"), "a.b\\c d");
  EXPECT_EQ(first_label(""), "");
  EXPECT_EQ(first_label("\\"), "");
  EXPECT_EQ(first_label("\\03"), "03");
}

// Answers what it was told, NXDOMAIN else.
class DnsServer {
 public:
  DnsServer() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)), stop_(::eventfd(0, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~DnsServer() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop_, &one, sizeof one), 8);
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
    ::close(stop_);
  }
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  void says(const std::string& question, int type, std::vector<std::string> records) {
    answers_[question + u16(type)] = std::move(records);
  }
  void start() {
    thread_ = std::thread([this] { serve(); });
  }
  DnsOptions options() const {
    return {.domain = "example.com", .server = "127.0.0.1", .server_port = port_, .seconds = 30};
  }

 private:
  void serve() {
    for (;;) {
      pollfd ready[] = {{socket_, POLLIN, 0}, {stop_, POLLIN, 0}};
      ::poll(ready, 2, -1);
      if (ready[1].revents != 0) return;
      char buffer[512];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto count = ::recvfrom(socket_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 17) continue;
      const std::string asked(buffer, static_cast<std::size_t>(count));
      const std::string question = asked.substr(12, asked.find('\0', 12) - 11);
      const int type = static_cast<unsigned char>(asked[12 + question.size() + 1]);
      const auto found = answers_.find(question + u16(type));
      std::string answer =
          message(question, type, found == answers_.end() ? std::vector<std::string>{} : found->second);
      answer.replace(0, 2, asked, 0, 2);
      if (found == answers_.end()) answer[3] = static_cast<char>(0x83);
      ::sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  int socket_, stop_;
  std::uint16_t port_ = 0;
  std::map<std::string, std::vector<std::string>> answers_;
  std::thread thread_;
};

TEST(UnicastDnsSd, FindsARegistrarOfTheDomain) {
  DnsServer server;
  const std::string v6("\xfd\xa3\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
  server.says(service, ptr, {record(same, ptr, label("Ann's registrar") + same)});
  server.says(instance, srv, {record(same, srv, u16(0) + u16(0) + u16(8443) + name("r.example.com"))});
  server.says(instance, txt, {record(same, txt, label("path=/x"))});
  server.says(name("r.example.com"), a, {record(same, a, "\x0a\x4d\x01\x02")});
  server.says(name("r.example.com"), aaaa, {record(same, aaaa, v6)});
  server.start();
  const auto found = browse_domain(registrar_service, server.options());
  ASSERT_TRUE(found) << found.error().message;
  const std::vector<Service> expected = {{"Ann's registrar", "r.example.com", "10.77.1.2", 8443, "", {"path=/x"}},
                                         {"Ann's registrar", "r.example.com", "fda3::1", 8443, "", {"path=/x"}}};
  EXPECT_EQ(*found, expected);
}

TEST(UnicastDnsSd, SaysWhenTheDomainHasNone) {
  DnsServer server;
  server.start();
  EXPECT_EQ(browse_domain(registrar_service, server.options()).error().code, DiscoveryError::nothing_found);
}

TEST(UnicastDnsSd, PassesOverWhatIsDecidedlyNotAvailableOrUnusable) {
  DnsServer server;
  server.says(service, ptr, {record(same, ptr, label("gone") + same), record(same, ptr, label("loop") + same)});
  server.says(label("gone") + service, srv, {record(same, srv, u16(0) + u16(0) + u16(0) + name(""))});
  server.says(label("loop") + service, srv, {record(same, srv, u16(0) + u16(0) + u16(8443) + name("r.example.com"))});
  server.says(name("r.example.com"), a, {record(same, a, std::string("\0\0\0\0", 4))});
  server.start();
  EXPECT_EQ(browse_domain(registrar_service, server.options()).error().code, DiscoveryError::nothing_found);
}

TEST(UnicastDnsSd, StopsBetweenTwoQuestionsWhenAsked) {
  DnsServer server;
  server.start();
  DnsOptions options = server.options();
  options.give_up = [] { return true; };
  EXPECT_EQ(browse_domain(registrar_service, options).error().code, DiscoveryError::nothing_found);
}

TEST(UnicastDnsSd, NeedsADomainAndATypeOfService) {
  DnsServer server;
  DnsOptions options = server.options();
  EXPECT_EQ(browse_domain("registrar", options).error().code, DiscoveryError::bad_argument);
  options.domain = std::string(300, 'x');
  EXPECT_EQ(browse_domain(registrar_service, options).error().code, DiscoveryError::bad_argument);
}

}  // namespace
}  // namespace cahn::discovery
