#include <algorithm>

#include "base/log.h"
#include "pki/est_client.h"
#include "pki/upstream.h"

namespace cahn::pki {

std::unexpected<Error> upstream_failure(const std::string& url, const Error& error) {
  if (error.code == PkiError::undecided) {
    return fail(PkiError::undecided, "the CA has not decided about this request yet");
  }
  log::error("PKI_UPSTREAM_FAILED", "the upstream CA issued no certificate", {{"url", url}, {"error", error.message}});
  if (error.code == PkiError::server_refused) return fail(PkiError::not_permitted, "the CA refuses this request");
  return fail(PkiError::unavailable, "the upstream CA: " + error.message);
}

Result<void> check_upstream_certificate(const crypto::Certificate& issued, const IssueRequest& request,
                                        const UpstreamOptions& options, Time now) {
  const auto refuse = [](const std::string& what) {
    return fail(PkiError::bad_answer, "the upstream CA's certificate is not what was asked for: " + what);
  };
  const auto beyond = [](const std::vector<std::string>& names, const std::vector<std::string>& granted) {
    return std::ranges::any_of(names,
                               [&](const auto& name) { return std::ranges::find(granted, name) == granted.end(); });
  };
  if (issued.public_key() != request.csr.public_key()) return refuse("it is for another key");
  if (issued.subject() != request.subject) return refuse("its subject is " + issued.subject_text());
  if (beyond(issued.dns_names(), request.dns_names) || beyond(issued.uris(), request.uris)) {
    return refuse("it has an alternative name that was not granted");
  }
  if (issued.is_ca()) return refuse("it is a CA's");
  if (request.profile != Profile::registrar && issued.has_extended_key_usage(crypto::oid_cmc_ra)) {
    return refuse("it is a registration authority's");
  }
  if (auto path = crypto::verify_chain(issued, options.ca_certificates, options.ca_anchors, now); !path) {
    return refuse(path.error().message);
  }
  return {};
}

namespace {

class EstIssuer final : public Issuer {
 public:
  EstIssuer(UpstreamOptions options, net::Url url, crypto::TlsContext tls, const Clock& clock)
      : options_(std::move(options)), url_(std::move(url)), tls_(std::move(tls)), clock_(clock) {}

  std::vector<crypto::Certificate> ca_certificates() const override { return options_.ca_certificates; }
  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override;

 private:
  net::awaitable<Result<crypto::Certificate>> enrol(Bytes csr) const;

  const UpstreamOptions options_;
  const net::Url url_;
  const crypto::TlsContext tls_;
  const Clock& clock_;
};

net::awaitable<Result<crypto::Certificate>> EstIssuer::enrol(Bytes csr) const {
  net::Endpoint endpoint = url_.endpoint;
  auto opening = net::HttpConnection::open(std::move(endpoint), &tls_, options_.limits);
  CAHN_CO_TRY(const auto connection, co_await std::move(opening));
  const std::string label = url_.path.substr(1);
  auto enrolling = est_enroll(*connection, csr, false, label);
  co_return co_await std::move(enrolling);
}

boost::asio::awaitable<Result<IssuedCertificate>> EstIssuer::issue(IssueRequest request) {
  if (request.csr.is_crmf() || request.csr.subject() != request.subject) {
    co_return fail(PkiError::not_permitted,
                   "the CA behind this server takes only PKCS#10 requests for the very subject that is granted: " +
                       crypto::to_text(request.subject));
  }
  auto enrolling = enrol(request.csr.der());
  auto issued = co_await std::move(enrolling);
  if (issued) {
    if (auto checked = check_upstream_certificate(*issued, request, options_, clock_.now()); !checked) {
      issued = std::unexpected(checked.error());
    }
  }
  if (issued) co_return IssuedCertificate{*std::move(issued), options_.ca_certificates};
  co_return upstream_failure(options_.url, issued.error());
}

}  // namespace

Result<std::unique_ptr<Issuer>> est_issuer(UpstreamOptions options, const Clock& clock) {
  CAHN_TRY(auto url, net::parse_url(options.url));
  if (!url.tls) return fail(PkiError::bad_request, "an upstream EST CA needs https:");
  CAHN_TRY(auto tls, crypto::TlsContext::client({.identity = options.identity, .anchors = options.tls_anchors}));
  return std::make_unique<EstIssuer>(std::move(options), std::move(url), std::move(tls), clock);
}

}  // namespace cahn::pki
