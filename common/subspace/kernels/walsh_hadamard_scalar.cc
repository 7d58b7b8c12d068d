#include "common/subspace/kernels/walsh_hadamard_scalar.h"

namespace thinwire {
namespace scalar {

void WalshHadamardLevels(float* values, int from, int to) {
  const size_t count = size_t{1} << to;
  for (int level = from; level < to; ++level) {
    const size_t apart = size_t{1} << level;
    for (size_t i = 0; i < count; ++i) {
      if ((i & apart) != 0) continue;
      const float a = values[i], b = values[i + apart];
      values[i] = a + b;
      values[i + apart] = a - b;
    }
  }
}

}  // namespace scalar
}  // namespace thinwire
