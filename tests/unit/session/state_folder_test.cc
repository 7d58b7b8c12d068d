#include "client/session/state_folder.h"

#include "common/base/file.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

TEST(StateFolderTest, MakesARandomIdOnceAndKeepsIt) {
  TemporaryDirectory folder;
  std::string first;
  {
    ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(folder.Path("s"), ""));
    first = state.client_id();
    EXPECT_THAT(first, MatchesRegex("[0-9a-f]{32}"));
    EXPECT_TRUE(FileExists(state.download_directory()));
    EXPECT_TRUE(FileExists(state.upload_directory()));
  }
  ASSERT_OK_AND_ASSIGN(const StateFolder again, StateFolder::Open(folder.Path("s"), ""));
  EXPECT_EQ(again.client_id(), first);
  ASSERT_OK_AND_ASSIGN(const StateFolder other, StateFolder::Open(folder.Path("t"), ""));
  EXPECT_NE(other.client_id(), first);
}

TEST(StateFolderTest, TakesAGivenIdAndRefusesAnotherOneLater) {
  TemporaryDirectory folder;
  { ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(folder.path(), "ward-7")); }
  EXPECT_THAT(
      StateFolder::Open(folder.path(), "ward-8"),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("belongs to client 'ward-7', not 'ward-8'"), HasSubstr("another state folder"))));
  ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(folder.path(), ""));
  EXPECT_EQ(state.client_id(), "ward-7");
}

TEST(StateFolderTest, HoldsOneClientAtATime) {
  TemporaryDirectory folder;
  {
    ASSERT_OK_AND_ASSIGN(const StateFolder state, StateFolder::Open(folder.path(), ""));
    EXPECT_THAT(StateFolder::Open(folder.path(), ""),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another client holds")));
  }
  EXPECT_THAT(StateFolder::Open(folder.path(), ""), IsOk());
}

TEST(StateFolderTest, RefusesIdsThatTheServerWouldNotTake) {
  for (const std::string& id : {std::string("a/b"), std::string("../x"), std::string(65, 'a'), std::string("-x"),
                                std::string("a b"), std::string("a\n"), std::string(".")}) {
    TemporaryDirectory folder;
    EXPECT_THAT(StateFolder::Open(folder.path(), id), StatusIs(absl::StatusCode::kInvalidArgument)) << id;
  }
  EXPECT_THAT(StateFolder::CheckId(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(StateFolder::CheckId("Ward_7.left-side"), IsOk());
}

TEST(StateFolderTest, ADamagedIdFileIsAnErrorNotANewIdentity) {
  TemporaryDirectory folder;
  ASSERT_THAT(WriteFileAtomically(folder.Path("client_id"), "no id!\n"), IsOk());
  EXPECT_THAT(StateFolder::Open(folder.path(), ""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no id!")));
}

}  // namespace
}  // namespace thinwire
