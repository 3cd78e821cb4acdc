// The inside of the pledge: one attempt with one registrar (pledge.cpp, pledge_enrol.cpp) and what is kept of it
// (pledge_state.cpp).

#pragma once

#include "base/file.h"
#include "brski/pledge.h"
#include "pki/cmp_client.h"
#include "pki/est_client.h"

namespace cahn::brski {

// The files of a device. A credential is written into a folder of its own and becomes the device's by one rename.
class PledgeState {
 public:
  static Result<PledgeState> open(const std::filesystem::path& directory);
  // Nothing is kept.
  static PledgeState nowhere() { return PledgeState(std::nullopt); }

  Result<std::optional<NetworkCredential>> load() const;
  // Durable when it returns; the credential it gives back has its key by file.
  Result<NetworkCredential> save(NetworkCredential) const;
  Result<void> forget() const;
  std::filesystem::path files() const;

 private:
  explicit PledgeState(std::optional<StateDirectory> directory) : directory_(std::move(directory)) {}
  Result<NetworkCredential> read_credential() const;
  void remove_leftovers() const;

  std::optional<StateDirectory> directory_;
};

struct Pledge::Impl {
  Impl(PledgeOptions, std::string serial_number, crypto::TlsContext provisional, PledgeState);

  std::optional<Time> now() const { return options.clock ? std::optional(options.clock->now()) : std::nullopt; }
  void tell(std::string_view stage, std::string what, std::string signer, std::chrono::steady_clock::time_point began,
            bool done = true) const;
  // C.1 and C.10. Errors: forbidden.
  net::awaitable<Result<void>> ask_policy(admission::PolicyPoint, std::optional<voucher::Voucher>);

  // A voucher, and the connection it came over, which is trusted from here on.
  struct Imprinted {
    std::shared_ptr<net::HttpConnection> connection;
    voucher::Voucher granted;
    Bytes voucher;
  };
  // Follows one redirect, and not a second (RFC 8995 5.6, decision 62).
  net::awaitable<Result<Imprinted>> imprint(net::Endpoint, VoucherQuestion);
  // With one server. `sent_on` is set where it sends the pledge elsewhere instead of answering.
  net::awaitable<Result<Imprinted>> imprint_at(net::Url, VoucherQuestion, std::optional<net::Url>& sent_on);
  // C.10: what came must be the voucher that was asked for, and pin the registrar it came from.
  net::awaitable<Result<voucher::Voucher>> judge_voucher(std::shared_ptr<net::HttpConnection>, Bytes received,
                                                         VoucherQuestion);
  // REQUIRES: everything else about the voucher and the connection holds. RFC 8366 5.3: where the voucher demands it,
  // the domain's certificates are looked up, in what the handshake stapled and what cacerts carries.
  net::awaitable<Result<void>> check_revocation(std::shared_ptr<net::HttpConnection>, voucher::Voucher);
  // RFC 8995 7.2, see PledgeOptions::skip_voucher_once: enrols with a registrar that nobody vouches for, if somebody at
  // the device wants that. Errors: `why`, where nobody does.
  net::awaitable<Result<NetworkCredential>> skip_voucher(net::Endpoint, Error why);
  // C and D with one registrar, on one connection.
  net::awaitable<Result<NetworkCredential>> attempt(net::Endpoint, VoucherQuestion);
  // That with one candidate after the other, until one leads to a credential.
  net::awaitable<Result<NetworkCredential>> try_each(std::vector<net::Endpoint> candidates, VoucherQuestion);
  // D.1 to D.7: `connection` is trusted from here on.
  net::awaitable<Result<NetworkCredential>> enrol(std::shared_ptr<net::HttpConnection> connection,
                                                  voucher::Voucher granted, Bytes voucher);
  net::awaitable<Result<NetworkCredential>> request_certificate(std::shared_ptr<net::HttpConnection>& connection,
                                                                voucher::Voucher granted, Bytes voucher);
  // What both protocols lead to. Errors: not_offered where the registrar does not know the protocol, …
  struct Issued {
    crypto::PrivateKeyPtr key;
    crypto::Certificate ldevid;
    std::vector<crypto::Certificate> domain_ca;
  };
  net::awaitable<Result<Issued>> request_by_est(std::shared_ptr<net::HttpConnection>& connection,
                                                voucher::Voucher granted);
  net::awaitable<Result<Issued>> request_by_cmp(std::shared_ptr<net::HttpConnection>& connection,
                                                voucher::Voucher granted);
  // ir, and polls for as long as the pledge has patience. Errors: gave_up, …
  net::awaitable<Result<pki::CmpIssued>> ask_for_certificate_by_cmp(std::shared_ptr<net::HttpConnection>&,
                                                                    std::shared_ptr<const pki::CmpParties>,
                                                                    pki::CmpConversation&, Bytes request);
  // D.2 to D.6 for a CSR, asked again after each 202 for as long as the pledge has patience. Errors: gave_up, …
  net::awaitable<Result<crypto::Certificate>> ask_for_certificate(std::shared_ptr<net::HttpConnection>&,
                                                                  pki::EstQuestion, crypto::TlsContext);
  net::awaitable<Result<NetworkCredential>> renew();
  // A connection that shows the LDevID (with as_member()), to a registrar of our domain.
  net::awaitable<Result<std::shared_ptr<net::HttpConnection>>> open_as_member(NetworkCredential, crypto::TlsContext);
  // The issued certificate must be ours, for our key, and of our domain. Errors: bad_certificate.
  Result<void> check_issued(const crypto::Certificate& issued, const crypto::PublicKey& key,
                            const std::vector<crypto::Certificate>& domain_ca) const;

  PledgeOptions options;
  std::string serial_number;
  crypto::TlsContext provisional;
  PledgeState state;
  std::optional<NetworkCredential> credential;
};

// Removes the file of PledgeOptions::skip_voucher_once, durably. True if it was there and may count.
Result<bool> use_up_skip(const std::filesystem::path&);

// How long to wait after a 202: what the registrar asks for, but not more than the pledge allows (RFC 8995 5.6), and
// not so little that a registrar could make it spin.
std::chrono::milliseconds pause_for(std::optional<std::chrono::seconds> asked, std::chrono::milliseconds longest);

// The pause as a person is told of it: "in 5 s", "in 250 ms".
std::string in_words(std::chrono::milliseconds pause);

// Another connection to the same registrar, which must show the very certificates it showed on the old one (RFC 8995
// 5). Errors: not_the_registrar, or the connection's.
net::awaitable<Result<std::shared_ptr<net::HttpConnection>>> reopen(std::shared_ptr<net::HttpConnection>,
                                                                    crypto::TlsContext, net::ClientLimits);

// Posts a report; what comes back is of no interest (RFC 8995 5.7).
net::awaitable<void> report(std::shared_ptr<net::HttpConnection> connection, std::string path, StatusReport what);

}  // namespace cahn::brski
