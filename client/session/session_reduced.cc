// The part of ClientSession that makes updates of which only a part travels (docs/igc.md), or that are coded whole.
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/session/basis_keeper.h"
#include "client/session/client_session.h"
#include "client/session/coded_update.h"
#include "client/session/reduced_update.h"
#include "client/session/update_encoder.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

double NormOf(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) squares += double{value} * value;
  return std::sqrt(squares);
}

}  // namespace

Digest ClientSession::ErrorKey(const Assignment& assignment) const {
  std::string key = absl::StrCat(run_.run_name, "\n", run_.run_seed, "\n", run_.plan.Name(), "\n", spec_->id().Hex());
  if (assignment.subspace.has_value()) absl::StrAppend(&key, "\n", BasisFileName(assignment.subspace->basis));
  return Sha256(key);
}

absl::StatusOr<PayloadRef> ClientSession::EncodeReduced(const Assignment& assignment, BlockSource& trained,
                                                        const std::string& path, CodingReport* report) {
  TW_ASSIGN_OR_RETURN(const std::optional<BasisFile> error,
                      OpenError(assignment, spec_->count(TensorRole::kTrainable)));
  DeltaSource delta(*spec_, &trained, model_.base());
  UpdateVector update(*spec_, &delta, error, run_.plan.error_decay);
  if (run_.plan.update.has_value()) {
    PayloadSource buffers(model_.base(), SegmentCheck::kFrameOnly);
    const CodedUpdateRequest request{
        BudgetOf(assignment, *spec_), assignment.round, model_.base().ref().id, assignment.seed, &buffers, &trained};
    return EncodeCoded(assignment, *spec_, request, &update, path, report);
  }
  TW_ASSIGN_OR_RETURN(const PayloadRef payload, EncodeReducedUpdate(run_.plan, run_.run_seed, *spec_, &update, trained,
                                                                    model_.base().ref().id, path));
  if (run_.plan.error_decay <= 0) return payload;
  TW_ASSIGN_OR_RETURN(UnsentError unsent, UnsentError::Create(run_.plan, *spec_, payload, path));
  TW_RETURN_IF_ERROR(error_.Propose(ErrorKey(assignment), assignment.id, payload.id, [&](ErrorMemory::Sink sink) {
    return update.ForEachBlock([&](uint64_t first, absl::Span<float> values) {
      unsent.Subtract(first, values);
      return sink(values);
    });
  }));
  return payload;
}

uint64_t ClientSession::BudgetOf(const Assignment& assignment, const ModelSpec& coded) const {
  return assignment.upload_bits > 0 ? assignment.upload_bits
                                    : run_.plan.update->BudgetBits(coded.count(TensorRole::kTrainable));
}

absl::StatusOr<PayloadRef> ClientSession::EncodeCoded(const Assignment& assignment, const ModelSpec& model,
                                                      const CodedUpdateRequest& request, UpdateVector* update,
                                                      const std::string& path, CodingReport* report) {
  TW_ASSIGN_OR_RETURN(const CodedUpdate coded, EncodeCodedUpdate(run_.plan, model, update, request, path));
  *report = coded.report;
  if (run_.plan.error_decay <= 0) return coded.payload;
  report->unsent_norm = NormOf(coded.unsent);
  const auto give = [&coded](ErrorMemory::Sink sink) {
    for (size_t first = 0; first < coded.unsent.size(); first += kBlockValues) {
      TW_RETURN_IF_ERROR(sink(absl::MakeConstSpan(coded.unsent).subspan(first, kBlockValues)));
    }
    return absl::OkStatus();
  };
  TW_RETURN_IF_ERROR(error_.Propose(ErrorKey(assignment), assignment.id, coded.payload.id, give));
  return coded.payload;
}

absl::StatusOr<std::optional<BasisFile>> ClientSession::OpenError(const Assignment& assignment, uint64_t count) {
  if (run_.plan.error_decay <= 0) return std::optional<BasisFile>();
  absl::StatusOr<std::optional<BasisFile>> error = error_.Open(ErrorKey(assignment), count);
  if (!absl::IsDataLoss(error.status())) return error;
  parts_.observer->OnTrouble(error.status(), "going on without it");
  return std::optional<BasisFile>();
}

StepOutcome ClientSession::SettleError(const Assignment& assignment) {
  const Digest key = ErrorKey(assignment);
  const std::optional<ErrorMemory::Proposal> proposal = error_.proposal(key);
  if (!proposal.has_value()) return StepOutcome::kDone;
  bool counts = false;
  const StepOutcome outcome = steps_.Run(SessionStep::kUpload, [&] {
    const absl::StatusOr<UpdateStatus> status = parts_.api->UploadStatus(proposal->assignment, proposal->payload);
    if (absl::IsNotFound(status.status())) return absl::OkStatus();  // the server knows nothing of it
    if (status.ok()) counts = status->state == UpdateState::kReceived || status->state == UpdateState::kFolded;
    return status.status();
  });
  if (outcome != StepOutcome::kDone) return outcome;
  const absl::Status settled = error_.Settle(key, counts);
  if (!settled.ok()) parts_.observer->OnTrouble(settled, "going on");
  return StepOutcome::kDone;
}

}  // namespace thinwire
