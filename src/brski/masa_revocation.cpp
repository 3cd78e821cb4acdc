#include "brski/masa_revocation.h"

#include <algorithm>
#include <iterator>

#include "base/ascii.h"
#include "crypto/ocsp.h"

namespace cahn::brski {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t max_addresses_of_a_kind = 2;
constexpr std::size_t max_kept = 256;
constexpr std::size_t max_kept_octets = std::size_t{16} << 20;
constexpr int max_under_way = 8;
constexpr std::chrono::seconds time_for_one_certificate{10};
constexpr std::chrono::seconds failure_is_kept_for{30};
constexpr std::chrono::hours longest_kept{24};
constexpr std::size_t ocsp_nonce_octets = 32;  // RFC 9654 2.1

struct UnderWay {
  explicit UnderWay(std::atomic<int>& count) : count(count), before(count.fetch_add(1)) {}
  ~UnderWay() { count.fetch_sub(1); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  std::atomic<int>& count;
  const int before;
};

}  // namespace

struct RevocationSources::Question {
  std::string address;
  bool ocsp;
  crypto::Certificate certificate, issuer;
  Time now;

  // A list says the same of all certificates of its issuer.
  std::string key() const {
    return (ocsp ? "ocsp " + hex(certificate.fingerprint()) : "list") + " " + hex(issuer.fingerprint()) + " " + address;
  }
  // Nothing but what the issuer answers for is kept.
  Result<Kept> read(Bytes body, ByteView nonce) const {
    Kept kept;
    kept.octets = body.size();
    if (ocsp) {
      CAHN_TRY(const auto standing, crypto::read_ocsp_response(body, certificate, issuer, now, nonce));
      kept.until = standing.next_update;
      kept.evidence.ocsp.push_back(std::move(body));
      return kept;
    }
    CAHN_TRY(auto list, crypto::Crl::from_der(body));
    if (!list.is_of(issuer)) {
      return fail(BrskiError::unavailable, "the list is not one of " + issuer.subject_text());
    }
    if (list.next_update() <= now) return fail(BrskiError::unavailable, "the list is out of date");
    kept.until = list.next_update();
    kept.evidence.lists.push_back(std::move(list));
    return kept;
  }
};

Result<std::shared_ptr<RevocationSources>> RevocationSources::create(RevocationLookup lookup) {
  std::shared_ptr<RevocationSources> sources(new RevocationSources(std::move(lookup)));
  for (const std::string& host : sources->lookup_.hosts) {
    auto endpoint = net::parse_endpoint(host, 80);
    const auto of_https = net::parse_endpoint(host, 443);
    if (!endpoint || !of_https || endpoint->host.empty() || host.contains('/')) {
      return fail(BrskiError::bad_option, "'" + printable(host, 80) + "' is no host, nor host and port, to ask there");
    }
    if (endpoint->port != of_https->port) endpoint->port = 0;
    sources->allowed_.push_back(*std::move(endpoint));
  }
  return sources;
}

bool RevocationSources::is_allowed(const net::Url& url) const {
  const std::uint16_t usual = url.tls ? 443 : 80;
  return std::ranges::any_of(allowed_, [&](const net::Endpoint& one) {
    return ascii::equal_without_case(one.host, url.endpoint.host) &&
           url.endpoint.port == (one.port == 0 ? usual : one.port);
  });
}

std::optional<RevocationSources::Kept> RevocationSources::kept(const std::string& key, Time now) {
  const std::scoped_lock lock(mutex_);
  const auto found = kept_.find(key);
  if (found == kept_.end() || found->second.until <= now) return std::nullopt;
  return found->second;
}

void RevocationSources::keep(std::string key, Kept one, Time now) {
  const std::scoped_lock lock(mutex_);
  const auto remove = [&](auto entry) {
    octets_ -= entry->second.octets;
    return kept_.erase(entry);
  };
  for (auto entry = kept_.begin(); entry != kept_.end();) {
    entry = entry->second.until <= now || entry->first == key ? remove(entry) : std::next(entry);
  }
  if (one.octets > max_kept_octets) return;
  while (!kept_.empty() && (kept_.size() >= max_kept || octets_ + one.octets > max_kept_octets)) {
    remove(std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.until; }));
  }
  octets_ += one.octets;
  kept_.emplace(std::move(key), std::move(one));
}

