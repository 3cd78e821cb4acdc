// The client's side of one connection. Inside `net` only: HttpConnection is its public face, HttpPool uses it too.
//
// Threads: exchange() from one caller at a time, from any executor; is_open() from any thread.

#pragma once

#include <atomic>
#include <memory>

#include "net/http.h"
#include "net/inbox.h"
#include "net/stream.h"

namespace cahn::net {

class HttpClient : public std::enable_shared_from_this<HttpClient> {
 public:
  static awaitable<Result<std::shared_ptr<HttpClient>>> open(Endpoint, std::optional<crypto::TlsContext>, ClientLimits);
  HttpClient(Endpoint, ClientLimits, std::shared_ptr<Stream>, std::vector<crypto::Certificate> peer_chain,
             Bytes tls_unique, Bytes stapled_status);

  awaitable<Result<HttpResponse>> exchange(HttpRequest);
  // Of the last exchange: whether any octet of an answer came.
  bool answer_began() const { return answer_began_.load(std::memory_order_acquire); }
  bool is_open() const { return open_.load(std::memory_order_acquire); }
  const std::vector<crypto::Certificate>& peer_chain() const { return peer_chain_; }
  const Endpoint& endpoint() const { return endpoint_; }
  const Bytes& tls_unique() const { return tls_unique_; }
  const Bytes& stapled_status() const { return stapled_status_; }
  void close();  // from any thread

 private:
  static awaitable<Result<HttpResponse>> exchange_on_strand(std::shared_ptr<HttpClient>, HttpRequest);
  awaitable<Result<void>> write(std::string header, ByteView body);
  awaitable<Result<HttpResponse>> read(bool without_body);
  awaitable<Result<std::size_t>> read_header();
  awaitable<Result<bool>> read_more();
  void watch();
  void on_idle_readable();

  const Endpoint endpoint_;
  const ClientLimits limits_;
  const std::shared_ptr<Stream> stream_;
  const std::vector<crypto::Certificate> peer_chain_;
  const Bytes tls_unique_, stapled_status_;
  Inbox inbox_;
  bool busy_ = false;
  bool watching_ = false;
  bool reusable_ = false;
  std::atomic<bool> answer_began_ = false;
  std::atomic<bool> open_ = true;
};

}  // namespace cahn::net
