#include "common/base/portable_math.h"

#include <cfloat>
#include <cstdint>
#include <cstring>

namespace thinwire {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "extended precision would give other bits than other machines");

// ln 2 in two parts (fdlibm): the first has zeros at its end, so that k * kLn2High is exact for |k| < 2^11.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr int kLogTerms = 12;  // s <= 0.1716: the first term left out is below 1e-19
constexpr int kExpTerms = 15;  // |r| <= 0.3466: the first term left out is below 1e-20

double FromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace

double PortableLog(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  int exponent = static_cast<int>(bits >> 52) - 1022;
  double mantissa = FromBits((bits & ((uint64_t{1} << 52) - 1)) | (uint64_t{1022} << 52));  // [0.5, 1)
  if (mantissa < kSqrtHalf) {
    mantissa *= 2;
    --exponent;
  }
  // log m = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...), s = (m-1)/(m+1)
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int i = kLogTerms - 1; i >= 1; --i) sum = square * (sum + 1.0 / (2 * i + 1));
  return exponent * kLn2High + (2 * s + (2 * s * sum + exponent * kLn2Low));
}

double PortableExp(double x) {
  if (x < -708) return 0;
  if (x > 709) x = 709;
  const int k = static_cast<int>(x / kLn2High + (x < 0 ? -0.5 : 0.5));
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int i = kExpTerms; i >= 1; --i) sum = 1 + r * sum / i;
  return sum * FromBits(static_cast<uint64_t>(k + 1023) << 52);  // 2^k: -1021 <= k <= 1023
}

}  // namespace thinwire
