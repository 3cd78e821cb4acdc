// A pledge of Acme, and a registrar that does as the test tells it.

#pragma once

#include <gtest/gtest.h>

#include "brski/pledge.h"
#include "false_registrar.h"

namespace cahn::brski {

using test::Device;
using test::FalseRegistrar;
using test::need;

class APledge : public testing::Test {
 protected:
  APledge() { runtime_.start(); }

  PledgeOptions options() const {
    PledgeOptions options;
    options.idevid = device_.idevid;
    options.masa_anchors = crypto::TrustStore({maker_.masa.certificate});
    options.clock = &system_clock();
    return options;
  }
  Result<NetworkCredential> onboard(PledgeOptions options, std::vector<net::Endpoint> candidates) {
    const auto pledge = need(Pledge::open(std::move(options)));
    return net::run_blocking<Result<NetworkCredential>>(runtime_, [&]() { return pledge->onboard(candidates); });
  }
  Result<NetworkCredential> onboard(PledgeOptions options) {
    return onboard(std::move(options), {registrar_.endpoint()});
  }
  Result<NetworkCredential> onboard() { return onboard(options()); }

  StatusReport only_report(std::string_view path) const {
    const auto reports = registrar_.seen(path);
    EXPECT_EQ(reports.size(), 1u);
    return need(status_report_from_json(as_text(reports.at(0).request.body)));
  }
  void expect_voucher_refused(const ErrorCode& code, const PledgeOptions& with) {
    const auto got = onboard(with);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, code) << got.error().code.name() << ": " << got.error().message;
    const StatusReport report = only_report(path_voucher_status);  // RFC 8995 5.7: told on either outcome
    EXPECT_FALSE(report.status);
    EXPECT_FALSE(report.reason.empty());
    EXPECT_TRUE(registrar_.seen("/.well-known/est/simpleenroll").empty());
  }
  void expect_voucher_refused(const ErrorCode& code) { expect_voucher_refused(code, options()); }
  Result<GrantedVoucher> ask(VoucherQuestion question) {
    const auto pledge = need(Pledge::open(options()));
    const net::Endpoint endpoint = registrar_.endpoint();
    return net::run_blocking<Result<GrantedVoucher>>(runtime_,
                                                     [&]() { return pledge->request_voucher(endpoint, question); });
  }
  voucher::SignedVoucher only_request() const {
    const auto requests = registrar_.seen(path_request_voucher);
    EXPECT_EQ(requests.size(), 1u);
    return need(voucher::open(requests.at(0).request.body, voucher::Root::voucher_request));
  }
  void answer_with(const test::Change& change) {
    registrar_.answer_vouchers([this, change](const auto& request) {
      auto voucher = registrar_.good_voucher(request);
      change(voucher);
      return registrar_.sign(voucher);
    });
  }

  net::Runtime runtime_{2};
  test::Maker maker_ = test::Maker::make("Acme");
  Device device_ = test::make_device(maker_, "1", "masa.example");
  FalseRegistrar registrar_{runtime_, maker_};
};

}  // namespace cahn::brski
