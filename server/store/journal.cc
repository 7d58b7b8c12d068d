#include "server/store/journal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "server/store/fail_point.h"
#include "server/store/file_lock.h"
#include "server/store/group_commit.h"
#include "server/store/journal_rows.h"
#include "server/store/schema.h"
#include "server/store/sqlite.h"

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

std::string Select(const char* columns, const char* rest) { return absl::StrCat("SELECT ", columns, " FROM ", rest); }

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

absl::StatusOr<std::optional<UpdateRow>> SelectAssignment(Database& db, const std::string& id) {
  Query query(db, Select(kAssignmentColumns, "assignments WHERE id = ?1").c_str());
  query.Bind(id);
  return ReadOne<UpdateRow>(query, ReadAssignment);
}

absl::StatusOr<UpdateRow> ExistingAssignment(Database& db, const std::string& id) {
  TW_ASSIGN_OR_RETURN(std::optional<UpdateRow> row, SelectAssignment(db, id));
  if (!row.has_value()) return absl::NotFoundError(absl::StrCat("no assignment '", id, "' in the journal"));
  return *std::move(row);
}

absl::Status InsertRound(Database& db, const RoundRow& round) {
  Query query(db, InsertOrReplace("rounds", kRoundColumns).c_str());
  BindRound(round, query);
  return query.Run();
}

absl::Status InsertVersion(Database& db, const VersionRow& version) {
  Query query(db, InsertOrReplace("versions", kVersionColumns).c_str());
  BindVersion(version, query);
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

// Several clients' evaluations of one version as one. A report over no examples counts as one over a single example.
EvaluationRow MeanOf(const std::vector<EvaluationRow>& rows) {
  EvaluationRow mean;
  mean.version = rows.front().version;
  double weights = 0;
  for (const EvaluationRow& row : rows) {
    const double weight = std::max<double>(1, static_cast<double>(row.examples));
    mean.examples += row.examples;
    mean.loss += weight * row.loss;
    mean.accuracy += weight * row.accuracy;
    weights += weight;
  }
  mean.loss /= weights;
  mean.accuracy /= weights;
  return mean;
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
  return db.Execute("PRAGMA synchronous = FULL");
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

struct Journal::Impl {
  Impl(FileLock file_lock, std::unique_ptr<Database> database)
      : lock(std::move(file_lock)), db(std::move(database)), commits(db.get(), &connection) {}

  const FileLock lock;
  Mutex connection;  // guards *db
  const std::unique_ptr<Database> db;
  GroupCommit commits;
};

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path) {
  TW_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(path + ".lock"));
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
  return impl_->commits.Run([&](Database& db) { return InsertRound(db, round); });
}

