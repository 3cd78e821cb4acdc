#include "brski/registrar_checks.h"

#include <algorithm>

namespace cahn::brski {
namespace {

constexpr std::size_t max_nonce = 512;

}  // namespace

Result<KnownDevice> identify_device(std::span<const crypto::Certificate> client,
                                    std::span<const Manufacturer> manufacturers, Time now) {
  if (client.empty()) return fail(BrskiError::forbidden, "the TLS client showed no certificate; an IDevID is needed");
  const crypto::Certificate& leaf = client.front();
  if (leaf.is_self_issued()) return fail(BrskiError::unknown_party, "a self-signed certificate is no IDevID");
  if (leaf.is_ca()) return fail(BrskiError::forbidden, "a CA's certificate is no IDevID");
  bool out_of_time = false;
  bool forged = false;
  for (std::size_t i = 0; i < manufacturers.size(); ++i) {
    const Manufacturer& maker = manufacturers[i];
    std::vector<crypto::Certificate> between(client.begin() + 1, client.end());
    between.insert(between.end(), maker.intermediates.begin(), maker.intermediates.end());
    const auto at = maker.ignore_idevid_lifetime ? std::nullopt : std::optional(now);
    const auto path = crypto::verify_chain(leaf, between, maker.idevid_anchors, at);
    if (!path) {
      out_of_time = out_of_time || path.error().code == crypto::CryptoError::expired;
      forged = forged || path.error().code == crypto::CryptoError::bad_signature;
      continue;
    }
    // An anchor that is itself the leaf proves no issuer.
    if (path->size() < 2) continue;
    const auto serial = leaf.subject_serial_number();
    if (!serial) return fail(BrskiError::forbidden, "the IDevID has no serialNumber in its subject (RFC 8995 2.3.1)");
    return KnownDevice{leaf, (*path)[1], *serial, i};
  }
  if (out_of_time) return fail(BrskiError::forbidden, "the IDevID, or a CA above it, is outside its validity");
  if (forged) return fail(BrskiError::forbidden, "the signature of the IDevID, or of a CA above it, does not hold");
  return fail(BrskiError::unknown_party, "the IDevID leads to no manufacturer this registrar knows");
}

Result<voucher::SignedVoucher> read_pledge_request(ByteView body) {
  auto request = voucher::open(body, voucher::Root::voucher_request);
  if (!request) return std::unexpected(as_request_error(request.error()));
  return request;
}

Result<void> check_pledge_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                  const std::optional<crypto::Certificate>& own_leaf) {
  if (request.signer != device.idevid) {
    return fail(BrskiError::forbidden, "the voucher-request is not signed by the certificate of the TLS client");
  }
  // RFC 8995 5.5: the serial number is the certificate's; what the request says is only compared.
  if (request.voucher.serial_number != device.serial_number) {
    return fail(BrskiError::forbidden, "the serial-number of the voucher-request is not the one of the IDevID");
  }
  if (!request.voucher.nonce || request.voucher.nonce->empty() || request.voucher.nonce->size() > max_nonce) {
    return fail(BrskiError::unreadable_request, "the voucher-request has no nonce, or one of more than 512 octets");
  }
  // RFC 8995 5.2: the pledge must have seen the very certificate that this connection showed it (decision 14).
  const auto& seen = request.voucher.proximity_registrar_cert;
  if (request.voucher.assertion != voucher::Assertion::proximity || !seen || !own_leaf || *seen != *own_leaf) {
    return fail(BrskiError::wrong_proximity, "proximity-registrar-cert is not the certificate of this registrar's TLS");
  }
  return {};
}

Result<MasaAddress> masa_of(const KnownDevice& device, const Manufacturer& manufacturer) {
  if (manufacturer.masa_override) return parse_masa_address(*manufacturer.masa_override);
  const auto named = device.idevid.masa_url();
  if (!named) return fail(BrskiError::forbidden, "the IDevID names no MASA and none is configured for its maker");
  return parse_masa_address(*named);
}

Result<Bytes> make_registrar_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                     const RegistrarOptions& options, Time now) {
  voucher::Voucher own;
  own.created_on = now;
  own.assertion = voucher::Assertion::proximity;
  own.serial_number = device.serial_number;
  own.idevid_issuer = device.idevid.authority_key_identifier_der();
  own.nonce = request.voucher.nonce;
  own.prior_signed_voucher_request = request.cms;
  // RFC 8995 5.5: the CMS carries the chain that is to be pinned, here up to the domain CA.
  std::vector<crypto::Certificate> chain(options.identity.chain.begin() + 1, options.identity.chain.end());
  for (const crypto::Certificate& ca : options.domain_ca) {
    if (std::find(chain.begin(), chain.end(), ca) == chain.end()) chain.push_back(ca);
  }
  return voucher::sign(own, voucher::Root::voucher_request, options.identity.chain.front(), *options.identity.key,
                       chain);
}

Result<voucher::SignedVoucher> check_returned_voucher(ByteView cms, const voucher::SignedVoucher& request,
                                                      const KnownDevice& device,
                                                      std::span<const crypto::Certificate> own_chain, Time now) {
  const auto refuse = [](std::string why) {
    return fail(BrskiError::masa_failed, "the MASA's voucher is of no use: " + std::move(why));
  };
  auto voucher = voucher::open(cms, voucher::Root::voucher);
  if (!voucher) return refuse(voucher.error().message);
  if (voucher->voucher.serial_number != device.serial_number) return refuse("it is for another serial number");
  if (voucher->voucher.nonce != request.voucher.nonce) return refuse("its nonce is not the pledge's");
  if (auto pinned = voucher::check_pin(voucher->voucher, own_chain, now); !pinned)
    return refuse(pinned.error().message);
  return voucher;
}

std::string network_uri(std::string_view network) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string uri = "urn:cahn:network:";
  for (const char c : network) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      uri += c;
    } else {
      uri += {'%', digits[octet >> 4], digits[octet & 15]};
    }
  }
  return uri;
}

}  // namespace cahn::brski
