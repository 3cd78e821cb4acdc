#include "bearer/dot1x/port_controller.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "bearer/dot1x/authorise_request.h"
#include "bearer/dot1x/blocking.h"
#include "bearer/dot1x/control_socket.h"
#include "bearer/dot1x/hostapd_monitor.h"
#include "bearer/dot1x/radius.h"

namespace cahn::bearer::dot1x {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

// hostapd forgets a disconnected station after five seconds.
constexpr int start_anew_tries = 70;
constexpr std::chrono::milliseconds start_anew_pause{100};

// What an Authoriser that is late or throws is taken to have said.
JoinAnswer refusal(std::string reason) {
  JoinAnswer answer;
  answer.reason = std::move(reason);
  return answer;
}

// An answer on its way from the Authoriser; the timer is the bell.
struct Pending {
  explicit Pending(const net::Executor& executor) : bell(executor) {}
  asio::steady_timer bell;
  std::optional<JoinAnswer> answer;
};

metrics::Counter& answers_counted(bool permit) {
  static metrics::Counter permits("cahn_dot1x_authentications_total", "Answers to FreeRADIUS", {{"answer", "permit"}});
  static metrics::Counter refusals("cahn_dot1x_authentications_total", "Answers to FreeRADIUS", {{"answer", "refuse"}});
  return permit ? permits : refusals;
}

}  // namespace

struct PortController::Impl {
  explicit Impl(Parts given) : parts(std::move(given)), events(net::fresh_strand(parts.executor)) {}

  Parts parts;
  net::Executor events;  // keeps StationEvents in order
  Sessions sessions;
  std::atomic<bool> stopping{false};
  std::atomic<bool> remembering{false};  // the list of stations is about to be written
  std::mutex mutex;
  std::set<std::string> attached;  // guarded by mutex
  std::set<Station> interrupted;   // guarded by mutex: had joined when hostapd was lost
  std::unique_ptr<HostapdMonitor> monitor;
  asio::thread_pool gate_thread{1};     // the only one that touches parts.gate
  asio::thread_pool command_thread{1};  // blocking words with hostapd
  asio::steady_timer renewal{gate_thread};

  // --- The gate follows (on gate_thread) ---

  Result<void> follow(const Station& station) {
    const bool pass = !stopping && sessions.may_pass(station, SteadyClock::now());
    auto done = pass ? parts.gate->admit(station) : parts.gate->expel(station);
    // One station that cannot be put out: rather nobody passes than one who must not.
    if (!done && !pass && parts.gate->clear()) done = {};
    if (!done)
      log::error("BEARER_GATE_FAILED", "the port gate could not be changed",
                 {{"port", station.port}, {"station", station.address}, {"reason", done.error().message}});
    return done;
  }

  void renew_leases() {
    const auto now = SteadyClock::now();
    for (const Station& station : sessions.expire(now)) {
      log::warning("BEARER_SESSION_ENDED", "no new authentication in time; the station is out",
                   {{"port", station.port}, {"station", station.address}});
      (void)follow(station);
      tell(station, {}, StationState::left);
    }
    const auto passing = sessions.passing(now);
    if (const auto renewed = parts.gate->renew(passing); !renewed)
      log::error("BEARER_GATE_FAILED", "the leases of the port gate could not be renewed",
                 {{"reason", renewed.error().message}});
  }

  void schedule_renewal() {
    renewal.expires_after(parts.renew_every);
    renewal.async_wait([this](const boost::system::error_code& error) {
      if (error || stopping) return;
      renew_leases();
      schedule_renewal();
    });
  }

  // --- Words with hostapd (on command_thread) ---

  // The reply, empty when there is none.
  std::string ask(const Station& station, const std::string& command) {
    auto socket = ControlSocket::connect(parts.hostapd_sockets / station.port, parts.own_sockets);
    return socket ? socket->ask(command).value_or("") : std::string();
  }

  // Sends the words in turn. False when hostapd did not take them.
  bool say(const Station& station, std::initializer_list<std::string> commands) {
    auto socket = ControlSocket::connect(parts.hostapd_sockets / station.port, parts.own_sockets);
    for (const std::string& command : commands) {
      const Result<std::string> reply = socket ? socket->ask(command) : fail(socket.error());
      if (reply && *reply == "OK\n") continue;
      log::warning("BEARER_AUTHENTICATOR_SILENT", "hostapd did not take a command",
                   {{"port", station.port}, {"command", command}, {"reply", reply ? *reply : reply.error().message}});
      return false;
    }
    return true;
  }

  void disconnect(const Station& station) {
    const auto index = std::ranges::find(parts.ports, station.port) - parts.ports.begin();
    const auto das_port = static_cast<std::uint16_t>(parts.das_port + index);
    const auto done = radius_disconnect(das_port, station.address, parts.das_secret, system_clock());
    if (done) return;
    log::warning("BEARER_DISCONNECT_FAILED", "hostapd did not acknowledge the RADIUS Disconnect-Request",
                 {{"port", station.port}, {"station", station.address}, {"reason", done.error().message}});
    say(station, {"DEAUTHENTICATE " + station.address});
  }

