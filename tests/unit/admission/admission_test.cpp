#include "admission/admission.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <set>

#include "tests/support/pki/pki.h"

namespace cahn::admission {
namespace {

constexpr PolicyPoint every_point[] = {PolicyPoint::pledge_requests, PolicyPoint::registrar_receives,
                                       PolicyPoint::masa_receives,   PolicyPoint::registrar_returns,
                                       PolicyPoint::pledge_receives, PolicyPoint::registrar_enrols};

AdmissionAnswer ask(Admission& admission, PolicyPoint point) {
  const test::Pki pki;
  AdmissionEvidence evidence{.point = point,
                             .idevid = pki.device("42").certificate,
                             .manufacturer = pki.manufacturer().certificate,
                             .serial_number = "42"};
  boost::asio::io_context io;
  auto answer = boost::asio::co_spawn(io, admission.decide(std::move(evidence)), boost::asio::use_future);
  io.run();
  return test::must(answer.get());
}

TEST(TheDefaultAdmission, PermitsAtEveryPointAndSaysWhy) {
  const auto admission = permit_what_rfc8995_permits();
  for (const auto point : every_point) {
    const auto answer = ask(*admission, point);
    EXPECT_EQ(answer.verdict, AdmissionAnswer::Verdict::permit) << to_text(point);
    EXPECT_FALSE(answer.reason.empty());
    EXPECT_TRUE(answer.claims.empty()) << "it has no claims to rest on";
  }
}

// Whoever forgets to decide has denied.
TEST(AnAdmissionAnswer, IsADenialUntilItIsSaidOtherwise) {
  EXPECT_EQ(AdmissionAnswer{}.verdict, AdmissionAnswer::Verdict::deny);
}

TEST(APolicyPoint, HasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const auto point : every_point) EXPECT_TRUE(names.insert(to_text(point)).second);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace cahn::admission
