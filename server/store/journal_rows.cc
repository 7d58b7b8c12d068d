#include "server/store/journal_rows.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Reads columns one after another; remembers the first that makes no sense.
class ColumnReader {
 public:
  explicit ColumnReader(const Query& query) : query_(query) {}

  std::string Text() { return query_.Text(next_++); }
  uint64_t U64() { return static_cast<uint64_t>(query_.Int(next_++)); }
  double Real() { return query_.Real(next_++); }
  uint32_t U32() {
    const int64_t value = query_.Int(next_++);
    Expect(value >= 0 && value <= UINT32_MAX);
    return static_cast<uint32_t>(value);
  }
  template <typename Enum>
  Enum Number(Enum last) {
    const int64_t value = query_.Int(next_++);
    Expect(value >= 0 && value <= static_cast<int64_t>(last));
    return static_cast<Enum>(value);
  }
  absl::Duration Duration() {
    const int64_t value = query_.Int(next_++);
    return value == std::numeric_limits<int64_t>::max() ? absl::InfiniteDuration() : absl::Nanoseconds(value);
  }
  absl::Time Time() { return absl::FromUnixNanos(query_.Int(next_++)); }
  std::optional<double> OptionalReal() {
    if (!query_.IsNull(next_)) return Real();
    ++next_;
    return std::nullopt;
  }
  std::optional<uint64_t> OptionalU64() {
    if (!query_.IsNull(next_)) return U64();
    ++next_;
    return std::nullopt;
  }
  // NULL and 32 zero bytes: none.
  Digest Hash() {
    if (query_.IsNull(next_)) {
      ++next_;
      return Digest{};
    }
    const absl::StatusOr<Digest> digest = Digest::FromBytes(Text());
    Expect(digest.ok());
    return digest.ok() ? *digest : Digest{};
  }
  PayloadRef Payload() {
    PayloadRef ref;
    ref.id = Hash();
    ref.total_size = U64();
    ref.manifest_size = U32();
    return ref;
  }

  template <typename Row>
  absl::StatusOr<Row> Finish(const char* table, const Row& row) const {
    if (bad_column_ < 0) return row;
    return absl::DataLossError(absl::StrCat("the journal's table ", table, " is damaged: column ", bad_column_,
                                            " of a row makes no sense; restore it from a backup"));
  }

 private:
  void Expect(bool sense) {
    if (!sense && bad_column_ < 0) bad_column_ = next_ - 1;
  }

  const Query& query_;
  int next_ = 0;
  int bad_column_ = -1;
};

void BindOptional(const std::optional<double>& value, Query& query) {
  value.has_value() ? query.Bind(*value) : query.BindNull();
}

int64_t TimeColumn(absl::Time time) { return absl::ToUnixNanos(time); }

void BindPayload(const PayloadRef& ref, Query& query) {
  query.BindBlob(ref.id.AsBytes()).Bind(ref.total_size).Bind(ref.manifest_size);
}

}  // namespace

int64_t DurationColumn(absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); }

void BindRun(const RunRow& run, Query& query) {
  query.Bind(run.name).Bind(run.seed).Bind(static_cast<int>(run.state)).Bind(run.reason);
  query.BindBlob(run.model_spec).BindBlob(run.plan).Bind(TimeColumn(run.started_at)).Bind(run.exported_path);
}

absl::StatusOr<RunRow> ReadRun(const Query& query) {
  ColumnReader columns(query);
  RunRow run;
  run.name = columns.Text();
  run.seed = columns.U64();
  run.state = columns.Number(RunState::kFailed);
  run.reason = columns.Text();
  run.model_spec = columns.Text();
  run.plan = columns.Text();
  run.started_at = columns.Time();
  run.exported_path = columns.Text();
  return columns.Finish("run", run);
}

void BindRound(const RoundRow& round, Query& query) {
  const RoundCounters& counters = round.counters;
  query.Bind(round.round).Bind(round.base_version).Bind(static_cast<int>(round.state)).BindBlob(round.fixed_point);
  query.Bind(DurationColumn(round.time_left)).Bind(TimeColumn(round.started_at)).Bind(DurationColumn(round.duration));
  round.version.has_value() ? query.Bind(*round.version) : query.BindNull();
  query.Bind(counters.invited).Bind(counters.training).Bind(counters.folding).Bind(counters.folded);
  query.Bind(counters.failed).Bind(counters.dropped).Bind(counters.discarded);
  query.Bind(round.train_loss).BindBlob(round.traffic).BindBlob(round.uploads).Bind(round.reason);
}

