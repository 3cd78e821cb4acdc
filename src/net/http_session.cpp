#include "net/http_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/log.h"
#include "net/http_parser.h"
#include "net/http_writer.h"
#include "net/inbox.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using Side = Stream::Side;

// Of requests that no route takes: enough to read on behind them on the same connection.
constexpr std::size_t max_unrouted_body = std::size_t{64} << 10;

// A request's work, shared by the connection that waits for it and the handler that may outlast the wait.
struct Work {
  explicit Work(const Executor& executor) : done(executor) {}
  HttpRequest request;
  std::optional<HttpResponse> response;
  bool finished = false;
  asio::steady_timer done;
};

class HttpSession {
 public:
  HttpSession(std::shared_ptr<const HttpService> service, std::shared_ptr<Accepted> accepted)
      : service_(std::move(service)), accepted_(std::move(accepted)), stream_(*accepted_->stream) {}

  ~HttpSession() { accepted_->on_drain = nullptr; }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  awaitable<void> run();

 private:
  enum class Next { go_on, close };

  awaitable<bool> wait_for_request();
  awaitable<Next> serve_one();
  awaitable<Result<std::size_t>> read_header();
  awaitable<Next> read_body(RequestParser&);
  // `last`: the request was not read to its end, so that nothing can be read behind it.
  awaitable<Next> answer(RequestParser&, const RouteTable::Match&, bool last);
  awaitable<HttpResponse> ask(const RouteTable::Match&, HttpRequest);
  awaitable<bool> write(const HttpResponse&, ResponseFraming);
  // Says what was wrong with a request that cannot be read to its end; the connection is over.
  awaitable<Next> refuse(int status, std::string_view what);  // `what` outlives the call
  awaitable<Next> refuse_after(const Error&, bool anything_read);

  const std::shared_ptr<const HttpService> service_;
  const std::shared_ptr<Accepted> accepted_;
  Stream& stream_;
  Inbox inbox_;
  bool waiting_ = false;
};

awaitable<void> HttpSession::run() {
  accepted_->on_drain = [this] {
    if (waiting_) stream_.finish();
  };
  for (;;) {
    const bool more = co_await wait_for_request();
    if (!more) break;
    const auto next = co_await serve_one();
    if (next == Next::close) co_return;
  }
  stream_.finish();
}

awaitable<bool> HttpSession::wait_for_request() {
  if (!inbox_.empty()) co_return true;
  if (accepted_->draining) co_return false;
  inbox_.release();
  stream_.set_deadline(Side::write, no_deadline);
  stream_.set_deadline(Side::read, service_->limits.idle);
  waiting_ = true;
  const auto readable = co_await stream_.wait_readable();
  waiting_ = false;
  co_return readable.has_value();
}

awaitable<HttpSession::Next> HttpSession::serve_one() {
  stream_.set_deadline(Side::read, service_->limits.header);
  stream_.set_deadline(Side::write, no_deadline);
  const auto header = co_await read_header();
  if (!header) {
    const auto next = co_await refuse_after(header.error(), !inbox_.empty());
    co_return next;
  }
  RequestParser parser;
  if (const auto fault = parser.take_header(inbox_.view().first(*header))) {
    const auto next = co_await refuse(fault->status, fault->what);
    co_return next;
  }
  inbox_.consume(*header);

  auto match = service_->routes.find(parser.request().method, parser.request().path);
  const auto max_body = match.handler != nullptr ? match.max_body : max_unrouted_body;
  if (parser.content_length().value_or(0) > max_body) {
    const auto next = co_await refuse(413, "the body is too large");
    co_return next;
  }
  parser.limit_body(max_body);
  // A final answer in place of 100 leaves it open whether the body still comes: so that answer is the last one.
  const bool unread = !parser.done() && match.handler == nullptr && parser.expects_continue() && inbox_.empty();
  if (!parser.done() && !unread) {
    const auto read = co_await read_body(parser);
    if (read == Next::close) co_return Next::close;
  }
  const auto next = co_await answer(parser, match, unread);
  co_return next;
}

// Errors: as Stream's; too_large.
awaitable<Result<std::size_t>> HttpSession::read_header() {
  std::size_t searched = 0;
  for (;;) {
    inbox_.skip_blank_lines();  // RFC 9112 2.2
    const auto length = header_length(inbox_.view(), searched);
    if (length && *length <= service_->limits.max_header) co_return *length;
    if (length || inbox_.view().size() > service_->limits.max_header) {
      co_return fail(NetError::too_large, "the header is too large");
    }
    const auto got = co_await stream_.read_some(inbox_.room());
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(NetError::peer_closed, "the peer closed the connection");
    inbox_.add(*got);
  }
}

awaitable<HttpSession::Next> HttpSession::read_body(RequestParser& parser) {
  stream_.set_deadline(Side::read, service_->limits.body);
  if (parser.expects_continue() && inbox_.empty()) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto written = co_await stream_.write_all(as_bytes(go_on));
    if (!written) co_return Next::close;
  }
  for (;;) {
    auto unread = inbox_.view();
    const auto before = unread.size();
    const auto fault = parser.take_body(unread);
    inbox_.consume(before - unread.size());
    if (fault) {
      co_await refuse(fault->status, fault->what);
      co_return Next::close;
    }
    if (parser.done()) co_return Next::go_on;
    // What the parser leaves lying is one line of a chunk or the trailer, which need no more than a header.
    if (inbox_.view().size() > service_->limits.max_header) {
      co_await refuse(400, "a chunk's header or the trailer is too large");
      co_return Next::close;
    }
    const auto got = co_await stream_.read_some(inbox_.room());
    if (!got) {
      co_await refuse_after(got.error(), true);
      co_return Next::close;
    }
    if (*got == 0) co_return Next::close;
    inbox_.add(*got);
  }
}

