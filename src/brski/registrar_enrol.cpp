// The registrar as EnrolmentAuthority: who may have an LDevID, and as whom (D.4, decisions 9 and 51).

#include <algorithm>

#include "brski/registrar_impl.h"

namespace cahn::brski {
namespace {

using admission::AdmissionAnswer;
using pki::PkiError;

Result<void> check_serial_number(const crypto::Csr& csr, const std::string& serial_number) {
  const auto asked = csr.subject_serial_number();
  if (asked && *asked != serial_number) {
    return fail(PkiError::not_permitted, "the request asks for the serialNumber of another device");
  }
  return {};
}

// RFC 7030 4.2.2: subject and SubjectAltName of a renewal are those of the certificate. A request without any SAN is
// taken too, because some clients cannot write a URI there; the new certificate has the old one's in any case.
Result<void> check_same_identity(const crypto::Csr& csr, const crypto::Certificate& current) {
  if (csr.subject() != current.subject()) {
    return fail(PkiError::not_permitted, "the request's subject is not the one of the certificate to be renewed");
  }
  const bool no_names = csr.uris().empty() && csr.dns_names().empty();
  if (!no_names && (csr.uris() != current.uris() || csr.dns_names() != current.dns_names())) {
    return fail(PkiError::not_permitted,
                "the request's SubjectAltName is not the one of the certificate to be renewed");
  }
  return {};
}

}  // namespace

net::awaitable<Result<pki::EnrolmentGrant>> Registrar::may_enrol(std::vector<crypto::Certificate> client,
                                                                 crypto::Csr csr) {
  return impl_->may_enrol(std::move(client), std::move(csr));
}
net::awaitable<Result<pki::EnrolmentGrant>> Registrar::may_reenrol(std::vector<crypto::Certificate> client,
                                                                   crypto::Csr csr) {
  return impl_->may_reenrol(std::move(client), std::move(csr));
}
net::awaitable<Result<void>> Registrar::may_revoke(std::vector<crypto::Certificate> client, std::string serial_hex) {
  return impl_->may_revoke(std::move(client), std::move(serial_hex));
}
net::awaitable<Result<void>> Registrar::enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                                 bool renewal) {
  return impl_->enrolled(std::move(client), std::move(issued), renewal);
}

net::awaitable<Result<pki::EnrolmentGrant>> Registrar::Impl::may_enrol(std::vector<crypto::Certificate> client,
                                                                       crypto::Csr csr) {
  auto device = identify_device(client, current_makers()->list, clock.now());
  if (!device) {
    tell("BRSKI_ENROLMENT_REFUSED", {"D.4", {}, "Refused an enrolment: " + device.error().message + ".", {}, false});
    co_return fail(PkiError::not_authorized, device.error().message);
  }
  const auto record = registry.by_idevid(device->idevid);
  if (!record || !record->voucher_at) {
    tell("BRSKI_ENROLMENT_REFUSED",
         {"D.4", device->serial_number, "Refused an enrolment: no voucher was issued to this device.", {}, false});
    co_return fail(PkiError::not_authorized, "no voucher has been issued to this device");
  }
  CAHN_CO_CHECK(check_serial_number(csr, device->serial_number));
  const std::string serial = device->serial_number;
  KnownDevice asked = *device;
  CAHN_CO_CHECK(co_await ask_to_enrol(std::move(asked), /*renewal=*/false));
  pki::EnrolmentGrant grant;
  grant.subject = {{"CN", options.network}, {"serialNumber", serial}};
  grant.uris = {options.network_uri};
  co_return grant;
}

// The device that holds the LDevID on top of `client`: one that we issued to it, unaltered, valid and neither revoked
// nor on hold.
Result<pki::DeviceRecord> Registrar::Impl::holder_of(const std::vector<crypto::Certificate>& client) const {
  if (client.empty()) return fail(PkiError::not_authorized, "the TLS client showed no certificate");
  const crypto::Certificate& leaf = client.front();
  auto record = registry.by_ldevid_serial(leaf.serial_hex());
  if (!record || std::ranges::find(record->ldevids, leaf) == record->ldevids.end()) {
    return fail(PkiError::not_authorized, "the certificate is no LDevID of this domain");
  }
  if (auto path = crypto::verify_chain(leaf, client, domain_anchors, clock.now()); !path) {
    return fail(PkiError::not_authorized, "the LDevID is not valid: " + path.error().message);
  }
  if (const auto reason = options.revocation(leaf.serial_hex())) {
    return fail(PkiError::not_authorized, *reason == crypto::RevocationReason::certificate_hold
                                              ? "the LDevID is on hold"
                                              : "the LDevID is revoked");
  }
  return *std::move(record);
}

