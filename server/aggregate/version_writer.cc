#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors.h"
#include "server/aggregate/fetch_sgd.h"
#include "server/aggregate/folder.h"

namespace thinwire {
namespace {

// The optimiser state's own file: "state1.I" (and "state2.I") for the I-th tensor of the model, if it is trainable.
class StateFiles {
 public:
  // Values of the state of `tensor`; `which` is 0 or 1.
  uint32_t IndexOf(uint32_t tensor, int which) const { return first_[tensor] + static_cast<uint32_t>(which); }

  absl::Status Open(const ModelSpec& spec, const PublishRequest& request) {
    const int values = request.strategy.state_values();
    if (values == 0) return absl::OkStatus();
    TW_ASSIGN_OR_RETURN(const ModelSpec state_spec, MakeSpec(spec, values));
    if (!request.old_state.empty()) {
      TW_ASSIGN_OR_RETURN(old_, SafetensorsReader::Open(request.old_state));
      if (old_->spec() != state_spec) {
        return absl::InvalidArgumentError(
            absl::StrCat(request.old_state, " holds another strategy's state; start a new run to change the strategy"));
      }
    }
    TW_ASSIGN_OR_RETURN(new_, SafetensorsWriter::Create(request.new_state, state_spec));
    return absl::OkStatus();
  }

  absl::Status Read(uint32_t tensor, int which, uint64_t first, absl::Span<float> out) {
    if (old_.has_value()) return old_->ReadFloats(IndexOf(tensor, which), first, out);
    std::fill(out.begin(), out.end(), 0.0f);
    return absl::OkStatus();
  }
  absl::Status Write(uint32_t tensor, int which, uint64_t first, absl::Span<const float> values) {
    return new_->WriteFloats(IndexOf(tensor, which), first, values);
  }
  absl::StatusOr<Digest> Finish() {
    if (!new_.has_value()) return Digest{};
    TW_RETURN_IF_ERROR(new_->Finish());
    return new_->Sha256OfFile();
  }

 private:
  absl::StatusOr<ModelSpec> MakeSpec(const ModelSpec& spec, int values) {
    std::vector<TensorSpec> tensors;
    for (size_t i = 0; i < spec.tensors().size(); ++i) {
      first_.push_back(static_cast<uint32_t>(tensors.size()));
      if (spec.tensors()[i].role != TensorRole::kTrainable) continue;
      for (int which = 0; which < values; ++which) {
        tensors.push_back({absl::StrCat("state", which + 1, ".", i), spec.tensors()[i].shape, DataType::kFloat32,
                           TensorRole::kBuffer});
      }
    }
    // A model with nothing to train still has a file, so that every version of a strategy looks alike.
    if (tensors.empty()) tensors.push_back({"nothing", {0}, DataType::kFloat32, TensorRole::kBuffer});
    return ModelSpec::Create(std::move(tensors));
  }

  std::vector<uint32_t> first_;  // by tensor of the model: index of its first state tensor
  std::optional<SafetensorsReader> old_;
  std::optional<SafetensorsWriter> new_;
};

// The new version, made as it is read: each block once, in the order of the file. State is written on the way.
class NextVersion : public BlockSource {
 public:
  NextVersion(const ModelSpec& spec, const RoundAggregate& aggregate, const StrategyOptions& strategy)
      : spec_(spec), aggregate_(aggregate), strategy_(strategy), mean_(kBlockValues) {
    for (int which = 0; which < strategy_.state_values(); ++which) state_[which].resize(kBlockValues);
  }

  absl::Status Open(const PublishRequest& request) {
    TW_ASSIGN_OR_RETURN(old_, SafetensorsReader::Open(request.old_weights));
    if (old_->spec() != spec_) {
      return absl::InvalidArgumentError(absl::StrCat(request.old_weights, " holds another model"));
    }
    return state_files_.Open(spec_, request);
  }

  absl::Status ReadFloats(uint32_t index, uint64_t first, absl::Span<float> weights) override {
    TW_RETURN_IF_ERROR(old_->ReadFloats(index, first, weights));
    const TensorRole role = spec_.tensors()[index].role;
    if (role == TensorRole::kFrozen) return absl::OkStatus();
    const absl::Span<float> mean = absl::MakeSpan(mean_.data(), weights.size());
    TW_RETURN_IF_ERROR(aggregate_.ReadFloats(index, first, mean));
    if (role == TensorRole::kTrainable) TW_RETURN_IF_ERROR(Advance(index, first, mean, weights));
    if (role == TensorRole::kBuffer) ApplyMean(mean, weights);
    return CheckFinite(index, first, weights);
  }

  absl::Status ReadInts(uint32_t index, uint64_t first, absl::Span<int64_t> out) override {
    const bool frozen = spec_.tensors()[index].role == TensorRole::kFrozen;
    return frozen ? old_->ReadInts(index, first, out) : aggregate_.ReadInts(index, first, out);
  }

  absl::StatusOr<Digest> FinishState() { return state_files_.Finish(); }

 private:
  absl::Status Advance(uint32_t index, uint64_t first, absl::Span<const float> mean, absl::Span<float> weights) {
    absl::Span<float> state[2];
    for (int which = 0; which < strategy_.state_values(); ++which) {
      state[which] = absl::MakeSpan(state_[which].data(), weights.size());
      TW_RETURN_IF_ERROR(state_files_.Read(index, which, first, state[which]));
    }
    ApplyStrategy(strategy_, mean, weights, state[0], state[1]);
    for (int which = 0; which < strategy_.state_values(); ++which) {
      TW_RETURN_IF_ERROR(CheckFinite(index, first, state[which]));
      TW_RETURN_IF_ERROR(state_files_.Write(index, which, first, state[which]));
    }
    return absl::OkStatus();
  }

  absl::Status CheckFinite(uint32_t index, uint64_t first, absl::Span<const float> values) const {
    const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (bad == values.end()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "the new version would have ", *bad, " at value ", first + static_cast<uint64_t>(bad - values.begin()),
        " of tensor '", spec_.tensors()[index].name, "'; lower the learning rate or aggregation.max_update_norm"));
  }

  const ModelSpec& spec_;
  const RoundAggregate& aggregate_;
  const StrategyOptions strategy_;
  StateFiles state_files_;
  std::optional<SafetensorsReader> old_;
  std::vector<float> mean_;
  std::vector<float> state_[2];
};

}  // namespace

absl::StatusOr<WrittenVersion> WriteNewVersion(const ModelSpec& spec, const RoundAggregate& aggregate,
                                               const PublishRequest& request) {
  if (aggregate.updates() == 0) return absl::FailedPreconditionError("no update has been folded, nothing to publish");
  TW_RETURN_IF_ERROR(request.strategy.Validate());
  if (request.strategy.sketch.has_value()) return WriteSketchVersion(spec, aggregate, request);
  NextVersion next(spec, aggregate, request.strategy);
  TW_RETURN_IF_ERROR(next.Open(request));
  WrittenVersion written;
  TW_ASSIGN_OR_RETURN(written.weights_sha256, CreateSafetensors(request.new_weights, spec, next));
  TW_ASSIGN_OR_RETURN(written.state_sha256, next.FinishState());
  return written;
}

}  // namespace thinwire
