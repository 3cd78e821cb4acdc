#include "bench/support/floor.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "crypto/key.h"

namespace cahn::bench {
namespace {

using std::chrono::steady_clock;

// The median of many timings: what the operation costs when nothing else is on the core.
double median_us(int rounds, const std::function<void()>& operation) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto began = steady_clock::now();
    operation();
    times.push_back(std::chrono::duration<double, std::micro>(steady_clock::now() - began).count());
  }
  std::ranges::nth_element(times, times.begin() + rounds / 2);
  return times[static_cast<std::size_t>(rounds) / 2];
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

double agreement_us(int rounds) {
  const Key own(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"), EVP_PKEY_free);
  const Key peer(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"), EVP_PKEY_free);
  return median_us(rounds, [&]() {
    const Context context(EVP_PKEY_CTX_new(own.get(), nullptr), EVP_PKEY_CTX_free);
    unsigned char secret[32];
    std::size_t size = sizeof secret;
    const bool agreed = EVP_PKEY_derive_init(context.get()) > 0 &&
                        EVP_PKEY_derive_set_peer(context.get(), peer.get()) > 0 &&
                        EVP_PKEY_derive(context.get(), secret, &size) > 0;
    if (!agreed) throw std::runtime_error("X25519 failed");
  });
}

}  // namespace

Floor measure_floor(unsigned cores, const FloorCounts& counts) {
  constexpr int rounds = 2000;
  const auto key = crypto::generate_key(crypto::KeyType::p256);
  const Bytes message(300, 0x5a);
  const auto signature = key ? (*key)->sign(message) : Result<Bytes>(std::unexpected(key.error()));
  if (!signature) throw std::runtime_error(signature.error().message);

  Floor floor;
  floor.sign_us = median_us(rounds, [&]() { (void)(*key)->sign(message); });
  floor.verify_us = median_us(rounds, [&]() { (void)(*key)->public_key().verify(message, *signature); });
  floor.agree_us = agreement_us(rounds);
  floor.key_pair_us = median_us(rounds, []() { (void)crypto::generate_key(crypto::KeyType::p256); });
  floor.flow_us = counts.signatures * floor.sign_us + counts.verifications * floor.verify_us +
                  counts.agreements * floor.agree_us + counts.key_pairs * floor.key_pair_us;
  floor.flows_per_second = cores * 1e6 / floor.flow_us;
  return floor;
}

}  // namespace cahn::bench
