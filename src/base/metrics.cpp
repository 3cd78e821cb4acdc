#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace cahn::metrics {
namespace {

prometheus::Registry& registry() {
  // Never destroyed: threads of a role may still count while static objects go away.
  static auto* const instance = new prometheus::Registry(prometheus::Registry::InsertBehavior::Merge);
  return *instance;
}

std::map<std::string, std::string> to_map(Labels labels) {
  std::map<std::string, std::string> map;
  for (const auto& [name, value] : labels) map.emplace(name, value);
  return map;
}

// Merge makes the same name and labels give the same handle, wherever they are asked for.
template <typename Builder>
auto& family(Builder builder, std::string_view name, std::string_view help) {
  return builder.Name(std::string(name)).Help(std::string(help)).Register(registry());
}

}  // namespace

Counter::Counter(std::string_view name, std::string_view help, Labels labels)
    : handle_(&family(prometheus::BuildCounter(), name, help).Add(to_map(labels))) {}
void Counter::add(double n) { static_cast<prometheus::Counter*>(handle_)->Increment(n); }

Gauge::Gauge(std::string_view name, std::string_view help, Labels labels)
    : handle_(&family(prometheus::BuildGauge(), name, help).Add(to_map(labels))) {}
void Gauge::set(double value) { static_cast<prometheus::Gauge*>(handle_)->Set(value); }
void Gauge::add(double change) { static_cast<prometheus::Gauge*>(handle_)->Increment(change); }

Timer::Timer(std::string_view name, std::string_view help, Labels labels) {
  const prometheus::Histogram::BucketBoundaries buckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                        0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
  handle_ = &family(prometheus::BuildHistogram(), name, help).Add(to_map(labels), buckets);
}
void Timer::observe(double seconds) { static_cast<prometheus::Histogram*>(handle_)->Observe(seconds); }

std::string render() { return prometheus::TextSerializer().Serialize(registry().Collect()); }

}  // namespace cahn::metrics