absl::StatusOr<RoundRow> ReadRound(const Query& query) {
  ColumnReader columns(query);
  RoundRow round;
  round.round = columns.U32();
  round.base_version = columns.U64();
  round.state = columns.Number(RoundState::kFailed);
  round.fixed_point = columns.Text();
  round.time_left = columns.Duration();
  round.started_at = columns.Time();
  round.duration = columns.Duration();
  round.version = columns.OptionalU64();
  RoundCounters& counters = round.counters;
  for (uint32_t* counter : {&counters.invited, &counters.training, &counters.folding, &counters.folded,
                            &counters.failed, &counters.dropped, &counters.discarded}) {
    *counter = columns.U32();
  }
  round.train_loss = columns.Real();
  round.traffic = columns.Text();
  round.uploads = columns.Text();
  round.reason = columns.Text();
  return columns.Finish("rounds", round);
}

void BindAssignment(const AssignmentRecord& assignment, Query& query) {
  query.Bind(assignment.id).Bind(assignment.client).Bind(static_cast<int>(assignment.kind)).Bind(assignment.round);
  query.Bind(assignment.version).Bind(static_cast<int>(assignment.state)).Bind(assignment.reason);
  query.Bind(assignment.upload_bits);
}

void BindReceived(const UpdateRow& update, Query& query) {
  BindPayload(update.payload, query);
  query.Bind(update.spool_file).Bind(update.examples).Bind(update.train_loss).Bind(DurationColumn(update.train_time));
  query.Bind(DurationColumn(update.coding.time));
  BindOptional(update.coding.distortion, query);
  BindOptional(update.coding.weighted_distortion, query);
  BindOptional(update.coding.unsent_norm, query);
}

absl::StatusOr<UpdateRow> ReadAssignment(const Query& query) {
  ColumnReader columns(query);
  UpdateRow row;
  row.assignment.id = columns.Text();
  row.assignment.client = columns.Text();
  row.assignment.kind = columns.Number(WorkKind::kEvaluate);
  row.assignment.round = columns.U32();
  row.assignment.version = columns.U64();
  row.assignment.state = columns.Number(AssignmentState::kDiscarded);
  row.assignment.reason = columns.Text();
  row.assignment.upload_bits = columns.U64();
  row.payload = columns.Payload();
  row.spool_file = columns.Text();
  row.examples = columns.U64();
  const bool received = !row.payload.id.empty();
  const double train_loss = columns.Real();
  row.train_loss = received ? train_loss : 0;
  row.train_time = columns.Duration();
  row.coding.time = columns.Duration();
  row.coding.distortion = columns.OptionalReal();
  row.coding.weighted_distortion = columns.OptionalReal();
  row.coding.unsent_norm = columns.OptionalReal();
  return columns.Finish("assignments", row);
}

void BindVersion(const VersionRow& version, Query& query) {
  query.Bind(version.version).Bind(version.round).Bind(version.weights_file).Bind(version.state_file);
  query.Bind(version.downlink_file);
  BindPayload(version.downlink, query);
  query.BindBlob(version.weights_sha256.AsBytes()).BindBlob(version.state_sha256.AsBytes());
  query.Bind(version.fp32_downlink_size);
}

absl::StatusOr<VersionRow> ReadVersion(const Query& query) {
  ColumnReader columns(query);
  VersionRow version;
  version.version = columns.U64();
  version.round = columns.U32();
  version.weights_file = columns.Text();
  version.state_file = columns.Text();
  version.downlink_file = columns.Text();
  version.downlink = columns.Payload();
  version.weights_sha256 = columns.Hash();
  version.state_sha256 = columns.Hash();
  version.fp32_downlink_size = columns.U64();
  return columns.Finish("versions", version);
}

void BindBasis(const BasisRow& basis, Query& query) {
  query.Bind(basis.epoch).Bind(basis.first_version).BindBlob(basis.sha256.AsBytes());
  BindPayload(basis.snapshot, query);
  query.BindBlob(basis.final_sha256.AsBytes());
}

absl::StatusOr<BasisRow> ReadBasis(const Query& query) {
  ColumnReader columns(query);
  BasisRow basis;
  basis.epoch = columns.U64();
  basis.first_version = columns.U64();
  basis.sha256 = columns.Hash();
  basis.snapshot = columns.Payload();
  basis.final_sha256 = columns.Hash();
  return columns.Finish("bases", basis);
}

}  // namespace thinwire
