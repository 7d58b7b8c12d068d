#include "client/speech/utterance_index.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/speech/audio_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class UtteranceIndexTest : public ::testing::Test {
 protected:
  absl::StatusOr<UtteranceIndex> Read(const std::string& text) {
    WriteBytes(path_, text);
    return ReadUtteranceIndex(path_);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("index.tsv");
};

TEST_F(UtteranceIndexTest, FindsColumnsByTheirNames) {
  ASSERT_OK_AND_ASSIGN(const UtteranceIndex index, Read("split\tspeaker\tgender\tfile\ttranscript\r\n"
                                                        "train\tann\tf\ta/b.flac\tGO ON\r\n"
                                                        "test\tbob\tm\tc.wav\tYES\n"
                                                        "dev\tbob\tm\td.wav\tNO\n\n"));
  ASSERT_EQ(index.utterances.size(), 2u);
  EXPECT_EQ(index.utterances[0].file, directory_.Path("a/b.flac"));
  EXPECT_EQ(index.utterances[0].speaker, "ann");
  EXPECT_EQ(index.utterances[0].transcript, "GO ON");
  EXPECT_FALSE(index.utterances[0].test);
  EXPECT_TRUE(index.utterances[1].test);
  EXPECT_EQ(index.skipped.count, 0u);
}

TEST_F(UtteranceIndexTest, WordsAndDigitsAreTranscriptsToo) {
  ASSERT_OK_AND_ASSIGN(const UtteranceIndex words, Read("file\tclass\tword\tspeaker\ta\nx\tnoise\tdown\tann\t1\n"));
  EXPECT_EQ(words.utterances[0].transcript, "down");
  ASSERT_OK_AND_ASSIGN(const UtteranceIndex digits, Read("file\tdigit\tspeaker\nx\t7\tann\ny\t0\tann\n"));
  EXPECT_EQ(digits.utterances[0].transcript, "SEVEN");
  EXPECT_EQ(digits.utterances[1].transcript, "ZERO");
}

TEST_F(UtteranceIndexTest, WithoutASplitATenthIsForTestsWhateverTheOrder) {
  std::string forward, backward;
  for (int i = 0; i < 1000; ++i) {
    const std::string line = "f" + std::to_string(i) + "\tann\tGO\n";
    forward += line;
    backward = line + backward;
  }
  const auto tests = [&](const std::string& lines) {
    std::vector<std::string> files;
    const UtteranceIndex index = Read("file\tspeaker\ttranscript\n" + lines).value();
    for (const Utterance& each : index.utterances) {
      if (each.test) files.push_back(each.file);
    }
    std::sort(files.begin(), files.end());
    return files;
  };
  EXPECT_EQ(tests(forward), tests(backward));
  EXPECT_NEAR(static_cast<double>(tests(forward).size()), 100, 40);
}

TEST_F(UtteranceIndexTest, BadLinesAreSkippedAndCounted) {
  ASSERT_OK_AND_ASSIGN(const UtteranceIndex index, Read("file\tspeaker\ttranscript\tsplit\n"
                                                        "a\tann\n"
                                                        "\tann\tGO\ttrain\n"
                                                        "b\t\tGO\ttrain\n"
                                                        "c\tann\tGO\ttrain\n"));
  EXPECT_EQ(index.utterances.size(), 1u);
  EXPECT_EQ(index.skipped.count, 3u);
  EXPECT_THAT(index.skipped.reasons, ElementsAre(HasSubstr("line 2: 2 columns, the first line has 4"),
                                                 HasSubstr("line 3: no file"), HasSubstr("line 4: no speaker")));
}

TEST_F(UtteranceIndexTest, MissingColumnsAreNamed) {
  EXPECT_THAT(Read("file\ttranscript\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(path_), HasSubstr("no column speaker"))));
  EXPECT_THAT(Read("file\tspeaker\n"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column transcript")));
  EXPECT_THAT(Read(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column file")));
  EXPECT_THAT(Read("file\tspeaker\ttranscript\nx\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("no utterances"), HasSubstr("line 2"))));
  EXPECT_THAT(ReadUtteranceIndex(directory_.Path("absent")), StatusIs(absl::StatusCode::kNotFound));
}

TEST(SkippedUtterances, KeepsTheFirstReasonsAndTheCount) {
  SkippedUtterances skipped;
  EXPECT_THAT(skipped.ToText(5), IsEmpty());
  for (int i = 0; i < 12; ++i) skipped.Add("r" + std::to_string(i));
  SkippedUtterances more;
  more.Merge(skipped);
  more.Merge(skipped);
  EXPECT_EQ(more.count, 24u);
  EXPECT_EQ(more.reasons, skipped.reasons);
  EXPECT_EQ(skipped.ToText(20), "12 of 20 utterances were skipped: r0; r1; r2; r3; r4; r5; r6; r7; r8; r9; ...");
}

}  // namespace
}  // namespace thinwire
