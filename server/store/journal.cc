#include "server/store/journal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "server/store/fail_point.h"
#include "server/store/journal_impl.h"
#include "server/store/journal_rows.h"
#include "server/store/schema.h"
#include "server/store/wal_check.h"

namespace thinwire {
namespace {

// "?1, ?2, ..." for as many columns as `columns` names.
std::string Placeholders(absl::string_view columns) {
  std::string marks = "?1";
  int count = 1;
  for (const char c : columns) {
    if (c == ',') absl::StrAppend(&marks, ", ?", ++count);
  }
  return marks;
}

std::string InsertOrReplace(const char* table, const char* columns) {
  return absl::StrCat("INSERT OR REPLACE INTO ", table, " (", columns, ") VALUES (", Placeholders(columns), ")");
}

absl::Status InsertRound(Database& db, const RoundRow& round) {
  Query query(db, InsertOrReplace("rounds", kRoundColumns).c_str());
  BindRound(round, query);
  return query.Run();
}

bool IsClosed(RoundState state) { return state == RoundState::kPublished || state == RoundState::kFailed; }

absl::StatusOr<bool> RoundIsClosed(Database& db, uint32_t round) {
  Query query(db, "SELECT 1 FROM rounds WHERE round = ?1 AND state IN (?2, ?3)");
  query.Bind(round).Bind(static_cast<int>(RoundState::kPublished)).Bind(static_cast<int>(RoundState::kFailed));
  return query.Step();
}

absl::Status InsertVersion(Database& db, const VersionRow& version) {
  Query query(db, InsertOrReplace("versions", kVersionColumns).c_str());
  BindVersion(version, query);
  return query.Run();
}

absl::Status InsertBasis(Database& db, const BasisRow& basis) {
  Query query(db, InsertOrReplace("bases", kBasisColumns).c_str());
  BindBasis(basis, query);
  return query.Run();
}

absl::Status ConsumeUpdate(Database& db, const std::string& assignment) {
  Query query(db, "UPDATE assignments SET state = ?1 WHERE id = ?2 AND state = ?3");
  query.Bind(static_cast<int>(AssignmentState::kFolded)).Bind(assignment);
  query.Bind(static_cast<int>(AssignmentState::kReceived));
  TW_RETURN_IF_ERROR(query.Run());
  if (db.changes() == 1) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the update of assignment '", assignment,
                                                    "' is not in state received: it cannot become part of a version"));
}

absl::Status DeleteVersion(Database& db, uint64_t version) {
  Query query(db, "DELETE FROM versions WHERE version = ?1");
  query.Bind(version);
  return query.Run();
}

absl::Status Configure(Database& db) {
  TW_ASSIGN_OR_RETURN(const std::string check, db.QueryText("PRAGMA quick_check(1)"));
  if (check != "ok") {
    return absl::DataLossError(absl::StrCat(db.path(), " is damaged: ", check, "; restore it from a backup"));
  }
  TW_ASSIGN_OR_RETURN(const std::string mode, db.QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::InternalError(absl::StrCat(db.path(), " cannot be put in write-ahead mode, it stays in '", mode,
                                            "'; is its file system a network one?"));
  }
  return db.Execute(SyncDisabled() ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = FULL");
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path) {
  TW_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(path + ".lock"));
  TW_RETURN_IF_ERROR(CheckWal(path + "-wal"));
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Database> db, Database::Open(path));
  TW_RETURN_IF_ERROR(Configure(*db));
  TW_RETURN_IF_ERROR(Migrate(*db, JournalMigrations()));
  TW_RETURN_IF_ERROR(SyncDirectory(FolderOf(path)));
  return std::unique_ptr<Journal>(new Journal(std::make_unique<Impl>(std::move(lock), std::move(db))));
}

absl::StatusOr<std::optional<RunRow>> Journal::LoadRun() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kRunColumns, "run").c_str());
  return ReadOne<RunRow>(query, ReadRun);
}

absl::Status Journal::SaveRun(const RunRow& run) {
  return impl_->commits.Run([&](Database& db) {
    Query query(db, absl::StrCat("INSERT OR REPLACE INTO run (", kRunColumns, ", id) VALUES (",
                                 Placeholders(kRunColumns), ", 1)")
                        .c_str());
    BindRun(run, query);
    return query.Run();
  });
}

