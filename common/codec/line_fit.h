// The correction of online model compression: the line through a block's codes that comes nearest to its values.
#ifndef THINWIRE_COMMON_CODEC_LINE_FIT_H_
#define THINWIRE_COMMON_CODEC_LINE_FIT_H_

#include "absl/types/span.h"

namespace thinwire {

// y = slope * x + offset, in binary32: one multiplication, one addition. The slope is positive and normal, the offset
// finite.
struct Line {
  float slope = 1;
  float offset = 0;
};

// argmin over (s, b) of sum (y - s * x - b)^2 in closed form (Yang et al. 2022, "Online Model Compression for Federated
// Learning with Large Models", per-variable transformation). Sums in double and a fixed order, so the same line on
// every machine. Where x has no spread, or the slope would not be positive (it would turn the order of the values
// around), the slope is 1 and the offset the mean of y - x. {1, 0} for no values, or if the line is no lawful one. Same
// sizes; all values finite.
Line FitLine(absl::Span<const float> x, absl::Span<const float> y);

// Whether a line may stand in a frame.
bool IsLawful(const Line& line);

// values[i] = line(values[i]).
void ApplyLine(const Line& line, absl::Span<float> values);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_LINE_FIT_H_
