// Which codec a tensor's values go through, as plain data.
#ifndef THINWIRE_COMMON_CODEC_CODEC_SPEC_H_
#define THINWIRE_COMMON_CODEC_CODEC_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Frozen in the wire format: an id is never reused, and a changed encoding takes a new id.
enum class CodecId : uint8_t {
  kFp32 = 1,
  kFloat = 2,
  kInt64 = 3,
  kFloatBlocks = 4,
  kSparse = 5,
  // Of whole updates (update_frame.h).
  kRdu = 6,
  kQuantized = 7,
};
constexpr CodecId kLastCodecId = CodecId::kQuantized;

enum class ScaleRule : uint8_t { kNone = 0, kPowerOfTwo = 1, kAbsMax = 2 };

// S1ExMy: 1 sign bit, `exponent_bits` in 2..8, `mantissa_bits` in 0..23. The top exponent holds numbers, except at 8
// exponent bits, where it is IEEE's infinities and NaNs and therefore unused. Bias 2^(E-1)-1.
struct FloatFormat {
  int exponent_bits = 8;
  int mantissa_bits = 23;
  int width() const { return 1 + exponent_bits + mantissa_bits; }
};

// What float blocks (online model compression, docs/omc.md) do beyond a format and a scale.
struct BlockOptions {
  static constexpr int kMinGroupLog2 = 6;
  static constexpr int kMaxGroupLog2 = 12;  // a whole row block
  static constexpr uint32_t kMaxOneIn = 100;
  static constexpr size_t kMaxFp32Tensors = 1000;

  int scale_group_log2 = kMaxGroupLog2;   // 2^this values share a scale
  bool correction = false;                // least-squares slope and offset of each row block
  bool truncate = false;                  // towards zero instead of to nearest; for comparison only
  bool weights_only = false;              // only matrices (row_blocks.h) are coded, all else is FP32
  uint32_t exact_one_in = 0;              // partial quantisation: one in so many row blocks is FP32; 0: none
  std::vector<std::string> fp32_tensors;  // names of tensors that are FP32 whatever else is said; ascending, each once

  friend bool operator==(const BlockOptions& a, const BlockOptions& b) {
    return a.fp32_tensors == b.fp32_tensors && a.scale_group_log2 == b.scale_group_log2 &&
           a.correction == b.correction && a.truncate == b.truncate && a.weights_only == b.weights_only &&
           a.exact_one_in == b.exact_one_in;
  }
};

// A share of row blocks as one in so many. INVALID_ARGUMENT unless `share` is 0 (which gives 0), or 0.01 to 0.5 and
// within 0.005 of such a number.
absl::StatusOr<uint32_t> ExactOneIn(double share);

struct CodecSpec {
  CodecId id = CodecId::kFp32;
  // Of kFloat and kFloatBlocks, and of the values of kSparse, where what is here by default stands for FP32.
  FloatFormat format;
  ScaleRule scale = ScaleRule::kNone;
  BlockOptions blocks = {};  // kFloatBlocks only

  static CodecSpec Fp32() { return {}; }
  static CodecSpec Float(int exponent_bits, int mantissa_bits, ScaleRule scale) {
    return {CodecId::kFloat, {exponent_bits, mantissa_bits}, scale, {}};
  }
  static CodecSpec FloatBlocks(int exponent_bits, int mantissa_bits, ScaleRule scale, const BlockOptions& blocks = {}) {
    return {CodecId::kFloatBlocks, {exponent_bits, mantissa_bits}, scale, blocks};
  }
  // Positions and values (sparse_codec.h). `values` is FP32 or a float.
  static CodecSpec Sparse(const CodecSpec& values) { return {CodecId::kSparse, values.format, values.scale, {}}; }
  // kRdu or kQuantized; all else is in an UpdatePlan.
  static CodecSpec Update(CodecId id) { return {id, {}, ScaleRule::kNone, {}}; }
  // kSparse: the codec of the values; S1E8M23 without scale is FP32.
  CodecSpec SparseValues() const {
    const CodecSpec values = Float(format.exponent_bits, format.mantissa_bits, scale);
    return values == Float(8, 23, ScaleRule::kNone) ? Fp32() : values;
  }
  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "fp32", "s1e3m7 (power-of-two scale)", "s1e3m7 blocks (power-of-two scale of 4096 values, weights only, 1 in 10
  // exact)".
  std::string Name() const;
  // "fp32", or "s1eXmY" with an optional ":none", ":pow2" (default) or ":absmax"; case is ignored. "/GROUP" behind that
  // makes it float blocks with a scale for each GROUP values (64, 128 ... 4096); then may follow, in any order,
  // "+correction", "+truncate", "+weights" (only) and "+partial=SHARE": "s1e3m7:pow2/4096+weights+partial=0.1".
  static absl::StatusOr<CodecSpec> Parse(absl::string_view text);

  friend bool operator==(const CodecSpec& a, const CodecSpec& b) {
    return a.id == b.id && a.format.exponent_bits == b.format.exponent_bits &&
           a.format.mantissa_bits == b.format.mantissa_bits && a.scale == b.scale && a.blocks == b.blocks;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_CODEC_SPEC_H_
