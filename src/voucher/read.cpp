#include <algorithm>

#include "voucher/jws.h"
#include "voucher/pledge_checks.h"

namespace cahn::voucher {
namespace {

// How far the clocks of a MASA and a pledge may be apart before a voucher is one from the future.
constexpr std::chrono::minutes clock_skew{5};

VoucherError meaning(const Error& error) {
  if (error.code == crypto::CryptoError::bad_signature) return VoucherError::bad_signature;
  if (error.code == crypto::CryptoError::untrusted) return VoucherError::signer_not_trusted;
  return VoucherError::not_cms;
}

Result<SignedVoucher> open_jws(ByteView jws, Root root, Reading reading,
                               std::span<const crypto::Certificate> known_signers) {
  CAHN_TRY(JwsMessage message, verify_jws(jws, reading, known_signers));
  CAHN_TRY(Voucher voucher, from_json(as_text(message.payload), root, reading));
  return SignedVoucher{std::move(voucher), std::move(message.signer), std::move(message.certificates), std::nullopt,
                       to_bytes(jws)};
}

bool is_anchor(const crypto::Certificate& certificate, const crypto::TrustStore& anchors) {
  return std::find(anchors.anchors().begin(), anchors.anchors().end(), certificate) != anchors.anchors().end();
}

bool issued(const crypto::Certificate& issuer, const crypto::Certificate& certificate) {
  return issuer.subject() == certificate.issuer() && certificate.signed_by(issuer.public_key());
}

// Decision 7: one CA may have signed the IDevIDs and the MASA, so that a path alone proves nothing.
Result<void> check_signer(const SignedVoucher& opened, const PledgeExpectation& expected) {
  CAHN_TRY(const auto path, masa_path(opened, expected.intermediates, expected.masa_anchors, expected.now));
  if (is_anchor(opened.signer, expected.masa_anchors)) return {};
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (issued(path[i], expected.idevid)) {
      return fail(VoucherError::signer_is_not_the_masa,
                  "the signer " + opened.signer.subject_text() + " was issued by a CA that also issues devices");
    }
  }
  return {};
}

Result<void> check_serial(const Voucher& voucher, const crypto::Certificate& idevid) {
  const auto own = idevid.subject_serial_number();
  if (!own || voucher.serial_number != *own) {
    return fail(VoucherError::wrong_serial, "the voucher is for " + voucher.serial_number + ", this device is " +
                                                own.value_or("one without a serial number"));
  }
  return {};
}

// Decision 4: the whole AuthorityKeyIdentifier, or the key identifier in it. RFC 8366bis 5.3 makes one from the own key
// where the IDevID has none.
Result<void> check_issuer(const Voucher& voucher, const crypto::Certificate& idevid) {
  if (!voucher.idevid_issuer) return {};
  const Bytes& named = *voucher.idevid_issuer;
  if (named == idevid.authority_key_identifier_der() || named == idevid.authority_key_identifier()) return {};
  if (!idevid.authority_key_identifier_der()) {
    const Bytes own = idevid.public_key().key_identifier();
    Bytes wrapped{0x30, 0x16, 0x80, 0x14};  // AuthorityKeyIdentifier { [0] keyIdentifier }
    wrapped.insert(wrapped.end(), own.begin(), own.end());
    if (named == own || named == wrapped) return {};
  }
  return fail(VoucherError::wrong_issuer, "the voucher is for a device of another issuer");
}

Result<void> check_assertion(const Voucher& voucher, const PledgeExpectation& expected) {
  const bool accepted = (voucher.assertion == Assertion::logged && expected.accept_logged) ||
                        (voucher.assertion == Assertion::verified && expected.accept_verified) ||
                        (voucher.assertion == Assertion::proximity && expected.accept_proximity);
  if (accepted) return {};
  return fail(VoucherError::assertion_refused,
              "this device does not accept the assertion " +
                  std::string(voucher.assertion ? to_text(*voucher.assertion) : std::string_view("(none)")));
}

}  // namespace

Result<std::vector<crypto::Certificate>> masa_path(const SignedVoucher& opened,
                                                   std::span<const crypto::Certificate> further,
                                                   const crypto::TrustStore& anchors, std::optional<Time> now) {
  const auto& signer = opened.signer;
  std::vector<crypto::Certificate> between = opened.certificates;
  between.insert(between.end(), further.begin(), further.end());
  auto path = crypto::verify_chain(signer, between, anchors, now);
  if (!path) return fail(VoucherError::signer_not_trusted, path.error().message);
  const auto refuse = [&](const char* why) {
    return fail(VoucherError::signer_is_not_the_masa, "the signer " + signer.subject_text() + " " + why);
  };
  if (!signer.allows_digital_signature()) return refuse("may sign certificates only");
  if (is_anchor(signer, anchors)) return path;
  if (signer.is_ca()) return refuse("is a CA");
  if (signer.masa_url() || signer.subject_serial_number()) return refuse("is a device");
  return path;
}

