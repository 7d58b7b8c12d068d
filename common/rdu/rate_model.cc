#include "common/rdu/rate_model.h"

#include <algorithm>
#include <cmath>

#include "common/rdu/plane_coder.h"

namespace thinwire {
namespace {

// By half octaves of variance, from 2^-8: least error + 0.15 bits of a Laplace density with a uniform quantiser whose
// zero is as wide as it pays, integrated numerically; and its bits. Below about 2^-3 densities met in practice have
// heavier tails, so the bits fall off more slowly here than Laplace's would.
constexpr int kFirstClass = -16, kClasses = 41;
constexpr double kLeastSums[kClasses] = {
    0.003906, 0.005524, 0.007813, 0.01105, 0.01563, 0.0221, 0.03125, 0.0442, 0.06243, 0.08773, 0.1205,
    0.159,    0.2008,   0.2436,   0.2861,  0.3277,  0.3683, 0.4079,  0.4468, 0.4853,  0.5235,  0.5614,
    0.5992,   0.637,    0.6748,   0.7125,  0.7502,  0.7879, 0.8256,  0.8633, 0.9009,  0.9386,  0.9762,
    1.014,    1.051,    1.089,    1.126,   1.164,   1.202,  1.239,   1.277};
constexpr double kBits[kClasses] = {0.0005, 0.0008, 0.0012, 0.002, 0.004, 0.007, 0.013, 0.023, 0.042, 0.075, 0.141,
                                    0.338,  0.623,  0.925,  1.257, 1.566, 1.848, 2.145, 2.414, 2.677, 2.935, 3.184,
                                    3.438,  3.687,  3.938,  4.188, 4.438, 4.688, 4.938, 5.188, 5.439, 5.689, 5.94,
                                    6.19,   6.44,   6.691,  6.941, 7.191, 7.441, 7.692, 7.942};
// A class has half an octave more than the one before.
constexpr double kBitsPerClass = 0.25;

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

// How many energies are in each class.
class Histogram {
 public:
  explicit Histogram(const std::vector<double>& energies) {
    std::vector<int> classes(energies.size());
    std::transform(energies.begin(), energies.end(), classes.begin(), ClassOf);
    first_ = *std::min_element(classes.begin(), classes.end());
    counts_.resize(static_cast<size_t>(*std::max_element(classes.begin(), classes.end()) - first_) + 1);
    for (const int c : classes) ++counts_[static_cast<size_t>(c - first_)];
  }

  template <typename Visit>  // visit(class, count)
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) visit(first_ + static_cast<int>(i), static_cast<double>(counts_[i]));
    }
  }

 private:
  int first_ = 0;
  std::vector<size_t> counts_;
};

// How far x is into its class, 0 .. 1.
double PartOfClass(double x) {
  int exponent;
  const double mantissa = std::frexp(x, &exponent), half = 0.70710678118654752;
  return mantissa < half ? (mantissa - 0.5) / (half - 0.5) : (mantissa - half) / (1 - half);
}

// All values whose variances are products of one energy of each side times `scale`. Energies are taken by their class,
// the scale as it is, so that costs run smoothly with it.
CostEstimate CostOfProduct(const Histogram& a, const Histogram& b, double scale) {
  CostEstimate cost;
  const int scale_class = ClassOf(scale) + 1;  // 1: both energies were rounded down, by half a class on average
  const double part = PartOfClass(scale);
  a.ForEach([&](int a_class, double a_count) {
    b.ForEach([&](int b_class, double b_count) {
      const CostEstimate low = CostOfClass(a_class + b_class + scale_class);
      const CostEstimate high = CostOfClass(a_class + b_class + scale_class + 1);
      const double count = a_count * b_count;
      cost += {count * (low.sum + part * (high.sum - low.sum)), count * (low.bits + part * (high.bits - low.bits))};
    });
  });
  return cost;
}

CostEstimate CostOfRow(const Histogram& columns, double scale) {
  return CostOfProduct(Histogram({1.0}), columns, scale);
}

double Sum(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum;
}

// energies[i] -= scale * side[i]^2, at least 0.
void TakeAway(const double* side, double scale, std::vector<double>* energies) {
  for (size_t i = 0; i < energies->size(); ++i) {
    (*energies)[i] = std::max(0.0, (*energies)[i] - scale * side[i] * side[i]);
  }
}

}  // namespace

TensorStatistics::TensorStatistics(const MatrixView& matrix, size_t max_rank) : matrix_(matrix) {
  SideEnergies(matrix_, &short_energy_, &long_energy_);
  energy_ = Sum(short_energy_);
  for (size_t i = 0; i < matrix_.size(); ++i) {
    absmax_ = std::max(absmax_, static_cast<double>(std::fabs(matrix_.values[i])));
  }
  if (energy_ > 0) factors_ = LeadingFactors(matrix_, std::min(max_rank, matrix_.max_rank()));
}

RankChoice TensorStatistics::ChooseRank(double step) const {
  RankChoice best;
  if (!(energy_ > 0) || absmax_ < 0.5 * step) return best;
  std::vector<double> short_left = short_energy_, long_left = long_energy_;
  const Histogram short_side(short_energy_), long_side(long_energy_);
  double left = energy_;
  CostEstimate factors;
  for (size_t rank = 0; rank <= factors_.rank; ++rank) {
    CostEstimate cost = factors;
    if (left > 0) cost += CostOfProduct(Histogram(short_left), Histogram(long_left), 1 / (left * step * step));
    if (rank == 0 || cost.sum < best.cost.sum) best = {rank, cost};
    if (rank == factors_.rank) break;
    const double energy = factors_.energy[rank];
    const double scale = energy / (energy_ * step * step);
    factors += CostOfRow(short_side, scale);
    factors += CostOfRow(long_side, scale);
    TakeAway(factors_.short_side.data() + rank * matrix_.short_size(), energy, &short_left);
    TakeAway(factors_.long_side.data() + rank * matrix_.long_size(), 1, &long_left);
    left = Sum(short_left);
  }
  return best;
}

}  // namespace thinwire
