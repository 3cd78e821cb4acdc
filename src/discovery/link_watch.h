// The interfaces of this host, and the news that one of them came, went or changed its addresses (rtnetlink).

#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "discovery/dns_sd.h"

namespace cahn::discovery {

struct LinkInterface {
  unsigned index = 0;
  std::string name;
  std::vector<std::array<std::uint8_t, 16>> link_local, wide;  // IPv6 addresses of the two scopes
};

// The interfaces with a carrier that take multicast, but not loopback; of those named, if any are.
std::vector<LinkInterface> usable_interfaces(const std::vector<std::string>& named);

// Owns a file descriptor; close() is the destructor's.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// Readable when something changed. One thread.
class LinkWatch {
 public:
  static Result<LinkWatch> open();
  int descriptor() const { return socket_.get(); }
  struct News {
    bool anything = false;        // addresses or links
    std::vector<std::string> up;  // interfaces that got their carrier
  };
  // Takes what is there and does not wait.
  News take();

 private:
  explicit LinkWatch(Descriptor socket) : socket_(std::move(socket)) {}
  void take_message(const void* header, News& news);
  Descriptor socket_;
  std::vector<std::pair<int, bool>> running_;  // interface and whether it had a carrier
};

}  // namespace cahn::discovery
