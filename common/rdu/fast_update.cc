#include "common/rdu/fast_update.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/target_clones.h"
#include "common/rdu/plane_coder.h"

namespace thinwire {
namespace {

constexpr uint32_t kMagnitudeMask = 0x7fffffff, kInfinity = 0x7f800000;
// Values from this share of a step on are sent.
constexpr double kThreshold = 0.6;

struct Candidate {
  uint64_t position;  // over all tensors
  float value;
};

uint32_t MagnitudeBits(float value) { return FloatBits(value) & kMagnitudeMask; }

// Whether any of 32 values is at least the threshold, as bits of magnitudes; NaN and infinities are.
TW_TARGET_CLONES bool AnyOf32(const float* values, int32_t threshold) {
  int32_t largest = 0;
  for (int i = 0; i < 32; ++i) {
    int32_t bits;
    __builtin_memcpy(&bits, values + i, sizeof(bits));
    largest = std::max(largest, bits & static_cast<int32_t>(kMagnitudeMask));
  }
  return largest >= threshold;
}

class FastEncoder {
 public:
  FastEncoder(const std::vector<absl::Span<const float>>& tensors, const std::vector<size_t>& order, size_t budget)
      : tensors_(tensors), order_(order), budget_(budget) {
    for (const auto& tensor : tensors_) total_ += tensor.size();
  }

  absl::StatusOr<FastResult> Encode() {
    std::vector<uint32_t> sample = Sample();
    double share = ShareFor(8.0 * static_cast<double>(budget_));
    for (bool enough = false; !enough; share *= 4) {
      const uint32_t threshold = std::max(Quantile(&sample, 1.5 * share), 1u);
      TW_RETURN_IF_ERROR(Collect(threshold));
      enough = threshold == 1 || Search(threshold);
      if (threshold == 1) Search(threshold);
    }
    return Finish();
  }

 private:
  // Magnitudes, as bits, of some 65,536 values in runs all over the update.
  std::vector<uint32_t> Sample() const {
    constexpr uint64_t kRun = 64, kRuns = 1024;
    const uint64_t stride = std::max(total_ / kRuns, kRun);
    std::vector<uint32_t> sample;
    uint64_t first = 0, next = 0;
    for (const auto& tensor : tensors_) {
      for (; next < first + tensor.size(); next += stride) {
        const size_t at = static_cast<size_t>(next - first), end = std::min<size_t>(at + kRun, tensor.size());
        for (size_t i = at; i < end; ++i) sample.push_back(MagnitudeBits(tensor[i]));
      }
      first += tensor.size();
    }
    return sample;
  }

  // The share of values that is sent if so many bits are there: an entry takes about its place and five bits more.
  double ShareFor(double bits) const {
    double low = 0, high = 1;
    for (int i = 0; i < 40; ++i) {
      const double share = (low + high) / 2;
      const double place = QuarterLog(static_cast<uint32_t>(std::min(1 / share, 4e9))) / 4.0 - 1 + 1.4;
      (share * static_cast<double>(total_) * (place + 4.1) < bits ? low : high) = share;
    }
    return low;
  }

  // Above which about that share of the sample is.
  static uint32_t Quantile(std::vector<uint32_t>* sample, double share) {
    const auto above = static_cast<size_t>(share * static_cast<double>(sample->size()));
    if (sample->empty() || above >= sample->size()) return 0;
    const auto at = sample->end() - static_cast<std::ptrdiff_t>(above) - 1;
    std::nth_element(sample->begin(), at, sample->end());
    return *at;
  }

  // All values from the threshold on.
  absl::Status Collect(uint32_t threshold) {
    candidates_.clear();
    uint64_t first = 0;
    for (size_t t = 0; t < tensors_.size(); ++t) {
      const absl::Span<const float> values = tensors_[t];
      for (size_t i = 0; i < values.size(); i += 32) {
        const size_t end = std::min(i + 32, values.size());
        if (end == i + 32 && !AnyOf32(values.data() + i, static_cast<int32_t>(threshold))) continue;
        for (size_t j = i; j < end; ++j) {
          const uint32_t bits = MagnitudeBits(values[j]);
          if (bits < threshold) continue;
          if (bits >= kInfinity) {
            return absl::InvalidArgumentError(absl::StrCat("value ", j, " of tensor ", order_[t], " of an update is ",
                                                           values[j], "; an update has finite values only"));
          }
          candidates_.push_back({first + j, values[j]});
          absmax_ = std::max(absmax_, std::fabs(static_cast<double>(values[j])));
        }
      }
      first += values.size();
    }
    return absl::OkStatus();
  }

