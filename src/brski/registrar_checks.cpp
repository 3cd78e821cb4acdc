#include "brski/registrar_checks.h"

#include <algorithm>

#include "base/ascii.h"

namespace cahn::brski {
namespace {

constexpr std::size_t max_nonce = 512;

// Peers in the field send CMS in base64, with or without line breaks. DER begins with a SEQUENCE, base64 of DER with
// 'M'.
Bytes cms_in(ByteView body, Compat compat) {
  constexpr std::uint8_t sequence = 0x30;
  if (compat == Compat::strict || body.empty() || body[0] == sequence) return to_bytes(body);
  auto decoded = base64_decode_lenient(as_text(body));
  return decoded ? *std::move(decoded) : to_bytes(body);
}

voucher::Reading reading(Compat compat) {
  return compat == Compat::field ? voucher::Reading::tolerant : voucher::Reading::strict;
}

std::optional<std::string> first_of(const std::vector<std::string>& names) {
  return names.empty() ? std::nullopt : std::optional(names.front());
}

// The certificates that the MASA is shown beside the registrar's own, and may pin (RFC 8995 5.5).
std::vector<crypto::Certificate> shown_chain(const RequestStyle& style) {
  std::vector<crypto::Certificate> chain;
  if (style.pin_depth == PinDepth::end_entity) return chain;
  const auto add = [&](const crypto::Certificate& ca) {
    if (std::find(chain.begin(), chain.end(), ca) == chain.end()) chain.push_back(ca);
  };
  std::for_each(style.identity.chain.begin() + 1, style.identity.chain.end(), add);
  std::for_each(style.domain_ca.begin(), style.domain_ca.end(), add);
  if (style.pin_depth == PinDepth::chain) return chain;
  const crypto::Name issuer = style.identity.chain.front().issuer();
  std::erase_if(chain, [&](const crypto::Certificate& ca) { return ca.subject() != issuer; });
  return chain;
}

Result<Bytes> sign_request(const voucher::Voucher& own, const RequestStyle& style) {
  const auto format = style.compat == Compat::field ? voucher::Format::cms_id_data : voucher::Format::cms;
  return voucher::sign(own, voucher::Root::voucher_request, style.identity.chain.front(), *style.identity.key,
                       shown_chain(style), format);
}

}  // namespace

std::optional<std::string> serial_number_in(const crypto::Certificate& idevid, SerialSource source) {
  std::optional<std::string> found;
  switch (source) {
    case SerialSource::subject_serial_number:
      found = idevid.subject_serial_number();
      break;
    case SerialSource::common_name:
      found = idevid.common_name();
      break;
    case SerialSource::dns_name:
      found = first_of(idevid.dns_names());
      break;
    case SerialSource::uri:
      found = first_of(idevid.uris());
      break;
  }
  return found && !found->empty() ? found : std::nullopt;
}

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
    const auto serial = serial_number_in(leaf, maker.serial_source);
    if (!serial) {
      return fail(BrskiError::forbidden, maker.serial_source == SerialSource::subject_serial_number
                                             ? "the IDevID has no serialNumber in its subject (RFC 8995 2.3.1)"
                                             : "the IDevID has no serial number where its maker is said to put it");
    }
    return KnownDevice{leaf, (*path)[1], *serial, i};
  }
  if (out_of_time) return fail(BrskiError::forbidden, "the IDevID, or a CA above it, is outside its validity");
  if (forged) return fail(BrskiError::forbidden, "the signature of the IDevID, or of a CA above it, does not hold");
  return fail(BrskiError::unknown_party, "the IDevID leads to no manufacturer this registrar knows");
}

Result<voucher::SignedVoucher> read_pledge_request(ByteView body, Compat compat) {
  auto request = voucher::open(cms_in(body, compat), voucher::Root::voucher_request, reading(compat));
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

Result<MasaAddress> masa_of(const crypto::Certificate& idevid, const Manufacturer& manufacturer) {
  if (manufacturer.masa_override) return parse_masa_address(*manufacturer.masa_override);
  if (const auto named = idevid.masa_url()) return parse_masa_address(*named);
  if (manufacturer.masa_fallback) return parse_masa_address(*manufacturer.masa_fallback);
  return fail(BrskiError::forbidden, "the IDevID names no MASA and none is configured for its maker");
}

Result<MasaAddress> masa_of(const OfflineDevice& device, const Manufacturer& manufacturer) {
  for (const auto& named : {manufacturer.masa_override, device.masa, manufacturer.masa_fallback}) {
    if (named) return parse_masa_address(*named);
  }
  return fail(BrskiError::forbidden, "no MASA is configured for this manufacturer, and none was given");
}

Result<Bytes> make_registrar_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                     const RequestStyle& style, Time now) {
  voucher::Voucher own;
  own.created_on = now;
  own.assertion = voucher::Assertion::proximity;
  own.serial_number = device.serial_number;
  own.idevid_issuer = device.idevid.authority_key_identifier_der();
  own.nonce = request.voucher.nonce;
  own.prior_signed_voucher_request = request.cms;
  return sign_request(own, style);
}

Result<Bytes> make_registrar_request(const OfflineDevice& device, const RequestStyle& style, Time now) {
  voucher::Voucher own;
  own.created_on = now;
  own.serial_number = device.serial_number;
  own.idevid_issuer = device.idevid_issuer;
  return sign_request(own, style);
}

Result<voucher::SignedVoucher> check_returned_voucher(ByteView body, const VoucherExpectation& expected, Time now) {
  const auto refuse = [](std::string why) {
    return fail(BrskiError::masa_failed, "the MASA's voucher is of no use: " + std::move(why));
  };
  auto signed_voucher = voucher::open(cms_in(body, expected.compat), voucher::Root::voucher, reading(expected.compat));
  if (!signed_voucher) return refuse(signed_voucher.error().message);
  const voucher::Voucher& voucher = signed_voucher->voucher;
  if (voucher.serial_number != expected.serial_number) return refuse("it is for another serial number");
  if (voucher.nonce != expected.nonce) {
    return refuse(expected.nonce ? "its nonce is not the pledge's" : "it has a nonce, although none was asked for");
  }
  if (voucher.expires_on && *voucher.expires_on <= now) return refuse("it expired " + rfc3339(*voucher.expires_on));
  if (auto pinned = voucher::check_pin(voucher, expected.own_chain, now); !pinned)
    return refuse(pinned.error().message);
  return signed_voucher;
}

std::string network_uri(std::string_view network) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string uri = "urn:cahn:network:";
  for (const char c : network) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = ascii::is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      uri += c;
    } else {
      uri += {'%', digits[octet >> 4], digits[octet & 15]};
    }
  }
  return uri;
}

}  // namespace cahn::brski
