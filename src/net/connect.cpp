#include "net/connect.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/gate.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using Addresses = std::vector<asio::ip::address>;
using StreamResult = Result<std::shared_ptr<Stream>>;

constexpr std::size_t max_addresses = 8;

// A lookup that may outlast the one who asked: getaddrinfo cannot be called off.
struct Lookup : std::enable_shared_from_this<Lookup> {
  explicit Lookup(const Executor& executor) : resolver(executor), done(std::make_shared<Gate>(executor)) {}
  void start(const std::string& host) {
    resolver.async_resolve(host, "", [self = shared_from_this()](const error_code& code, const auto& found) {
      self->failure = code;
      for (const auto& entry : found) {
        const auto address = entry.endpoint().address();
        if (std::ranges::find(self->addresses, address) == self->addresses.end()) self->addresses.push_back(address);
      }
      self->done->open();  // publishes what was written before it
    });
  }
  tcp::resolver resolver;
  std::shared_ptr<Gate> done;
  error_code failure;
  Addresses addresses;
};

awaitable<Result<Addresses>> resolve(std::string host, SteadyClock::time_point deadline) {
  error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) co_return Addresses{address};
  const auto executor = co_await asio::this_coro::executor;
  auto lookup = std::make_shared<Lookup>(executor);
  lookup->start(host);
  const bool done = co_await lookup->done->wait(deadline - SteadyClock::now());
  if (!done) co_return fail(NetError::timeout, "looking up " + host + " took too long");
  if (lookup->failure || lookup->addresses.empty()) {
    co_return fail(NetError::unreachable, "no address of " + host + ": " + lookup->failure.message());
  }
  auto addresses = std::move(lookup->addresses);
  if (addresses.size() > max_addresses) addresses.resize(max_addresses);
  co_return addresses;
}

NetError code_of(const error_code& code) {
  return code == asio::error::connection_refused ? NetError::refused : NetError::unreachable;
}

// Closes a socket when its time is over. On the strand of the socket.
struct Watch {
  Watch(tcp::socket& socket, SteadyClock::time_point deadline)
      : late(std::make_shared<bool>(false)), timer(socket.get_executor(), deadline) {
    timer.async_wait([&socket, late = late](const error_code& cancelled) {
      // Cancelled, or already fired when the socket went: then `late` has no other owner left.
      if (cancelled || late.use_count() == 1) return;
      *late = true;
      error_code ignored;
      socket.close(ignored);
    });
  }
  std::shared_ptr<bool> late;
  asio::steady_timer timer;
};

awaitable<Result<tcp::socket>> connect_tcp(Endpoint endpoint, Addresses addresses, SteadyClock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  Error last{NetError::unreachable, "no address to connect to"};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto now = SteadyClock::now();
    if (now >= deadline) co_return fail(NetError::timeout, "connecting to " + endpoint.authority() + " took too long");
    const auto share = (deadline - now) / static_cast<int>(addresses.size() - i);
    tcp::socket socket(executor);
    Watch watch(socket, now + share);
    const tcp::endpoint to(addresses[i], endpoint.port);
    const auto [code] = co_await socket.async_connect(to, asio::as_tuple(asio::use_awaitable));
    if (*watch.late) {
      last = {NetError::timeout, "connecting to " + endpoint.authority() + " took too long"};
    } else if (code) {
      last = {code_of(code), "connecting to " + endpoint.authority() + ": " + code.message()};
    } else {
      co_return socket;
    }
  }
  co_return std::unexpected(std::move(last));
}

awaitable<StreamResult> connect_on_strand(Endpoint endpoint, std::optional<crypto::TlsContext> tls,
                                          SteadyClock::time_point deadline) {
  auto addresses = co_await resolve(endpoint.host, deadline);
  if (!addresses) co_return fail(addresses.error());
  auto connecting = connect_tcp(endpoint, *std::move(addresses), deadline);
  auto socket = co_await std::move(connecting);
  if (!socket) co_return fail(socket.error());
  auto stream = std::make_shared<Stream>(*std::move(socket));
  if (!tls) co_return stream;
  stream->set_deadline(Stream::Side::read, deadline);
  auto shaken = stream->use_tls_client(*tls, endpoint.host);
  if (shaken) shaken = co_await stream->handshake();
  if (!shaken) {
    stream->close();
    // Whatever ends a handshake early is the handshake failing, but slowness is slowness.
    const auto code = shaken.error().code == NetError::timeout ? NetError::timeout : NetError::tls;
    co_return fail(code, "TLS with " + endpoint.authority() + ": " + shaken.error().message);
  }
  stream->set_deadline(Stream::Side::read, no_deadline);
  co_return stream;
}

}  // namespace

awaitable<StreamResult> connect_here(Endpoint endpoint, std::optional<crypto::TlsContext> tls,
                                     std::chrono::milliseconds at_most) {
  return connect_on_strand(std::move(endpoint), std::move(tls), SteadyClock::now() + at_most);
}

awaitable<StreamResult> connect(Endpoint endpoint, std::optional<crypto::TlsContext> tls,
                                std::chrono::milliseconds at_most) {
  const auto executor = co_await asio::this_coro::executor;
  auto work = connect_on_strand(std::move(endpoint), std::move(tls), SteadyClock::now() + at_most);
  auto result = co_await asio::co_spawn(fresh_strand(executor), std::move(work), asio::use_awaitable);
  co_return result;
}

}  // namespace cahn::net
