// A RADIUS answer from whoever sits on the port; the input is re-signed first, or nothing would get past the
// authenticator.

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>

#include "bearer/dot1x/radius.h"

namespace {

void sign(cahn::Bytes& answer, cahn::ByteView request, std::string_view secret) {
  unsigned char digest[16];
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_md5(), nullptr);
  EVP_DigestUpdate(context, answer.data(), 4);
  EVP_DigestUpdate(context, request.data() + 4, 16);
  EVP_DigestUpdate(context, answer.data() + 20, answer.size() - 20);
  EVP_DigestUpdate(context, secret.data(), secret.size());
  EVP_DigestFinal_ex(context, digest, nullptr);
  EVP_MD_CTX_free(context);
  std::copy_n(digest, 16, answer.begin() + 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn::bearer::dot1x;
  static const cahn::Bytes request = encode_radius_request({RadiusCode::disconnect_request, 7, {}}, "secret");
  cahn::Bytes answer(data, data + size);
  (void)decode_radius_answer(answer, request, "secret");
  if (answer.size() < 20) return 0;
  answer[1] = 7;
  answer[2] = static_cast<std::uint8_t>(answer.size() >> 8);
  answer[3] = static_cast<std::uint8_t>(answer.size());
  sign(answer, request, "secret");
  (void)decode_radius_answer(answer, request, "secret");
  return 0;
}
