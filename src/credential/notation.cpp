#include "credential/notation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/utf8.h"
#include "credential/relations.h"

namespace cahn::credential {

namespace {

// Two RSA keys of 8192 bits as did:key are some 2,900 characters.
constexpr std::size_t max_notation = 8192;
constexpr std::size_t max_arguments = 8;
constexpr std::size_t max_relation_name = 64;

// What ends or opens something in the notation, so that an argument with it inside must stand in quotes.
constexpr std::string_view syntax = ",(){}[]\"\\";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_did(std::string_view text) { return text.starts_with("did:"); }

// An argument that would be read otherwise than it is meant: marks at its end would be taken off, blanks trimmed.
bool needs_quotes(std::string_view text) {
  if (text.empty() || is_blank(text.front()) || is_blank(text.back())) return true;
  if (text.back() == '+' || text.back() == '@' || text.back() == '-') return true;
  return std::ranges::any_of(
      text, [](char c) { return syntax.find(c) != std::string_view::npos || static_cast<unsigned char>(c) < 0x20; });
}

std::string written(std::string_view text) {
  return needs_quotes(text) ? canonical(nlohmann::json(text)) : std::string(text);
}

// '+' for keys, '@' for other identifiers of entities, nothing for text (or for an argument that does not fit its
// place).
std::string_view mark_of(const Statement& statement, std::size_t i) {
  const auto* relation = find_relation(statement.relation);
  if (relation == nullptr || i >= relation->arguments.size()) return "";
  const auto kind = relation->arguments[i].kind;
  const bool key = is_did(statement.arguments[i]);
  if (kind == ArgumentKind::entity_key && key) return "+";
  return kind == ArgumentKind::entity_uri && !key ? "@" : "";
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // Blanks may stand between any two tokens.
  bool accept(char token) {
    skip_blanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Result<void> expect(char token) {
    if (accept(token)) return {};
    return refuse(std::string("expected '") + token + "'");
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

  std::unexpected<Error> refuse(const std::string& message) const {
    const std::string where =
        rest_.empty() ? "at the end" : std::to_string(rest_.size()) + " characters before the end";
    return fail(CredentialError::bad_notation, message + ", " + where);
  }

  Result<std::string> relation() {
    skip_blanks();
    const auto end = std::ranges::find_if_not(rest_, ascii::is_letter) - rest_.begin();
    std::string name(rest_.substr(0, static_cast<std::size_t>(end)));
    if (name.empty() || name.size() > max_relation_name) return refuse("expected the name of a relation");
    rest_.remove_prefix(name.size());
    return name;
  }

  // An argument or signer, up to one of `ends`, without its mark.
  Result<std::string> term(std::string_view ends, std::string_view marks) {
    skip_blanks();
    if (rest_.starts_with('"')) return quoted(marks);
    const auto end = std::min(rest_.find_first_of(ends), rest_.size());
    auto text = rest_.substr(0, end);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    if (text.empty()) return refuse("expected an argument");
    if (text.find_first_of(syntax) != std::string_view::npos ||
        std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      return refuse("an argument with special characters must stand in double quotes");
    }
    const char mark = marks.find(text.back()) != std::string_view::npos ? text.back() : '\0';
    if (mark != '\0') text.remove_suffix(1);
    CAHN_CHECK(check_mark(mark, text));
    rest_.remove_prefix(end);
    return std::string(text);
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }

  // A mark that contradicts what it stands after is not a mark: "urn:example:c++" must be quoted, not cut.
  Result<void> check_mark(char mark, std::string_view text) const {
    const bool fits = mark == '\0' || mark == '-' || (mark == '+') == is_did(text);
    if (fits && !text.empty() && !is_blank(text.back()) && (mark == '\0' || !text.ends_with(mark))) return {};
    return refuse("'+' marks a key, '@' another identifier; text that ends in one must stand in double quotes");
  }

  // A JSON string.
  Result<std::string> quoted(std::string_view marks) {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return refuse("a double quote is not closed");
    const auto value = parse_json(rest_.substr(0, end + 1));
    if (!value || !value->is_string()) return refuse("not a JSON string");
    rest_.remove_prefix(end + 1);
    if (!rest_.empty() && marks.find(rest_.front()) != std::string_view::npos) rest_.remove_prefix(1);
    return value->get<std::string>();
  }

  std::string_view rest_;
};

Result<Statement> read_statement(Reader& reader) {
  Statement statement;
  CAHN_TRY(statement.relation, reader.relation());
  CAHN_CHECK(reader.expect('('));
  do {
    if (statement.arguments.size() == max_arguments) return reader.refuse("too many arguments");
    CAHN_TRY(auto argument, reader.term(",)", "+@"));
    statement.arguments.push_back(std::move(argument));
  } while (reader.accept(','));
  CAHN_CHECK(reader.expect(')'));
  return statement;
}

}  // namespace

std::string to_notation(const Expression& expression, bool marks) {
  std::string out = expression.statement.relation + "(";
  for (std::size_t i = 0; i < expression.statement.arguments.size(); ++i) {
    if (i > 0) out += ", ";
    out += written(expression.statement.arguments[i]);
    if (marks) out += mark_of(expression.statement, i);
  }
  out += ")";
  if (expression.signer) out += " : " + written(*expression.signer) + "-";
  return out;
}

Result<Expression> parse_notation(std::string_view text) {
  if (text.size() > max_notation) return fail(CredentialError::bad_notation, "the expression is too long");
  if (!is_utf8(text)) return fail(CredentialError::bad_notation, "the expression is not UTF-8");
  Reader reader(text);
  Expression expression;
  const bool braces = reader.accept('{');
  CAHN_TRY(expression.statement, read_statement(reader));
  if (braces) CAHN_CHECK(reader.expect('}'));
  if (braces && reader.accept('[')) {
    CAHN_TRY(expression.signer, reader.term("]", "-"));
    CAHN_CHECK(reader.expect(']'));
  } else if (!braces && reader.accept(':')) {
    CAHN_TRY(expression.signer, reader.term("", "-"));
  }
  if (!reader.at_end()) return reader.refuse("something follows the expression");
  return expression;
}

}  // namespace cahn::credential
