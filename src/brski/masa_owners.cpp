// What changes the records of owners: sales, releases, and policies of single devices. Each takes the turn of the serial
// numbers it is about, so that no voucher is decided on a record that is being changed.

#include <map>

#include "base/log.h"
#include "brski/masa_impl.h"
#include "store/async.h"

namespace cahn::brski {

Result<OwnershipBook> Masa::Impl::book_of(const Tenant& tenant, std::string_view serial_number) const {
  const auto value = store.get(tenant.owners, hex(as_bytes(serial_number)));
  if (!value) return fail(BrskiError::unavailable, "the records of owners cannot be read at the moment");
  if (!*value) return OwnershipBook();
  auto book = ownership_book_from_json(as_text(**value));
  if (book) return book;
  log::error("BRSKI_OWNERS_DAMAGED", book.error().message, {{"serial", printable(serial_number)}});
  return fail(BrskiError::unavailable, "the record of this device's owners cannot be read");
}

Result<DeviceIdentity> Masa::Impl::identity_of(const Tenant& tenant, const Birth& birth) const {
  CAHN_TRY(const auto issuers, issuers_of(tenant, birth.serial_number));
  return DeviceIdentity{.issuer = hex(birth.idevid.authority_key_identifier().value_or(Bytes{})),
                        .model = birth.model,
                        .serial_is_unique = issuers.size() < 2};
}

Result<DeviceAudit> Masa::Impl::audit_of(const Tenant& tenant, const std::string& device) const {
  auto audit = read_audit(store, tenant.audit, device);
  if (audit) return audit;
  log::error("BRSKI_AUDIT_LOG_FAILED", audit.error().message, {{"tenant", tenant.options.name}});
  return fail(BrskiError::unavailable, "the audit log cannot be read at the moment");
}

Result<ImportOutcome> Masa::Impl::add_sales(const Tenant& tenant, std::vector<Sale> sales, store::Batch& batch) const {
  ImportOutcome outcome;
  std::map<std::string, OwnershipBook> changed;
  for (Sale& sale : sales) {
    auto book = changed.find(sale.serial_number);
    if (book == changed.end()) {
      CAHN_TRY(auto known, book_of(tenant, sale.serial_number));
      book = changed.emplace(sale.serial_number, std::move(known)).first;
    }
    if (sale.record.issuer.empty() && sale.record.model.empty()) {
      CAHN_TRY(const auto issuers, issuers_of(tenant, sale.serial_number));
      if (issuers.size() > 1) {
        return fail(BrskiError::forbidden, "several devices have the serial number '" +
                                               printable(sale.serial_number) + "': the sale needs an issuer");
      }
    }
    auto added = add_record(book->second, std::move(sale.record));
    if (!added) return fail(added.error(), printable(sale.serial_number));
    ++(*added ? outcome.added : outcome.unchanged);
  }
  for (const auto& [serial, book] : changed) {
    batch.puts.push_back({tenant.owners, hex(as_bytes(serial)), to_bytes(to_json(book))});
  }
  return outcome;
}

net::awaitable<Result<ImportOutcome>> Masa::Impl::import_sales(const Tenant* tenant, std::string media_type,
                                                               Bytes document) {
  if (media_type != media_type_csv && media_type != media_type_json) {
    co_return fail(BrskiError::unsupported_media_type, "sales are text/csv or application/json");
  }
  const Time now = clock.now();
  CAHN_CO_TRY(auto sales, media_type == media_type_csv ? sales_from_csv(as_text(document), now)
                                                       : sales_from_json(as_text(document), now));
  std::vector<std::string> names;
  for (const Sale& sale : sales) names.push_back(tenant->turn(sale.serial_number));
  const auto turn = co_await turns.take(std::move(names));
  store::Batch batch;
  CAHN_CO_TRY(const auto outcome, add_sales(*tenant, std::move(sales), batch));
  if (outcome.added == 0) co_return outcome;
  batch.events.push_back({"sales", std::move(document)});
  const auto done = co_await store::commit(store, std::move(batch));
  if (!done) co_return fail(BrskiError::unavailable, "the sales cannot be recorded: " + done.error().message);
  log::info("BRSKI_SALES_RECORDED", "Recorded sales of devices.",
            {{"tenant", tenant->options.name},
             {"added", std::to_string(outcome.added)},
             {"unchanged", std::to_string(outcome.unchanged)}});
  co_return outcome;
}

namespace {

// Of the devices that a record may be about, the one that a release is about when only its serial number is given.
DeviceIdentity sole_device(const std::vector<std::string>& issuers, const std::optional<Birth>& birth) {
  return {.issuer = issuers.size() == 1 ? issuers.front() : "",
          .model = birth ? birth->model : "",
          .serial_is_unique = true};
}

}  // namespace

net::awaitable<Result<void>> Masa::Impl::release(const Tenant* tenant, std::string serial_number,
                                                 std::vector<crypto::Certificate> by) {
  std::vector<std::string> names = {tenant->turn(serial_number)};
  const auto turn = co_await turns.take(std::move(names));
  CAHN_CO_TRY(auto book, book_of(*tenant, serial_number));
  CAHN_CO_TRY(const auto issuers, issuers_of(*tenant, serial_number));
  if (issuers.size() > 1) {
    co_return fail(BrskiError::forbidden, "several devices have this serial number: tell their new sales instead");
  }
  std::optional<Birth> birth;
  if (issuers.size() == 1) {
    CAHN_CO_TRY(birth, birth_of(*tenant, issuers.front() + "/" + hex(as_bytes(serial_number))));
  }
  const Time now = clock.now();
  const auto index = current_record(book, sole_device(issuers, birth), now);
  if (!index) co_return fail(BrskiError::unknown_party, "no owner of such a device is recorded");
  OwnershipRecord& record = book.records[*index];
  if (!by.empty()) {
    const auto path = self_contained_path(by.front(), by, now);
    if (!path || !path_within(record.owner, *path, by, now)) {
      co_return fail(BrskiError::forbidden, "the device belongs to another domain");
    }
  }
  record.released = now;
  store::Batch batch;
  batch.puts.push_back({tenant->owners, hex(as_bytes(serial_number)), to_bytes(to_json(book))});
  batch.events.push_back({"owner_released", to_bytes(to_json(OwnershipBook{{record}, {}}))});
  const auto done = co_await store::commit(store, std::move(batch));
  if (!done) co_return fail(BrskiError::unavailable, "the release cannot be recorded: " + done.error().message);
  log::info("BRSKI_OWNER_RELEASED", "The owner of a device let it go.",
            {{"tenant", tenant->options.name}, {"serial", printable(serial_number)}, {"by", by.empty() ? "operator" : "owner"}});
  co_return Result<void>{};
}

net::awaitable<Result<void>> Masa::Impl::set_policy(const Tenant* tenant, std::string serial_number,
                                                    std::optional<OwnershipPolicy> policy) {
  std::vector<std::string> names = {tenant->turn(serial_number)};
  const auto turn = co_await turns.take(std::move(names));
  CAHN_CO_TRY(auto book, book_of(*tenant, serial_number));
  book.policy = policy;
  const std::string word(policy ? to_text(*policy) : "default");
  store::Batch batch;
  batch.puts.push_back({tenant->owners, hex(as_bytes(serial_number)), to_bytes(to_json(book))});
  batch.events.push_back({"device_policy", to_bytes(serial_number + "\n" + word)});
  const auto done = co_await store::commit(store, std::move(batch));
  if (!done) co_return fail(BrskiError::unavailable, "the policy cannot be recorded: " + done.error().message);
  log::info("BRSKI_DEVICE_POLICY", "A device has an ownership policy of its own.",
            {{"tenant", tenant->options.name}, {"serial", printable(serial_number)}, {"policy", word}});
  co_return Result<void>{};
}

}  // namespace cahn::brski
