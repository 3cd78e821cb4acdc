#include "bench/revoke/revoke_setting.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "assurance/owners.h"

namespace cahn::bench {
namespace {

constexpr const char* ann_mail = "mailto:ann@example.org";

[[noreturn]] void give_up(const Error& error) {
  std::fprintf(stderr, "bench_revoke: %s\n", error.message.c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

crypto::Certificate certify(const std::string& name, const crypto::PrivateKey& key,
                            const crypto::PrivateKey& issuer_key, const crypto::Certificate* issuer, bool ca = false) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", name}, {"serialNumber", name}};
  spec.key = key.public_key();
  spec.not_before = system_clock().now() - std::chrono::hours(1);
  spec.not_after = system_clock().now() + std::chrono::days(30);
  spec.ca = ca;
  spec.ip_addresses = {"127.0.0.1"};
  return must(crypto::issue_certificate(spec, issuer_key, issuer));
}

class InstantBearer final : public bearer::Bearer {
 public:
  std::string_view technology() const override { return "instant"; }
  net::awaitable<Result<void>> start(bearer::Authoriser, std::function<void(bearer::StationEvent)>) override {
    co_return Result<void>{};
  }
  net::awaitable<void> stop() override { co_return; }
  net::awaitable<Result<void>> cut(std::string) override { co_return Result<void>{}; }
  net::awaitable<void> invite(std::string) override { co_return; }
};

net::awaitable<Result<void>> enrol(pki::DomainCa* ca, pki::DeviceRegistry* registry, cascade::ClaimNode* node,
                                   crypto::Certificate idevid, std::string device, std::string maker, Bytes csr_der) {
  auto csr = crypto::Csr::from_der(csr_der);
  if (!csr) co_return std::unexpected(csr.error());
  const std::string serial = idevid.subject_serial_number().value_or("");
  auto recorded = co_await registry->record_voucher(device, maker, idevid, system_clock().now());
  if (!recorded) co_return recorded;
  pki::IssueRequest request{.csr = *csr,
                            .profile = pki::Profile::ldevid,
                            .subject = {{"CN", "bench"}, {"serialNumber", serial}},
                            .dns_names = {},
                            .uris = {},
                            .ip_addresses = {}};
  auto issued = co_await ca->issue(std::move(request));
  if (!issued) co_return std::unexpected(issued.error());
  auto observed = co_await node->observe_device(device, maker, serial);
  if (!observed) co_return observed;
  auto kept = co_await registry->record_ldevid(device, issued->certificate);
  co_return kept;
}

net::awaitable<Result<net::HttpResponse>> send_on(net::HttpConnection* connection, net::HttpRequest request) {
  co_return co_await connection->send(std::move(request));
}

net::awaitable<Result<std::unique_ptr<net::HttpConnection>>> connect(net::Endpoint endpoint, crypto::TlsContext tls) {
  co_return co_await net::HttpConnection::open(std::move(endpoint), &tls);
}

net::awaitable<std::vector<net::Endpoint>> one_endpoint(std::uint16_t port) {
  std::vector<net::Endpoint> endpoints = {{"127.0.0.1", port}};
  co_return endpoints;
}

net::awaitable<net::HttpResponse> nothing() { co_return net::HttpResponse::text(202, ""); }

}  // namespace

RevokeSetting::RevokeSetting(const std::filesystem::path& folder, std::size_t count) {
  runtime.start();
  ann = must(crypto::generate_key(crypto::KeyType::ed25519));
  binding_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  command_key_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  registrar_key_ = must(crypto::generate_key(crypto::KeyType::p256));
  router_key_ = must(crypto::generate_key(crypto::KeyType::p256));
  maker_key_ = must(crypto::generate_key(crypto::KeyType::p256));
  registrar_certificate_ = certify("registrar", *registrar_key_, *registrar_key_, nullptr);
  maker_certificate_ = certify("maker", *maker_key_, *maker_key_, nullptr, true);
  open_node(folder);
  const std::string person(ann_mail);
  credential::NewCredential is_ann{
      {"KeyBinding", {person, credential::did_key(ann->public_key())}}, system_clock().now(), {}, {}, {}};
  post(must(credential::issue(is_ann, *binding_)));
  post(claim("Trust", credential::did_key(maker_key_->public_key())));
  make_devices(folder, count);
  start_commands();
  start_router(folder);
}

RevokeSetting::~RevokeSetting() {
  struct Stop {
    static net::awaitable<bool> all(RevokeSetting* s) {
      co_await s->agent->stop();
      co_await s->commands->stop();
      co_await s->loop->stop();
      co_await s->server_->stop();
      co_return true;
    }
  };
  net::run_blocking<bool>(runtime, [this] { return Stop::all(this); });
  connection_.reset();
}

std::string RevokeSetting::claim(const std::string& relation, const std::string& about) const {
  credential::NewCredential made{{relation, {ann_mail, about}}, system_clock().now(), {}, {}, {}};
  return must(credential::issue(made, *ann));
}

void RevokeSetting::open_node(const std::filesystem::path& folder) {
  claims = must(store::Store::open(folder / "claims.db"));
  cascade::ClaimNodeOptions options;
  options.owners = {ann_mail};
  options.binding_keys = {credential::did_key(binding_->public_key())};
  options.rules_directory = CAHN_RULES_DIRECTORY;
  options.node_key = command_key_;
  node = must(cascade::ClaimNode::open(*claims, system_clock(), options));

  crypto::TlsServerOptions tls;
  tls.identity = {{*registrar_certificate_}, registrar_key_};
  net::Router router;
  cascade::add_claim_routes(router, *node);
  router.on("POST", "/nothing", [](net::HttpRequest, const net::Session&) { return nothing(); });
  net::ServerOptions server{
      .name = "claims", .address = "127.0.0.1", .port = 0, .tls = must(crypto::TlsContext::server(tls))};
  server_ = must(net::HttpServer::start(runtime.executor(), std::move(server), std::move(router)));
  crypto::TlsClientOptions client;
  client.anchors = crypto::TrustStore({*registrar_certificate_});
  const auto context = must(crypto::TlsContext::client(client));
  const net::Endpoint endpoint{"127.0.0.1", server_->port()};
  connection_ = must(net::run_blocking<Result<std::unique_ptr<net::HttpConnection>>>(
      runtime, [endpoint, context] { return connect(endpoint, context); }));
}

void RevokeSetting::make_devices(const std::filesystem::path& folder, std::size_t count) {
  registrar_store = must(store::Store::open(folder / "registrar.db"));
  ca = must(pki::DomainCa::open(*registrar_store, system_clock(),
                                {.owner_name = "bench", .key_uri = "file:" + (folder / "ca.key").string()}));
  registry = must(pki::DeviceRegistry::open(*registrar_store));
  const std::string maker = credential::did_key(maker_key_->public_key());
  for (std::size_t i = 0; i < count; ++i) {
    const auto key = must(crypto::generate_key(crypto::KeyType::p256));
    const auto ldevid_key = must(crypto::generate_key(crypto::KeyType::p256));
    const std::string serial = "bench-" + std::to_string(i);
    const auto idevid = certify(serial, *key, *maker_key_, &*maker_certificate_);
    const Bytes csr = must(crypto::make_csr({.subject = {{"serialNumber", serial}}}, *ldevid_key));
    const std::string device = credential::did_key(key->public_key());
    post(claim("Trust", device));
    must(net::run_blocking<Result<void>>(
        runtime, [&] { return enrol(ca.get(), registry.get(), node.get(), idevid, device, maker, csr); }));
    devices.push_back(device);
  }
}

void RevokeSetting::start_commands() {
  loop = must(assurance::DecisionLoop::open(runtime.executor(), *node, *registry, *ca, *registrar_store, system_clock(),
                                            {.network = "bench", .segment = {}}));
  assurance::CommandServerOptions options;
  options.address = "127.0.0.1";
  options.port = 0;
  options.identity = {{*registrar_certificate_}, registrar_key_};
  options.ownership = claim("Trust", credential::did_key(registrar_key_->public_key()));
  options.command_key = command_key_;
  options.commander = claim("Trust", credential::did_key(command_key_->public_key()));
  options.owner_check = assurance::owners_of(*node);
  options.network = "bench";
  options.epoch = loop->epoch();
  options.log = registrar_store.get();
  commands = must(assurance::CommandServer::start(runtime.executor(), system_clock(), std::move(options), loop->state(),
                                                  loop->last_number()));
  loop->run(*commands);
}

void RevokeSetting::start_router(const std::filesystem::path& folder) {
  router_store = must(store::Store::open(folder / "router.db"));
  bearer = std::make_unique<InstantBearer>();
  assurance::RouterAgentOptions options;
  options.identity = {{certify("router", *router_key_, *router_key_, nullptr)}, router_key_};
  options.ownership = claim("Trust", credential::did_key(router_key_->public_key()));
  const std::uint16_t port = commands->port();
  options.find_registrars = [port] { return one_endpoint(port); };
  agent = must(assurance::RouterAgent::open(runtime.executor(), system_clock(), assurance::kernel_boot_clock(),
                                            *router_store, *bearer, std::move(options)));
  agent->run();
  for (int i = 0; !agent->status().connected; ++i) {
    if (i == 1000)
      give_up({assurance::AssuranceError::unavailable, "the router did not connect: " + agent->status().last_error});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void RevokeSetting::post(const std::string& octets) { send("/claims", octets); }
void RevokeSetting::post_nothing(const std::string& octets) { send("/nothing", octets); }

void RevokeSetting::send(const std::string& path, const std::string& octets) {
  net::HttpRequest request;
  request.method = "POST";
  request.path = path;
  request.headers.set("Content-Type", "application/vc");
  request.body = to_bytes(octets);
  net::HttpConnection* connection = connection_.get();
  const auto response = must(net::run_blocking<Result<net::HttpResponse>>(
      runtime, [connection, request] { return send_on(connection, request); }));
  if (response.status != 202)
    give_up({net::NetError::refused,
             "POST " + path + ": " + std::to_string(response.status) + " " + to_string(response.body)});
}

}  // namespace cahn::bench