net::awaitable<Result<pki::EnrolmentGrant>> Registrar::Impl::may_reenrol(std::vector<crypto::Certificate> client,
                                                                         crypto::Csr csr) {
  auto record = holder_of(client);
  if (!record) {
    tell("BRSKI_ENROLMENT_REFUSED", {"D.4", {}, "Refused a renewal: " + record.error().message + ".", {}, false});
    co_return std::unexpected(record.error());
  }
  CAHN_CO_CHECK(check_same_identity(csr, client.front()));
  const std::vector<crypto::Certificate> idevid{record->idevid};
  auto device = identify_device(idevid, current_makers()->list, clock.now());
  if (!device) {
    tell("BRSKI_ENROLMENT_REFUSED",
         {"D.4", record->serial_number, "Refused a renewal: " + device.error().message + ".", {}, false});
    co_return fail(PkiError::not_authorized, "the device's manufacturer is not known here any more");
  }
  KnownDevice asked = *device;
  CAHN_CO_CHECK(co_await ask_to_enrol(std::move(asked), /*renewal=*/true));
  pki::EnrolmentGrant grant;
  grant.subject = client.front().subject();
  grant.uris = client.front().uris();
  co_return grant;
}

net::awaitable<Result<void>> Registrar::Impl::may_revoke(std::vector<crypto::Certificate> client,
                                                         std::string serial_hex) {
  const auto record = holder_of(client);
  if (!record) co_return std::unexpected(record.error());
  const bool is_its_own = std::ranges::any_of(
      record->ldevids, [&](const auto& ldevid) { return ldevid.serial_hex() == serial_hex; });
  if (!is_its_own) co_return fail(PkiError::not_authorized, "the certificate is not one of this device");
  tell("BRSKI_DEVICE_REVOKES",
       {"D.4", record->serial_number, "The device has one of its LDevIDs revoked.", "serial " + serial_hex});
  co_return Result<void>{};
}

// RFC 8995 5, 5.8.3: nobody enrols before the audit log was looked at, or against it. A renewal stands on what was
// found when the device came.
net::awaitable<Result<std::optional<admission::AuditVerdict>>> Registrar::Impl::history_of(std::string id,
                                                                                           bool renewal) {
  const auto onboarding = records->onboarding(id);
  std::optional<AuditFinding> finding = onboarding ? onboarding->audit : std::nullopt;
  const bool missing = !finding || finding->verdict.standing == admission::AuditVerdict::Standing::unavailable;
  if (missing && !renewal && onboarding && options.audit.timing != AuditTiming::never) {
    Onboarding about = *onboarding;
    finding = co_await audit_again(std::move(about));
  }
  if (!finding) co_return std::nullopt;
  if (const auto permitted = permits(options.audit, *finding); !permitted) co_return fail(permitted.error());
  co_return finding->verdict;
}

net::awaitable<Result<void>> Registrar::Impl::ask_to_enrol(KnownDevice device, bool renewal) {
  const auto refused = fail(PkiError::not_authorized, "this registrar does not admit this device");
  const auto undecided = fail(PkiError::undecided, "the decision about this device is not made yet");
  std::string id = id_of(device.idevid);
  const auto word = pending->word(id, clock.now());
  if (word == PendingDevices::Word::rejected) {
    tell("BRSKI_OPERATOR_REJECTED", {"D.4", device.serial_number, "An operator has rejected this device.", {}, false});
    co_return refused;
  }
  const auto history = co_await history_of(std::move(id), renewal);
  if (!history) {
    tell("BRSKI_ENROLMENT_REFUSED",
         {"D.4", device.serial_number, "Refused an enrolment: " + history.error().message + ".", {}, false});
    co_return history.error().code == BrskiError::not_yet ? undecided : refused;
  }
  admission::AdmissionEvidence about = evidence(admission::PolicyPoint::registrar_enrols, device);
  about.owner = options.domain_ca.back();
  about.audit_log = *history;
  const auto answer = co_await admission.decide(std::move(about));
  if (!answer) {
    tell("BRSKI_POLICY_FAILED",
         {"D.4", device.serial_number, "Policy cannot answer: " + answer.error().message, {}, false});
    co_return fail(PkiError::unavailable, "the registrar cannot decide at the moment");
  }
  const bool later = answer->verdict == AdmissionAnswer::Verdict::later;
  if (answer->verdict == AdmissionAnswer::Verdict::permit) co_return Result<void>{};
  if (later && word == PendingDevices::Word::approved) co_return Result<void>{};
  tell("BRSKI_POLICY_DENIED", {"D.4", device.serial_number, "Policy denies: " + answer->reason, {}, false});
  if (later) co_return undecided;
  co_return refused;
}

net::awaitable<Result<void>> Registrar::Impl::enrolled(std::vector<crypto::Certificate> client,
                                                       crypto::Certificate issued, bool renewal) {
  if (client.empty()) co_return fail(PkiError::not_authorized, "nobody to record the certificate for");
  std::string device;
  if (renewal) {
    const auto record = registry.by_ldevid_serial(client.front().serial_hex());
    if (!record) co_return fail(PkiError::not_authorized, "the renewed LDevID is not recorded here");
    device = record->device;
  } else {
    device = name_of(client.front());
  }
  auto recorded = co_await registry.record_ldevid(std::move(device), issued);
  if (!recorded) co_return fail(PkiError::unavailable, recorded.error().message);
  tell("BRSKI_ENROLLED", {"D.5", issued.subject_serial_number().value_or(""),
                          renewal ? "Renewed the LDevID." : "Issued the LDevID.", issued.issuer_text()});
  co_return Result<void>{};
}

}  // namespace cahn::brski
