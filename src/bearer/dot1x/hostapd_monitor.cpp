#include "bearer/dot1x/hostapd_monitor.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "bearer/dot1x/authorise_request.h"
#include "bearer/dot1x/control_socket.h"
#include "bearer/dot1x/file_descriptor.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto tick = 50ms;
constexpr auto ping_every = 1000ms;
constexpr auto silence_is_loss = 3000ms;

// "<3>AP-STA-CONNECTED 02:00:00:00:00:aa" → the address, when `event` is that event.
std::optional<std::string> station_of(std::string_view datagram, std::string_view event) {
  const auto end_of_level = datagram.find('>');
  if (!datagram.starts_with('<') || end_of_level == std::string_view::npos) return std::nullopt;
  datagram.remove_prefix(end_of_level + 1);
  if (!datagram.starts_with(event)) return std::nullopt;
  datagram.remove_prefix(event.size());
  if (!datagram.starts_with(' ')) return std::nullopt;
  auto address = normal_link_address(datagram.substr(1, 17));
  return address ? std::optional(*std::move(address)) : std::nullopt;
}

}  // namespace

struct HostapdMonitor::Impl {
  struct Port {
    std::string name;
    std::optional<ControlSocket> socket;
    bool attached = false;
    SteadyClock::time_point heard, asked;
  };

  std::filesystem::path sockets, own_sockets;
  std::vector<Port> ports;
  Callbacks callbacks;
  FileDescriptor wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> stopping{false}, dropping{false};
  std::thread thread;

  void try_to_attach(Port& port) {
    auto socket = ControlSocket::connect(sockets / port.name, own_sockets);
    if (!socket || !socket->send("ATTACH")) return;
    port.socket.emplace(*std::move(socket));
    port.heard = port.asked = SteadyClock::now();
  }

  void drop(Port& port) {
    port.socket.reset();
    if (std::exchange(port.attached, false)) {
      log::warning("BEARER_AUTHENTICATOR_LOST", "hostapd does not answer; the port is shut", {{"port", port.name}});
      callbacks.lost(port.name);
    }
  }

  void take(Port& port, const std::string& datagram) {
    port.heard = SteadyClock::now();
    if (!port.attached && datagram == "OK\n") {
      port.attached = true;
      callbacks.attached(port.name);
    } else if (auto joined = station_of(datagram, "AP-STA-CONNECTED")) {
      callbacks.joined({port.name, *std::move(joined)});
    } else if (auto left = station_of(datagram, "AP-STA-DISCONNECTED")) {
      callbacks.left({port.name, *std::move(left)});
    }
  }

  void read(Port& port) {
    // Bounded, so that one noisy port does not starve the others.
    for (int i = 0; i < 64; ++i) {
      auto datagram = port.socket->receive(0ms);
      if (!datagram) return drop(port);
      if (!*datagram) return;
      take(port, **datagram);
    }
  }

  void keep_alive(Port& port) {
    const auto now = SteadyClock::now();
    if (now - port.heard > silence_is_loss) return drop(port);
    if (now - port.asked < ping_every) return;
    port.asked = now;
    // A full socket buffer is not a loss yet; the silence after it would be. A refused connection is.
    if (!port.socket->send("PING")) drop(port);
  }

  void run() {
    std::vector<pollfd> waiting;
    while (!stopping) {
      waiting.assign(1, {wake.get(), POLLIN, 0});
      for (Port& port : ports) {
        if (!port.socket) try_to_attach(port);
        waiting.push_back({port.socket ? port.socket->descriptor() : -1, POLLIN, 0});
      }
      (void)::poll(waiting.data(), waiting.size(), static_cast<int>(tick.count()));
      if ((waiting[0].revents & POLLIN) != 0) {
        eventfd_t count = 0;
        ::eventfd_read(wake.get(), &count);
      }
      const bool drop_them = dropping.exchange(false);
      for (std::size_t i = 0; i < ports.size(); ++i) {
        if (ports[i].socket && waiting[i + 1].revents != 0) read(ports[i]);
        if (drop_them) drop(ports[i]);
        if (ports[i].socket) keep_alive(ports[i]);
      }
    }
  }
};

std::unique_ptr<HostapdMonitor> HostapdMonitor::start(std::filesystem::path sockets, std::filesystem::path own_sockets,
                                                      std::vector<std::string> ports, Callbacks callbacks) {
  auto impl = std::make_unique<Impl>();
  impl->sockets = std::move(sockets);
  impl->own_sockets = std::move(own_sockets);
  impl->callbacks = std::move(callbacks);
  for (std::string& port : ports) {
    impl->ports.emplace_back();
    impl->ports.back().name = std::move(port);
  }
  impl->thread = std::thread([impl = impl.get()] { impl->run(); });
  return std::unique_ptr<HostapdMonitor>(new HostapdMonitor(std::move(impl)));
}

HostapdMonitor::HostapdMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HostapdMonitor::~HostapdMonitor() {
  impl_->stopping = true;
  ::eventfd_write(impl_->wake.get(), 1);
  impl_->thread.join();
}

void HostapdMonitor::drop_all() {
  impl_->dropping = true;
  ::eventfd_write(impl_->wake.get(), 1);
}

}  // namespace cahn::bearer::dot1x
