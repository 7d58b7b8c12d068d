// The Walsh-Hadamard transform in plain C++: what every other implementation must equal, bit for bit.
#ifndef THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_SCALAR_H_
#define THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_SCALAR_H_

#include <cstddef>

namespace thinwire {
namespace scalar {

// Levels `from` to `to` - 1 of 2^to values, in place: level l replaces each pair a, b of values whose indices differ in
// bit l alone, a's being the smaller, by a + b and a - b in binary32. All of them, 0 to log2(size) - 1, are the
// transform: out[i] is the sum over j of (-1)^popcount(i & j) in[j].
void WalshHadamardLevels(float* values, int from, int to);

}  // namespace scalar
}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_KERNELS_WALSH_HADAMARD_SCALAR_H_
