#include "bearer/dot1x/configuration.h"

#include <gtest/gtest.h>

namespace cahn::bearer::dot1x {
namespace {

class ConfigurationOfTheNeighbours : public testing::Test {
 protected:
  ConfigurationOfTheNeighbours() {
    options_.ports = {"port1", "port2"};
    options_.run_directory = "/run/cahn";
    options_.radius_certificate = "/etc/cahn/radius.pem";
    options_.radius_key = "/etc/cahn/radius.key";
    options_.domain_ca = "/etc/cahn/ca.pem";
    options_.onboarding_services = {{"10.77.0.2", 8443}, {"2001:db8::2", 8443}};
  }
  std::string refusal() const {
    const auto checked = check(options_);
    return checked ? "" : checked.error().message;
  }

  Options options_;
};

TEST_F(ConfigurationOfTheNeighbours, IsSoundByDefault) { EXPECT_EQ(refusal(), ""); }

TEST_F(ConfigurationOfTheNeighbours, TakesNoNameThatCouldBeMoreThanAName) {
  for (const char* name : {"", "a b", "port1\nbridge=x", "sixteen-octets-x", "\"", "..", "a/b", "$x"}) {
    options_.ports = {name};
    EXPECT_NE(refusal(), "") << name;
  }
  options_.ports = {"port1", "port1"};
  EXPECT_NE(refusal(), "");
  options_.ports.clear();
  EXPECT_NE(refusal(), "");
}

TEST_F(ConfigurationOfTheNeighbours, TakesNoPathThatCouldBeMoreThanAPath) {
  for (const char* path : {"", "relative", "/a b", "/a\nb", "/a}", "/a${b}", "/a%{b}", "/a\"", "/a#b"}) {
    options_.radius_key = path;
    EXPECT_NE(refusal(), "") << path;
  }
}

TEST_F(ConfigurationOfTheNeighbours, TakesARunDirectoryOnlyIfAControlSocketFitsBehindIt) {
  options_.run_directory = "/" + std::string(79, 'x');
  EXPECT_EQ(refusal(), "");
  options_.run_directory = "/" + std::string(80, 'x');
  EXPECT_NE(refusal(), "");
}

TEST_F(ConfigurationOfTheNeighbours, TakesAServiceOnlyByAddressAndPort) {
  for (const OnboardingService& service :
       {OnboardingService{"registrar.local", 8443}, OnboardingService{"10.77.0.2", 0},
        OnboardingService{"fe80::1%eth0", 1}, OnboardingService{"10.77.0.2; accept", 1}}) {
    options_.onboarding_services = {service};
    EXPECT_NE(refusal(), "") << service.address;
  }
}

TEST_F(ConfigurationOfTheNeighbours, HasFreshSecretsAtEveryStart) {
  const Secrets one = Secrets::generate(), two = Secrets::generate();
  EXPECT_EQ(one.authorise.size(), 64U);
  EXPECT_NE(one.authorise, two.authorise);
  EXPECT_NE(one.radius, one.das);
}

TEST_F(ConfigurationOfTheNeighbours, GivesEveryPortItsNameAndItsOwnDisconnectPort) {
  const Secrets secrets = Secrets::generate();
  const std::string second = hostapd_configuration(options_, 1, secrets);
  EXPECT_NE(second.find("interface=port2\n"), std::string::npos);
  EXPECT_NE(second.find("nas_identifier=port2\n"), std::string::npos);
  EXPECT_NE(second.find("radius_das_port=3800\n"), std::string::npos);
  EXPECT_NE(second.find("radius_das_require_message_authenticator=1\n"), std::string::npos);
  EXPECT_EQ(second.find(secrets.authorise), std::string::npos);
}

TEST_F(ConfigurationOfTheNeighbours, LetsFreeradiusDoEapTlsAndNothingElse) {
  const std::string text = radius_configuration(options_, 4711, Secrets::generate()).at("radiusd.conf");
  EXPECT_NE(text.find("http://127.0.0.1:4711"), std::string::npos);
  for (const char* other : {"peap", "ttls", "md5", "mschap", "check_crl = yes", "ipaddr = *"})
    EXPECT_EQ(text.find(other), std::string::npos) << other;
}

TEST_F(ConfigurationOfTheNeighbours, DropsOnEveryPortWhatIsNotNamed) {
  const std::string text = gate_ruleset(options_);
  EXPECT_NE(text.find("device \"port1\" priority 0; policy drop;"), std::string::npos);
  EXPECT_NE(text.find("device \"port2\" priority 0; policy drop;"), std::string::npos);
  EXPECT_NE(text.find("ether type ip6 ip6 daddr 2001:db8::2 tcp dport 8443 accept"), std::string::npos);
  EXPECT_EQ(text.find("icmp type"), std::string::npos);
}

}  // namespace
}  // namespace cahn::bearer::dot1x
