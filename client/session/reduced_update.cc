#include "client/session/reduced_update.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/sketch/count_sketch.h"
#include "common/sketch/reduced_source.h"
#include "common/sketch/top_k.h"
#include "common/sketch/update_specs.h"

namespace thinwire {
namespace {

absl::StatusOr<std::vector<float>> SketchOf(const SketchPlan& plan, uint64_t run_seed, UpdateVector* update) {
  const CountSketch sketch(plan, SketchSeed(run_seed));
  std::vector<double> sums(sketch.table_size());
  TW_RETURN_IF_ERROR(update->ForEachBlock([&](uint64_t first, absl::Span<float> values) {
    sketch.Add(first, values, absl::MakeSpan(sums));
    return absl::OkStatus();
  }));
  return std::vector<float>(sums.begin(), sums.end());
}

absl::StatusOr<SparseEntries> LargestOf(uint64_t k, UpdateVector* update) {
  TopKSelector selector(static_cast<size_t>(k));
  TW_RETURN_IF_ERROR(update->ForEachBlock([&](uint64_t first, absl::Span<float> values) {
    selector.Add(first, values);
    return absl::OkStatus();
  }));
  return selector.Take();
}

}  // namespace

absl::Status UpdateVector::ReadBlock(uint32_t tensor, uint64_t first, uint64_t position, absl::Span<float> out) {
  TW_RETURN_IF_ERROR(delta_->ReadFloats(tensor, first, out));
  if (!error_.has_value()) return absl::OkStatus();
  kept_.resize(out.size());
  TW_RETURN_IF_ERROR(error_->Read(position, absl::MakeSpan(kept_)));
  for (size_t i = 0; i < out.size(); ++i) out[i] += decay_ * kept_[i];
  return absl::OkStatus();
}

absl::Status UpdateVector::ForEachBlock(absl::FunctionRef<absl::Status(uint64_t, absl::Span<float>)> visit) {
  uint64_t position = 0;
  for (uint32_t tensor = 0; tensor < model_.tensors().size(); ++tensor) {
    if (model_.tensors()[tensor].role != TensorRole::kTrainable) continue;
    const uint64_t count = model_.tensors()[tensor].count();
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      block_.resize(BlockSize(count, block));
      TW_RETURN_IF_ERROR(ReadBlock(tensor, block * kBlockValues, position, absl::MakeSpan(block_)));
      TW_RETURN_IF_ERROR(visit(position, absl::MakeSpan(block_)));
      position += block_.size();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PayloadRef> EncodeReducedUpdate(const ExchangePlan& plan, uint64_t run_seed, const ModelSpec& model,
                                               UpdateVector* update, BlockSource& trained, const Digest& base_id,
                                               const std::string& path) {
  EncodeOptions options{Representation::kDelta, plan.uplink, base_id};
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  if (plan.sketch.has_value()) {
    TW_ASSIGN_OR_RETURN(std::vector<float> table, SketchOf(*plan.sketch, run_seed, update));
    ReducedSource source(std::move(table), model, trained);
    return EncodePayload(spec, options, source, path);
  }
  TW_ASSIGN_OR_RETURN(const SparseEntries entries, LargestOf(plan.top_k, update));
  options.entries = &entries;
  ReducedSource source({}, model, trained);
  return EncodePayload(spec, options, source, path);
}

absl::StatusOr<UnsentError> UnsentError::Create(const ExchangePlan& plan, const ModelSpec& model,
                                                const PayloadRef& payload, const std::string& path) {
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::Open(path, payload, spec));
  UnsentError error;
  error.sent_.positions.resize(spec.tensors()[0].count());
  error.sent_.values.resize(spec.tensors()[0].count());
  for (uint64_t first = 0; first < error.sent_.values.size(); first += kBlockValues) {
    TW_RETURN_IF_ERROR(reader.DecodeEntries(reader.SegmentIndex(0, first / kBlockValues),
                                            model.count(TensorRole::kTrainable),
                                            absl::MakeSpan(error.sent_.positions).subspan(first, kBlockValues),
                                            absl::MakeSpan(error.sent_.values).subspan(first, kBlockValues)));
  }
  return error;
}

void UnsentError::Subtract(uint64_t first, absl::Span<float> values) {
  for (; next_ < sent_.positions.size() && sent_.positions[next_] < first + values.size(); ++next_) {
    values[sent_.positions[next_] - first] -= sent_.values[next_];
  }
}

}  // namespace thinwire
