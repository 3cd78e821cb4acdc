// A registrar that cheats a pledge, for tests and the demonstration: it holds what an honest one would never have (the
// MASA's key, another device's key) and answers requestvoucher with a voucher that is wrong in exactly one way.
//
//   cahn_hostile --mode wrong-serial --port 7443 --signer masa.pem --signer-key masa.key
//
// Modes: honest (nothing wrong: shows that only the named wrong makes the difference), wrong-serial, wrong-nonce,
// expired (nonceless, past its expires-on), other-pin (pins somebody else's registrar). A voucher signed by a device is
// made by giving a device's certificate and key as the signer.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/file.h"
#include "net/http.h"
#include "voucher/signed_voucher.h"

namespace cahn::test {
namespace {

struct Options {
  std::string mode = "honest", address = "::", signer, signer_key;
  std::uint16_t port = 7443;
};

struct Cheat {
  Options options;
  std::vector<crypto::Certificate> signer;
  crypto::PrivateKeyPtr signer_key;
  crypto::TlsIdentity identity;
};

Result<crypto::TlsIdentity> make_identity(const std::string& name) {
  CAHN_TRY(auto key, crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", name}};
  spec.key = key->public_key();
  spec.not_before = system_clock().now() - std::chrono::hours(1);
  spec.not_after = system_clock().now() + std::chrono::days(1);
  spec.extended_key_usage = {"serverAuth", std::string(crypto::oid_cmc_ra)};
  CAHN_TRY(auto certificate, crypto::issue_certificate(spec, *key));
  return crypto::TlsIdentity{{certificate}, key};
}

Result<Bytes> make_voucher(const Cheat& cheat, const voucher::Voucher& asked) {
  const Time now = system_clock().now();
  const std::string& mode = cheat.options.mode;
  voucher::Voucher made;
  made.created_on = now;
  made.assertion = voucher::Assertion::proximity;
  made.serial_number = mode == "wrong-serial" ? asked.serial_number + "-other" : asked.serial_number;
  made.pinned_domain_cert = cheat.identity.chain.front();
  if (mode == "other-pin") {
    CAHN_TRY(auto other, make_identity("somebody else's registrar"));
    made.pinned_domain_cert = other.chain.front();
  }
  if (mode == "expired") {
    made.created_on = now - std::chrono::hours(2);
    made.expires_on = now - std::chrono::hours(1);
  } else {
    made.nonce = mode == "wrong-nonce" ? voucher::fresh_nonce() : asked.nonce;
  }
  const std::vector<crypto::Certificate> chain(cheat.signer.begin() + 1, cheat.signer.end());
  return voucher::sign(made, voucher::Root::voucher, cheat.signer.front(), *cheat.signer_key, chain);
}

net::awaitable<net::HttpResponse> answer(const Cheat* cheat, net::HttpRequest request) {
  const auto asked = voucher::open(request.body, voucher::Root::voucher_request);
  if (!asked) co_return net::HttpResponse::text(406, asked.error().message);
  const auto voucher = make_voucher(*cheat, asked->voucher);
  if (!voucher) co_return net::HttpResponse::text(500, voucher.error().message);
  co_return net::HttpResponse::of(200, voucher::media_type_cms, *voucher);
}

// What the pledge says of the voucher is what a test wants to see.
net::awaitable<net::HttpResponse> take_status(net::HttpRequest request) {
  std::printf("voucher_status %.*s\n", static_cast<int>(request.body.size()), as_text(request.body).data());
  std::fflush(stdout);
  co_return net::HttpResponse::text(200, "");
}

Result<void> serve(const Options& options) {
  Cheat cheat{.options = options, .signer = {}, .signer_key = nullptr, .identity = {}};
  CAHN_TRY(const Bytes pem, read_file(options.signer));
  CAHN_TRY(cheat.signer, crypto::Certificate::all_from_pem(as_text(pem)));
  CAHN_TRY(cheat.signer_key, crypto::open_key(options.signer_key));
  CAHN_TRY(cheat.identity, make_identity("a registrar that cheats"));
  crypto::TlsServerOptions tls{.identity = cheat.identity, .check = crypto::PeerCheck::provisional};
  CAHN_TRY(auto context, crypto::TlsContext::server(tls));
  net::Router router;
  const Cheat* state = &cheat;
  router.on("POST", "/.well-known/brski/requestvoucher",
            [state](net::HttpRequest request, const net::Session&) { return answer(state, std::move(request)); });
  router.on("POST", "/.well-known/brski/voucher_status",
            [](net::HttpRequest request, const net::Session&) { return take_status(std::move(request)); });
  net::Runtime runtime(1);
  CAHN_TRY(auto server,
           net::HttpServer::start(runtime.executor(),
                                  {.name = "hostile", .address = options.address, .port = options.port, .tls = context},
                                  router));
  std::printf("ready %d\n", server->port());
  std::fflush(stdout);
  net::HttpServer* running = server.get();
  runtime.run([running]() -> net::awaitable<void> { return running->stop(std::chrono::milliseconds(2000)); });
  return {};
}

}  // namespace
}  // namespace cahn::test

int main(int argc, char** argv) {
  cahn::test::Options options;
  CLI::App app("A registrar that cheats, for tests", "cahn_hostile");
  app.add_option("--mode", options.mode)
      ->check(CLI::IsMember({"honest", "wrong-serial", "wrong-nonce", "expired", "other-pin"}));
  app.add_option("--listen", options.address);
  app.add_option("--port", options.port);
  app.add_option("--signer", options.signer)->required();
  app.add_option("--signer-key", options.signer_key)->required();
  CLI11_PARSE(app, argc, argv);
  const auto served = cahn::test::serve(options);
  if (!served) {
    std::fprintf(stderr, "cahn_hostile: %s\n", served.error().message.c_str());
    return 1;
  }
  return 0;
}
