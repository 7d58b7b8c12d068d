#include "client/text/role_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/text/text_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RoleFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<RoleFile> Read(const std::string& text) {
    WriteText(path_, text);
    return ReadRoles(path_);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("roles.jsonl");
};

TEST_F(RoleFileTest, ReadsRolesAndTheirSpeeches) {
  ASSERT_OK_AND_ASSIGN(const RoleFile file,
                       Read(R"({"play": "hamlet", "role": "GHOST", "speeches": ["Mark me.", "", "Pity\nme"]})"
                            "\r\n\n"
                            R"({"role": "GHOST", "speeches": ["Boo"], "play": "macbeth", "note": 7})"));
  ASSERT_EQ(file.roles.size(), 2u);
  EXPECT_EQ(file.roles[0].play, "hamlet");
  EXPECT_EQ(file.roles[0].role, "GHOST");
  EXPECT_THAT(file.roles[0].speeches, ElementsAre("Mark me.", "Pity\nme"));
  EXPECT_EQ(file.roles[1].play, "macbeth");
  EXPECT_EQ(file.skipped.count, 0u);
}

TEST_F(RoleFileTest, BadLinesAreSkippedAndCounted) {
  ASSERT_OK_AND_ASSIGN(const RoleFile file, Read(R"({"play": "p", "role": "A", "speeches": ["x"]})"
                                                 "\n[1]\n{\"play\": \n"
                                                 R"({"play": "p", "speeches": ["x"]})"
                                                 "\n"
                                                 R"({"play": 3, "role": "A", "speeches": ["x"]})"
                                                 "\n"
                                                 R"({"play": "p", "role": "B", "speeches": "x"})"
                                                 "\n"
                                                 R"({"play": "p", "role": "B", "speeches": ["x", 1]})"
                                                 "\n"
                                                 R"({"play": "p", "role": "B", "speeches": [""]})"
                                                 "\n"
                                                 R"({"play": "p", "role": "A", "speeches": ["y"]})"
                                                 "\n"
                                                 R"({"play": "p", "role": "B", "speeches": ["\u0007"]})"));
  EXPECT_EQ(file.roles.size(), 1u);
  EXPECT_EQ(file.skipped.count, 9u);
  EXPECT_THAT(file.skipped.reasons,
              ElementsAre(AllOf(HasSubstr(path_), HasSubstr("line 2: not a JSON object")),
                          HasSubstr("line 3: not a JSON object"), HasSubstr("line 4: no member 'role'"),
                          HasSubstr("line 5: 'play' is not a text"), HasSubstr("line 6: 'speeches' is not an array"),
                          HasSubstr("line 7: speech 1 is not a text"), HasSubstr("line 8: nothing is said"),
                          HasSubstr("line 9: this play and role were there before"),
                          HasSubstr("line 10: speech 0: byte \\x07")));
}

TEST_F(RoleFileTest, WhatIsNoSuchFileIsRefused) {
  EXPECT_THAT(Read(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no roles")));
  EXPECT_THAT(Read("First Citizen:\nSpeak.\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("no roles"), HasSubstr("2 lines were"))));
  EXPECT_THAT(ReadRoles(directory_.Path("absent")), StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

TEST_F(RoleFileTest, DamagedFilesGiveRolesOrAReason) {
  std::string whole;
  for (int i = 0; i < 20; ++i) {
    whole += R"({"play": "p", "role": "R)" + std::to_string(i) + R"(", "speeches": ["To be \u00e9", "or not"]})" + "\n";
  }
  size_t read = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const absl::StatusOr<RoleFile> file = Read(Damaged(whole, i));
    if (file.ok()) {
      ++read;
      for (const RoleSpeeches& role : file->roles) EXPECT_FALSE(role.speeches.empty());
    } else {
      EXPECT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(path_)));
    }
  }
  EXPECT_GT(read, 250u);
}

TEST_F(RoleFileTest, DeepNestingIsABadLine) {
  const std::string deep = R"({"play": "p", "role": "B", "speeches": )" + std::string(1'000'000, '[');
  ASSERT_OK_AND_ASSIGN(const RoleFile file, Read(deep + "\n" + deep + std::string(1'000'000, ']') + "}\n" +
                                                 R"({"play": "p", "role": "A", "speeches": ["x"]})"));
  EXPECT_EQ(file.roles.size(), 1u);
  EXPECT_THAT(file.skipped.reasons,
              ElementsAre(HasSubstr("line 1: not a JSON object"), HasSubstr("line 2: speech 0 is not a text")));
}

}  // namespace
}  // namespace thinwire
