// A client's theta_e on disk, and processes that die between any two of their system calls.
#include "client/session/basis_keeper.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

constexpr uint64_t kSize = 70'000;  // two blocks of a file
constexpr uint64_t kDimension = 100;

// Lets a process do `work` until it has begun or ended `stops` system calls, and kills it there. Whether it was killed;
// false: it was done before. An error if processes may not be stopped here.
absl::StatusOr<bool> KilledWithin(const std::function<absl::Status()>& work, int stops) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
    (void)::raise(SIGSTOP);
    ::_exit(work().ok() ? 0 : 1);
  }
  int status = 0;
  for (int i = 0; i <= stops; ++i) {
    if (::waitpid(child, &status, 0) != child) return absl::InternalError("waitpid failed");
    if (WIFEXITED(status)) {
      if (WEXITSTATUS(status) == 2) return absl::UnimplementedError("processes may not be traced here");
      if (WEXITSTATUS(status) == 0) return false;
      return absl::InternalError("the work failed");
    }
    if (i < stops) ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return true;
}

class BasisKeeperTest : public ::testing::Test {
 protected:
  BasisKeeperTest() {
    plan_.dimension = kDimension;
    plan_.vectors = 2;
  }
  static absl::Status Ones(uint64_t, absl::Span<float> out) {
    std::fill(out.begin(), out.end(), 1.0f);
    return absl::OkStatus();
  }
  absl::Status Fold(BasisKeeper* keeper, uint64_t epoch) const {
    return keeper->Advance(*MatricesOfEpoch(plan_, kSize, 5, epoch), {2, std::vector<float>(kDimension, 0.5f)});
  }
  // In a new folder, epoch 0; then `work` in a process that dies after `stops`.
  absl::StatusOr<bool> KilledOver(int stops, const std::function<absl::Status(BasisKeeper*)>& work) {
    folder_.emplace();
    BasisKeeper keeper(folder_->Path("basis"));
    EXPECT_THAT(keeper.Take(0, kSize, Ones), IsOk());
    return KilledWithin([&] { return work(&keeper); }, stops);
  }
  // Kills `work` after every one of its system calls: there is always an intact basis, of epoch 0 or `next`, and what
  // else was left is gone once the work has been done.
  void ExpectOldOrNew(const std::function<absl::Status(BasisKeeper*)>& work, uint64_t next) {
    std::optional<HeldBasis> first;
    int old = 0, done = 0;
    for (int stops = 1;; ++stops) {
      const absl::StatusOr<bool> killed = KilledOver(stops, work);
      if (absl::IsUnimplemented(killed.status())) GTEST_SKIP() << killed.status();
      ASSERT_THAT(killed, IsOk());
      BasisKeeper after(folder_->Path("basis"));
      const std::optional<HeldBasis> held = after.held();
      ASSERT_TRUE(held.has_value()) << stops;
      EXPECT_THAT(after.Open(*held, kSize), IsOk()) << stops;
      EXPECT_TRUE(held->epoch == 0 || held->epoch == next) << stops;
      ++(held->epoch == 0 ? old : done);
      if (held->epoch == 0) {
        ASSERT_THAT(work(&after), IsOk());
      }
      ASSERT_THAT(Fold(&after, next), IsOk());
      EXPECT_EQ(after.held()->epoch, next + 1);
      if (!first.has_value()) first = after.held();
      EXPECT_EQ(after.held(), first) << stops;
      EXPECT_EQ(ListDirectory(folder_->Path("basis"))->size(), 1u) << stops;
      if (!*killed) break;
    }
    EXPECT_GT(old, 10);
    EXPECT_GT(done, 2);
  }

  SubspacePlan plan_;
  std::optional<TemporaryDirectory> folder_;
};

TEST_F(BasisKeeperTest, KilledAtAnyInstantOfAFoldItHasTheOldBasisOrTheNewOne) {
  ExpectOldOrNew([&](BasisKeeper* keeper) { return Fold(keeper, 0); }, 1);
}

TEST_F(BasisKeeperTest, KilledAtAnyInstantOfASnapshotItHasTheOldBasisOrTheNewOne) {
  ExpectOldOrNew([&](BasisKeeper* keeper) { return keeper->Take(7, kSize, Ones); }, 7);
}

TEST_F(BasisKeeperTest, WhatIsNoBasisIsNotHeld) {
  folder_.emplace();
  BasisKeeper keeper(folder_->Path("basis"));
  EXPECT_EQ(keeper.held(), std::nullopt);
  EXPECT_THAT(Fold(&keeper, 0), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_THAT(MakeDirectories(folder_->Path("basis")), IsOk());
  for (const char* name : {"basis/new.tmp", "basis/3-xyz.basis", "basis/x-0000.basis"}) {
    ASSERT_THAT(WriteFileAtomically(folder_->Path(name), "x"), IsOk());
  }
  EXPECT_EQ(keeper.held(), std::nullopt);
  ASSERT_THAT(keeper.Take(2, kSize, Ones), IsOk());
  EXPECT_EQ(keeper.held()->epoch, 2u);
  EXPECT_EQ(ListDirectory(folder_->Path("basis"))->size(), 1u);
  EXPECT_THAT(keeper.Drop(), IsOk());
  EXPECT_EQ(keeper.held(), std::nullopt);
}

}  // namespace
}  // namespace thinwire
