// Logistic mixing of several predictions of one bit (Mahoney, "Adaptive weighing of context models for lossless data
// compression", 2005): log odds are weighted, added, and the weights follow the gradient of the code length. Integers.
#ifndef THINWIRE_COMMON_ENTROPY_MIXER_H_
#define THINWIRE_COMMON_ENTROPY_MIXER_H_

#include <array>
#include <cstdint>

#include "common/entropy/logistic.h"

namespace thinwire {

template <int kInputs>
class Mixer {
 public:
  using LogOdds = std::array<int32_t, kInputs>;

  explicit Mixer(int32_t weight = 65536 / kInputs) { weights_.fill(weight); }

  // The probability that the bit is 1; inputs are log odds.
  int Mix(const LogisticTables& tables, const LogOdds& inputs) const {
    int64_t sum = 1 << 15;
    for (int i = 0; i < kInputs; ++i) sum += int64_t{weights_[i]} * inputs[i];
    return Squash(tables, static_cast<int>(sum >> 16));
  }

  // `p` is what Mix gave for these inputs. `rate`: 8 learns quickly, 1 slowly.
  void Update(const LogOdds& inputs, int p, bool bit, int rate) {
    const int error = ((bit ? kProbabilityOne : 0) - p) * rate;
    for (int i = 0; i < kInputs; ++i) {
      const auto change = static_cast<uint32_t>((int64_t{inputs[i]} * error + (1 << 17)) >> 18);
      weights_[i] = static_cast<int32_t>(static_cast<uint32_t>(weights_[i]) + change);  // wraps, whatever the bytes
    }
  }

 private:
  std::array<int32_t, kInputs> weights_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_MIXER_H_
