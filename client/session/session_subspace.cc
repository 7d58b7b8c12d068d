// The part of ClientSession that does an assignment in a subspace (docs/igc.md).
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/session/client_session.h"
#include "client/session/coded_update.h"
#include "common/base/status_macros.h"

namespace thinwire {

absl::Status ClientSession::CheckSubspace() const {
  if (options_.role == ClientRole::kTrainer && parts_.trainer->subspace() == nullptr) {
    return absl::FailedPreconditionError(
        "the run trains in a subspace, for which this client would have to hold its weights in full; start it with "
        "--weights full");
  }
  const ModelSpec& model = spec_.has_value() ? *spec_ : parts_.trainer->model();
  return model.tensors().empty() ? absl::OkStatus() : CheckSubspaceFits(*run_.plan.subspace, model);
}

bool ClientSession::FetchCoordinates(const Assignment& assignment) {
  return FetchWith(assignment, [&](const PayloadDownloader::ProgressFn& progress) {
    return subspace_.Fetch(assignment, *spec_, run_, progress);
  });
}

absl::StatusOr<TrainResult> ClientSession::TrainCoordinates(TrainRequest request, const Assignment& assignment) {
  SubspaceSteps steps;
  steps.matrices = &subspace_.matrices();
  steps.coordinates = &subspace_.coordinates();
  steps.own = assignment.subspace->vector;
  request.subspace = &steps;
  TW_ASSIGN_OR_RETURN(const TrainResult result, parts_.trainer->subspace()->Train(request, subspace_.start()));
  if (steps.trained.size() != run_.plan.subspace->dimension) {
    return absl::InternalError(
        absl::StrCat("the trainer left ", steps.trained.size(), " coordinates of ", run_.plan.subspace->dimension));
  }
  trained_coordinates_ = std::move(steps.trained);
  return result;
}

absl::StatusOr<PayloadRef> ClientSession::EncodeCoordinates(const Assignment& assignment, const std::string& path,
                                                            CodingReport* report) {
  const std::vector<float>& start = subspace_.coordinates()[assignment.subspace->vector];
  CoordinatesDelta delta(start, trained_coordinates_, BufferTensors(*spec_), parts_.trainer->subspace()->trained());
  const ModelSpec spec = CoordinatesUpdateSpec(*spec_, *run_.plan.subspace);
  if (run_.plan.update.has_value()) {
    TW_ASSIGN_OR_RETURN(const std::optional<BasisFile> error, OpenError(assignment, start.size()));
    UpdateVector update(spec, &delta, error, run_.plan.error_decay);
    CoordinatesDelta base(start, start, BufferTensors(*spec_), subspace_.start());
    const CodedUpdateRequest request{
        BudgetOf(assignment, spec), assignment.round, assignment.subspace->base_id, assignment.seed, &base, &delta};
    return EncodeCoded(assignment, spec, request, &update, path, report);
  }
  const EncodeOptions options{Representation::kDelta, run_.plan.uplink, assignment.subspace->base_id};
  return EncodePayload(spec, options, delta, path);
}

absl::StatusOr<EvaluateResult> ClientSession::EvaluateExpanded() {
  ModelState state(*spec_);
  TW_RETURN_IF_ERROR(subspace_.Expand(&state));
  if (StreamingTrainer* const streaming = parts_.trainer->streaming(); streaming != nullptr) {
    ModelStateSource source(state);
    return streaming->Evaluate(source, HeldWeights());
  }
  return parts_.trainer->Evaluate(state);
}

}  // namespace thinwire
