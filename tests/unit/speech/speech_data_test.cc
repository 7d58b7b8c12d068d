#include "client/speech/speech_data.h"

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

class SpeechDataTest : public ::testing::Test {
 protected:
  Utterance Record(const std::string& name, double seconds, const std::string& transcript) {
    WriteAudio(directory_.Path(name), Noise(seconds), SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
    return {directory_.Path(name), "ann", transcript, false};
  }
  TemporaryDirectory directory_;
};

TEST_F(SpeechDataTest, HasNormalisedFeaturesAndLabels) {
  ASSERT_OK_AND_ASSIGN(const SpeechData data, LoadSpeech({Record("a", 1, "go")}, {}));
  EXPECT_EQ(data.width, 40u);
  ASSERT_EQ(data.samples.size(), 1u);
  const SpeechSample& sample = data.samples[0];
  EXPECT_EQ(sample.features.frames, 98u);
  EXPECT_THAT(sample.labels, ElementsAre(7, 15));
  EXPECT_EQ(sample.speaker, "ann");
  double sum = 0, squares = 0;
  for (const float value : sample.features.values) {
    sum += value;
    squares += double{value} * value;
  }
  EXPECT_NEAR(sum, 0, 1e-2);
  EXPECT_NEAR(squares / (98 * 40), 1, 1e-3);
}

TEST_F(SpeechDataTest, StackedFramesAreWiderAndFewer) {
  SpeechRules rules;
  rules.stack = 3;
  ASSERT_OK_AND_ASSIGN(const SpeechData data, LoadSpeech({Record("a", 1, "go")}, rules));
  EXPECT_EQ(data.width, 120u);
  EXPECT_EQ(data.samples[0].features.frames, 32u);
  EXPECT_EQ(data.samples[0].features.width, 120u);
}

TEST_F(SpeechDataTest, OneBadFileEndsNothing) {
  Utterance absent = Record("absent", 1, "GO");
  absent.file += ".gone";
  Utterance damaged = Record("damaged", 2, "GO");
  WriteBytes(damaged.file, ReadBytes(damaged.file).substr(0, 9000));
  const std::vector<Utterance> utterances = {absent,
                                             damaged,
                                             Record("symbol", 1, "ROOM 5"),
                                             Record("short", 0.02, "A"),
                                             Record("hasty", 0.2, "NOT IN A FIFTH OF A SECOND"),
                                             Record("fine", 1, "GO")};
  ASSERT_OK_AND_ASSIGN(const SpeechData data, LoadSpeech(utterances, {}));
  ASSERT_EQ(data.samples.size(), 1u);
  EXPECT_EQ(data.samples[0].file, utterances.back().file);
  EXPECT_EQ(data.skipped.count, 5u);
  EXPECT_THAT(data.skipped.reasons,
              ElementsAre(HasSubstr("absent.gone"), AllOf(HasSubstr("/damaged"), HasSubstr("damaged, fetch it again")),
                          AllOf(HasSubstr("/symbol"), HasSubstr("unknown symbol '5'")),
                          AllOf(HasSubstr("/short"), HasSubstr("too short: a window")),
                          AllOf(HasSubstr("/hasty"), HasSubstr("too short for its transcript"))));
}

TEST_F(SpeechDataTest, NothingUsableIsAnErrorWithTheReasons) {
  EXPECT_THAT(LoadSpeech({Record("a", 1, "?")}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("no utterance can be used"), HasSubstr("unknown symbol '?'"))));
}

TEST_F(SpeechDataTest, MemoryHasALimit) {
  SpeechRules rules;
  rules.max_values = 5000;
  EXPECT_THAT(LoadSpeech({Record("a", 1, "GO"), Record("b", 1, "GO")}, rules),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 5000 values")));
}

TEST_F(SpeechDataTest, BadRulesAreRefusedAtOnce) {
  SpeechRules rules;
  rules.stack = 0;
  EXPECT_THAT(LoadSpeech({Record("a", 1, "GO")}, rules), StatusIs(absl::StatusCode::kInvalidArgument));
  rules = {};
  rules.mel.filters = 500;
  EXPECT_THAT(LoadSpeech({Record("a", 1, "GO")}, rules), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SubsampledFrames, HalvesRoundedUp) {
  EXPECT_EQ(SubsampledFrames(9, 1), 9u);
  EXPECT_EQ(SubsampledFrames(9, 4), 3u);
  EXPECT_EQ(SubsampledFrames(8, 4), 2u);
  EXPECT_EQ(SubsampledFrames(1, 4), 1u);
  EXPECT_EQ(SubsampledFrames(0, 4), 0u);
}

}  // namespace
}  // namespace thinwire
