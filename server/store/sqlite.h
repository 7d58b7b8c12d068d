// SQLite's C interface, as much of it as the journal needs: prepared statements, bound and read by position, and its
// errors as absl::Status.
#ifndef THINWIRE_SERVER_STORE_SQLITE_H_
#define THINWIRE_SERVER_STORE_SQLITE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace thinwire {

// One connection. Not thread-safe. Errors: RESOURCE_EXHAUSTED on a full disk, DATA_LOSS for a damaged file or one that
// is no database, FAILED_PRECONDITION if another program holds it locked, PERMISSION_DENIED, else INTERNAL; all name
// the file and quote SQLite.
class Database {
 public:
  // Opens or creates.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements without parameters or results.
  absl::Status Execute(const std::string& sql);
  // The first column of the first row.
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  absl::StatusOr<std::string> QueryText(const std::string& sql);
  // Rows changed by the newest statement.
  int64_t changes() const;
  bool in_transaction() const;
  const std::string& path() const { return path_; }

 private:
  friend class Query;
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  absl::Status Error(int code, absl::string_view what) const;
  absl::StatusOr<sqlite3_stmt*> Prepare(const char* sql);

  const std::string path_;
  sqlite3* const handle_;
  std::map<std::string, sqlite3_stmt*> prepared_;
};

// One execution of a statement, which stays prepared in its Database.
//
//   Query query(db, "SELECT name FROM run WHERE id = ?1");
//   query.Bind(7);
//   TW_ASSIGN_OR_RETURN(const bool found, query.Step());
//   if (found) name = query.Text(0);
class Query {
 public:
  // `db` must outlive it. Only one Query per statement text at a time.
  Query(Database& db, const char* sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Binds the next parameter. Texts and blobs are copied. NaN becomes NULL, and NULL is read as NaN by Real().
  Query& Bind(int64_t value);
  Query& Bind(uint64_t value) { return Bind(static_cast<int64_t>(value)); }  // bit by bit
  Query& Bind(uint32_t value) { return Bind(static_cast<int64_t>(value)); }
  Query& Bind(int value) { return Bind(static_cast<int64_t>(value)); }
  Query& Bind(double value);
  Query& Bind(const std::string& text);
  Query& BindBlob(absl::string_view bytes);
  Query& BindNull();

  // True if there is a(nother) row.
  absl::StatusOr<bool> Step();
  // Runs a statement that gives no rows.
  absl::Status Run();

  // Columns of the row.
  int64_t Int(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;  // also blobs
  bool IsNull(int column) const;

 private:
  void Note(int code);

  Database& db_;
  absl::Status status_;  // the first error
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_SQLITE_H_
