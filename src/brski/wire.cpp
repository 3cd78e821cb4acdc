#include "brski/wire.h"

#include <algorithm>

namespace cahn::brski {

std::string_view error_name(BrskiError error) {
  switch (error) {
    case BrskiError::unsupported_media_type:
      return "unsupported_media_type";
    case BrskiError::unreadable_request:
      return "unreadable_request";
    case BrskiError::forbidden:
      return "forbidden";
    case BrskiError::unknown_party:
      return "unknown_party";
    case BrskiError::wrong_proximity:
      return "wrong_proximity";
    case BrskiError::not_yet:
      return "not_yet";
    case BrskiError::unavailable:
      return "unavailable";
    case BrskiError::masa_failed:
      return "masa_failed";
    case BrskiError::bad_report:
      return "bad_report";
    case BrskiError::registrar_refused:
      return "registrar_refused";
    case BrskiError::gave_up:
      return "gave_up";
    case BrskiError::no_registrar:
      return "no_registrar";
    case BrskiError::not_the_registrar:
      return "not_the_registrar";
    case BrskiError::bad_certificate:
      return "bad_certificate";
    case BrskiError::bad_state:
      return "bad_state";
    case BrskiError::bad_option:
      return "bad_option";
  }
  return "unknown";
}

int http_status(const ErrorCode& code) {
  struct Status {
    BrskiError error;
    int status;
  };
  static constexpr Status statuses[] = {
      {BrskiError::unsupported_media_type, 415},
      {BrskiError::unreadable_request, 406},
      {BrskiError::forbidden, 403},
      {BrskiError::unknown_party, 404},
      {BrskiError::wrong_proximity, 401},
      {BrskiError::not_yet, 202},
      {BrskiError::unavailable, 503},
      {BrskiError::masa_failed, 502},
      {BrskiError::bad_report, 400},
  };
  for (const Status& s : statuses) {
    if (code == s.error) return s.status;
  }
  return 500;
}

net::HttpResponse refusal(const Error& error) {
  net::HttpResponse response = net::HttpResponse::text(http_status(error.code), error.message);
  // RFC 8995 5.2: a pledge that saw another registrar's certificate is not to go on over this connection.
  response.close = error.code == BrskiError::wrong_proximity;
  return response;
}

net::HttpResponse come_back_later(std::chrono::seconds wait) {
  const auto bounded = std::clamp(wait, std::chrono::seconds(1), std::chrono::seconds(60));
  net::HttpResponse response = net::HttpResponse::text(202, "the decision about this device is not made yet");
  response.headers.set("Retry-After", std::to_string(bounded.count()));
  return response;
}

Error as_request_error(const Error& error) {
  const bool not_believed =
      error.code == voucher::VoucherError::bad_signature || error.code == voucher::VoucherError::signer_not_trusted ||
      error.code == crypto::CryptoError::bad_signature || error.code == crypto::CryptoError::untrusted;
  return {not_believed ? BrskiError::forbidden : BrskiError::unreadable_request, error.message};
}

bool is_issuer_of(ByteView idevid_issuer, const crypto::Certificate& idevid) {
  const Bytes issuer = to_bytes(idevid_issuer);
  return issuer == idevid.authority_key_identifier_der() || issuer == idevid.authority_key_identifier();
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text.substr(0, limit)) out += (c >= 0x20 && c < 0x7f) ? c : '?';
  if (text.size() > limit) out += "...";
  return out;
}

std::string MasaAddress::text() const {
  const std::string_view folder = std::string_view(request_voucher_path).substr(0, request_voucher_path.rfind('/'));
  return "https://" + endpoint.authority() + std::string(folder);
}

namespace {

constexpr std::string_view well_known_folder = "/.well-known/brski";
constexpr std::size_t max_masa_url = 1024;

MasaAddress address_in_folder(net::Endpoint endpoint, std::string folder) {
  while (folder.ends_with('/')) folder.pop_back();
  if (folder.empty()) folder = well_known_folder;
  return {std::move(endpoint), folder + "/requestvoucher", folder + "/requestauditlog"};
}

// A device's certificate does not choose an interface of the registrar.
Result<void> check_reachable(const net::Endpoint& endpoint) {
  if (endpoint.host.find('%') == std::string::npos) return {};
  return fail(BrskiError::forbidden, "the MASA URL names a zone of one host");
}

}  // namespace

Result<MasaAddress> parse_masa_address(std::string_view masa_url) {
  if (masa_url.empty() || masa_url.size() > max_masa_url) {
    return fail(BrskiError::forbidden, "the MASA URL is empty or longer than 1024 octets");
  }
  const auto refuse = [&](const Error& why) {
    return fail(BrskiError::forbidden, "the MASA URL '" + printable(masa_url) + "' is of no use: " + why.message);
  };
  if (masa_url.find('/') == std::string_view::npos) {
    auto endpoint = net::parse_endpoint(masa_url, 443);
    if (!endpoint) return refuse(endpoint.error());
    CAHN_CHECK(check_reachable(*endpoint));
    return address_in_folder(*std::move(endpoint), {});
  }
  // RFC 8995 2.3.2: BRSKI-MASA is always https, so the scheme's name is read over.
  const auto scheme_end = masa_url.find("://");
  if (scheme_end == std::string_view::npos) {
    return fail(BrskiError::forbidden, "the MASA URL '" + printable(masa_url) + "' has a path but no scheme");
  }
  auto url = net::parse_url("https" + std::string(masa_url.substr(scheme_end)));
  if (!url) return refuse(url.error());
  CAHN_CHECK(check_reachable(url->endpoint));
  if (!url->query.empty()) return fail(BrskiError::forbidden, "the MASA URL has a query");
  return address_in_folder(std::move(url->endpoint), std::move(url->path));
}

}  // namespace cahn::brski