  // Makes hostapd ask the station for an identity, whatever it thinks of it (decision 68).
  void start_anew(const Station& station, int tries = start_anew_tries) {
    if (stopping) return;
    asio::post(command_thread, [this, station, tries] {
      if (try_to_start_anew(station)) return;
      if (tries <= 1) {
        log::warning("BEARER_NOT_INVITED", "hostapd could not be made to ask a station anew; it may come by itself",
                     {{"port", station.port}, {"station", station.address}});
        return;
      }
      const auto pause = std::make_shared<asio::steady_timer>(command_thread, start_anew_pause);
      pause->async_wait([this, station, tries, pause](const boost::system::error_code& error) {
        if (!error) start_anew(station, tries - 1);
      });
    });
  }

  bool try_to_start_anew(const Station& station) {
    const std::string known = ask(station, "STA " + station.address);
    const std::string control = "EAPOL_SET " + station.address + " AdminControlledPortControl ";
    if (known.starts_with("FAIL")) return say(station, {"NEW_STA " + station.address});
    // Held after a refusal or at ease: shut and opened, its state machine starts from the beginning.
    const bool doomed = known.find("timeout_next=REMOVE") != std::string::npos;
    const bool lives = known.find("dot1xPaePortNumber=") != std::string::npos;
    if (lives && !doomed) return say(station, {control + "ForceUnauthorized", control + "Auto"});
    // For 5 s after a disconnect hostapd keeps a shell that NEW_STA leaves as it is. Where it is alone on its port, as
    // a device on a wire is, the port is set up anew, which concerns nobody else; otherwise the shell must go first.
    const bool alone = ask(station, "STA-FIRST").starts_with(station.address) &&
                       ask(station, "STA-NEXT " + station.address).find(':') == std::string::npos;
    return alone && say(station, {"DISABLE", "ENABLE", "NEW_STA " + station.address});
  }

  // --- What outlives a restart of ours: which stations to invite when hostapd is there again ---

  void remember_stations() {
    remembering = false;  // who joins from here on asks again
    std::string lines;
    for (const Station& station : sessions.passing(SteadyClock::now()))
      lines += station.port + " " + station.address + "\n";
    if (const auto written = write_file(parts.memory, as_bytes(lines), FileMode::secret); !written)
      log::warning("BEARER_STATIONS_NOT_KEPT",
                   "the list of stations could not be written; after a restart they wait for themselves",
                   {{"reason", written.error().message}});
  }

  void recall_stations() {
    const auto text = read_file(parts.memory, std::size_t{1} << 20);
    if (!text) return;
    std::istringstream lines(to_string(*text));
    std::string port, address;
    while (lines >> port >> address && interrupted.size() < Sessions::max_stations) {
      auto normal = normal_link_address(address);
      if (normal && std::ranges::find(parts.ports, port) != parts.ports.end())
        interrupted.insert({port, *std::move(normal)});
    }
  }

  // --- Events ---

  void tell(const Station& station, std::string device, StationState state) {
    if (!parts.on_event) return;
    asio::post(events, [on_event = parts.on_event, event = StationEvent{station.address, std::move(device), state}] {
      on_event(event);
    });
  }

  void on_joined(const Station& station) {
    std::string device = sessions.joined(station);
    if (device.empty()) {
      // hostapd let in what we did not, or what has been cut meanwhile: it stays outside the gate and is sent away.
      log::warning("BEARER_JOINED_WITHOUT_PERMIT", "a station joined that holds no permit",
                   {{"port", station.port}, {"station", station.address}});
      asio::post(command_thread, [this, station] { disconnect(station); });
      return tell(station, {}, StationState::refused);
    }
    asio::post(gate_thread, [this, station, device = std::move(device)] {
      if (follow(station)) tell(station, device, StationState::joined);
    });
    if (!remembering.exchange(true)) asio::post(command_thread, [this] { remember_stations(); });
  }

  void on_left(const Station& station) {
    std::string device = sessions.left(station);
    asio::post(gate_thread, [this, station, device = std::move(device)] {
      (void)follow(station);
      tell(station, device, StationState::left);
    });
  }

  void on_attached(const std::string& port) {
    std::vector<Station> again;
    {
      const std::lock_guard lock(mutex);
      attached.insert(port);
      std::erase_if(interrupted, [&](const Station& station) {
        if (station.port != port) return false;
        again.push_back(station);
        return true;
      });
    }
    for (const Station& station : again) start_anew(station);
  }

  void on_lost(const std::string& port) {
    const auto gone = sessions.left_all(port);
    {
      const std::lock_guard lock(mutex);
      attached.erase(port);
      interrupted.insert(gone.begin(), gone.end());
    }
    for (const Station& station : gone) {
      asio::post(gate_thread, [this, station] {
        (void)follow(station);
        tell(station, {}, StationState::left);
      });
    }
  }

  bool all_attached() {
    const std::lock_guard lock(mutex);
    return attached.size() == parts.ports.size();
  }

  // --- The Authoriser ---

