#include "server/store/schema.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Unsigned 64-bit numbers are stored bit by bit as signed ones, times and durations in nanoseconds (the largest number
// stands for infinity), enums by their number.
constexpr char kFirstSchema[] = R"sql(
CREATE TABLE run (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  seed INTEGER NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT NOT NULL,
  model_spec BLOB NOT NULL,
  plan BLOB NOT NULL,
  started_at INTEGER NOT NULL,
  exported_path TEXT NOT NULL
) STRICT;
CREATE TABLE rounds (
  round INTEGER PRIMARY KEY,
  base_version INTEGER NOT NULL,
  state INTEGER NOT NULL,
  fixed_point BLOB NOT NULL,
  time_left INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  duration INTEGER NOT NULL,
  version INTEGER,
  invited INTEGER NOT NULL,
  training INTEGER NOT NULL,
  folding INTEGER NOT NULL,
  folded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  dropped INTEGER NOT NULL,
  discarded INTEGER NOT NULL,
  train_loss REAL,
  traffic BLOB NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE assignments (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  client TEXT NOT NULL,
  kind INTEGER NOT NULL,
  round INTEGER NOT NULL,
  version INTEGER NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT NOT NULL,
  received INTEGER,
  payload_id BLOB,
  payload_size INTEGER,
  manifest_size INTEGER,
  spool_file TEXT,
  examples INTEGER,
  train_loss REAL,
  train_time INTEGER
) STRICT;
CREATE TABLE versions (
  version INTEGER PRIMARY KEY,
  round INTEGER NOT NULL,
  weights_file TEXT NOT NULL,
  state_file TEXT NOT NULL,
  downlink_file TEXT NOT NULL,
  payload_id BLOB NOT NULL,
  payload_size INTEGER NOT NULL,
  manifest_size INTEGER NOT NULL,
  weights_sha256 BLOB NOT NULL,
  fp32_downlink_size INTEGER NOT NULL
) STRICT;
CREATE TABLE evaluations (
  version INTEGER NOT NULL,
  client TEXT NOT NULL,
  examples INTEGER NOT NULL,
  loss REAL,
  accuracy REAL,
  PRIMARY KEY (version, client)
) STRICT;
)sql";

// The optimiser state gets a hash of its own (none known for older versions), and rounds of many clients their indexes.
constexpr char kStateHashAndIndexes[] = R"sql(
ALTER TABLE versions ADD COLUMN state_sha256 BLOB NOT NULL
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
CREATE INDEX assignments_by_round ON assignments (round);
CREATE INDEX assignments_by_receipt ON assignments (received);
)sql";

// Training in a subspace: what theta was when each epoch began, and the hash of the coordinates that ended the one
// before.
constexpr char kBases[] = R"sql(
CREATE TABLE bases (
  epoch INTEGER PRIMARY KEY,
  first_version INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  payload_id BLOB NOT NULL,
  payload_size INTEGER NOT NULL,
  manifest_size INTEGER NOT NULL,
  final_sha256 BLOB NOT NULL
) STRICT;
)sql";

// What uploads were granted, and how their clients coded them.
constexpr char kGrants[] = R"sql(
ALTER TABLE assignments ADD COLUMN upload_bits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE assignments ADD COLUMN encode_time INTEGER;
ALTER TABLE assignments ADD COLUMN distortion REAL;
ALTER TABLE assignments ADD COLUMN weighted_distortion REAL;
ALTER TABLE assignments ADD COLUMN unsent_norm REAL;
ALTER TABLE rounds ADD COLUMN uploads BLOB NOT NULL DEFAULT x'';
)sql";

absl::Status CheckOwner(Database& db, int64_t schema) {
  TW_ASSIGN_OR_RETURN(const int64_t owner, db.QueryInt("PRAGMA application_id"));
  TW_ASSIGN_OR_RETURN(const int64_t tables, db.QueryInt("SELECT count(*) FROM sqlite_schema"));
  const bool empty = owner == 0 && schema == 0 && tables == 0;
  if (empty || owner == kJournalApplicationId) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(db.path(),
                                          " is another program's database, no journal of a federation; "
                                          "name another storage.directory"));
}

absl::Status Step(Database& db, const std::string& sql, size_t schema) {
  const std::string marks =
      absl::StrCat("PRAGMA user_version = ", schema, "; PRAGMA application_id = ", kJournalApplicationId, "; ");
  const absl::Status done = db.Execute(absl::StrCat("BEGIN IMMEDIATE; ", sql, marks, "COMMIT;"));
  if (!done.ok() && db.in_transaction()) db.Execute("ROLLBACK").IgnoreError();
  return done;
}

}  // namespace

const std::vector<std::string>& JournalMigrations() {
  static const auto* const steps = new std::vector<std::string>{kFirstSchema, kStateHashAndIndexes, kBases, kGrants};
  return *steps;
}

absl::Status Migrate(Database& db, const std::vector<std::string>& steps) {
  TW_ASSIGN_OR_RETURN(const int64_t schema, db.QueryInt("PRAGMA user_version"));
  TW_RETURN_IF_ERROR(CheckOwner(db, schema));
  if (schema < 0 || static_cast<uint64_t>(schema) > steps.size()) {
    return absl::FailedPreconditionError(absl::StrCat(db.path(), " has schema ", schema, ", this program knows up to ",
                                                      steps.size(), "; run a newer thinwire-server"));
  }
  for (size_t next = static_cast<size_t>(schema); next < steps.size(); ++next) {
    TW_RETURN_IF_ERROR(Step(db, steps[next], next + 1));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
