// Logistic mixing of several predictions of one bit (Mahoney, "Adaptive weighing of context models for lossless data
// compression", 2005): log odds are weighted, added, and the weights follow the gradient of the code length. Integers.
#ifndef THINWIRE_COMMON_ENTROPY_MIXER_H_
#define THINWIRE_COMMON_ENTROPY_MIXER_H_

#include <array>
#include <cstdint>

#include "common/entropy/lanes.h"
#include "common/entropy/logistic.h"

namespace thinwire {

// kInputs: a power of two; what is more than there are inputs is 0, and its weights stay.
template <int kInputs>
class Mixer {
 public:
  using LogOdds = Lanes<int32_t, kInputs>;

  explicit Mixer(int32_t weight = 65536 / kInputs) {
    for (int i = 0; i < kInputs; ++i) weights_[i] = weight;
  }

  // The probability that the bit is 1; inputs are log odds.
  int Mix(const LogisticTables& tables, const LogOdds& inputs) const {
    int64_t sum = 1 << 15;
    for (int i = 0; i < kInputs; ++i) sum += int64_t{weights_[i]} * inputs[i];
    return Squash(tables, static_cast<int>(sum >> 16));
  }

  // `p` is what Mix gave for these inputs. `rate`: 8 learns quickly, 1 slowly; no more, for products of 32 bits.
  void Update(const LogOdds& inputs, int p, bool bit, int rate) {
    using Wrapping = Lanes<uint32_t, kInputs>;
    const int error = ((bit ? kProbabilityOne : 0) - p) * rate;
    const LogOdds change = (inputs * error + (1 << 17)) >> 18;
    weights_ = reinterpret_cast<LogOdds>(reinterpret_cast<Wrapping>(weights_) + reinterpret_cast<Wrapping>(change));
  }

 private:
  LogOdds weights_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_MIXER_H_
