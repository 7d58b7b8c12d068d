#include "common/quantize/incomplete_gamma.h"

#include <cmath>
#include <initializer_list>

namespace thinwire {
namespace {

constexpr double kTiny = 1e-300;
constexpr double kPrecision = 1e-16;
constexpr int kMaxTerms = 20000;

double LogGamma(double a) {
  int sign = 0;
  return ::lgamma_r(a, &sign);  // std::lgamma writes a global
}

// gamma(a, x) e^x x^-a by its power series, for x up to about a.
double LowerScaled(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; n < kMaxTerms && term > sum * kPrecision; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

// Gamma(a, x) e^x x^-a by Legendre's continued fraction (Lentz's method), for x above about a.
double UpperScaled(double a, double x) {
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double fraction = d;
  for (int n = 1; n < kMaxTerms; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = numerator * d + b;
    d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
    c = b + numerator / c;
    if (std::fabs(c) < kTiny) c = kTiny;
    const double factor = c * d;
    fraction *= factor;
    if (std::fabs(factor - 1) < kPrecision * 4) break;
  }
  return fraction;
}

double LogLower(double a, double x) { return x <= 0 ? -HUGE_VAL : a * std::log(x) - x + std::log(LowerScaled(a, x)); }
double LogUpper(double a, double x) {
  return std::isinf(x) ? -HUGE_VAL : a * std::log(x) - x + std::log(UpperScaled(a, x));
}

// ln(e^p - e^q) for p >= q.
double LogDifference(double p, double q) {
  if (!(p > q)) return -HUGE_VAL;
  return p + std::log1p(-std::exp(q - p));
}

// Narrow intervals, by Gauss-Legendre quadrature in y = ln t, where the integrand e^(a y - e^y) is entire.
double LogNarrow(double a, double y0, double y1) {
  static constexpr double kNodes[8] = {0.0950125098376374, 0.2816035507792589, 0.4580167776572274, 0.6178762444026438,
                                       0.7554044083550030, 0.8656312023878318, 0.9445750230732326, 0.9894009349916499};
  static constexpr double kWeights[8] = {0.1894506104550685, 0.1826034150449236, 0.1691565193950025,
                                         0.1495959888165767, 0.1246289712555339, 0.0951585116824928,
                                         0.0622535239386479, 0.0271524594117541};
  const double middle = (y0 + y1) / 2;
  const double half = (y1 - y0) / 2;
  const double reference = a * middle - std::exp(middle);
  double sum = 0;
  for (int i = 0; i < 8; ++i) {
    for (const double y : {middle - half * kNodes[i], middle + half * kNodes[i]}) {
      sum += kWeights[i] * std::exp(a * y - std::exp(y) - reference);
    }
  }
  return reference + std::log(half * sum);
}

bool IsNarrow(double a, double x0, double x1) {
  if (!(x0 > 0) || std::isinf(x1)) return false;
  const double width = std::log(x1 / x0);
  return width < 1 && width * std::fmax(std::fabs(a - x0), std::fabs(a - x1)) < 8;
}

}  // namespace

double LogGammaInterval(double a, double x0, double x1) {
  if (!(x1 > x0)) return -HUGE_VAL;
  if (IsNarrow(a, x0, x1)) return LogNarrow(a, std::log(x0), std::log(x1));
  if (x0 >= a + 1) return LogDifference(LogUpper(a, x0), LogUpper(a, x1));
  if (x1 <= a + 1) return LogDifference(LogLower(a, x1), LogLower(a, x0));
  const double whole = LogGamma(a);
  const double left_out = std::exp(LogLower(a, x0) - whole) + std::exp(LogUpper(a, x1) - whole);
  return whole + std::log1p(-left_out);
}

}  // namespace thinwire
