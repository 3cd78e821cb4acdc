// What our client shows a TLS server that is not ours, and does not take of it: SNI, Host, sessions and early data.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/net/net_fixture.h"

namespace cahn::net {
namespace {

// OpenSSL as a server that would resume: it hands out tickets and sessions and takes early data. Serves one request on
// each of a number of connections.
class ResumingServer {
 public:
  struct Saw {
    std::optional<std::string> server_name;
    std::string request;
    bool resumed = false, early_data = false, session_offered = false;
  };

  ResumingServer(crypto::TlsContext context, int connections, int max_version = TLS1_3_VERSION)
      : context_(std::move(context)) {
    SSL_CTX* raw = context_.handle();
    SSL_CTX_clear_options(raw, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(raw, 2);
    SSL_CTX_set_max_early_data(raw, 16384);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>("test"), 4);
    SSL_CTX_set_max_proto_version(raw, max_version);
    listening_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int both = 0;
    ::setsockopt(listening_, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_any;
    ::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listening_, 8);
    socklen_t size = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin6_port);
    thread_ = std::thread([this, connections] {
      for (int i = 0; i < connections; ++i) serve_one();
    });
  }
  ~ResumingServer() {
    ::shutdown(listening_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listening_);
  }
  ResumingServer(const ResumingServer&) = delete;
  ResumingServer& operator=(const ResumingServer&) = delete;

  std::uint16_t port() const { return port_; }
  // Waits until all connections were served.
  const std::vector<Saw>& saw() {
    thread_.join();
    return saw_;
  }

 private:
  void serve_one() {
    const int peer = ::accept(listening_, nullptr, nullptr);
    if (peer < 0) return;
    const timeval patience{10, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context_.handle()), SSL_free);
    SSL_set_fd(ssl.get(), peer);
    Saw saw;
    char octets[4096];
    if (SSL_accept(ssl.get()) == 1) {
      if (const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) saw.server_name = name;
      saw.resumed = SSL_session_reused(ssl.get()) == 1;
      saw.early_data = SSL_get_early_data_status(ssl.get()) != SSL_EARLY_DATA_NOT_SENT;
      if (const int n = SSL_read(ssl.get(), octets, sizeof octets); n > 0) {
        saw.request.assign(octets, static_cast<std::size_t>(n));
        static constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
      }
      saw.session_offered = SSL_SESSION_is_resumable(SSL_get_session(ssl.get())) == 1;
      while (SSL_read(ssl.get(), octets, sizeof octets) > 0) {
      }
    }
    ::close(peer);
    saw_.push_back(std::move(saw));
  }

  crypto::TlsContext context_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::vector<Saw> saw_;
  std::thread thread_;
};

class AForeignServer : public NetTest {
 protected:
  void ask(const std::string& host, std::uint16_t port, const crypto::TlsContext& context) {
    const auto answer = run([&]() -> awaitable<Result<HttpResponse>> {
      auto connection = co_await HttpConnection::open(Endpoint{host, port}, &context, {});
      if (!connection) co_return fail(connection.error());
      co_return co_await (*connection)->send({});
    });
    ASSERT_TRUE(answer) << host << ": " << answer.error().message;
    EXPECT_EQ(answer->status, 200);
  }
  crypto::TlsContext server_context() const { return pki_.server_context(crypto::PeerCheck::none); }
};

TEST_F(AForeignServer, IsToldTheNameItIsCalledBy) {  // RFC 6066 3
  ResumingServer server(server_context(), 1);
  ask("localhost", server.port(), anchored_);
  const auto& saw = server.saw();
  ASSERT_EQ(saw.size(), 1u);
  EXPECT_EQ(saw[0].server_name, "localhost");
  EXPECT_NE(saw[0].request.find("\r\nHost: localhost:" + std::to_string(server.port()) + "\r\n"), std::string::npos)
      << saw[0].request;
}

TEST_F(AForeignServer, IsToldNoNameThatIsAnAddressAndNoZone) {  // RFC 6066 3, RFC 6874 4
  ResumingServer server(server_context(), 3);
  const auto context = pki_.client_context(crypto::PeerCheck::provisional);
  ask("127.0.0.1", server.port(), anchored_);
  ask("::1", server.port(), context);
  ask("::1%lo", server.port(), context);
  const std::string port = std::to_string(server.port());
  const auto& saw = server.saw();
  ASSERT_EQ(saw.size(), 3u);
  const std::string hosts[] = {"127.0.0.1", "[::1]", "[::1]"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(saw[i].server_name, std::nullopt) << i;
    EXPECT_NE(saw[i].request.find("\r\nHost: " + hosts[i] + ":" + port + "\r\n"), std::string::npos) << saw[i].request;
  }
}

TEST_F(AForeignServer, IsNeverOfferedItsSessionAgainNorEarlyData) {  // RFC 8446 2.2, 2.3; RFC 8995 5
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ResumingServer server(server_context(), 2, version);
    const auto context = pki_.client_context(crypto::PeerCheck::provisional);
    ask("localhost", server.port(), context);
    ask("localhost", server.port(), context);
    const auto& saw = server.saw();
    ASSERT_EQ(saw.size(), 2u);
    EXPECT_TRUE(saw[0].session_offered) << "or the test shows nothing";
    EXPECT_FALSE(saw[1].resumed);
    EXPECT_FALSE(saw[1].early_data);
  }
}

}  // namespace
}  // namespace cahn::net