absl::Status Journal::SaveTimeLeft(uint32_t round, absl::Duration time_left) {
  return impl_->commits.Run([&](Database& db) {
    Query query(db, "UPDATE rounds SET time_left = ?1 WHERE round = ?2");
    query.Bind(DurationColumn(time_left)).Bind(round);
    return query.Run();
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

absl::Status Journal::PutAssignments(const std::vector<AssignmentRecord>& assignments) {
  return impl_->commits.Run([&](Database& db) {
    for (const AssignmentRecord& assignment : assignments) {
      Query query(db,
                  "INSERT OR IGNORE INTO assignments (id, client, kind, round, version, state, reason) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
      BindAssignment(assignment, query);
      TW_RETURN_IF_ERROR(query.Run());
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<UpdateRow> Journal::ReceiveUpdate(const UpdateRow& update) {
  UpdateRow stands;
  const absl::Status committed = impl_->commits.Run([&](Database& db) -> absl::Status {
    {
      Query query(db,
                  "UPDATE assignments SET payload_id = ?1, payload_size = ?2, manifest_size = ?3, spool_file = ?4, "
                  "examples = ?5, train_loss = ?6, train_time = ?7, state = ?8, "
                  "received = (SELECT coalesce(max(received), 0) + 1 FROM assignments) WHERE id = ?9 AND state = ?10");
      BindReceived(update, query);
      query.Bind(static_cast<int>(AssignmentState::kReceived)).Bind(update.assignment.id);
      query.Bind(static_cast<int>(AssignmentState::kTraining));
      TW_RETURN_IF_ERROR(query.Run());
    }
    TW_ASSIGN_OR_RETURN(stands, ExistingAssignment(db, update.assignment.id));
    PassFailPoint(FailPoint::kBeforeReceiveCommit);
    return absl::OkStatus();
  });
  TW_RETURN_IF_ERROR(committed);
  PassFailPoint(FailPoint::kAfterReceiveCommit);
  return stands;
}

absl::Status Journal::SetAssignmentState(const std::string& assignment, AssignmentState state,
                                         const std::string& reason) {
  return impl_->commits.Run([&](Database& db) -> absl::Status {
    Query query(db, "UPDATE assignments SET state = ?1, reason = ?2 WHERE id = ?3");
    query.Bind(static_cast<int>(state)).Bind(reason).Bind(assignment);
    TW_RETURN_IF_ERROR(query.Run());
    if (db.changes() == 1) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat("no assignment '", assignment, "' in the journal"));
  });
}

absl::StatusOr<UpdateRow> Journal::SettleUnreceived(const std::string& assignment, AssignmentState state,
                                                    const std::string& reason) {
  UpdateRow stands;
  const absl::Status committed = impl_->commits.Run([&](Database& db) -> absl::Status {
    {
      Query query(db, "UPDATE assignments SET state = ?1, reason = ?2 WHERE id = ?3 AND state = ?4");
      query.Bind(static_cast<int>(state)).Bind(reason).Bind(assignment);
      query.Bind(static_cast<int>(AssignmentState::kTraining));
      TW_RETURN_IF_ERROR(query.Run());
    }
    TW_ASSIGN_OR_RETURN(stands, ExistingAssignment(db, assignment));
    return absl::OkStatus();
  });
  TW_RETURN_IF_ERROR(committed);
  return stands;
}

absl::StatusOr<std::optional<UpdateRow>> Journal::FindAssignment(const std::string& assignment) {
  MutexLock lock(impl_->connection);
  return SelectAssignment(*impl_->db, assignment);
}

absl::StatusOr<std::vector<UpdateRow>> Journal::AssignmentsOf(uint32_t round) {
  MutexLock lock(impl_->connection);
  Query query(
      *impl_->db,
      Select(kAssignmentColumns, "assignments WHERE round = ?1 ORDER BY received IS NULL, received, number").c_str());
  query.Bind(round);
  return ReadAll<UpdateRow>(query, ReadAssignment);
}

absl::StatusOr<std::vector<UpdateRow>> Journal::OpenAssignmentsOutsideRounds() {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db,
              Select(kAssignmentColumns, "assignments WHERE kind != ?1 AND state < ?2 ORDER BY number").c_str());
  query.Bind(static_cast<int>(WorkKind::kTrain)).Bind(static_cast<int>(AssignmentState::kFolded));
  return ReadAll<UpdateRow>(query, ReadAssignment);
}

absl::Status Journal::Publish(const VersionRow& version, const std::optional<RoundRow>& round,
                              const std::vector<std::string>& folded, const std::vector<uint64_t>& forgotten) {
  const absl::Status committed = impl_->commits.Run([&](Database& db) {
    for (const std::string& assignment : folded) TW_RETURN_IF_ERROR(ConsumeUpdate(db, assignment));
    for (const uint64_t old : forgotten) TW_RETURN_IF_ERROR(DeleteVersion(db, old));
    if (round.has_value()) TW_RETURN_IF_ERROR(InsertRound(db, *round));
    TW_RETURN_IF_ERROR(InsertVersion(db, version));
    PassFailPoint(FailPoint::kBeforePublishCommit);
    return absl::OkStatus();
  });
  TW_RETURN_IF_ERROR(committed);
  PassFailPoint(FailPoint::kAfterPublishCommit);
  return absl::OkStatus();
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
    Query query(db, "DELETE FROM evaluations WHERE version = ?1");
    query.Bind(version);
    TW_RETURN_IF_ERROR(query.Run());
    return DeleteVersion(db, version);
  });
}

absl::Status Journal::PutEvaluation(const EvaluationRow& evaluation) {
  return impl_->commits.Run([&](Database& db) {
    Query query(db,
                "INSERT OR IGNORE INTO evaluations (version, client, examples, loss, accuracy) "
                "VALUES (?1, ?2, ?3, ?4, ?5)");
    query.Bind(evaluation.version).Bind(evaluation.client).Bind(evaluation.examples);
    query.Bind(evaluation.loss).Bind(evaluation.accuracy);
    return query.Run();
  });
}

absl::StatusOr<std::optional<EvaluationRow>> Journal::FindEvaluation(uint64_t version) {
  MutexLock lock(impl_->connection);
  Query query(*impl_->db,
              "SELECT version, client, examples, loss, accuracy FROM evaluations WHERE version = ?1 ORDER BY client");
  query.Bind(version);
  TW_ASSIGN_OR_RETURN(const std::vector<EvaluationRow> rows,
                      ReadAll<EvaluationRow>(query, [](const Query& row) -> absl::StatusOr<EvaluationRow> {
                        return EvaluationRow{static_cast<uint64_t>(row.Int(0)), row.Text(1),
                                             static_cast<uint64_t>(row.Int(2)), row.Real(3), row.Real(4)};
                      }));
  if (rows.empty()) return std::optional<EvaluationRow>();
  if (rows.size() == 1) return std::optional<EvaluationRow>(rows[0]);
  return std::optional<EvaluationRow>(MeanOf(rows));
}

}  // namespace thinwire
