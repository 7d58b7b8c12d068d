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

CoefficientModel::CoefficientModel() : tables_(Logistic()) {
  for (auto& bits : zero_) bits.assign(kPlaneKinds * kZeroContexts, AdaptiveBit());
  for (auto& bits : size_) bits.assign(kPlaneKinds * kSizeFlags * kSizeContexts, AdaptiveBit(28000, 0));
  for (auto& bits : sign_) bits.assign(kPlaneKinds * kSignContexts, AdaptiveBit(32768, 4));
  for (auto& bits : segment_) bits.assign(kPlaneKinds * kSegmentContexts, AdaptiveBit(32768, 0));
  mantissa_.assign(kPlaneKinds * (kMaxMagnitudeBits + 1) * 4, AdaptiveBit(30000, 4));
  zero_mixers_.assign(kPlaneKinds * 5, Mixer<kZeroInputs + 1>(19660));
  size_mixers_.assign(kPlaneKinds * kSizeFlags, Mixer<kSizeInputs + 1>(19660));
  sign_mixers_.assign(kPlaneKinds, Mixer<kSignInputs + 1>(26214));
  segment_mixers_.assign(kPlaneKinds, Mixer<kSegmentInputs + 1>(26214));
  for (size_t kind = 0; kind < kPlaneKinds; ++kind) {
    const size_t base = kind * kZeroContexts;
    for (uint32_t i = 0; i < kZeroContexts; ++i) {
      const uint64_t geometric = FromQuarterLog(i / 32 + i % 32);  // of the means of two half logarithms
      zero_[0][base + i] = zero_[4][base + i] = Prior(geometric);
      const uint32_t four = i % 4 + i / 4 % 4 + i / 16 % 4 + i / 64 % 4;
      zero_[1][base + i] = Prior(i < 256 ? 1024 * four + 40 : 0);
      zero_[2][base + i] = Prior(FromHalfLog(std::min(i / 9, 31u)) / 2 + 614 * (i / 3 % 3 + i % 3));
      const uint64_t near = i / 24 == 0 ? 40 : FromHalfLog(i / 24) * 4096 / 14;
      zero_[3][base + i] = Prior((near + FromHalfLog(i % 24)) / 2);
      zero_[5][base + i] = Prior(FromQuarterLog(std::min(i / 4, 79u)));
      zero_[6][base + i] = Prior((FromHalfLog(i / 24) + (i % 24 == 0 ? 0 : FromHalfLog(i % 24) * 4096 / 14)) / 2);
    }
  }
}

void CoefficientModel::PredictNonzero(PlaneKind kind, const PlaneContext& context, size_t j,
                                      ZeroPrediction* prediction) {
  const auto capped = [](uint32_t v) { return std::min(v, 64u); };
  const uint32_t left = capped(context.left(j)), left2 = capped(context.left2(j));
  const uint32_t above = capped(context.above(j)), above2 = capped(context.above2(j));
  const uint32_t corners = capped(context.above_left(j)) + capped(context.above_right(j));
  near_ = HalfLog(4 * (left + above) + 2 * (left2 + above2) + corners);  // at most 20
  const uint32_t row_slow = std::min(HalfLog(context.row_slow()), 31u);
  const uint32_t row_fast = std::min(HalfLog(context.row_fast()), 31u);
  const uint32_t column_slow = std::min(HalfLog(context.column_slow(j)), 31u);
  const uint32_t column_fast = std::min(HalfLog(context.column_fast(j)), 31u);
  const uint32_t mean = std::min(HalfLog(context.mean()), 31u);
  // What row and column together make one expect: row times column by mean.
  const int expected = static_cast<int>(QuarterLog(context.row_slow()) + QuarterLog(context.column_slow(j))) -
                       static_cast<int>(QuarterLog(context.mean()));
  expected_ = static_cast<uint32_t>(std::clamp(expected, 0, 79));

  const uint32_t index[kZeroInputs] = {
      row_slow * 32 + column_slow,
      ((std::min(left, 3u) * 4 + std::min(left2, 3u)) * 4 + std::min(above, 3u)) * 4 + std::min(above2, 3u),
      row_fast * 9 + std::min(above, 2u) * 3 + std::min(left, 2u),
      near_ * 24 + std::min(column_slow, 23u),
      column_fast * 32 + row_fast,
      expected_ * 4 + std::min(near_, 3u),
      mean * 24 + near_,
  };
  const size_t base = Index(kind, kZeroContexts);
  for (int i = 0; i < kZeroInputs; ++i) prediction->bits[i] = &zero_[i][base + index[i]];
  const uint32_t neighbours = (left != 0) + (left2 != 0) + (above != 0) + (above2 != 0);
  prediction->mixer = &zero_mixers_[Index(kind, 5) + neighbours];
  prediction->Mix(tables_);
}

void CoefficientModel::PredictSize(PlaneKind kind, const PlaneContext& context, size_t j, uint32_t bits,
                                   SizePrediction* prediction) {
  const uint32_t flag = std::min<uint32_t>(bits, kSizeFlags - 1);
  const uint32_t left = std::min(HalfLog(context.left(j)), 15u), above = std::min(HalfLog(context.above(j)), 15u);
  const uint32_t index[kSizeInputs] = {
      expected_,
      left * 16 + above,
      HalfLog(context.row_fast()),
      HalfLog(context.column_fast(j)) * 4 + std::min(left, 3u),
      near_,
  };
  const size_t mixer = Index(kind, kSizeFlags) + flag;
  for (int i = 0; i < kSizeInputs; ++i) prediction->bits[i] = &size_[i][mixer * kSizeContexts + index[i]];
  prediction->mixer = &size_mixers_[mixer];
  prediction->Mix(tables_);
}

}  // namespace thinwire
