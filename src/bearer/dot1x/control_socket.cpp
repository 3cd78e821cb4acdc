#include "bearer/dot1x/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace cahn::bearer::dot1x {
namespace {

std::optional<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

std::filesystem::path fresh_name(const std::filesystem::path& directory) {
  static std::atomic<unsigned> next{0};
  return directory / ("c" + std::to_string(::getpid()) + "." + std::to_string(next++));
}

}  // namespace

Result<ControlSocket> ControlSocket::connect(const std::filesystem::path& peer,
                                             const std::filesystem::path& own_directory) {
  const std::filesystem::path own = fresh_name(own_directory);
  const auto own_address = address_of(own);
  const auto peer_address = address_of(peer);
  if (!own_address || !peer_address) return fail(BearerError::unavailable, "the path of a control socket is too long");
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ::unlink(own.c_str());  // left by an earlier process of the same id
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*own_address), sizeof *own_address) != 0)
    return fail(BearerError::unavailable,
                "no control socket in " + own_directory.native() + ": " + std::strerror(errno));
  ControlSocket made(std::move(socket), own);
  if (::connect(made.socket_.get(), reinterpret_cast<const sockaddr*>(&*peer_address), sizeof *peer_address) != 0)
    return fail(BearerError::unavailable, peer.native() + ": " + std::strerror(errno));
  return made;
}

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(own_, other.own_);
  return *this;
}

ControlSocket::~ControlSocket() {
  if (socket_) ::unlink(own_.c_str());
}

Result<void> ControlSocket::send(std::string_view command) {
  if (::send(socket_.get(), command.data(), command.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return fail(BearerError::unavailable, std::string("control socket: ") + std::strerror(errno));
  return {};
}

Result<std::optional<std::string>> ControlSocket::receive(std::chrono::milliseconds patience) {
  pollfd waiting{socket_.get(), POLLIN, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return std::nullopt;
  std::array<char, 8192> datagram;
  const ssize_t size = ::recv(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size < 0) return fail(BearerError::unavailable, std::string("control socket: ") + std::strerror(errno));
  return std::string(datagram.data(), static_cast<std::size_t>(size));
}

Result<std::string> ControlSocket::ask(std::string_view command, std::chrono::milliseconds patience) {
  CAHN_CHECK(send(command));
  const auto until = std::chrono::steady_clock::now() + patience;
  for (auto left = patience; left.count() > 0;
       left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now())) {
    CAHN_TRY(auto datagram, receive(left));
    if (datagram && !datagram->starts_with('<')) return *std::move(datagram);
  }
  return fail(BearerError::unavailable, "no answer on the control socket");
}

}  // namespace cahn::bearer::dot1x
