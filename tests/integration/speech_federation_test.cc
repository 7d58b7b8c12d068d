// Speech in the whole federation: two clients with recordings of their own, weights packed, and an evaluator, as
// processes over gRPC. Recordings are made here: a tone for each letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "common/base/status_macros.h"
#include "common/codec/row_blocks.h"
#include "tests/integration/federation_fixture.h"
#include "tests/unit/speech/audio_testing.h"

namespace thinwire {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kRounds = 2;
constexpr char kScalesAndCorrections[] =
    "plan { explicit { downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 4 scale: SCALE_RULE_ABSMAX "
    "scale_group: 64 correction: true weights_only: true partial: 0.1 } } } "
    "uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } } } }\n";
// Of a matrix in S1E3M7 with a tenth exact, scales and headers included, in its FP32 size (docs/omc.md).
constexpr double kMatrixShare = 0.415;

std::vector<float> Tones(const std::string& word) {
  constexpr double kLetterSeconds = 0.1, kRate = 16000;
  std::vector<float> samples;
  for (const char letter : word) {
    const double hertz = 300 + 120 * (letter - 'A');
    for (int i = 0; i < static_cast<int>(kLetterSeconds * kRate); ++i) {
      samples.push_back(static_cast<float>(0.3 * std::sin(2 * M_PI * hertz * i / kRate)));
    }
  }
  return samples;
}

// Two speakers with four training recordings each, of which one is damaged, and two recordings to evaluate on.
void MakeRecordings(const TemporaryDirectory& folder) {
  std::string index = "file\tspeaker\ttranscript\tsplit\n";
  const char* const words[] = {"GO", "STOP", "YES", "NO", "LEFT"};
  for (int i = 0; i < 10; ++i) {
    const std::string name = absl::StrCat(i, ".wav");
    WriteAudio(folder.Path(name), Tones(words[i / 2]));
    absl::StrAppend(&index, name, "\tspeaker", i % 2, "\t", words[i / 2], "\t", i < 8 ? "train" : "test", "\n");
  }
  const std::string whole = ReadBytes(folder.Path("3.wav"));
  WriteBytes(folder.Path("3.wav"), whole.substr(0, 30));  // in the middle of the header
  WriteBytes(folder.Path("index.tsv"), index);
}

class SpeechTest : public FederationTest {
 protected:
  void SetUp() override {
    MakeRecordings(recordings_);
    ASSERT_FALSE(HasFatalFailure());
  }

  // A run of two trainers, a speaker each, and an evaluator; the status at the end.
  absl::StatusOr<v1::Status> Recognise(Cluster* cluster) {
    Sections sections;
    sections.training = "local_epochs: 1 batch_size: 2 learning_rate: 0.02 sgd { momentum: 0.9 }";
    sections.more = "evaluation { every: 1 }\n";
    TW_RETURN_IF_ERROR(cluster->StartServer(Config(kRounds, 2, kOmc, sections)));
    for (int i = 0; i < 2; ++i) TW_RETURN_IF_ERROR(StartTrainer(cluster, i, "packed"));
    TW_RETURN_IF_ERROR(StartRecogniser(cluster, "evaluator", {"--weights=packed", "--role=evaluator"}));
    return AwaitAll(cluster);
  }
  // One round of one trainer that starts from the model at `path` and does not move.
  absl::StatusOr<v1::Status> StandStill(Cluster* cluster, const std::string& path) {
    Sections sections;
    sections.model = absl::StrCat("safetensors: \"", path, "\"");
    sections.training = "local_epochs: 1 batch_size: 4 learning_rate: 0";
    TW_RETURN_IF_ERROR(cluster->StartServer(Config(1, 1, kScalesAndCorrections, sections)));
    TW_RETURN_IF_ERROR(StartTrainer(cluster, 0, "packed:nearest"));
    return AwaitAll(cluster);
  }

