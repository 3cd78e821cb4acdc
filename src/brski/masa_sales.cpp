#include "brski/masa_sales.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/ascii.h"
#include "base/utf8.h"

namespace cahn::brski {
namespace {

using nlohmann::json;

constexpr std::size_t max_field = std::size_t{16} << 10;
constexpr std::size_t max_serial = 64;  // ub-serial-number of X.520
constexpr std::size_t max_text = 256;
constexpr std::size_t max_issuer = 64;  // octets of a key identifier
constexpr int max_depth = 4;

enum Column { serial, owner, model, issuer, customer, since, until, column_count };
constexpr std::array<std::string_view, column_count> column_names = {"serial",   "owner", "model", "issuer",
                                                                     "customer", "since", "until"};

std::optional<Column> column_named(std::string_view name) {
  const auto found = std::ranges::find(column_names, name);
  if (found == column_names.end()) return std::nullopt;
  return Column(found - column_names.begin());
}

std::string all_columns() {
  std::string all;
  for (const std::string_view name : column_names) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

// What both forms of a sale are made of. What is wrong is said without where: that is the caller's to add.
struct RawSale {
  std::array<std::string, column_count> fields;
};
struct Wrong {
  Column column;
  std::string what;
};

std::optional<Time> parse_day_or_time(const std::string& text) {
  constexpr std::size_t day_alone = 10;
  const auto time = parse_rfc3339(text.size() == day_alone ? text + "T00:00:00Z" : text);
  // An offset may lead out of the years that can be written.
  if (!time || *time < Time() || *time > crypto::no_expiration()) return std::nullopt;
  return *time;
}

std::optional<std::string> wrong_text(const RawSale& raw, Column column, std::size_t most) {
  const std::string& text = raw.fields[column];
  if (text.size() > most) return "longer than " + std::to_string(most) + " octets";
  if (!std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c != 0x7f; })) {
    return "holds a control character";
  }
  if (!is_utf8(text)) return "is no UTF-8";
  return std::nullopt;
}

std::optional<Wrong> read_texts(const RawSale& raw, Sale& sale) {
  if (raw.fields[serial].empty()) return Wrong{serial, "there is no serial number"};
  for (const auto& [column, most] : {std::pair(serial, max_serial), {model, max_text}, {customer, max_text}}) {
    if (auto what = wrong_text(raw, column, most)) return Wrong{column, *std::move(what)};
  }
  sale.serial_number = raw.fields[serial];
  sale.record.model = raw.fields[model];
  sale.record.customer = raw.fields[customer];
  const auto key_id = hex_decode(raw.fields[issuer]);
  if (!key_id || key_id->size() > max_issuer) return Wrong{issuer, "the issuer is not a key identifier in hex"};
  sale.record.issuer = hex(*key_id);
  return std::nullopt;
}

std::optional<Wrong> read_times(const RawSale& raw, Sale& sale, Time now) {
  sale.record.since = now;
  sale.record.since_given = !raw.fields[since].empty();
  if (sale.record.since_given) {
    const auto time = parse_day_or_time(raw.fields[since]);
    if (!time) return Wrong{since, "neither a date nor an RFC 3339 time after 1970"};
    sale.record.since = *time;
  }
  if (raw.fields[until].empty()) return std::nullopt;
  const auto time = parse_day_or_time(raw.fields[until]);
  if (!time) return Wrong{until, "neither a date nor an RFC 3339 time after 1970"};
  if (*time <= sale.record.since) return Wrong{until, "the sale ends before it begins"};
  sale.record.until = *time;
  return std::nullopt;
}

std::optional<Wrong> read_sale(const RawSale& raw, Time now, std::vector<Sale>& sales) {
  auto domain = parse_domain(raw.fields[owner]);
  if (!domain) return Wrong{owner, domain.error().message};
  Sale sale;
  sale.record.owner = *std::move(domain);
  if (auto wrong = read_texts(raw, sale)) return wrong;
  if (auto wrong = read_times(raw, sale, now)) return wrong;
  sales.push_back(std::move(sale));
  return std::nullopt;
}

// --- CSV ----------------------------------------------------------------------------------------------------------

struct Place {
  std::size_t line = 1, column = 1;
};

std::unexpected<Error> wrong_at(Place place, const std::string& what) {
  return fail(BrskiError::bad_report,
              "line " + std::to_string(place.line) + ", column " + std::to_string(place.column) + ": " + what);
}

struct Field {
  Place place;
  std::string text;
};

// Reads RFC 4180, one record after the other.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  bool at_end() const { return text_.empty(); }
  // The next record's fields; an empty line has one, which is empty.
  Result<std::vector<Field>> record() {
    std::vector<Field> fields;
    for (;;) {
      if (fields.size() == column_count) return wrong_at(place_, "more fields than there are columns");
      CAHN_TRY(Field field, next_field());
      fields.push_back(std::move(field));
      if (end_of_line()) return fields;
      if (text_.front() != ',') return wrong_at(place_, "a comma or the end of the line must follow a quoted field");
      step();
    }
  }

