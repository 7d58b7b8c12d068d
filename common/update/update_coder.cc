#include "common/update/update_coder.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/quantize/quantizer.h"
#include "common/rdu/update_codec.h"

namespace thinwire {
namespace {

absl::Status CheckValues(const UpdateLayout& layout, absl::Span<const float> values) {
  if (values.size() != layout.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", values.size(), " values of an update of ", layout.size()));
  }
  for (const UpdateLayout::Tensor& tensor : layout.tensors()) {
    const absl::Span<const float> part = values.subspan(tensor.first, tensor.count);
    const auto bad = std::find_if(part.begin(), part.end(),
                                  [](float value) { return !(std::fabs(value) <= kMaxQuantizedMagnitude); });
    if (bad == part.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("the update of tensor '", tensor.name, "' is ", *bad, " at value ",
                                                   bad - part.begin(), "; values must be finite and at most 2^96"));
  }
  return absl::OkStatus();
}

QuantizerSpec SpecOf(const UpdatePlan& plan) {
  QuantizerSpec spec;
  switch (plan.method) {
    case UpdateMethod::kUniform:
      return QuantizerSpec::Uniform(plan.value_bits);
    case UpdateMethod::kFloat:
      return QuantizerSpec::Float(plan.format.exponent_bits, plan.format.mantissa_bits);
    case UpdateMethod::kSign:
      return QuantizerSpec::Sign();
    case UpdateMethod::kQsgd:
      return QuantizerSpec::Qsgd(plan.bucket);
    case UpdateMethod::kEden:
      spec = QuantizerSpec::Rotated(plan.unbiased);
      spec.rotations = plan.rotate_twice ? 2 : 1;
      return spec;
    default:
      spec = QuantizerSpec::Lloyd(plan.weibull ? DensityFamily::kDoubleWeibull : DensityFamily::kGeneralisedNormal,
                                  plan.weight_exponent.first, plan.value_bits);
      spec.fit = plan.likelihood ? FitMethod::kLikelihood : FitMethod::kMoments;
      return spec;
  }
}

std::vector<uint64_t> SizesOf(const UpdateLayout& layout) {
  std::vector<uint64_t> sizes;
  for (const UpdateLayout::Tensor& tensor : layout.tensors()) sizes.push_back(tensor.count);
  return sizes;
}

template <typename Value>
std::vector<absl::Span<Value>> Parts(const UpdateLayout& layout, absl::Span<Value> values) {
  std::vector<absl::Span<Value>> parts;
  for (const UpdateLayout::Tensor& tensor : layout.tensors()) {
    parts.push_back(values.subspan(tensor.first, tensor.count));
  }
  return parts;
}

absl::StatusOr<std::string> CodeRdu(const UpdatePlan& plan, const UpdateLayout& layout, absl::Span<const float> values,
                                    uint64_t most_bytes) {
  std::vector<UpdateTensor> tensors;
  for (const UpdateLayout::Tensor& tensor : layout.tensors()) {
    tensors.push_back({values.subspan(tensor.first, tensor.count), tensor.dimensions});
  }
  const UpdateProfile profile = plan.fast ? UpdateProfile::kFast : UpdateProfile::kBest;
  return EncodeUpdate(tensors, 8 * most_bytes, nullptr, {profile, plan.weight_exponent.first});
}

absl::StatusOr<std::string> CodeQuantized(const UpdatePlan& plan, const UpdateLayout& layout,
                                          absl::Span<const float> values, uint64_t most_bytes, uint64_t seed) {
  const QuantizerSpec spec = SpecOf(plan);
  QuantizeOptions options;
  options.budget_bits = 8 * most_bytes;
  options.seed = seed;
  absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, Parts(layout, values), options);
  // What else could be wrong was checked: QSGD's smallest string depends on the values.
  if (bytes.ok() || most_bytes < LeastQuantizedBytes(spec, SizesOf(layout))) return bytes;
  const std::vector<float> zeros(values.size());
  return QuantizeUpdate(spec, Parts(layout, absl::MakeConstSpan(zeros)), options);
}

absl::StatusOr<std::string> CodeZeros(const UpdatePlan& plan, const UpdateLayout& layout, uint64_t most_bytes,
                                      uint64_t seed) {
  if (plan.codec() == CodecId::kRdu) return std::string();
  const std::vector<float> zeros(layout.size());
  return CodeQuantized(plan, layout, zeros, most_bytes, seed);
}

absl::Status DecodeRdu(absl::string_view bytes, const UpdateLayout& layout, UpdateVisitor visit) {
  TW_ASSIGN_OR_RETURN(UpdateDecoder decoder, UpdateDecoder::Create(bytes));
  std::vector<float> values;
  for (const size_t i : CodingOrder(SizesOf(layout))) {
    const UpdateLayout::Tensor& tensor = layout.tensors()[i];
    values.resize(tensor.count);
    TW_RETURN_IF_ERROR(decoder.Next(tensor.dimensions, absl::MakeSpan(values)));
    TW_RETURN_IF_ERROR(visit(tensor, absl::MakeSpan(values)));
  }
  return decoder.Finish();
}

absl::Status DecodeQuantized(absl::string_view bytes, const UpdateLayout& layout, UpdateVisitor visit) {
  std::vector<float> values(layout.size());
  const std::vector<absl::Span<float>> parts = Parts(layout, absl::MakeSpan(values));
  TW_RETURN_IF_ERROR(DequantizeUpdate(bytes, parts));
  for (size_t i = 0; i < parts.size(); ++i) TW_RETURN_IF_ERROR(visit(layout.tensors()[i], parts[i]));
  return absl::OkStatus();
}

}  // namespace

