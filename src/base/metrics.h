// Counters, gauges and histograms of this process, in the Prometheus model. Names follow its conventions
// (`cahn_vouchers_issued_total`, `cahn_request_seconds`). `net` serves `render()` at /metrics.
//
// Handles are made once (static or member) and are cheap and safe from any thread.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace cahn::metrics {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class Counter {
 public:
  Counter(std::string_view name, std::string_view help, Labels labels = {});
  void add(double n = 1);

 private:
  void* handle_;
};

class Gauge {
 public:
  Gauge(std::string_view name, std::string_view help, Labels labels = {});
  void set(double);
  void add(double);

 private:
  void* handle_;
};

// Observes seconds, in buckets from 100 µs to 10 s.
class Timer {
 public:
  Timer(std::string_view name, std::string_view help, Labels labels = {});
  void observe(double seconds);

 private:
  void* handle_;
};

// The text exposition format of everything registered so far.
std::string render();

}  // namespace cahn::metrics
