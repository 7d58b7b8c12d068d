#include "server/aggregate/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/bytes.h"
#include "common/base/status_macros.h"
#include "server/aggregate/sum_loops.h"

namespace thinwire {
namespace {

constexpr int kSumBits = 62;  // of a sum's magnitude: an int64 has 63
// Bounds below or above make no difference to float values.
constexpr int kMinBoundExponent = -126;
constexpr int kMaxBoundExponent = 128;
constexpr double kBufferGrowth = 16;
constexpr double kMinBufferBound = 65536;

constexpr uint32_t kEncodingVersion = 1;
constexpr size_t kEncodingHeader = 20;
constexpr size_t kEncodingEntry = 8;

// The smallest k with value <= 2^k.
int CeilLog2(uint64_t value) {
  int k = 0;
  while (k < 64 && (uint64_t{1} << k) < value) ++k;
  return k;
}

int BoundExponent(double bound) {
  int exponent = 0;
  const double significand = std::frexp(bound, &exponent);  // in [0.5, 1)
  if (significand == 0.5) --exponent;
  return std::clamp(exponent, kMinBoundExponent, kMaxBoundExponent);
}

// Bits left for one value when max_updates weights of max_weight are to fit the sum; negative if they don't.
int BitsPerValue(uint64_t max_weight, uint32_t max_updates) {
  if (max_weight > (uint64_t{1} << kSumBits) / max_updates) return -1;
  return std::min(kSumBits - CeilLog2(max_weight * max_updates), kMaxValueBits);
}

absl::StatusOr<double> LargestMagnitude(const TensorSpec& tensor, uint32_t index, BlockSource& weights) {
  std::vector<float> block;
  double largest = 0;
  for (uint64_t b = 0; b < BlockCount(tensor.count()); ++b) {
    block.resize(BlockSize(tensor.count(), b));
    TW_RETURN_IF_ERROR(weights.ReadFloats(index, b * kBlockValues, absl::MakeSpan(block)));
    for (const float value : block) largest = std::max<double>(largest, std::fabs(value));
  }
  return largest;
}

// The bit pattern of the largest magnitude allowed, 2^exponent or the largest float.
uint32_t LimitBits(int exponent) {
  return exponent >= 128 ? 0x7f7fffffu : FloatBits(static_cast<float>(std::ldexp(1.0, exponent)));
}

uint32_t Magnitude(float value) { return FloatBits(value) & 0x7fffffffu; }

}  // namespace

absl::StatusOr<FixedPoint> ChooseFixedPoint(const ModelSpec& spec, const std::vector<double>& value_bounds,
                                            uint64_t max_weight, uint32_t max_updates) {
  if (value_bounds.size() != spec.tensors().size() || max_weight == 0 || max_updates == 0) {
    return absl::InvalidArgumentError("a round needs a bound for each tensor, a weight and an update");
  }
  const int bits = BitsPerValue(max_weight, max_updates);
  if (bits < kMinValueBits) {
    return absl::InvalidArgumentError(
        absl::StrCat(max_updates, " updates with a weight of up to ", max_weight, " leave ", std::max(bits, 0),
                     " bits under a value in the 62-bit sum, at least ", kMinValueBits,
                     " are needed; lower the largest number of examples of a client or the number of clients"));
  }
  FixedPoint fixed_point;
  fixed_point.max_weight = max_weight;
  fixed_point.max_updates = max_updates;
  for (size_t i = 0; i < value_bounds.size(); ++i) {
    if (!(value_bounds[i] > 0) || std::isinf(value_bounds[i])) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", spec.tensors()[i].name, "' has the value bound ",
                                                     value_bounds[i], ", which must be positive and finite"));
    }
    const int bound = BoundExponent(value_bounds[i]);
    fixed_point.bound_exponent.push_back(bound);
    fixed_point.quantum_exponent.push_back(bound - bits);
  }
  return fixed_point;
}

