// Telling the MASA of births (decision 66): a POST that may be repeated, until it is acknowledged.

#pragma once

#include "crypto/tls.h"
#include "factory/books.h"

namespace cahn::factory {

inline constexpr std::string_view path_births = "/factory/births";

// Reports every birth in the books that the MASA has not acknowledged, one after another on one connection to
// `options.masa` (which must be set). What it promises is said at Manufacturer::report_pending.
net::awaitable<Result<ReportOutcome>> report_births(Books& books, crypto::TlsContext context, ReportOptions options);

}  // namespace cahn::factory
