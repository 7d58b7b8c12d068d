#include "client/train/module_values.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/train/torch_state.h"
#include "common/base/status_macros.h"
#include "common/codec/codec.h"

namespace thinwire {
namespace {

PackedFormat FormatOf(const CodecSpec& held, PackedFormat::Rounding rounding) {
  PackedFormat format;
  format.rounding = rounding;
  if (held.id == CodecId::kFp32) {
    format.format = {8, 23};
    format.scale = ScaleRule::kNone;
    return format;
  }
  format.format = held.format;
  format.scale = held.scale;
  if (held.id == CodecId::kFloatBlocks) {
    format.scale_group_log2 = held.blocks.scale_group_log2;
    format.correction = held.blocks.correction;
  }
  return format;
}

// As it came. What came in no frame is rounded to nearest, however steps round: random rounding is for training only.
absl::Status LoadPacked(BlockSource& model, uint32_t tensor, uint64_t first, uint32_t size, PackedMatrix* matrix) {
  std::vector<float> floats(size);
  std::string frame;
  TW_ASSIGN_OR_RETURN(const bool framed, model.ReadFrame(tensor, first, &frame));
  if (framed) {
    TW_ASSIGN_OR_RETURN(const bool held, matrix->HoldFrame(first / PackedMatrix::kBlock, frame));
    if (held) return absl::OkStatus();
    TW_RETURN_IF_ERROR(DecodeFrame(frame, absl::MakeSpan(floats)));
  } else {
    TW_RETURN_IF_ERROR(model.ReadFloats(tensor, first, absl::MakeSpan(floats)));
  }
  for (size_t at = 0; at < size; at += PackedMatrix::kBlock) {
    const size_t block = (first + at) / PackedMatrix::kBlock;
    const auto values = absl::MakeConstSpan(floats).subspan(at, matrix->block_size(block));
    TW_RETURN_IF_ERROR(matrix->HoldBlock(block, values));
  }
  return absl::OkStatus();
}

template <typename T>
at::Tensor View(absl::Span<T> values, at::ScalarType type) {
  return at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::TensorOptions(type));
}

}  // namespace

ModuleValues::ModuleValues(const torch::nn::Module& module, ModelSpec spec, std::shared_ptr<PackedMatrices> packed)
    : spec_(std::move(spec)), tensors_(TensorsOf(module)), packed_(std::move(packed)) {}

absl::Status ModuleValues::Load(BlockSource& model, const HeldWeights& held, PackedFormat::Rounding rounding) {
  at::NoGradGuard no_grad;
  if (packed_ != nullptr) TW_RETURN_IF_ERROR(Hold(held, rounding));
  for (uint32_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    const uint64_t count = spec_.tensors()[tensor].count();
    for (uint64_t block = 0; block < BlockCount(count); ++block) {
      TW_RETURN_IF_ERROR(LoadBlock(model, tensor, block * kBlockValues, BlockSize(count, block)));
    }
  }
  return absl::OkStatus();
}

absl::Status ModuleValues::Hold(const HeldWeights& held, PackedFormat::Rounding rounding) {
  std::vector<uint32_t> tensor_of(packed_->size());
  for (uint32_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    if (IsPacked(tensor)) tensor_of[packed_->IndexOf(tensors_[tensor])] = tensor;
  }
  return packed_->Hold(FormatOf(held.codec, rounding),
                       [&](size_t index) { return ExactBlocks(tensor_of[index], held); });
}

std::vector<bool> ModuleValues::ExactBlocks(uint32_t tensor, const HeldWeights& held) const {
  const TensorSpec& spec = spec_.tensors()[tensor];
  const bool coded = CodecOf(held.codec, spec).id != CodecId::kFp32;
  std::vector<bool> exact(PackedMatrix::BlocksOf(spec.count()), !coded);
  for (size_t block = 0; coded && held.exact != nullptr && block < exact.size(); ++block) {
    exact[block] = held.exact->Has(tensor, block);
  }
  return exact;
}

absl::Status ModuleValues::LoadBlock(BlockSource& model, uint32_t tensor, uint64_t first, uint32_t size) {
  if (spec_.tensors()[tensor].dtype == DataType::kInt64) {
    std::vector<int64_t> ints(size);
    TW_RETURN_IF_ERROR(model.ReadInts(tensor, first, absl::MakeSpan(ints)));
    Part(tensor, first, size).copy_(View(absl::MakeSpan(ints), at::kLong));
    return absl::OkStatus();
  }
  if (IsPacked(tensor)) return LoadPacked(model, tensor, first, size, &MatrixOf(tensor));
  std::vector<float> floats(size);
  TW_RETURN_IF_ERROR(model.ReadFloats(tensor, first, absl::MakeSpan(floats)));
  Part(tensor, first, size).copy_(View(absl::MakeSpan(floats), at::kFloat));
  return absl::OkStatus();
}

absl::Status ModuleValues::ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) {
  if (!IsPacked(tensor)) {
    at::NoGradGuard no_grad;
    View(out, at::kFloat).copy_(Part(tensor, first, out.size()));
    return absl::OkStatus();
  }
  const PackedMatrix& matrix = MatrixOf(tensor);
  for (size_t at = 0; at < out.size(); at += PackedMatrix::kBlock) {
    const size_t block = (first + at) / PackedMatrix::kBlock;
    const size_t size = matrix.block_size(block);
    if ((first + at) % PackedMatrix::kBlock != 0 || size > out.size() - at) {
      return absl::InvalidArgumentError(
          absl::StrCat("values ", first, " to ", first + out.size(), " of a packed tensor are no whole blocks"));
    }
    matrix.ExpandBlock(block, out.subspan(at, size));
  }
  return absl::OkStatus();
}

absl::Status ModuleValues::ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) {
  View(out, at::kLong).copy_(Part(tensor, first, out.size()));
  return absl::OkStatus();
}

// Packed matrices refuse such values themselves.
absl::Status ModuleValues::CheckFinite() const {
  for (uint32_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    if (IsPacked(tensor) || tensors_[tensor].scalar_type() != at::kFloat || tensors_[tensor].numel() == 0) continue;
    // Both are NaN if any value is. isfinite would take nearly twice the tensor's memory.
    const auto [least, most] = tensors_[tensor].aminmax();
    if (std::isfinite(least.item<float>()) && std::isfinite(most.item<float>())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", spec_.tensors()[tensor].name, "' has a value that is NaN or infinite"));
  }
  return absl::OkStatus();
}

at::Tensor ModuleValues::Part(uint32_t tensor, uint64_t first, size_t size) const {
  return tensors_[tensor].view(-1).narrow(0, static_cast<int64_t>(first), static_cast<int64_t>(size));
}

}  // namespace thinwire
