// The onboarding road in one process, for tests and benches: makers, their devices, MASAs and a registrar with its
// domain CA, each with real TLS on loopback and a real store in a temporary folder.
//
// Everything here throws std::runtime_error when it cannot be set up: a test that has no road has no result.

#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "brski/masa.h"
#include "brski/pledge.h"
#include "brski/registrar.h"
#include "net/async.h"
#include "net/http.h"
#include "pki/device_registry.h"
#include "pki/domain_ca.h"
#include "pki/est_server.h"
#include "store/store.h"

namespace cahn::test {

// The value, or an exception with the error's message.
template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(std::string(result.error().code.name()) + ": " + result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A key and the certificate of it.
struct Party {
  crypto::PrivateKeyPtr key;
  crypto::Certificate certificate;
};
Party make_ca(const std::string& name);
// Signed by `ca`; valid from an hour ago for a year unless `change` says otherwise.
Party make_party(const Party& ca, crypto::Name subject,
                 const std::function<void(crypto::CertificateSpec&)>& change = {});

// A manufacturer: one CA that signs both its devices and its MASA, the hard case (decision 7).
struct Maker {
  std::string name;
  Party ca;
  Party masa;
  static Maker make(const std::string& name);
};

struct Device {
  std::string serial_number;
  crypto::TlsIdentity idevid;
  const crypto::Certificate& certificate() const { return idevid.chain.front(); }
};
Device make_device(const Maker&, const std::string& serial_number, const std::string& masa_url,
                   const std::function<void(crypto::CertificateSpec&)>& change = {});

// Admission that answers as told, permits what it was told nothing of, and remembers what it was asked.
class ScriptedAdmission final : public admission::Admission {
 public:
  using Verdict = admission::AdmissionAnswer::Verdict;
  void answer(admission::PolicyPoint, Verdict, std::chrono::seconds retry_after = std::chrono::seconds(1));
  void fail_at(admission::PolicyPoint);
  int asked(admission::PolicyPoint) const;
  std::optional<admission::AdmissionEvidence> last(admission::PolicyPoint) const;
  boost::asio::awaitable<Result<admission::AdmissionAnswer>> decide(admission::AdmissionEvidence) override;

 private:
  mutable std::mutex mutex_;
  std::map<admission::PolicyPoint, admission::AdmissionAnswer> answers_;
  std::map<admission::PolicyPoint, std::vector<admission::AdmissionEvidence>> asked_;
  std::optional<admission::PolicyPoint> failing_;
};

// An HTTPS server on 127.0.0.1 with the identity it is given; stopped by its destructor.
class Site {
 public:
  Site(net::Runtime&, const crypto::TlsIdentity&, net::Router, const std::string& name);
  ~Site();
  // New connections get this identity.
  void show(const crypto::TlsIdentity&, crypto::StatusSource status = {});
  net::Endpoint endpoint() const { return {"127.0.0.1", server_->port()}; }
  std::string authority() const { return endpoint().authority(); }

 private:
  net::Runtime& runtime_;
  std::unique_ptr<net::HttpServer> server_;
};

class Road;

struct RoadOptions {
  unsigned threads = 2;
  brski::PinPolicy pin = brski::PinPolicy::farthest;
  std::function<void(const brski::Progress&)> on_progress;
  const Clock* registrar_clock = nullptr;                // else the system's
  std::function<void(brski::MasaOptions&)> change_masa;  // before it starts; its first tenant is the road's maker
  const Clock* masa_clock = &system_clock();
  pki::EstOptions est{};
  std::function<void(net::Router&, Road&)> more_routes;  // of the registrar
};

class Road {
 public:
  explicit Road(RoadOptions options = {});
  ~Road();

  net::Runtime& runtime() { return runtime_; }
  const Maker& maker() const { return maker_; }
  const Party& web_ca() const { return web_ca_; }
  pki::DomainCa& domain_ca() const { return *domain_ca_; }
  pki::DeviceRegistry& registry() const { return *registry_; }
  brski::Registrar& registrar() { return *registrar_; }
  brski::Masa& masa() { return *masa_; }
  store::Store& masa_store() { return *masa_store_; }
  store::Store& registrar_store() { return *registrar_store_; }
  ScriptedAdmission& registrar_policy() { return registrar_policy_; }
  ScriptedAdmission& masa_policy() { return masa_policy_; }
  const crypto::TlsIdentity& registrar_identity() const { return *registrar_identity_; }
  net::Endpoint registrar_endpoint() const { return registrar_site_->endpoint(); }
  // The operator's port, plain HTTP; orders need `operator_token`.
  net::Endpoint operator_endpoint() const { return {"127.0.0.1", operator_site_->port()}; }
  static constexpr const char* operator_token = "a token of the road";
  // Opens the registrar again, as after a restart: same store, and the options as they are then.
  void restart_registrar();
  brski::RegistrarOptions& registrar_options() { return registrar_options_; }
  net::Endpoint masa_endpoint() const { return masa_site_->endpoint(); }
  std::string masa_authority() const { return masa_site_->authority(); }
  std::filesystem::path folder(std::string_view name) const { return folder_ / name; }

  // A web server's identity for 127.0.0.1 that the registrar's MASA anchors know.
  crypto::TlsIdentity web_identity() const;
  // A registrar's identity of this domain.
  crypto::TlsIdentity make_registrar_identity();
  brski::Manufacturer manufacturer(const Maker&) const;
  // Made by the road's maker and known to its MASA.
  Device born(const std::string& serial_number);
  void tell_masa(const Device&);
  // The registrar staples this from now on.
  void staple(crypto::StatusSource status) { registrar_site_->show(*registrar_identity_, std::move(status)); }
  // Options of a pledge that keeps nothing, with a clock.
  brski::PledgeOptions pledge_options(const Device&) const;

  template <typename T>
  T run(std::function<net::awaitable<T>()> task) {
    return net::run_blocking<T>(runtime_, std::move(task));
  }
  Result<brski::NetworkCredential> onboard(brski::Pledge&);
  Result<brski::NetworkCredential> onboard(brski::Pledge&, std::vector<net::Endpoint>);

 private:
  void start_masa(const RoadOptions&);
  void start_registrar(const RoadOptions&);
  void open_registrar();
  void stop_registrar();

  TemporaryFolder folder_;
  Party web_ca_;
  Maker maker_;
  ScriptedAdmission registrar_policy_, masa_policy_;
  net::Runtime runtime_;
  std::unique_ptr<store::Store> masa_store_, registrar_store_;
  std::unique_ptr<brski::Masa> masa_;
  std::unique_ptr<pki::DomainCa> domain_ca_;
  std::unique_ptr<pki::DeviceRegistry> registry_;
  std::optional<crypto::TlsIdentity> registrar_identity_;
  std::unique_ptr<brski::Registrar> registrar_;
  brski::RegistrarOptions registrar_options_;
  const Clock* registrar_clock_ = nullptr;
  pki::EstOptions est_;
  std::function<void(net::Router&, Road&)> more_routes_;
  std::unique_ptr<Site> masa_site_, registrar_site_;
  std::unique_ptr<net::HttpServer> operator_site_;
};

// Names keys in the registry of a road.
std::string name_of_key(const crypto::PublicKey&);

// One request on a connection of its own, as `identity`, whoever the server is.
Result<net::HttpResponse> send(Road&, net::Endpoint, std::optional<crypto::TlsIdentity> identity, net::HttpRequest);
net::HttpRequest post(std::string_view path, std::string_view content_type, ByteView body);

}  // namespace cahn::test