Result<void> check_nonce(const Voucher& voucher, const std::optional<std::string>& sent, bool nonceless_allowed) {
  if (!voucher.nonce) {
    if (nonceless_allowed) return {};
    return fail(VoucherError::wrong_nonce, "the voucher has no nonce, and this device wants one");
  }
  if (voucher.nonce != sent) return fail(VoucherError::wrong_nonce, "the voucher answers another request");
  return {};
}

Result<void> check_times(const SignedVoucher& opened, std::optional<Time> now) {
  if (!now) return {};
  const auto& voucher = opened.voucher;
  if (voucher.expires_on && *voucher.expires_on <= *now) {
    return fail(VoucherError::expired, "the voucher expired on " + rfc3339(*voucher.expires_on));
  }
  for (const auto& time : {voucher.created_on, opened.signing_time}) {
    if (time && *time > *now + clock_skew) {
      return fail(VoucherError::not_yet_valid, "the voucher is from the future: " + rfc3339(*time));
    }
  }
  return {};
}

Result<SignedVoucher> open(Format format, ByteView octets, Root root, Reading reading,
                           std::span<const crypto::Certificate> known_signers) {
  if (format == Format::jws) return open_jws(octets, root, reading, known_signers);
  return open(octets, root, reading, known_signers);
}

Result<SignedVoucher> open(ByteView cms, Root root, Reading reading,
                           std::span<const crypto::Certificate> known_signers) {
  const auto message = crypto::SignedMessage::verify(cms, known_signers);
  if (!message) return fail(meaning(message.error()), message.error().message);
  if (message->content_type() != crypto::oid_anima_json_voucher && message->content_type() != crypto::oid_id_data) {
    return fail(VoucherError::wrong_content_type, "the content type is " + message->content_type());
  }
  CAHN_TRY(Voucher voucher, from_json(as_text(message->content()), root, reading));
  return SignedVoucher{std::move(voucher), message->signer(), message->certificates(), message->signing_time(),
                       to_bytes(cms)};
}

Result<Voucher> read_as_pledge(ByteView signed_voucher, const PledgeExpectation& expected) {
  CAHN_TRY(SignedVoucher opened,
           open(expected.format, signed_voucher, Root::voucher, expected.reading, expected.masa_anchors.anchors()));
  CAHN_CHECK(check_signer(opened, expected));
  CAHN_CHECK(check_serial(opened.voucher, expected.idevid));
  CAHN_CHECK(check_nonce(opened.voucher, expected.nonce, expected.nonceless_allowed));
  CAHN_CHECK(check_times(opened, expected.now));
  CAHN_CHECK(check_issuer(opened.voucher, expected.idevid));
  CAHN_CHECK(check_assertion(opened.voucher, expected));
  // RFC 8995 5.6.1: a voucher without a pin is a failure that the pledge survives.
  if (!opened.voucher.pinned_domain_cert) return fail(VoucherError::no_pin, "the voucher pins no certificate");
  return std::move(opened.voucher);
}

Result<void> check_pin(const Voucher& voucher, std::span<const crypto::Certificate> registrar_chain,
                       std::optional<Time> now) {
  if (!voucher.pinned_domain_cert) return fail(VoucherError::no_pin, "the voucher pins no certificate");
  if (registrar_chain.empty()) return fail(VoucherError::pin_mismatch, "the registrar showed no certificate");
  const auto& leaf = registrar_chain.front();
  if (leaf.public_key() == voucher.pinned_domain_cert->public_key()) {
    if (now && !leaf.valid_at(*now)) return fail(VoucherError::expired, "the registrar's certificate is not valid now");
    return {};
  }
  // RFC 8995 5.6.2: the pin is the only anchor.
  const crypto::TrustStore pin({*voucher.pinned_domain_cert});
  const auto path = crypto::verify_chain(leaf, registrar_chain.subspan(1), pin, now);
  if (path) return {};
  const bool expired = path.error().code == crypto::CryptoError::expired;
  return fail(expired ? VoucherError::expired : VoucherError::pin_mismatch,
              "the registrar's certificate does not lead to the pin: " + path.error().message);
}

}  // namespace cahn::voucher
