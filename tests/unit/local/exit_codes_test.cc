#include "deploy/local/exit_codes.h"

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(LauncherExit, FollowsFromTheKindOfError) {
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), 130);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("")), 1);
}

TEST(LauncherExit, FollowsFromTheStateOfARunThatEnded) {
  EXPECT_EQ(ExitCodeOfState("COMPLETED"), 0);
  EXPECT_EQ(ExitCodeOfState("STOPPED"), 130);
  EXPECT_EQ(ExitCodeOfState("FAILED"), 1);
}

TEST(LauncherExit, GoesWithTheMessage) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ExitWithError("program", absl::NotFoundError("no data"), kExitMissing), 3);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "program: no data\n");
}

}  // namespace
}  // namespace thinwire