 private:
  void step() {
    const bool newline = text_.front() == '\n';
    place_ = newline ? Place{place_.line + 1, 1} : Place{place_.line, place_.column + 1};
    text_.remove_prefix(1);
  }
  // Takes the end of a line, or finds that the text ends here.
  bool end_of_line() {
    if (at_end()) return true;
    if (!text_.starts_with('\n') && !text_.starts_with("\r\n")) return false;
    if (text_.front() == '\r') step();
    step();
    return true;
  }
  Result<Field> next_field() {
    Field field{place_, {}};
    const bool quoted = text_.starts_with('"');
    CAHN_CHECK(quoted ? read_quoted(field) : read_bare(field));
    return field;
  }
  Result<void> read_bare(Field& field) {
    while (!at_end() && text_.front() != ',' && text_.front() != '\n' && !text_.starts_with("\r\n")) {
      if (text_.front() == '"') return wrong_at(place_, "a quote inside a field that does not begin with one");
      CAHN_CHECK(take(field));
    }
    return {};
  }
  Result<void> read_quoted(Field& field) {
    step();
    for (;;) {
      if (at_end()) return wrong_at(field.place, "the quote is never closed");
      if (text_.front() == '"') {
        step();
        if (!text_.starts_with('"')) return {};
      }
      CAHN_CHECK(take(field));
    }
  }
  Result<void> take(Field& field) {
    if (field.text.size() >= max_field) return wrong_at(field.place, "the field is longer than 16 KiB");
    if (text_.front() == '\0') return wrong_at(place_, "a NUL character");
    field.text += text_.front();
    step();
    return {};
  }

  std::string_view text_;
  Place place_;
};

std::string lower_trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return ascii::lowered(text);
}

Result<std::vector<Column>> read_header(const std::vector<Field>& fields) {
  std::vector<Column> columns;
  for (const Field& field : fields) {
    const auto column = column_named(lower_trimmed(field.text));
    if (!column) {
      return wrong_at(field.place, "'" + printable(field.text, 40) + "' is no column; columns are " + all_columns());
    }
    if (std::ranges::find(columns, *column) != columns.end()) return wrong_at(field.place, "the column is there twice");
    columns.push_back(*column);
  }
  for (const Column needed : {serial, owner}) {
    if (std::ranges::find(columns, needed) == columns.end()) {
      return wrong_at({}, "the header line has no column '" + std::string(column_names[needed]) + "'");
    }
  }
  return columns;
}

bool is_blank(const std::vector<Field>& fields) { return fields.size() == 1 && fields.front().text.empty(); }

}  // namespace

Result<std::vector<Sale>> sales_from_csv(std::string_view text, Time now) {
  if (text.size() > max_sales_document) return fail(BrskiError::bad_report, "the file is larger than 4 MiB");
  CsvReader reader(text);
  CAHN_TRY(const auto header, reader.record());
  CAHN_TRY(const auto columns, read_header(header));
  std::vector<Sale> sales;
  while (!reader.at_end()) {
    CAHN_TRY(const auto fields, reader.record());
    if (is_blank(fields)) continue;
    if (fields.size() != columns.size()) {
      return wrong_at(fields.back().place, std::to_string(fields.size()) + " fields, but the header line has " +
                                               std::to_string(columns.size()));
    }
    if (sales.size() >= max_sales) return wrong_at(fields.front().place, "more than 10,000 sales in one file");
    RawSale raw;
    std::array<Place, column_count> places;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      raw.fields[columns[i]] = fields[i].text;
      places[columns[i]] = fields[i].place;
    }
    const auto wrong = read_sale(raw, now, sales);
    if (wrong) return wrong_at(places[wrong->column], std::string(column_names[wrong->column]) + ": " + wrong->what);
  }
  return sales;
}

// --- JSON ---------------------------------------------------------------------------------------------------------

namespace {

Place place_of(std::string_view text, std::size_t offset) {
  Place place;
  for (const char c : text.substr(0, offset)) {
    place = c == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
  }
  return place;
}

Result<json> parse_located(std::string_view text) {
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > max_depth;
    return !too_deep;
  };
  try {
    json document = json::parse(text, watch_depth);
    if (too_deep) return fail(BrskiError::bad_report, "the document is nested deeper than 4 levels");
    return document;
  } catch (const json::parse_error& error) {  // the only way to learn where it is wrong
    return wrong_at(place_of(text, error.byte > 0 ? error.byte - 1 : 0), "this is not JSON");
  }
}

Result<RawSale> raw_from(const json& object, const std::string& where) {
  if (!object.is_object()) return fail(BrskiError::bad_report, where + ": not an object");
  RawSale raw;
  for (auto member = object.begin(); member != object.end(); ++member) {
    const std::string name = where + "." + printable(member.key(), 40);
    const auto column = column_named(member.key());
    // A misspelt `until` must not make a sale that never ends.
    if (!column) return fail(BrskiError::bad_report, name + ": no such member; members are " + all_columns());
    if (member->is_null()) continue;
    if (!member->is_string()) return fail(BrskiError::bad_report, name + ": not a string");
    raw.fields[*column] = member->get<std::string>();
    if (raw.fields[*column].size() > max_field) return fail(BrskiError::bad_report, name + ": longer than 16 KiB");
  }
  return raw;
}

}  // namespace

Result<std::vector<Sale>> sales_from_json(std::string_view text, Time now) {
  if (text.size() > max_sales_document) return fail(BrskiError::bad_report, "the document is larger than 4 MiB");
  CAHN_TRY(const json document, parse_located(text));
  if (!document.is_object() || !document.contains("sales") || !document["sales"].is_array()) {
    return fail(BrskiError::bad_report, "the document is not an object with a list of 'sales'");
  }
  const json& list = document["sales"];
  if (list.size() > max_sales) return fail(BrskiError::bad_report, "more than 10,000 sales in one document");
  std::vector<Sale> sales;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = "sales[" + std::to_string(i) + "]";
    CAHN_TRY(const RawSale raw, raw_from(list[i], where));
    const auto wrong = read_sale(raw, now, sales);
    if (wrong) {
      return fail(BrskiError::bad_report, where + "." + std::string(column_names[wrong->column]) + ": " + wrong->what);
    }
  }
  return sales;
}

}  // namespace cahn::brski
