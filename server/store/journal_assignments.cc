// The journal's side of assignments, updates and evaluations.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/store/fail_point.h"
#include "server/store/journal.h"
#include "server/store/journal_impl.h"
#include "server/store/journal_rows.h"

namespace thinwire {
namespace {

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

}  // namespace

absl::Status Journal::PutAssignments(const std::vector<AssignmentRecord>& assignments) {
  return impl_->commits.Run([&](Database& db) {
    for (const AssignmentRecord& assignment : assignments) {
      Query query(db,
                  "INSERT OR IGNORE INTO assignments (id, client, kind, round, version, state, reason, upload_bits) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
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
                  "examples = ?5, train_loss = ?6, train_time = ?7, encode_time = ?8, distortion = ?9, "
                  "weighted_distortion = ?10, unsent_norm = ?11, state = ?12, "
                  "received = (SELECT coalesce(max(received), 0) + 1 FROM assignments) WHERE id = ?13 AND state = ?14");
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
