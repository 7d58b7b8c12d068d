#include "client/speech/features.h"

#include <algorithm>
#include <cmath>

#include "common/base/rng.h"

namespace thinwire {
namespace {

constexpr double kLeastDeviation = 1e-5;

// A band of 0..most items, wherever it fits among `size`.
struct Band {
  size_t first = 0;
  size_t size = 0;

  Band(size_t total, size_t most, RandomStream& random)
      : size(static_cast<size_t>(random.Below(std::min(most, total) + 1))) {
    first = static_cast<size_t>(random.Below(total - size + 1));
  }
};

size_t Share(double share, size_t total) {
  return static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(total));
}

}  // namespace

void NormalizeColumns(Features* features) {
  const auto count = static_cast<double>(features->frames);
  for (size_t column = 0; column < features->width; ++column) {
    double sum = 0, squares = 0;
    for (size_t t = 0; t < features->frames; ++t) sum += features->frame(t)[column];
    const double mean = sum / count;
    for (size_t t = 0; t < features->frames; ++t) {
      const double offset = features->frame(t)[column] - mean;
      squares += offset * offset;
    }
    const double deviation = std::sqrt(squares / count);
    const double scale = deviation < kLeastDeviation ? 0 : 1 / deviation;
    for (size_t t = 0; t < features->frames; ++t) {
      float& value = features->frame(t)[column];
      value = static_cast<float>((value - mean) * scale);
    }
  }
}

// The values lie in the right order already.
void StackFrames(size_t count, Features* features) {
  features->frames /= count;
  features->width *= count;
  features->values.resize(features->frames * features->width);
}

void MaskFeatures(const MaskRule& rule, uint64_t seed, size_t width, absl::Span<float> values) {
  const size_t frames = values.size() / width;
  RandomStream random(DeriveKey({seed, KeyWord("mask features")}));
  const size_t longest = std::min<size_t>(rule.time_width, Share(rule.time_share, frames));
  for (uint32_t i = 0; i < rule.time_masks; ++i) {
    const Band band(frames, longest, random);
    std::fill_n(values.begin() + static_cast<ptrdiff_t>(band.first * width), band.size * width, 0.0f);
  }
  for (uint32_t i = 0; i < rule.column_masks; ++i) {
    const Band band(width, Share(rule.column_share, width), random);
    for (size_t t = 0; t < frames; ++t) {
      std::fill_n(values.begin() + static_cast<ptrdiff_t>(t * width + band.first), band.size, 0.0f);
    }
  }
}

}  // namespace thinwire
