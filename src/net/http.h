// HTTP/1.1 over TLS (or, on loopback only, in the clear): messages, a server with routes and limits, and a client whose
// connection is one object, because BRSKI hangs trust on one connection.
//
// Beast and OpenSSL stay in the .cpp files.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls.h"
#include "net/async.h"

namespace cahn::net {

enum class NetError {
  refused,      // could not connect: nobody there
  unreachable,  // name or route not found
  timeout,
  tls,  // handshake failed
  peer_closed,
  malformed,  // not HTTP
  too_large,  // over a limit
  address_in_use,
  stopped
};
std::string_view error_name(NetError);

// Header names compare without case; several values of one name are kept in order.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string name, std::string value);
  std::optional<std::string> get(std::string_view name) const;  // the first one
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// "application/pkcs7-mime; smime-type=certs-only" → "application/pkcs7-mime", lower case.
std::string media_type(std::string_view content_type);

struct HttpRequest {
  std::string method = "GET";
  std::string path = "/";  // as sent, percent-encoding kept, without the query
  std::string query;       // without '?'
  Headers headers;
  Bytes body;
  std::map<std::string, std::string> parameters;  // server: what `{name}` segments of the route matched, decoded
};

struct HttpResponse {
  int status = 200;
  Headers headers;
  Bytes body;
  bool close = false;  // server: close the connection after this answer

  static HttpResponse text(int status, std::string_view body);  // text/plain; charset=utf-8
  static HttpResponse json(int status, std::string_view body);
  static HttpResponse of(int status, std::string_view content_type, ByteView body);
};

// Retry-After in seconds (RFC 9110 10.2.3); nullopt where there is none, or a date, or what is neither.
std::optional<std::chrono::seconds> retry_after(const HttpResponse&);

// One connection as the server sees it; lives as long as the connection.
struct Session {
  std::string peer_address;  // text, without port
  std::uint16_t peer_port = 0;
  std::uint64_t id = 0;                         // unique in this process
  std::vector<crypto::Certificate> peer_chain;  // as sent, leaf first; empty without client certificate
  std::optional<crypto::Certificate> own_leaf;  // the certificate this server showed on this connection
  Bytes tls_unique;                             // channel binding (RFC 5929 3); empty on TLS 1.3, which has none
  std::optional<crypto::Certificate> peer() const {
    return peer_chain.empty() ? std::nullopt : std::optional(peer_chain.front());
  }
};

// Runs on the connection's strand; the session lives until the handler is done. What it throws is logged and answered
// with 500. It is never cancelled by its time limit (the client gets its 503, the handler runs on), only when the
// server stops.
using Handler = std::function<awaitable<HttpResponse>(HttpRequest, const Session&)>;

// Method and path to handler. Patterns are literal segments and `{name}`; the most literal match wins. An unknown path
// is 404, a known path with another method 405 with Allow, HEAD is answered as GET without the body. Segments are
// compared decoded; one that is empty, ".", ".." or holds a control character matches nothing.
class Router {
 public:
  // `max_body` bounds the request's body on this route; larger is 413 and the connection is closed unread.
  void on(std::string method, std::string pattern, Handler handler, std::size_t max_body = std::size_t{64} << 10);

 private:
  friend class RouteTable;
  struct Route;
  std::vector<std::shared_ptr<const Route>> routes_;
};

struct ServerLimits {
  std::size_t max_header = std::size_t{16} << 10;
  std::size_t max_connections = 10'000;  // further ones are closed at once
  std::size_t max_connections_per_address = 2'000;
  std::chrono::seconds handshake{10};
  std::chrono::seconds header{10};  // from first octet (or end of last answer's idle time) to the blank line
  std::chrono::seconds body{30};
  std::chrono::seconds idle{120};    // between requests
  std::chrono::seconds handler{30};  // then 503
};

struct ServerOptions {
  std::string name;                       // for logs and metrics: "registrar", "masa"
  std::string address = "::";             // text form of IPv4 or IPv6; "::" listens on both
  std::uint16_t port = 0;                 // 0: any free one
  std::optional<crypto::TlsContext> tls;  // without it: plain HTTP, loopback addresses only
  ServerLimits limits;
};

class HttpServer {
 public:
  // Binds and starts accepting. Errors: address_in_use, unreachable (bad address), tls (plain HTTP off loopback).
  static Result<std::unique_ptr<HttpServer>> start(Executor, ServerOptions, Router);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  // Certificates may change while running (SIGHUP): new connections use the new context.
  virtual void replace_tls(crypto::TlsContext) = 0;
  // Stops accepting, lets answers under way finish (at most `grace`), then closes everything and cancels the handlers
  // that still run. Call it before what the handlers use goes away; the destructor alone does not wait for them.
  virtual awaitable<void> stop(std::chrono::milliseconds grace = std::chrono::milliseconds(2000)) = 0;
};

struct Endpoint {
  std::string host;  // name or address literal; an IPv6 literal without brackets, zone allowed ("fe80::1%eth0")
  std::uint16_t port = 443;
  // host:port with brackets where needed, without zone: the Host header and messages.
  std::string authority() const;
};
// "host:port", "[v6]:port", "host" with default port. Errors: malformed.
Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

struct Url {
  Endpoint endpoint;
  std::string path;  // at least "/"
  std::string query;
  bool tls = true;
};
// http and https only; no user information; Errors: malformed.
Result<Url> parse_url(std::string_view text);
// Where an answer sends the client on to (301, 302, 303, 307, 308 with a Location, RFC 9110 15.4): a URL, or a path at
// `from`. nullopt: it does not send on. Errors: malformed.
std::optional<Result<Url>> redirection(const HttpResponse&, const Endpoint& from);

struct ClientLimits {
  std::chrono::milliseconds connect{5000};  // name, TCP and TLS together
  std::chrono::milliseconds response{30000};
  std::size_t max_body = std::size_t{1} << 20;
};

// One connection to one server. Requests go one after another. Closed by its destructor.
// Threads: use from one strand at a time.
class HttpConnection {
 public:
  // `tls` null: plain HTTP. SNI is sent for names only (RFC 6066 3). A context that checks names checks
  // `endpoint.host`.
  static awaitable<Result<std::unique_ptr<HttpConnection>>> open(Endpoint endpoint, const crypto::TlsContext* tls,
                                                                 ClientLimits limits = {});
  virtual ~HttpConnection() = default;
  // Host, Content-Length and (if absent) User-Agent are added. Redirects are not followed.
  virtual awaitable<Result<HttpResponse>> send(HttpRequest) = 0;
  virtual const std::vector<crypto::Certificate>& peer_chain() const = 0;
  virtual const Endpoint& endpoint() const = 0;
  // Session::tls_unique of this connection, as the client sees it.
  virtual Bytes tls_unique() const { return {}; }
  // The OCSP response that the server stapled (crypto::TlsClientOptions::ask_status), unread; empty without one.
  virtual Bytes stapled_status() const { return {}; }
  virtual bool is_open() const = 0;  // false once the peer closed or an error occurred
};

// Keeps idle connections to servers for reuse; what a registrar uses towards MASAs. A request that fails on a reused
// connection before any octet of the answer came is sent once more on a new one.
// Threads: safe from any thread.
class HttpPool {
 public:
  HttpPool(Executor, crypto::TlsContext, ClientLimits limits = {}, std::size_t max_idle_per_endpoint = 16,
           std::size_t max_open_per_endpoint = 64);
  ~HttpPool();
  awaitable<Result<HttpResponse>> send(Endpoint, HttpRequest);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace cahn::net
