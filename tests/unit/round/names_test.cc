#include "server/round/names.h"

#include <set>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(NamesTest, EveryStateHasANameOfItsOwn) {
  std::set<std::string> runs, rounds, assignments;
  for (int i = 0; i <= static_cast<int>(RunState::kFailed); ++i) runs.emplace(Name(static_cast<RunState>(i)));
  for (int i = 0; i <= static_cast<int>(RoundState::kFailed); ++i) rounds.emplace(Name(static_cast<RoundState>(i)));
  for (int i = 0; i <= static_cast<int>(AssignmentState::kDiscarded); ++i) {
    assignments.emplace(Name(static_cast<AssignmentState>(i)));
  }
  EXPECT_EQ(runs.size(), 6u);
  EXPECT_EQ(rounds.size(), 6u);
  EXPECT_EQ(assignments.size(), 6u);
}

TEST(NamesTest, SecondsAreRoundedUpAndNeverNegative) {
  EXPECT_EQ(SecondsText(absl::Milliseconds(40001)), "41 s");
  EXPECT_EQ(SecondsText(absl::Seconds(41)), "41 s");
  EXPECT_EQ(SecondsText(absl::Seconds(-3)), "0 s");
  EXPECT_EQ(SecondsText(absl::InfiniteDuration()), "no limit");
}

TEST(NamesTest, CountsHaveTheirPlural) {
  EXPECT_EQ(CountText(1, "fold"), "1 fold");
  EXPECT_EQ(CountText(0, "fold"), "0 folds");
  EXPECT_EQ(CountText(2, "fold"), "2 folds");
}

TEST(NamesTest, TheClassOfAReasonEndsAtTheFirstColon) {
  EXPECT_EQ(ReasonClass("NaN: tensor 3: index 14"), "NaN");
  EXPECT_EQ(ReasonClass("lease"), "lease");
  EXPECT_EQ(ReasonClass(""), "");
}

}  // namespace
}  // namespace thinwire
