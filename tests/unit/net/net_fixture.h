// What the tests of `net` share: certificates made for the test, a runtime with several threads, and a peer that speaks
// TLS but says whatever the test wants.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"

struct ssl_ctx_st;
struct ssl_st;

namespace cahn::net {

struct Party {
  crypto::TlsIdentity identity;
  const crypto::Certificate& leaf() const { return identity.chain.front(); }
};

// A CA, a server for localhost, 127.0.0.1 and ::1, and a client.
class TestPki {
 public:
  TestPki();
  Party issue(std::string name, bool server) const;
  crypto::TlsContext server_context(crypto::PeerCheck, bool required = false) const;
  crypto::TlsContext client_context(crypto::PeerCheck, const Party* identity = nullptr) const;
  const Party& server() const { return server_; }
  const Party& client() const { return client_; }

 private:
  crypto::PrivateKeyPtr ca_key_;
  std::optional<crypto::Certificate> ca_;
  Party server_, client_;
};

// A TLS client with blocking calls and no manners. Waits are bounded so that a broken server fails a test, not hangs
// it.
class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port, bool tls = true, std::string_view address = "127.0.0.1", int max_version = 0);
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  bool connected() const { return connected_; }
  // False when the server has closed.
  bool send(std::string_view);
  std::string read_some();  // empty at the end of the connection
  std::string read_to_end();
  std::string read_response();  // header and Content-Length's body
  bool closed_by_server();      // waits for the end; octets before it are dropped
  void abandon();               // close without a word

 private:
  int socket_ = -1;
  bool connected_ = false;
  std::string unread_;
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

// A port of 127.0.0.1 that refuses connections for as long as this lives. One that a server has left may be given to
// another program meanwhile, or to the very connection that is to be refused, which then reaches itself.
class RefusingPort {
 public:
  RefusingPort();
  ~RefusingPort();
  RefusingPort(const RefusingPort&) = delete;
  RefusingPort& operator=(const RefusingPort&) = delete;
  Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  int socket_ = -1;  // bound, and does not listen
  std::uint16_t port_ = 0;
};

class NetTest : public testing::Test {
 protected:
  NetTest();
  ~NetTest() override;

  template <typename F>
  auto run(F task) {
    using T = typename std::invoke_result_t<F>::value_type;
    return run_blocking<T>(runtime_, std::function<awaitable<T>()>(std::move(task)));
  }

  // A server named after the test with the usual routes beside those given: GET /hello, POST /echo.
  HttpServer& serve(Router router = {}, ServerLimits limits = {},
                    crypto::PeerCheck check = crypto::PeerCheck::provisional, bool required = false);
  Endpoint server_endpoint(std::string host = "127.0.0.1") const { return {std::move(host), server_->port()}; }
  // One request on a connection of its own.
  Result<HttpResponse> exchange(HttpRequest request, const crypto::TlsContext& context, ClientLimits limits = {});
  Result<HttpResponse> exchange(HttpRequest request) { return exchange(std::move(request), anchored_); }
  Result<HttpResponse> get(const std::string& path, const crypto::TlsContext& context);
  Result<HttpResponse> get(const std::string& path) { return get(path, anchored_); }
  // One honest request still works: what every hostile test ends with.
  void expect_still_serving();
  void stop_server();
  // Runs `during` while this process can open no descriptor and one connection waits to be accepted.
  bool run_out_of_descriptors(const std::function<void()>& during);

  static std::string body_of(const Result<HttpResponse>& response);

  TestPki pki_;
  crypto::TlsContext anchored_ = pki_.client_context(crypto::PeerCheck::anchors);
  Runtime runtime_{4};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace cahn::net
