// What the journal's source files share: its connection, and how rows are read. Used by journal*.cc only.
#ifndef THINWIRE_SERVER_STORE_JOURNAL_IMPL_H_
#define THINWIRE_SERVER_STORE_JOURNAL_IMPL_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "server/store/file_lock.h"
#include "server/store/group_commit.h"
#include "server/store/journal.h"
#include "server/store/sqlite.h"

namespace thinwire {

struct Journal::Impl {
  Impl(FileLock file_lock, std::unique_ptr<Database> database)
      : lock(std::move(file_lock)), db(std::move(database)), commits(db.get(), &connection) {}

  const FileLock lock;
  Mutex connection;  // guards *db
  const std::unique_ptr<Database> db;
  GroupCommit commits;
};

inline std::string Select(const char* columns, const char* rest) {
  return absl::StrCat("SELECT ", columns, " FROM ", rest);
}

// All rows that `query` gives, read by `read`.
template <typename Row, typename Read>
absl::StatusOr<std::vector<Row>> ReadAll(Query& query, const Read& read) {
  std::vector<Row> rows;
  for (;;) {
    TW_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return rows;
    TW_ASSIGN_OR_RETURN(Row row, read(query));
    rows.push_back(std::move(row));
  }
}

template <typename Row, typename Read>
absl::StatusOr<std::optional<Row>> ReadOne(Query& query, const Read& read) {
  TW_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::optional<Row>();
  TW_ASSIGN_OR_RETURN(Row row, read(query));
  return std::optional<Row>(std::move(row));
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_JOURNAL_IMPL_H_
