// Feature matrices and what is done to them between the filter bank and the model.
#ifndef THINWIRE_CLIENT_SPEECH_FEATURES_H_
#define THINWIRE_CLIENT_SPEECH_FEATURES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

// [frames, width], frame after frame.
struct Features {
  size_t frames = 0;
  size_t width = 0;
  std::vector<float> values;

  float* frame(size_t index) { return values.data() + index * width; }
  const float* frame(size_t index) const { return values.data() + index * width; }
};

// Each column to mean 0 and variance 1 over the utterance: takes off microphone and loudness, needs no statistics of
// other clients. A column that hardly varies (standard deviation below 1e-5) becomes 0.
void NormalizeColumns(Features* features);

// Joins each `count` frames, side by side, into one; frames left over at the end are dropped. count >= 1; 1 changes
// nothing.
void StackFrames(size_t count, Features* features);

// Masks of SpecAugment (Park et al., Interspeech 2019) without its time warping: seeded bands of frames and of columns
// become 0, the mean of normalised features.
struct MaskRule {
  uint32_t time_masks = 2;
  uint32_t time_width = 20;   // most frames in one, at 10 ms each
  double time_share = 0.125;  // nor more than this share of the utterance
  uint32_t column_masks = 2;
  double column_share = 0.15;  // most of the columns in one
};

// `values` [frames, width], in place. The same seed masks the same values on every machine.
void MaskFeatures(const MaskRule& rule, uint64_t seed, size_t width, absl::Span<float> values);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_FEATURES_H_
