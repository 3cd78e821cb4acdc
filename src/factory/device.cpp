#include "factory/device.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "factory/impl.h"

namespace cahn::factory {
namespace {

// A device is born once (L867, L881): its IDevID is never made again or written over.
Result<StateDirectory> open_unborn(const std::filesystem::path& folder) {
  auto state = StateDirectory::open(folder);
  if (!state) return not_writable(state.error());
  std::error_code ignored;
  if (std::filesystem::exists(*state / device_certificate_file, ignored) || ignored) {
    return fail(FactoryError::already_born, "the device in " + folder.string() + " has its IDevID already");
  }
  return state;
}

Result<crypto::PrivateKeyPtr> key_in_token(const StateDirectory& state, const std::string& uri) {
  auto key = crypto::open_key(uri);
  if (!key) return fail(FactoryError::wrong_key, "the device's key cannot be used: " + key.error().message);
  if (auto noted = write_file(state / device_key_uri_file, as_bytes(uri + "\n")); !noted) {
    return not_writable(noted.error());
  }
  return *std::move(key);
}

}  // namespace

Result<Bytes> prepare_device(const std::filesystem::path& folder, std::string_view serial, const std::string& key_uri) {
  CAHN_TRY(const auto state, open_unborn(folder));
  const auto known = device_key(folder);  // of a birth that broke off
  if (!known) return not_writable(known.error());
  const std::string file = (state / device_key_file).string();
  auto key = key_uri.empty() && *known == file ? crypto::open_or_create_key_file(crypto::KeyType::p256, file)
                                               : key_in_token(state, key_uri.empty() ? *known : key_uri);
  if (!key && key.error().code == FactoryError::wrong_key) return std::unexpected(key.error());
  if (!key) return not_writable(key.error());
  crypto::CsrSpec spec;
  spec.subject = {{"CN", std::string(serial)}, {"serialNumber", std::string(serial)}};
  auto csr = crypto::make_csr(spec, **key);
  if (!csr)
    return fail(FactoryError::bad_option, "no request can be made for this serial number: " + csr.error().message);
  return csr;
}

Result<void> install_idevid(const std::filesystem::path& folder, const BirthCertificate& birth) {
  CAHN_TRY(const auto state, open_unborn(folder));
  const auto uri = device_key(folder);
  if (!uri) return not_writable(uri.error());
  const auto key = crypto::open_key(*uri);
  if (!key || !((*key)->public_key() == birth.idevid.public_key())) {
    return fail(FactoryError::wrong_key, "the IDevID is not for the key of the device in " + folder.string());
  }
  const nlohmann::json description = {{"serialNumber", birth.idevid.subject_serial_number().value_or("")},
                                      {"model", birth.model},
                                      {"manufacturer", birth.manufacturer},
                                      {"masaUrl", birth.masa_url}};
  std::string chain = birth.idevid.pem();
  for (const auto& certificate : birth.chain) chain += certificate.pem();
  const std::string text = description.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (auto written = write_file(state / device_description_file, as_bytes(text)); !written)
    return not_writable(written.error());
  const std::string anchor = birth.masa_anchor.pem();
  if (auto written = write_file(state / device_anchor_file, as_bytes(anchor)); !written)
    return not_writable(written.error());
  if (auto written = create_file(state / device_certificate_file, as_bytes(chain)); !written) {
    return not_writable(written.error());
  }
  return {};
}

}  // namespace cahn::factory
