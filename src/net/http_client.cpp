#include "net/http_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/connect.h"
#include "net/http_parser.h"
#include "net/http_writer.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using Side = Stream::Side;

constexpr std::size_t max_header = std::size_t{32} << 10;
constexpr unsigned max_interim_answers = 8;

std::unexpected<Error> fault_error(const ParseFault& fault) {
  return fail(fault.status == 413 ? NetError::too_large : NetError::malformed, "the answer: " + fault.what);
}

}  // namespace

HttpClient::HttpClient(Endpoint endpoint, ClientLimits limits, std::shared_ptr<Stream> stream,
                       std::vector<crypto::Certificate> peer_chain, Bytes tls_unique, Bytes stapled_status)
    : endpoint_(std::move(endpoint)),
      limits_(limits),
      stream_(std::move(stream)),
      peer_chain_(std::move(peer_chain)),
      tls_unique_(std::move(tls_unique)),
      stapled_status_(std::move(stapled_status)) {}

awaitable<Result<std::shared_ptr<HttpClient>>> HttpClient::open(Endpoint endpoint,
                                                                std::optional<crypto::TlsContext> tls,
                                                                ClientLimits limits) {
  auto connecting = connect(endpoint, std::move(tls), limits.connect);
  auto stream = co_await std::move(connecting);
  if (!stream) co_return fail(stream.error());
  // The handshake is done and nothing else runs on the stream yet, so that its strand is not needed for this.
  auto chain = (*stream)->peer_chain();
  if (!chain) {
    auto doomed = *stream;
    asio::post(doomed->executor(), [doomed] { doomed->close(); });
    co_return fail(NetError::tls, "the server's certificate: " + chain.error().message);
  }
  auto client = std::make_shared<HttpClient>(std::move(endpoint), limits, *stream, *std::move(chain),
                                             (*stream)->tls_unique(), (*stream)->stapled_status());
  asio::post(client->stream_->executor(), [client] { client->watch(); });
  co_return client;
}

awaitable<Result<HttpResponse>> HttpClient::exchange(HttpRequest request) {
  auto work = exchange_on_strand(shared_from_this(), std::move(request));
  auto result = co_await asio::co_spawn(stream_->executor(), std::move(work), asio::use_awaitable);
  co_return result;
}

awaitable<Result<HttpResponse>> HttpClient::exchange_on_strand(std::shared_ptr<HttpClient> self, HttpRequest request) {
  // However this ends (also by cancellation), the connection is good for another only if the answer was read to its
  // end.
  struct Finally {
    HttpClient& client;
    ~Finally() {
      client.busy_ = false;
      if (!client.reusable_) {
        client.open_.store(false, std::memory_order_release);
        client.stream_->close();
      }
    }
  };
  self->answer_began_.store(false, std::memory_order_release);
  if (!self->is_open()) co_return fail(NetError::peer_closed, "the connection is closed");
  auto header = request_header(request, self->endpoint_);
  if (!header) co_return fail(header.error());
  if (self->busy_) co_return fail(NetError::stopped, "another request is under way on this connection");
  self->busy_ = true;
  self->reusable_ = false;
  const Finally finally{*self};

  self->stream_->set_deadline(Side::read, self->limits_.response);
  self->stream_->set_deadline(Side::write, self->limits_.response);
  const auto written = co_await self->write(*std::move(header), request.body);
  // A server that refuses a request may answer and close before it is all sent: its answer may be there still.
  if (!written && written.error().code != NetError::peer_closed) co_return fail(written.error());
  auto response = co_await self->read(request.method == "HEAD");
  if (!written && !response) co_return fail(written.error());
  if (!written) self->reusable_ = false;
  if (self->reusable_) {
    self->stream_->set_deadline(Side::read, no_deadline);
    self->stream_->set_deadline(Side::write, no_deadline);
    self->inbox_.release();
    self->watch();
  } else {
    self->stream_->finish();
  }
  co_return response;
}

awaitable<Result<void>> HttpClient::write(std::string header, ByteView body) {
  if (body.size() <= small_body) {
    header.append(as_text(body));
    body = {};
  }
  const auto header_written = co_await stream_->write_all(as_bytes(header));
  if (!header_written) co_return header_written;
  while (!body.empty()) {
    const auto piece = body.first(std::min(body.size(), write_piece));
    const auto written = co_await stream_->write_all(piece);
    if (!written) co_return written;
    body = body.subspan(piece.size());
    if (body.empty()) break;
    // An answer before the end of the request is a refusal: the rest need not be sent.
    const auto early = stream_->read_now(inbox_.room());
    if (!early) co_return fail(early.error());
    if (*early && **early == 0) co_return fail(NetError::peer_closed, "the server closed the connection");
    if (*early) {
      inbox_.add(**early);
      co_return fail(NetError::peer_closed, "the server answered before the request was sent");
    }
  }
  co_return Result<void>();
}

