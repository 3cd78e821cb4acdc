#include <CLI/CLI.hpp>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "apps/cahn/role_support.h"
#include "apps/cahn/vc_support.h"
#include "credential/json.h"
#include "credential/printable.h"
#include "net/async.h"
#include "net/http.h"

namespace cahn::apps::vc {

namespace {

using credential::printable;
using net::NetError;
using nlohmann::json;

constexpr std::size_t max_answer = std::size_t{64} << 10;
constexpr std::chrono::milliseconds first_pause{20}, longest_pause{500};
constexpr std::size_t max_reason = 500;

struct SubmitOptions {
  std::string file, to, pin, certificate, key;
  std::vector<std::string> anchors;
  bool wait = false, json = false;
  unsigned wait_seconds = 30;
};

// What is known of the node and how to reach it; made once, before anything is sent.
struct Node {
  net::Url url;
  std::optional<crypto::TlsContext> tls;
  Bytes pin;  // SHA-256 of the server's certificate, instead of anchors
};

struct Outcome {
  int status = 0;
  std::string location;            // path on the node
  std::string state = "received";  // of `GET /claims/{id}`
  std::string reason;
};

Result<Node> node_of(const SubmitOptions& options) {
  CAHN_TRY(auto url, net::parse_url(options.to));
  while (url.path.ends_with('/')) url.path.pop_back();
  Node node{.url = std::move(url), .tls = std::nullopt, .pin = {}};
  if (!node.url.tls) {
    const auto& host = node.url.endpoint.host;
    if (host == "127.0.0.1" || host == "::1" || host == "localhost") return node;
    return fail(NetError::tls, "plain http is for this machine only; use https");
  }
  crypto::TlsClientOptions tls;
  if (!options.certificate.empty()) {
    CAHN_TRY(tls.identity, read_identity(options.certificate, options.key));
  }
  if (options.pin.empty()) {
    CAHN_TRY(tls.anchors, read_anchors(options.anchors));
  } else {
    CAHN_TRY(node.pin, hex_decode(options.pin));
    tls.check = crypto::PeerCheck::provisional;
  }
  CAHN_TRY(node.tls, crypto::TlsContext::client(tls));
  return node;
}

// One request on one connection. Nothing is sent to a server that the pin does not name.
net::awaitable<Result<net::HttpResponse>> exchange(Node node, net::HttpRequest request) {
  net::ClientLimits limits;
  limits.max_body = max_answer;
  const crypto::TlsContext* tls = node.tls ? &*node.tls : nullptr;
  auto connection = co_await net::HttpConnection::open(node.url.endpoint, tls, limits);
  if (!connection) co_return std::unexpected(connection.error());
  const auto& chain = (*connection)->peer_chain();
  if (!node.pin.empty() && (chain.empty() || chain.front().fingerprint() != node.pin)) {
    co_return fail(NetError::tls, "the server's certificate is not the pinned one");
  }
  co_return co_await (*connection)->send(std::move(request));
}

Error refusal(const net::HttpResponse& response) {
  const auto said = printable(as_text(response.body), max_reason);
  return Error{NetError::refused,
               "the node answered " + std::to_string(response.status) + (said.empty() ? "" : ": " + said)};
}

std::string text_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

net::awaitable<Result<Outcome>> post(Node node, std::string text) {
  net::HttpRequest request;
  request.method = "POST";
  request.path = node.url.path + "/claims";
  request.headers.set("Content-Type", "application/vc");
  request.body = to_bytes(text);
  const auto response = co_await exchange(node, std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200 && response->status != 202) co_return std::unexpected(refusal(*response));
  Outcome outcome;
  outcome.status = response->status;
  outcome.location = response->headers.get("Location").value_or("");
  // An absolute Location could send us, and our certificate, elsewhere.
  if (!outcome.location.starts_with('/') || outcome.location != printable(outcome.location, max_reason)) {
    co_return fail(NetError::malformed, "the node named no place to ask what became of the claim");
  }
  co_return outcome;
}

net::awaitable<Result<Outcome>> ask(Node node, Outcome outcome) {
  net::HttpRequest request;
  request.path = outcome.location;
  const auto response = co_await exchange(node, std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200) co_return std::unexpected(refusal(*response));
  const auto body = credential::parse_json(as_text(response->body));
  if (!body || !body->is_object()) co_return fail(NetError::malformed, "the node's answer is not a JSON object");
  outcome.state = printable(text_of(*body, "state"));
  outcome.reason = printable(text_of(*body, "reason"), max_reason);
  co_return outcome;
}

net::awaitable<Result<Outcome>> submit(Node node, std::string text, std::optional<std::chrono::seconds> patience) {
  auto outcome = co_await post(node, std::move(text));
  if (!outcome || !patience) co_return outcome;
  const auto deadline = std::chrono::steady_clock::now() + *patience;
  for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
    outcome = co_await ask(node, *outcome);
    if (!outcome || outcome->state == "accepted" || outcome->state == "refused") co_return outcome;
    if (std::chrono::steady_clock::now() >= deadline)
      co_return fail(NetError::timeout, "the node has not decided in time");
    co_await net::sleep_for(pause);
  }
}

void print(const Node& node, const Outcome& outcome, bool as_json) {
  const std::string scheme = node.url.tls ? "https://" : "http://";
  const auto location = scheme + node.url.endpoint.authority() + outcome.location;
  if (as_json) {
    json out = {{"status", outcome.status}, {"location", location}, {"state", outcome.state}};
    if (!outcome.reason.empty()) out["reason"] = outcome.reason;
    std::cout << out.dump() << std::endl;
    return;
  }
  std::cout << location << "\n" << outcome.state;
  if (!outcome.reason.empty()) std::cout << ": " << outcome.reason;
  std::cout << std::endl;
}

int run(const SubmitOptions& options) {
  auto node = node_of(options);
  if (!node) return node.error().code == NetError::malformed ? misused(node.error().message) : failed(node.error());
  if (node->tls && options.pin.empty() && options.anchors.empty())
    return misused("https needs --cacert or --insecure-pin");
  auto text = read_input(options.file);
  if (!text) return failed(text.error());
  net::Runtime runtime(1);
  runtime.start();
  const auto patience = options.wait ? std::optional(std::chrono::seconds(options.wait_seconds)) : std::nullopt;
  // The coroutine owns copies of its arguments; the lambda only makes it.
  const std::function<net::awaitable<Result<Outcome>>()> task = [&] { return submit(*node, *text, patience); };
  const auto outcome = net::run_blocking<Result<Outcome>>(runtime, task);
  runtime.stop();
  if (!outcome) return failed(outcome.error());
  print(*node, *outcome, options.json);
  return outcome->state == "refused" ? exit_failed : exit_done;
}

}  // namespace

void add_submit_command(CLI::App& vc, int& exit_code) {
  const auto options = std::make_shared<SubmitOptions>();
  auto* command = vc.add_subcommand("submit", "Send a credential to a claim node");
  command->add_option("file", options->file, "a credential, or - for standard input")->required();
  command->add_option("--to", options->to, "the node, https://host:port")->required();
  auto* anchors = command->add_option("--cacert", options->anchors, "PEM file of who may vouch for the node");
  command->add_option("--insecure-pin", options->pin, "SHA-256 of the node's certificate, in hex, instead of --cacert")
      ->excludes(anchors)
      ->check([](const std::string& text) {
        const auto pin = hex_decode(text);
        return pin && pin->size() == 32 ? std::string{} : std::string("not 64 hex digits");
      });
  auto* key = command->add_option("--key", options->key, "key of --cert: a file or a key URI");
  command->add_option("--cert", options->certificate, "PEM chain to show to the node")->needs(key);
  command->add_flag("--wait", options->wait, "until the node has accepted or refused it");
  command->add_option("--wait-seconds", options->wait_seconds, "how long at most")->capture_default_str();
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cahn::apps::vc
