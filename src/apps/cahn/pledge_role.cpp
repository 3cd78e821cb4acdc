// `cahn pledge`: a device: finds a registrar, onboards, joins by EAP-TLS, stays, renews.

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "apps/cahn/commands.h"
#include "apps/cahn/pledge_parts.h"
#include "apps/cahn/role_support.h"
#include "apps/common/progress_log.h"
#include "brski/pledge_upkeep.h"
#include "factory/device_folder.h"

namespace cahn::apps {
namespace {

std::atomic<bool> stop_was_asked = false;

void note_stop(int) { stop_was_asked = true; }

Result<brski::Enrolment> enrolment_by(const std::string& word) {
  if (word == "auto") return brski::Enrolment::either;
  if (word == "est") return brski::Enrolment::est;
  if (word == "cmp") return brski::Enrolment::cmp;
  return fail(SettingsError::bad_value, "`enrol` is auto, est or cmp, not `" + word + "`");
}

Result<Device> open_device(const PledgeSettings& settings) {
  const std::filesystem::path& state = settings.role.state();
  brski::PledgeOptions options;
  CAHN_TRY(options.enrolment, enrolment_by(settings.enrol));
  CAHN_TRY(const std::string key, factory::device_key(state));
  CAHN_TRY(options.idevid, read_identity(state / factory::device_certificate_file, key));
  CAHN_TRY(options.masa_anchors, read_anchors({(state / factory::device_anchor_file).string()}));
  if (settings.has_clock) options.clock = &system_clock();
  options.state = state;
  if (!settings.skip_voucher_file.empty() && settings.registrars.size() != 1) {
    return fail(SettingsError::bad_value, "`skip-voucher-file` is for one `registrar` that is named beside it");
  }
  options.skip_voucher_once = settings.skip_voucher_file;
  options.on_progress = log_progress;
  const std::string serial = options.idevid.chain.front().subject_serial_number().value_or("");
  CAHN_TRY(auto pledge, brski::Pledge::open(std::move(options)));
  return Device{state, std::move(pledge), serial};
}

net::awaitable<Credential> renew_once(brski::Pledge* pledge) { co_return co_await pledge->renew(); }

struct Running {
  net::Runtime runtime{1};
  std::optional<Device> device;
};

Result<void> prepare(Running& running, PledgeSettings& settings) {
  CAHN_CHECK(settings.role.load());
  take_stop_signals();
  running.runtime.start();
  CAHN_TRY(running.device, open_device(settings));
  return {};
}

// It has never been onboarded, or its LDevID ended while it was switched off.
bool needs_onboarding(const Device& device) {
  const auto& credential = device.pledge->credential();
  if (!credential) return true;
  brski::Upkeep upkeep(system_clock());
  upkeep.found(credential->ldevid);
  return upkeep.due() == brski::Upkeep::Task::onboard_again;
}

Result<void> run_pledge(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  if (settings.role.check_only()) return {};
  const bool onboards = needs_onboarding(*running.device);
  if (onboards) CAHN_CHECK(search_and_onboard(running.runtime, settings, *running.device));
  if ((settings.interface.empty() && !settings.stay) || asked_to_stop()) return {};
  return stay(running.runtime, settings, *running.device, onboards);
}

Result<void> renew_now(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  brski::Pledge* pledge = running.device->pledge.get();
  CAHN_TRY(const auto credential,
           net::run_blocking<Credential>(running.runtime, [pledge] { return renew_once(pledge); }));
  std::printf("renewed: %s, serial %s, until %s\n", credential.ldevid.subject_text().c_str(),
              credential.ldevid.serial_hex().c_str(), rfc3339(credential.ldevid.not_after()).c_str());
  return {};
}

Result<void> reset(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  return running.device->pledge->factory_reset();
}

}  // namespace

bool asked_to_stop() { return stop_was_asked; }

void take_stop_signals() {
  std::signal(SIGTERM, note_stop);
  std::signal(SIGINT, note_stop);
}

void wait_a_little(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!asked_to_stop() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void add_pledge_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("pledge", "Be a device: find a network, onboard, join, stay");
  auto settings = std::make_shared<PledgeSettings>(*command);
  CLI::App* renewal = command->add_subcommand("renew", "Renew the LDevID now and exit");
  renewal->fallthrough();
  CLI::App* factory_reset = command->add_subcommand("reset", "Forget the network: back to what the factory made");
  factory_reset->fallthrough();
  command->callback([=, &exit_code] {
    const auto result = renewal->parsed()         ? renew_now(*settings)
                        : factory_reset->parsed() ? reset(*settings)
                                                  : run_pledge(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
