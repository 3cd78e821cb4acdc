#include "brski/pledge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "brski/pledge_impl.h"

namespace cahn::brski {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

using Connection = std::shared_ptr<net::HttpConnection>;

std::string text_of(const net::HttpResponse& response) {
  return std::to_string(response.status) + " " + printable(as_text(response.body));
}

net::awaitable<Result<Connection>> connect(net::Endpoint endpoint, crypto::TlsContext tls, net::ClientLimits limits) {
  auto opened = co_await net::HttpConnection::open(std::move(endpoint), &tls, limits);
  if (!opened) co_return fail(opened.error());
  co_return Connection(*std::move(opened));
}

// Asking one registrar for a voucher until it says yes, no, or too often "later".
class VoucherExchange {
 public:
  using Waiting = std::function<void(milliseconds)>;  // told each time before it waits

  // `where` says path and query; the connection leads there already.
  VoucherExchange(Connection connection, net::Url where, crypto::TlsContext tls, const PledgeOptions& options,
                  Bytes request, Waiting waiting)
      : connection_(std::move(connection)),
        where_(std::move(where)),
        tls_(std::move(tls)),
        options_(options),
        request_(std::move(request)),
        waiting_(std::move(waiting)) {}

  // The voucher's bytes, unchecked. Errors: registrar_refused, gave_up, not_the_registrar, or the connection's.
  net::awaitable<Result<Bytes>> run() {
    const auto deadline = steady_clock::now() + options_.patience;
    for (bool waited = false;; waited = true) {
      if (!connection_->is_open()) CAHN_CO_CHECK(co_await reconnect());
      auto response = co_await connection_->send(message());
      if (!response && waited) {  // the registrar may close a connection that only waits
        CAHN_CO_CHECK(co_await reconnect());
        response = co_await connection_->send(message());
      }
      if (!response) co_return fail(response.error());
      if (response->status != 202) co_return judge(*response);
      const milliseconds pause = pause_for(net::retry_after(*response), options_.longest_pause);
      if (steady_clock::now() + pause > deadline) {
        co_return fail(BrskiError::gave_up, "the registrar did not decide in time");
      }
      waiting_(pause);
      co_await net::sleep_for(pause);
    }
  }

  const Connection& connection() const { return connection_; }
  // Where the registrar sends the pledge instead of answering.
  const std::optional<net::Url>& sent_on() const { return sent_on_; }

 private:
  // RFC 8995 5.6: a repetition is the same bytes, neither signed anew nor with another nonce.
  net::HttpRequest message() const {
    net::HttpRequest http;
    http.method = "POST";
    http.path = where_.path;
    http.query = where_.query;
    http.headers.set("Content-Type", std::string(voucher::media_type_cms));
    http.headers.set("Accept", std::string(voucher::media_type_cms));
    http.body = request_;
    return http;
  }

  net::awaitable<Result<void>> reconnect() {
    auto again = co_await reopen(connection_, tls_, options_.limits);
    if (!again) co_return fail(again.error());
    connection_ = *std::move(again);
    co_return Result<void>{};
  }

  Result<Bytes> judge(net::HttpResponse& response) {
    if (auto elsewhere = net::redirection(response, connection_->endpoint())) {
      if (!*elsewhere || !(*elsewhere)->tls) {
        return fail(BrskiError::registrar_refused, "the registrar sends the pledge on to what is no https: URL");
      }
      sent_on_ = **std::move(elsewhere);
      return fail(BrskiError::registrar_refused,
                  "the registrar sends the pledge on to " + sent_on_->endpoint.authority());
    }
    if (response.status != 200) {
      return fail(BrskiError::registrar_refused, "the registrar refused the voucher-request: " + text_of(response));
    }
    const std::string type = net::media_type(response.headers.get("Content-Type").value_or(""));
    if (type != voucher::media_type_cms) {
      return fail(BrskiError::registrar_refused,
                  "the registrar answered with '" + printable(type) + "', not a voucher");
    }
    return std::move(response.body);
  }

