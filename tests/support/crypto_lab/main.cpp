// Keys, signed vouchers and TLS of the rooms `crypto` and `voucher`, for tests that hold them against other programs.
//
//   crypto_lab csr KEY NAME                                  a certificate request, PEM
//   crypto_lab self-signed KEY NAME                          a CA's own certificate, PEM
//   crypto_lab request KEY CERTIFICATE FORMAT SERIAL         a voucher-request
//   crypto_lab open FORMAT READING FILE [CERTIFICATE]        the JSON of a voucher-request and a line with its signer
//   crypto_lab sign-twice KEY                                two threads sign with one key until both have 20
//   signatures crypto_lab connect KEY CERTIFICATE ANCHOR HOST PORT      what a TLS server says first to a client with
//   this key
//
// KEY is a URI of crypto/key.h, FORMAT one of cms, cms-id-data, jws, READING strict or tolerant, files are PEM. Exit 1
// with a line on stderr when it is refused.

#include <openssl/ssl.h>

#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include "base/file.h"
#include "crypto/csr.h"
#include "crypto/tls.h"
#include "voucher/signed_voucher.h"

namespace cahn {
namespace {

using Arguments = std::vector<std::string>;

enum class LabError { usage, tls };
std::string_view error_name(LabError error) { return error == LabError::usage ? "usage" : "tls"; }

Result<crypto::Certificate> read_certificate(const std::string& file) {
  CAHN_TRY(const Bytes pem, read_file(file));
  return crypto::Certificate::from_pem(as_text(pem));
}

Result<voucher::Format> format_named(const std::string& name) {
  if (name == "cms") return voucher::Format::cms;
  if (name == "cms-id-data") return voucher::Format::cms_id_data;
  if (name == "jws") return voucher::Format::jws;
  return fail(LabError::usage, "no such format: " + name);
}

Result<std::string> csr(const Arguments& a) {
  CAHN_TRY(const auto key, crypto::open_key(a.at(0)));
  CAHN_TRY(const Bytes der, crypto::make_csr({.subject = {{"CN", a.at(1)}}}, *key));
  return "-----BEGIN CERTIFICATE REQUEST-----\n" + base64(der) + "\n-----END CERTIFICATE REQUEST-----\n";
}

Result<std::string> self_signed(const Arguments& a) {
  CAHN_TRY(const auto key, crypto::open_key(a.at(0)));
  const Time now = system_clock().now();
  CAHN_TRY(const auto certificate,
           crypto::issue_certificate({.subject = {{"CN", a.at(1)}},
                                      .key = key->public_key(),
                                      .not_before = now - std::chrono::hours(1),
                                      .not_after = now + std::chrono::days(30),
                                      .ca = true,
                                      .key_usage = crypto::KeyUsage::digital_signature | crypto::KeyUsage::cert_sign},
                                     *key));
  return certificate.pem();
}

Result<std::string> request(const Arguments& a) {
  CAHN_TRY(const auto key, crypto::open_key(a.at(0)));
  CAHN_TRY(const auto certificate, read_certificate(a.at(1)));
  CAHN_TRY(const voucher::Format format, format_named(a.at(2)));
  voucher::Voucher request;
  request.created_on = std::chrono::floor<std::chrono::seconds>(system_clock().now());
  request.assertion = voucher::Assertion::proximity;
  request.serial_number = a.at(3);
  request.nonce = voucher::fresh_nonce();
  CAHN_TRY(const Bytes octets, voucher::sign(request, voucher::Root::voucher_request, certificate, *key, {}, format));
  return to_string(octets);
}

Result<std::string> open(const Arguments& a) {
  CAHN_TRY(const voucher::Format format, format_named(a.at(0)));
  const auto reading = a.at(1) == "tolerant" ? voucher::Reading::tolerant : voucher::Reading::strict;
  CAHN_TRY(const Bytes octets, read_file(a.at(2)));
  std::vector<crypto::Certificate> known;
  if (a.size() > 3) {
    CAHN_TRY(auto certificate, read_certificate(a[3]));
    known.push_back(std::move(certificate));
  }
  CAHN_TRY(const auto opened, voucher::open(format, octets, voucher::Root::voucher_request, reading, known));
  return voucher::to_json(opened.voucher, voucher::Root::voucher_request) + "\n" + opened.signer.subject_text() + "\n";
}

Result<std::string> sign_twice(const Arguments& a) {
  CAHN_TRY(const auto key, crypto::open_key(a.at(0)));
  std::vector<std::string> failures(2);
  const auto sign = [&](std::string& failure) {
    for (int i = 0; i < 20 && failure.empty(); ++i) {
      const std::string message = std::to_string(i);
      const auto signature = key->sign(as_bytes(message));
      if (!signature) failure = signature.error().message;
      if (signature && !key->public_key().verify(as_bytes(message), *signature)) failure = "a signature does not hold";
    }
  };
  std::thread other(sign, std::ref(failures[0]));
  sign(failures[1]);
  other.join();
  for (const auto& failure : failures) {
    if (!failure.empty()) return fail(LabError::tls, failure);
  }
  return std::string("done\n");
}

Result<std::string> talk(SSL_CTX* context, const std::string& host, const std::string& port) {
  BIO* const bio = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(bio, host.c_str());
  BIO_set_conn_port(bio, port.c_str());
  std::string answer;
  char octets[4096];
  const bool connected =
      BIO_do_connect(bio) == 1 && BIO_do_handshake(bio) == 1 && BIO_puts(bio, "GET / HTTP/1.0\r\n\r\n") > 0;
  for (int got = 0; connected && (got = BIO_read(bio, octets, sizeof octets)) > 0;) {
    answer.append(octets, static_cast<std::size_t>(got));
  }
  BIO_free_all(bio);
  if (answer.empty()) return fail(LabError::tls, "the server says nothing");
  return answer;
}

Result<std::string> connect(const Arguments& a) {
  CAHN_TRY(auto key, crypto::open_key(a.at(0)));
  CAHN_TRY(auto certificate, read_certificate(a.at(1)));
  CAHN_TRY(auto anchor, read_certificate(a.at(2)));
  CAHN_TRY(const auto context,
           crypto::TlsContext::client({.identity = crypto::TlsIdentity{{std::move(certificate)}, std::move(key)},
                                       .anchors = crypto::TrustStore({std::move(anchor)})}));
  return talk(context.handle(), a.at(3), a.at(4));
}

struct Command {
  std::size_t least, most;
  std::function<Result<std::string>(const Arguments&)> run;
};

int run(int argc, char** argv) {
  const std::map<std::string, Command> commands{
      {"csr", {2, 2, csr}},   {"self-signed", {2, 2, self_signed}}, {"request", {4, 4, request}},
      {"open", {3, 4, open}}, {"sign-twice", {1, 1, sign_twice}},   {"connect", {5, 5, connect}}};
  const Arguments arguments(argv + 1, argv + argc);
  const auto found = arguments.empty() ? commands.end() : commands.find(arguments.front());
  const std::size_t count = arguments.empty() ? 0 : arguments.size() - 1;
  if (found == commands.end() || count < found->second.least || count > found->second.most) {
    std::cerr << "usage: see the top of tests/support/crypto_lab/main.cpp\n";
    return 2;
  }
  const auto result = found->second.run(Arguments(arguments.begin() + 1, arguments.end()));
  if (!result) {
    std::cerr << result.error().code.name() << ": " << result.error().message << "\n";
    return 1;
  }
  std::cout << *result;
  return 0;
}

}  // namespace
}  // namespace cahn

int main(int argc, char** argv) { return cahn::run(argc, argv); }
