// `cahn ca`: the domain's CA in a process of its own. It holds the CA's key and takes orders from the registrars it is
// told of, by CMP over mutual TLS; everybody may read its CRL, ask its OCSP responder and fetch its certificates.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/domain_ca_parts.h"
#include "apps/cahn/role_support.h"
#include "base/log.h"
#include "net/health.h"
#include "pki/cmp_server.h"
#include "pki/est_server.h"
#include "pki/ocsp_server.h"
#include "pki/service.h"

namespace cahn::apps {
namespace {

struct CaSettings {
  explicit CaSettings(CLI::App& command) : role(command, "ca", "ca-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("port", port, "HTTPS port: CMP for registrars; OCSP, the CRL and CA certificates for everybody");
    role.add("health-port", health_port, "The operator's port on 127.0.0.1: /healthz and /metrics");
    role.add("domain-name", domain_name, "Name of the domain's owner in the CA's certificate");
    role.add("key", key, "URI of the CA's key: file:, pkcs11: or tpm2: (default: STATE/ca.key)");
    role.add("registrar", registrars, "PEM file: certificate of a registrar that may give orders; may be repeated");
    role.add("dns-name", dns_names, "DNS name in the certificate of the CA's own server; may be repeated");
    role.add("ip-address", ip_addresses, "IP address in that certificate; may be repeated");
    role.add("ldevid-days", ldevid_days, "Validity of LDevIDs, days");
    role.add("status-url", status_url, "URL under which LDevIDs say their CRL and OCSP are found (default: none)");
  }

  RoleSettings role;
  std::string listen = "::", domain_name, key, status_url;
  std::uint16_t port = 8446, health_port = 18446;
  std::uint32_t ldevid_days = 365;
  std::vector<std::string> registrars, dns_names, ip_addresses;
};

struct CaParts {
  StateDirectory state;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<pki::DomainCa> ca;
};

Result<CaParts> open_ca(const CaSettings& settings) {
  CAHN_CHECK(settings.role.require("domain-name", settings.domain_name));
  CAHN_TRY(auto state, StateDirectory::open(settings.role.state()));
  CAHN_TRY(auto store, store::Store::open(state / "ca.db"));
  DomainCaSettings wanted;
  wanted.owner_name = settings.domain_name;
  wanted.key_uri = settings.key;
  wanted.ldevid_lifetime = std::chrono::days(settings.ldevid_days);
  wanted.status_url = settings.status_url;
  CAHN_TRY(auto ca, open_domain_ca(*store, state, wanted));
  return CaParts{std::move(state), std::move(store), std::move(ca)};
}

// The registrars that may give orders: read again on SIGHUP, by one thread, and asked by all.
class KnownRegistrars {
 public:
  explicit KnownRegistrars(const pki::DomainCa& ca) : ca_(ca) {}

  Result<void> read(const std::vector<std::string>& files) {
    std::vector<crypto::Certificate> read;
    for (const std::string& file : files) {
      CAHN_TRY(const auto chain, read_certificates(std::filesystem::path(file)));
      if (chain.empty() || !chain.front().has_extended_key_usage(crypto::oid_cmc_ra)) {
        return fail(SettingsError::bad_value, file + " is no registrar's certificate: it lacks id-kp-cmcRA");
      }
      read.push_back(chain.front());  // tls.pem of a registrar holds its chain too
    }
    known_ = std::make_shared<const std::vector<crypto::Certificate>>(std::move(read));
    return {};
  }
  bool has(const crypto::Certificate& certificate) const {
    const auto known = known_.load();
    return std::ranges::find(*known, certificate) != known->end() && !ca_.revocation(certificate.serial_hex());
  }

 private:
  const pki::DomainCa& ca_;
  std::atomic<std::shared_ptr<const std::vector<crypto::Certificate>>> known_ =
      std::make_shared<const std::vector<crypto::Certificate>>();
};

// Devices ask their registrar, which decides; here nobody enrols who is no registrar.
class NobodyEnrols final : public pki::EnrolmentAuthority {
  net::awaitable<Result<pki::EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate>, crypto::Csr) override {
    co_return fail(pki::PkiError::not_authorized, "this CA takes requests of registrars only");
  }
  net::awaitable<Result<pki::EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate>, crypto::Csr) override {
    co_return fail(pki::PkiError::not_authorized, "this CA takes requests of registrars only");
  }
  net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate>, crypto::Certificate, bool) override {
    co_return fail(pki::PkiError::not_authorized, "this CA takes requests of registrars only");
  }
};

void add_ca_routes(net::Router& router, pki::DomainCa& ca, pki::EnrolmentAuthority& authority,
                   const KnownRegistrars& registrars, const crypto::TlsIdentity& identity) {
  pki::CmpOptions cmp;
  cmp.signer = identity;
  cmp.registration_authorities = crypto::TrustStore(ca.roots());
  cmp.is_known_authority = [&registrars](const crypto::Certificate& who) { return registrars.has(who); };
  cmp.may_connect = [&registrars](const net::Session& session) {
    return !session.peer_chain.empty() && registrars.has(session.peer_chain.front());
  };
  cmp.revoke = [&ca](std::string serial, crypto::RevocationReason reason) { return ca.revoke(serial, reason); };
  cmp.release = [&ca](std::string serial) { return ca.release(serial); };
  pki::add_cmp_routes(router, ca, authority, std::move(cmp));
  pki::EstOptions est;
  est.enrolment = false;  // cacerts alone
  pki::add_est_routes(router, ca, authority, std::move(est));
  pki::add_crl_route(router, ca);
  pki::add_ocsp_routes(router, ca);
}

