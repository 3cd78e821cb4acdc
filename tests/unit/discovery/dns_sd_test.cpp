// What needs no daemon. With one: tests/system/test_discovery.py.

#include "discovery/dns_sd.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace cahn::discovery {
namespace {

using namespace std::chrono_literals;

class WithoutADaemon : public testing::Test {
 protected:
  void SetUp() override { ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1); }
};

TEST_F(WithoutADaemon, AnnouncingFailsAndSaysWhy) {
  const auto announcement = Announcement::start("Registrar", registrar_service, 8443);
  ASSERT_FALSE(announcement.has_value());
  EXPECT_EQ(announcement.error().code, DiscoveryError::daemon_unavailable);
}

TEST_F(WithoutADaemon, BrowsingFailsAndSaysWhyWithoutUsingUpItsPatience) {
  const auto found = browse(registrar_service, 1h);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, DiscoveryError::daemon_unavailable);
}

TEST_F(WithoutADaemon, WhatCannotBeAnnouncedIsABadArgument) {
  const auto port_zero = Announcement::start("Registrar", registrar_service, 0);
  EXPECT_EQ(port_zero.error().code, DiscoveryError::bad_argument);
  const auto bad_type = Announcement::start("Registrar", "registrar", 8443);
  EXPECT_EQ(bad_type.error().code, DiscoveryError::bad_argument);
  const auto bad_txt = Announcement::start("Registrar", registrar_service, 8443, {"a\nb"});
  EXPECT_EQ(bad_txt.error().code, DiscoveryError::bad_argument);
  EXPECT_EQ(browse("registrar", 1s).error().code, DiscoveryError::bad_argument);
  EXPECT_EQ(browse(registrar_service, 1s, 0).error().code, DiscoveryError::bad_argument);
}

}  // namespace
}  // namespace cahn::discovery
