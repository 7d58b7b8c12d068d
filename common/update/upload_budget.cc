#include "common/update/upload_budget.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/buffer_frame.h"
#include "common/codec/float_blocks_codec.h"
#include "common/codec/frame.h"
#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/coordinates.h"
#include "common/update/update_coder.h"

namespace thinwire {
namespace {

constexpr uint64_t kPerPiece = kManifestEntrySize + kFrameHeaderSize;

// Of a frame of `count` differences of buffers.
uint64_t BodySize(const TensorSpec& tensor, uint32_t count) {
  if (tensor.dtype == DataType::kInt64) return uint64_t{8} * count;
  return LayOutFloatBlocks(BufferCodec(), count, /*exact_blocks=*/0).body_size;
}

// Manifest and segments of all but the update, which is tensor 0.
uint64_t SizeBesides(const ModelSpec& spec) {
  uint64_t size = kManifestHeaderSize;
  for (const TensorSpec& tensor : spec.tensors()) {
    if (tensor.role != TensorRole::kBuffer) continue;
    for (uint64_t block = 0; block < BlockCount(tensor.count()); ++block) {
      size += kPerPiece + BodySize(tensor, BlockSize(tensor.count(), block));
    }
  }
  return size;
}

uint64_t ValuesOf(const ModelSpec& spec) {
  return spec.tensors().empty() ? 0 : UpdateTensorValues(spec.tensors().front()).value_or(0);
}

uint64_t WholeBytes(uint64_t bits) { return bits / 8; }

}  // namespace

std::optional<uint64_t> UpdateRoom(const ModelSpec& spec, uint64_t bits) {
  const uint64_t besides = SizeBesides(spec), all = WholeBytes(bits);
  if (all < besides + kPerPiece) return std::nullopt;
  const uint64_t left = all - besides;
  const uint64_t whole = left / (kUpdatePieceSize + kPerPiece), rest = left % (kUpdatePieceSize + kPerPiece);
  const uint64_t room = whole * kUpdatePieceSize + (rest > kPerPiece ? rest - kPerPiece : 0);
  return std::min(room, MaxUpdateStringSize(ValuesOf(spec)));
}

ModelSpec CodedModel(const ExchangePlan& plan, const ModelSpec& model) {
  return plan.subspace.has_value() ? CoordinatesUpdateSpec(model, *plan.subspace) : model;
}

uint64_t LeastUploadBits(const ExchangePlan& plan, const ModelSpec& coded) {
  const uint64_t least = LeastUpdateBytes(*plan.update, UpdateLayout(coded));
  return 8 * (SizeBesides(ReducedUpdateSpec(plan, coded)) + UpdatePieces(least) * kPerPiece + least);
}

absl::Status CheckBudget(const ExchangePlan& plan, const ModelSpec& coded, uint64_t bits) {
  const uint64_t values = coded.count(TensorRole::kTrainable), budget = 8 * WholeBytes(bits),
                 least = LeastUploadBits(plan, coded);
  if (budget >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("uplink.update: the budget is ", budget, " bits an upload, but ", plan.update->MethodName(),
                   " of this model takes at least ", least, " with manifest, headers and buffers (",
                   static_cast<double>(least) / static_cast<double>(values), " a parameter of ", values,
                   "); raise it to that, or choose a codec that can send less"));
}

uint64_t GrantedBits(const ExchangePlan& plan, const ModelSpec& coded, uint64_t bits_per_second) {
  const uint64_t values = coded.count(TensorRole::kTrainable), budget = plan.update->BudgetBits(values);
  if (!plan.update->measures_links() || bits_per_second == 0) return budget;
  const double carried = static_cast<double>(bits_per_second) * plan.update->link->seconds;
  const double most = UpdatePlan::kMaxBitsPerParameter * static_cast<double>(values);
  return std::max(static_cast<uint64_t>(std::min(carried, most)), LeastUploadBits(plan, coded));
}

absl::Status CheckUploadFits(const ExchangePlan& plan, const ModelSpec& model) {
  TW_RETURN_IF_ERROR(CheckReducedUpdateFits(plan, model));
  if (!plan.update.has_value()) return absl::OkStatus();
  if (plan.subspace.has_value()) TW_RETURN_IF_ERROR(CheckSubspaceFits(*plan.subspace, model));
  const ModelSpec coded = CodedModel(plan, model);
  return CheckBudget(plan, coded, plan.update->BudgetBits(coded.count(TensorRole::kTrainable)));
}

absl::StatusOr<uint64_t> MaxUploadSize(const ExchangePlan& plan, const ModelSpec& spec) {
  TW_ASSIGN_OR_RETURN(const uint64_t most, MaxPayloadSize(spec, plan.uplink_representation, plan.uplink));
  if (!plan.update.has_value() || plan.update->measures_links()) return most;
  return std::min(most, WholeBytes(plan.update->BudgetBits(ValuesOf(spec))));
}

}  // namespace thinwire
