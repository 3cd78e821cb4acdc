#include "brski/masa_format.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace cahn::brski {
namespace {

constexpr voucher::Format made_here[] = {voucher::Format::cms, voucher::Format::jws};

// One media range of an Accept header (RFC 9110 12.5.1).
struct Range {
  std::string type;  // lower case, "*/*" and "application/*" included
  int weight = 1000;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The part before `separator`; what is behind it stays in `text`.
std::string_view cut(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view part = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// "0.5" → 500. What is no weight counts as 1: the range was named after all.
int weight_of(std::string_view text) {
  int whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error != std::errc{} || whole < 0 || whole >= 1) return 1000;
  std::string digits(text.substr(std::min<std::size_t>(static_cast<std::size_t>(end - text.data()) + 1, text.size())));
  digits.resize(3, '0');
  int thousandths = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), thousandths);
  return thousandths;
}

std::vector<Range> parse_accept(std::string_view accept) {
  std::vector<Range> ranges;
  while (!accept.empty()) {
    std::string_view one = cut(accept, ',');
    if (one.empty()) continue;
    Range range{ascii::lowered(cut(one, ';'))};
    while (!one.empty()) {
      const std::string_view parameter = cut(one, ';');
      if (parameter.starts_with("q=") || parameter.starts_with("Q=")) range.weight = weight_of(parameter.substr(2));
    }
    ranges.push_back(std::move(range));
  }
  return ranges;
}

// The most exact range that names the type decides; 0: not wanted.
int wanted(const std::vector<Range>& ranges, std::string_view type) {
  const std::string group = std::string(type.substr(0, type.find('/'))) + "/*";
  for (const std::string_view name : {type, std::string_view(group), std::string_view("*/*")}) {
    const auto named = std::ranges::find(ranges, name, &Range::type);
    if (named != ranges.end()) return named->weight;
  }
  return 0;
}

}  // namespace

Result<voucher::Format> choose_format(const std::optional<std::string>& accept,
                                      std::span<const voucher::Format> of_device) {
  const auto ranges = parse_accept(accept && !trimmed(*accept).empty() ? *accept : "*/*");
  std::optional<voucher::Format> best;
  int best_weight = 0;
  for (const voucher::Format format : of_device) {  // the first of equals
    const int weight = wanted(ranges, voucher::media_type(format));
    if (weight > best_weight) best = format;
    best_weight = std::max(best_weight, weight);
  }
  if (best) return *best;
  std::string made;
  for (const voucher::Format format : made_here) {
    if (wanted(ranges, voucher::media_type(format)) > 0) {
      return fail(BrskiError::unreadable_request, "the device cannot read a voucher of a type that Accept names");
    }
    made += (made.empty() ? "" : ", ") + std::string(voucher::media_type(format));
  }
  return fail(BrskiError::unsupported_media_type, "Accept names no type of voucher that is made here: " + made);
}

}  // namespace cahn::brski
