// SQLite behind RAII: a connection and a prepared statement, with errors as values.
//
// Threads: a connection and its statements belong to one thread at a time.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "store/event_log.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cahn::store::sqlite {

struct CloseConnection {
  void operator()(sqlite3*) const;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt*) const;
};

class Statement {
 public:
  // Parameters are numbered from 1. Bound memory must stay until run(), or until the last row was read.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind_blob(int parameter, ByteView value);
  Statement& bind_blob(int parameter, std::string_view value) { return bind_blob(parameter, as_bytes(value)); }
  Statement& bind_text(int parameter, std::string_view value);
  // To the next row; false after the last. An error resets the statement.
  Result<bool> step();
  // For statements without rows: runs and resets.
  Result<void> run();
  void reset();
  std::int64_t integer(int column) const;
  Bytes blob(int column) const;
  std::string text(int column) const;

 private:
  friend class Connection;
  Statement(sqlite3* connection, std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement)
      : connection_(connection), statement_(std::move(statement)) {}
  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement_;
};

// Resets a statement when a scope is left, so that no read transaction stays open.
class ResetAtExit {
 public:
  explicit ResetAtExit(Statement& statement) : statement_(statement) {}
  ResetAtExit(const ResetAtExit&) = delete;
  ResetAtExit& operator=(const ResetAtExit&) = delete;
  ~ResetAtExit() { statement_.reset(); }

 private:
  Statement& statement_;
};

class Connection {
 public:
  // The file must exist. `vfs` empty: the default one.
  static Result<Connection> open(const std::filesystem::path& file, const std::string& vfs);
  Result<Statement> prepare(std::string_view sql) const;
  // One or more statements whose rows nobody wants.
  Result<void> execute(const std::string& sql) const;
  // The first column of the first row.
  Result<std::int64_t> integer(std::string_view sql) const;
  bool in_transaction() const;
  sqlite3* handle() const { return connection_.get(); }

 private:
  explicit Connection(std::unique_ptr<sqlite3, CloseConnection> connection) : connection_(std::move(connection)) {}
  std::unique_ptr<sqlite3, CloseConnection> connection_;
};

}  // namespace cahn::store::sqlite