absl::StatusOr<std::vector<double>> ValueBounds(const ModelSpec& spec, BlockSource& weights, double max_norm) {
  std::vector<double> bounds(spec.tensors().size(), max_norm);
  for (uint32_t i = 0; i < bounds.size(); ++i) {
    const TensorSpec& tensor = spec.tensors()[i];
    if (tensor.role != TensorRole::kBuffer || tensor.dtype != DataType::kFloat32) continue;
    TW_ASSIGN_OR_RETURN(const double largest, LargestMagnitude(tensor, i, weights));
    bounds[i] = std::max(kBufferGrowth * largest, kMinBufferBound);
  }
  return bounds;
}

absl::Status CheckBounds(const FixedPoint& fixed_point, uint32_t tensor, const std::string& name, uint64_t first,
                         absl::Span<const float> values) {
  const uint32_t limit = LimitBits(fixed_point.bound_exponent[tensor]);
  if (LargestMagnitudeBits(values) <= limit) return absl::OkStatus();
  const auto bad = std::find_if(values.begin(), values.end(), [&](float v) { return Magnitude(v) > limit; });
  return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' value ",
                                                 first + static_cast<uint64_t>(bad - values.begin()), " is ", *bad,
                                                 "; magnitudes up to ", FloatFromBits(limit), " are accepted"));
}

absl::Status CheckAdmission(const FixedPoint& fixed_point, uint64_t weight, uint32_t admitted) {
  if (weight == 0 || weight > fixed_point.max_weight) {
    return absl::InvalidArgumentError(
        absl::StrCat("an update has the weight ", weight, ", accepted are 1 to ", fixed_point.max_weight));
  }
  if (admitted < fixed_point.max_updates) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the round has room for ", fixed_point.max_updates, " updates, and all are taken"));
}

std::string EncodeFixedPoint(const FixedPoint& fixed_point) {
  std::string bytes;
  AppendLittle<uint32_t>(kEncodingVersion, &bytes);
  AppendLittle<uint32_t>(static_cast<uint32_t>(fixed_point.quantum_exponent.size()), &bytes);
  AppendLittle<uint64_t>(fixed_point.max_weight, &bytes);
  AppendLittle<uint32_t>(fixed_point.max_updates, &bytes);
  for (size_t i = 0; i < fixed_point.quantum_exponent.size(); ++i) {
    AppendLittle<uint32_t>(static_cast<uint32_t>(fixed_point.quantum_exponent[i]), &bytes);
    AppendLittle<uint32_t>(static_cast<uint32_t>(fixed_point.bound_exponent[i]), &bytes);
  }
  return bytes;
}

absl::StatusOr<FixedPoint> ParseFixedPoint(const std::string& bytes) {
  const absl::Status damaged = absl::DataLossError("the journal's fixed-point rules of a round are damaged");
  if (bytes.size() < kEncodingHeader || LoadLittle<uint32_t>(bytes.data()) != kEncodingVersion) return damaged;
  const uint32_t tensors = LoadLittle<uint32_t>(bytes.data() + 4);
  if (bytes.size() != kEncodingHeader + uint64_t{kEncodingEntry} * tensors) return damaged;
  FixedPoint fixed_point;
  fixed_point.max_weight = LoadLittle<uint64_t>(bytes.data() + 8);
  fixed_point.max_updates = LoadLittle<uint32_t>(bytes.data() + 16);
  if (fixed_point.max_weight == 0 || fixed_point.max_updates == 0) return damaged;
  const int bits = BitsPerValue(fixed_point.max_weight, fixed_point.max_updates);
  for (const char* entry = bytes.data() + kEncodingHeader; entry < bytes.data() + bytes.size();
       entry += kEncodingEntry) {
    const auto quantum = static_cast<int32_t>(LoadLittle<uint32_t>(entry));
    const auto bound = static_cast<int32_t>(LoadLittle<uint32_t>(entry + 4));
    // Whatever else the bytes say, sums must not overflow.
    if (bound < kMinBoundExponent || bound > kMaxBoundExponent || quantum != bound - bits) return damaged;
    fixed_point.quantum_exponent.push_back(quantum);
    fixed_point.bound_exponent.push_back(bound);
  }
  return fixed_point;
}

}  // namespace thinwire
