#include "road.h"

#include <stdlib.h>

#include <algorithm>

#include "crypto/csr.h"
#include "crypto/digest.h"

namespace cahn::test {

using admission::AdmissionAnswer;
using admission::AdmissionEvidence;
using admission::PolicyPoint;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "cahn-road-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

crypto::CertificateSpec spec_for(crypto::Name subject, const crypto::PublicKey& key) {
  crypto::CertificateSpec spec;
  spec.subject = std::move(subject);
  spec.key = key;
  // Whole seconds: X.509 times have no fractions.
  const Time now = std::chrono::floor<std::chrono::seconds>(system_clock().now());
  spec.not_before = now - std::chrono::hours(1);
  spec.not_after = now + std::chrono::days(365);
  return spec;
}

}  // namespace

Party make_ca(const std::string& name) {
  auto key = need(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec = spec_for({{"CN", name}}, key->public_key());
  spec.ca = true;
  spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  return {key, need(crypto::issue_certificate(spec, *key))};
}

Party make_party(const Party& ca, crypto::Name subject, const std::function<void(crypto::CertificateSpec&)>& change) {
  auto key = need(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec = spec_for(std::move(subject), key->public_key());
  if (change) change(spec);
  return {key, need(crypto::issue_certificate(spec, *ca.key, &ca.certificate))};
}

Maker Maker::make(const std::string& name) {
  Party ca = make_ca(name + " Manufacturer CA");
  Party masa = make_party(ca, {{"CN", name + " MASA"}},
                          [](auto& spec) { spec.key_usage = crypto::KeyUsage::digital_signature; });
  return {name, std::move(ca), std::move(masa)};
}

Device make_device(const Maker& maker, const std::string& serial_number, const std::string& masa_url,
                   const std::function<void(crypto::CertificateSpec&)>& change) {
  Party device = make_party(maker.ca, {{"CN", serial_number}, {"serialNumber", serial_number}}, [&](auto& spec) {
    spec.not_after = crypto::no_expiration();
    spec.masa_url = masa_url;
    if (change) change(spec);
  });
  return {serial_number, {{device.certificate, maker.ca.certificate}, device.key}};
}

void ScriptedAdmission::answer(PolicyPoint point, Verdict verdict, std::chrono::seconds retry_after) {
  const std::lock_guard lock(mutex_);
  AdmissionAnswer answer;
  answer.verdict = verdict;
  answer.reason = "the script says so";
  answer.retry_after = retry_after;
  answers_[point] = std::move(answer);
}
void ScriptedAdmission::fail_at(PolicyPoint point) {
  const std::lock_guard lock(mutex_);
  failing_ = point;
}
int ScriptedAdmission::asked(PolicyPoint point) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(point);
  return found == asked_.end() ? 0 : static_cast<int>(found->second.size());
}
std::optional<AdmissionEvidence> ScriptedAdmission::last(PolicyPoint point) const {
  const std::lock_guard lock(mutex_);
  const auto found = asked_.find(point);
  return found == asked_.end() ? std::nullopt : std::optional(found->second.back());
}

boost::asio::awaitable<Result<AdmissionAnswer>> ScriptedAdmission::decide(AdmissionEvidence evidence) {
  const std::lock_guard lock(mutex_);
  const PolicyPoint point = evidence.point;
  auto& asked = asked_[point];
  if (asked.size() > 64) asked.erase(asked.begin());
  asked.push_back(std::move(evidence));
  if (failing_ == point) co_return fail(store::StoreError::unavailable, "the engine is dead");
  AdmissionAnswer answer;
  answer.verdict = Verdict::permit;
  if (const auto told = answers_.find(point); told != answers_.end()) answer = told->second;
  co_return answer;
}

namespace {

crypto::TlsContext server_context(const crypto::TlsIdentity& identity, crypto::StatusSource status = {}) {
  crypto::TlsServerOptions tls;
  tls.status = std::move(status);
  tls.identity = identity;
  return need(crypto::TlsContext::server(tls));
}

}  // namespace

Site::Site(net::Runtime& runtime, const crypto::TlsIdentity& identity, net::Router router, const std::string& name)
    : runtime_(runtime) {
  net::ServerOptions options;
  options.name = name;
  options.address = "127.0.0.1";
  options.tls = server_context(identity);
  server_ = need(net::HttpServer::start(runtime.executor(), std::move(options), std::move(router)));
}

void Site::show(const crypto::TlsIdentity& identity, crypto::StatusSource status) {
  server_->replace_tls(server_context(identity, std::move(status)));
}

Site::~Site() {
  net::run_blocking<void>(runtime_, [this]() { return server_->stop(std::chrono::milliseconds(500)); });
}

Road::Road(RoadOptions options) : web_ca_(make_ca("Web CA")), maker_(Maker::make("Acme")), runtime_(options.threads) {
  runtime_.start();
  start_masa(options);
  start_registrar(options);
}

Road::~Road() {
  stop_registrar();
  masa_site_.reset();
  runtime_.stop();
}

void Road::start_masa(const RoadOptions& options) {
  masa_store_ = need(store::Store::open(folder_ / "masa.db"));
  brski::MasaTenant maker;
  maker.signer = {maker_.masa.certificate};
  maker.key = maker_.masa.key;
  maker.idevid_anchors = crypto::TrustStore({maker_.ca.certificate});
  maker.factory_anchors = crypto::TrustStore({maker_.ca.certificate});
  maker.pin = options.pin;
  brski::MasaOptions masa;
  masa.tenants.push_back(std::move(maker));
  if (options.change_masa) options.change_masa(masa);
  masa.on_progress = options.on_progress;
  masa_ = need(brski::Masa::create(std::move(masa), masa_policy_, *masa_store_, *options.masa_clock));
  net::Router router;
  masa_->add_routes(router);
  masa_site_ = std::make_unique<Site>(runtime_, web_identity(), std::move(router), "masa");
}

void Road::start_registrar(const RoadOptions& options) {
  registrar_store_ = need(store::Store::open(folder_ / "registrar.db"));
  pki::DomainCaOptions ca;
  ca.owner_name = "ann@example.org";
  ca.key_uri = "file:" + (folder_ / "ca.key").string();
  domain_ca_ = need(pki::DomainCa::open(*registrar_store_, system_clock(), ca));
  registry_ = need(pki::DeviceRegistry::open(*registrar_store_));
  registrar_identity_ = make_registrar_identity();

  brski::RegistrarOptions& registrar = registrar_options_;
  registrar.identity = *registrar_identity_;
  registrar.domain_ca = {domain_ca_->certificate()};
  registrar.manufacturers = {manufacturer(maker_)};
  registrar.masa_tls_anchors = crypto::TrustStore({web_ca_.certificate});
  registrar.network = "lab network";
  registrar.name_of_key = name_of_key;
  registrar.revocation = [this](std::string_view serial) { return domain_ca_->revocation(serial); };
  registrar.on_progress = options.on_progress;
  registrar.store = registrar_store_.get();
  est_ = options.est;
  more_routes_ = options.more_routes;
  registrar_clock_ = options.registrar_clock ? options.registrar_clock : &system_clock();
  open_registrar();
}

void Road::open_registrar() {
  registrar_ = need(brski::Registrar::create(runtime_.executor(), registrar_options_, registrar_policy_, *registry_,
                                             *registrar_clock_));
  net::Router router;
  registrar_->add_routes(router);
  pki::add_est_routes(router, *domain_ca_, *registrar_, est_);
  if (more_routes_) more_routes_(router, *this);
  registrar_site_ = std::make_unique<Site>(runtime_, *registrar_identity_, std::move(router), "registrar");
  net::Router orders;
  registrar_->add_operator_routes(orders, operator_token);
  operator_site_ = need(
      net::HttpServer::start(runtime_.executor(), {.name = "operator", .address = "127.0.0.1"}, std::move(orders)));
}

void Road::stop_registrar() {
  net::run_blocking<void>(runtime_, [this]() { return operator_site_->stop(std::chrono::milliseconds(500)); });
  operator_site_.reset();
  registrar_site_.reset();
  registrar_.reset();
}

void Road::restart_registrar() {
  stop_registrar();
  open_registrar();
}

crypto::TlsIdentity Road::web_identity() const {
  const Party party = make_party(web_ca_, {{"CN", "web server"}}, [](auto& spec) {
    spec.ip_addresses = {"127.0.0.1"};
    spec.extended_key_usage = {"serverAuth"};
  });
  return {{party.certificate, web_ca_.certificate}, party.key};
}

crypto::TlsIdentity Road::make_registrar_identity() {
  const auto key = need(crypto::generate_key(crypto::KeyType::p256));
  crypto::CsrSpec csr;
  csr.subject = {{"CN", "Registrar"}};
  pki::IssueRequest request{.csr = need(crypto::Csr::from_der(need(crypto::make_csr(csr, *key)))),
                            .profile = pki::Profile::registrar,
                            .subject = csr.subject,
                            .dns_names = {"registrar.example.org"},
                            .uris = {},
                            .ip_addresses = {"127.0.0.1"}};
  const auto issued = need(run<Result<pki::IssuedCertificate>>([&]() { return domain_ca_->issue(request); }));
  return {{issued.certificate}, key};
}

brski::Manufacturer Road::manufacturer(const Maker& maker) const {
  brski::Manufacturer manufacturer;
  manufacturer.name = maker.name;
  manufacturer.idevid_anchors = crypto::TrustStore({maker.ca.certificate});
  return manufacturer;
}

Device Road::born(const std::string& serial_number) {
  Device device = make_device(maker_, serial_number, masa_authority());
  tell_masa(device);
  return device;
}

void Road::tell_masa(const Device& device) {
  need(run<Result<bool>>(
      [&]() { return masa_->record_birth(brski::Birth{device.serial_number, device.certificate(), "model one"}); }));
}

brski::PledgeOptions Road::pledge_options(const Device& device) const {
  brski::PledgeOptions options;
  options.idevid = device.idevid;
  options.masa_anchors = crypto::TrustStore({maker_.masa.certificate});
  options.clock = &system_clock();
  return options;
}

Result<brski::NetworkCredential> Road::onboard(brski::Pledge& pledge) {
  return onboard(pledge, {registrar_endpoint()});
}

Result<brski::NetworkCredential> Road::onboard(brski::Pledge& pledge, std::vector<net::Endpoint> candidates) {
  return run<Result<brski::NetworkCredential>>([&]() { return pledge.onboard(candidates); });
}

std::string name_of_key(const crypto::PublicKey& key) { return "key:" + hex(crypto::sha256(key.spki())); }

net::HttpRequest post(std::string_view path, std::string_view content_type, ByteView body) {
  net::HttpRequest request;
  request.method = "POST";
  request.path = path;
  request.headers.set("Content-Type", std::string(content_type));
  request.body = to_bytes(body);
  return request;
}

namespace {

net::awaitable<Result<net::HttpResponse>> exchange(net::Endpoint endpoint, crypto::TlsContext tls,
                                                   net::HttpRequest request) {
  auto connection = co_await net::HttpConnection::open(std::move(endpoint), &tls);
  if (!connection) co_return fail(connection.error());
  co_return co_await (*connection)->send(std::move(request));
}

}  // namespace

Result<net::HttpResponse> send(Road& road, net::Endpoint endpoint, std::optional<crypto::TlsIdentity> identity,
                               net::HttpRequest request) {
  crypto::TlsClientOptions options;
  options.identity = std::move(identity);
  options.check = crypto::PeerCheck::provisional;
  const auto tls = need(crypto::TlsContext::client(options));
  return road.run<Result<net::HttpResponse>>([&]() { return exchange(endpoint, tls, request); });
}

}  // namespace cahn::test
