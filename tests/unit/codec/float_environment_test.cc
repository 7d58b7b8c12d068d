#include "common/codec/float_environment.h"

#include <cfenv>

#include "gtest/gtest.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace thinwire {
namespace {

TEST(FloatEnvironmentTest, TheDefaultIsFine) { EXPECT_TRUE(CheckFloatEnvironment().ok()) << CheckFloatEnvironment(); }

TEST(FloatEnvironmentTest, OtherRoundingModesAreFound) {
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(std::fesetround(mode), 0);
    const absl::Status status = CheckFloatEnvironment();
    ASSERT_EQ(std::fesetround(FE_TONEAREST), 0);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << mode;
  }
}

#if defined(__SSE2__)
TEST(FloatEnvironmentTest, FlushToZeroIsFound) {
  const unsigned int saved = _mm_getcsr();
  for (const unsigned int bit : {0x8000u /* flush results */, 0x0040u /* read subnormals as zero */}) {
    _mm_setcsr(saved | bit);
    const absl::Status status = CheckFloatEnvironment();
    _mm_setcsr(saved);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << bit;
  }
}
#endif

}  // namespace
}  // namespace thinwire