awaitable<void> run_handler(std::shared_ptr<const HttpService> service, std::shared_ptr<Accepted> accepted,
                            const Handler* handler, std::shared_ptr<Work> work) {
  std::string failure;
  try {
    auto task = (*handler)(std::move(work->request), accepted->session);
    work->response = co_await std::move(task);
  } catch (const std::exception& e) {
    failure = e.what();
  } catch (...) {
    failure = "an exception of unknown type";
  }
  if (!failure.empty() && accepted->stream->is_open()) {
    log::error("NET_HANDLER_FAILED", "a request's handler ended with an exception",
               {{"server", service->name}, {"what", failure}});
  }
  work->finished = true;
  work->done.cancel();
}

awaitable<HttpResponse> HttpSession::ask(const RouteTable::Match& match, HttpRequest request) {
  auto work = std::make_shared<Work>(stream_.executor());
  work->request = std::move(request);
  asio::co_spawn(stream_.executor(), run_handler(service_, accepted_, match.handler, work),
                 asio::bind_cancellation_slot(accepted_->cancel.slot(), asio::detached));
  if (!work->finished) {
    work->done.expires_after(service_->limits.handler);
    co_await work->done.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (work->response) co_return *std::move(work->response);
  auto response = work->finished ? HttpResponse::text(500, "this server failed; it has been noted\n")
                                 : HttpResponse::text(503, "this server took too long; try again\n");
  response.close = !work->finished;
  co_return response;
}

awaitable<HttpSession::Next> HttpSession::answer(RequestParser& parser, const RouteTable::Match& match, bool last) {
  const auto begun = std::chrono::steady_clock::now();
  // While the handler works nobody waits for the peer.
  stream_.set_deadline(Side::read, no_deadline);
  const bool head = parser.request().method == "HEAD";
  HttpResponse response;
  if (match.handler != nullptr) {
    auto request = std::move(parser.request());
    request.parameters = match.parameters;
    auto asking = ask(match, std::move(request));
    response = co_await std::move(asking);
  } else if (!match.allow.empty()) {
    response = HttpResponse::text(405, "this resource does not have this method\n");
    response.headers.set("Allow", match.allow);
  } else {
    response = HttpResponse::text(404, "there is no such resource\n");
  }
  ResponseFraming framing;
  framing.close = last || response.close || !parser.keep_alive() || accepted_->draining;
  framing.say_keep_alive = parser.is_http_1_0();
  framing.without_body = head;
  const bool written = co_await write(response, framing);
  if (!written) co_return Next::close;
  service_->time(std::chrono::steady_clock::now() - begun);
  if (last) co_await stream_.finish_lingering();
  if (framing.close) {
    stream_.finish();
    co_return Next::close;
  }
  co_return Next::go_on;
}

awaitable<bool> HttpSession::write(const HttpResponse& response, ResponseFraming framing) {
  service_->count(response.status);
  auto header = response_header(response, framing);
  ByteView body = response.body;
  if (framing.without_body || response.status == 204 || response.status == 304) body = {};
  if (body.size() <= small_body) {
    header.append(as_text(body));
    body = {};
  }
  // A peer that reads too slowly is one that does not read: each piece has its time.
  stream_.set_deadline(Side::write, service_->limits.body);
  const auto header_written = co_await stream_.write_all(as_bytes(header));
  if (!header_written) co_return false;
  while (!body.empty()) {
    const auto piece = body.first(std::min(body.size(), write_piece));
    stream_.set_deadline(Side::write, service_->limits.body);
    const auto written = co_await stream_.write_all(piece);
    if (!written) co_return false;
    body = body.subspan(piece.size());
  }
  stream_.set_deadline(Side::write, no_deadline);
  co_return true;
}

awaitable<HttpSession::Next> HttpSession::refuse(int status, std::string_view what) {
  auto response = HttpResponse::text(status, std::string(what) + "\n");
  ResponseFraming framing;
  framing.close = true;
  stream_.set_deadline(Side::read, no_deadline);
  const bool written = co_await write(response, framing);
  if (written) co_await stream_.finish_lingering();
  co_return Next::close;
}

awaitable<HttpSession::Next> HttpSession::refuse_after(const Error& error, bool anything_read) {
  if (error.code == NetError::too_large) {
    const auto next = co_await refuse(431, "the header is too large");
    co_return next;
  }
  if (error.code == NetError::timeout && anything_read) {
    const auto next = co_await refuse(408, "the request took too long");
    co_return next;
  }
  co_return Next::close;
}

}  // namespace

HttpService::HttpService(std::string server_name, const ServerLimits& server_limits, const Router& router)
    : name(std::move(server_name)),
      limits(server_limits),
      routes(router),
      seconds_("cahn_http_request_seconds", "From a request's last octet to its answer's", {{"server", name}}) {
  static constexpr std::array classes = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  for (const auto* status : classes) {
    by_class_.emplace_back("cahn_http_requests_total", "Requests answered, by server and class of status",
                           metrics::Labels{{"server", name}, {"status", status}});
  }
}

void HttpService::count(int status) const {
  if (status >= 100 && status < 600) by_class_[static_cast<std::size_t>(status / 100 - 1)].add();
}

void HttpService::time(std::chrono::steady_clock::duration duration) const {
  seconds_.observe(std::chrono::duration<double>(duration).count());
}

awaitable<void> serve_http(std::shared_ptr<const HttpService> service, std::shared_ptr<Accepted> accepted) {
  HttpSession session(std::move(service), std::move(accepted));
  co_await session.run();
}

}  // namespace cahn::net
