// The durable record of a run: SQLite in WAL mode with synchronous=FULL. A call that returns OK is on disk.
#ifndef THINWIRE_SERVER_STORE_JOURNAL_H_
#define THINWIRE_SERVER_STORE_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/codec/coding_report.h"
#include "common/codec/payload.h"
#include "server/round/round_coordinator.h"

namespace thinwire {

struct RunRow {
  std::string name;
  uint64_t seed = 0;
  RunState state = RunState::kInitializing;
  std::string reason;
  std::string model_spec;  // canonical serialization chosen by the store's caller; empty until known
  std::string plan;        // what both ends compress by; a restart with another plan or model is refused
  absl::Time started_at;
  std::string exported_path;
};

struct VersionRow {
  uint64_t version = 0;
  uint32_t round = 0;        // that produced it; 0 for initial weights
  std::string weights_file;  // names within the store's folders
  std::string state_file;    // optimiser state; may be empty
  std::string downlink_file;
  PayloadRef downlink;
  Digest weights_sha256;
  Digest state_sha256;  // none without a state file
  uint64_t fp32_downlink_size = 0;
};

// The beginning of an epoch of training in a subspace (server/store/basis_store.h).
struct BasisRow {
  uint64_t epoch = 0;
  uint64_t first_version = 0;  // of the epoch
  Digest sha256;               // of theta
  PayloadRef snapshot;         // theta as a payload
  Digest final_sha256;         // of the last coordinates of the epoch before; none for the first
};

struct RoundRow {
  uint32_t round = 0;
  uint64_t base_version = 0;
  RoundState state = RoundState::kInviting;
  std::string fixed_point;
  absl::Duration time_left;  // as of the last write: deadlines survive as time remaining
  absl::Time started_at;
  absl::Duration duration;
  std::optional<uint64_t> version;  // published
  RoundCounters counters;
  double train_loss = 0;
  std::string traffic;  // serialized by the caller
  std::string uploads;  // likewise; of a published round
  std::string reason;
};

struct UpdateRow {
  AssignmentRecord assignment;
  PayloadRef payload;  // of the received update
  std::string spool_file;
  uint64_t examples = 0;
  double train_loss = 0;
  absl::Duration train_time;
  CodingReport coding;
};

struct EvaluationRow {
  uint64_t version = 0;
  std::string client;
  uint64_t examples = 0;
  double loss = 0;
  double accuracy = 0;
};

// Thread-safe. Writers that come at the same time share one transaction and one sync, each with a result of its own.
// Errors: INTERNAL with SQLite's message, RESOURCE_EXHAUSTED on a full disk, FAILED_PRECONDITION if the file has a
// newer schema than this program, DATA_LOSS if it is not a journal or damaged.
class Journal {
 public:
  static constexpr int kSchemaVersion = 4;
  // Creates or opens, migrates older schemas forward one step at a time. Holds `path`.lock for as long as it lives:
  // FAILED_PRECONDITION, naming the lock file and the other process, if another server works on the same state.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path);
  ~Journal();

  absl::StatusOr<std::optional<RunRow>> LoadRun();
  absl::Status SaveRun(const RunRow& run);

  // Once a round is published or failed, rows that say it is open are ignored: they were on their way when it closed.
  absl::Status PutRound(const RoundRow& round);
  absl::StatusOr<std::vector<RoundRow>> Rounds(uint32_t first, uint32_t max_rows);
  absl::StatusOr<std::optional<RoundRow>> LastRound();

  // One transaction for several new assignments. Writing one again with the same id changes nothing.
  absl::Status PutAssignments(const std::vector<AssignmentRecord>& assignments);
  // The acknowledgement's commit: state becomes kReceived, unique on the assignment. Returns the row as it stands,
  // which is an earlier one if the update had been received before, or one in a final state if it came too late.
  // NOT_FOUND if there is no such assignment.
  absl::StatusOr<UpdateRow> ReceiveUpdate(const UpdateRow& update);
  // NOT_FOUND if there is no such assignment.
  absl::Status SetAssignmentState(const std::string& assignment, AssignmentState state, const std::string& reason);
  // As above, but only if its update has not been received: changes the row if it is still kTraining. Returns the row
  // as it stands.
  absl::StatusOr<UpdateRow> SettleUnreceived(const std::string& assignment, AssignmentState state,
                                             const std::string& reason);
  absl::StatusOr<std::optional<UpdateRow>> FindAssignment(const std::string& assignment);
  absl::StatusOr<std::vector<UpdateRow>> AssignmentsOf(uint32_t round);
  // Evaluations and initialisation that have not ended.
  absl::StatusOr<std::vector<UpdateRow>> OpenAssignmentsOutsideRounds();

  // The publishing transaction: the version row appears, the round is closed, every update in `folded` becomes kFolded,
  // and the versions in `forgotten` go, all or nothing; with `basis` the version begins an epoch. FAILED_PRECONDITION
  // if an update is not in state kReceived.
  absl::Status Publish(const VersionRow& version, const std::optional<RoundRow>& round,
                       const std::vector<std::string>& folded, const std::vector<uint64_t>& forgotten = {},
                       const std::optional<BasisRow>& basis = std::nullopt);
  // By epoch.
  absl::StatusOr<std::vector<BasisRow>> Bases();
  absl::StatusOr<std::optional<VersionRow>> LatestVersion();
  absl::StatusOr<std::optional<VersionRow>> FindVersion(uint64_t version);
  absl::StatusOr<std::vector<VersionRow>> Versions();
  absl::Status ForgetVersions(const std::vector<uint64_t>& versions);
  // A version whose files turned out damaged: it is forgotten, and the round that made it failed for this reason, as
  // did an open one that started from it. Epochs that it or a later version began go too.
  absl::Status RevokeVersion(uint64_t version, const std::string& reason);

  // One row per version and client; a second report of the same client changes nothing.
  absl::Status PutEvaluation(const EvaluationRow& evaluation);
  // Means over the clients that reported, weighted by their examples; `client` is named if it was the only one.
  absl::StatusOr<std::optional<EvaluationRow>> FindEvaluation(uint64_t version);

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_JOURNAL_H_
