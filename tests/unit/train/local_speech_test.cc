#include "client/train/local_speech.h"

#include <cstdlib>
#include <filesystem>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/speech/audio_testing.h"

namespace thinwire {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;

// Six training recordings of three speakers, one for tests.
class LocalSpeechTest : public ::testing::Test {
 protected:
  LocalSpeechTest() {
    std::string index = "file\tspeaker\ttranscript\tsplit\n";
    for (int i = 0; i < 7; ++i) {
      const std::string name = absl::StrCat(i, ".flac");
      WriteAudio(directory_.Path(name), Noise(0.5, static_cast<uint64_t>(i)), SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
      absl::StrAppend(&index, name, "\ts", i % 3, "\tGO\t", i == 6 ? "test" : "train", "\n");
    }
    options_.index = directory_.Path("index.tsv");
    WriteBytes(options_.index, index);
  }

  absl::StatusOr<SpeechData> Shard(const char* rule, uint32_t index, uint32_t count) {
    options_.rule = PartitionRule::Parse(rule).value();
    options_.shard = {index, count};
    return LoadSpeechShard(options_);
  }

  TemporaryDirectory directory_;
  LocalSpeechOptions options_;
};

TEST_F(LocalSpeechTest, BySpeakerAShardHasAllOfOneSpeaker) {
  std::set<std::string> speakers;
  for (uint32_t i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const SpeechData shard, Shard("speaker", i, 3));
    ASSERT_EQ(shard.samples.size(), 2u);
    EXPECT_THAT(shard.samples, Each(Field(&SpeechSample::speaker, shard.samples[0].speaker)));
    speakers.insert(shard.samples[0].speaker);
  }
  EXPECT_EQ(speakers.size(), 3u);
}

TEST_F(LocalSpeechTest, IidDealsOutEveryTrainingRecordingOnce) {
  std::set<std::string> files;
  for (uint32_t i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const SpeechData shard, Shard("iid", i, 2));
    EXPECT_EQ(shard.samples.size(), 3u);
    for (const SpeechSample& sample : shard.samples) files.insert(sample.file);
  }
  EXPECT_EQ(files.size(), 6u);
  EXPECT_EQ(files.count(directory_.Path("6.flac")), 0u);
}

TEST_F(LocalSpeechTest, ABadFileIsItsClientsLossAlone) {
  ASSERT_OK_AND_ASSIGN(const SpeechData before, Shard("iid", 1, 2));
  ASSERT_OK_AND_ASSIGN(const SpeechData other, Shard("iid", 0, 2));
  WriteBytes(other.samples[0].file, "noise");
  ASSERT_OK_AND_ASSIGN(const SpeechData after, Shard("iid", 1, 2));
  EXPECT_EQ(after.samples.size(), before.samples.size());
  for (size_t i = 0; i < after.samples.size(); ++i) EXPECT_EQ(after.samples[i].file, before.samples[i].file);
  ASSERT_OK_AND_ASSIGN(const SpeechData hit, Shard("iid", 0, 2));
  EXPECT_EQ(hit.samples.size(), 2u);
  EXPECT_EQ(hit.skipped.count, 1u);
}

TEST_F(LocalSpeechTest, LoadsTheTestSet) {
  ASSERT_OK_AND_ASSIGN(const SpeechData test, LoadSpeechTestSet(options_));
  ASSERT_EQ(test.samples.size(), 1u);
  EXPECT_EQ(test.samples[0].file, directory_.Path("6.flac"));
}

TEST_F(LocalSpeechTest, NamesWhatIsMissing) {
  WriteBytes(options_.index, "file\tspeaker\ttranscript\tsplit\n0.flac\ts0\tGO\ttrain\n");
  EXPECT_THAT(LoadSpeechTestSet(options_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no utterances of the split test")));
  EXPECT_THAT(Shard("speaker", 0, 2), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 shards of 1 samples")));
  options_.index = directory_.Path("absent.tsv");
  EXPECT_THAT(Shard("iid", 0, 1), StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.tsv")));
}

// The data sets that this room was written for; tests run without them.
TEST(LocalSpeech, ReadsRealIndexesWhereTheyAre) {
  const char* folder = std::getenv("THINWIRE_SPEECH_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set THINWIRE_SPEECH_DATA to a folder with an4, speech_commands and fsdd";
  for (const auto& [name, rate, samples] :
       {std::tuple("an4", 16000u, 50u), std::tuple("speech_commands", 16000u, 50u), std::tuple("fsdd", 8000u, 50u)}) {
    LocalSpeechOptions options;
    options.index = absl::StrCat(folder, "/", name, "/index.tsv");
    if (!std::filesystem::exists(options.index)) continue;
    if (name == std::string("fsdd")) options.folder = absl::StrCat(folder, "/fsdd/recordings");
    options.rules.audio.sample_rate = rate;
    options.samples = samples;
    ASSERT_OK_AND_ASSIGN(const SpeechData data, LoadSpeechShard(options));
    EXPECT_GE(data.samples.size() + data.skipped.count, samples) << name;
    EXPECT_GE(data.samples.size(), samples * 9 / 10) << name << ": " << data.skipped.ToText(samples);
  }
}

}  // namespace
}  // namespace thinwire
