#include "server/store/sqlite.h"

#include <sqlite3.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Whoever else has the file open (a person with the sqlite3 tool) gets this long to finish.
constexpr int kBusyMilliseconds = 5000;

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> db(new Database(path, handle));
  if (code != SQLITE_OK) return db->Error(code, "open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return db;
}

Database::~Database() {
  for (const auto& entry : prepared_) sqlite3_finalize(entry.second);
  sqlite3_close(handle_);
}

absl::Status Database::Error(int code, absl::string_view what) const {
  const std::string message =
      absl::StrCat(path_, ": cannot ", what, ": ", handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory");
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(message, "; free space on that disk"));
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::DataLossError(
          absl::StrCat(message, "; restore it from a backup, or name another storage.directory"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::FailedPreconditionError(absl::StrCat(message, "; another program has it open, end that first"));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return absl::PermissionDeniedError(absl::StrCat(message, "; check its permissions and its folder's"));
    default:
      return absl::InternalError(message);
  }
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Error(code, absl::StrCat("run '", sql.substr(0, 60), "'"));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Database::QueryInt(const std::string& sql) {
  Query query(*this, sql.c_str());
  TW_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Int(0) : 0;
}

absl::StatusOr<std::string> Database::QueryText(const std::string& sql) {
  Query query(*this, sql.c_str());
  TW_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Text(0) : "";
}

int64_t Database::changes() const { return sqlite3_changes64(handle_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

absl::StatusOr<sqlite3_stmt*> Database::Prepare(const char* sql) {
  sqlite3_stmt*& statement = prepared_[sql];
  if (statement != nullptr) return statement;
  const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error(code, absl::StrCat("prepare '", absl::string_view(sql).substr(0, 60), "'"));
  return statement;
}

Query::Query(Database& db, const char* sql) : db_(db) {
  const absl::StatusOr<sqlite3_stmt*> statement = db.Prepare(sql);
  if (statement.ok()) {
    statement_ = *statement;
  } else {
    status_ = statement.status();
  }
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::Note(int code) {
  if (code != SQLITE_OK && status_.ok()) status_ = db_.Error(code, "bind a value");
}

Query& Query::Bind(int64_t value) {
  if (status_.ok()) Note(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::Bind(double value) {
  if (std::isnan(value)) return BindNull();
  if (status_.ok()) Note(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Query& Query::Bind(const std::string& text) {
  if (status_.ok()) {
    Note(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  return *this;
}

Query& Query::BindBlob(absl::string_view bytes) {
  // A null pointer would bind NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  if (status_.ok()) Note(sqlite3_bind_blob64(statement_, ++bound_, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Query& Query::BindNull() {
  if (status_.ok()) Note(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

absl::StatusOr<bool> Query::Step() {
  if (!status_.ok()) return status_;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return db_.Error(code, absl::StrCat("run '", absl::string_view(sqlite3_sql(statement_)).substr(0, 60), "'"));
}

absl::Status Query::Run() { return Step().status(); }

int64_t Query::Int(int column) const { return sqlite3_column_int64(statement_, column); }

double Query::Real(int column) const {
  return IsNull(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_, column);
}

std::string Query::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? "" : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

bool Query::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

}  // namespace thinwire
