// `cahn masa`: a manufacturer's service that says who may own its devices.

#include <CLI/CLI.hpp>
#include <memory>

#include "admission/admission.h"
#include "apps/cahn/commands.h"
#include "apps/cahn/masa_tenants.h"
#include "apps/cahn/role_support.h"
#include "base/file.h"
#include "base/log.h"
#include "brski/masa.h"
#include "brski/masa_revocation.h"
#include "net/health.h"
#include "store/store.h"

namespace cahn::apps {
namespace {

struct MasaSettings {
  explicit MasaSettings(CLI::App& command) : role(command, "masa", "masa-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("port", port, "HTTPS port");
    role.add("health-port", health_port,
             "The operator's port on 127.0.0.1: /healthz, /metrics, /owners and orders about them");
    role.add("tls-certificate", tls_certificate, "PEM file: chain of the HTTPS server");
    role.add("tls-key", tls_key, "Key of --tls-certificate");
    maker.add_to(role);
    role.add("tenant", tenants, "TOML file: a further maker to answer for, with a name and keys of its own");
    role.add("sales", sales, "CSV or JSON file of sales to record before the MASA serves; may be repeated");
    role.add("registrar-crl", crls, "Revocation list of a registrars' CA, PEM or DER; read again on SIGHUP");
    role.add("revocation-host", revocation_hosts,
             "Host, or host:port, that may be asked over http or https whether registrars are revoked, where their "
             "certificates say so; may be repeated");
    role.add("revocation-required", revocation_required,
             "Refuse a registrar unless a list or an OCSP response says that it is good");
    role.add("audit-log-answer", audit_answer,
             "`log`: the audit log, and where it lies; `location`: 201 with where it lies alone");
  }

  RoleSettings role;
  TenantSettings maker;
  std::string listen = "::", tls_certificate, tls_key;
  std::uint16_t port = 9443, health_port = 19443;
  std::vector<std::string> tenants, sales, crls, revocation_hosts;
  std::string audit_answer = "log";
  bool revocation_required = false;
};

struct MasaParts {
  brski::MasaOptions options;
  crypto::TlsIdentity tls;
};

Result<MasaParts> read_parts(const MasaSettings& settings) {
  CAHN_CHECK(settings.role.require("tls-certificate", settings.tls_certificate));
  CAHN_CHECK(settings.role.require("tls-key", settings.tls_key));
  MasaParts parts;
  // With tenants there need not be a maker of the role's own.
  if (settings.tenants.empty() || !settings.maker.signer.empty()) {
    CAHN_TRY(auto own, settings.maker.read(settings.role, {}));
    parts.options.tenants.push_back(std::move(own));
  }
  for (const std::string& file : settings.tenants) {
    CAHN_TRY(auto tenant, read_tenant(file));
    parts.options.tenants.push_back(std::move(tenant));
  }
  CAHN_TRY(parts.options.revocation_lists, read_revocation_lists(settings.crls));
  parts.options.revocation_required = settings.revocation_required;
  parts.options.revocation_lookup.hosts = settings.revocation_hosts;
  CAHN_CHECK(brski::RevocationSources::create(parts.options.revocation_lookup));
  if (settings.audit_answer != "log" && settings.audit_answer != "location") {
    return fail(SettingsError::bad_value,
                "`audit-log-answer` must be log or location, not `" + settings.audit_answer + "`");
  }
  if (settings.audit_answer == "location") parts.options.audit_answer = brski::AuditAnswer::location;
  CAHN_TRY(parts.tls, read_identity(settings.tls_certificate, settings.tls_key));
  return parts;
}

using Imported = Result<brski::ImportOutcome>;

net::awaitable<Imported> import_into(brski::Masa* masa, std::string tenant, std::string type, Bytes document) {
  co_return co_await masa->import_sales(std::move(tenant), std::move(type), std::move(document));
}

// `FILE`, of the role's own maker, or `TENANT:FILE`.
Result<void> record_sales(net::Runtime& runtime, brski::Masa& masa, const std::string& setting) {
  const auto colon = setting.find(':');
  const std::string tenant(colon == std::string::npos ? brski::default_tenant : setting.substr(0, colon));
  const std::string file = colon == std::string::npos ? setting : setting.substr(colon + 1);
  CAHN_TRY(const Bytes document, read_file(file));
  const std::string type(file.ends_with(".json") ? brski::media_type_json : brski::media_type_csv);
  brski::Masa* to = &masa;
  const auto outcome = net::run_blocking<Imported>(
      runtime, [to, tenant, type, document] { return import_into(to, tenant, type, document); });
  if (!outcome) return fail(outcome.error(), file);
  return {};
}

void reload_lists(const MasaSettings& settings, brski::Masa& masa) {
  auto lists = read_revocation_lists(settings.crls);
  if (!lists) {
    log::error("MASA_REVOCATION_LISTS_KEPT", "The revocation lists cannot be read; the ones read before stay.",
               {{"why", lists.error().message}});
    return;
  }
  masa.replace_revocation_lists(*std::move(lists));
}

Result<void> run_masa(MasaSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_TRY(auto parts, read_parts(settings));
  if (settings.role.check_only()) return {};
  CAHN_TRY(auto state, StateDirectory::open(settings.role.state()));
  CAHN_TRY(std::string token, operator_token(state / "operator.token"));
  CAHN_TRY(auto store, store::Store::open(state / "masa.db"));
  const auto admission = admission::permit_what_rfc8995_permits();
  CAHN_TRY(auto masa, brski::Masa::create(parts.options, *admission, *store));
  net::Runtime runtime;
  runtime.start();
  for (const std::string& file : settings.sales) CAHN_CHECK(record_sales(runtime, *masa, file));

  CAHN_TRY(const auto context, open_to_all(parts.tls));
  net::Router router, operator_router;
  masa->add_routes(router);
  masa->add_operator_routes(operator_router, std::move(token));
  Servers servers;
  CAHN_CHECK(serve(runtime, servers, context, "masa", settings.listen, settings.port, std::move(router)));
  CAHN_TRY(auto health,
           net::start_health_server(
               runtime.executor(), settings.health_port, [] { return std::string(); }, std::move(operator_router)));
  servers.http.push_back(std::move(health));
  run_role(runtime, servers, "the MASA listens on port " + std::to_string(servers.http.front()->port()),
           [&] { reload_lists(settings, *masa); });
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