  Connection connection_;
  const net::Url where_;
  const crypto::TlsContext tls_;
  const PledgeOptions& options_;
  const Bytes request_;
  const Waiting waiting_;
  std::optional<net::Url> sent_on_;
};

// The question with the device's own answers where it has none. `nonce` is always set afterwards.
VoucherQuestion completed(VoucherQuestion question, const PledgeOptions& options, const std::string& serial_number,
                          std::optional<Time> now) {
  if (!question.serial_number) question.serial_number = serial_number;
  if (!question.nonce) question.nonce = voucher::fresh_nonce();  // RFC 8995 5.2: another one for every attempt
  if (!question.created_on) question.created_on = now;           // left out by a pledge without a clock
  if (!question.signer) question.signer = options.idevid;
  return question;
}

Result<Bytes> make_request(const VoucherQuestion& question, const crypto::Certificate& registrar) {
  voucher::Voucher request;
  request.created_on = question.created_on;
  request.assertion = voucher::Assertion::proximity;
  request.serial_number = *question.serial_number;
  request.nonce = question.nonce;
  request.proximity_registrar_cert = registrar;
  const auto& signer = *question.signer;
  const std::vector<crypto::Certificate> chain(signer.chain.begin() + 1, signer.chain.end());
  return voucher::sign(request, voucher::Root::voucher_request, signer.chain.front(), *signer.key, chain);
}

// Before anything is sent: whether this is a registrar the question may be put to.
Result<void> check_expected(const std::vector<crypto::Certificate>& chain, const VoucherQuestion& question,
                            std::optional<Time> now) {
  if (chain.empty()) return fail(BrskiError::not_the_registrar, "the server showed no certificate");
  if (question.registrar && *question.registrar != chain.front()) {
    return fail(BrskiError::not_the_registrar,
                "the server showed " + chain.front().subject_text() + ", another certificate than the expected one");
  }
  if (!question.registrar_anchors) return {};
  const auto path = crypto::verify_chain(chain.front(), chain, *question.registrar_anchors, now);
  if (path) return {};
  return fail(BrskiError::not_the_registrar,
              "the server's certificate does not lead to the expected CA: " + path.error().message);
}

}  // namespace

milliseconds pause_for(std::optional<std::chrono::seconds> asked, milliseconds longest) {
  if (!asked || *asked > longest) return longest;
  return std::max<milliseconds>(*asked, std::min(milliseconds(1000), longest));
}

