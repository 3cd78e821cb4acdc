// The wired bearer with a decision that a test writes by hand. Run as the router:
//
//   dot1x_lab RUN_DIRECTORY CERTIFICATE KEY CA PORT[,PORT…] ADDRESS:PORT [SERIAL…]
//
// where each SERIAL is permitted from the start,
//
// and as the device, which prints what became of the authentication and stays until its stdin closes:
//
//   dot1x_lab --supplicant RUN_DIRECTORY CERTIFICATE KEY CA INTERFACE IDENTITY RADIUS_NAME
//
// Router commands on stdin, one a line; the answer is one line. A device is named by the serialNumber of its
// certificate.
//
//   permit SERIAL | deny SERIAL | cut SERIAL | invite SERIAL | session SECONDS | quit
//
// Lines that start with "event" come by themselves.

#include <iostream>
#include <mutex>
#include <set>
#include <sstream>

#include "bearer/dot1x/dot1x_bearer.h"
#include "bearer/dot1x/supplicant.h"
#include "net/async.h"

namespace cahn {
namespace {

using bearer::JoinAnswer;
using bearer::JoinRequest;

void say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line << std::endl;
}

// What the test decided so far.
class Decisions {
 public:
  void set(const std::string& serial, bool permit) {
    const std::lock_guard lock(mutex_);
    permit ? (void)permitted_.insert(serial) : (void)permitted_.erase(serial);
  }
  void set_session(std::chrono::seconds session) {
    const std::lock_guard lock(mutex_);
    session_ = session;
  }
  net::awaitable<JoinAnswer> answer(JoinRequest request) {
    const std::lock_guard lock(mutex_);
    JoinAnswer answer;
    answer.device = request.certificate_subject_serial;
    answer.permit = permitted_.contains(answer.device);
    answer.session = session_;
    answer.reason = answer.permit ? "the test permits it" : "the test does not permit it";
    co_return answer;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> permitted_;
  std::chrono::seconds session_{3600};
};

std::string text(const Result<void>& result) { return result ? "ok" : "error " + result.error().message; }

void tell(const bearer::StationEvent& event) {
  const char* const state = event.state == bearer::StationState::joined ? "joined"
                            : event.state == bearer::StationState::left ? "left"
                                                                        : "refused";
  say("event " + std::string(state) + " " + event.station + " " + event.device);
}

// One command; false at the end.
bool obey(const std::string& line, net::Runtime& runtime, bearer::Bearer& bearer, Decisions& decisions) {
  std::istringstream words(line);
  std::string verb, device;
  words >> verb >> device;
  if (verb == "quit") return false;
  if (verb == "permit" || verb == "deny") {
    decisions.set(device, verb == "permit");
    say("ok");
  } else if (verb == "session") {
    decisions.set_session(std::chrono::seconds(std::atoi(device.c_str())));
    say("ok");
  } else if (verb == "cut") {
    say(text(net::run_blocking<Result<void>>(runtime, [&] { return bearer.cut(device); })));
  } else if (verb == "invite") {
    net::run_blocking<void>(runtime, [&] { return bearer.invite(device); });
    say("ok");
  } else {
    say("error unknown command");
  }
  return true;
}

int run_router(const std::vector<std::string>& arguments) {
  bearer::dot1x::Options options;
  options.run_directory = arguments[0];
  options.radius_certificate = arguments[1];
  options.radius_key = arguments[2];
  options.domain_ca = arguments[3];
  std::istringstream ports(arguments[4]);
  for (std::string port; std::getline(ports, port, ',');) options.ports.push_back(port);
  const auto colon = arguments[5].rfind(':');
  options.onboarding_services.push_back(
      {arguments[5].substr(0, colon), static_cast<std::uint16_t>(std::atoi(arguments[5].c_str() + colon + 1))});
  options.gate_lease = std::chrono::seconds(4);

  Decisions decisions;
  for (std::size_t i = 6; i < arguments.size(); ++i) decisions.set(arguments[i], true);
  net::Runtime runtime(2);
  runtime.start();
  auto made = bearer::dot1x::make_bearer(runtime.executor(), options);
  if (!made) return say("error " + made.error().message), 2;
  const std::unique_ptr<bearer::Bearer> bearer = *std::move(made);
  const auto started = net::run_blocking<Result<void>>(runtime, [&] {
    return bearer->start([&](JoinRequest request) { return decisions.answer(std::move(request)); }, tell);
  });
  if (!started) return say("error " + started.error().message), 1;
  say("ready");
  for (std::string line; std::getline(std::cin, line) && obey(line, runtime, *bearer, decisions);) {
  }
  net::run_blocking<void>(runtime, [&] { return bearer->stop(); });
  runtime.stop();
  say("stopped");
  return 0;
}

int run_supplicant(const std::vector<std::string>& arguments) {
  auto supplicant = bearer::dot1x::Supplicant::start({.interface = arguments[4],
                                                      .run_directory = arguments[0],
                                                      .certificate = arguments[1],
                                                      .key = arguments[2],
                                                      .domain_ca = arguments[3],
                                                      .identity = arguments[5],
                                                      .radius_name = arguments[6]});
  if (!supplicant) return say("error " + supplicant.error().message), 2;
  const auto status = (*supplicant)->wait_until_authenticated(std::chrono::seconds(15));
  say(status ? "authenticated " + status->tls_version : std::string(status.error().code.name()));
  for (std::string line; std::getline(std::cin, line);) {
  }
  return 0;
}

}  // namespace
}  // namespace cahn

int main(int count, char** values) {
  std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() == 8 && arguments.front() == "--supplicant") {
    arguments.erase(arguments.begin());
    return cahn::run_supplicant(arguments);
  }
  if (arguments.size() >= 6) return cahn::run_router(arguments);
  std::cerr << "see the head of main.cpp\n";
  return 2;
}
