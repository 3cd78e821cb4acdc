// What the tests of the factory share: a folder, `openssl` as the judge outside.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/file.h"
#include "crypto/chain.h"
#include "crypto/tls.h"
#include "factory/device.h"
#include "factory/factory.h"
#include "net/http.h"
#include "tests/unit/pki/outside.h"

namespace cahn::factory::test {

using cahn::test::Folder;
using cahn::test::run;
using cahn::test::value_of;

inline std::string text_of_file(const std::filesystem::path& path) { return to_string(value_of(read_file(path))); }
inline std::vector<crypto::Certificate> certificates_in(const std::filesystem::path& path) {
  return value_of(crypto::Certificate::all_from_pem(text_of_file(path)));
}

class FactoryTest : public testing::Test {
 protected:
  static ManufacturerOptions options() {
    return {.name = "Manufacturer ltd",
            .website = "www.manufacture.com",
            .masa_url = "masa.example.org:9443",
            .masa_dns_names = {"masa.example.org"},
            .masa_ip_addresses = {"127.0.0.1"}};
  }
  std::filesystem::path state() const { return folder_ / "maker"; }
  std::filesystem::path device(std::string_view name = "device") const { return folder_ / name; }
  void create() { manufacturer_ = value_of(Manufacturer::create(state(), options()), "creating"); }
  void reopen() {
    manufacturer_.reset();
    manufacturer_ = value_of(Manufacturer::open(state()), "opening");
  }
  static Bytes csr(crypto::CsrSpec spec = {}, crypto::PrivateKeyPtr key = {}) {
    if (!key) key = value_of(crypto::generate_key(crypto::KeyType::p256));
    return value_of(crypto::make_csr(spec, *key));
  }

  Folder folder_;
  std::unique_ptr<Manufacturer> manufacturer_;
};

}  // namespace cahn::factory::test
