#include "credential/json.h"

#include <nlohmann/json.hpp>

namespace cahn::credential {

namespace {

using nlohmann::json;

// JCS writes every number as ECMAScript would write the double nearest to it. An integer whose digits change on that
// way is another number to its reader than to its signer, so it is refused. Up to 2^53 none does.
bool survives_canonicalization(const json& number, const std::string& digits) { return canonical(number) == digits; }

// Builds the document while it is read, so that nothing over a limit is ever held.
class StrictReader final : public nlohmann::json_sax<json> {
 public:
  explicit StrictReader(int max_depth) : max_depth_(max_depth) {}

  json take() { return std::move(root_); }
  Error error() const { return {code_, message_}; }

  bool null() override { return put(json()); }
  bool boolean(bool value) override { return put(json(value)); }
  bool number_integer(number_integer_t value) override { return put_integer(json(value), std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put_integer(json(value), std::to_string(value)); }
  bool number_float(number_float_t value, const string_t& text) override {
    // The lexer hands integers over 64 bits to this function.
    const bool is_integer = text.find_first_of(".eE") == string_t::npos;
    return is_integer ? put_integer(json(value), text) : put(json(value));
  }
  bool string(string_t& value) override { return put(json(std::move(value))); }
  bool binary(binary_t&) override { return stop(CredentialError::not_json, "binary value"); }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      return stop(CredentialError::duplicate_member, "an object has two members of one name");
    }
    name_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    // 406: a number that is no finite double, as 1e400.
    if (e.id == 406) return stop(CredentialError::bad_number, "a number is out of range");
    return stop(CredentialError::not_json, "not JSON at octet " + std::to_string(position));
  }

 private:
  bool stop(CredentialError code, std::string message) {
    code_ = code;
    message_ = std::move(message);
    return false;
  }

  bool put_integer(json number, const std::string& digits) {
    if (!survives_canonicalization(number, digits)) {
      return stop(CredentialError::bad_number, "an integer is beyond what a double holds exactly");
    }
    return put(std::move(number));
  }

  json* insert(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[name_] = std::move(value));
  }

  bool put(json value) {
    insert(std::move(value));
    return true;
  }

  bool open(json container) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      return stop(CredentialError::too_deep, "nested deeper than " + std::to_string(max_depth_) + " levels");
    }
    // A parent is never written to while a child of it is open, so the pointers stay good.
    open_.push_back(insert(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  int max_depth_;
  json root_;
  std::vector<json*> open_;
  std::string name_;
  CredentialError code_ = CredentialError::not_json;
  std::string message_ = "not JSON";
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_size) {
    return fail(CredentialError::too_large, "larger than " + std::to_string(limits.max_size) + " octets");
  }
  // RFC 8259 8.1: no byte order mark. The lexer would pass over one.
  if (text.starts_with("\xef\xbb\xbf")) return fail(CredentialError::not_json, "starts with a byte order mark");
  // The lexer takes a NUL octet between tokens for the end, whatever follows it.
  if (text.find('\0') != std::string_view::npos) return fail(CredentialError::not_json, "holds a NUL octet");
  StrictReader reader(limits.max_depth);
  if (!json::sax_parse(text.begin(), text.end(), &reader)) return std::unexpected(reader.error());
  return reader.take();
}

}  // namespace cahn::credential
