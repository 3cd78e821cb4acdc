// Progress of the BRSKI roles as log lines: id ROAD_STEP (or ROAD_REFUSED), with stage, serial, signer and
// microseconds.

#pragma once

#include "brski/wire.h"

namespace cahn::apps {

void log_progress(const brski::Progress&);

}  // namespace cahn::apps
