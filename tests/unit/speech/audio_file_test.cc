#include "client/speech/audio_file.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/speech/audio_testing.h"

namespace thinwire {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr int kFlac = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;

class AudioFileTest : public ::testing::Test {
 protected:
  // Expects an error of `code` whose message names the file and says `text`.
  void ExpectError(absl::StatusCode code, const std::string& text, const AudioRules& rules = {}) {
    EXPECT_THAT(ReadAudio(path_, rules), StatusIs(code, ::testing::AllOf(HasSubstr(path_), HasSubstr(text))));
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.Path("audio");
};

TEST_F(AudioFileTest, ReadsWavAndFlac) {
  const std::vector<float> samples = Noise(0.5);
  for (const int format : {SF_FORMAT_WAV | SF_FORMAT_PCM_16, kFlac}) {
    WriteAudio(path_, samples, format);
    ASSERT_OK_AND_ASSIGN(const std::vector<float> read, ReadAudio(path_, {}));
    EXPECT_THAT(read, Pointwise(FloatNear(1.0f / 32768), samples));
  }
}

TEST_F(AudioFileTest, OtherRatesAreRefusedWithTheWayOut) {
  WriteAudio(path_, Noise(0.1), kFlac, 8000);
  ExpectError(absl::StatusCode::kInvalidArgument, "8000 samples per second, expected 16000; resample it");
  AudioRules rules;
  rules.sample_rate = 8000;
  EXPECT_THAT(ReadAudio(path_, rules), IsOk());
}

TEST_F(AudioFileTest, SeveralChannelsAreRefusedWithTheWayOut) {
  WriteAudio(path_, Noise(0.1), kFlac, 16000, 2);
  ExpectError(absl::StatusCode::kInvalidArgument, "2 channels, expected one; mix them down");
}

TEST_F(AudioFileTest, EmptyAndForeignFilesAreNamed) {
  WriteBytes(path_, "");
  ExpectError(absl::StatusCode::kInvalidArgument, "not readable as audio");
  WriteBytes(path_, "this is no sound at all");
  ExpectError(absl::StatusCode::kInvalidArgument, "not readable as audio");
  WriteAudio(path_, {});
  ExpectError(absl::StatusCode::kInvalidArgument, "no samples");
  path_ = directory_.Path("absent");
  ExpectError(absl::StatusCode::kNotFound, "absent");
}

TEST_F(AudioFileTest, TooLongFilesAreRefusedBeforeTheyAreRead) {
  WriteAudio(path_, Noise(2), kFlac);
  AudioRules rules;
  rules.max_seconds = 1.5;
  ExpectError(absl::StatusCode::kInvalidArgument, "2 seconds, at most 1.5", rules);
}

TEST_F(AudioFileTest, FilesThatEndEarlyAreDamaged) {
  for (const int format : {SF_FORMAT_WAV | SF_FORMAT_PCM_16, kFlac}) {
    WriteAudio(path_, Noise(2), format);
    const std::string bytes = ReadBytes(path_);
    WriteBytes(path_, bytes.substr(0, bytes.size() / 2));
    ExpectError(absl::StatusCode::kDataLoss, "damaged");
  }
}

TEST_F(AudioFileTest, EveryPrefixOfAFlacFileIsAnErrorOrTheWhole) {
  WriteAudio(path_, Noise(0.3), kFlac);
  const std::string bytes = ReadBytes(path_);
  for (size_t size = 0; size < bytes.size(); size += 97) {
    WriteBytes(path_, bytes.substr(0, size));
    EXPECT_FALSE(ReadAudio(path_, {}).ok()) << size;
  }
}

TEST_F(AudioFileTest, SamplesThatAreNotFiniteAreDamage) {
  std::vector<float> samples = Noise(0.1);
  samples[7] = std::numeric_limits<float>::quiet_NaN();
  WriteAudio(path_, samples, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  ExpectError(absl::StatusCode::kDataLoss, "not finite");
}

}  // namespace
}  // namespace thinwire
