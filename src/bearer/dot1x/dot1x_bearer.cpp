#include "bearer/dot1x/dot1x_bearer.h"

#include <algorithm>
#include <boost/asio/thread_pool.hpp>
#include <mutex>

#include "base/file.h"
#include "base/log.h"
#include "bearer/dot1x/authorise_request.h"
#include "bearer/dot1x/blocking.h"
#include "bearer/dot1x/configuration.h"
#include "bearer/dot1x/control_socket.h"
#include "bearer/dot1x/nft_station_set.h"
#include "bearer/dot1x/port_controller.h"
#include "bearer/dot1x/private_directory.h"
#include "bearer/dot1x/radius.h"
#include "bearer/dot1x/supervised_process.h"
#include "net/http.h"

namespace cahn::bearer::dot1x {
namespace {

namespace asio = boost::asio;

// Whether hostapd answers and listens at every port: a port that was set up anew and failed says so in its state only.
bool hostapd_serves(const std::vector<std::string>& ports, const std::filesystem::path& sockets,
                    const std::filesystem::path& own) {
  return std::ranges::all_of(ports, [&](const std::string& port) {
    auto socket = ControlSocket::connect(sockets / port, own);
    const auto status = socket ? socket->ask("STATUS", std::chrono::milliseconds(500)) : fail(socket.error());
    return status && status->starts_with("state=ENABLED\n");
  });
}

// FreeRADIUS asks here. The path holds the secret, so a stranger on this machine gets the 404 of any other path.
net::Router authorise_route(const Secrets& secrets, std::shared_ptr<PortController> controller) {
  net::Router router;
  router.on(
      "POST", "/authorise/" + secrets.authorise,
      [controller](net::HttpRequest http, const net::Session&) -> net::awaitable<net::HttpResponse> {
        Result<JoinRequest> request = parse_authorise_request(http.body);
        if (!request) {
          log::info("BEARER_REFUSED", "an authentication was refused", {{"reason", request.error().message}});
          co_return net::HttpResponse::json(401, "{}");
        }
        const std::string serial = request->certificate_serial_hex, station = request->station, port = request->port;
        net::awaitable<JoinAnswer> authorising = controller->authorise(*std::move(request));
        const JoinAnswer answer = co_await std::move(authorising);
        log::info(answer.permit ? "BEARER_PERMITTED" : "BEARER_REFUSED",
                  answer.permit ? "an authentication was permitted" : "an authentication was refused",
                  {{"certificate", serial},
                   {"station", station},
                   {"port", port},
                   {"device", answer.device},
                   {"reason", answer.reason}});
        if (!answer.permit) co_return net::HttpResponse::json(401, "{}");
        co_return net::HttpResponse::json(200, permit_body(answer));
      },
      max_authorise_body);
  return router;
}

class Dot1xBearer final : public Bearer {
 public:
  Dot1xBearer(net::Executor executor, Options options) : executor_(std::move(executor)), options_(std::move(options)) {}
  // Programs first: then nobody asks any more. The controller shuts the gate when it goes.
  ~Dot1xBearer() override { stop_neighbours(); }

  std::string_view technology() const override { return "dot1x"; }

  asio::awaitable<Result<void>> start(Authoriser authoriser, std::function<void(StationEvent)> on_event) override {
    if (controller()) co_return fail(BearerError::bad_configuration, "the bearer is running already");
    secrets_ = Secrets::generate();
    net::awaitable<Result<void>> starting = start_parts(std::move(authoriser), std::move(on_event));
    Result<void> started = co_await std::move(starting);
    if (!started) {
      net::awaitable<void> stopping = stop();
      co_await std::move(stopping);
    }
    co_return started;
  }

  asio::awaitable<void> stop() override {
    if (const auto running = controller()) {
      net::awaitable<void> shutting = running->stop();
      co_await std::move(shutting);
    }
    if (endpoint_) {
      net::awaitable<void> closing = endpoint_->stop(std::chrono::milliseconds(200));
      co_await std::move(closing);
    }
    auto ending = run_on(worker_, [this] {
      stop_neighbours();
      return true;
    });
    (void)co_await std::move(ending);
    endpoint_.reset();
    set_controller(nullptr);
  }

  asio::awaitable<Result<void>> cut(std::string device) override {
    const auto running = controller();
    if (!running) co_return fail(BearerError::not_started, "the bearer is not running");
    net::awaitable<Result<void>> cutting = running->cut(std::move(device));
    co_return co_await std::move(cutting);
  }

  asio::awaitable<void> invite(std::string device) override {
    if (const auto running = controller()) running->invite(device);
    co_return;
  }

 private:
  std::filesystem::path in_run(std::string_view name) const { return options_.run_directory / name; }
  net::awaitable<Result<void>> start_parts(Authoriser, std::function<void(StationEvent)>);
  // Blocking, on the worker thread: they wait for other programs.
  Result<std::unique_ptr<StationSet>> install_gate();
  Result<void> start_radius(std::uint16_t authorise_port);
  Result<void> start_hostapd(const std::shared_ptr<PortController>&);
  void stop_neighbours() {
    hostapd_.reset();
    radius_.reset();
  }
  std::shared_ptr<PortController> controller() const {
    const std::lock_guard lock(mutex_);
    return controller_;
  }
  void set_controller(std::shared_ptr<PortController> controller) {
    const std::lock_guard lock(mutex_);
    controller_.swap(controller);
  }

