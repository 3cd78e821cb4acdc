#include "base/metrics.h"

#include <gtest/gtest.h>

namespace cahn::metrics {
namespace {

TEST(Metrics, AreRenderedInTheTextFormat) {
  Counter permitted("cahn_test_decisions_total", "Decisions taken.", {{"answer", "permit"}});
  Counter denied("cahn_test_decisions_total", "Decisions taken.", {{"answer", "deny"}});
  Gauge routers("cahn_test_routers", "Routers connected.");
  permitted.add(2);
  denied.add();
  routers.set(3);
  routers.add(-1);
  const std::string text = render();
  EXPECT_NE(text.find("# TYPE cahn_test_decisions_total counter\n"), std::string::npos);
  EXPECT_NE(text.find("cahn_test_decisions_total{answer=\"permit\"} 2"), std::string::npos);
  EXPECT_NE(text.find("cahn_test_decisions_total{answer=\"deny\"} 1"), std::string::npos);
  EXPECT_NE(text.find("cahn_test_routers 2"), std::string::npos);
}

TEST(Metrics, OfOneNameAndLabelsAreOne) {
  Counter first("cahn_test_same_total", "The same.");
  Counter second("cahn_test_same_total", "The same.");
  first.add();
  second.add();
  EXPECT_NE(render().find("cahn_test_same_total 2"), std::string::npos);
}

TEST(Metrics, TimersCountInBuckets) {
  Timer timer("cahn_test_seconds", "A time.");
  timer.observe(0.0002);
  timer.observe(2);
  const std::string text = render();
  EXPECT_NE(text.find("cahn_test_seconds_bucket{le=\"0.00025\"} 1"), std::string::npos);
  EXPECT_NE(text.find("cahn_test_seconds_bucket{le=\"2.5\"} 2"), std::string::npos);
  EXPECT_NE(text.find("cahn_test_seconds_count 2"), std::string::npos);
}

}  // namespace
}  // namespace cahn::metrics