  void Quantise(StepCode step, std::vector<SparseEntry>* entries) const {
    const double scale = 1 / StepOf(step);
    entries->clear();
    uint64_t next = 0;
    for (const Candidate& candidate : candidates_) {
      const auto magnitude =
          static_cast<int32_t>(std::min(std::fabs(candidate.value * scale) + (1 - kThreshold), 1073741824.0));
      if (magnitude == 0) continue;
      entries->push_back({candidate.position - next, candidate.value < 0 ? -magnitude : magnitude});
      next = candidate.position + 1;
    }
  }

  // By how much that step takes more than the budget, in bits, or less.
  double Excess(int step) {
    ++trials_;
    Quantise(static_cast<StepCode>(step), &entries_);
    const SparseTables tables(entries_);
    return (static_cast<double>(tables.cost) - static_cast<double>(Units())) / 4096 +
           8.0 * static_cast<double>(tables.FixedSize());
  }
  uint64_t Units() const { return (budget_ - kUpdateHeaderSize) * 8 * 4096; }

  // The coarsest step that fills the budget. False if it is finer than the candidates allow; with all of them there,
  // the finest step is taken then.
  bool Search(uint32_t threshold) {
    const bool all = threshold == 1;
    const double least = all ? absmax_ / (1 << 30) : FloatFromBits(threshold) / kThreshold;
    int fills = std::min<int>(StepCodeOf(least) + 1, kCoarsestStep);
    int spares = std::max<int>(StepCodeOf(absmax_ / kThreshold) + 1, fills + 1);
    step_ = static_cast<StepCode>(fills);
    double over = Excess(fills), under = -8.0 * static_cast<double>(budget_);
    finest_ = over < 0;
    if (finest_) return all;
    for (int i = 0; spares - fills > 1; ++i) {
      // By halves, by the line through both ends, or, where the threshold was well chosen, near it.
      const double share = i % 3 == 2 ? 0.5 : over / (over - under);
      int middle = fills + static_cast<int>(share * (spares - fills));
      if (!all && i < 2) middle = std::min(middle, fills + 100 * (i + 1));
      middle = std::clamp(middle, fills + 1, spares - 1);
      const double excess = Excess(middle);
      (excess >= 0 ? fills : spares) = middle;
      (excess >= 0 ? over : under) = excess;
    }
    step_ = static_cast<StepCode>(fills);
    return true;
  }

  // The stream at the step found, or where its tables alone are too long at the next one, which fits as a whole.
  FastResult Finish() {
    FastResult result = FinishAt(step_);
    if (result.bytes.empty() && step_ < kCoarsestStep) result = FinishAt(static_cast<StepCode>(step_ + 1));
    return result;
  }

  // Without the last entries if they are too many; nothing if not even tables fit.
  FastResult FinishAt(StepCode step) {
    Quantise(step, &entries_);
    const SparseTables tables(entries_);
    FastResult result;
    result.trials = trials_;
    result.finest = finest_;
    result.step = step;
    const uint64_t fixed = 4096 * 8 * tables.FixedSize();
    if (entries_.empty() || fixed > Units()) return result;
    uint64_t used = fixed;
    size_t count = 0;
    while (count < entries_.size() && (used += tables.CostOf(entries_[count])) <= Units()) ++count;
    do {
      result.bytes.clear();
      AppendUpdateHeader(kFastVersion, step, &result.bytes);
      AppendSparseStream(tables, absl::MakeConstSpan(entries_).subspan(0, count), &result.bytes);
      if (count == 0) result.bytes.clear();
      if (result.bytes.size() > budget_) count -= count / 1000 + 1;
    } while (result.bytes.size() > budget_);
    return result;
  }

  const std::vector<absl::Span<const float>>& tensors_;
  const std::vector<size_t>& order_;
  const size_t budget_;
  uint64_t total_ = 0;
  double absmax_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<SparseEntry> entries_;
  StepCode step_ = kFinestStep;
  int trials_ = 0;
  bool finest_ = false;
};

}  // namespace

absl::StatusOr<FastResult> EncodeFast(const std::vector<absl::Span<const float>>& tensors,
                                      const std::vector<size_t>& order, size_t budget) {
  return FastEncoder(tensors, order, budget).Encode();
}

void FastDecoder::Advance() {
  pending_ = reader_.entries_left() > 0;
  if (!pending_) return;
  const SparseEntry entry = reader_.Next();
  gap_ = entry.gap;
  constexpr double kLargest = std::numeric_limits<float>::max();
  value_ = static_cast<float>(std::clamp(step_ * Reconstruct(entry.coefficient), -kLargest, kLargest));
}

void FastDecoder::Next(absl::Span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  uint64_t at = 0;
  while (pending_ && gap_ < out.size() - at) {
    at += gap_;
    out[static_cast<size_t>(at++)] = value_;
    Advance();
  }
  gap_ -= pending_ ? out.size() - at : 0;
}

absl::Status FastDecoder::Finish() const {
  if (!pending_) return reader_.Finish();
  return absl::InvalidArgumentError("a sparse update goes on after its last value");
}

}  // namespace thinwire
