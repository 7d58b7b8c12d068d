#include "common/base/portable_math.h"

#include <cfloat>
#include <cstdint>
#include <cstring>

#include "common/base/target_clones.h"

namespace thinwire {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "extended precision would give other bits than other machines");

// ln 2 in two parts (fdlibm): the first has zeros at its end, so that k * kLn2High is exact for |k| < 2^11.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr uint64_t kFraction = (uint64_t{1} << 52) - 1;
constexpr int kLogTerms = 12;  // s <= 0.1716: the first term left out is below 1e-19
constexpr int kExpTerms = 15;  // |r| <= 0.3466: the first term left out is below 1e-20

uint64_t ToBits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

double FromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Both without branches, so that PortablePowers runs in vectors.
inline double Log(double x) {
  const uint64_t bits = ToBits(x), fraction = bits & kFraction;
  const uint64_t bias = fraction < (ToBits(kSqrtHalf) & kFraction) ? 1023 : 1022;
  const double mantissa = FromBits(fraction | bias << 52);  // sqrt(1/2) .. sqrt(2)
  const double exponent = static_cast<int>(bits >> 52) - static_cast<int>(bias);
  // log m = 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...), s = (m-1)/(m+1)
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int i = kLogTerms - 1; i >= 1; --i) sum = square * (sum + 1.0 / (2 * i + 1));
  return exponent * kLn2High + (2 * s + (2 * s * sum + exponent * kLn2Low));
}

inline double Exp(double x) {
  double capped = x < -708 ? -708.0 : x;
  capped = capped > 709 ? 709.0 : capped;
  const int k = static_cast<int>(capped / kLn2High + (capped < 0 ? -0.5 : 0.5));
  const double r = (capped - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int i = kExpTerms; i >= 1; --i) sum = 1 + r * sum / i;
  const auto power = static_cast<uint64_t>(x < -708 ? 0 : k + 1023);  // -1021 <= k <= 1023
  return sum * FromBits(power << 52);
}

}  // namespace

double PortableLog(double x) { return Log(x); }

double PortableExp(double x) { return Exp(x); }

TW_TARGET_CLONES void PortablePowers(double power, size_t count, double* x) {
  for (size_t i = 0; i < count; ++i) x[i] = Exp(power * Log(x[i]));
}

}  // namespace thinwire