absl::Status Journal::PutRound(const RoundRow& round) {
  return impl_->commits.Run([&](Database& db) -> absl::Status {
    if (!IsClosed(round.state)) {
      TW_ASSIGN_OR_RETURN(const bool closed, RoundIsClosed(db, round.round));
      if (closed) return absl::OkStatus();
    }
    return InsertRound(db, round);
  });
}

absl::StatusOr<std::vector<RoundRow>> Journal::Rounds(uint32_t first, uint32_t max_rows) {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kRoundColumns, "rounds WHERE round >= ?1 ORDER BY round LIMIT ?2").c_str());
  query.Bind(first).Bind(max_rows);
  return ReadAll<RoundRow>(query, ReadRound);
}

absl::StatusOr<std::optional<RoundRow>> Journal::LastRound() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kRoundColumns, "rounds ORDER BY round DESC LIMIT 1").c_str());
  return ReadOne<RoundRow>(query, ReadRound);
}

absl::Status Journal::Publish(const VersionRow& version, const std::optional<RoundRow>& round,
                              const std::vector<std::string>& folded, const std::vector<uint64_t>& forgotten,
                              const std::optional<BasisRow>& basis) {
  const absl::Status committed = impl_->commits.Run([&](Database& db) {
    for (const std::string& assignment : folded) TW_RETURN_IF_ERROR(ConsumeUpdate(db, assignment));
    for (const uint64_t old : forgotten) TW_RETURN_IF_ERROR(DeleteVersion(db, old));
    if (round.has_value()) TW_RETURN_IF_ERROR(InsertRound(db, *round));
    TW_RETURN_IF_ERROR(InsertVersion(db, version));
    if (basis.has_value()) TW_RETURN_IF_ERROR(InsertBasis(db, *basis));
    PassFailPoint(FailPoint::kBeforePublishCommit);
    return absl::OkStatus();
  });
  TW_RETURN_IF_ERROR(committed);
  PassFailPoint(FailPoint::kAfterPublishCommit);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BasisRow>> Journal::Bases() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kBasisColumns, "bases ORDER BY epoch").c_str());
  return ReadAll<BasisRow>(query, ReadBasis);
}

absl::StatusOr<std::optional<VersionRow>> Journal::LatestVersion() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kVersionColumns, "versions ORDER BY version DESC LIMIT 1").c_str());
  return ReadOne<VersionRow>(query, ReadVersion);
}

absl::StatusOr<std::optional<VersionRow>> Journal::FindVersion(uint64_t version) {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kVersionColumns, "versions WHERE version = ?1").c_str());
  query.Bind(version);
  return ReadOne<VersionRow>(query, ReadVersion);
}

absl::StatusOr<std::vector<VersionRow>> Journal::Versions() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db, Select(kVersionColumns, "versions ORDER BY version").c_str());
  return ReadAll<VersionRow>(query, ReadVersion);
}

absl::Status Journal::ForgetVersions(const std::vector<uint64_t>& versions) {
  return impl_->commits.Run([&](Database& db) {
    for (const uint64_t version : versions) TW_RETURN_IF_ERROR(DeleteVersion(db, version));
    return absl::OkStatus();
  });
}

absl::Status Journal::RevokeVersion(uint64_t version, const std::string& reason) {
  return impl_->commits.Run([&](Database& db) {
    {
      Query query(db, "UPDATE rounds SET state = ?1, reason = ?2, version = NULL WHERE version = ?3");
      query.Bind(static_cast<int>(RoundState::kFailed)).Bind(reason).Bind(version);
      TW_RETURN_IF_ERROR(query.Run());
    }
    {
      Query query(db, "UPDATE rounds SET state = ?1, reason = ?2 WHERE base_version = ?3 AND state NOT IN (?4, ?5)");
      query.Bind(static_cast<int>(RoundState::kFailed))
          .Bind(absl::StrCat("started from a version that is gone: ", reason));
      query.Bind(version).Bind(static_cast<int>(RoundState::kPublished)).Bind(static_cast<int>(RoundState::kFailed));
      TW_RETURN_IF_ERROR(query.Run());
    }
    {
      Query query(db, "DELETE FROM bases WHERE first_version >= ?1");
      query.Bind(version);
      TW_RETURN_IF_ERROR(query.Run());
    }
    Query query(db, "DELETE FROM evaluations WHERE version = ?1");
    query.Bind(version);
    TW_RETURN_IF_ERROR(query.Run());
    return DeleteVersion(db, version);
  });
}

}  // namespace thinwire
