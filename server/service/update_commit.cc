#include "server/service/update_commit.h"

#include <spdlog/spdlog.h>

#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "common/wire/report_convert.h"

namespace thinwire {
namespace {

absl::StatusOr<UpdateRow> RowOf(const v1::UploadHeader& header, WorkKind kind, const std::string& file) {
  UpdateRow update;
  update.assignment.id = header.assignment_id();
  update.assignment.client = header.client_id();
  update.assignment.kind = kind;
  TW_ASSIGN_OR_RETURN(update.payload, FromProto(header.payload()));
  update.spool_file = file;
  update.examples = header.examples();
  update.train_loss = header.train_loss();
  TW_ASSIGN_OR_RETURN(update.coding, FromProto(header.coding()));
  update.train_time = FromProto(header.train_time()).value_or(absl::ZeroDuration());
  return update;
}

}  // namespace

absl::StatusOr<UpdateRow> CommitUpdate(const RunParts& parts, const v1::UploadHeader& header, WorkKind kind,
                                       const std::string& file) {
  TW_ASSIGN_OR_RETURN(const UpdateRow update, RowOf(header, kind, file));
  absl::StatusOr<UpdateRow> row = parts.journal->ReceiveUpdate(update);
  if (!row.ok() && !absl::IsNotFound(row.status())) return row;
  if (row.ok() && row->assignment.state == AssignmentState::kReceived) {
    const std::shared_ptr<const ModelSpec> model = parts.models->model();
    const uint64_t parameters = model == nullptr ? 0 : model->count(TensorRole::kTrainable);
    parts.clients->UpdateLink(header.client_id(), [&](ClientLink* link) {
      link->payload_bits = row->payload.bits();
      link->bits_per_parameter = row->payload.bits_per(parameters);
      link->coding = row->coding;
    });
    return row;
  }
  const absl::Status discarded = parts.spool->Discard(header.assignment_id());
  if (!discarded.ok()) {
    spdlog::warn("spool file stays assignment={} error=\"{}\"", header.assignment_id(), discarded.ToString());
  }
  return row;
}

}  // namespace thinwire
