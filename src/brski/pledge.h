// The pledge of RFC 8995: a device that wants to belong to whoever its manufacturer's voucher names.
//
// onboard() tries candidates in turn. With each: provisional TLS, a voucher-request with a nonce of its own, the
// voucher's checks, and then on the same connection EST, or CMP. What comes out is kept in the state directory:
//
//   state/network -> network-<random>/     the link is replaced by rename: a crash leaves the old state or the new one
//     ldevid.key     the LDevID's private key, PKCS#8 PEM, 0600
//     ldevid.pem     the LDevID, then intermediate certificates if any
//     domain-ca.pem  the domain's CA certificates
//     voucher.cms    the voucher as it came
//     network.json   {"network","registrar","registrarHost","registrarPort","serialNumber"}
//
// Threads: one call at a time.

#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "base/time.h"
#include "brski/wire.h"
#include "crypto/chain.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "voucher/signed_voucher.h"

namespace cahn::brski {

// By what a pledge asks for its LDevID. either: by EST, and by CMP where the registrar does not offer that (RFC 9733
// 4.4: it learns by asking).
enum class Enrolment { either, est, cmp };

struct PledgeOptions {
  crypto::TlsIdentity idevid;       // chain with the maker's CA behind the leaf; its key signs voucher-requests
  crypto::TrustStore masa_anchors;  // decision 7
  std::vector<crypto::Certificate> masa_intermediates{};  // between those and a voucher's signer, if it brings none
  const Clock* clock = nullptr;               // one the device can trust; null: times are ignored (RFC 8995 2.6.1)
  std::filesystem::path state;                // made 0700; empty: nothing is kept (simulations)
  admission::Admission* admission = nullptr;  // C.1 and C.10; null: what RFC 8995 permits
  Enrolment enrolment = Enrolment::either;
  bool accept_nonceless = true;  // RFC 8995 7.2
  // RFC 8995 7.2: a file that somebody at the device itself puts there, for a network whose voucher cannot be had.
  // Once, a single candidate that leads to no valid voucher is then taken all the same: it is whoever it says it is.
  // The file goes before that, and when a voucher made it unnecessary. It must be a regular file of this user or root.
  // Empty: never.
  std::filesystem::path skip_voucher_once{};
  net::ClientLimits limits{};
  std::chrono::milliseconds longest_pause = std::chrono::seconds(60);  // between two askings, whatever Retry-After says
  std::chrono::milliseconds patience = std::chrono::days(4);           // with one registrar that answers 202 (5.6)
  std::function<void(const Progress&)> on_progress;                    // may be empty
};

// What a tool says in place of what a device would: what is not set is the device's own.
struct VoucherQuestion {
  std::optional<std::string> serial_number, nonce;
  std::optional<Time> created_on;
  std::optional<crypto::TlsIdentity> signer;            // signs the request instead of the IDevID
  std::optional<crypto::Certificate> registrar;         // the only one that is asked
  std::optional<crypto::TrustStore> registrar_anchors;  // only a registrar under these is asked
};

// A voucher that passed every check, and the registrar it was got from.
struct GrantedVoucher {
  voucher::Voucher voucher;
  Bytes cms;
  std::vector<crypto::Certificate> registrar;  // its chain, leaf first
};

// What a device has once it belongs to a network.
struct NetworkCredential {
  crypto::PrivateKeyPtr key;
  crypto::Certificate ldevid;
  std::vector<crypto::Certificate> domain_ca;  // anchors of the domain: registrar, RADIUS server
  Bytes voucher;                               // CMS
  std::string network;                         // the LDevID's CN: the SSID to join
  net::Endpoint registrar;
};

class Pledge {
 public:
  // Reads the state if there is one; makes the folder if there is none. Errors: bad_option, bad_state.
  static Result<std::unique_ptr<Pledge>> open(PledgeOptions);
  ~Pledge();

  // The credential it has; nullopt in factory state.
  const std::optional<NetworkCredential>& credential() const;
  // Where the files above are: state/network. Empty without a state directory.
  std::filesystem::path files() const;

  // Gets voucher and LDevID from the first candidate that leads to both. A device that has a credential keeps it and
  // contacts nobody (RFC 8995 5). Errors: no_registrar, or of a single candidate its own error.
  net::awaitable<Result<NetworkCredential>> onboard(std::vector<net::Endpoint> candidates);
  // C and D once more, for a device whose LDevID can no longer be renewed: a new voucher and a new LDevID, and only
  // from a registrar under the CA of the network it belongs to. A clock that was set wrong, or an announcement, gives
  // it to nobody else. The old credential stays until the new one is durable. Errors: bad_state (factory state),
  // no_registrar, or of a single candidate its own error.
  net::awaitable<Result<NetworkCredential>> onboard_again(std::vector<net::Endpoint> candidates);
  // C alone with one registrar, and nothing is kept: the voucher, its checks, the report of them. For tools.
  net::awaitable<Result<GrantedVoucher>> request_voucher(net::Endpoint registrar, VoucherQuestion question = {});
  // simplereenroll with a new key, over a connection that shows the LDevID and is trusted by the domain's CA and cmcRA.
  // The old credential stays until the new one is durable. Errors: bad_state (nothing to renew), registrar_refused, …
  net::awaitable<Result<NetworkCredential>> renew();
  // Forgets the network (RFC 8995 2.1): only IDevID and anchors remain.
  Result<void> factory_reset();

 private:
  struct Impl;
  explicit Pledge(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::brski
