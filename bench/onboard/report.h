#pragma once

#include <string>

#include "bench/support/floor.h"
#include "flows.h"

namespace cahn::bench {

// For people: a table.
std::string table(const FlowResults&, const Floor&, const FlowOptions&, unsigned cores);
// For programs: one object a line, {"name","value","unit","floor","ratio"}.
std::string json_lines(const FlowResults&, const Floor&, const FlowOptions&);

}  // namespace cahn::bench
