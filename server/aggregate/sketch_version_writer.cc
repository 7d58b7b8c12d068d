// A new version from sketches: k weights move, buffers are averaged, momentum and error are kept beside it.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sketch/count_sketch.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/trainable_vector.h"
#include "common/tensor/safetensors.h"
#include "server/aggregate/fetch_sgd.h"
#include "server/aggregate/strategy.h"
#include "server/aggregate/update_reader.h"

namespace thinwire {
namespace {

constexpr uint32_t kMomentum = 0, kError = 1;  // tensors of the state

absl::StatusOr<ModelSpec> StateSpec(const SketchPlan& plan) {
  const std::vector<int64_t> shape = {static_cast<int64_t>(plan.rows), static_cast<int64_t>(plan.columns)};
  return ModelSpec::Create({{"sketch.momentum", shape, DataType::kFloat32, TensorRole::kBuffer},
                            {"sketch.error", shape, DataType::kFloat32, TensorRole::kBuffer}});
}

absl::Status CheckFinite(absl::Span<const float> values, const std::string& what) {
  const bool finite = std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  if (finite) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " would have a value that is not finite; lower the learning rate or uplink.sketch.momentum"));
}

// The new version, made as it is read: each block once, in the order of the file.
class SketchVersionWriter : public BlockSource {
 public:
  SketchVersionWriter(const ModelSpec& spec, const RoundAggregate& aggregate, const PublishRequest& request)
      : spec_(spec),
        aggregate_(aggregate),
        request_(request),
        plan_(*request.strategy.sketch),
        trained_(spec),
        sum_tensors_(spec.tensors().size()) {
    const std::vector<uint32_t> tensors = TensorsOfReducedUpdate(spec);
    for (uint32_t i = 1; i < tensors.size(); ++i) sum_tensors_[tensors[i]] = i;
  }

  absl::StatusOr<WrittenVersion> Run() {
    WrittenVersion written;
    TW_ASSIGN_OR_RETURN(written.state_sha256, AdvanceState());
    TW_ASSIGN_OR_RETURN(old_, SafetensorsReader::Open(request_.old_weights));
    if (old_->spec() != spec_) {
      return absl::InvalidArgumentError(absl::StrCat(request_.old_weights, " holds another model"));
    }
    TW_RETURN_IF_ERROR(SortStep());
    TW_ASSIGN_OR_RETURN(written.weights_sha256, CreateSafetensors(request_.new_weights, spec_, *this));
    return written;
  }

  absl::Status ReadFloats(uint32_t index, uint64_t first, absl::Span<float> weights) override {
    TW_RETURN_IF_ERROR(old_->ReadFloats(index, first, weights));
    const TensorRole role = spec_.tensors()[index].role;
    if (role == TensorRole::kBuffer) {
      mean_.resize(weights.size());
      TW_RETURN_IF_ERROR(aggregate_.ReadFloats(sum_tensors_[index], first, absl::MakeSpan(mean_)));
      ApplyMean(mean_, weights);
    }
    if (role == TensorRole::kTrainable) AddStep(&shares_[index], first, weights);
    return CheckFinite(weights, absl::StrCat("tensor '", spec_.tensors()[index].name, "'"));
  }

  absl::Status ReadInts(uint32_t index, uint64_t first, absl::Span<int64_t> out) override {
    const bool frozen = spec_.tensors()[index].role == TensorRole::kFrozen;
    return frozen ? old_->ReadInts(index, first, out) : aggregate_.ReadInts(sum_tensors_[index], first, out);
  }

 private:
  // Where a tensor's share of the step lies in step_ and indices_.
  struct Share {
    size_t begin = 0, end = 0;
  };

  absl::StatusOr<Digest> AdvanceState() {
    const uint64_t seed = SketchSeed(request_.strategy.run_seed);
    TW_ASSIGN_OR_RETURN(const ModelSpec state_spec, StateSpec(plan_));
    std::vector<float> mean(state_spec.tensors()[kMomentum].count()), momentum(mean.size()), error(mean.size());
    for (uint64_t block = 0; block < BlockCount(mean.size()); ++block) {
      const absl::Span<float> part = absl::MakeSpan(mean).subspan(block * kBlockValues, kBlockValues);
      TW_RETURN_IF_ERROR(aggregate_.ReadFloats(0, block * kBlockValues, part));
    }
    TW_RETURN_IF_ERROR(ReadState(state_spec, &momentum, &error));
    step_ = FetchSgdStep(plan_, seed, trained_.size(), mean, absl::MakeSpan(momentum), absl::MakeSpan(error));
    TW_RETURN_IF_ERROR(CheckFinite(momentum, "the momentum sketch"));
    TW_RETURN_IF_ERROR(CheckFinite(error, "the error sketch"));
    TW_ASSIGN_OR_RETURN(SafetensorsWriter out, SafetensorsWriter::Create(request_.new_state, state_spec));
    for (const uint32_t tensor : SafetensorsLayout(state_spec)) {
      TW_RETURN_IF_ERROR(out.WriteFloats(tensor, 0, tensor == kMomentum ? momentum : error));
    }
    TW_RETURN_IF_ERROR(out.Finish());
    return out.Sha256OfFile();
  }

  absl::Status ReadState(const ModelSpec& state_spec, std::vector<float>* momentum, std::vector<float>* error) const {
    if (request_.old_state.empty()) return absl::OkStatus();
    TW_ASSIGN_OR_RETURN(SafetensorsReader old, SafetensorsReader::Open(request_.old_state));
    if (old.spec() != state_spec) {
      return absl::InvalidArgumentError(absl::StrCat(
          request_.old_state, " holds the state of another plan; start a new run to change uplink.sketch"));
    }
    TW_RETURN_IF_ERROR(old.ReadFloats(kMomentum, 0, absl::MakeSpan(*momentum)));
    return old.ReadFloats(kError, 0, absl::MakeSpan(*error));
  }

  absl::Status SortStep() {
    shares_.resize(spec_.tensors().size());
    return ForEachRun(trained_, step_.positions, step_.values,
                      [&](uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float>) {
                        shares_[tensor] = {indices_.size(), indices_.size() + indices.size()};
                        indices_.insert(indices_.end(), indices.begin(), indices.end());
                        return absl::OkStatus();
                      });
  }

  // Adds what of the step lies in these weights, which begin at value `first` of the share's tensor. Blocks come in
  // order.
  void AddStep(Share* share, uint64_t first, absl::Span<float> weights) {
    for (; share->begin < share->end && indices_[share->begin] < first + weights.size(); ++share->begin) {
      weights[indices_[share->begin] - first] += step_.values[share->begin];
    }
  }

  const ModelSpec& spec_;
  const RoundAggregate& aggregate_;
  const PublishRequest& request_;
  const SketchPlan plan_;
  const TrainableVector trained_;
  std::vector<uint32_t> sum_tensors_;  // by tensor: a buffer's in the aggregate
  SparseEntries step_;
  std::vector<uint64_t> indices_;  // of the step's entries in their tensors
  std::vector<Share> shares_;      // by tensor
  std::optional<SafetensorsReader> old_;
  std::vector<float> mean_;
};

}  // namespace

absl::StatusOr<WrittenVersion> WriteSketchVersion(const ModelSpec& spec, const RoundAggregate& aggregate,
                                                  const PublishRequest& request) {
  return SketchVersionWriter(spec, aggregate, request).Run();
}

}  // namespace thinwire
