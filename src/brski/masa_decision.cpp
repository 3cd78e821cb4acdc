// Whose device a request is about, and whether the domain that asks may have it (RFC 8995 5.5.1 to 5.5.5).

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "brski/masa_impl.h"
#include "crypto/cms.h"

namespace cahn::brski {

using Source = OwnershipRecord::Source;

namespace {

// RFC 8995 5.5.3 prefers that the registrar brings what its CA says of it, as a TLS server would staple it. A request
// has room for that in its CMS; nothing of it is believed for where it stands.
crypto::RevocationEvidence brought_along(const Bytes& request) {
  auto evidence = crypto::revocation_in_cms(request);
  return evidence ? *std::move(evidence) : crypto::RevocationEvidence{};
}

void add_evidence(crypto::RevocationEvidence& all, crypto::RevocationEvidence more) {
  std::ranges::move(more.lists, std::back_inserter(all.lists));
  std::ranges::move(more.ocsp, std::back_inserter(all.ocsp));
}

}  // namespace

net::awaitable<Result<void>> Masa::Impl::look_up(std::shared_ptr<Asked> asked) {
  using Status = crypto::RevocationStanding::Status;
  const Time now = clock.now();
  const auto& path = asked->request.registrar;
  crypto::RevocationEvidence evidence = brought_along(asked->body);
  const auto lists = revocation_lists();
  evidence.lists.insert(evidence.lists.end(), lists->begin(), lists->end());
  for (std::size_t i = 0; !options.revocation_lookup.hosts.empty() && i + 1 < path.size(); ++i) {
    if (!names_revocation(path[i])) continue;
    if (crypto::revocation_standing(path[i], path[i + 1], evidence, now).status != Status::unknown) continue;
    crypto::Certificate certificate = path[i], issuer = path[i + 1];
    auto found = co_await RevocationSources::ask(sources, std::move(certificate), std::move(issuer), now);
    const auto standing = crypto::revocation_standing(path[i], path[i + 1], found.evidence, now);
    add_evidence(evidence, std::move(found.evidence));
    if (standing.status != Status::unknown) continue;
    std::string why = standing.why;
    for (const std::string& failure : found.failures) why += "; " + failure;
    log::warning("BRSKI_REVOCATION_UNKNOWN", "What a registrar's chain names does not say whether it is revoked.",
                 {{"certificate", printable(path[i].subject_text())}, {"why", printable(why, 400)}});
  }
  CAHN_CO_TRY(asked->lists_end, check_revocation(path, evidence, options.revocation_required, now));
  co_return Result<void>{};
}

Result<Asked> Masa::Impl::receive(const net::HttpRequest& request, const net::Session& session) const {
  const auto format = voucher::format_of(net::media_type(request.headers.get("Content-Type").value_or("")));
  if (!format) {
    return fail(BrskiError::unsupported_media_type,
                "a voucher-request is application/voucher-cms+json or application/voucher-jws+json");
  }
  const Time now = clock.now();
  CAHN_TRY(auto read, read_registrar_request(*format, request.body, now));
  CAHN_TRY(Asked asked, find_device(std::move(read), now));
  asked.tls_chain = session.peer_chain;
  asked.body = request.body;
  return asked;
}

Result<Asked> Masa::Impl::find_device(RegistrarRequest request, Time now) const {
  if (request.prior) return find_by_pledge(std::move(request), now);
  CAHN_TRY(Asked asked, find_by_label(std::move(request), now));
  if (asked.request.nonce && asked.tenant->options.prior_request_required) {
    return fail(BrskiError::forbidden, "the voucher-request brings no prior-signed-voucher-request");
  }
  return asked;
}

Result<Asked> Masa::Impl::find_by_pledge(RegistrarRequest request, Time now) const {
  const Tenant* tenant = tenant_of(request.prior->signer, request.prior->certificates);
  if (!tenant) tenant = &tenants.front();  // whose check says what is wrong
  CAHN_TRY(auto pledge, check_pledge_request(request, tenant->options.idevid_anchors, now));
  CAHN_TRY(auto birth, check_born(*tenant, pledge.idevid));
  return Asked{std::move(request), tenant, std::move(birth), std::move(pledge.issuer), true, {}, {}, {}};
}

// RFC 8995 5.5: of a device that took no part, only what its label says is known.
Result<Asked> Masa::Impl::find_by_label(RegistrarRequest request, Time now) const {
  const auto& issuer = request.signed_request.voucher.idevid_issuer;
  std::vector<std::pair<const Tenant*, Birth>> found;
  for (const Tenant& tenant : tenants) {
    CAHN_TRY(const auto issuers, issuers_of(tenant, request.serial_number));
    for (const std::string& key_id : issuers) {
      CAHN_TRY(const auto birth, birth_of(tenant, key_id + "/" + hex(as_bytes(request.serial_number))));
      if (birth && (!issuer || is_issuer_of(*issuer, birth->idevid))) found.emplace_back(&tenant, *birth);
    }
  }
  if (found.empty()) {
    return fail(BrskiError::unknown_party, "no device with this serial number and idevid-issuer is known here");
  }
  if (found.size() > 1) {  // RFC 8366 5.3
    return fail(BrskiError::unreadable_request,
                "several devices have this serial number: the request needs the idevid-issuer");
  }
  auto& [tenant, birth] = found.front();
  const auto path = crypto::verify_chain(birth.idevid, {}, tenant->options.idevid_anchors, now);
  if (!path || path->size() < 2) {
    return fail(BrskiError::forbidden, "the device's IDevID is not valid any more");
  }
  crypto::Certificate ca = (*path)[1];
  return Asked{std::move(request), tenant, std::move(birth), std::move(ca), false, {}, {}, {}};
}

namespace {

Error no_sale(bool sold) {
  return {BrskiError::forbidden, sold ? "the device is sold to another domain than the one that asks"
                                      : "no sale of this device is recorded, and its maker demands one"};
}

}  // namespace

// RFC 8995 5.5.4
Result<void> Masa::Impl::may_have_nonceless(const Asked& asked, const OwnershipRecord* owner, bool is_owner,
                                            Time now) const {
  if (!asked.tenant->options.nonceless) {
    return fail(BrskiError::forbidden, "no nonceless vouchers are issued for devices of this maker");
  }
  if (!owner || owner->source != Source::sale || !is_owner) {
    return fail(BrskiError::forbidden, "a nonceless voucher is only for the domain that a sale names as owner");
  }
  const auto& anchors = asked.tenant->options.registrar_anchors;
  const auto& signed_request = asked.request.signed_request;
  if (crypto::verify_chain(signed_request.signer, signed_request.certificates, anchors, now)) return {};
  if (!asked.tls_chain.empty()) {
    const crypto::Certificate& client = asked.tls_chain.front();
    if (crypto::verify_chain(client, asked.tls_chain, anchors, now)) return {};
    const auto path = self_contained_path(client, asked.tls_chain, now);
    if (path && path_within(owner->owner, *path, asked.tls_chain, now)) return {};
  }
  return fail(
      BrskiError::forbidden,
      "a nonceless voucher needs an authenticated registrar: a TLS client certificate of the owner's domain, or "
      "a certificate of a CA that is known here");
}

Result<Grant> Masa::Impl::judge(const Asked& asked, Time now) const {
  const MasaTenant& maker = asked.tenant->options;
  const auto& path = asked.request.registrar;
  CAHN_TRY(const auto book, book_of(*asked.tenant, asked.request.serial_number));
  std::optional<std::size_t> index;
  if (!book.records.empty()) {
    CAHN_TRY(const auto device, identity_of(*asked.tenant, asked.birth));
    index = current_record(book, device, now);
  }
  const OwnershipRecord* owner = index ? &book.records[*index] : nullptr;
  const auto policy = book.policy.value_or(maker.ownership);
  // Who merely came first, under an earlier policy, is nobody where sales count.
  if (owner && policy == OwnershipPolicy::sales && owner->source != Source::sale) owner = nullptr;
  const auto own_path =
      owner ? path_within(owner->owner, path, asked.request.signed_request.certificates, now) : std::nullopt;

  // Never farther than the owner that is on record: above a domain's CA there may be one that is open to all (5.5).
  Grant grant{.assertion = asked.proximity ? voucher::Assertion::proximity : voucher::Assertion::logged,
              .pin = pin_of(own_path ? *own_path : path, maker.pin),
              .ownership_ends = owner ? owner->until : std::nullopt};
  if (!asked.request.nonce) {
    CAHN_CHECK(may_have_nonceless(asked, owner, own_path.has_value(), now));
    grant.assertion = voucher::Assertion::verified;
    return grant;
  }
  switch (policy) {
    case OwnershipPolicy::logged_only:
      return grant;
    case OwnershipPolicy::first_come:
      if (owner && !own_path) {
        return fail(BrskiError::forbidden, "the device has an owner, which is another domain than the one that asks");
      }
      grant.comes_first = !owner;
      return grant;
    case OwnershipPolicy::sales:
      if (!own_path) return std::unexpected(no_sale(owner != nullptr));
      grant.assertion = voucher::Assertion::verified;
      return grant;
  }
  return fail(BrskiError::unavailable, "a policy that is not known here");
}

Result<bool> Masa::Impl::ever_owned(const Asked& asked, const DeviceAudit& audit, Time now) const {
  const auto& path = asked.request.registrar;
  if (std::ranges::any_of(path, [&](const crypto::Certificate& c) { return audit.has(c); })) return true;
  CAHN_TRY(const auto book, book_of(*asked.tenant, asked.request.serial_number));
  CAHN_TRY(const auto device, identity_of(*asked.tenant, asked.birth));
  return std::ranges::any_of(book.records, [&](const OwnershipRecord& record) {
    return is_or_was_owner(record, device, now) &&
           path_within(record.owner, path, asked.request.signed_request.certificates, now);
  });
}

}  // namespace cahn::brski