  absl::Status StartTrainer(Cluster* cluster, int speaker, const std::string& weights) {
    return StartRecogniser(cluster, absl::StrCat("trainer", speaker),
                           {"--weights=" + weights, "--partition=speaker", absl::StrCat("--shard=", speaker, "/2")});
  }
  absl::Status StartRecogniser(Cluster* cluster, const std::string& id, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--task=speech", "--model=conformer-xs", "--data=" + recordings_.Path("index.tsv")});
    return cluster->StartClient(id, flags).status();
  }
  static absl::StatusOr<v1::Status> AwaitAll(Cluster* cluster) {
    TW_ASSIGN_OR_RETURN(const v1::Status status, cluster->AwaitEnd(absl::Seconds(240)));
    TW_RETURN_IF_ERROR(cluster->AwaitClients(absl::Seconds(30)));
    return status;
  }

  TemporaryDirectory recordings_;
};

// The most that a payload may weigh in its FP32 size: what the plan leaves in FP32 counts whole.
absl::StatusOr<double> PayloadLimit(const std::string& model) {
  TW_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(model));
  double coded = 0;
  for (const TensorSpec& tensor : reader.spec().tensors()) {
    if (IsQuantizedMatrix(tensor)) coded += static_cast<double>(tensor.count());
  }
  const double share = coded / static_cast<double>(reader.spec().total_count());
  return share * kMatrixShare + (1 - share);
}

// One test, since a run costs seconds: rounds of everything, the same again, and one that must change nothing.
TEST_F(SpeechTest, TwoSpeakersTrainPackedAndADamagedRecordingEndsNothing) {
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Recognise(&cluster_));
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_EQ(status.version(), static_cast<uint64_t>(kRounds));
  EXPECT_EQ(status.accuracy_version(), static_cast<uint64_t>(kRounds));

  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), static_cast<size_t>(kRounds));
  for (const v1::RoundSummary& round : rounds) {
    EXPECT_EQ(round.state(), v1::ROUND_STATE_PUBLISHED) << round.reason();
    EXPECT_EQ(round.version(), round.round());
    EXPECT_EQ(round.counters().folded(), 2u);
    EXPECT_GT(round.train_loss(), 0);
    EXPECT_TRUE(round.has_accuracy());
  }

  // The second round's, since the initial weights came up in FP32.
  ASSERT_OK_AND_ASSIGN(const double limit, PayloadLimit(status.model_path()));
  EXPECT_LT(limit, 0.43);
  for (const v1::TrafficCounters& counters : {rounds[1].trainer_traffic().down(), rounds[1].trainer_traffic().up()}) {
    EXPECT_GT(counters.payload_bytes(), 0u);
    EXPECT_LE(static_cast<double>(counters.payload_bytes()),
              limit * static_cast<double>(counters.fp32_payload_bytes()));
  }

  EXPECT_THAT(cluster_.LogOf("trainer1"), HasSubstr("1 of 4 utterances were skipped"));
  EXPECT_THAT(cluster_.LogOf("trainer1"), HasSubstr("3.wav"));
  EXPECT_THAT(cluster_.LogOf("trainer0"), Not(HasSubstr("skipped")));

  TemporaryDirectory folder;
  Cluster again(folder.path(), THINWIRE_BINARY_DIR "/bin");
  ASSERT_OK_AND_ASSIGN(const v1::Status second, Recognise(&again));
  ASSERT_EQ(second.state(), v1::RUN_STATE_COMPLETED) << second.reason() << again.Logs();
  EXPECT_EQ(ExportedDigest(second), ExportedDigest(status));
  EXPECT_EQ(second.accuracy(), status.accuracy());

  // Scales and corrections that a client could not choose again from the values alone: it holds them as they came.
  TemporaryDirectory third;
  Cluster still(third.path(), THINWIRE_BINARY_DIR "/bin");
  ASSERT_OK_AND_ASSIGN(const v1::Status unmoved, StandStill(&still, status.model_path()));
  ASSERT_EQ(unmoved.state(), v1::RUN_STATE_COMPLETED) << unmoved.reason() << still.Logs();
  EXPECT_EQ(unmoved.version(), 1u);
  EXPECT_EQ(ExportedDigest(unmoved), ExportedDigest(status));
}

}  // namespace
}  // namespace thinwire
