#include "common/rdu/low_rank.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "common/base/target_clones.h"
#include "common/rdu/symmetric.h"

namespace thinwire {
namespace {

constexpr int kSteps = 3;
constexpr size_t kLanes = 8;
constexpr size_t kTile = 512;
constexpr size_t kBlock = 4;

// Room for sides of which kBlock are read at a time.
std::vector<double> Padded(const std::vector<double>& sides, size_t size) {
  std::vector<double> padded = sides;
  padded.resize(sides.size() + (kBlock - 1) * size);
  return padded;
}

// sums[b] = <row, sides + b * size> of kBlock sides, each in kLanes running sums. Several at a time, as each sum waits
// for itself.
TW_TARGET_CLONES void Dots(const float* row, const double* sides, size_t size, double* sums) {
  double lanes[kBlock][kLanes] = {};
  size_t j = 0;
  for (; j + kLanes <= size; j += kLanes) {
    for (size_t b = 0; b < kBlock; ++b) {
      for (size_t l = 0; l < kLanes; ++l) lanes[b][l] += static_cast<double>(row[j + l]) * sides[b * size + j + l];
    }
  }
  for (size_t l = 0; j < size; ++j, ++l) {
    for (size_t b = 0; b < kBlock; ++b) lanes[b][l] += static_cast<double>(row[j]) * sides[b * size + j];
  }
  for (size_t b = 0; b < kBlock; ++b) {
    sums[b] = 0;
    for (size_t l = 0; l < kLanes; ++l) sums[b] += lanes[b][l];
  }
}

// out[k * rows + i] = <row i, side k>. `sides` has room for a multiple of kBlock.
void RowDots(const MatrixView& matrix, const double* sides, size_t rank, double* out) {
  for (size_t i = 0; i < matrix.rows; ++i) {
    for (size_t k = 0; k < rank; k += kBlock) {
      double sums[kBlock];
      Dots(matrix.values + i * matrix.columns, sides + k * matrix.columns, matrix.columns, sums);
      for (size_t b = 0; b < kBlock && k + b < rank; ++b) out[(k + b) * matrix.rows + i] = sums[b];
    }
  }
}

TW_TARGET_CLONES void Widen(const float* row, size_t size, double* wide) {
  for (size_t j = 0; j < size; ++j) wide[j] = row[j];
}

// sum[j] += weights[0] * rows[0][j] + ... of kBlock rows, one after the other.
TW_TARGET_CLONES void AddRows(const double* weights, const double (*rows)[kTile], size_t size, double* sum) {
  for (size_t j = 0; j < size; ++j) {
    double value = sum[j];
    for (size_t b = 0; b < kBlock; ++b) value += weights[b] * rows[b][j];
    sum[j] = value;
  }
}

TW_TARGET_CLONES void AddRow(double weight, const double* row, size_t size, double* sum) {
  for (size_t j = 0; j < size; ++j) sum[j] += weight * row[j];
}

// out[k * columns + j] = sum over rows i, ascending, of weights[k * rows + i] * (row i)[j].
void RowSums(const MatrixView& matrix, const double* weights, size_t rank, double* out) {
  const size_t n = matrix.columns;
  std::fill(out, out + rank * n, 0.0);
  double wide[kBlock][kTile];
  for (size_t first = 0; first < n; first += kTile) {
    const size_t size = std::min(kTile, n - first);
    for (size_t i = 0; i < matrix.rows; i += kBlock) {
      const size_t count = std::min(kBlock, matrix.rows - i);
      for (size_t b = 0; b < count; ++b) Widen(matrix.values + (i + b) * n + first, size, wide[b]);
      for (size_t k = 0; k < rank; ++k) {
        const double* w = weights + k * matrix.rows + i;
        double* sum = out + k * n + first;
        if (count == kBlock) {
          AddRows(w, wide, size, sum);
        } else {
          for (size_t b = 0; b < count; ++b) AddRow(w[b], wide[b], size, sum);
        }
      }
    }
  }
}

// Adds the squares of a row to `columns`; returns their sum.
TW_TARGET_CLONES double AddSquares(const float* row, std::vector<double>* columns) {
  double lanes[kLanes] = {};
  double* out = columns->data();
  const size_t n = columns->size();
  for (size_t j = 0; j < n; ++j) {
    const double square = static_cast<double>(row[j]) * row[j];
    lanes[j % kLanes] += square;
    out[j] += square;
  }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

// Short sides to long ones and back.
void ToLong(const MatrixView& matrix, const std::vector<double>& short_side, size_t rank, std::vector<double>* out) {
  out->resize(rank * matrix.long_size());
  matrix.short_rows() ? RowSums(matrix, short_side.data(), rank, out->data())
                      : RowDots(matrix, Padded(short_side, matrix.columns).data(), rank, out->data());
}

void ToShort(const MatrixView& matrix, const std::vector<double>& long_side, size_t rank, std::vector<double>* out) {
  out->resize(rank * matrix.short_size());
  matrix.short_rows() ? RowDots(matrix, Padded(long_side, matrix.columns).data(), rank, out->data())
                      : RowSums(matrix, long_side.data(), rank, out->data());
}

// Numbers in -1 .. 1 from a linear congruential generator: any start does that is not orthogonal to what is looked for.
std::vector<double> Start(size_t size) {
  std::vector<double> start(size);
  uint64_t state = 1;
  for (double& x : start) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<double>(static_cast<int64_t>(state >> 32) - (int64_t{1} << 31)) / 2147483648.0;
  }
  return start;
}

// New components as combinations of old ones: row k of the result is sum over l of mix[l * rank + order[k]] side_l.
std::vector<double> Recombine(const std::vector<double>& side, size_t size, const std::vector<double>& mix,
                              const std::vector<size_t>& order, size_t rank) {
  std::vector<double> out(order.size() * size);
  for (size_t k = 0; k < order.size(); ++k) {
    std::vector<double> weights(rank);
    for (size_t l = 0; l < rank; ++l) weights[l] = mix[l * rank + order[k]];
    AddProductRow(weights.data(), side.data(), rank, size, out.data() + k * size);
  }
  return out;
}

}  // namespace

TW_TARGET_CLONES void AddProductRow(const double* weights, const double* sides, size_t rank, size_t columns,
                                    double* out) {
  for (size_t first = 0; first < columns; first += kTile) {
    const size_t last = std::min(first + kTile, columns);
    size_t k = 0;
    for (; k + kBlock <= rank; k += kBlock) {
      const double* side = sides + k * columns;
      for (size_t j = first; j < last; ++j) {
        double value = out[j];
        for (size_t b = 0; b < kBlock; ++b) value += weights[k + b] * side[b * columns + j];
        out[j] = value;
      }
    }
    for (; k < rank; ++k) {
      for (size_t j = first; j < last; ++j) out[j] += weights[k] * sides[k * columns + j];
    }
  }
}

Factors LeadingFactors(const MatrixView& matrix, size_t rank) {
  Factors factors;
  rank = std::min(rank, matrix.short_size());
  if (rank == 0) return factors;
  const size_t short_size = matrix.short_size(), long_size = matrix.long_size();
  std::vector<double> short_side = Start(rank * short_size), long_side;
  for (int step = 0; step < kSteps; ++step) {
    Orthonormalise(rank, short_size, short_side.data());
    ToLong(matrix, short_side, rank, &long_side);
    ToShort(matrix, long_side, rank, &short_side);
  }
  Orthonormalise(rank, short_size, short_side.data());
  ToLong(matrix, short_side, rank, &long_side);
  std::vector<double> gram = Gram(long_side.data(), rank, long_size), vectors;
  const std::vector<double> energy = Eigen(rank, &gram, &vectors);
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return energy[a] > energy[b]; });
  while (!order.empty() && !(energy[order.back()] > 1e-12 * energy[order.front()])) order.pop_back();
  factors.rank = order.size();
  factors.short_side = Recombine(short_side, short_size, vectors, order, rank);
  factors.long_side = Recombine(long_side, long_size, vectors, order, rank);
  for (const size_t k : order) factors.energy.push_back(energy[k]);
  return factors;
}

bool FitLongSide(const MatrixView& matrix, const std::vector<double>& short_side, size_t rank,
                 std::vector<double>* long_side) {
  ToLong(matrix, short_side, rank, long_side);
  std::vector<double> gram = Gram(short_side.data(), rank, matrix.short_size());
  return SolveInPlace(rank, &gram, matrix.long_size(), long_side->data());
}

void SideEnergies(const MatrixView& matrix, std::vector<double>* short_side, std::vector<double>* long_side) {
  std::vector<double>* rows = matrix.short_rows() ? short_side : long_side;
  std::vector<double>* columns = matrix.short_rows() ? long_side : short_side;
  rows->assign(matrix.rows, 0);
  columns->assign(matrix.columns, 0);
  for (size_t i = 0; i < matrix.rows; ++i) (*rows)[i] = AddSquares(matrix.values + i * matrix.columns, columns);
}

}  // namespace thinwire
