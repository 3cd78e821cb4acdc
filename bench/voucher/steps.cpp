#include "bench/voucher/steps.h"

#include "brski/masa_checks.h"
#include "brski/registrar_checks.h"

namespace cahn::bench {

using test::must;
using test::Pki;
using voucher::Root;

Steps::Steps(std::size_t devices) : identity_(pki_.registrar().tls()) {
  brski::Manufacturer maker;
  maker.name = "Honest Machines";
  maker.idevid_anchors = pki_.manufacturer_anchors();
  makers_.push_back(std::move(maker));
  for (std::size_t i = 0; i < devices; ++i) {
    serials_.push_back("BENCH-" + std::to_string(i));
    (void)pki_.device(serials_.back());
  }
}

void Steps::run(std::size_t device) const {
  const std::string& serial = serials_[device];
  const test::Identity identity = pki_.device(serial);
  const std::string nonce = voucher::fresh_nonce();
  const Bytes asked = ask(identity, serial, nonce);
  const Bytes forwarded = registrar(asked, identity);
  judge(masa(forwarded), serial, nonce);
}

Bytes Steps::ask(const test::Identity& device, const std::string& serial, const std::string& nonce) const {
  voucher::Voucher request;
  request.created_on = Pki::now();
  request.assertion = voucher::Assertion::proximity;
  request.serial_number = serial;
  request.nonce = nonce;
  request.proximity_registrar_cert = pki_.registrar().certificate;
  return must(voucher::sign(request, Root::voucher_request, device.certificate, *device.key, device.issuers()));
}

Bytes Steps::registrar(ByteView request, const test::Identity& device) const {
  const auto known = must(brski::identify_device(device.chain, makers_, Pki::now()));
  const auto read = must(brski::read_pledge_request(request));
  must(brski::check_pledge_request(read, known, pki_.registrar().certificate));
  const std::vector domain_ca{pki_.domain().certificate};
  return must(brski::make_registrar_request(read, known, {.identity = identity_, .domain_ca = domain_ca}, Pki::now()));
}

Bytes Steps::masa(ByteView request) const {
  const auto read = must(brski::read_registrar_request(voucher::Format::cms, request, Pki::now()));
  const auto pledge = must(brski::check_pledge_request(read, pki_.manufacturer_anchors(), Pki::now()));
  const brski::VoucherTerms terms{.assertion = voucher::Assertion::proximity,
                                  .pin = brski::pin_of(read.registrar, brski::PinPolicy::farthest),
                                  .idevid = pledge.idevid};
  return pki_.sign(brski::voucher_for(read, terms, Pki::now()));
}

void Steps::judge(ByteView signed_voucher, const std::string& serial, const std::string& nonce) const {
  const auto voucher = must(voucher::read_as_pledge(signed_voucher, pki_.expectation(serial, nonce)));
  must(voucher::check_pin(voucher, pki_.registrar().chain, Pki::now()));
}

}  // namespace cahn::bench
