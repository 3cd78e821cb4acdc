#include "discovery/found_service.h"

#include <gtest/gtest.h>

namespace cahn::discovery {
namespace {

Service sound() { return {"Registrar", "registrar.local", "10.77.0.2", 8443, "eth0", {"path=/.well-known/brski"}}; }

TEST(FoundService, IsTakenAsItIsWhenItIsSound) { EXPECT_EQ(admit_service(sound()), sound()); }

TEST(FoundService, IsTakenWithALinkLocalAddressOnlyWithItsZone) {
  Service service = sound();
  service.address = "fe80::1%eth0";
  EXPECT_TRUE(admit_service(service));
  service.address = "fe80::1";
  EXPECT_FALSE(admit_service(service));
  service.address = "2001:db8::1%eth0";
  EXPECT_FALSE(admit_service(service));
}

TEST(FoundService, IsRefusedWhenNoConnectionCanBeMadeToItsAddress) {
  for (const char* address : {"", "0.0.0.0", "255.255.255.255", "224.0.0.251", "::", "ff02::fb", "10.0.0",
                              "registrar.local", "fe80::1%eth0/../x", "fe80::1%", "10.0.0.1%eth0"}) {
    Service service = sound();
    service.address = address;
    EXPECT_FALSE(admit_service(service)) << address;
  }
}

TEST(FoundService, IsRefusedWithPortZeroOrAHostNameOfOtherCharacters) {
  Service service = sound();
  service.port = 0;
  EXPECT_FALSE(admit_service(service));
  for (const char* host : {"", "-x", ".local", "a b", "a\nb", "a/b", "a\"b"}) {
    service = sound();
    service.host = host;
    EXPECT_FALSE(admit_service(service)) << host;
  }
}

TEST(FoundService, IsRefusedWhenItsNameCouldForgeALineOrIsTooLong) {
  Service service = sound();
  service.instance = "Registrar\nERROR all is lost";
  EXPECT_FALSE(admit_service(service));
  service.instance = std::string(64, 'x');
  EXPECT_FALSE(admit_service(service));
  service.instance = "Régistrar des Büros";
  EXPECT_TRUE(admit_service(service));
}

TEST(FoundService, LosesTxtEntriesThatAreTooLongTooManyOrNotPrintable) {
  Service service = sound();
  service.txt = {"a=1", std::string(256, 'x'), std::string("b=\0", 3), "", "c=3"};
  EXPECT_EQ(admit_service(service)->txt, (std::vector<std::string>{"a=1", "c=3"}));
  service.txt.assign(1000, "a=1");
  EXPECT_EQ(admit_service(service)->txt.size(), max_txt_entries);
}

TEST(ServiceType, HasAShortNameAndAProtocol) {
  EXPECT_TRUE(is_service_type(registrar_service));
  EXPECT_TRUE(is_service_type(proxy_service));
  for (const char* type : {"", "_tcp", "._tcp", "_._tcp", "_x._sctp", "brski._tcp", "_-x._tcp", "_x-._tcp", "_x y._tcp",
                           "_x._tcp.local", "_abcdefghijklmnopq._tcp"})
    EXPECT_FALSE(is_service_type(type)) << type;
}

}  // namespace
}  // namespace cahn::discovery
