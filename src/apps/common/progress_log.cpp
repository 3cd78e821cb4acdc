#include "apps/common/progress_log.h"

#include "base/log.h"

namespace cahn::apps {

void log_progress(const brski::Progress& progress) {
  log::write(progress.done ? log::Level::info : log::Level::warning, progress.done ? "ROAD_STEP" : "ROAD_REFUSED",
             progress.what,
             {{"stage", std::string(progress.stage)},
              {"serial", progress.serial_number},
              {"signer", progress.signer},
              {"us", std::to_string(progress.took.count())}});
}

}  // namespace cahn::apps
