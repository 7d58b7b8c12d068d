// The golden files hold the one clone of each function that this machine chooses; this holds the others to it.
#include "gtest/gtest.h"
#include "tests/unit/rdu/rdu_results.h"

namespace {

void ExpectEqual(const std::vector<RduResult>& others, const std::vector<RduResult>& chosen) {
  ASSERT_EQ(others.size(), chosen.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    ASSERT_FALSE(chosen[i].second.empty()) << chosen[i].first;
    EXPECT_TRUE(others[i] == chosen[i]) << chosen[i].first << " differs";
  }
}

TEST(InstructionSets, TheBaselineHasTheBitsOfWhatThisMachineChooses) {
  ExpectEqual(thinwire_baseline::RduResults(), thinwire::RduResults());
}

TEST(InstructionSets, Avx2HasTheBitsOfTheBaseline) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this machine has no AVX2";
  ExpectEqual(thinwire_v3::RduResults(), thinwire_baseline::RduResults());
}

}  // namespace
