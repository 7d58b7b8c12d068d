#include "common/rdu/coefficient_model.h"

namespace thinwire {
namespace {

// Priors: a context in which magnitudes have a certain mean. Squares of quarter powers of two as integers.
constexpr int kPriorCount = 3;

// 2^(i / 4), in units of 2^-16, of i = 0 .. 3.
constexpr uint64_t kQuarterPowers[] = {65536, 77936, 92682, 110218};

// The mean, in units of 2^-12, that QuarterLog gives `log` for.
uint64_t FromQuarterLog(uint32_t log) { return kQuarterPowers[log % 4] << (log / 4) >> 16; }
// And HalfLog.
uint64_t FromHalfLog(uint32_t log) { return FromQuarterLog(2 * log + 1); }

// A bit that is 1 with probability 0.8 mean / (1 + mean), within limits; `mean` in units of 2^-12.
AdaptiveBit Prior(uint64_t mean) {
  const uint64_t p = 52429 * mean / (4096 + mean);
  return AdaptiveBit(static_cast<int>(std::clamp<uint64_t>(p, 13, 64226)), kPriorCount);
}

}  // namespace

PlaneModel::PlaneModel() : tables_(&Logistic()) {
  for (auto& inputs : size_) {
    for (auto& bits : inputs) bits.fill(AdaptiveBit(28000, 0));
  }
  for (auto& bits : sign_) bits.fill(AdaptiveBit(32768, 4));
  for (auto& bits : segment_) bits.fill(AdaptiveBit(32768, 0));
  for (auto& bits : mantissa_) bits.fill(AdaptiveBit(30000, 4));
  zero_mixers_.fill(Mixer<8>(19660));
  size_mixers_.fill(Mixer<8>(19660));
  sign_mixer_ = Mixer<kSignInputs + 1>(26214);
  segment_mixer_ = Mixer<kSegmentInputs + 1>(26214);
  for (uint32_t i = 0; i < kZeroContexts; ++i) {
    const uint64_t geometric = FromQuarterLog(i / 32 + i % 32);  // of the means of two half logarithms
    zero_[0][i] = zero_[4][i] = Prior(geometric);
    const uint32_t four = i % 4 + i / 4 % 4 + i / 16 % 4 + i / 64 % 4;
    zero_[1][i] = Prior(i < 256 ? 1024 * four + 40 : 0);
    zero_[2][i] = Prior(FromHalfLog(std::min(i / 9, 31u)) / 2 + 614 * (i / 3 % 3 + i % 3));
    const uint64_t near = i / 24 == 0 ? 40 : FromHalfLog(i / 24) * 4096 / 14;
    zero_[3][i] = Prior((near + FromHalfLog(i % 24)) / 2);
    zero_[5][i] = Prior(FromQuarterLog(std::min(i / 4, 79u)));
    zero_[6][i] = Prior((FromHalfLog(i / 24) + (i % 24 == 0 ? 0 : FromHalfLog(i % 24) * 4096 / 14)) / 2);
  }
}

PlaneModel& CoefficientModel::Of(PlaneKind kind) {
  static const PlaneModel untaught;
  std::unique_ptr<PlaneModel>& plane = planes_[static_cast<size_t>(kind)];
  if (plane == nullptr) plane = std::make_unique<PlaneModel>(untaught);
  return *plane;
}

}  // namespace thinwire
