#include "server/aggregate/fetch_sgd.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/sketch/count_sketch.h"
#include "common/sketch/top_k.h"

namespace thinwire {
namespace {

void Accumulate(double factor, absl::Span<const float> mean, absl::Span<float> momentum, absl::Span<float> error) {
  for (size_t i = 0; i < mean.size(); ++i) {
    momentum[i] = static_cast<float>(factor * momentum[i] + mean[i]);
    error[i] += momentum[i];
  }
}

SparseEntries LargestEstimates(const CountSketch& sketch, uint64_t k, uint64_t dimension,
                               absl::Span<const float> table) {
  constexpr uint64_t kPiece = 4096;
  TopKSelector selector(static_cast<size_t>(std::min(k, dimension)));
  std::array<float, kPiece> estimates;
  for (uint64_t first = 0; first < dimension; first += kPiece) {
    const auto count = static_cast<size_t>(std::min(kPiece, dimension - first));
    for (size_t i = 0; i < count; ++i) estimates[i] = sketch.Estimate(table, first + i);
    selector.Add(first, absl::MakeConstSpan(estimates.data(), count));
  }
  return selector.Take();
}

// Only the entries that move something.
SparseEntries WithoutZeros(const SparseEntries& entries) {
  SparseEntries moving;
  for (size_t i = 0; i < entries.values.size(); ++i) {
    if (entries.values[i] == 0) continue;
    moving.positions.push_back(entries.positions[i]);
    moving.values.push_back(entries.values[i]);
  }
  return moving;
}

// Takes what was applied out of both tables.
void Remove(const SketchPlan& plan, const CountSketch& sketch, const SparseEntries& step, absl::Span<float> momentum,
            absl::Span<float> error) {
  CountSketch::Cells cells;
  for (size_t i = 0; i < step.positions.size(); ++i) {
    sketch.Find(step.positions[i], &cells);
    for (uint32_t row = 0; row < sketch.rows(); ++row) {
      float& cell = error[cells[row].index];
      momentum[cells[row].index] = 0;
      cell = !plan.subtract ? 0 : cells[row].negative ? cell + step.values[i] : cell - step.values[i];
    }
  }
}

}  // namespace

SparseEntries FetchSgdStep(const SketchPlan& plan, uint64_t seed, uint64_t dimension, absl::Span<const float> mean,
                           absl::Span<float> momentum, absl::Span<float> error) {
  const CountSketch sketch(plan, seed);
  Accumulate(plan.momentum, mean, momentum, error);
  const SparseEntries step = WithoutZeros(LargestEstimates(sketch, plan.k, dimension, error));
  Remove(plan, sketch, step, momentum, error);
  return step;
}

}  // namespace thinwire
