#include "apps/cahn/registrar_makers.h"

#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "apps/cahn/role_support.h"
#include "base/file.h"
#include "brski/registrar_credentials.h"
#include "brski/registrar_orders.h"

namespace cahn::apps {
namespace {

namespace fs = std::filesystem;

// Reads the keys of one maker's file; the first failure stays.
class MakerFile {
 public:
  MakerFile(const fs::path& path, const toml::table& table) : path_(path), table_(table) {}

  std::optional<std::string> text(const char* key) {
    const toml::node* node = find(key);
    if (!node) return std::nullopt;
    auto value = node->value_exact<std::string>();
    if (!value || value->empty()) refuse(key, "must be a string");
    return value;
  }
  bool flag(const char* key) {
    const toml::node* node = find(key);
    if (node && !node->is_boolean()) refuse(key, "must be true or false");
    return node && node->value_exact<bool>().value_or(false);
  }
  std::vector<std::string> files(const char* key) {
    std::vector<std::string> out;
    const toml::node* node = find(key);
    const toml::array* array = node ? node->as_array() : nullptr;
    if (node && !array) refuse(key, "must be a list of files");
    if (!array) return out;
    for (const toml::node& one : *array) {
      const auto name = one.value_exact<std::string>();
      if (!name) refuse(key, "must be a list of files");
      if (name) out.push_back(beside(*name));
    }
    return out;
  }
  // Paths are relative to the file that names them.
  std::string beside(const std::string& name) const { return (path_.parent_path() / name).string(); }

  void refuse(const char* key, const std::string& why) {
    if (!failure_) failure_ = Error{SettingsError::bad_value, path_.string() + ": `" + key + "` " + why};
  }
  Result<void> done() const {
    if (failure_) return std::unexpected(*failure_);
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (known_.contains(name)) continue;
      const std::string near = nearest_word(name, {known_.begin(), known_.end()});
      return fail(SettingsError::unknown_key, path_.string() + ":" + std::to_string(key.source().begin.line) + ": `" +
                                                  name + "` is not a setting of a maker" +
                                                  (near.empty() ? "" : "; did you mean `" + near + "`?"));
    }
    return {};
  }

 private:
  const toml::node* find(const char* key) {
    known_.insert(key);
    return table_.get(key);
  }
  const fs::path& path_;
  const toml::table& table_;
  std::set<std::string> known_;
  std::optional<Error> failure_;
};

Result<brski::MasaCredentials> read_credentials(const std::string& file, const std::string& scheme) {
  std::error_code error;
  const auto others = fs::perms::group_all | fs::perms::others_all;
  const auto status = fs::status(file, error);
  if (!error && (status.permissions() & others) != fs::perms::none) {
    return fail(FileError::bad_permissions, file + " may be read by others: chmod 600 it");
  }
  CAHN_TRY(const Bytes text, read_file(file, 4096));
  auto credentials = brski::parse_credentials(as_text(text));
  if (!credentials) return fail(credentials.error(), file);
  if (scheme == "digest") credentials->scheme = brski::MasaCredentials::Scheme::digest;
  return credentials;
}

// What has to be read from further files once the keys are known to be right.
Result<void> read_masa_settings(MakerFile& file, brski::Manufacturer& maker) {
  const auto masa_anchors = file.files("masa-anchors");
  const auto credentials = file.text("credentials");
  const std::string scheme = file.text("authentication").value_or("basic");
  const auto certificate = file.text("client-certificate");
  const auto key = file.text("client-key");
  if (scheme != "basic" && scheme != "digest") file.refuse("authentication", "must be basic or digest");
  const bool none = certificate == "none";
  if (certificate && !none && !key) file.refuse("client-key", "is needed with `client-certificate`");
  CAHN_CHECK(file.done());
  if (!masa_anchors.empty()) {
    CAHN_TRY(maker.masa_tls_anchors, read_anchors(masa_anchors));
  }
  if (credentials) {
    CAHN_TRY(maker.masa_credentials, read_credentials(file.beside(*credentials), scheme));
  }
  maker.masa_without_certificate = none;
  if (certificate && !none) {
    CAHN_TRY(maker.masa_identity, read_identity(file.beside(*certificate), *key));
  }
  return {};
}

template <typename T>
T word(MakerFile& file, const char* key, Result<T> (*parse)(std::string_view), T otherwise) {
  const auto text = file.text(key);
  if (!text) return otherwise;
  const auto value = parse(*text);
  if (!value) file.refuse(key, value.error().message);
  return value.value_or(otherwise);
}

Result<brski::Manufacturer> read_maker_file(const fs::path& path) {
  CAHN_TRY(const Bytes text, read_file(path, std::size_t{1} << 20));
  toml::table table;
  try {
    table = toml::parse(as_text(text), path.string());
  } catch (const toml::parse_error& error) {
    return fail(SettingsError::bad_toml, path.string() + ":" + std::to_string(error.source().begin.line) + ": " +
                                             std::string(error.description()));
  }
  MakerFile file(path, table);
  brski::Manufacturer maker;
  maker.name = file.text("name").value_or("");
  const auto anchors = file.files("anchors");
  const auto intermediates = file.files("intermediates");
  maker.masa_override = file.text("masa");
  maker.masa_fallback = file.text("masa-fallback");
  maker.ignore_idevid_lifetime = file.flag("ignore-lifetime");
  maker.operator_approves = file.flag("operator-approves");
  maker.offline_first = file.flag("offline-first");
  maker.serial_source = word(file, "serial-from", &brski::serial_source_from, maker.serial_source);
  maker.compat = word(file, "compat", &brski::compat_from, maker.compat);
  if (maker.name.empty()) file.refuse("name", "is missing");
  if (anchors.empty()) file.refuse("anchors", "is missing");
  CAHN_CHECK(read_masa_settings(file, maker));
  CAHN_TRY(maker.idevid_anchors, read_anchors(anchors));
  CAHN_TRY(maker.intermediates, read_certificates(intermediates));
  return maker;
}

Result<brski::Manufacturer> read_maker(const std::string& file) {
  if (fs::path(file).extension() == ".toml") return read_maker_file(file);
  CAHN_TRY(auto anchors, read_certificates(fs::path(file)));
  brski::Manufacturer maker;
  maker.name = anchors.front().common_name().value_or(file);
  maker.idevid_anchors = crypto::TrustStore(std::move(anchors));
  return maker;
}

template <typename T>
Result<T> one_of(const std::string& key, const std::string& value,
                 std::initializer_list<std::pair<std::string_view, T>> known) {
  std::string words;
  for (const auto& [word, meaning] : known) {
    if (value == word) return meaning;
    words += (words.empty() ? "" : ", ") + std::string(word);
  }
  return fail(SettingsError::bad_value, "`" + key + "` must be one of " + words + ", not `" + value + "`");
}

}  // namespace

