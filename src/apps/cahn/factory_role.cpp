// `cahn factory`: a manufacturer's provisioning (stage 0).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/role_support.h"
#include "apps/common/certificate_files.h"
#include "base/log.h"
#include "factory/device.h"
#include "factory/factory.h"
#include "net/http.h"

namespace cahn::apps {
namespace {

struct FactorySettings {
  std::string state = "factory-state", device, serial, model, key, masa, masa_anchor;
  factory::ManufacturerOptions options;
  bool json = false;
};

Result<void> create(const FactorySettings& settings) {
  CAHN_TRY(auto manufacturer, factory::Manufacturer::create(settings.state, settings.options));
  std::printf("%s can make devices.\n", settings.options.name.c_str());
  std::printf("  for registrars  %s/manufacturer-ca.pem, %s/web-anchor.pem\n", settings.state.c_str(),
              settings.state.c_str());
  std::printf("  for its MASA    %s/masa/\n", settings.state.c_str());
  return {};
}

Result<void> give_birth(const FactorySettings& settings) {
  CAHN_TRY(auto manufacturer, factory::Manufacturer::open(settings.state));
  CAHN_TRY(const auto birth,
           factory::give_birth(*manufacturer, settings.device, settings.serial, settings.model, settings.key));
  std::printf("%s is born: IDevID %s, signed by %s\n", birth.serial_number.c_str(), birth.idevid.subject_text().c_str(),
              birth.idevid.issuer_text().c_str());
  return {};
}

using Reported = Result<factory::ReportOutcome>;

net::awaitable<Reported> report_to_masa(factory::Manufacturer* manufacturer, factory::ReportOptions options) {
  co_return co_await manufacturer->report_pending(std::move(options));
}

Result<void> report_births(const FactorySettings& settings) {
  CAHN_TRY(auto manufacturer, factory::Manufacturer::open(settings.state));
  factory::ReportOptions options;
  if (!settings.masa.empty()) {
    CAHN_TRY(options.masa, net::parse_endpoint(settings.masa, 9443));
  }
  if (!settings.masa_anchor.empty()) {
    CAHN_TRY(auto anchors, read_certificates(settings.masa_anchor));
    options.masa_anchors = crypto::TrustStore(std::move(anchors));
  }
  net::Runtime runtime(1);
  runtime.start();
  factory::Manufacturer* maker = manufacturer.get();
  CAHN_TRY(const auto outcome,
           net::run_blocking<Reported>(runtime, [maker, options] { return report_to_masa(maker, options); }));
  for (const std::string& serial : outcome.acknowledged) std::printf("%s reported to the MASA\n", serial.c_str());
  for (const auto& refusal : outcome.refused)
    std::printf("%s refused by the MASA: %s\n", refusal.serial_number.c_str(), refusal.reason.c_str());
  if (outcome.pending > 0)
    return fail(SettingsError::unreadable, std::to_string(outcome.pending) + " births are not with the MASA yet: " +
                                               (outcome.last_error.empty() ? "refused" : outcome.last_error));
  return {};
}

}  // namespace

void add_factory_command(CLI::App& program, int& exit_code) {
  auto settings = std::make_shared<FactorySettings>();
  CLI::App* command = program.add_subcommand("factory", "Make devices: manufacturer CA, IDevIDs, reports to the MASA");
  command->require_subcommand(1);
  command->add_option("--state", settings->state, "The manufacturer's folder")->capture_default_str();

  const auto add = [&](const char* name, const char* help, Result<void> (*run)(const FactorySettings&)) {
    CLI::App* sub = command->add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([settings, run, &exit_code] {
      const auto result = run(*settings);
      exit_code = result ? exit_done : report(result.error());
    });
    return sub;
  };
  CLI::App* init = add("init", "Make a manufacturer: its CAs, its MASA's identity", create);
  init->add_option("--name", settings->options.name, "Name of the manufacturer (CN of its CA)")->required();
  init->add_option("--website", settings->options.website, "OU of its CA");
  init->add_option("--masa-url", settings->options.masa_url, "host[:port] of its MASA, as IDevIDs carry it")
      ->required();
  init->add_option("--masa-dns-name", settings->options.masa_dns_names, "DNS name in the MASA's HTTPS certificate");
  init->add_option("--masa-ip-address", settings->options.masa_ip_addresses, "IP address in it");
  CLI::App* birth = add("birth", "Give a device its IDevID", give_birth);
  birth->add_option("--serial", settings->serial, "Serial number of the device")->required();
  birth->add_option("--model", settings->model, "Model of the device");
  birth->add_option("--device", settings->device, "The device's own folder: its key is made and stays there")
      ->required();
  birth->add_option("--key", settings->key,
                    "URI of a key the device has already, in a TPM or token (default: one is made)");
  CLI::App* reports = add("report", "Report births that the MASA has not acknowledged", report_births);
  reports->add_option("--masa", settings->masa, "host:port to connect to (default: the MASA URL)");
  reports->add_option(
      "--masa-anchor", settings->masa_anchor,
      "PEM file: who vouches for the MASA's name, where it is another maker's (default: web-anchor.pem)");
}

}  // namespace cahn::apps
