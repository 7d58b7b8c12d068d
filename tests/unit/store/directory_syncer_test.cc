#include "server/store/directory_syncer.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

TEST(DirectorySyncerTest, EveryCallerReturnsHoweverManyThereAre) {
  TemporaryDirectory directory;
  DirectorySyncer syncer(directory.path());
  std::atomic<int> synced{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 20; ++k) synced += syncer.Sync().ok() ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(synced, 160);
}

TEST(DirectorySyncerTest, AnErrorReachesTheCaller) {
  DirectorySyncer syncer("/nowhere/at/all");
  EXPECT_THAT(syncer.Sync(), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace thinwire
