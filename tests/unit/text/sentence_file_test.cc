#include "client/text/sentence_file.h"

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

class SentenceFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<SentenceFile> Read(const std::string& text) {
    WriteText(path_, text);
    return ReadSentences(path_);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.Path("train.tsv");
};

TEST_F(SentenceFileTest, FindsColumnsByTheirNames) {
  ASSERT_OK_AND_ASSIGN(const SentenceFile file, Read("label\tsentence\r\n"
                                                     "0\tno wit , no fun\r\n"
                                                     "\n"
                                                     "1\tcr\xC3\xA8me\n"));
  ASSERT_EQ(file.sentences.size(), 2u);
  EXPECT_EQ(file.sentences[0].text, "no wit , no fun");
  EXPECT_EQ(file.sentences[0].label, 0);
  EXPECT_EQ(file.sentences[1].label, 1);
  EXPECT_EQ(file.skipped.count, 0u);
  ASSERT_OK_AND_ASSIGN(const SentenceFile glue, Read("index\tsentence\tlabel\n7\tfine\t1"));
  EXPECT_EQ(glue.sentences[0].text, "fine");
  EXPECT_EQ(glue.sentences[0].label, 1);
}

TEST_F(SentenceFileTest, BadLinesAreSkippedAndCounted) {
  ASSERT_OK_AND_ASSIGN(const SentenceFile file, Read("sentence\tlabel\n"
                                                     "fine\t1\n"
                                                     "no label\n"
                                                     "so so\t2\n"
                                                     "tabs\twithin\t1\n"
                                                     "  \t1\n"
                                                     "broken \xFF\t0\n" +
                                                     std::string("nul \0\t0\n", 8)));
  EXPECT_EQ(file.sentences.size(), 1u);
  EXPECT_EQ(file.skipped.count, 6u);
  EXPECT_THAT(file.skipped.reasons,
              ElementsAre(AllOf(HasSubstr(path_), HasSubstr("line 3: 1 columns, the first line has 2")),
                          HasSubstr("line 4: label '2', it must be 0 or 1"), HasSubstr("line 5: 3 columns"),
                          HasSubstr("line 6: no words"), HasSubstr("line 7: byte \\xff at position 7 is not UTF-8"),
                          HasSubstr("line 8: byte \\x00")));
}

TEST_F(SentenceFileTest, WhatIsNoSuchFileIsRefused) {
  EXPECT_THAT(Read("label\ttext\n0\tx\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(path_), HasSubstr("no column sentence"))));
  EXPECT_THAT(Read("sentence\n"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column label")));
  EXPECT_THAT(Read(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column sentence")));
  EXPECT_THAT(Read("sentence\tlabel\nx\t-1\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("no sentences"), HasSubstr("line 2"))));
  EXPECT_THAT(ReadSentences(directory_.Path("absent")), StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

TEST_F(SentenceFileTest, DamagedFilesGiveSentencesOrAReason) {
  std::string whole = "sentence\tlabel\n";
  for (int i = 0; i < 20; ++i) whole += "the film is number " + std::to_string(i) + " , na\xC3\xAFve .\t1\n";
  size_t read = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const absl::StatusOr<SentenceFile> file = Read(Damaged(whole, i));
    if (!file.ok()) {
      EXPECT_THAT(file, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(path_)));
      continue;
    }
    ++read;
    for (const LabelledSentence& sentence : file->sentences) EXPECT_LT(sentence.label, kSentenceClasses);
  }
  EXPECT_GT(read, 250u);
}

TEST(SkippedLines, KeepsTheFirstReasonsAndTheCount) {
  SkippedLines skipped;
  EXPECT_EQ(skipped.ToText(), "");
  skipped.Add("r");
  EXPECT_EQ(skipped.ToText(), "1 line was skipped: r");
  for (int i = 0; i < 10; ++i) skipped.Add("s");
  SkippedLines more;
  more.Merge(skipped);
  more.Merge(skipped);
  EXPECT_EQ(more.count, 22u);
  EXPECT_EQ(more.reasons, skipped.reasons);
  EXPECT_EQ(skipped.ToText(), "11 lines were skipped: r; s; s; s; s; s; s; s; s; s; ...");
}

}  // namespace
}  // namespace thinwire
