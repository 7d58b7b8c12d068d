// Small dense linear algebra in double, plain and in a fixed order: sets of `count` vectors of `size` entries, one
// after the other, and symmetric matrices of count x count. Square roots are its only function.
#ifndef THINWIRE_COMMON_RDU_SYMMETRIC_H_
#define THINWIRE_COMMON_RDU_SYMMETRIC_H_

#include <cstddef>
#include <vector>

namespace thinwire {

// Gram-Schmidt, twice. A vector that depends on those before becomes zero.
void Orthonormalise(size_t count, size_t size, double* vectors);

// All inner products.
std::vector<double> Gram(const double* vectors, size_t count, size_t size);

// Eigenvalues, in no order; column k of `vectors` belongs to value k. Cyclic Jacobi; `matrix` is spent.
std::vector<double> Eigen(size_t count, std::vector<double>* matrix, std::vector<double>* vectors);

// Solves matrix * x = b for each of `size` columns of b (count x size), in place, by Cholesky. False if the matrix is
// not safely positive definite. `matrix` is spent.
bool SolveInPlace(size_t count, std::vector<double>* matrix, size_t size, double* b);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_SYMMETRIC_H_
