// `cahn masa`: a manufacturer's service that says who may own its devices.

#include <CLI/CLI.hpp>
#include <memory>

#include "admission/admission.h"
#include "apps/cahn/commands.h"
#include "apps/cahn/role_support.h"
#include "base/file.h"
#include "base/log.h"
#include "brski/masa.h"
#include "net/health.h"
#include "store/store.h"

namespace cahn::apps {
namespace {

struct MasaSettings {
  explicit MasaSettings(CLI::App& command) : role(command, "masa", "masa-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("port", port, "HTTPS port");
    role.add("health-port", health_port, "Port of /healthz and /metrics on 127.0.0.1");
    role.add("signer", signer, "PEM file: certificate that signs vouchers, and its chain");
    role.add("signer-key", signer_key, "Key of --signer (file: URI or path)");
    role.add("tls-certificate", tls_certificate, "PEM file: chain of the HTTPS server");
    role.add("tls-key", tls_key, "Key of --tls-certificate");
    role.add("idevid-anchor", idevid_anchors, "PEM file: CA that issues this maker's IDevIDs");
    role.add("factory-anchor", factory_anchors, "PEM file: who may report births, by TLS client certificate");
    role.add("pin", pin, "What vouchers pin: `farthest` (usually the domain's CA) or `end-entity`");
  }

  RoleSettings role;
  std::string listen = "::", signer, signer_key, tls_certificate, tls_key, pin = "farthest";
  std::uint16_t port = 9443, health_port = 19443;
  std::vector<std::string> idevid_anchors, factory_anchors;
};

struct MasaParts {
  brski::MasaOptions options;
  crypto::TlsIdentity tls;
};

Result<MasaParts> read_parts(const MasaSettings& settings) {
  for (const auto& [name, value] : {std::pair("signer", &settings.signer),
                                    {"signer-key", &settings.signer_key},
                                    {"tls-certificate", &settings.tls_certificate},
                                    {"tls-key", &settings.tls_key}})
    CAHN_CHECK(settings.role.require(name, *value));
  CAHN_CHECK(settings.role.require("idevid-anchor", settings.idevid_anchors));
  if (settings.pin != "farthest" && settings.pin != "end-entity")
    return fail(SettingsError::bad_value, "`pin` must be farthest or end-entity, not `" + settings.pin + "`");

  MasaParts parts;
  CAHN_TRY(auto signer, read_identity(settings.signer, settings.signer_key));
  parts.options.signer = std::move(signer.chain);
  parts.options.key = std::move(signer.key);
  CAHN_TRY(parts.options.idevid_anchors, read_anchors(settings.idevid_anchors));
  CAHN_TRY(parts.options.factory_anchors, read_anchors(settings.factory_anchors));
  CAHN_TRY(parts.tls, read_identity(settings.tls_certificate, settings.tls_key));
  parts.options.pin = settings.pin == "farthest" ? brski::PinPolicy::farthest : brski::PinPolicy::end_entity;
  return parts;
}

Result<void> run_masa(MasaSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_TRY(auto parts, read_parts(settings));
  if (settings.role.check_only()) return {};
  CAHN_TRY(auto state, StateDirectory::open(settings.role.state()));
  CAHN_TRY(auto store, store::Store::open(state / "masa.db"));
  const auto admission = admission::permit_what_rfc8995_permits();
  CAHN_TRY(auto masa, brski::Masa::create(parts.options, *admission, *store));

  CAHN_TRY(const auto context, open_to_all(parts.tls));
  net::Router router;
  masa->add_routes(router);
  net::Runtime runtime;
  Servers servers;
  CAHN_CHECK(serve(runtime, servers, context, "masa", settings.listen, settings.port, std::move(router)));
  CAHN_TRY(auto health,
           net::start_health_server(runtime.executor(), settings.health_port, [] { return std::string(); }));
  servers.http.push_back(std::move(health));
  run_role(runtime, servers, "the MASA listens on port " + std::to_string(servers.http.front()->port()));
  return {};
}

}  // namespace

void add_masa_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("masa", "Run a manufacturer's MASA (RFC 8995)");
  auto settings = std::make_shared<MasaSettings>(*command);
  command->callback([settings, &exit_code] {
    const auto result = run_masa(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
