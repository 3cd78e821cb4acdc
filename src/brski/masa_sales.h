// Sales records as they come from outside: a CSV file or a JSON document. All or nothing: the first thing that is wrong
// refuses the whole, and the error says where.
//
//   serial,owner,model,issuer,customer,since,until          (RFC 4180; a header line; columns in any order)
//   S-1,domain-id:BduJhdHPpfhQLyponf48JzXSGZ8=,Camera 3,,mailto:ann@example.org,2026-03-01,
//
//   {"sales": [{"serial": "S-1", "owner": "spki-sha256:…", "since": "2026-03-01T12:00:00Z"}]}
//
// `serial` and `owner` must be there. `owner` is one of the forms of parse_domain. `issuer` is the hex key identifier
// of the CA that issued the IDevID, for serial numbers that are not unique. `since` and `until` are RFC 3339, or a date
// alone, whose day begins in UTC; without `since` the sale counts from its import on.
//
// Threads: pure functions.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "brski/masa_ownership.h"

namespace cahn::brski {

inline constexpr std::size_t max_sales_document = std::size_t{4} << 20;
inline constexpr std::size_t max_sales = 10'000;  // in one document

struct Sale {
  std::string serial_number;
  OwnershipRecord record;
};

// Errors: bad_report; messages begin "line 3, column 17: ". Columns count octets from 1, of the field that is wrong.
Result<std::vector<Sale>> sales_from_csv(std::string_view text, Time now);
// As above; messages name the member ("sales[4].until: …"), or line and column of what is no JSON.
Result<std::vector<Sale>> sales_from_json(std::string_view text, Time now);

}  // namespace cahn::brski
