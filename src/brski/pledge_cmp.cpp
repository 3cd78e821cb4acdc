// Enrolment by CMP in place of EST (RFC 9733, RFC 9483): on the same connection, which is trusted by then, with
// messages signed by the IDevID and answers held against what the voucher pins.

#include "brski/pledge_impl.h"
#include "crypto/cmp.h"

namespace cahn::brski {
namespace {

using std::chrono::steady_clock;
using Connection = std::shared_ptr<net::HttpConnection>;

constexpr std::string_view path_cmp_initialization = "/.well-known/cmp/initialization";
constexpr std::string_view path_cmp_ca_certificates = "/.well-known/cmp/getcacerts";
constexpr std::string_view oid_cmc_ca = "1.3.6.1.5.5.7.3.27";

// RFC 9733 5.1: answers are validated with the pinned-domain-cert. Of the pinned CA's certificates only those of a
// registration authority or a CA may answer, or any member of the domain could.
Result<void> check_answerer(const crypto::Certificate& signer, std::span<const crypto::Certificate> others,
                            const voucher::Voucher& granted, std::optional<Time> now) {
  std::vector<crypto::Certificate> chain{signer};
  chain.insert(chain.end(), others.begin(), others.end());
  CAHN_CHECK(voucher::check_pin(granted, chain, now));
  const bool may = signer == *granted.pinned_domain_cert || signer.is_ca() ||
                   signer.has_extended_key_usage(crypto::oid_cmc_ra) || signer.has_extended_key_usage(oid_cmc_ca);
  if (!may) return fail(BrskiError::not_the_registrar, "it is neither a registrar nor a CA of the domain");
  return {};
}

// Trusts nothing beyond what was pinned: what the registrar tells of CA certificates came in a message that was held
// against the pin.
std::vector<crypto::Certificate> anchors_of(Result<std::vector<crypto::Certificate>> told,
                                            const voucher::Voucher& granted) {
  std::vector<crypto::Certificate> anchors;
  if (told) anchors = *std::move(told);
  if (anchors.empty()) anchors.push_back(*granted.pinned_domain_cert);  // RFC 8995 5.6.2
  return anchors;
}

}  // namespace

net::awaitable<Result<pki::CmpIssued>> Pledge::Impl::ask_for_certificate_by_cmp(
    Connection& connection, std::shared_ptr<const pki::CmpParties> parties, pki::CmpConversation& conversation,
    Bytes request) {
  const auto began = steady_clock::now();
  const auto deadline = began + options.patience;
  for (bool waited = false;; waited = true) {
    if (waited && !connection->is_open()) {  // the registrar may close a connection that only waits
      auto again = co_await reopen(connection, provisional, options.limits);
      if (!again) co_return fail(again.error());
      connection = *std::move(again);
    }
    const bool polls = !conversation.our_nonce.empty();
    Bytes same = request;
    auto answer = co_await pki::cmp_ask(connection, parties, conversation, std::move(same));
    std::optional<std::chrono::seconds> after;
    if (answer) {
      if (auto* issued = std::get_if<pki::CmpIssued>(&*answer)) co_return std::move(*issued);
      after = std::get<pki::CmpLater>(*answer).check_after;
      // RFC 9483 4.4: the first poll follows at once; how long to wait is said by its answer.
      if (!polls) continue;
    } else if (polls && conversation.broken) {
      // A registrar that was started anew has forgotten what waited: the same request, as a new transaction.
      conversation = pki::CmpConversation::begin();
    } else {
      co_return fail(answer.error(), "initialization");
    }
    const auto pause = pause_for(after, options.longest_pause);
    if (steady_clock::now() + pause > deadline) {
      co_return fail(BrskiError::gave_up, "the registrar did not decide on the certificate in time");
    }
    tell("D.6", "The LDevID is not decided on yet; asking again " + in_words(pause) + ".", {}, began);
    co_await net::sleep_for(pause);
  }
}

net::awaitable<Result<Pledge::Impl::Issued>> Pledge::Impl::request_by_cmp(Connection& connection,
                                                                          voucher::Voucher granted) {
  auto began = steady_clock::now();
  pki::CmpParties parties;
  parties.signer = options.idevid;
  const auto recipient = crypto::general_name(granted.pinned_domain_cert->subject());
  if (!recipient) co_return fail(recipient.error());
  parties.recipient = *recipient;
  parties.check = [this, granted](const crypto::Certificate& signer, std::span<const crypto::Certificate> others) {
    return check_answerer(signer, others, granted, now());
  };
  parties.path = path_cmp_ca_certificates;
  auto asked = std::make_shared<const pki::CmpParties>(parties);
  auto told = co_await pki::cmp_ca_certificates(connection, asked);
  // One that answers, but does not tell, is no reason not to go on; one that is not there is, and so is a false answer.
  if (!told && told.error().code != pki::PkiError::server_refused) co_return fail(told.error(), "getcacerts");
  const auto anchors = anchors_of(std::move(told), granted);
  tell("D.0", "Asked the domain for its CA certificates.", anchors.back().subject_text(), began);

  began = steady_clock::now();
  auto key = crypto::generate_key(crypto::KeyType::p256);
  if (!key) co_return fail(key.error());
  auto request = crypto::cmp_request({{"serialNumber", serial_number}}, **key, {}, {});
  if (!request) co_return fail(request.error());
  tell("D.2", "Made a new key pair and a certificate request.", "the new key", began);

  began = steady_clock::now();
  parties.path = path_cmp_initialization;
  asked = std::make_shared<const pki::CmpParties>(std::move(parties));
  pki::CmpConversation conversation = pki::CmpConversation::begin();
  auto issued = co_await ask_for_certificate_by_cmp(connection, asked, conversation, *std::move(request));
  if (!issued) co_return fail(issued.error());
  const auto checked = check_issued(issued->certificate, (*key)->public_key(), anchors);
  std::optional<std::string> refusal;
  if (!checked) refusal = checked.error().message;
  crypto::Certificate ldevid = issued->certificate;
  if (!issued->confirmed) {
    // Before it is kept: what is not confirmed is revoked, and a device that kept it would not come again.
    auto confirmed = co_await pki::cmp_confirm(connection, asked, conversation, *std::move(issued), std::move(refusal));
    if (checked && !confirmed) co_return fail(confirmed.error(), "certConf");
  }
  if (!checked) co_return fail(checked.error());
  tell("D.6", "Received the LDevID.", ldevid.issuer_text(), began);
  co_return Issued{*std::move(key), std::move(ldevid), anchors};
}

}  // namespace cahn::brski
