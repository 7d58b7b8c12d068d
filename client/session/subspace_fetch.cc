#include "client/session/subspace_fetch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/subspace/coordinates.h"
#include "common/subspace/trainable_vector.h"

namespace thinwire {

SubspaceFetcher::Start::Start(const ModelSpec& model, const ModelSpec& version, BasisFile basis,
                              const PayloadReader& reader)
    : basis_(std::move(basis)),
      version_source_(reader, SegmentCheck::kFrameOnly),
      positions_(model.tensors().size()),
      buffers_(model.tensors().size()) {
  uint64_t position = 0;
  uint32_t buffer = CoordinateTensors(version);
  for (size_t i = 0; i < positions_.size(); ++i) {
    const TensorSpec& tensor = model.tensors()[i];
    if (tensor.role == TensorRole::kTrainable) {
      positions_[i] = position;
      position += tensor.count();
    } else {
      buffers_[i] = buffer++;
    }
  }
}

absl::Status SubspaceFetcher::Start::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  if (positions_[tensor].has_value()) return basis_.Read(*positions_[tensor] + first, out);
  return version_source_.ReadFloats(buffers_[tensor], first, out);
}

absl::Status SubspaceFetcher::Start::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return version_source_.ReadInts(buffers_[tensor], first, out);
}

absl::Status SubspaceFetcher::Fetch(const Assignment& assignment, const ModelSpec& model, const JoinReply& run,
                                    const PayloadDownloader::ProgressFn& progress) {
  start_.reset();
  version_.reset();
  if (!assignment.subspace.has_value() || !run.plan.subspace.has_value()) {
    return absl::InvalidArgumentError("the run's plan is of a subspace, but the assignment does not say which");
  }
  const SubspaceWork& work = *assignment.subspace;
  const SubspacePlan& plan = *run.plan.subspace;
  if (work.vector >= plan.vectors) {
    return absl::InvalidArgumentError(
        absl::StrCat("vector ", work.vector, " was assigned, the plan has ", plan.vectors));
  }
  TW_RETURN_IF_ERROR(CheckSubspaceFits(plan, model));
  const uint64_t missed = work.basis.epoch - work.first_epoch;
  if (const uint64_t most = MostMissedEpochs(model, plan); missed > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "coordinates of ", missed, " epochs would be more than the model; at most ", most, " can be less"));
  }
  version_spec_ = CatchUpSpec(model, plan, run.plan.downlink, missed);
  std::vector<Digest> wanted = {assignment.model.id};
  if (work.snapshot.has_value()) wanted.push_back(work.snapshot->id);
  TW_RETURN_IF_ERROR(fetcher_->KeepOnly(wanted));
  TW_ASSIGN_OR_RETURN(version_, fetcher_->FetchPayload(assignment.model, version_spec_, run.plan.downlink, progress));
  TW_RETURN_IF_ERROR(Bring(work, model, run, progress));
  PayloadSource source(*version_, SegmentCheck::kFrameOnly);
  TW_ASSIGN_OR_RETURN(coordinates_, ReadCoordinates(source, version_spec_, plan, missed));
  TW_ASSIGN_OR_RETURN(matrices_,
                      MatricesOfEpoch(plan, model.count(TensorRole::kTrainable), run.run_seed, work.basis.epoch));
  return absl::OkStatus();
}

absl::Status SubspaceFetcher::Bring(const SubspaceWork& work, const ModelSpec& model, const JoinReply& run,
                                    const PayloadDownloader::ProgressFn& progress) {
  if (work.snapshot.has_value()) {
    TW_RETURN_IF_ERROR(TakeSnapshot(work, model, progress));
  } else {
    TW_RETURN_IF_ERROR(FoldEpochs(work, model, run));
  }
  const std::optional<HeldBasis> now = keeper_.held();
  if (!now.has_value() || !(*now == work.basis)) {
    const std::string why = absl::StrCat("the basis of epoch ", work.basis.epoch, " came to another SHA-256 than ",
                                         work.basis.sha256.Hex(), ", which the server names");
    if (!work.snapshot.has_value()) return AskAgain(why);
    TW_RETURN_IF_ERROR(keeper_.Drop());
    return absl::InvalidArgumentError(absl::StrCat(why, ", though it is the server's own"));
  }
  absl::StatusOr<BasisFile> basis = keeper_.Open(*now, model.count(TensorRole::kTrainable));
  if (!basis.ok()) return AskAgain(std::string(basis.status().message()));
  start_.emplace(model, version_spec_, *std::move(basis), *version_);
  return absl::OkStatus();
}

