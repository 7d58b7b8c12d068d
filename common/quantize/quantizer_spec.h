// Which quantiser an update goes through, as plain data. docs/quantize.md says what each is and where it comes from.
#ifndef THINWIRE_COMMON_QUANTIZE_QUANTIZER_SPEC_H_
#define THINWIRE_COMMON_QUANTIZE_QUANTIZER_SPEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/quantize/density_fit.h"
#include "common/quantize/level_table.h"
#include "common/quantize/magnitude_density.h"

namespace thinwire {

// Frozen in the format.
enum class QuantizerMethod : uint8_t { kTopK = 1, kSign = 2, kQsgd = 3, kRotated = 4 };

struct QuantizerSpec {
  QuantizerMethod method = QuantizerMethod::kTopK;

  // Top-K.
  ValueFormat values;
  // Top-K with levels: the density that is fitted, and M.
  DensityFamily family = DensityFamily::kGeneralisedNormal;
  FitMethod fit = FitMethod::kMoments;
  double weight_exponent = 0;
  // At M = 0, whether a table's levels are multiplied by <x, y> / <y, y>, the factor that makes the squared error
  // least. It makes the quantiser contractive whatever the data are, which a fitted density cannot promise.
  bool gain = true;

  // QSGD: values that share a norm, 0 for those of a whole tensor.
  uint64_t bucket = 0;

  // Rotated (EDEN, DRIVE).
  bool unbiased = false;
  int rotations = 1;    // 1 or 2
  int block_log2 = 16;  // the largest block has 2^block_log2 values

  // M22: top-K and `bits` per kept entry, a sign among them.
  static QuantizerSpec Lloyd(DensityFamily family, double weight_exponent, int bits);
  // TINYSCRIPT, as the public code of M22 and CO3 has it: double Weibull, M = 0.
  static QuantizerSpec TinyScript(int bits) { return Lloyd(DensityFamily::kDoubleWeibull, 0, bits); }
  static QuantizerSpec Uniform(int bits);
  // Top-K and S1ExMy: 1-5-2, 1-4-3 or 1-2-1 in the papers.
  static QuantizerSpec Float(int exponent_bits, int mantissa_bits);
  static QuantizerSpec Sign();
  static QuantizerSpec Qsgd(uint64_t bucket);
  static QuantizerSpec Rotated(bool unbiased);

  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "top-k gennorm M=2 R=3", "top-k s1e5m2", "qsgd", "eden biased".
  std::string Name() const;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_QUANTIZER_SPEC_H_