net::awaitable<Result<Bytes>> RevocationSources::fetch(net::Url url, net::HttpRequest request) {
  // What comes is signed, and its signer is the CA that is asked about: who carries it does not matter.
  crypto::TlsClientOptions anybody;
  anybody.check = crypto::PeerCheck::provisional;
  CAHN_CO_TRY(const auto tls, crypto::TlsContext::client(anybody));
  request.path = url.path;
  request.query = url.query;
  net::Endpoint endpoint = url.endpoint;
  auto connection = co_await net::HttpConnection::open(std::move(endpoint), url.tls ? &tls : nullptr, lookup_.limits);
  if (!connection) co_return fail(connection.error());
  auto answer = co_await (*connection)->send(std::move(request));
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) {
    co_return fail(BrskiError::unavailable, "it answered " + std::to_string(answer->status));
  }
  co_return std::move(answer->body);
}

net::awaitable<Result<RevocationSources::Kept>> RevocationSources::ask_one(std::shared_ptr<RevocationSources> self,
                                                                           std::shared_ptr<const Question> question) {
  auto url = net::parse_url(question->address);
  if (!url) co_return fail(BrskiError::unavailable, "it is no http: or https: URL");
  if (!self->is_allowed(*url)) co_return fail(BrskiError::forbidden, "this MASA is not told to ask that host");
  const UnderWay one(self->under_way_);
  if (one.before >= max_under_way) co_return fail(BrskiError::unavailable, "too many others are being asked for");
  net::HttpRequest request;
  Bytes nonce;
  if (question->ocsp) {
    nonce = random_bytes(ocsp_nonce_octets);
    CAHN_CO_TRY(request.body, crypto::make_ocsp_request(question->certificate, question->issuer, nonce));
    request.method = "POST";
    request.headers.set("Content-Type", "application/ocsp-request");
  }
  net::Url where = *std::move(url);
  auto body = co_await self->fetch(std::move(where), std::move(request));
  if (!body) co_return fail(body.error());
  co_return question->read(*std::move(body), nonce);
}

net::awaitable<RevocationSources::Found> RevocationSources::ask(std::shared_ptr<RevocationSources> self,
                                                                crypto::Certificate certificate,
                                                                crypto::Certificate issuer, Time now) {
  const auto deadline = steady_clock::now() + time_for_one_certificate;
  std::vector<std::pair<std::string, bool>> addresses;
  for (const bool ocsp : {true, false}) {
    auto urls = ocsp ? certificate.ocsp_urls() : certificate.crl_urls();
    if (urls.size() > max_addresses_of_a_kind) urls.resize(max_addresses_of_a_kind);
    for (std::string& url : urls) addresses.emplace_back(std::move(url), ocsp);
  }
  Found found;
  for (const auto& [address, ocsp] : addresses) {
    const auto question = std::make_shared<const Question>(Question{address, ocsp, certificate, issuer, now});
    auto known = self->kept(question->key(), now);
    if (!known) {
      if (steady_clock::now() >= deadline) {
        found.failures.push_back(address + ": no time was left");
        continue;
      }
      auto got = co_await ask_one(self, question);
      if (got) {
        got->until = std::min(got->until, now + longest_kept);
        known = *std::move(got);
      } else {
        known = Kept{.evidence = {}, .octets = 0, .until = now + failure_is_kept_for, .failure = got.error().message};
      }
      Kept copy = *known;
      self->keep(question->key(), std::move(copy), now);
    }
    if (!known->failure.empty()) {
      found.failures.push_back(address + ": " + known->failure);
      continue;
    }
    found.evidence = std::move(known->evidence);
    if (crypto::revocation_standing(certificate, issuer, found.evidence, now).status !=
        crypto::RevocationStanding::Status::unknown) {
      co_return found;
    }
    found.failures.push_back(address + ": it does not know the certificate");
  }
  co_return found;
}

}  // namespace cahn::brski
