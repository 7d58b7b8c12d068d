// Polynomials of the normal generator, minimax on their ranges in binary32 (S. Moshier, Cephes 2.8: logf, sinf, cosf).
// Part of the definition of the random subspace: changing one changes every matrix with normal diagonals.
#ifndef THINWIRE_COMMON_SUBSPACE_KERNELS_NORMAL_CONSTANTS_H_
#define THINWIRE_COMMON_SUBSPACE_KERNELS_NORMAL_CONSTANTS_H_

#include <cstdint>

namespace thinwire {

// log(1 + f) = f - f^2 / 2 + f^3 * P(f) for sqrt(1/2) <= 1 + f < sqrt(2), highest power first.
constexpr float kLogTerms[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                               -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                               2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
// sin(x) = x + x^3 * P(x^2) and cos(x) = 1 - x^2 / 2 + x^4 * P(x^2) for |x| <= pi / 4.
constexpr float kSinTerms[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
constexpr float kCosTerms[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
constexpr float kLogOfTwo = 0.693147180559945309f;
constexpr float kHalfPi = 1.57079632679489662f;
// The bits of sqrt(1/2): numbers are split into 2^e * (1 + f) from there.
constexpr uint32_t kSqrtHalfBits = 0x3f3504f3;

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_NORMAL_CONSTANTS_H_