  net::Executor executor_;
  const Options options_;
  Secrets secrets_;
  mutable std::mutex mutex_;
  std::shared_ptr<PortController> controller_;  // guarded by mutex_
  std::unique_ptr<net::HttpServer> endpoint_;
  std::unique_ptr<SupervisedProcess> radius_, hostapd_;
  asio::thread_pool worker_{1};
};

Result<std::unique_ptr<StationSet>> Dot1xBearer::install_gate() {
  for (const auto& directory : {options_.run_directory, in_run("radius"), in_run("hostapd"), in_run("own")})
    CAHN_CHECK(make_private_directory(directory));
  const std::string ruleset = gate_ruleset(options_);
  CAHN_CHECK(write_file(in_run("gate.nft"), as_bytes(ruleset), FileMode::secret));
  const Program nft{"nft", {options_.nft.native(), "-f", in_run("gate.nft").native()}, in_run("nft.log")};
  CAHN_CHECK(run_to_end(nft));
  CAHN_TRY(auto set, NftStationSet::open(gate_table, options_.ports, options_.gate_lease));
  return set;
}

Result<void> Dot1xBearer::start_radius(std::uint16_t authorise_port) {
  for (const auto& [name, text] : radius_configuration(options_, authorise_port, secrets_))
    CAHN_CHECK(write_file(in_run("radius") / name, as_bytes(text), FileMode::secret));
  const std::string directory = in_run("radius").native();
  const auto answers = [port = options_.radius_port, secret = secrets_.radius] {
    return radius_status(port, secret, {std::chrono::milliseconds(500), 3}).has_value();
  };
  radius_ = SupervisedProcess::start({"freeradius",
                                      {options_.freeradius.native(), "-f", "-l", "stdout", "-d", directory},
                                      in_run("freeradius.log"),
                                      answers},
                                     {});
  auto ready = radius_status(options_.radius_port, secrets_.radius, {std::chrono::milliseconds(100), 100});
  if (!ready) return fail(ready.error(), "FreeRADIUS, see " + in_run("freeradius.log").native());
  return {};
}

Result<void> Dot1xBearer::start_hostapd(const std::shared_ptr<PortController>& controller) {
  const auto serves = [ports = options_.ports, sockets = in_run("hostapd"), own = in_run("own")] {
    return hostapd_serves(ports, sockets, own);
  };
  Program hostapd{"hostapd", {options_.hostapd.native()}, in_run("hostapd.log"), serves};
  for (std::size_t i = 0; i < options_.ports.size(); ++i) {
    const auto path = in_run("hostapd-" + options_.ports[i] + ".conf");
    CAHN_CHECK(write_file(path, as_bytes(hostapd_configuration(options_, i, secrets_)), FileMode::secret));
    hostapd.arguments.push_back(path.native());
  }
  hostapd_ = SupervisedProcess::start(std::move(hostapd), [weak = std::weak_ptr(controller)] {
    if (const auto held = weak.lock()) held->authenticator_ended();
  });
  return {};
}

net::awaitable<Result<void>> Dot1xBearer::start_parts(Authoriser authoriser,
                                                      std::function<void(StationEvent)> on_event) {
  // The gate is the first thing that is there and the last that goes.
  auto installing = run_on(worker_, [this] { return install_gate(); });
  Result<std::unique_ptr<StationSet>> gate = co_await std::move(installing);
  if (!gate) co_return fail(gate.error(), "installing the port gate");
  auto made = PortController::start({.executor = executor_,
                                     .gate = *std::move(gate),
                                     .ports = options_.ports,
                                     .hostapd_sockets = in_run("hostapd"),
                                     .own_sockets = in_run("own"),
                                     .memory = in_run("stations"),
                                     .das_port = options_.das_port,
                                     .das_secret = secrets_.das,
                                     .renew_every = options_.gate_lease / 4,
                                     .authoriser = std::move(authoriser),
                                     .on_event = std::move(on_event)});
  if (!made) co_return fail(made.error());
  const std::shared_ptr<PortController> running = *std::move(made);
  set_controller(running);

  net::ServerOptions server{.name = "dot1x", .address = "127.0.0.1", .port = options_.authorise_port};
  auto endpoint = net::HttpServer::start(executor_, std::move(server), authorise_route(secrets_, running));
  if (!endpoint) co_return fail(endpoint.error(), "the endpoint for FreeRADIUS");
  endpoint_ = *std::move(endpoint);

  auto starting = run_on(worker_, [this, running]() -> Result<void> {
    CAHN_CHECK(start_radius(endpoint_->port()));
    return start_hostapd(running);
  });
  const Result<void> started = co_await std::move(starting);
  if (!started) co_return fail(started.error());
  net::awaitable<Result<void>> attaching = running->wait_until_attached(std::chrono::seconds(10));
  const Result<void> attached = co_await std::move(attaching);
  if (!attached) co_return fail(attached.error(), "hostapd, see " + in_run("hostapd.log").native());
  co_return Result<void>();
}

}  // namespace

Result<std::unique_ptr<Bearer>> make_bearer(net::Executor executor, Options options) {
  CAHN_CHECK(check(options));
  return std::make_unique<Dot1xBearer>(std::move(executor), std::move(options));
}

}  // namespace cahn::bearer::dot1x
