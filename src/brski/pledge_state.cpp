// What a device keeps. The picture is in pledge.h.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "brski/pledge_impl.h"

namespace cahn::brski {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view link_name = "network";
constexpr std::string_view folder_prefix = "network-";

std::unexpected<Error> bad_state(const std::string& what, const std::string& why = {}) {
  return fail(BrskiError::bad_state, why.empty() ? what : what + ": " + why);
}

// A name is only as durable as the folder that holds it.
Result<void> sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return bad_state("cannot open the folder " + folder.string());
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced ? Result<void>{} : bad_state("cannot make the folder durable: " + folder.string());
}

Result<void> write(const fs::path& file, std::string_view content, FileMode mode = FileMode::ordinary) {
  if (auto written = write_file(file, as_bytes(content), mode); !written) {
    return bad_state("cannot write " + file.string(), written.error().message);
  }
  return {};
}

Result<std::string> read(const fs::path& file) {
  auto bytes = read_file(file);
  if (!bytes) return bad_state("cannot read " + file.string(), bytes.error().message);
  return to_string(*bytes);
}

std::string pem_of(const std::vector<crypto::Certificate>& certificates) {
  std::string pem;
  for (const crypto::Certificate& c : certificates) pem += c.pem();
  return pem;
}

std::string network_json(const NetworkCredential& credential) {
  const json document = {{"network", credential.network},
                         {"registrar", credential.registrar.authority()},
                         {"registrarHost", credential.registrar.host},
                         {"registrarPort", credential.registrar.port},
                         {"serialNumber", credential.ldevid.subject_serial_number().value_or("")}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

struct NetworkFile {
  std::string network;
  net::Endpoint registrar;
};
Result<NetworkFile> parse_network_json(const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  const bool whole = document.is_object() && document.contains("network") && document["network"].is_string() &&
                     document.contains("registrarHost") && document["registrarHost"].is_string() &&
                     document.contains("registrarPort") && document["registrarPort"].is_number_unsigned() &&
                     document["registrarPort"].get<std::uint64_t>() <= 65535;
  if (!whole) return bad_state("network.json is not what this program writes");
  return NetworkFile{document["network"].get<std::string>(),
                     {document["registrarHost"].get<std::string>(), document["registrarPort"].get<std::uint16_t>()}};
}

}  // namespace

Result<PledgeState> PledgeState::open(const fs::path& directory) {
  auto opened = StateDirectory::open(directory);
  if (!opened) return bad_state("the state directory", opened.error().message);
  PledgeState state(*std::move(opened));
  state.remove_leftovers();
  return state;
}

fs::path PledgeState::files() const { return directory_ ? *directory_ / link_name : fs::path(); }

// Folders that no link names: of a crash before the rename, or of the credential before the last renewal.
void PledgeState::remove_leftovers() const {
  std::error_code error;
  const fs::path current = fs::read_symlink(files(), error);
  fs::directory_iterator entry(directory_->path(), error);
  std::vector<fs::path> leftovers;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(folder_prefix) && name != current) leftovers.push_back(entry->path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover, error);
}

Result<std::optional<NetworkCredential>> PledgeState::load() const {
  std::error_code error;
  if (!directory_ || !fs::is_symlink(files(), error)) return std::nullopt;
  CAHN_TRY(NetworkCredential credential, read_credential());
  return std::optional(std::move(credential));
}

Result<NetworkCredential> PledgeState::read_credential() const {
  CAHN_TRY(const std::string ldevid_pem, read(files() / "ldevid.pem"));
  CAHN_TRY(const std::string ca_pem, read(files() / "domain-ca.pem"));
  CAHN_TRY(const std::string voucher, read(files() / "voucher.cms"));
  CAHN_TRY(const std::string network_text, read(files() / "network.json"));
  CAHN_TRY(NetworkFile network, parse_network_json(network_text));
  auto key = crypto::open_key(fs::absolute(files() / "ldevid.key").string());
  if (!key) return bad_state("ldevid.key", key.error().message);
  auto ldevid = crypto::Certificate::from_pem(ldevid_pem);
  if (!ldevid) return bad_state("ldevid.pem", ldevid.error().message);
  if (!(ldevid->public_key() == (*key)->public_key())) return bad_state("ldevid.pem is not of the key in ldevid.key");
  auto cas = crypto::Certificate::all_from_pem(ca_pem);
  if (!cas) return bad_state("domain-ca.pem", cas.error().message);
  return NetworkCredential{*std::move(key),   *std::move(ldevid),         *std::move(cas),
                           to_bytes(voucher), std::move(network.network), std::move(network.registrar)};
}

Result<NetworkCredential> PledgeState::save(NetworkCredential credential) const {
  if (!directory_) return credential;
  const std::string name = std::string(folder_prefix) + hex(random_bytes(8));
  const fs::path folder = *directory_ / name;
  if (::mkdir(folder.c_str(), 0700) != 0) return bad_state("cannot make the folder " + folder.string());
  CAHN_TRY(const std::string key_pem, crypto::key_to_pem(*credential.key));
  CAHN_CHECK(write(folder / "ldevid.key", key_pem, FileMode::secret));
  CAHN_CHECK(write(folder / "ldevid.pem", credential.ldevid.pem()));
  CAHN_CHECK(write(folder / "domain-ca.pem", pem_of(credential.domain_ca)));
  CAHN_CHECK(write(folder / "voucher.cms", as_text(credential.voucher)));
  CAHN_CHECK(write(folder / "network.json", network_json(credential)));
  CAHN_CHECK(sync_folder(folder));
  CAHN_CHECK(sync_folder(directory_->path()));
  // The commit: one rename, after everything it names is on the disk.
  const fs::path new_link = *directory_ / "network.new";
  std::error_code error;
  fs::remove(new_link, error);
  fs::create_symlink(name, new_link, error);
  if (!error) fs::rename(new_link, files(), error);
  if (error) return bad_state("cannot replace the link " + files().string(), error.message());
  CAHN_CHECK(sync_folder(directory_->path()));
  remove_leftovers();
  return read_credential();
}

Result<void> PledgeState::forget() const {
  if (!directory_) return {};
  std::error_code error;
  fs::remove(files(), error);
  if (error) return bad_state("cannot remove the link " + files().string(), error.message());
  CAHN_CHECK(sync_folder(directory_->path()));
  remove_leftovers();
  return {};
}

}  // namespace cahn::brski
