// The leading part of a matrix as a product of two thin factors, for an encoder: subspace iteration with Rayleigh-Ritz
// (Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 2011), from a fixed start, with a fixed
// count of steps and a fixed order of all sums, so that an update is coded to the same bytes on every machine.
#ifndef THINWIRE_COMMON_RDU_LOW_RANK_H_
#define THINWIRE_COMMON_RDU_LOW_RANK_H_

#include <cstddef>
#include <vector>

#include "common/rdu/matrix_shape.h"

namespace thinwire {

// A matrix in row-major order that lives elsewhere.
struct MatrixView : MatrixShape {
  const float* values = nullptr;
};

// matrix ~ sum over k of short_k long_k^T (or its transpose), components in descending order of energy.
struct Factors {
  size_t rank = 0;
  std::vector<double> short_side;  // rank x short_size; orthonormal
  std::vector<double> long_side;   // rank x long_size; the matrix seen from the short side
  std::vector<double> energy;      // squared norms of the long side's rows
};

// At most `rank` components, fewer if the matrix has no more.
Factors LeadingFactors(const MatrixView& matrix, size_t rank);

// The long side that, with this short side, comes nearest to the matrix: least squares. False if the short side's
// components are not independent.
bool FitLongSide(const MatrixView& matrix, const std::vector<double>& short_side, size_t rank,
                 std::vector<double>* long_side);

// out[j] += a row of the product: sum over k, ascending, of weights[k] * sides[k * columns + j].
void AddProductRow(const double* weights, const double* sides, size_t rank, size_t columns, double* out);

// Sums of squares along either side.
void SideEnergies(const MatrixView& matrix, std::vector<double>* short_side, std::vector<double>* long_side);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_LOW_RANK_H_
