#include "apps/brski/artefact_commands.h"

#include <cstdio>

#include "apps/brski/artefact.h"
#include "apps/brski/ini.h"
#include "apps/brski/ini_files.h"
#include "apps/common/certificate_files.h"
#include "base/file.h"
#include "brski/wire.h"

namespace cahn::apps::tool {
namespace {

using voucher::Reading;
using voucher::Root;
using voucher::VoucherError;

struct ReadDocument {
  voucher::Voucher voucher;
  Root root;
};

Result<ReadDocument> read_document(std::string_view json, Reading reading) {
  auto as_voucher = voucher::from_json(json, Root::voucher, reading);
  if (as_voucher) return ReadDocument{*std::move(as_voucher), Root::voucher};
  if (!(as_voucher.error().code == VoucherError::wrong_root)) return std::unexpected(as_voucher.error());
  auto as_request = voucher::from_json(json, Root::voucher_request, reading);
  if (as_request) return ReadDocument{*std::move(as_request), Root::voucher_request};
  if (as_request.error().code == VoucherError::wrong_root) {
    return fail(VoucherError::wrong_root,
                "there is neither an object ietf-voucher:voucher nor ietf-voucher-request:voucher");
  }
  return std::unexpected(as_request.error());
}

// What `verify` was given, read.
struct Given {
  crypto::TrustStore anchors;
  std::vector<crypto::Certificate> intermediates, registrar;
  std::optional<crypto::Certificate> idevid;
  std::optional<Time> now;
  Reading reading;
};

Result<Given> read_given(const Verification& asked) {
  Given given{.reading = asked.tolerant ? Reading::tolerant : Reading::strict};
  CAHN_TRY(given.anchors, read_anchors(asked.anchors));
  CAHN_TRY(given.intermediates, read_certificates(asked.intermediates));
  if (!asked.registrar.empty()) {
    CAHN_TRY(given.registrar, read_certificates(std::filesystem::path(asked.registrar)));
  }
  if (!asked.idevid.empty()) {
    CAHN_TRY(const auto chain, read_certificates(std::filesystem::path(asked.idevid)));
    given.idevid = chain.front();
  }
  if (!asked.no_clock) given.now = system_clock().now();
  if (!asked.at.empty()) {
    const auto at = parse_rfc3339(asked.at);
    if (!at) return fail(IniError::bad_value, "--at '" + asked.at + "': " + at.error().message);
    given.now = *at;
  }
  return given;
}

Result<void> check_named(const voucher::Voucher& voucher, const Verification& asked) {
  if (!asked.serial.empty() && voucher.serial_number != asked.serial)
    return fail(VoucherError::wrong_serial, "it is for " + voucher.serial_number + ", not for " + asked.serial);
  if (!asked.nonce.empty() && voucher.nonce != asked.nonce)
    return fail(VoucherError::wrong_nonce, "its nonce is " + voucher.nonce.value_or("(none)") + ", not " + asked.nonce);
  return {};
}

Result<void> check_signer(const voucher::SignedVoucher& message, const Given& given, std::string_view whose) {
  std::vector<crypto::Certificate> between = message.certificates;
  append(between, given.intermediates);
  const auto path = crypto::verify_chain(message.signer, between, given.anchors, given.now);
  if (path) return {};
  return fail(
      path.error().code == crypto::CryptoError::expired ? VoucherError::expired : VoucherError::signer_not_trusted,
      "the signer " + std::string(whose) + message.signer.subject_text() + ": " + path.error().message);
}

Result<void> check_voucher(const voucher::SignedVoucher& message, const Given& given) {
  const voucher::Voucher& voucher = message.voucher;
  if (given.idevid) {
    voucher::PledgeExpectation expected{.idevid = *given.idevid,
                                        .nonce = voucher.nonce,  // compared above, if one was named
                                        .now = given.now,
                                        .masa_anchors = given.anchors,
                                        .intermediates = given.intermediates,
                                        .reading = given.reading};
    CAHN_CHECK(voucher::read_as_pledge(message.cms, expected));
  } else {
    CAHN_CHECK(check_signer(message, given, ""));
    if (given.now && voucher.expires_on && *voucher.expires_on <= *given.now)
      return fail(VoucherError::expired, "the voucher expired on " + rfc3339(*voucher.expires_on));
  }
  if (given.registrar.empty()) return {};
  return voucher::check_pin(voucher, given.registrar, given.now);
}

Result<void> check_prior(const voucher::SignedVoucher& message, const Given& given, const Verification& asked) {
  auto prior = voucher::open(*message.voucher.prior_signed_voucher_request, Root::voucher_request, given.reading);
  if (!prior) return fail(prior.error(), "prior-signed-voucher-request");
  CAHN_CHECK(check_signer(*prior, given, "of the prior request, "));
  if (prior->voucher.serial_number != message.voucher.serial_number)
    return fail(VoucherError::wrong_serial, "the prior request is for " + prior->voucher.serial_number);
  if (prior->voucher.nonce != message.voucher.nonce)
    return fail(VoucherError::wrong_nonce, "the prior request has another nonce");
  return check_named(prior->voucher, asked);
}

Result<void> check_request(const voucher::SignedVoucher& message, const Given& given, const Verification& asked) {
  CAHN_CHECK(check_signer(message, given, ""));
  const voucher::Voucher& request = message.voucher;
  if (request.prior_signed_voucher_request) {
    if (!message.signer.has_extended_key_usage(crypto::oid_cmc_ra))
      return fail(VoucherError::bad_certificate, "the signer lacks id-kp-cmcRA and is no registrar (RFC 8995 5.5.4)");
    CAHN_CHECK(check_prior(message, given, asked));
  } else if (message.signer.subject_serial_number() != request.serial_number) {
    return fail(VoucherError::wrong_serial, "it is for " + request.serial_number +
                                                ", but the serialNumber of its signer is " +
                                                message.signer.subject_serial_number().value_or("(none)"));
  }
  if (given.idevid && given.idevid->subject_serial_number() != request.serial_number)
    return fail(VoucherError::wrong_serial, "it is for " + request.serial_number + ", not for the device of --idevid");
  if (!given.registrar.empty() && !request.prior_signed_voucher_request &&
      request.proximity_registrar_cert != given.registrar.front())
    return fail(VoucherError::pin_mismatch, "proximity-registrar-cert is not the certificate of --registrar");
  return {};
}

}  // namespace

Result<void> sign(const Signing& asked) {
  CAHN_TRY(const auto identity, read_identity(asked.certificate, asked.key));
  CAHN_TRY(std::vector<crypto::Certificate> include, read_certificates(asked.include));
  append(include, {identity.chain.begin() + 1, identity.chain.end()});
  CAHN_TRY(const Bytes json, read_file(asked.file == "-" ? "/dev/stdin" : asked.file, std::size_t{256} << 10));
  CAHN_TRY(const auto read, read_document(as_text(json), asked.tolerant ? Reading::tolerant : Reading::strict));
  // What the room would not sign is not signed here either; then it is the octets of the file, not ours.
  CAHN_CHECK(voucher::sign(read.voucher, read.root, identity.chain.front(), *identity.key));
  const auto type = asked.id_data ? crypto::oid_id_data : crypto::oid_anima_json_voucher;
  CAHN_TRY(const Bytes cms,
           crypto::cms_sign(json, type, identity.chain.front(), *identity.key, include, read.voucher.created_on));
  return write_artefact(asked.out, cms);
}

Result<void> show(const Showing& asked) {
  CAHN_TRY(const Bytes cms, read_artefact(asked.file));
  CAHN_TRY(const std::string text, asked.json ? describe_as_json(cms) : describe(cms));
  std::fputs(text.c_str(), stdout);
  return {};
}

Result<void> verify(const Verification& asked) {
  CAHN_TRY(const auto given, read_given(asked));
  CAHN_TRY(const Bytes cms, read_artefact(asked.file));
  CAHN_TRY(const auto opened, open_artefact(cms));
  if (!opened.why_not_strict.empty() && !asked.tolerant)
    return fail(VoucherError::bad_member, opened.why_not_strict + " (--tolerant would read it)");
  CAHN_CHECK(check_named(opened.message.voucher, asked));
  const bool is_voucher = opened.root == Root::voucher;
  CAHN_CHECK(is_voucher ? check_voucher(opened.message, given) : check_request(opened.message, given, asked));
  std::printf("The %s for %s is valid: signed by %s.\n", is_voucher ? "voucher" : "voucher-request",
              brski::printable(opened.message.voucher.serial_number).c_str(),
              brski::printable(opened.message.signer.subject_text()).c_str());
  return {};
}

}  // namespace cahn::apps::tool
