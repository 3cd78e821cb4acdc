// A registrar that does not answer yet (202), or sends the pledge elsewhere (3xx): RFC 8995 5.6, RFC 7030 4.2.3.

#include <gtest/gtest.h>

#include "pledge_fixture.h"

namespace cahn::brski {
namespace {

TEST_F(APledge, RepeatsTheVerySameBytesAfterA202) {  // RFC 8995 5.6
  int asked = 0;
  registrar_.answer_vouchers([&](const auto& request) {
    return ++asked < 3 ? come_back_later(std::chrono::seconds(1)) : registrar_.sign(registrar_.good_voucher(request));
  });
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(5);
  ASSERT_TRUE(onboard(patient));
  const auto requests = registrar_.seen(path_request_voucher);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].request.body, requests[0].request.body);
  EXPECT_EQ(requests[2].request.body, requests[0].request.body);
}

TEST_F(APledge, WaitsNoLongerThanItWouldWhateverTheRegistrarAsksFor) {  // RFC 8995 5.6: a minute
  EXPECT_EQ(PledgeOptions{}.longest_pause, std::chrono::minutes(1));
  int asked = 0;
  registrar_.answer_vouchers([&](const auto& request) {
    if (++asked > 2) return registrar_.sign(registrar_.good_voucher(request));
    auto later = net::HttpResponse::text(202, "");
    later.headers.set("Retry-After", asked == 1 ? "345600" : "Fri, 31 Dec 9999 23:59:59 GMT");
    return later;
  });
  std::vector<std::string> told;
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(5);
  patient.on_progress = [&](const Progress& progress) {
    if (progress.stage == "C.2") told.push_back(progress.what);
  };
  ASSERT_TRUE(onboard(patient));  // in less than four days
  const std::string words = "The registrar has not decided yet; asking again in 5 ms.";
  EXPECT_EQ(told, std::vector<std::string>({words, words})) << "whoever stands beside it sees that it waits";
}

TEST_F(APledge, GivesUpOnARegistrarThatNeverDecidesAndGoesToTheNext) {  // RFC 8995 5.6: after four days
  EXPECT_EQ(PledgeOptions{}.patience, std::chrono::days(4));
  FalseRegistrar second(runtime_, maker_);
  registrar_.answer_vouchers([](const auto&) { return come_back_later(std::chrono::seconds(1)); });
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(5);
  patient.patience = std::chrono::milliseconds(600);
  const auto got = onboard(patient, {registrar_.endpoint(), second.endpoint()});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_GT(registrar_.seen(path_request_voucher).size(), 1u);
  EXPECT_EQ(got->registrar.port, second.endpoint().port);
}

// RFC 8995 5.6, decision 62: a registrar may send a pledge on to another, which may not do so again.
class ARedirect : public APledge {
 protected:
  static net::HttpResponse to(const std::string& location, int status = 307) {
    auto response = net::HttpResponse::text(status, "");
    response.headers.set("Location", location);
    return response;
  }
  std::string url_of(const FalseRegistrar& registrar, std::string_view path = path_request_voucher) const {
    return "https://" + registrar.endpoint().authority() + std::string(path);
  }
  FalseRegistrar second_{runtime_, maker_};
};

TEST_F(ARedirect, IsFollowedWithARequestForTheOtherRegistrar) {
  for (const int status : {301, 302, 303, 307, 308}) {
    registrar_.answer_vouchers([&](const auto&) { return to(url_of(second_), status); });
    const auto got = onboard();
    ASSERT_TRUE(got) << status << ": " << got.error().message;
    EXPECT_EQ(got->registrar.port, second_.endpoint().port);
    const Bytes body = second_.seen(path_request_voucher).back().request.body;
    const auto asked = need(voucher::open(body, voucher::Root::voucher_request));
    EXPECT_EQ(asked.voucher.proximity_registrar_cert, second_.certificate()) << "the one the pledge talks to now";
    EXPECT_NE(body, registrar_.seen(path_request_voucher).back().request.body);
  }
  EXPECT_TRUE(registrar_.seen("/.well-known/est/simpleenroll").empty());
}

TEST_F(ARedirect, IsFollowedToItsQueryToo) {
  registrar_.answer_vouchers([&](const auto&) { return to(url_of(second_) + "?rack=7"); });
  ASSERT_TRUE(onboard());
  EXPECT_EQ(second_.seen(path_request_voucher).at(0).request.query, "rack=7");
}

