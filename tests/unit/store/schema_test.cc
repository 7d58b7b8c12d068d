#include "server/store/schema.h"

#include <string>
#include <vector>

#include "common/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest() : db_(*Database::Open(JoinPath(directory_.path(), "db"))) {}
  TemporaryDirectory directory_;
  std::unique_ptr<Database> db_;
};

const std::vector<std::string> kSteps = {"CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);",
                                         "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 5;", "UPDATE a SET y = y + x;"};

TEST_F(SchemaTest, EveryOlderSchemaIsBroughtForwardStepByStep) {
  for (size_t start = 1; start <= kSteps.size(); ++start) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db,
                         Database::Open(JoinPath(directory_.path(), std::to_string(start))));
    ASSERT_THAT(Migrate(*db, {kSteps.begin(), kSteps.begin() + static_cast<ptrdiff_t>(start)}), IsOk());
    ASSERT_THAT(Migrate(*db, kSteps), IsOk());
    EXPECT_THAT(db->QueryInt("SELECT y FROM a"), IsOkAndHolds(6)) << "from schema " << start;
    EXPECT_THAT(db->QueryInt("PRAGMA user_version"), IsOkAndHolds(3));
  }
}

TEST_F(SchemaTest, AStepThatFailsLeavesTheSchemaBeforeIt) {
  std::vector<std::string> broken = kSteps;
  broken[2] = "INSERT INTO a VALUES (2, 2); INSERT INTO nowhere VALUES (1);";
  EXPECT_THAT(Migrate(*db_, broken), StatusIs(absl::StatusCode::kInternal, HasSubstr("nowhere")));
  EXPECT_THAT(db_->QueryInt("PRAGMA user_version"), IsOkAndHolds(2));
  EXPECT_THAT(db_->QueryInt("SELECT count(*) FROM a"), IsOkAndHolds(1));
  EXPECT_THAT(Migrate(*db_, kSteps), IsOk());
}

TEST_F(SchemaTest, ANewerSchemaIsRefused) {
  ASSERT_THAT(Migrate(*db_, kSteps), IsOk());
  EXPECT_THAT(Migrate(*db_, {kSteps[0]}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("schema 3, this program knows up to 1")));
}

TEST_F(SchemaTest, AnotherProgramsDatabaseIsNotTouched) {
  ASSERT_THAT(db_->Execute("CREATE TABLE theirs (x INTEGER)"), IsOk());
  EXPECT_THAT(Migrate(*db_, kSteps), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another program")));
  EXPECT_THAT(db_->QueryInt("SELECT count(*) FROM sqlite_schema"), IsOkAndHolds(1));
}

}  // namespace
}  // namespace thinwire
