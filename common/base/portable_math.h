// log and exp from IEEE basic operations alone. libm's results differ between machines in the last bit, and one bit can
// move a sample to another client; these give the same bits wherever doubles are IEEE 754 and nothing is contracted.
#ifndef THINWIRE_COMMON_BASE_PORTABLE_MATH_H_
#define THINWIRE_COMMON_BASE_PORTABLE_MATH_H_

#include <cstddef>

namespace thinwire {

// Natural logarithm of a positive, finite, normal number. Relative error below 1e-15, absolute near 1.
double PortableLog(double x);

// e^x for finite x; 0 below -708 (where libm gives numbers under 1e-307), and x is capped at 709.
double PortableExp(double x);

// x[i] becomes PortableExp(power * PortableLog(x[i])), bit for bit, but several at a time.
void PortablePowers(double power, size_t count, double* x);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_PORTABLE_MATH_H_
