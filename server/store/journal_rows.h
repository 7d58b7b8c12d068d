// The journal's rows, column by column. A row that cannot be read is DATA_LOSS: only damage makes one.
#ifndef THINWIRE_SERVER_STORE_JOURNAL_ROWS_H_
#define THINWIRE_SERVER_STORE_JOURNAL_ROWS_H_

#include "absl/status/statusor.h"
#include "server/store/journal.h"
#include "server/store/sqlite.h"

namespace thinwire {

// The column lists that the functions below bind and read, in their order.
constexpr char kRunColumns[] = "name, seed, state, reason, model_spec, plan, started_at, exported_path";
constexpr char kRoundColumns[] =
    "round, base_version, state, fixed_point, time_left, started_at, duration, version, invited, training, folding, "
    "folded, failed, dropped, discarded, train_loss, traffic, uploads, reason";
constexpr char kAssignmentColumns[] =
    "id, client, kind, round, version, state, reason, upload_bits, payload_id, payload_size, manifest_size, "
    "spool_file, "
    "examples, train_loss, train_time, encode_time, distortion, weighted_distortion, unsent_norm";
constexpr char kVersionColumns[] =
    "version, round, weights_file, state_file, downlink_file, payload_id, payload_size, manifest_size, weights_sha256, "
    "state_sha256, fp32_downlink_size";

constexpr char kBasisColumns[] = "epoch, first_version, sha256, payload_id, payload_size, manifest_size, final_sha256";

void BindRun(const RunRow& run, Query& query);
absl::StatusOr<RunRow> ReadRun(const Query& query);
void BindRound(const RoundRow& round, Query& query);
absl::StatusOr<RoundRow> ReadRound(const Query& query);
// The first eight columns; the others are of the received update.
void BindAssignment(const AssignmentRecord& assignment, Query& query);
void BindReceived(const UpdateRow& update, Query& query);
absl::StatusOr<UpdateRow> ReadAssignment(const Query& query);
void BindVersion(const VersionRow& version, Query& query);
absl::StatusOr<VersionRow> ReadVersion(const Query& query);
void BindBasis(const BasisRow& basis, Query& query);
absl::StatusOr<BasisRow> ReadBasis(const Query& query);

// Nanoseconds, infinity as the largest number.
int64_t DurationColumn(absl::Duration duration);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_JOURNAL_ROWS_H_
