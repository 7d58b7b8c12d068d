#include "common/rdu/symmetric.h"

#include <algorithm>
#include <cmath>

#include "common/base/target_clones.h"

namespace thinwire {
namespace {

constexpr size_t kLanes = 8;

TW_TARGET_CLONES double Dot(const double* a, const double* b, size_t size) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  }
  for (size_t l = 0; i < size; ++i, ++l) lanes[l] += a[i] * b[i];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

// a -= factor * b
TW_TARGET_CLONES void Subtract(double factor, const double* b, size_t size, double* a) {
  for (size_t i = 0; i < size; ++i) a[i] -= factor * b[i];
}

// Rows and columns p and q of the matrix turn so that its entry (p, q) vanishes.
void Rotate(size_t n, size_t p, size_t q, double* a, double* vectors) {
  const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
  const double t = (theta >= 0 ? 1.0 : -1.0) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  const auto turn = [c, s](double* x, double* y) {
    const double old = *x;
    *x = c * old - s * *y;
    *y = s * old + c * *y;
  };
  for (size_t k = 0; k < n; ++k) turn(&a[k * n + p], &a[k * n + q]);
  for (size_t k = 0; k < n; ++k) turn(&a[p * n + k], &a[q * n + k]);
  for (size_t k = 0; k < n; ++k) turn(&vectors[k * n + p], &vectors[k * n + q]);
}

// matrix = L L^T, L in the lower triangle.
bool Cholesky(size_t n, double* a) {
  for (size_t k = 0; k < n; ++k) {
    const double before = a[k * n + k];
    for (size_t i = k; i < n; ++i) a[i * n + k] -= Dot(a + i * n, a + k * n, k);
    if (!(a[k * n + k] > 1e-6 * before)) return false;
    const double root = std::sqrt(a[k * n + k]);
    for (size_t i = k; i < n; ++i) a[i * n + k] /= root;
  }
  return true;
}

void Scale(double factor, size_t size, double* a) {
  for (size_t i = 0; i < size; ++i) a[i] *= factor;
}

}  // namespace

void Orthonormalise(size_t count, size_t size, double* vectors) {
  for (size_t k = 0; k < count; ++k) {
    double* v = vectors + k * size;
    const double before = Dot(v, v, size);
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t l = 0; l < k; ++l) Subtract(Dot(v, vectors + l * size, size), vectors + l * size, size, v);
    }
    const double after = Dot(v, v, size);
    Scale(after > 1e-20 * before ? 1 / std::sqrt(after) : 0, size, v);
  }
}

std::vector<double> Gram(const double* vectors, size_t count, size_t size) {
  std::vector<double> gram(count * count);
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = 0; b <= a; ++b) {
      gram[a * count + b] = gram[b * count + a] = Dot(vectors + a * size, vectors + b * size, size);
    }
  }
  return gram;
}

std::vector<double> Eigen(size_t count, std::vector<double>* matrix, std::vector<double>* vectors) {
  constexpr int kSweeps = 12;
  double* a = matrix->data();
  vectors->assign(count * count, 0);
  for (size_t i = 0; i < count; ++i) (*vectors)[i * count + i] = 1;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t p = 0; p < count; ++p) {
      for (size_t q = p + 1; q < count; ++q) {
        const double size = std::fabs(a[p * count + p]) + std::fabs(a[q * count + q]);
        if (std::fabs(a[p * count + q]) > 1e-18 * size) Rotate(count, p, q, a, vectors->data());
      }
    }
  }
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = a[i * count + i];
  return values;
}

bool SolveInPlace(size_t count, std::vector<double>* matrix, size_t size, double* b) {
  double* a = matrix->data();
  if (!Cholesky(count, a)) return false;
  for (size_t k = 0; k < count; ++k) {
    for (size_t l = 0; l < k; ++l) Subtract(a[k * count + l], b + l * size, size, b + k * size);
    Scale(1 / a[k * count + k], size, b + k * size);
  }
  for (size_t k = count; k-- > 0;) {
    for (size_t l = k + 1; l < count; ++l) Subtract(a[l * count + k], b + l * size, size, b + k * size);
    Scale(1 / a[k * count + k], size, b + k * size);
  }
  return true;
}

}  // namespace thinwire
