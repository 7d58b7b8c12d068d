// The fast Walsh-Hadamard transform.
#ifndef THINWIRE_COMMON_SUBSPACE_WALSH_HADAMARD_H_
#define THINWIRE_COMMON_SUBSPACE_WALSH_HADAMARD_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace thinwire {

constexpr int kMaxWalshLevels = 30;

// In place, UNNORMALISED, in natural (Sylvester) order:
//   out[i] = sum over j of (-1)^popcount(i & j) in[j].
// The matrix H is symmetric and H H = size * I: transforming twice multiplies by the size; times 1 / sqrt(size) it is
// orthonormal. INVALID_ARGUMENT unless the size is a power of two from 1 to 2^kMaxWalshLevels.
//
// Binary32 butterflies, from index bit 0 to the highest, so that finite values give the same bits on every CPU; the
// relative error in the 2-norm grows with log2(size), about 2e-7 at 2^24. Magnitudes grow by up to `size`. Takes no
// extra memory up to 2^16 values and at most 2 MiB beyond. Thread-safe on different values; runs on the calling thread.
absl::Status WalshHadamard(absl::Span<float> values);

// The same of a vector of which only the first `live_in` values are looked at (the others count as zero, whatever they
// hold) and only the first `live_out` results are wanted (the others hold anything afterwards): what is zero or not
// wanted is skipped block by block. Neither may pass the size.
absl::Status WalshHadamardOfPart(absl::Span<float> values, size_t live_in, size_t live_out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_WALSH_HADAMARD_H_
