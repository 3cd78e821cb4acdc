#include "factory/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace cahn::factory {
namespace {

constexpr std::size_t max_shown_text = 200;
constexpr std::chrono::milliseconds longest_delay{30'000};

net::HttpRequest request_for(const DeviceBirth& birth) {
  using nlohmann::json;
  const json object = {
      {"serialNumber", birth.serial_number}, {"idevid", base64(birth.idevid.der())}, {"model", birth.model}};
  net::HttpRequest request;
  request.method = "POST";
  request.path = std::string(path_births);
  request.headers.set("Content-Type", "application/json");
  request.body = to_bytes(object.dump(-1, ' ', false, json::error_handler_t::replace));
  return request;
}

std::string shown(const net::HttpResponse& response) {
  std::string text(as_text(response.body).substr(0, max_shown_text));
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return std::to_string(response.status) + (text.empty() ? "" : ": " + text);
}

// Reports on one connection until all are told or it is lost. True when there is nothing more to try: what is left was
// refused.
net::awaitable<Result<bool>> report_on(net::HttpConnection& connection, Books& books, ReportOutcome& outcome) {
  CAHN_CO_TRY(const auto serials, books.unreported());
  outcome.refused.clear();
  for (const auto& serial : serials) {
    CAHN_CO_TRY(const auto birth, books.find(serial));
    if (!birth) co_return fail(FactoryError::unavailable, "the birth of '" + serial + "' is not in the books");
    net::HttpRequest request = request_for(*birth);
    const auto response = co_await connection.send(std::move(request));
    if (!response || response->status >= 500 || response->status == 429) {
      outcome.last_error = response ? "the MASA answered " + shown(*response) : response.error().message;
      co_return false;
    }
    if (response->status == 200 || response->status == 201) {
      CAHN_CO_CHECK(co_await books.acknowledge(serial));
      outcome.acknowledged.push_back(serial);
      continue;
    }
    outcome.last_error = "the MASA answered " + shown(*response);
    outcome.refused.push_back({serial, shown(*response)});
    log::error("FACTORY_BIRTH_REFUSED",
               "the MASA does not take the birth of a device; no voucher will be issued for it",
               {{"serial_number", serial}, {"answer", shown(*response)}});
  }
  co_return true;
}

}  // namespace

net::awaitable<Result<ReportOutcome>> report_births(Books& books, crypto::TlsContext context, ReportOptions options) {
  ReportOutcome outcome;
  auto delay = options.first_delay;
  for (unsigned attempt = 1; attempt <= std::max(1u, options.attempts); ++attempt) {
    CAHN_CO_TRY(const auto before, books.unreported());
    if (before.empty()) break;
    if (attempt > 1) {
      co_await net::sleep_for(delay);
      delay = std::min(delay * 2, longest_delay);
    }
    net::Endpoint masa = *options.masa;
    auto connection = co_await net::HttpConnection::open(std::move(masa), &context);
    if (!connection) {
      outcome.last_error = connection.error().message;
      continue;
    }
    CAHN_CO_TRY(const bool all_told, co_await report_on(**connection, books, outcome));
    if (all_told) break;
  }
  CAHN_CO_TRY(const auto left, books.unreported());
  outcome.pending = left.size();
  if (left.empty()) outcome.last_error.clear();
  co_return outcome;
}

}  // namespace cahn::factory