Result<void> run_ca(CaSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(settings.role.require("domain-name", settings.domain_name));
  CAHN_CHECK(settings.role.require("registrar", settings.registrars));
  if (settings.role.check_only()) return {};
  net::Runtime runtime;
  runtime.start();
  CAHN_TRY(auto parts, open_ca(settings));
  KnownRegistrars registrars(*parts.ca);
  CAHN_CHECK(registrars.read(settings.registrars));
  CAHN_TRY(const auto identity,
           open_server_identity(runtime, parts.state, *parts.ca,
                                {pki::Profile::tls_server, "ca", settings.dns_names, settings.ip_addresses}));
  CAHN_TRY(const auto context, open_to_all(identity));
  NobodyEnrols authority;
  net::Router router;
  add_ca_routes(router, *parts.ca, authority, registrars, identity);
  Servers servers;
  CAHN_CHECK(serve(runtime, servers, context, "ca", settings.listen, settings.port, std::move(router)));
  CAHN_TRY(auto health,
           net::start_health_server(runtime.executor(), settings.health_port, [] { return std::string(); }));
  servers.http.push_back(std::move(health));
  run_role(runtime, servers,
           "the CA of " + settings.domain_name + " listens on port " + std::to_string(servers.http.front()->port()),
           [&] {
             auto read = settings.role.load();
             if (read) read = registrars.read(settings.registrars);
             if (read) {
               log::info("CA_RELOADED", "the list of registrars was read again");
             } else {
               log::error("CA_NOT_RELOADED", "the list of registrars stays as it was: " + read.error().message);
             }
           });
  return {};
}

// `cahn ca init`: makes key and root, and says where the root is.
Result<void> init_ca(CaSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_TRY(const auto parts, open_ca(settings));
  std::printf("{\"domain_ca\":\"%s\"}\n", (parts.state / "domain-ca.pem").c_str());
  return {};
}

Result<void> roll_over_own_ca(CaSettings& settings) {
  CAHN_CHECK(settings.role.load());
  net::Runtime runtime(1);
  runtime.start();
  CAHN_TRY(const auto parts, open_ca(settings));
  CAHN_CHECK(roll_over(runtime, parts.state, *parts.ca));
  std::printf("{\"domain_ca\":\"%s\",\"roots\":%zu}\n", (parts.state / "domain-ca.pem").c_str(),
              parts.ca->roots().size());
  return {};
}

struct SignRequest {
  std::string csr, out, name, profile = "registrar";
  std::vector<std::string> addresses;
};

// `cahn ca sign`: a certificate for a registrar or a RADIUS server of this domain. The CA must not be running.
Result<void> sign_for_server(CaSettings& settings, const SignRequest& request) {
  CAHN_CHECK(settings.role.load());
  pki::Profile profile = pki::Profile::registrar;
  if (request.profile == "radius-server") {
    profile = pki::Profile::radius_server;
  } else if (request.profile != "registrar") {
    return fail(SettingsError::bad_value, "`profile` is registrar or radius-server, not `" + request.profile + "`");
  }
  CAHN_TRY(const Bytes csr, read_file(request.csr));
  net::Runtime runtime(1);
  runtime.start();
  CAHN_TRY(const auto parts, open_ca(settings));
  CAHN_TRY(const auto chain,
           issue_server_certificate(runtime, *parts.ca, profile, csr, request.name, {request.name}, request.addresses));
  return write_certificates(request.out, chain);
}

}  // namespace

void add_ca_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("ca", "Run a domain's CA in a process of its own");
  auto settings = std::make_shared<CaSettings>(*command);
  auto request = std::make_shared<SignRequest>();
  CLI::App* init = command->add_subcommand("init", "Make the CA's key and root, without running");
  init->fallthrough();
  CLI::App* roll = command->add_subcommand("roll-over", "Give the CA a new key; it must be stopped");
  roll->fallthrough();
  CLI::App* sign =
      command->add_subcommand("sign", "Sign the CSR of a registrar or a RADIUS server; the CA must be stopped");
  sign->fallthrough();
  sign->add_option("--csr", request->csr, "DER file")->required();
  sign->add_option("--profile", request->profile, "registrar (the default) or radius-server");
  sign->add_option("--name", request->name, "DNS name for the certificate")->required();
  sign->add_option("--address", request->addresses, "IP address for the certificate; may be repeated");
  sign->add_option("--out", request->out, "PEM file to write")->required();
  command->callback([=, &exit_code] {
    const auto result = init->parsed()   ? init_ca(*settings)
                        : roll->parsed() ? roll_over_own_ca(*settings)
                        : sign->parsed() ? sign_for_server(*settings, *request)
                                         : run_ca(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