TEST_F(ARedirect, IsNotFollowedASecondTime) {
  FalseRegistrar third(runtime_, maker_);
  registrar_.answer_vouchers([&](const auto&) { return to(url_of(second_)); });
  second_.answer_vouchers([&](const auto&) { return to(url_of(third)); });
  const auto got = onboard();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::registrar_refused);
  EXPECT_NE(got.error().message.find("sent on a second time"), std::string::npos) << got.error().message;
  EXPECT_TRUE(third.seen().empty());
}

TEST_F(ARedirect, ToItselfIsNoLoop) {
  for (const std::string& location : {url_of(registrar_), std::string(path_request_voucher)}) {
    const auto before = registrar_.seen(path_request_voucher).size();
    registrar_.answer_vouchers([&](const auto&) { return to(location); });
    EXPECT_FALSE(onboard());
    EXPECT_EQ(registrar_.seen(path_request_voucher).size(), before + 2) << location;
  }
}

TEST_F(ARedirect, ToNoHttpsUrlIsARefusal) {
  for (const std::string location : {"http://127.0.0.1:80/.well-known/brski/requestvoucher", "//127.0.0.1/", "",
                                     "ftp://127.0.0.1/", "https://user@127.0.0.1/", "https://127.0.0.1:0/"}) {
    registrar_.answer_vouchers([&](const auto&) { return to(location); });
    const auto got = onboard();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, BrskiError::registrar_refused) << location;
  }
}

TEST_F(ARedirect, AfterTheVoucherIsARefusal) {
  registrar_.answer_enrolments([&](const auto&) { return to(url_of(second_, "/.well-known/est/simpleenroll")); });
  EXPECT_FALSE(onboard());
  EXPECT_TRUE(second_.seen().empty());
}

TEST_F(APledge, RepeatsItsCertificateRequestWhileTheRegistrarHasNotDecided) {  // RFC 7030 4.2.3
  int asked = 0;
  registrar_.answer_enrolments([&](const auto&) -> std::optional<net::HttpResponse> {
    if (++asked > 3) return std::nullopt;
    auto later = come_back_later(std::chrono::seconds(1));
    later.close = asked == 2;
    return later;
  });
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(20);
  const auto got = onboard(patient);
  ASSERT_TRUE(got) << got.error().message;
  const auto requests = registrar_.seen("/.well-known/est/simpleenroll");
  ASSERT_EQ(requests.size(), 4u);
  for (const auto& one : requests) EXPECT_EQ(one.request.body, requests[0].request.body);
  EXPECT_EQ(requests[1].session, requests[0].session);
  EXPECT_NE(requests[2].session, requests[1].session) << "the registrar closed that one";
  patient.patience = std::chrono::milliseconds(10);
  asked = -1000;
  const auto given_up = onboard(patient);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, BrskiError::gave_up) << given_up.error().message;
}

TEST_F(APledge, ComesBackOverANewConnectionWhenTheRegistrarClosedTheOneThatWaited) {
  int asked = 0;
  registrar_.answer_vouchers([&](const auto& request) {
    if (++asked > 1) return registrar_.sign(registrar_.good_voucher(request));
    auto later = come_back_later(std::chrono::seconds(1));
    later.close = true;
    return later;
  });
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(20);
  const auto got = onboard(patient);
  ASSERT_TRUE(got) << got.error().message;
  const auto requests = registrar_.seen(path_request_voucher);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_NE(requests[0].session, requests[1].session);
}

// RFC 8995 5: over another connection the registrar shows the very certificates it showed before.
TEST_F(APledge, BreaksOffWhenAnotherRegistrarAnswersAfterAWait) {
  registrar_.answer_vouchers([&](const auto&) {
    registrar_.change_certificate();
    auto later = come_back_later(std::chrono::seconds(1));
    later.close = true;
    return later;
  });
  PledgeOptions patient = options();
  patient.longest_pause = std::chrono::milliseconds(20);
  patient.patience = std::chrono::seconds(1);
  const auto got = onboard(patient);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::not_the_registrar) << got.error().message;
  EXPECT_EQ(registrar_.seen(path_request_voucher).size(), 1u) << "the request is not for another's eyes";
}

}  // namespace
}  // namespace cahn::brski
