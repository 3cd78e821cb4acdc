#include "store/sqlite.h"

#include <sqlite3.h>

namespace cahn::store::sqlite {
namespace {

std::unexpected<Error> sqlite_error(sqlite3* connection, int code) {
  const std::string message = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_ERROR:  // our SQL is right, so the tables are not what it expects
    case SQLITE_MISMATCH:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(StoreError::corrupt, "the store's file is damaged: " + message);
    case SQLITE_TOOBIG:
      return fail(StoreError::too_large, message);
    default:
      return fail(StoreError::unavailable, "the store's file cannot be used: " + message);
  }
}

}  // namespace

void CloseConnection::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

// A failed bind (out of memory) leaves NULL, which the NOT NULL columns then refuse.
Statement& Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::bind_blob(int parameter, ByteView value) {
  // A null pointer would bind NULL, not an empty blob.
  if (value.empty()) {
    sqlite3_bind_zeroblob(statement_.get(), parameter, 0);
  } else {
    sqlite3_bind_blob64(statement_.get(), parameter, value.data(), value.size(), SQLITE_STATIC);
  }
  return *this;
}

Statement& Statement::bind_text(int parameter, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), parameter, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = sqlite_error(connection_, code);
  reset();
  return error;
}

Result<void> Statement::run() {
  CAHN_CHECK(step());
  reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

Bytes Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? Bytes{} : Bytes(data, data + size);
}

std::string Statement::text(int column) const { return to_string(blob(column)); }

Result<Connection> Connection::open(const std::filesystem::path& file, const std::string& vfs) {
  sqlite3* raw = nullptr;
  // Extended result codes off, one thread at a time (NOMUTEX): the callers see to it.
  const int code =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                      vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<sqlite3, CloseConnection> connection(raw);
  if (code != SQLITE_OK) return sqlite_error(raw, code);
  sqlite3_busy_timeout(raw, 5000);
  // Defence in depth against a prepared file: no SQL functions with effects from its schema, and checked page
  // structure.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return Connection(std::move(connection));
}

Result<Statement> Connection::prepare(std::string_view sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement(raw);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code);
  return Statement(connection_.get(), std::move(statement));
}

Result<void> Connection::execute(const std::string& sql) const {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code);
  return {};
}

Result<std::int64_t> Connection::integer(std::string_view sql) const {
  CAHN_TRY(auto statement, prepare(sql));
  CAHN_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }

}  // namespace cahn::store::sqlite
