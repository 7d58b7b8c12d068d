// From a CTC model's scores to labels. Graves et al., "Connectionist temporal classification", ICML 2006.
#ifndef THINWIRE_CLIENT_SPEECH_CTC_DECODER_H_
#define THINWIRE_CLIENT_SPEECH_CTC_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace thinwire {

// Natural logarithms of probabilities, frame after frame; label 0 is the blank.
struct FrameScores {
  absl::Span<const float> values;  // frames * labels
  size_t labels = 0;

  size_t frames() const { return values.size() / labels; }
  absl::Span<const float> frame(size_t index) const { return values.subspan(index * labels, labels); }
};

// The most probable label of each frame (the lowest of equals), repeats and blanks removed.
std::vector<int64_t> DecodeGreedy(const FrameScores& scores);

struct Hypothesis {
  std::vector<int64_t> labels;
  double log_probability = 0;  // over all alignments that the beam kept
};

// Prefix beam search (Hannun et al., arXiv 1408.2873, without a language model): the `beam` most probable label
// sequences after each frame, summed over their alignments; best first, equals in the order of their labels. beam >= 1.
// With a beam that holds every prefix it is the exact posterior.
std::vector<Hypothesis> DecodeBeam(const FrameScores& scores, size_t beam);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_CTC_DECODER_H_
