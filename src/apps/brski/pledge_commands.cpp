// `epvr` and `preq`: the pledge's half of the tool.

#include <cstdio>

#include "apps/brski/artefact.h"
#include "apps/brski/commands.h"
#include "apps/brski/ini_files.h"
#include "apps/common/progress_log.h"
#include "base/log.h"
#include "brski/pledge.h"

namespace cahn::apps::tool {
namespace {

// Who signs the voucher-request: cmsSign*, or else the IDevID (RFC 8995 5.2 wants it to be the IDevID).
Result<crypto::TlsIdentity> request_signer(const Ini& ini) {
  const PledgeKeys& pledge = ini.pledge;
  const bool own = pledge.cms.sign_certificate || pledge.cms.sign_key;
  CAHN_TRY(auto signer, needed_identity(ini, own ? pledge.cms.sign_certificate : pledge.idevid_certificate,
                                        own ? pledge.cms.sign_key : pledge.idevid_key,
                                        "cmsSignCertPath and cmsSignKeyPath, or idevidCertPath and idevidKeyPath, say "
                                        "who signs the voucher-request"));
  CAHN_TRY(const auto additional, certificates(ini, pledge.cms.additional_certificates));
  append(signer.chain, additional);
  return signer;
}

// A tool says what it is told to; whether that can succeed is said, too.
void warn_of_serial_number(const Ini& ini, const crypto::Certificate& certificate) {
  const auto own = certificate.subject_serial_number();
  if (!ini.pledge.serial_number || own == *ini.pledge.serial_number) return;
  log::warning("TOOL_SERIAL_DIFFERS", "serialNumber is not the one of the certificate; registrars refuse that",
               {{"serialNumber", *ini.pledge.serial_number}, {"certificate", own.value_or("(none)")}});
}

Result<crypto::TrustStore> voucher_anchors(const Ini& ini) {
  const PathSetting& store = ini.pledge.cms.verify_store;
  if (store || !ini.masa.cms.sign_certificate) {
    CAHN_TRY(auto anchors,
             needed_certificates(ini, store, "nor is [masa] cmsSignCertPath: without an anchor any voucher would do"));
    return crypto::TrustStore(std::move(anchors));
  }
  CAHN_TRY(auto masa, certificates(ini, ini.masa.cms.sign_certificate));
  return crypto::TrustStore({masa.front()});  // what follows it in the file may be a CA that signs devices too
}

Result<brski::PledgeOptions> pledge_options(const Ini& ini, const Invocation& invocation) {
  brski::PledgeOptions options;
  CAHN_TRY(options.idevid, needed_identity(ini, ini.pledge.idevid_certificate, ini.pledge.idevid_key,
                                           "`preq` shows the IDevID to the registrar"));
  CAHN_TRY(const auto issuers, certificates(ini, ini.pledge.idevid_ca));
  append(options.idevid.chain, issuers);
  CAHN_TRY(options.masa_anchors, voucher_anchors(ini));
  CAHN_TRY(options.masa_intermediates, certificates(ini, ini.pledge.cms.verify_certificates));
  options.clock = &system_clock();
  options.patience = std::chrono::seconds(invocation.wait_seconds);
  options.on_progress = log_progress;
  return options;
}

Result<brski::VoucherQuestion> question_of(const Ini& ini) {
  brski::VoucherQuestion question;
  question.serial_number = ini.pledge.serial_number.value;
  question.nonce = ini.pledge.nonce.value;
  question.created_on = ini.pledge.created_on.value;
  CAHN_TRY(question.signer, request_signer(ini));
  CAHN_TRY(const auto expected, certificates(ini, ini.registrar.tls_certificate));
  if (!expected.empty()) question.registrar = expected.front();
  CAHN_TRY(auto anchors, certificates(ini, ini.registrar.tls_ca));
  if (!anchors.empty()) question.registrar_anchors = crypto::TrustStore(std::move(anchors));
  return question;
}

Result<net::Endpoint> registrar_of(const Ini& ini) {
  const RegistrarKeys& registrar = ini.registrar;
  if (!registrar.bind_address) return not_set(ini, registrar.bind_address, "`preq` connects to it");
  if (registrar.bind_address->is_wildcard())
    return wrong(ini, registrar.bind_address,
                 "one can listen on " + registrar.bind_address->text + ", not connect to it");
  return net::Endpoint{registrar.bind_address->text, registrar.port.value.value_or(443)};
}

using Granted = Result<brski::GrantedVoucher>;

net::awaitable<Granted> ask(brski::Pledge* pledge, net::Endpoint registrar, brski::VoucherQuestion question) {
  co_return co_await pledge->request_voucher(std::move(registrar), std::move(question));
}

}  // namespace

Result<void> export_request(const Ini& ini, const Invocation& invocation) {
  CAHN_TRY(const auto signer, request_signer(ini));
  CAHN_TRY(const auto registrar,
           needed_certificates(ini, ini.registrar.tls_certificate,
                               "the request names it as the registrar the pledge has seen (proximity-registrar-cert)"));
  voucher::Voucher request;
  request.created_on = ini.pledge.created_on.value.value_or(system_clock().now());
  request.assertion = voucher::Assertion::proximity;
  request.serial_number =
      ini.pledge.serial_number.value.value_or(signer.chain.front().subject_serial_number().value_or(""));
  if (request.serial_number.empty())
    return not_set(ini, ini.pledge.serial_number, "nor has the signer's certificate a serialNumber in its subject");
  warn_of_serial_number(ini, signer.chain.front());
  request.nonce = ini.pledge.nonce.value.value_or(voucher::fresh_nonce());
  request.proximity_registrar_cert = registrar.front();
  const std::vector<crypto::Certificate> chain(signer.chain.begin() + 1, signer.chain.end());
  CAHN_TRY(const Bytes cms,
           voucher::sign(request, voucher::Root::voucher_request, signer.chain.front(), *signer.key, chain));
  return write_artefact(invocation.out, cms);
}

Result<void> request_voucher(const Ini& ini, const Invocation& invocation) {
  CAHN_TRY(auto registrar, registrar_of(ini));
  CAHN_TRY(auto options, pledge_options(ini, invocation));
  CAHN_TRY(auto question, question_of(ini));
  warn_of_serial_number(ini, options.idevid.chain.front());
  CAHN_TRY(auto pledge, brski::Pledge::open(std::move(options)));
  net::Runtime runtime(1);
  runtime.start();
  brski::Pledge* asking = pledge.get();
  CAHN_TRY(const auto granted, net::run_blocking<Granted>(runtime, [asking, registrar, question] {
             return ask(asking, registrar, question);
           }));
  if (!invocation.out.empty()) CAHN_CHECK(write_artefact(invocation.out, granted.cms));
  if (invocation.out == "-") return {};
  CAHN_TRY(const std::string text, describe(granted.cms));
  std::printf("The voucher is valid: it is this pledge's, and pins the registrar at %s.\n%s",
              registrar.authority().c_str(), text.c_str());
  return {};
}

}  // namespace cahn::apps::tool
