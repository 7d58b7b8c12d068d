// Real models on real data: two LibTorch clients and an evaluator learn Fashion-MNIST through packed floats.
#include <gtest/gtest.h>

#include "client/train/local_data.h"
#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

TEST_F(FederationTest, TwoClientsLearnFashionMnistAndTheEvaluatorSaysHowWell) {
  const std::string data = kFashionMnistFolder;
  if (!FileExists(data)) GTEST_SKIP() << "no Fashion-MNIST here; install the Debian package dataset-fashion-mnist";
  Sections sections;
  sections.training = "local_epochs: 1 batch_size: 32 learning_rate: 0.05 sgd { momentum: 0.9 }";
  sections.more = "evaluation { every: 1 }\n";
  ASSERT_THAT(cluster_.StartServer(Config(2, 2, kS1E3M7, sections)), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer", i),
                                     {"--task=classify", "--model=cnn", "--data=" + data, "--samples=6000",
                                      "--partition=dirichlet:0.3", absl::StrCat("--shard=", i, "/2")}),
                IsOk());
  }
  ASSERT_THAT(
      cluster_.StartClient("evaluator", {"--role=evaluator", "--task=classify", "--model=cnn", "--data=" + data}),
      IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(240)));
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

}  // namespace
}  // namespace thinwire
