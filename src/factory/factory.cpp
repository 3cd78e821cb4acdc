#include "factory/factory.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/metrics.h"
#include "crypto/tls.h"
#include "factory/books.h"
#include "factory/device.h"
#include "factory/impl.h"
#include "factory/provisioning.h"
#include "factory/report.h"

namespace cahn::factory {
namespace {

using nlohmann::json;

std::string dump(const json& object, int indent = -1) {
  return object.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::vector<std::string> texts_of(const json& object, const char* member) {
  std::vector<std::string> texts;
  const auto found = object.find(member);
  if (found == object.end() || !found->is_array()) return texts;
  for (const auto& one : *found) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
  }
  return texts;
}

std::string description(const ManufacturerOptions& options) {
  return dump({{"name", options.name},
               {"website", options.website},
               {"masaUrl", options.masa_url},
               {"masaDnsNames", options.masa_dns_names},
               {"masaIpAddresses", options.masa_ip_addresses}},
              2) +
         "\n";
}

Result<ManufacturerOptions> read_description(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  if (!bytes) return fail(FactoryError::no_factory, bytes.error().message);
  const auto object = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!object.is_object()) return fail(FactoryError::no_factory, file.string() + " is not JSON");
  ManufacturerOptions options{text_of(object, "name"), text_of(object, "website"), text_of(object, "masaUrl"),
                              texts_of(object, "masaDnsNames"), texts_of(object, "masaIpAddresses")};
  auto good = checked(std::move(options));
  if (!good) return fail(FactoryError::no_factory, file.string() + ": " + good.error().message);
  return good;
}

}  // namespace

struct Manufacturer::Impl {
  StateDirectory folder;
  ManufacturerOptions options;
  Provisioning provisioning;
  Books books;
  const Clock& clock;

  BirthCertificate certificate_for(const DeviceBirth& birth) const {
    return {birth.idevid,
            {provisioning.manufacturer.certificate},
            provisioning.masa.certificate,
            options.name,
            options.masa_url,
            birth.model};
  }
};

Manufacturer::Manufacturer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Manufacturer::~Manufacturer() = default;

const ManufacturerOptions& Manufacturer::options() const { return impl_->options; }
const crypto::Certificate& Manufacturer::certificate() const { return impl_->provisioning.manufacturer.certificate; }
const crypto::Certificate& Manufacturer::masa_anchor() const { return impl_->provisioning.masa.certificate; }
const crypto::Certificate& Manufacturer::web_anchor() const { return impl_->provisioning.web.certificate; }
const crypto::Certificate& Manufacturer::client_certificate() const { return impl_->provisioning.client.certificate; }

Result<std::unique_ptr<Manufacturer>> Manufacturer::create(const std::filesystem::path& folder,
                                                           ManufacturerOptions wanted, const Clock& clock) {
  CAHN_TRY(auto options, checked(std::move(wanted)));
  auto state = StateDirectory::open(folder);
  if (!state) return fail(FactoryError::not_writable, state.error().message);
  std::error_code ignored;
  if (std::filesystem::exists(*state / "factory.json", ignored) || ignored) {
    return fail(FactoryError::exists, "there is a manufacturer in " + folder.string() + " already");
  }
  const Time now = clock.now();
  CAHN_TRY(auto provisioning, open_provisioning(state->path(), options, now, false));
  CAHN_CHECK(write_masa_folder(state->path(), options, provisioning, now));
  auto store = store::Store::open(*state / "factory.db", clock);
  if (!store) return unavailable(store.error());
  const std::string text = description(options);
  if (auto written = create_file(*state / "factory.json", as_bytes(text)); !written) {
    return fail(FactoryError::not_writable, written.error().message);
  }
  auto impl = std::make_unique<Impl>(*std::move(state), std::move(options), std::move(provisioning),
                                     Books(*std::move(store)), clock);
  return std::unique_ptr<Manufacturer>(new Manufacturer(std::move(impl)));
}

Result<std::unique_ptr<Manufacturer>> Manufacturer::open(const std::filesystem::path& folder, const Clock& clock) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / "factory.json", ignored)) {
    return fail(FactoryError::no_factory, "there is no manufacturer in " + folder.string());
  }
  auto state = StateDirectory::open(folder);
  if (!state) return fail(FactoryError::no_factory, state.error().message);
  CAHN_TRY(auto options, read_description(*state / "factory.json"));
  CAHN_TRY(auto provisioning, open_provisioning(state->path(), options, clock.now(), true));
  auto store = store::Store::open(*state / "factory.db", clock);
  if (!store) return unavailable(store.error());
  auto impl = std::make_unique<Impl>(*std::move(state), std::move(options), std::move(provisioning),
                                     Books(*std::move(store)), clock);
  return std::unique_ptr<Manufacturer>(new Manufacturer(std::move(impl)));
}

Result<void> Manufacturer::renew_masa_certificates() {
  return write_masa_folder(impl_->folder.path(), impl_->options, impl_->provisioning, impl_->clock.now());
}

Result<BirthCertificate> Manufacturer::issue_idevid(ByteView csr_der, std::string_view serial, std::string_view model) {
  CAHN_TRY(const auto csr, checked_request(csr_der, serial));
  CAHN_TRY(const auto known, find(serial));
  if (known) {
    if (known->idevid.public_key() == csr.public_key() && known->model == model) return impl_->certificate_for(*known);
    return fail(FactoryError::serial_taken,
                "a device was born under the serial number '" + std::string(serial) + "' before");
  }
  const Time now = impl_->clock.now();
  CAHN_TRY(auto idevid, sign_idevid(impl_->provisioning, impl_->options, csr, serial, model, now));
  const DeviceBirth birth{std::string(serial), std::string(model), std::move(idevid), now};
  CAHN_CHECK(impl_->books.record(birth));
  static metrics::Counter births("cahn_births_total", "Devices that were given their IDevID");
  births.add();
  return impl_->certificate_for(birth);
}

Result<std::optional<DeviceBirth>> Manufacturer::find(std::string_view serial) const {
  return impl_->books.find(serial);
}
Result<std::vector<DeviceBirth>> Manufacturer::births() const { return impl_->books.births(); }
Result<std::vector<std::string>> Manufacturer::pending() const { return impl_->books.unreported(); }

net::awaitable<Result<ReportOutcome>> Manufacturer::report_pending(ReportOptions options) {
  const auto& [manufacturer, masa, web, client] = impl_->provisioning;
  crypto::TlsClientOptions tls;
  tls.identity = crypto::TlsIdentity{{client.certificate}, client.key};
  tls.anchors = options.masa_anchors.empty() ? crypto::TrustStore({web.certificate}) : options.masa_anchors;
  CAHN_CO_TRY(auto context, crypto::TlsContext::client(tls));
  if (!options.masa) {
    CAHN_CO_TRY(options.masa, net::parse_endpoint(impl_->options.masa_url, 443));
  }
  co_return co_await report_births(impl_->books, std::move(context), std::move(options));
}

Result<DeviceBirth> give_birth(Manufacturer& manufacturer, const std::filesystem::path& device_folder,
                               std::string_view serial, std::string_view model, const std::string& key_uri) {
  CAHN_TRY(const auto csr, prepare_device(device_folder, serial, key_uri));
  CAHN_TRY(const auto certificate, manufacturer.issue_idevid(csr, serial, model));
  CAHN_CHECK(install_idevid(device_folder, certificate));
  CAHN_TRY(auto birth, manufacturer.find(serial));
  if (!birth) return fail(FactoryError::unavailable, "the birth of '" + std::string(serial) + "' is not in the books");
  return *std::move(birth);
}

}  // namespace cahn::factory