UpdateLayout::UpdateLayout(const ModelSpec& model) {
  for (uint32_t i = 0; i < model.tensors().size(); ++i) {
    const TensorSpec& spec = model.tensors()[i];
    if (spec.role != TensorRole::kTrainable || spec.count() == 0) continue;
    tensors_.push_back({i, size_, spec.count(), spec.name, {spec.shape.begin(), spec.shape.end()}});
    size_ += spec.count();
  }
}

absl::StatusOr<std::string> CodeUpdate(const UpdatePlan& plan, const UpdateLayout& layout,
                                       absl::Span<const float> values, uint64_t most_bytes, uint64_t seed) {
  TW_RETURN_IF_ERROR(plan.Validate());
  TW_RETURN_IF_ERROR(CheckValues(layout, values));
  return plan.codec() == CodecId::kRdu ? CodeRdu(plan, layout, values, most_bytes)
                                       : CodeQuantized(plan, layout, values, most_bytes, seed);
}

absl::StatusOr<std::string> CodeContractiveUpdate(const UpdatePlan& plan, const UpdateLayout& layout,
                                                  absl::Span<const float> values, uint64_t most_bytes, uint64_t seed) {
  TW_ASSIGN_OR_RETURN(std::string bytes, CodeUpdate(plan, layout, values, most_bytes, seed));
  double error = 0, all = 0;
  const auto add = [&](const UpdateLayout::Tensor& tensor, absl::Span<float> decoded) {
    for (uint64_t i = 0; i < tensor.count; ++i) {
      const double value = values[tensor.first + i], missed = value - decoded[i];
      error += missed * missed;
      all += value * value;
    }
    return absl::OkStatus();
  };
  TW_RETURN_IF_ERROR(DecodeUpdateString(plan.codec(), bytes, layout, add));
  if (error <= all) return bytes;
  return CodeZeros(plan, layout, most_bytes, seed);
}

uint64_t LeastUpdateBytes(const UpdatePlan& plan, const UpdateLayout& layout) {
  return plan.codec() == CodecId::kRdu ? 0 : LeastQuantizedBytes(SpecOf(plan), SizesOf(layout));
}

absl::Status DecodeUpdateString(CodecId codec, absl::string_view bytes, const UpdateLayout& layout,
                                UpdateVisitor visit) {
  return codec == CodecId::kRdu ? DecodeRdu(bytes, layout, visit) : DecodeQuantized(bytes, layout, visit);
}

}  // namespace thinwire
