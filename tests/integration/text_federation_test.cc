// Text in the whole federation: two roles of a play, each on a client of its own, and an evaluator, as processes over
// gRPC that train a language model of characters in a subspace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status_macros.h"
#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr int kRounds = 4;
constexpr uint64_t kDimension = 1000;
constexpr uint64_t kOverhead = 200;  // of a payload of coordinates over their bytes (docs/igc.md)

// Two roles that say the same over and over, as far as a model can learn in seconds, and a line that is damaged.
void WritePlay(const TemporaryDirectory& folder) {
  std::string lines;
  for (const auto& [role, speech] : {std::pair("GHOST", "swear, swear, swear by his sword, swear"),
                                     std::pair("HAMLET", "words, words, words, words, and words")}) {
    std::string speeches;
    for (int i = 0; i < 40; ++i) absl::StrAppend(&speeches, i == 0 ? "\"" : ", \"", speech, "\"");
    absl::StrAppend(&lines, "{\"play\": \"Hamlet\", \"role\": \"", role, "\", \"speeches\": [", speeches, "]}\n");
  }
  lines += "{\"play\": \"Hamlet\", \"role\": \n";
  ASSERT_THAT(WriteFileAtomically(folder.Path("roles.jsonl"), lines), IsOk());
}

class TextTest : public FederationTest {
 protected:
  void SetUp() override { WritePlay(play_); }

  static std::string Plan() {
    return absl::StrCat(
        "plan { explicit { downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA "
        "value { fp32 {} } } subspace { dimension: ",
        kDimension, " epoch_rounds: 2 } } }\n");
  }

  // The status at the end of a run of two trainers, a role each, and an evaluator.
  absl::StatusOr<v1::Status> Learn(Cluster* cluster) {
    Sections sections;
    sections.training = "local_epochs: 2 batch_size: 4 learning_rate: 20 sgd {}";
    sections.more = "evaluation { every: 1 }\n";
    TW_RETURN_IF_ERROR(cluster->StartServer(Config(kRounds, 2, Plan(), sections)));
    const std::vector<std::string> task = {"--task=text", "--model=transformer-xs",
                                           "--data=" + play_.Path("roles.jsonl")};
    for (int i = 0; i < 2; ++i) {
      std::vector<std::string> flags = task;
      flags.insert(flags.end(), {"--partition=speaker", absl::StrCat("--shard=", i, "/2")});
      TW_RETURN_IF_ERROR(cluster->StartClient(absl::StrCat("trainer", i), flags).status());
    }
    std::vector<std::string> flags = task;
    flags.push_back("--role=evaluator");
    TW_RETURN_IF_ERROR(cluster->StartClient("evaluator", flags).status());
    TW_ASSIGN_OR_RETURN(const v1::Status status, cluster->AwaitEnd(absl::Seconds(240)));
    TW_RETURN_IF_ERROR(cluster->AwaitClients(absl::Seconds(30)));
    return status;
  }

  TemporaryDirectory play_;
};

// One test, since a run costs seconds.
TEST_F(TextTest, TwoRolesLearnTheirLinesThroughAThousandNumbers) {
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(&cluster_));
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_EQ(status.accuracy_version(), static_cast<uint64_t>(kRounds));

  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), static_cast<size_t>(kRounds));
  for (const v1::RoundSummary& round : rounds) {
    EXPECT_EQ(round.state(), v1::ROUND_STATE_PUBLISHED) << round.reason();
    EXPECT_EQ(round.counters().folded(), 2u);
  }
  EXPECT_GT(status.accuracy(), 0.5) << "of the next characters";
  // The first round has the initial weights and theta_0 besides.
  EXPECT_LE(rounds[1].trainer_traffic().up().payload_bytes(), 2 * (4 * kDimension + kOverhead));
  EXPECT_LE(rounds[1].trainer_traffic().down().payload_bytes(), 2 * (4 * kDimension + kOverhead));

  for (const char* name : {"trainer0", "trainer1", "evaluator"}) {
    EXPECT_THAT(cluster_.LogOf(name), HasSubstr("1 line")) << "the damaged line is not reported";
  }

  TemporaryDirectory folder;
  Cluster again(folder.path(), THINWIRE_BINARY_DIR "/bin");
  ASSERT_OK_AND_ASSIGN(const v1::Status second, Learn(&again));
  ASSERT_EQ(second.state(), v1::RUN_STATE_COMPLETED) << second.reason() << again.Logs();
  EXPECT_EQ(ExportedDigest(second), ExportedDigest(status));
}

}  // namespace
}  // namespace thinwire
