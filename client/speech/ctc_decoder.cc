#include "client/speech/ctc_decoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "client/speech/alphabet.h"

namespace thinwire {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

double LogAdd(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kImpossible ? a : a + std::log1p(std::exp(b - a));
}

// Of one prefix: the probability of its alignments that end in a blank, and of those that end in its last label.
struct Ends {
  double blank = kImpossible;
  double label = kImpossible;
  double total() const { return LogAdd(blank, label); }
};

using Prefixes = std::map<std::vector<int64_t>, Ends>;

// All that `prefix` may become in one more frame.
void Extend(const std::vector<int64_t>& prefix, const Ends& ends, absl::Span<const float> frame, Prefixes* next) {
  Ends& same = (*next)[prefix];
  same.blank = LogAdd(same.blank, ends.total() + frame[kBlankLabel]);
  if (!prefix.empty()) same.label = LogAdd(same.label, ends.label + frame[prefix.back()]);
  std::vector<int64_t> longer = prefix;
  longer.push_back(0);
  for (size_t label = 1; label < frame.size(); ++label) {
    longer.back() = static_cast<int64_t>(label);
    // A repeat of the last label starts a new one only after a blank.
    const bool repeat = !prefix.empty() && prefix.back() == longer.back();
    Ends& grown = (*next)[longer];
    grown.label = LogAdd(grown.label, (repeat ? ends.blank : ends.total()) + frame[label]);
  }
}

std::vector<Hypothesis> Best(const Prefixes& prefixes, size_t count) {
  std::vector<Hypothesis> best;
  for (const auto& [labels, ends] : prefixes) {
    if (ends.total() > kImpossible) best.push_back({labels, ends.total()});
  }
  std::stable_sort(best.begin(), best.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.log_probability > b.log_probability; });
  best.resize(std::min(best.size(), count));
  return best;
}

}  // namespace

std::vector<int64_t> DecodeGreedy(const FrameScores& scores) {
  std::vector<int64_t> labels;
  int64_t last = kBlankLabel;
  for (size_t t = 0; t < scores.frames(); ++t) {
    const absl::Span<const float> frame = scores.frame(t);
    const int64_t label = std::max_element(frame.begin(), frame.end()) - frame.begin();
    if (label != kBlankLabel && label != last) labels.push_back(label);
    last = label;
  }
  return labels;
}

std::vector<Hypothesis> DecodeBeam(const FrameScores& scores, size_t beam) {
  Prefixes kept = {{{}, {0, kImpossible}}};
  for (size_t t = 0; t < scores.frames(); ++t) {
    Prefixes next;
    for (const auto& [prefix, ends] : kept) Extend(prefix, ends, scores.frame(t), &next);
    kept.clear();
    for (const Hypothesis& hypothesis : Best(next, beam)) kept[hypothesis.labels] = next[hypothesis.labels];
  }
  return Best(kept, beam);
}

}  // namespace thinwire