Result<std::vector<brski::Manufacturer>> read_manufacturers(const std::vector<std::string>& files) {
  std::vector<brski::Manufacturer> all;
  for (const std::string& file : files) {
    CAHN_TRY(auto maker, read_maker(file));
    // Two anchors of one maker have the same CN, say, one the successor of the other.
    if (std::ranges::find(all, maker.name, &brski::Manufacturer::name) != all.end()) maker.name += " (" + file + ")";
    all.push_back(std::move(maker));
  }
  return all;
}

Result<void> read_policies(const RegistrarSettings& settings, brski::RegistrarOptions& options) {
  using brski::AuditTiming, brski::PinDepth;
  using Unavailable = brski::AuditPolicy::Unavailable;
  CAHN_TRY(options.pin_depth,
           one_of<PinDepth>(
               "pin", settings.pin,
               {{"chain", PinDepth::chain}, {"ca", PinDepth::issuing_ca}, {"end-entity", PinDepth::end_entity}}));
  brski::AuditPolicy& audit = options.audit;
  CAHN_TRY(audit.timing, one_of<AuditTiming>("audit-log", settings.audit_log,
                                             {{"after-status", AuditTiming::after_status},
                                              {"before-delivery", AuditTiming::before_delivery},
                                              {"never", AuditTiming::never}}));
  CAHN_TRY(audit.unknown_answers,
           one_of<bool>("audit-unknown", settings.audit_unknown, {{"refuse", false}, {"permit", true}}));
  CAHN_TRY(audit.unavailable, one_of<Unavailable>("audit-unavailable", settings.audit_unavailable,
                                                  {{"wait", Unavailable::wait}, {"permit", Unavailable::permit}}));
  for (const std::string& domain : settings.known_domains) {
    auto decoded = base64_decode(domain);
    if (!decoded || decoded->empty()) {
      return fail(SettingsError::bad_value, "`known-domain` must be a domainID in base64, not `" + domain + "`");
    }
    audit.known_domains.push_back(*std::move(decoded));
  }
  audit.earlier_owners = !settings.new_devices_only;
  audit.ignore_history = settings.ignore_history;
  audit.ignore_unknown_nonceless = settings.ignore_nonceless;
  options.opaque_vouchers = settings.opaque_vouchers;
  return {};
}

}  // namespace cahn::apps