  net::awaitable<JoinAnswer> ask(JoinRequest request) {
    // A strand of its own, so that answer and deadline do not meet.
    const net::Executor strand = net::fresh_strand(parts.executor);
    auto asking = ask_within(std::move(request), strand);
    co_return co_await asio::co_spawn(strand, std::move(asking), asio::use_awaitable);
  }

  net::awaitable<JoinAnswer> ask_within(JoinRequest request, net::Executor strand) {
    const auto pending = std::make_shared<Pending>(strand);
    pending->bell.expires_after(parts.authoriser_patience);
    net::awaitable<JoinAnswer> asking = parts.authoriser(std::move(request));
    asio::co_spawn(strand, std::move(asking), [pending](const std::exception_ptr& failure, JoinAnswer answer) {
      pending->answer = failure ? refusal("the decision could not be taken") : std::move(answer);
      pending->bell.cancel();
    });
    boost::system::error_code ignored;
    if (!pending->answer) co_await pending->bell.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (!pending->answer) co_return refusal("no decision in time");
    co_return *pending->answer;
  }
};

Result<std::shared_ptr<PortController>> PortController::start(Parts parts) {
  CAHN_CHECK(parts.gate->clear());
  auto impl = std::make_unique<Impl>(std::move(parts));
  Impl* const self = impl.get();
  impl->recall_stations();
  impl->monitor = HostapdMonitor::start(self->parts.hostapd_sockets, self->parts.own_sockets, self->parts.ports,
                                        {.attached = [self](const std::string& port) { self->on_attached(port); },
                                         .lost = [self](const std::string& port) { self->on_lost(port); },
                                         .joined = [self](const Station& station) { self->on_joined(station); },
                                         .left = [self](const Station& station) { self->on_left(station); }});
  asio::post(self->gate_thread, [self] { self->schedule_renewal(); });
  return std::shared_ptr<PortController>(new PortController(std::move(impl)));
}

PortController::PortController(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PortController::~PortController() {
  impl_->stopping = true;
  impl_->monitor.reset();
  impl_->command_thread.stop();
  asio::post(impl_->gate_thread, [self = impl_.get()] {
    self->renewal.cancel();
    (void)self->parts.gate->clear();
  });
  impl_->gate_thread.join();
  impl_->command_thread.join();
}

net::awaitable<JoinAnswer> PortController::authorise(JoinRequest request) {
  Impl& self = *impl_;
  const Station station{request.port, request.station};
  if (self.stopping || std::ranges::find(self.parts.ports, station.port) == self.parts.ports.end())
    co_return refusal("not a port of this router");
  const auto ticket = self.sessions.ask();
  net::awaitable<JoinAnswer> asking = self.ask(std::move(request));
  JoinAnswer answer = co_await std::move(asking);
  if (answer.permit && !answer.segment.empty() && answer.segment != "trusted")
    answer = refusal("this bearer has no segment " + answer.segment);
  const bool permitted = self.sessions.settle(station, answer, ticket, SteadyClock::now());
  answers_counted(permitted).add();
  if (!permitted) {
    if (answer.permit) answer.reason = "cut while the decision was under way";
    answer.permit = false;
    // A refused re-authentication ends the session now, not when hostapd reports it.
    auto following = run_on(self.gate_thread, [&self, station] { return self.follow(station); });
    (void)co_await std::move(following);
    self.tell(station, answer.device, StationState::refused);
  }
  co_return answer;
}

net::awaitable<Result<void>> PortController::cut(std::string device) {
  Impl& self = *impl_;
  const auto stations = self.sessions.cut(device);
  auto shutting = run_on(self.gate_thread, [&self, stations]() -> Result<void> {
    Result<void> all;
    for (const Station& station : stations)
      if (auto done = self.follow(station); !done) all = std::move(done);
    return all;
  });
  Result<void> shut = co_await std::move(shutting);
  for (const Station& station : stations)
    asio::post(self.command_thread, [&self, station] { self.disconnect(station); });
  co_return shut;
}

void PortController::invite(const std::string& device) {
  for (const Station& station : impl_->sessions.stations_of(device)) impl_->start_anew(station);
}

net::awaitable<Result<void>> PortController::wait_until_attached(std::chrono::milliseconds patience) {
  const auto until = SteadyClock::now() + patience;
  while (!impl_->all_attached()) {
    if (SteadyClock::now() > until) co_return fail(BearerError::unavailable, "hostapd does not serve all ports");
    co_await net::sleep_for(std::chrono::milliseconds(10));
  }
  co_return Result<void>();
}

void PortController::authenticator_ended() { impl_->monitor->drop_all(); }

net::awaitable<void> PortController::stop() {
  Impl& self = *impl_;
  self.stopping = true;
  self.sessions.clear();
  auto shutting = run_on(self.gate_thread, [&self] {
    self.renewal.cancel();
    return self.parts.gate->clear();
  });
  const Result<void> shut = co_await std::move(shutting);
  if (!shut) log::error("BEARER_GATE_FAILED", "the port gate could not be shut", {{"reason", shut.error().message}});
}

}  // namespace cahn::bearer::dot1x
