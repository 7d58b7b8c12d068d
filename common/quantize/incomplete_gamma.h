// Integrals of the gamma density over an interval, as logarithms, so that neither far tails nor large parameters
// overflow. For encoders only: they use libm, so their last bits may differ between machines. Pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_INCOMPLETE_GAMMA_H_
#define THINWIRE_COMMON_QUANTIZE_INCOMPLETE_GAMMA_H_

namespace thinwire {

// ln of the integral of t^(a-1) e^-t over t from x0 to x1, for a > 0 and 0 <= x0 <= x1; x1 may be infinite. Relative
// error of the integral about 1e-12 for a up to 1,000, also where it is a small difference of large numbers (narrow
// intervals) or far below the smallest double. -infinity for an empty interval.
double LogGammaInterval(double a, double x0, double x1);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_INCOMPLETE_GAMMA_H_
