// HTTP in front of a claim node.
//
//   POST /claims         one VC 2.0 credential → 202, Location: /claims/{id}, body {"id","position"}; 200 if known
//   already;
//                        400 not credential-shaped, 413, 415 (application/vc, application/ld+json, application/json),
//                        429/503
//   GET  /claims/{id}    what became of it; 404
//   GET  /claims?after=N&limit=M   the list, oldest first

#pragma once

#include "cascade/claim_node.h"
#include "net/http.h"

namespace cahn::cascade {

void add_claim_routes(net::Router& router, ClaimNode& node);

}  // namespace cahn::cascade
