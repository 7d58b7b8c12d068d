#include "server/store/wal_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "server/store/journal.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr size_t kHeader = 32;
constexpr size_t kFrame = 24 + 4096;

// A journal with some commits in its log, as a killed process leaves it: copies of the files of one that is open.
class WalCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(directory_.Path("open.db")));
    for (uint32_t round = 1; round <= 6; ++round) {
      RoundRow row;
      row.round = round;
      ASSERT_THAT(journal->PutRound(row), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(database_, ReadWholeFile(directory_.Path("open.db"), 1 << 24));
    ASSERT_OK_AND_ASSIGN(log_, ReadWholeFile(directory_.Path("open.db-wal"), 1 << 24));
    frames_ = (log_.size() - kHeader) / kFrame;
    ASSERT_GT(frames_, 6u);
  }
  // A frame that ends a transaction says how large the database is then.
  size_t FramesBeforeTheLastCommit() const {
    size_t last = frames_ - 1;
    do {
      --last;
    } while (log_.substr(kHeader + last * kFrame + 4, 4) == std::string(4, '\0'));
    return last + 1;
  }
  // Rounds that a journal with this log knows.
  absl::StatusOr<size_t> RoundsWith(const std::string& log) {
    const std::string path = directory_.Path(absl::StrCat("copy", copies_++, ".db"));
    EXPECT_THAT(WriteFileAtomically(path, database_), IsOk());
    EXPECT_THAT(WriteFileAtomically(path + "-wal", log), IsOk());
    const absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path);
    if (!journal.ok()) return journal.status();
    const absl::StatusOr<std::vector<RoundRow>> rounds = (*journal)->Rounds(0, 100);
    if (!rounds.ok()) return rounds.status();
    return rounds->size();
  }

  TemporaryDirectory directory_;
  std::string database_;
  std::string log_;
  size_t frames_ = 0;
  int copies_ = 0;
};

TEST_F(WalCheckTest, AWholeLogAndNoLogAreGood) {
  EXPECT_THAT(CheckWal(directory_.Path("open.db-wal")), IsOk());
  EXPECT_THAT(CheckWal(directory_.Path("none")), IsOk());
  EXPECT_THAT(RoundsWith(log_), IsOkAndHolds(6u));
}

TEST_F(WalCheckTest, ATornEndCostsTheLastTransactionOnly) {
  EXPECT_THAT(RoundsWith(log_.substr(0, log_.size() - 100)), IsOkAndHolds(5u));
}

TEST_F(WalCheckTest, AFlippedBitAnywhereBeforeTheLastTransactionIsNamed) {
  // In every frame: its page number, salt, checksum and page.
  for (size_t frame = 0; frame < FramesBeforeTheLastCommit(); ++frame) {
    for (const size_t inside : {1u, 9u, 17u, 1000u}) {
      std::string damaged = log_;
      damaged[kHeader + frame * kFrame + inside] ^= 4;
      EXPECT_THAT(RoundsWith(damaged), StatusIs(absl::StatusCode::kDataLoss,
                                                HasSubstr(absl::StrCat("damaged at byte ", kHeader + frame * kFrame))));
    }
  }
}

TEST_F(WalCheckTest, AFlippedBitInTheHeaderIsNamed) {
  for (size_t byte = 0; byte < kHeader; ++byte) {
    std::string damaged = log_;
    damaged[byte] ^= 16;
    const absl::StatusOr<size_t> rounds = RoundsWith(damaged);
    EXPECT_THAT(rounds, StatusIs(absl::StatusCode::kDataLoss)) << byte;
  }
}

TEST_F(WalCheckTest, FramesThatAnOlderLogLeftBehindAreNoDamage) {
  const std::string path = directory_.Path("reused.db");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(path));
  const auto put_until = [&](uint64_t size) {
    uint64_t now = 0;
    for (uint32_t round = 1; now < size; ++round) {
      RoundRow row;
      row.round = round;
      EXPECT_THAT(journal->PutRound(row), IsOk());
      now = File::OpenForRead(path + "-wal").value().Size().value();
    }
  };
  // After 1,000 pages SQLite checkpoints them, and the next commit begins the log anew, over the old frames.
  put_until(1000 * kFrame);
  RoundRow row;
  row.round = 1;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(journal->PutRound(row), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string log, ReadWholeFile(path + "-wal", 1 << 28));
  EXPECT_NE(log.substr(kHeader + 8, 8), log.substr(log.size() - kFrame + 8, 8));  // two logs' salts
  EXPECT_THAT(CheckWal(path + "-wal"), IsOk());
}

}  // namespace
}  // namespace thinwire
