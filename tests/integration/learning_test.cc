// Real models on real data: two LibTorch clients and an evaluator learn Fashion-MNIST through packed floats.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "client/train/local_data.h"
#include "common/base/status_macros.h"
#include "tests/integration/federation_fixture.h"
#include "tests/testing/cifar_folder.h"

namespace thinwire {
namespace {

class LearningTest : public FederationTest {
 protected:
  // Two rounds of two trainers, who hold their weights by `weights`; the status at the end.
  absl::StatusOr<v1::Status> Learn(const std::string& plan, const std::string& weights, double rate = 0.05) {
    const std::string data = kFashionMnistFolder;
    Sections sections;
    sections.training = absl::StrCat("local_epochs: 1 batch_size: 32 learning_rate: ", rate, " sgd { momentum: 0.9 }");
    sections.more = "evaluation { every: 1 }\n";
    TW_RETURN_IF_ERROR(cluster_.StartServer(Config(2, 2, plan, sections)));
    const std::vector<std::string> task = {"--task=classify", "--model=cnn", "--data=" + data, "--weights=" + weights};
    for (int i = 0; i < 2; ++i) {
      std::vector<std::string> flags = task;
      flags.insert(flags.end(), {"--samples=6000", "--partition=dirichlet:0.3", absl::StrCat("--shard=", i, "/2")});
      TW_RETURN_IF_ERROR(cluster_.StartClient(absl::StrCat("trainer", i), flags).status());
    }
    std::vector<std::string> flags = task;
    flags.push_back("--role=evaluator");
    TW_RETURN_IF_ERROR(cluster_.StartClient("evaluator", flags).status());
    return cluster_.AwaitEnd(absl::Seconds(240));
  }

  void SetUp() override {
    if (!FileExists(kFashionMnistFolder)) {
      GTEST_SKIP() << "no Fashion-MNIST here; install the Debian package dataset-fashion-mnist";
    }
  }
};

TEST_F(LearningTest, TwoClientsLearnFashionMnistAndTheEvaluatorSaysHowWell) {
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(kS1E3M7, "full"));
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_EQ(status.accuracy_version(), 2u);
  EXPECT_GT(status.accuracy(), 0.5);
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_TRUE(rounds[0].has_accuracy());
  EXPECT_GT(rounds[0].train_loss(), rounds[1].train_loss());
  EXPECT_GT(status.evaluator_traffic().down().payload_bytes(), 2u * 114'314 * 11 / 8);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// Online model compression whole: small floats on the wire and in all memories but the server's.
TEST_F(LearningTest, ClientsThatHoldTheirWeightsPackedLearnAsWell) {
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(kOmc, "packed"));
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_GT(status.accuracy(), 0.5);
  const auto& down = status.trainer_traffic().down();
  EXPECT_LT(down.payload_bytes(), down.fp32_payload_bytes() * 45 / 100);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// Intrinsic gradient compression: of 114,314 numbers 4,000 travel.
TEST_F(LearningTest, CoordinatesOfASubspaceLearn) {
  const std::string plan = R"(plan { explicit {
    downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } }
    subspace { dimension: 4000 epoch_rounds: 1 } } }
)";
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(plan, "full", 1.0));
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_GT(status.accuracy(), 0.5);
  constexpr uint64_t kInitialWeights = 4 * 114'314 + 2000;  // which one of them sends
  EXPECT_LE(status.trainer_traffic().up().payload_bytes(), kInitialWeights + 4u * (4 * 4000 + 200));
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// Of 114,314 weights 5,000 travel from each client, and what changed back.
TEST_F(LearningTest, LargestEntriesLearn) {
  const std::string plan = R"(plan { explicit {
    downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } top_k { k: 5000 } error_feedback {} } } }
)";
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(plan, "full"));
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_GT(status.accuracy(), 0.5);
  EXPECT_LE(status.trainer_traffic().down().payload_bytes(), 2u * (2 * 5000 * 6 + 300));
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// FetchSGD: 15,000 cells travel, and 5,000 weights move.
TEST_F(LearningTest, SketchesLearn) {
  const std::string plan = R"(plan { explicit {
    downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} }
             sketch { rows: 3 columns: 5000 k: 5000 momentum: 0.0 } } } }
)";
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Learn(plan, "full"));
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  EXPECT_GT(status.accuracy(), 0.4);
  EXPECT_LE(status.trainer_traffic().down().payload_bytes(), 2u * (5000 * 6 + 300));
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

// A net with BatchNorm under 0.05 bits a parameter, of which its statistics take a third: they follow the data.
class NormsTest : public FederationTest {
 protected:
  static constexpr uint64_t kTrained = 551'722;
  static constexpr int kRounds = 4;

  absl::StatusOr<v1::Status> Train(const std::string& plan) {
    TW_RETURN_IF_ERROR(WriteCifarFolder(folder_.path(), 160, 40));
    Sections sections;
    sections.training = "local_epochs: 1 batch_size: 16 learning_rate: 0.01 sgd { momentum: 0.9 }";
    TW_RETURN_IF_ERROR(cluster_.StartServer(Config(kRounds, 2, plan, sections)));
    for (int i = 0; i < 2; ++i) {
      TW_RETURN_IF_ERROR(
          cluster_
              .StartClient(absl::StrCat("c", i), {"--task=classify", "--model=cifar-cnn", "--data=" + folder_.path(),
                                                  "--partition=iid", absl::StrCat("--shard=", i, "/2")})
              .status());
    }
    return cluster_.AwaitEnd(absl::Seconds(240));
  }
};

TEST_F(NormsTest, StatisticsAreLearntUnderASmallBudget) {
  const std::string plan = R"(plan { explicit {
    downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO } } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.05 rdu { fast: true } }
             error_feedback {} } } }
)";
  ASSERT_OK_AND_ASSIGN(const v1::Status status, Train(plan));
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason() << cluster_.Logs();
  constexpr uint64_t kBudget = kTrained / 20 / 8, kInitialWeights = 4 * (kTrained + 1152) + 10'000;
  EXPECT_LE(status.trainer_traffic().up().payload_bytes(), 2 * kRounds * kBudget + kInitialWeights);
  ASSERT_OK_AND_ASSIGN(SafetensorsReader reader, SafetensorsReader::Open(status.model_path()));
  ModelState model(reader.spec());
  ASSERT_THAT(ReadModel(reader, &model), IsOk());
  int variances = 0;
  for (size_t i = 0; i < model.floats.size(); ++i) {
    const TensorSpec& tensor = model.spec.tensors()[i];
    if (tensor.dtype == DataType::kInt64) {
      EXPECT_EQ(model.ints[i][0], kRounds * 80 / 16) << tensor.name;
    }
    if (!absl::StrContains(tensor.name, "running_var")) continue;
    for (const float variance : model.floats[i]) EXPECT_GT(variance, 0) << tensor.name;
    variances += static_cast<int>(model.floats[i].size());
    EXPECT_NE(model.floats[i], std::vector<float>(model.floats[i].size(), 1)) << tensor.name;
  }
  EXPECT_EQ(variances, 576);
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

}  // namespace
}  // namespace thinwire
