#include "server/store/fail_point.h"

#include <signal.h>

#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;
using ::testing::KilledBySignal;

TEST(FailPointDeathTest, TheArmedPointKillsAtTheNthPassageAndNoOther) {
  EXPECT_EXIT(
      {
        if (!ArmFailPoint("after-spool-rename:2").ok()) _exit(1);
        PassFailPoint(FailPoint::kAfterReceiveCommit);
        PassFailPoint(FailPoint::kAfterSpoolRename);
        fprintf(stderr, "still alive\n");
        PassFailPoint(FailPoint::kAfterSpoolRename);
        _exit(2);
      },
      KilledBySignal(SIGKILL), "still alive");
}

TEST(FailPointTest, NothingHappensUnarmedOrDisarmed) {
  PassFailPoint(FailPoint::kAfterSpoolRename);
  ASSERT_THAT(ArmFailPoint("after-spool-rename"), IsOk());
  ASSERT_THAT(ArmFailPoint(""), IsOk());
  PassFailPoint(FailPoint::kAfterSpoolRename);
}

TEST(FailPointTest, EveryNameCanBeArmedAndOthersAreRefusedWithTheList) {
  EXPECT_EQ(FailPointNames().size(), 11u);
  for (const std::string& name : FailPointNames()) EXPECT_THAT(ArmFailPoint(name), IsOk());
  for (const char* bad : {"after-lunch", "after-spool-rename:0", "after-spool-rename:x", ":1"}) {
    EXPECT_THAT(ArmFailPoint(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("before-publish-commit")));
  }
}

}  // namespace
}  // namespace thinwire
