#include "bearer/dot1x/authorise_request.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

namespace cahn::bearer::dot1x {
namespace {

using Json = nlohmann::json;

// As FreeRADIUS 3.2.1 sends it, cut to what matters.
class RequestOfFreeradius : public testing::Test {
 protected:
  static Json text(const std::string& value) { return {{"type", "string"}, {"value", {value}}}; }
  Result<JoinRequest> parse() const { return parse_authorise_request(as_bytes(body_.dump())); }
  std::string refusal() const {
    const auto request = parse();
    return request ? "" : request.error().message;
  }

  Json body_ = {{"User-Name", text("SN-1")},
                {"NAS-Identifier", text("port1")},
                {"Calling-Station-Id", text("86-62-24-E1-89-1B")},
                {"TLS-Client-Cert-Serial", text("3AA304b6")},
                {"TLS-Client-Cert-Subject", text("/serialNumber=SN-1/CN=net")},
                {"TLS-Client-Cert-Issuer", text("/CN=Domain CA")},
                {"EAP-Type", {{"type", "integer"}, {"value", {13}}}}};
};

TEST_F(RequestOfFreeradius, IsReadIntoWhatTheCertificateProvesAndWhatTheStationClaims) {
  const auto request = parse();
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->certificate_serial_hex, "3aa304b6");
  EXPECT_EQ(request->certificate_issuer, "/CN=Domain CA");
  EXPECT_EQ(request->certificate_subject_serial, "SN-1");
  EXPECT_EQ(request->claimed_identity, "SN-1");
  EXPECT_EQ(request->station, "86:62:24:e1:89:1b");
  EXPECT_EQ(request->port, "port1");
}

TEST_F(RequestOfFreeradius, IsRefusedWhenTheIdentityIsAnothersSerialNumber) {
  body_["User-Name"] = text("SN-2");
  EXPECT_EQ(refusal(), "the EAP identity is not the serialNumber of the certificate");
}

TEST_F(RequestOfFreeradius, MayHideTheUserBehindARealmAsRfc9190Says) {
  body_["User-Name"] = text("@example.org");
  EXPECT_EQ(refusal(), "");
  for (const char* identity : {"@", "", "x@example.org", "@a@b", "SN-1@example.org"}) {
    body_["User-Name"] = text(identity);
    EXPECT_NE(refusal(), "") << identity;
  }
}

TEST_F(RequestOfFreeradius, HasNoSerialNumberWhenItsSubjectCouldBeReadInTwoWays) {
  body_["User-Name"] = text("@example.org");
  body_["TLS-Client-Cert-Subject"] = text("/CN=x/serialNumber=SN-1/serialNumber=SN-9");
  EXPECT_EQ(parse()->certificate_subject_serial, "");
  body_["TLS-Client-Cert-Subject"] = text("/CN=net");
  EXPECT_EQ(parse()->certificate_subject_serial, "");
  body_["User-Name"] = text("");
  EXPECT_NE(refusal(), "");  // an empty identity does not equal a serialNumber that is not there
}

TEST_F(RequestOfFreeradius, IsRefusedWithoutACertificateOrAnyOtherPart) {
  const Json whole = body_;
  for (const char* name : {"User-Name", "NAS-Identifier", "Calling-Station-Id", "TLS-Client-Cert-Serial",
                           "TLS-Client-Cert-Subject", "TLS-Client-Cert-Issuer"}) {
    body_ = whole;
    body_.erase(name);
    EXPECT_EQ(refusal(), std::string(name) + " is missing");
    for (const Json& odd : {Json(1), Json("SN-1"), Json::array(), Json::object(), Json{{"value", "SN-1"}},
                            Json{{"value", {"SN-1", "SN-1"}}}, Json{{"value", Json::array()}}, Json{{"value", {1}}},
                            Json{{"value", {std::string(254, 'x')}}}, Json{{"value", {"a\nb"}}}}) {
      body_[name] = odd;
      EXPECT_NE(refusal(), "") << name << " " << odd;
    }
  }
}

TEST_F(RequestOfFreeradius, IsRefusedWithASerialNumberThatIsNotHexOrTooLong) {
  for (const std::string& serial : {std::string("0x01"), std::string("zz"), std::string(), std::string(41, '1')}) {
    body_["TLS-Client-Cert-Serial"] = text(serial);
    EXPECT_NE(refusal(), "") << serial;
  }
}

TEST_F(RequestOfFreeradius, IsRefusedWhenAKeyIsThereTwice) {
  const std::string whole = body_.dump();
  const std::string twice = R"({"User-Name":{"type":"string","value":["SN-1"]},)" + whole.substr(1);
  EXPECT_TRUE(parse_authorise_request(as_bytes(whole)));
  EXPECT_FALSE(parse_authorise_request(as_bytes(twice)));
  const std::string inside = R"({"x":{"value":[1],"value":[2]},)" + whole.substr(1);
  EXPECT_FALSE(parse_authorise_request(as_bytes(inside)));
}

TEST_F(RequestOfFreeradius, IsRefusedWhenItIsNotJsonTooLargeOrTooDeep) {
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("{}{}"),
        std::string(60'000, '['), std::string(max_authorise_body + 1, ' ')})
    EXPECT_FALSE(parse_authorise_request(as_bytes(body))) << body.substr(0, 10);
  body_["x"] = Json::parse(std::string(10, '[') + std::string(10, ']'));
  EXPECT_NE(refusal(), "");
}

TEST(LinkAddress, IsWrittenInOneWay) {
  EXPECT_EQ(normal_link_address("02-00-00-00-00-AA"), "02:00:00:00:00:aa");
  EXPECT_EQ(normal_link_address("02:00:00:00:00:aa"), "02:00:00:00:00:aa");
  for (const char* text :
       {"", "02-00-00-00-00-A", "02-00-00-00-00-AAA", "02.00.00.00.00.AA", "0g-00-00-00-00-AA", "020000-0000-00-AA"})
    EXPECT_FALSE(normal_link_address(text)) << text;
}

TEST(Permit, TellsTheLengthOfTheSessionAndThatAnAuthenticationFollowsIt) {
  JoinAnswer answer;
  answer.session = std::chrono::seconds(600);
  EXPECT_EQ(Json::parse(permit_body(answer)),
            Json({{"reply:Session-Timeout", 600}, {"reply:Termination-Action", "RADIUS-Request"}}));
}

}  // namespace
}  // namespace cahn::bearer::dot1x