std::string in_words(milliseconds pause) {
  const auto count = pause.count();
  return "in " + (count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms");
}

net::awaitable<Result<Connection>> reopen(Connection before, crypto::TlsContext tls, net::ClientLimits limits) {
  net::Endpoint endpoint = before->endpoint();
  auto again = co_await connect(std::move(endpoint), std::move(tls), limits);
  if (!again) co_return fail(again.error());
  if ((*again)->peer_chain() != before->peer_chain()) {
    co_return fail(BrskiError::not_the_registrar, "the registrar showed other certificates than before");
  }
  co_return *std::move(again);
}

net::awaitable<void> report(Connection connection, std::string path, StatusReport what) {
  net::HttpRequest http;
  http.method = "POST";
  http.path = std::move(path);
  http.headers.set("Content-Type", std::string(media_type_json));
  http.body = to_bytes(to_json(what));
  co_await connection->send(std::move(http));
}

Pledge::Impl::Impl(PledgeOptions options_, std::string serial_number_, crypto::TlsContext provisional_,
                   PledgeState state_)
    : options(std::move(options_)),
      serial_number(std::move(serial_number_)),
      provisional(std::move(provisional_)),
      state(std::move(state_)) {}

Result<std::unique_ptr<Pledge>> Pledge::open(PledgeOptions options) {
  if (options.idevid.chain.empty() || !options.idevid.key) {
    return fail(BrskiError::bad_option, "the pledge has no IDevID or no key");
  }
  auto serial = options.idevid.chain.front().subject_serial_number();
  if (!serial) return fail(BrskiError::bad_option, "the IDevID has no serialNumber in its subject");
  if (options.masa_anchors.empty()) return fail(BrskiError::bad_option, "the pledge has no MASA anchor");
  if (options.admission && options.idevid.chain.size() < 2) {
    return fail(BrskiError::bad_option, "a pledge with a policy needs the CA certificate behind its IDevID");
  }
  crypto::TlsClientOptions tls;
  tls.identity = options.idevid;
  tls.check = crypto::PeerCheck::provisional;  // RFC 8995 5.1
  tls.ask_status = true;                       // a voucher may demand it
  CAHN_TRY(crypto::TlsContext context, crypto::TlsContext::client(tls));
  PledgeState state = PledgeState::nowhere();
  if (!options.state.empty()) {
    CAHN_TRY(state, PledgeState::open(options.state));
  }
  auto impl = std::make_unique<Impl>(std::move(options), *std::move(serial), std::move(context), std::move(state));
  CAHN_TRY(impl->credential, impl->state.load());
  return std::unique_ptr<Pledge>(new Pledge(std::move(impl)));
}

Pledge::Pledge(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pledge::~Pledge() = default;

const std::optional<NetworkCredential>& Pledge::credential() const { return impl_->credential; }
std::filesystem::path Pledge::files() const { return impl_->state.files(); }
net::awaitable<Result<NetworkCredential>> Pledge::renew() { return impl_->renew(); }

Result<void> Pledge::factory_reset() {
  CAHN_CHECK(impl_->state.forget());
  impl_->credential.reset();
  return {};
}

net::awaitable<Result<NetworkCredential>> Pledge::onboard(std::vector<net::Endpoint> candidates) {
  if (impl_->credential) co_return *impl_->credential;
  co_return co_await impl_->try_each(std::move(candidates), {});
}

net::awaitable<Result<NetworkCredential>> Pledge::onboard_again(std::vector<net::Endpoint> candidates) {
  if (!impl_->credential) co_return fail(BrskiError::bad_state, "there is no network to go back to");
  VoucherQuestion question;
  question.registrar_anchors = crypto::TrustStore(impl_->credential->domain_ca);
  co_return co_await impl_->try_each(std::move(candidates), std::move(question));
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::try_each(std::vector<net::Endpoint> candidates,
                                                                 VoucherQuestion question) {
  std::string failures;
  for (const net::Endpoint& candidate : candidates) {
    net::Endpoint endpoint = candidate;
    VoucherQuestion same = question;
    auto got = co_await attempt(std::move(endpoint), std::move(same));
    if (got) {
      (void)use_up_skip(options.skip_voucher_once);  // not needed, and not left for another time
      co_return got;
    }
    if (candidates.size() == 1) {
      // Who belongs to a network needs its voucher to stay there.
      if (credential) co_return got;
      net::Endpoint only = candidate;
      Error why = got.error();
      co_return co_await skip_voucher(std::move(only), std::move(why));
    }
    failures += (failures.empty() ? "" : "; ") + candidate.authority() + ": " + got.error().message;
  }
  co_return fail(BrskiError::no_registrar, failures.empty() ? "there is no registrar to try" : failures);
}

void Pledge::Impl::tell(std::string_view stage, std::string what, std::string signer, steady_clock::time_point began,
                        bool done) const {
  if (!options.on_progress) return;
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - began);
  options.on_progress({stage, serial_number, std::move(what), std::move(signer), done, took});
}

net::awaitable<Result<void>> Pledge::Impl::ask_policy(admission::PolicyPoint point,
                                                      std::optional<voucher::Voucher> granted) {
  if (!options.admission) co_return Result<void>{};
  const auto& chain = options.idevid.chain;
  admission::AdmissionEvidence about{.point = point,
                                     .idevid = chain[0],
                                     .manufacturer = chain[1],
                                     .serial_number = serial_number,
                                     .assertion = voucher::Assertion::proximity,
                                     .masa_url = chain[0].masa_url(),
                                     .owner = std::nullopt,
                                     .network = {}};
  if (granted) {
    about.assertion = granted->assertion;
    about.owner = granted->pinned_domain_cert;
  }
  const auto answer = co_await options.admission->decide(std::move(about));
  if (answer && answer->verdict == admission::AdmissionAnswer::Verdict::permit) co_return Result<void>{};
  co_return fail(BrskiError::forbidden,
                 std::string(admission::to_text(point)) + ": " + (answer ? answer->reason : answer.error().message));
}

net::awaitable<Result<Pledge::Impl::Imprinted>> Pledge::Impl::imprint(net::Endpoint endpoint, VoucherQuestion asked) {
  CAHN_CO_CHECK(co_await ask_policy(admission::PolicyPoint::pledge_requests, std::nullopt));
  std::optional<net::Url> sent_on;
  net::Url first{std::move(endpoint), std::string(path_request_voucher), {}, true};
  VoucherQuestion question = asked;
  auto got = co_await imprint_at(std::move(first), std::move(question), sent_on);
  if (!sent_on) co_return got;
  net::Url second = *std::exchange(sent_on, std::nullopt);
  got = co_await imprint_at(std::move(second), std::move(asked), sent_on);
  if (!sent_on) co_return got;
  co_return fail(BrskiError::registrar_refused, "sent on a second time, to " + sent_on->endpoint.authority() +
                                                    "; one redirect is followed (RFC 8995 5.6)");
}

net::awaitable<Result<Pledge::Impl::Imprinted>> Pledge::Impl::imprint_at(net::Url where, VoucherQuestion asked,
                                                                         std::optional<net::Url>& sent_on) {
  auto began = steady_clock::now();
  auto opened = co_await connect(net::Endpoint(where.endpoint), provisional, options.limits);
  if (!opened) co_return fail(opened.error());
  const Connection connection = *std::move(opened);
  CAHN_CO_CHECK(check_expected(connection->peer_chain(), asked, now()));
  const crypto::Certificate registrar = connection->peer_chain().front();
  tell("C.0", "Provisional TLS with " + connection->endpoint().authority() + ".", registrar.subject_text(), began);

  began = steady_clock::now();
  const VoucherQuestion question = completed(std::move(asked), options, serial_number, now());
  auto request = make_request(question, registrar);
  if (!request) co_return fail(request.error());
  tell("C.1", "Signed a voucher-request for this registrar.", question.signer->chain.front().subject_text(), began);

  began = steady_clock::now();
  const auto waiting = [this, began](milliseconds pause) {
    tell("C.2", "The registrar has not decided yet; asking again " + in_words(pause) + ".", {}, began);
  };
  VoucherExchange exchange(connection, std::move(where), provisional, options, *std::move(request), waiting);
  auto received = co_await exchange.run();
  if (!received) {
    tell("C.2", received.error().message, {}, began, false);
    sent_on = exchange.sent_on();
    co_return fail(received.error());
  }
  tell("C.9", "The registrar answered with a voucher.", {}, began);
  Bytes cms = *received;
  VoucherQuestion judged = question;
  auto granted = co_await judge_voucher(exchange.connection(), std::move(cms), std::move(judged));
  if (!granted) co_return std::unexpected(granted.error());
  co_return Imprinted{exchange.connection(), *std::move(granted), *std::move(received)};
}

net::awaitable<Result<voucher::Voucher>> Pledge::Impl::judge_voucher(Connection connection, Bytes received,
                                                                     VoucherQuestion question) {
  const auto began = steady_clock::now();
  voucher::PledgeExpectation expectation{.idevid = options.idevid.chain.front(),
                                         .nonce = question.nonce,
                                         .nonceless_allowed = options.accept_nonceless,
                                         .now = now(),
                                         .masa_anchors = options.masa_anchors,
                                         .intermediates = options.masa_intermediates};
  auto granted = voucher::read_as_pledge(received, expectation);
  std::optional<Error> refused;
  if (!granted) {
    refused = granted.error();
  } else if (auto pinned = voucher::check_pin(*granted, connection->peer_chain(), now()); !pinned) {
    refused = pinned.error();
  } else if (auto current = co_await check_revocation(connection, *granted); !current) {
    refused = current.error();
  } else {
    std::optional<voucher::Voucher> asked = *granted;
    auto permitted = co_await ask_policy(admission::PolicyPoint::pledge_receives, std::move(asked));
    if (!permitted) refused = permitted.error();
  }
  StatusReport status;
  status.status = !refused;
  // RFC 8995 5.7: perhaps to a malicious registrar, so the kind of failure and nothing of what was expected.
  if (refused) status.reason = "the voucher is refused: " + std::string(refused->code.name());
  co_await report(connection, std::string(path_voucher_status), std::move(status));
  if (refused) {
    tell("C.10", "Refused the voucher: " + refused->message + ".", {}, began, false);
    co_return std::unexpected(*std::move(refused));
  }
  tell("C.10", "The voucher is this device's, from its own manufacturer; the same connection is trusted now.",
       granted->pinned_domain_cert->subject_text(), began);
  co_return granted;
}

net::awaitable<Result<void>> Pledge::Impl::check_revocation(Connection connection, voucher::Voucher granted) {
  if (!voucher::demands_revocation_checks(granted)) co_return Result<void>{};
  crypto::RevocationEvidence evidence;
  if (Bytes stapled = connection->stapled_status(); !stapled.empty()) evidence.ocsp.push_back(std::move(stapled));
  const auto& chain = connection->peer_chain();
  auto checked = voucher::check_domain_revocation(granted, chain, evidence, now());
  if (checked || checked.error().code != voucher::VoucherError::revocation_unknown) co_return checked;
  // Of certificates that no handshake staples, or of servers that do not: before the join there is nobody to ask but
  // the registrar. Whatever it brings is signed by the CA.
  auto carried = co_await pki::est_revocation(*connection);
  if (!carried) co_return checked;
  std::ranges::move(carried->ocsp, std::back_inserter(evidence.ocsp));
  evidence.lists = std::move(carried->lists);
  co_return voucher::check_domain_revocation(granted, chain, evidence, now());
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::attempt(net::Endpoint endpoint, VoucherQuestion question) {
  auto imprinted = co_await imprint(std::move(endpoint), std::move(question));
  if (!imprinted) co_return fail(imprinted.error());
  Connection connection = imprinted->connection;
  co_return co_await enrol(std::move(connection), std::move(imprinted->granted), std::move(imprinted->voucher));
}

net::awaitable<Result<GrantedVoucher>> Pledge::request_voucher(net::Endpoint registrar, VoucherQuestion question) {
  auto imprinted = co_await impl_->imprint(std::move(registrar), std::move(question));
  if (!imprinted) co_return fail(imprinted.error());
  co_return GrantedVoucher{std::move(imprinted->granted), std::move(imprinted->voucher),
                           imprinted->connection->peer_chain()};
}

}  // namespace cahn::brski
