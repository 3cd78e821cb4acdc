#include "pki/profile.h"

#include <algorithm>

namespace cahn::pki {
namespace {

std::vector<std::string> values_of(const crypto::Name& name, std::string_view type) {
  std::vector<std::string> values;
  for (const auto& [attribute, value] : name) {
    if (attribute == type) values.push_back(value);
  }
  return values;
}

bool all_within(const std::vector<std::string>& asked, const std::vector<std::string>& allowed) {
  return std::ranges::all_of(asked, [&](const auto& one) { return std::ranges::find(allowed, one) != allowed.end(); });
}

// The subject is the authority's to decide and the CSR's may be empty. One that names somebody else is refused rather
// than corrected, so that a device never installs a certificate for another than it thinks it is. A pledge does not
// know the network's name yet: with no serialNumber, its own serial number as CN will do.
bool is_another_subject(const crypto::Name& asked, const crypto::Name& granted) {
  const auto serials = values_of(granted, "serialNumber");
  const auto asked_serials = values_of(asked, "serialNumber");
  if (!asked_serials.empty()) return !all_within(asked_serials, serials);
  auto names = values_of(granted, "CN");
  names.insert(names.end(), serials.begin(), serials.end());
  return !all_within(values_of(asked, "CN"), names);
}

// OIDs of the short names above, for comparison with a CSR, which has OIDs.
std::string dotted(const std::string& usage) {
  if (usage == "serverAuth") return "1.3.6.1.5.5.7.3.1";
  if (usage == "clientAuth") return "1.3.6.1.5.5.7.3.2";
  if (usage == "OCSPSigning") return "1.3.6.1.5.5.7.3.9";
  return usage;
}

Result<void> check_usages(const crypto::Csr& csr, Profile profile) {
  if (csr.requests_ca()) return fail(PkiError::not_permitted, "the request asks for a CA certificate (CA:TRUE)");
  if (csr.requests_certificate_signing()) {
    return fail(PkiError::not_permitted, "the request asks for keyCertSign or cRLSign");
  }
  std::vector<std::string> allowed;
  for (const auto& usage : extended_key_usages(profile)) allowed.push_back(dotted(usage));
  for (const auto& usage : csr.extended_key_usage()) {
    if (std::ranges::find(allowed, usage) != allowed.end()) continue;
    if (usage == crypto::oid_cmc_ra) {
      return fail(PkiError::not_permitted, "the request asks to be a registration authority (cmcRA)");
    }
    return fail(PkiError::not_permitted, "the request asks for the extended key usage " + usage + ", which profile " +
                                             std::string(profile_name(profile)) + " does not have");
  }
  return {};
}

}  // namespace

std::string_view profile_name(Profile profile) {
  switch (profile) {
    case Profile::ldevid:
      return "ldevid";
    case Profile::registrar:
      return "registrar";
    case Profile::radius_server:
      return "radius_server";
    case Profile::router:
      return "router";
    case Profile::masa:
      return "masa";
    case Profile::tls_server:
      return "tls_server";
    case Profile::ocsp_signer:
      return "ocsp_signer";
  }
  return "unknown";
}

std::vector<std::string> extended_key_usages(Profile profile) {
  switch (profile) {
    case Profile::ldevid:
    case Profile::router:
      return {"clientAuth"};
    case Profile::registrar:
      return {"serverAuth", "clientAuth", std::string(crypto::oid_cmc_ra)};
    case Profile::radius_server:
    case Profile::tls_server:
      return {"serverAuth"};
    case Profile::ocsp_signer:
      return {"OCSPSigning"};
    case Profile::masa:
      break;
  }
  return {};
}

crypto::CertificateSpec domain_ca_spec(const std::string& owner_name, const crypto::PublicKey& key) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", owner_name}};
  spec.key = key;
  spec.ca = true;
  spec.path_length = 0;
  spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  if (owner_name.contains('@')) spec.emails = {owner_name};
  return spec;
}

Result<void> check_request(const IssueRequest& request, const crypto::Certificate& ca) {
  if (request.subject.empty()) return fail(PkiError::bad_request, "no subject was granted");
  // Path building goes by names: a leaf that bears the CA's would be taken for it.
  if (request.subject == ca.subject()) return fail(PkiError::not_permitted, "the subject is the CA's own name");
  if (request.csr.public_key() == ca.public_key()) return fail(PkiError::not_permitted, "the key is the CA's own");
  CAHN_CHECK(check_usages(request.csr, request.profile));
  if (!all_within(request.csr.dns_names(), request.dns_names) || !all_within(request.csr.uris(), request.uris)) {
    return fail(PkiError::not_permitted, "the request asks for an alternative name that was not granted");
  }
  const bool is_device = request.profile == Profile::ldevid || request.profile == Profile::router;
  if (!is_device) return {};
  if (values_of(request.subject, "serialNumber").empty()) {
    return fail(PkiError::bad_request, "a device's certificate needs its serialNumber in the subject");
  }
  if (is_another_subject(request.csr.subject(), request.subject)) {
    return fail(PkiError::not_permitted, "the request is for another subject (" +
                                             crypto::to_text(request.csr.subject()) +
                                             ") than the device it comes from");
  }
  return {};
}

crypto::CertificateSpec certificate_spec(const IssueRequest& request) {
  crypto::CertificateSpec spec;
  spec.subject = request.subject;
  spec.key = request.csr.public_key();
  spec.key_usage = crypto::KeyUsage::digital_signature;
  spec.extended_key_usage = extended_key_usages(request.profile);
  spec.dns_names = request.dns_names;
  spec.uris = request.uris;
  spec.ip_addresses = request.ip_addresses;
  spec.ocsp_no_check = request.profile == Profile::ocsp_signer;
  return spec;
}

}  // namespace cahn::pki
