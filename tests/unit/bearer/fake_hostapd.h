// What the tests of the bearer talk to in hostapd's place: its control sockets and its RFC 5176 server.

#pragma once

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "bearer/dot1x/file_descriptor.h"

namespace cahn::bearer::dot1x::test {

// Polls a condition for at most five seconds.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/cahn-unit-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One control socket. Answers ATTACH, PING and what `replies` says (by the start of the command); all else is OK.
class FakeHostapd {
 public:
  explicit FakeHostapd(std::filesystem::path path) : path_(std::move(path)) {
    socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.native().copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path_.c_str());
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeHostapd() {
    stopping_ = true;
    thread_.join();
    ::unlink(path_.c_str());
  }

  void reply(const std::string& command, const std::string& text) {
    const std::lock_guard lock(mutex_);
    replies_[command] = text;
  }
  // Tells everyone that has attached.
  void tell(const std::string& event) {
    const std::lock_guard lock(mutex_);
    for (const auto& [address, size] : attached_)
      ::sendto(socket_.get(), event.data(), event.size(), 0, reinterpret_cast<const sockaddr*>(&address), size);
  }
  bool is_attached() const {
    const std::lock_guard lock(mutex_);
    return !attached_.empty();
  }
  // All commands so far, without ATTACH, PING and STA.
  std::vector<std::string> commands() const {
    const std::lock_guard lock(mutex_);
    return commands_;
  }
  bool was_told(const std::string& command) const { return std::ranges::count(commands(), command) > 0; }

 private:
  void serve() {
    while (!stopping_) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      char text[4096];
      sockaddr_un from{};
      socklen_t size = sizeof from;
      const auto length = ::recvfrom(socket_.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (length <= 0) continue;
      const std::string answer = take(std::string(text, static_cast<std::size_t>(length)), from, size);
      ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
    }
  }

  std::string take(const std::string& command, const sockaddr_un& from, socklen_t size) {
    const std::lock_guard lock(mutex_);
    if (command == "PING") return "PONG\n";
    if (command == "ATTACH") attached_.emplace_back(from, size);
    if (command != "ATTACH" && !command.starts_with("STA")) commands_.push_back(command);
    for (auto reply = replies_.rbegin(); reply != replies_.rend(); ++reply)  // "STA-NEXT" before "STA"
      if (command.starts_with(reply->first)) return reply->second;
    return "OK\n";
  }

  std::filesystem::path path_;
  FileDescriptor socket_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> replies_;
  std::vector<std::string> commands_;
  std::vector<std::pair<sockaddr_un, socklen_t>> attached_;
  std::thread thread_;
};

inline Bytes md5(std::initializer_list<ByteView> parts) {
  Bytes digest(16);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr);
  for (const ByteView part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

// A Dynamic Authorization Server on loopback that answers every request it can verify with `code`.
class FakeDas {
 public:
  explicit FakeDas(std::string secret) : secret_(std::move(secret)) {
    socket_ = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) std::abort();
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeDas() {
    stopping_ = true;
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::atomic<int> code{41};       // Disconnect-ACK
  std::atomic<int> drop_first{0};  // so many requests stay without an answer
  std::atomic<bool> forge{false};  // answers with a wrong authenticator first, from the right address

  void answer_with_attributes(Bytes attributes) {
    const std::lock_guard lock(mutex_);
    attributes_ = std::move(attributes);
  }

  // Octets of the verified requests so far.
  std::vector<Bytes> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      Bytes request(4096);
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto length =
          ::recvfrom(socket_.get(), request.data(), request.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (length < 20) continue;
      request.resize(static_cast<std::size_t>(length));
      if (!verifies(request)) continue;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      if (drop_first-- > 0) continue;
      Bytes answer = answer_to(request);
      if (forge) {
        Bytes forged = answer;
        forged[4] ^= 1;
        ::sendto(socket_.get(), forged.data(), forged.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
      }
      ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
    }
  }

  // RFC 5176 2.3: MD5 over the request with an authenticator of zeros, and the secret.
  bool verifies(const Bytes& request) const {
    Bytes blank = request;
    std::fill(blank.begin() + 4, blank.begin() + 20, std::uint8_t{0});
    return std::ranges::equal(md5({blank, as_bytes(secret_)}), ByteView(request).subspan(4, 16));
  }

  Bytes answer_to(const Bytes& request) const {
    const Bytes attributes = [this] {
      const std::lock_guard lock(mutex_);
      return attributes_;
    }();
    const std::size_t length = 20 + attributes.size();
    Bytes answer = {static_cast<std::uint8_t>(code.load()), request[1], static_cast<std::uint8_t>(length >> 8),
                    static_cast<std::uint8_t>(length)};
    const Bytes digest = md5({answer, ByteView(request).subspan(4, 16), attributes, as_bytes(secret_)});
    answer.insert(answer.end(), digest.begin(), digest.end());
    answer.insert(answer.end(), attributes.begin(), attributes.end());
    return answer;
  }

  std::string secret_;
  FileDescriptor socket_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<Bytes> requests_;
  Bytes attributes_;
  std::thread thread_;
};

}  // namespace cahn::bearer::dot1x::test
