#include "bearer/dot1x/supplicant.h"

#include <gtest/gtest.h>

namespace cahn::bearer::dot1x {
namespace {

class ConfigurationOfTheSupplicant : public testing::Test {
 protected:
  SupplicantOptions options_{.interface = "eth0",
                             .run_directory = "/run/device",
                             .certificate = "/var/device/ldevid.pem",
                             .key = "/var/device/ldevid.key",
                             .domain_ca = "/var/device/ca.pem",
                             .identity = "SN-1",
                             .radius_name = "radius.example.org"};
};

TEST_F(ConfigurationOfTheSupplicant, NamesTheServerItTrustsAndNoOther) {
  const std::string text = supplicant_configuration(options_).value();
  EXPECT_NE(text.find("ca_cert=\"/var/device/ca.pem\"\n"), std::string::npos);
  EXPECT_NE(text.find("domain_match=\"radius.example.org\"\n"), std::string::npos);
}

TEST_F(ConfigurationOfTheSupplicant, WritesTheIdentitySoThatItCannotBeMoreThanAnIdentity) {
  options_.identity = "SN\"\n}\nnetwork={";
  const std::string text = supplicant_configuration(options_).value();
  EXPECT_NE(text.find("identity=534e220a7d0a6e6574776f726b3d7b\n"), std::string::npos);
  EXPECT_EQ(text.find("network={"), text.rfind("network={"));
}

TEST_F(ConfigurationOfTheSupplicant, TakesNoNameOrPathThatCouldBeMore) {
  for (const char* name : {"", "a b", "x\"", "x\ny"}) {
    SupplicantOptions bad = options_;
    bad.radius_name = name;
    EXPECT_FALSE(supplicant_configuration(bad)) << name;
    bad = options_;
    bad.interface = name;
    EXPECT_FALSE(supplicant_configuration(bad)) << name;
    bad = options_;
    bad.key = name;
    EXPECT_FALSE(supplicant_configuration(bad)) << name;
  }
  options_.identity.clear();
  EXPECT_FALSE(supplicant_configuration(options_));
}

}  // namespace
}  // namespace cahn::bearer::dot1x
