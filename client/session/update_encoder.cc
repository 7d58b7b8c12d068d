#include "client/session/update_encoder.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {

absl::Status DeltaSource::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  if (spec_.tensors()[tensor].role != TensorRole::kTrainable) return trained_->ReadFloats(tensor, first, out);
  block_.resize(out.size());
  TW_RETURN_IF_ERROR(base_.ReadFloats(tensor, first, absl::MakeSpan(block_)));
  TW_RETURN_IF_ERROR(trained_->ReadFloats(tensor, first, out));
  for (size_t i = 0; i < out.size(); ++i) out[i] -= block_[i];
  return absl::OkStatus();
}

absl::Status DeltaSource::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  return trained_->ReadInts(tensor, first, out);
}

namespace {

// A delta's row blocks are drawn by the assignment's seed. Those of a model are the ones that came exact: rounded, they
// would move though the client did not.
absl::StatusOr<RowBlockSet> ExactInUpdate(const ExchangePlan& plan, const ModelSpec& spec, const PayloadReader& base,
                                          uint64_t seed) {
  if (plan.uplink_representation == Representation::kModel) return ExactRowBlocks(spec, base);
  return DrawRowBlocks(spec, plan.uplink, DeriveKey({seed, KeyWord("exact row blocks of the update")}), 0);
}

}  // namespace

absl::StatusOr<PayloadRef> EncodeUpdate(const ExchangePlan& plan, const ModelSpec& spec, BlockSource& trained,
                                        const PayloadReader& base, uint64_t seed, const std::string& path) {
  EncodeOptions options{plan.uplink_representation, plan.uplink, base.ref().id};
  std::optional<RowBlockSet> exact;
  if (plan.uplink.blocks.exact_one_in > 0) {
    TW_ASSIGN_OR_RETURN(exact, ExactInUpdate(plan, spec, base, seed));
    options.exact = &*exact;
  }
  if (plan.uplink_representation == Representation::kDelta) {
    DeltaSource source(spec, &trained, base);
    return EncodePayload(spec, options, source, path);
  }
  return EncodePayload(spec, options, trained, path);
}

absl::StatusOr<PayloadRef> EncodeInitialModel(const ModelSpec& spec, BlockSource& fresh, const std::string& path) {
  const uint64_t frozen = spec.count(TensorRole::kFrozen);
  if (frozen > 0) {
    return absl::InvalidArgumentError(absl::StrCat("the model has ", frozen,
                                                   " frozen values, which never travel up; start the run from a "
                                                   "safetensors file instead of a client's seed"));
  }
  return EncodePayload(spec, {Representation::kModel, CodecSpec::Fp32(), Digest{}}, fresh, path);
}

}  // namespace thinwire
