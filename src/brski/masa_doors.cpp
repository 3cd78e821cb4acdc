// The doors of those who know about owners: sales systems, and the owners themselves.

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "brski/masa_impl.h"

namespace cahn::brski {

net::awaitable<net::HttpResponse> Masa::Impl::import_answer(const Tenant* tenant, net::HttpRequest request) {
  std::string type = net::media_type(request.headers.get("Content-Type").value_or(""));
  const auto outcome = co_await import_sales(tenant, std::move(type), std::move(request.body));
  if (outcome) {
    const nlohmann::json told = {{"added", outcome->added}, {"unchanged", outcome->unchanged}};
    co_return net::HttpResponse::json(200, told.dump());
  }
  log::warning("BRSKI_SALES_REFUSED", "Sales were refused: " + printable(outcome.error().message),
               {{"tenant", tenant->options.name}});
  if (outcome.error().code == BrskiError::forbidden) co_return net::HttpResponse::text(409, outcome.error().message);
  co_return refusal(outcome.error());
}

net::awaitable<net::HttpResponse> Masa::Impl::tell_sales(net::HttpRequest request, net::Session session) {
  if (session.peer_chain.empty()) co_return net::HttpResponse::text(401, "a sales system shows its certificate");
  const Tenant* tenant = tenant_named(request.parameters["tenant"]);
  // Whoever may tell nothing here does not learn who is served here either.
  if (!tenant || !crypto::verify_chain(session.peer_chain.front(), session.peer_chain, tenant->options.sales_anchors,
                                       clock.now())) {
    log::warning("BRSKI_SALES_REFUSED", "Someone who is no sales system of ours told of sales.",
                 {{"peer", session.peer_address}, {"who", session.peer_chain.front().subject_text()}});
    co_return net::HttpResponse::text(403, "this certificate may not tell sales of this maker");
  }
  co_return co_await import_answer(tenant, std::move(request));
}

// The owner lets its device go (RFC 8995 7.4.3, resale): a registrar of its domain says so, as it would ask for a
// voucher. A device of the domain could not: it is not the domain's to speak for.
net::awaitable<net::HttpResponse> Masa::Impl::owner_releases(net::HttpRequest request, net::Session session) {
  if (session.peer_chain.empty()) co_return net::HttpResponse::text(401, "an owner shows its registrar's certificate");
  if (!session.peer_chain.front().has_extended_key_usage(crypto::oid_cmc_ra)) {
    co_return net::HttpResponse::text(403, "the client's certificate lacks id-kp-cmcRA and is no registrar's");
  }
  Error why{BrskiError::unknown_party, "no owner of such a device is recorded"};
  for (const Tenant& tenant : tenants) {
    std::string serial = request.parameters["serial"];
    std::vector<crypto::Certificate> by = session.peer_chain;
    const auto done = co_await release(&tenant, std::move(serial), std::move(by));
    if (done) co_return net::HttpResponse::text(200, "released");
    if (!(done.error().code == BrskiError::unknown_party)) why = done.error();
  }
  log::warning("BRSKI_RELEASE_REFUSED", "A release was refused: " + why.message,
               {{"peer", session.peer_address},
                {"who", session.peer_chain.front().subject_text()},
                {"serial", printable(request.parameters["serial"])}});
  co_return refusal(why);
}

}  // namespace cahn::brski