absl::Status SubspaceFetcher::TakeSnapshot(const SubspaceWork& work, const ModelSpec& model,
                                           const PayloadDownloader::ProgressFn& progress) {
  const ModelSpec spec = BasisSpec(model);
  TW_ASSIGN_OR_RETURN(const PayloadReader reader,
                      fetcher_->FetchPayload(*work.snapshot, spec, CodecSpec::Fp32(), progress));
  PayloadSource source(reader, SegmentCheck::kFrameOnly);
  TW_RETURN_IF_ERROR(
      keeper_.Take(work.basis.epoch, model.count(TensorRole::kTrainable),
                   [&](uint64_t first, absl::Span<float> out) { return source.ReadFloats(0, first, out); }));
  return fetcher_->Discard(*work.snapshot);  // as large as the basis, and of no further use
}

absl::Status SubspaceFetcher::FoldEpochs(const SubspaceWork& work, const ModelSpec& model, const JoinReply& run) {
  const SubspacePlan& plan = *run.plan.subspace;
  const std::optional<HeldBasis> held = keeper_.held();
  if (!held.has_value() || held->epoch < work.first_epoch || held->epoch > work.basis.epoch) {
    return AskAgain(absl::StrCat("the basis that the server took this client to have is not here"));
  }
  PayloadSource source(*version_, SegmentCheck::kFrameOnly);
  for (uint64_t epoch = held->epoch; epoch < work.basis.epoch; ++epoch) {
    TW_ASSIGN_OR_RETURN(const std::vector<std::vector<float>> last,
                        ReadCoordinates(source, version_spec_, plan, epoch - work.first_epoch));
    TW_ASSIGN_OR_RETURN(const std::vector<Fastfood> matrices,
                        MatricesOfEpoch(plan, model.count(TensorRole::kTrainable), run.run_seed, epoch));
    const absl::Status folded = keeper_.Advance(matrices, last);
    if (absl::IsDataLoss(folded) || absl::IsInvalidArgument(folded)) return AskAgain(std::string(folded.message()));
    TW_RETURN_IF_ERROR(folded);
  }
  return absl::OkStatus();
}

absl::Status SubspaceFetcher::AskAgain(const std::string& why) {
  TW_RETURN_IF_ERROR(keeper_.Drop());
  return absl::NotFoundError(absl::StrCat(why, "; it is dropped, asking for the whole"));
}

BlockSource& SubspaceFetcher::start() { return *start_; }

absl::Status SubspaceFetcher::Expand(ModelState* state) {
  TW_RETURN_IF_ERROR(ReadModel(*start_, state));
  const TrainableVector order(state->spec);
  TW_ASSIGN_OR_RETURN(FastfoodWorkspace workspace, FastfoodWorkspace::Create(matrices_[0]));
  for (size_t k = 0; k < matrices_.size(); ++k) {
    TW_RETURN_IF_ERROR(
        matrices_[k].Apply(coordinates_[k], &workspace, [&](uint64_t first, absl::Span<const float> values) {
          return order.ForEachPiece(first, values.size(), [&](const TrainableVector::Piece& piece) {
            float* const out = state->floats[piece.tensor].data() + piece.first;
            for (uint64_t i = 0; i < piece.count; ++i) out[i] += values[piece.offset + i];
            return absl::OkStatus();
          });
        }));
  }
  return absl::OkStatus();
}

absl::Status CoordinatesDelta::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  if (tensor > 0) return model_.ReadFloats(buffers_[tensor - 1], first, out);
  for (size_t i = 0; i < out.size(); ++i) out[i] = trained_[first + i] - start_[first + i];
  return absl::OkStatus();
}

absl::Status CoordinatesDelta::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return model_.ReadInts(buffers_[tensor - 1], first, out);
}

}  // namespace thinwire
