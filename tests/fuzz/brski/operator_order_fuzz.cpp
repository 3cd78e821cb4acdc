// Orders to a running registrar: whatever is taken is whole, and every refusal says what was wrong.

#include <cstdlib>

#include "brski/registrar_orders.h"

using namespace cahn;

namespace {

template <typename T>
void check_refusal(const Result<T>& result) {
  if (!result && result.error().message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_refusal(brski::pending_order_from_json(text));
  check_refusal(brski::onboarding_order_from_json(text));
  const auto device = brski::offline_device_from_json(text);
  check_refusal(device);
  if (device && (device->manufacturer.empty() || device->serial_number.empty())) std::abort();
  const auto maker = brski::manufacturer_from_json(text);
  check_refusal(maker);
  if (maker && (maker->name.empty() || maker->idevid_anchors.empty())) std::abort();
  return 0;
}
