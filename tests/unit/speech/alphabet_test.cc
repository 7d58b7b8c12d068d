#include "client/speech/alphabet.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Alphabet, EverySymbolHasOneLabelAndComesBack) {
  const std::string text = "ABCDEFGHIJKLMNOPQRSTUVWXYZ 'A";
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> labels, EncodeTranscript(text));
  EXPECT_EQ(labels[0], 1);
  EXPECT_EQ(labels[25], 26);
  EXPECT_EQ(labels[26], kSpaceLabel);
  EXPECT_EQ(labels[27], kSpeechLabels - 1);
  EXPECT_EQ(DecodeTranscript(labels), text);
}

TEST(Alphabet, CaseAndRunsOfSpacesDoNotCount) {
  EXPECT_THAT(EncodeTranscript("  go \t On\n"), IsOkAndHolds(ElementsAre(7, 15, 27, 15, 14)));
}

TEST(Alphabet, UnknownSymbolsAreNamedWithTheirPlace) {
  EXPECT_THAT(EncodeTranscript("ROOM 5"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("unknown symbol '5' at position 5 of transcript 'ROOM 5'")));
  EXPECT_THAT(EncodeTranscript("\xc3\x84"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'\\xc3'")));
  EXPECT_THAT(EncodeTranscript(" \t"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("transcript is empty")));
}

TEST(Alphabet, BlanksAndForeignLabelsDecodeToNothing) { EXPECT_EQ(DecodeTranscript({0, 1, 0, 29, -1, 2}), "AB"); }

TEST(Alphabet, CtcNeedsABlankBetweenEqualLabels) {
  EXPECT_EQ(CtcFramesNeeded({}), 0u);
  EXPECT_EQ(CtcFramesNeeded({1, 2, 3}), 3u);
  EXPECT_EQ(CtcFramesNeeded({1, 1, 1, 2}), 6u);
}

}  // namespace
}  // namespace thinwire
