#include "common/rdu/rate_model.h"

#include <algorithm>
#include <cmath>

#include "common/rdu/plane_coder.h"

namespace thinwire {
namespace {

// By half octaves of variance, from 2^-8: least error + 0.12 bits of a Laplace density with a uniform quantiser whose
// zero is as wide as it pays, integrated numerically; and its bits. Below about 2^-3 densities met in practice have
// heavier tails, so the bits fall off more slowly here than Laplace's would.
constexpr int kFirstClass = -16, kClasses = 41;
constexpr double kLeastSums[kClasses] = {
    0.003906, 0.005524, 0.007813, 0.01105, 0.01563, 0.0221, 0.03125, 0.04418, 0.06221, 0.08596, 0.1147,
    0.1467,   0.1802,   0.214,    0.2473,  0.28,    0.3119, 0.3433,  0.3742,  0.4049,  0.4354,  0.4657,
    0.4961,   0.5264,   0.5566,   0.5869,  0.6171,  0.6473, 0.6775,  0.7076,  0.7378,  0.7679,  0.798,
    0.8281,   0.8582,   0.8882,   0.9183,  0.9483,  0.9784, 1.008,   1.038};
constexpr double kBits[kClasses] = {0.0005, 0.0008, 0.0012, 0.002, 0.004, 0.008, 0.016, 0.03,  0.06,  0.12,  0.2486,
                                    0.4784, 0.7555, 1.042,  1.344, 1.619, 1.894, 2.164, 2.428, 2.688, 2.943, 3.19,
                                    3.438,  3.69,   3.938,  4.188, 4.438, 4.688, 4.938, 5.188, 5.439, 5.689, 5.94,
                                    6.19,   6.44,   6.691,  6.941, 7.191, 7.441, 7.692, 7.942};
// A class has half an octave more than the one before.
constexpr double kBitsPerClass = 0.25;

// Factors turn out dearer than that, as there is less of them to learn from.
constexpr double kFactorCaution = 1.1;

// floor(2 log2 x), from the bits of x: no logarithm.
int ClassOf(double x) {
  constexpr int kZeroClass = -4096;
  if (!(x > 0)) return kZeroClass;
  int exponent;
  const double mantissa = std::frexp(x, &exponent);  // 0.5 .. 1
  return 2 * exponent - (mantissa < 0.70710678118654752 ? 2 : 1);
}

CostEstimate CostOfClass(int variance) {
  const int i = variance - kFirstClass;
  if (i < 0) {
    const double scale = i < -60 ? 0 : 1.0 / static_cast<double>(int64_t{1} << (-i / 2));
    return {kLeastSums[0] * scale, kBits[0] * scale};
  }
  if (i < kClasses) return {kLeastSums[i], kBits[i]};
  const double more = (i - kClasses + 1) * kBitsPerClass;
  return {kLeastSums[kClasses - 1] + kSlope * more, kBits[kClasses - 1] + more};
}

// How far x is into its class, 0 .. 1.
double PartOfClass(double x) {
  int exponent;
  const double mantissa = std::frexp(x, &exponent), half = 0.70710678118654752;
  return mantissa < half ? (mantissa - 0.5) / (half - 0.5) : (mantissa - half) / (1 - half);
}

double Sum(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum;
}

// Energies that are 0 are left out: so is what they would cost.
VarianceCounts CountClasses(const std::vector<double>& energies) {
  VarianceCounts counts;
  counts.total = Sum(energies);
  int last = counts.first;
  bool any = false;
  for (const double energy : energies) {
    if (!(energy > 0)) continue;
    const int c = ClassOf(energy);
    counts.first = any ? std::min(counts.first, c) : c;
    last = any ? std::max(last, c) : c;
    any = true;
  }
  if (!any) return counts;
  counts.counts.resize(static_cast<size_t>(last - counts.first) + 1);
  for (const double energy : energies) {
    if (energy > 0) ++counts.counts[static_cast<size_t>(ClassOf(energy) - counts.first)];
  }
  return counts;
}

// Of all products of one energy of each.
VarianceCounts Products(const VarianceCounts& a, const VarianceCounts& b) {
  VarianceCounts counts;
  counts.total = a.total;
  if (a.counts.empty() || b.counts.empty()) return counts;
  counts.first = a.first + b.first;
  counts.counts.resize(a.counts.size() + b.counts.size() - 1);
  for (size_t i = 0; i < a.counts.size(); ++i) {
    for (size_t j = 0; j < b.counts.size(); ++j) counts.counts[i + j] += a.counts[i] * b.counts[j];
  }
  return counts;
}

// Of values whose variances are those times `scale`; `halves` is how many half classes they were rounded down by.
// The scale is not rounded, so that costs run smoothly with it.
CostEstimate CostOf(const VarianceCounts& variances, double scale, int halves) {
  CostEstimate cost;
  const double part = PartOfClass(scale) + 0.5 * halves;
  const int first = variances.first + ClassOf(scale) + static_cast<int>(part);
  const double fraction = part - static_cast<int>(part);
  CostEstimate low = CostOfClass(first);
  for (size_t i = 0; i < variances.counts.size(); ++i) {
    const CostEstimate high = CostOfClass(first + static_cast<int>(i) + 1);
    const double count = variances.counts[i];
    cost +=
        {count * (low.sum + fraction * (high.sum - low.sum)), count * (low.bits + fraction * (high.bits - low.bits))};
    low = high;
  }
  return cost;
}

// energies[i] -= scale * side[i]^2, at least 0.
void TakeAway(const double* side, double scale, std::vector<double>* energies) {
  for (size_t i = 0; i < energies->size(); ++i) {
    (*energies)[i] = std::max(0.0, (*energies)[i] - scale * side[i] * side[i]);
  }
}

}  // namespace

TensorStatistics::TensorStatistics(const MatrixView& matrix, size_t max_rank) : matrix_(matrix) {
  std::vector<double> short_left, long_left;
  SideEnergies(matrix_, &short_left, &long_left);
  energy_ = Sum(short_left);
  for (size_t i = 0; i < matrix_.size(); ++i) {
    absmax_ = std::max(absmax_, static_cast<double>(std::fabs(matrix_.values[i])));
  }
  if (!(energy_ > 0)) return;
  // What a column of one value holds is that value, and says nothing of what to expect.
  if (matrix_.short_size() == 1) {
    std::fill(long_left.begin(), long_left.end(), energy_ / static_cast<double>(long_left.size()));
  }
  factors_ = LeadingFactors(matrix_, std::min(max_rank, matrix_.max_rank()));
  short_side_ = CountClasses(short_left);
  long_side_ = CountClasses(long_left);
  for (size_t rank = 0; rank <= factors_.rank; ++rank) {
    rest_.push_back(Products(CountClasses(short_left), CountClasses(long_left)));
    if (rank == factors_.rank) break;
    TakeAway(factors_.short_side.data() + rank * matrix_.short_size(), factors_.energy[rank], &short_left);
    TakeAway(factors_.long_side.data() + rank * matrix_.long_size(), 1, &long_left);
  }
}

RankChoice TensorStatistics::ChooseRank(double step) const {
  RankChoice best;
  if (!(energy_ > 0) || absmax_ < 0.5 * step) return best;
  CostEstimate factors;
  for (size_t rank = 0; rank <= factors_.rank; ++rank) {
    CostEstimate cost = {kFactorCaution * factors.sum, factors.bits};
    if (rest_[rank].total > 0) cost += CostOf(rest_[rank], 1 / (rest_[rank].total * step * step), 2);
    if (rank == 0 || cost.sum < best.cost.sum) best = {rank, cost};
    if (rank == factors_.rank) break;
    const double scale = factors_.energy[rank] / (energy_ * step * step);
    factors += CostOf(short_side_, scale, 1);
    factors += CostOf(long_side_, scale, 1);
  }
  return best;
}

}  // namespace thinwire
