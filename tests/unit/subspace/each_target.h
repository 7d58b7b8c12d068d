// Tests that run once for each instruction set of this processor that the kernels were built for.
#ifndef THINWIRE_TESTS_UNIT_SUBSPACE_EACH_TARGET_H_
#define THINWIRE_TESTS_UNIT_SUBSPACE_EACH_TARGET_H_

#include <cstdint>
#include <string>
#include <vector>

// As in common/subspace/kernels/*.cc.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include "gtest/gtest.h"
#include "hwy/targets.h"

namespace thinwire {

// The best first.
inline std::vector<int64_t> Targets() { return hwy::SupportedAndGeneratedTargets(); }

// Makes all kernels use that one, or the best again if 0. Not while another thread runs a kernel.
inline void UseTarget(int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

class EachTarget : public testing::TestWithParam<int64_t> {
 protected:
  EachTarget() { UseTarget(GetParam()); }
  ~EachTarget() override { UseTarget(0); }
};

inline std::string TargetNameOf(const testing::TestParamInfo<int64_t>& info) { return hwy::TargetName(info.param); }

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SUBSPACE_EACH_TARGET_H_
