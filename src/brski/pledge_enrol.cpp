// Enrolment of a pledge (RFC 8995 5.9): EST on the connection the voucher came over, and its renewal later. CMP is in
// pledge_cmp.cpp.

#include "brski/pledge_impl.h"
#include "crypto/csr.h"

namespace cahn::brski {
namespace {

using std::chrono::steady_clock;
using Connection = std::shared_ptr<net::HttpConnection>;

// Who the registrar is, is known once its chain leads to the domain's CA and it may act as registrar (RFC 7030 3.6.1):
// an LDevID of the same CA may not.
Result<void> check_is_registrar(const std::vector<crypto::Certificate>& chain,
                                const std::vector<crypto::Certificate>& domain_ca, std::optional<Time> now) {
  if (chain.empty()) return fail(BrskiError::not_the_registrar, "the server showed no certificate");
  const auto path = crypto::verify_chain(chain.front(), chain, crypto::TrustStore(domain_ca), now);
  if (!path) return fail(BrskiError::not_the_registrar, "the server is not of our domain: " + path.error().message);
  if (!chain.front().has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(BrskiError::not_the_registrar, "the server's certificate lacks id-kp-cmcRA; it is no registrar");
  }
  return {};
}

Result<crypto::TlsContext> as_member(const NetworkCredential& member) {
  crypto::TlsClientOptions tls;
  tls.identity = crypto::TlsIdentity{{member.ldevid}, member.key};
  // Registrars are known by CA and cmcRA, not by a name the device would have to know: open_as_member() judges before
  // anything is sent.
  tls.check = crypto::PeerCheck::provisional;
  return crypto::TlsContext::client(tls);
}

}  // namespace

Result<void> Pledge::Impl::check_issued(const crypto::Certificate& issued, const crypto::PublicKey& key,
                                        const std::vector<crypto::Certificate>& domain_ca) const {
  if (!(issued.public_key() == key)) return fail(BrskiError::bad_certificate, "the certificate is for another key");
  if (issued.subject_serial_number() != serial_number) {
    return fail(BrskiError::bad_certificate, "the certificate is for another serial number");
  }
  if (issued.is_ca()) return fail(BrskiError::bad_certificate, "the certificate is a CA's");
  const auto path = crypto::verify_chain(issued, domain_ca, crypto::TrustStore(domain_ca), now());
  if (!path) {
    return fail(BrskiError::bad_certificate,
                "the certificate does not lead to the domain's CA: " + path.error().message);
  }
  return {};
}

net::awaitable<Result<crypto::Certificate>> Pledge::Impl::ask_for_certificate(Connection& connection,
                                                                              pki::EstQuestion question,
                                                                              crypto::TlsContext tls) {
  const auto began = steady_clock::now();
  const auto deadline = began + options.patience;
  for (bool waited = false;; waited = true) {
    if (waited && !connection->is_open()) {  // the registrar may close a connection that only waits
      auto again = co_await reopen(connection, tls, options.limits);
      if (!again) co_return fail(again.error());
      connection = *std::move(again);
    }
    pki::EstQuestion same = question;  // RFC 7030 4.2.3
    auto answer = co_await pki::est_ask(*connection, std::move(same));
    if (!answer) co_return fail(answer.error(), question.reenroll ? "simplereenroll" : "simpleenroll");
    if (auto* issued = std::get_if<crypto::Certificate>(&*answer)) co_return std::move(*issued);
    const auto pause = pause_for(std::get<pki::EstLater>(*answer).retry_after, options.longest_pause);
    if (steady_clock::now() + pause > deadline) {
      co_return fail(BrskiError::gave_up, "the registrar did not decide on the certificate in time");
    }
    tell("D.6", "The LDevID is not decided on yet; asking again " + in_words(pause) + ".", {}, began);
    co_await net::sleep_for(pause);
  }
}

net::awaitable<Result<Pledge::Impl::Issued>> Pledge::Impl::request_by_est(Connection& connection,
                                                                          voucher::Voucher granted) {
  auto began = steady_clock::now();
  auto cas = co_await pki::est_cacerts(*connection);
  if (!cas) co_return fail(cas.error(), "cacerts");
  // RFC 8995 5.6.2: the pin is an anchor too, and the only one where the registrar names none.
  if (cas->empty()) cas->push_back(*granted.pinned_domain_cert);
  // RFC 8995 5.9.2: asked for always. The registrar decides names itself, so that nothing it may want is missing in the
  // CSR.
  auto attributes = co_await pki::est_csrattrs(*connection);
  if (!attributes && !connection->is_open()) co_return fail(attributes.error(), "csrattrs");
  tell("D.0", "Asked the domain for its CA certificates and wishes.", cas->back().subject_text(), began);

  began = steady_clock::now();
  auto key = crypto::generate_key(crypto::KeyType::p256);
  if (!key) co_return fail(key.error());
  crypto::CsrSpec spec;
  spec.subject = {{"serialNumber", serial_number}};
  const auto csr = crypto::make_csr(spec, **key);
  if (!csr) co_return fail(csr.error());
  tell("D.2", "Made a new key pair and a certificate request.", "the new key", began);

  began = steady_clock::now();
  pki::EstQuestion question{*csr, (*key)->public_key()};
  auto issued = co_await ask_for_certificate(connection, std::move(question), provisional);
  if (!issued) co_return fail(issued.error());
  CAHN_CO_CHECK(check_issued(*issued, (*key)->public_key(), *cas));
  tell("D.6", "Received the LDevID.", issued->issuer_text(), began);
  co_return Issued{*std::move(key), *std::move(issued), *std::move(cas)};
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::request_certificate(Connection& connection,
                                                                            voucher::Voucher granted, Bytes voucher) {
  Result<Issued> issued = fail(pki::PkiError::not_offered, "nothing was asked");
  if (options.enrolment != Enrolment::cmp) {
    voucher::Voucher same = granted;
    issued = co_await request_by_est(connection, std::move(same));
  }
  const bool other =
      options.enrolment == Enrolment::either && !issued && issued.error().code == pki::PkiError::not_offered;
  if (other) {
    tell("D.0", "The registrar does not offer EST; asking by CMP.", {}, steady_clock::now());
    if (!connection->is_open()) {
      auto again = co_await reopen(connection, provisional, options.limits);
      if (!again) co_return fail(again.error());
      connection = *std::move(again);
    }
  }
  if (other || options.enrolment == Enrolment::cmp) {
    issued = co_await request_by_cmp(connection, std::move(granted));
  }
  if (!issued) co_return fail(issued.error());
  std::string network = issued->ldevid.common_name().value_or("");
  co_return NetworkCredential{std::move(issued->key), std::move(issued->ldevid), std::move(issued->domain_ca),
                              std::move(voucher),     std::move(network),        connection->endpoint()};
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::enrol(Connection connection, voucher::Voucher granted,
                                                              Bytes voucher) {
  auto received = co_await request_certificate(connection, std::move(granted), std::move(voucher));
  if (!received) {
    // RFC 8995 5.9.4: a failure is reported over the connection on which it happened.
    StatusReport failure;
    failure.reason = "enrolment failed: " + std::string(received.error().code.name());
    co_await report(connection, std::string(path_enrol_status), std::move(failure));
    tell("D.6", "Enrolment failed: " + received.error().message + ".", {}, steady_clock::now(), false);
    co_return received;
  }
  const auto began = steady_clock::now();
  auto kept = state.save(*std::move(received));
  if (!kept) co_return fail(kept.error());
  credential = *kept;
  tell("D.7", "Kept the LDevID for the network '" + printable(kept->network) + "'.", {}, began);
  // RFC 8995 5.9.4: success is reported over a new connection that shows the LDevID. The device is enrolled whether or
  // not the report gets through.
  NetworkCredential member = *kept;
  auto tls = as_member(member);
  if (!tls) co_return kept;
  const auto member_connection = co_await open_as_member(std::move(member), *std::move(tls));
  if (member_connection) {
    StatusReport success;
    success.status = true;
    co_await report(*member_connection, std::string(path_enrol_status), std::move(success));
  }
  co_return kept;
}

net::awaitable<Result<Connection>> Pledge::Impl::open_as_member(NetworkCredential member, crypto::TlsContext tls) {
  net::Endpoint endpoint = member.registrar;
  auto opened = co_await net::HttpConnection::open(std::move(endpoint), &tls, options.limits);
  if (!opened) co_return fail(opened.error());
  CAHN_CO_CHECK(check_is_registrar((*opened)->peer_chain(), member.domain_ca, now()));
  co_return Connection(*std::move(opened));
}

net::awaitable<Result<NetworkCredential>> Pledge::Impl::renew() {
  if (!credential) co_return fail(BrskiError::bad_state, "there is no LDevID to renew");
  const auto began = steady_clock::now();
  NetworkCredential next = *credential;
  NetworkCredential member = next;
  const auto tls = as_member(member);
  if (!tls) co_return fail(tls.error());
  auto opened = co_await open_as_member(std::move(member), *tls);
  if (!opened) co_return fail(opened.error());
  Connection connection = *std::move(opened);
  auto key = crypto::generate_key(crypto::KeyType::p256);
  if (!key) co_return fail(key.error());
  crypto::CsrSpec spec;  // RFC 7030 4.2.2: the names of the certificate that is renewed
  spec.subject = next.ldevid.subject();
  spec.uris = next.ldevid.uris();
  spec.dns_names = next.ldevid.dns_names();
  const auto csr = crypto::make_csr(spec, **key);
  if (!csr) co_return fail(csr.error());
  pki::EstQuestion question{*csr, (*key)->public_key(), true};
  auto issued = co_await ask_for_certificate(connection, std::move(question), *tls);
  if (!issued) co_return fail(issued.error());
  CAHN_CO_CHECK(check_issued(*issued, (*key)->public_key(), next.domain_ca));
  next.key = *std::move(key);
  next.ldevid = *std::move(issued);
  auto kept = state.save(std::move(next));
  if (!kept) co_return fail(kept.error());
  credential = *kept;
  tell("D.7", "Renewed the LDevID.", kept->ldevid.issuer_text(), began);
  co_return kept;
}

}  // namespace cahn::brski
