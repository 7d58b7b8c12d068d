// A power law before coding and its inverse after decoding, so that errors of large values weigh more: bits that lower
// the squared error of y = sign(x) |x|^p lower about p^2 |x|^(2 p - 2) (x - x')^2.
//
// The distortion |x|^M (x - x')^2 is that of Salehkalaibar and Rini 2022 (arXiv 2202.02812, section III) and of M22
// (arXiv 2301.09269). p = 1 + M / 2 would be right for values coded each by itself; factors of low rank lose what the
// power bends, and p = 1 + M / 4 left less weighted error on real updates at all rates from 0.05 to 2 bits
// (docs/rdu.md, section 5).
#ifndef THINWIRE_COMMON_RDU_COMPANDING_H_
#define THINWIRE_COMMON_RDU_COMPANDING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

// On the wire, 2 bytes: M in eighths, 1 to 128; then 127 + the power of two that values are divided by, 1 to 254.
// Same results on every machine. Immutable.
class Companding {
 public:
  static constexpr size_t kSize = 2;
  static constexpr double kMaxExponent = 16;

  // For values up to `absmax`. weight_exponent: M, 0 to kMaxExponent, rounded to eighths.
  Companding(double weight_exponent, float absmax);
  // INVALID_ARGUMENT for numbers out of range; bytes.size() is kSize.
  static absl::StatusOr<Companding> Read(absl::string_view bytes);
  std::string Bytes() const;

  // Whether the power is 1, so that there is nothing to do.
  bool linear() const { return eighths_ == 0; }
  std::vector<float> Compress(absl::Span<const float> values) const;  // to magnitudes below 32
  void Expand(absl::Span<float> values) const;                        // to finite numbers, whatever they were

 private:
  Companding() = default;
  double power() const { return 1 + eighths_ / 32.0; }

  uint8_t eighths_ = 0;
  uint8_t scale_ = 127;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_COMPANDING_H_
