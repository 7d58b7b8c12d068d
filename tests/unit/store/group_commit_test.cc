#include "server/store/group_commit.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "common/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

class GroupCommitTest : public ::testing::Test {
 protected:
  GroupCommitTest() : db_(*Database::Open(JoinPath(directory_.path(), "db"))), commits_(db_.get(), &connection_) {
    EXPECT_THAT(db_->Execute("PRAGMA journal_mode = WAL; CREATE TABLE numbers (n INTEGER UNIQUE)"), IsOk());
  }

  GroupCommit::Write Insert(int64_t number) {
    return [number](Database& db) {
      Query query(db, "INSERT INTO numbers VALUES (?1)");
      query.Bind(number);
      return query.Run();
    };
  }
  int64_t Count() {
    MutexLock lock(connection_);
    return *db_->QueryInt("SELECT count(*) FROM numbers");
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Database> db_;
  Mutex connection_;
  GroupCommit commits_;
};

TEST_F(GroupCommitTest, AWriteIsCommittedWhenRunReturns) {
  ASSERT_THAT(commits_.Run(Insert(7)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> other, Database::Open(db_->path()));
  ASSERT_OK_AND_ASSIGN(const int64_t seen, other->QueryInt("SELECT n FROM numbers"));
  EXPECT_EQ(seen, 7);
}

TEST_F(GroupCommitTest, AFailedWriteLeavesNoTraceAndHarmsNoOther) {
  ASSERT_THAT(commits_.Run(Insert(1)), IsOk());
  const absl::Status failed = commits_.Run([&](Database& db) -> absl::Status {
    EXPECT_THAT(Insert(2)(db), IsOk());
    return Insert(1)(db);  // not unique
  });
  EXPECT_THAT(failed, StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(commits_.Run(Insert(3)), IsOk());
  EXPECT_EQ(Count(), 2);
}

TEST_F(GroupCommitTest, WritersThatComeMeanwhileShareOneTransactionAndEachGetsItsOwnResult) {
  constexpr int kWriters = 8;
  std::vector<absl::Status> results(kWriters);
  std::vector<std::thread> writers;
  // The first writer's transaction stays open until all others wait.
  ASSERT_THAT(commits_.Run([&](Database&) {
    for (int i = 0; i < kWriters; ++i) {
      // Of the odd ones, which all insert a 1, only the first gets in.
      writers.emplace_back([this, &results, i] { results[i] = commits_.Run(Insert(i % 2 == 0 ? 100 + i : 1)); });
    }
    while (commits_.waiting() < kWriters) std::this_thread::yield();
    return absl::OkStatus();
  }),
              IsOk());
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(commits_.transactions(), 2u);
  EXPECT_EQ(std::count(results.begin(), results.end(), absl::OkStatus()), 5);
  EXPECT_EQ(Count(), 5);
}

}  // namespace
}  // namespace thinwire