// False at the orderly end.
awaitable<Result<bool>> HttpClient::read_more() {
  const auto got = co_await stream_->read_some(inbox_.room());
  if (!got) co_return fail(got.error());
  if (*got == 0) co_return false;
  inbox_.add(*got);
  answer_began_.store(true, std::memory_order_release);
  co_return true;
}

awaitable<Result<std::size_t>> HttpClient::read_header() {
  std::size_t searched = 0;
  for (;;) {
    if (!inbox_.empty()) answer_began_.store(true, std::memory_order_release);
    const auto length = header_length(inbox_.view(), searched);
    if (length) co_return *length;
    if (inbox_.view().size() > max_header) co_return fail(NetError::too_large, "the answer's header is too large");
    const auto more = co_await read_more();
    if (!more) co_return fail(more.error());
    if (!*more) co_return fail(NetError::peer_closed, "the server closed the connection without an answer");
  }
}

awaitable<Result<HttpResponse>> HttpClient::read(bool without_body) {
  for (unsigned interim = 0; interim <= max_interim_answers; ++interim) {
    ResponseParser parser(without_body, limits_.max_body);
    const auto header = co_await read_header();
    if (!header) co_return fail(header.error());
    if (const auto fault = parser.take_header(inbox_.view().first(*header))) co_return fault_error(*fault);
    inbox_.consume(*header);
    const int status = parser.response().status;
    if (status >= 100 && status < 200) continue;  // 100 and 103 precede the answer; nobody asked for 101
    for (;;) {
      auto unread = inbox_.view();
      const auto before = unread.size();
      const auto fault = parser.take_body(unread);
      inbox_.consume(before - unread.size());
      if (fault) co_return fault_error(*fault);
      if (parser.done()) break;
      if (inbox_.view().size() > max_header)
        co_return fail(NetError::malformed, "the answer: a chunk's header is too large");
      const auto more = co_await read_more();
      if (!more) co_return fail(more.error());
      if (*more) continue;
      if (parser.take_end())
        co_return fail(NetError::peer_closed, "the server closed the connection within its answer");
      break;
    }
    // What comes unasked behind an answer would be taken for the next one.
    reusable_ = parser.keep_alive() && inbox_.empty();
    parser.response().close = !reusable_;
    co_return std::move(parser.response());
  }
  co_return fail(NetError::malformed, "the server keeps sending interim answers");
}

// An idle connection is watched, so that is_open() knows when the server has closed it.
void HttpClient::watch() {
  if (watching_ || !stream_->is_open()) return;
  watching_ = true;
  stream_->socket().async_wait(tcp::socket::wait_read,
                               [weak = weak_from_this()](const boost::system::error_code& code) {
                                 const auto self = weak.lock();
                                 if (!self) return;
                                 self->watching_ = false;
                                 if (!code && !self->busy_) self->on_idle_readable();
                               });
}

void HttpClient::on_idle_readable() {
  std::array<std::uint8_t, 256> unasked{};
  const auto got = stream_->read_now(unasked);
  if (got && !*got) {  // TLS's own business, such as session tickets
    watch();
    return;
  }
  open_.store(false, std::memory_order_release);
  stream_->close();
}

void HttpClient::close() {
  open_.store(false, std::memory_order_release);
  asio::post(stream_->executor(), [self = shared_from_this()] { self->stream_->close(); });
}

// --- the public face

namespace {

class Connection final : public HttpConnection {
 public:
  explicit Connection(std::shared_ptr<HttpClient> client) : client_(std::move(client)) {}
  ~Connection() override { client_->close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  awaitable<Result<HttpResponse>> send(HttpRequest request) override { return client_->exchange(std::move(request)); }
  const std::vector<crypto::Certificate>& peer_chain() const override { return client_->peer_chain(); }
  const Endpoint& endpoint() const override { return client_->endpoint(); }
  Bytes tls_unique() const override { return client_->tls_unique(); }
  Bytes stapled_status() const override { return client_->stapled_status(); }
  bool is_open() const override { return client_->is_open(); }

 private:
  const std::shared_ptr<HttpClient> client_;
};

awaitable<Result<std::unique_ptr<HttpConnection>>> open_connection(Endpoint endpoint,
                                                                   std::optional<crypto::TlsContext> tls,
                                                                   ClientLimits limits) {
  auto opening = HttpClient::open(std::move(endpoint), std::move(tls), limits);
  auto client = co_await std::move(opening);
  if (!client) co_return fail(client.error());
  std::unique_ptr<HttpConnection> connection = std::make_unique<Connection>(*std::move(client));
  co_return connection;
}

}  // namespace

awaitable<Result<std::unique_ptr<HttpConnection>>> HttpConnection::open(Endpoint endpoint,
                                                                        const crypto::TlsContext* tls,
                                                                        ClientLimits limits) {
  // The context is copied before anything is awaited: the caller's may go.
  return open_connection(std::move(endpoint), tls == nullptr ? std::nullopt : std::optional(*tls), limits);
}

}  // namespace cahn::net
