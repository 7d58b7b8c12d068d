// The program thinwire-simulate against federations of real processes: the same seeds give the same model, bit by bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/train/local_data.h"
#include "tests/integration/federation_fixture.h"
#include "tests/testing/cifar_folder.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class SimulatedProcessesTest : public FederationTest {
 protected:
  // Exit code of thinwire-simulate; its output goes to Log().
  int Simulate(const std::vector<std::string>& flags) {
    ProcessSpec spec{"simulate", {THINWIRE_BINARY_DIR "/bin/thinwire-simulate"}, {}, Log()};
    spec.command.insert(spec.command.end(), flags.begin(), flags.end());
    absl::StatusOr<ChildProcess> process = ChildProcess::Start(spec);
    EXPECT_THAT(process, IsOk());
    return process.ok() ? process->Wait(absl::InfiniteDuration())->code : -1;
  }
  std::string Log() const { return folder_.Path("simulate.txt"); }
  std::string SimulatedState() const { return folder_.Path("simulated"); }

  nlohmann::json SimulatedResult(const std::vector<std::string>& flags) {
    std::vector<std::string> all = {"--seed=11", "--threads=2", "--no-sync", "--state", SimulatedState()};
    all.insert(all.end(), flags.begin(), flags.end());
    std::filesystem::remove_all(SimulatedState());  // of the run before
    EXPECT_EQ(Simulate(all), 0) << FileTail(Log(), 20);
    const absl::StatusOr<std::string> text = ReadWholeFile(SimulatedState() + "/result.json", 1 << 20);
    EXPECT_THAT(text, IsOk());
    return text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  }
};

TEST_F(SimulatedProcessesTest, EchoGivesTheModelOfProcessesWithTheSameSeeds) {
  Sections sections;
  sections.model = "from_client_seed: 11";
  ASSERT_THAT(cluster_.StartServer(Config(3, 4, kS1E3M7, sections)), IsOk());
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i), {"--task=echo", "--echo-parameters=70000"}), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  const nlohmann::json simulated =
      SimulatedResult({"--task=echo", "--parameters=70000", "--clients=4", "--clients-per-round=4", "--rounds=3",
                       "--plan=s1e3m7", "--learning-rate=0.01"});
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes());
  EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes());
}

// Float blocks of all tensors, since the echo's is no matrix; each client downloads a variant of its own.
TEST_F(SimulatedProcessesTest, PartialQuantisationGivesTheModelOfProcessesToo) {
  constexpr char kBlocks[] = "{ exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO partial: 0.1 }";
  const std::string plan = absl::StrCat("plan { explicit { downlink { value { float_blocks ", kBlocks,
                                        " } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { "
                                        "float_blocks ",
                                        kBlocks, " } } } }\n");
  Sections sections;
  sections.model = "from_client_seed: 11";
  ASSERT_THAT(cluster_.StartServer(Config(3, 4, plan, sections)), IsOk());
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i), {"--task=echo", "--echo-parameters=70000"}), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  const nlohmann::json simulated =
      SimulatedResult({"--task=echo", "--parameters=70000", "--clients=4", "--clients-per-round=4", "--rounds=3",
                       "--plan=s1e3m7/4096+partial=0.1", "--learning-rate=0.01"});
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes());
  EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes());
}

// Two vectors, an epoch every second version: virtual clients are sent what each of them lacks, too.
TEST_F(SimulatedProcessesTest, ASubspaceGivesTheModelAndTheBytesOfProcesses) {
  constexpr char kPlan[] = R"(plan { explicit {
    downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { fp32 {} } }
    subspace { dimension: 1000 vectors: 2 epoch_rounds: 2 } } }
)";
  Sections sections;
  sections.model = "from_client_seed: 11";
  ASSERT_THAT(cluster_.StartServer(Config(5, 4, kPlan, sections)), IsOk());
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i), {"--task=echo", "--echo-parameters=70000"}), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  const nlohmann::json simulated =
      SimulatedResult({"--task=echo", "--parameters=70000", "--clients=4", "--clients-per-round=4", "--rounds=5",
                       "--plan=igc:d=1000,k=2,epoch=2", "--learning-rate=0.01"});
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes());
  EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes());
}

// Errors of earlier updates go with the client, whichever worker has its turn.
TEST_F(SimulatedProcessesTest, APartOfEachUpdateGivesTheModelAndTheBytesOfProcesses) {
  constexpr char kUplink[] =
      "plan { explicit { downlink { value { fp32 {} } } uplink { representation: "
      "UPLINK_REPRESENTATION_DELTA value { fp32 {} } ";
  Sections sections;
  sections.model = "from_client_seed: 11";
  const std::pair<const char*, const char*> plans[] = {{"top_k { k: 700 } error_feedback {} } } }\n", "topk:k=700"},
                                                       {"sketch { rows: 3 columns: 900 k: 200 momentum: 0.5 } } } }\n",
                                                        "fetchsgd:rows=3,columns=900,k=200,momentum=0.5"}};
  for (const auto& [uplink, plan] : plans) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    ASSERT_THAT(cluster.StartServer(Config(4, 4, absl::StrCat(kUplink, uplink), sections)), IsOk());
    for (int i = 0; i < 4; ++i) {
      ASSERT_THAT(cluster.StartClient(absl::StrCat("trainer-", i), {"--task=echo", "--echo-parameters=70000"}), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster.AwaitEnd());
    const nlohmann::json simulated =
        SimulatedResult({"--task=echo", "--parameters=70000", "--clients=4", "--clients-per-round=4", "--rounds=4",
                         absl::StrCat("--plan=", plan), "--learning-rate=0.01"});
    EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status)) << plan;
    EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes()) << plan;
    EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes()) << plan;
  }
}

// Random rounding and errors are those of run, round and client, too.
TEST_F(SimulatedProcessesTest, UpdatesUnderABudgetGiveTheModelAndTheBytesOfProcesses) {
  constexpr char kUplink[] =
      "plan { explicit { downlink { value { float { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO } "
      "} "
      "} uplink { representation: UPLINK_REPRESENTATION_DELTA ";
  Sections sections;
  sections.model = "from_client_seed: 11";
  const std::pair<const char*, const char*> plans[] = {
      {"update { bits_per_parameter: 0.5 rdu {} } error_feedback { decay: 0.5 } } } }\n",
       "rdu:bits=0.5,decay=0.5,down=s1e3m7"},
      {"update { bits: 60000 qsgd { bucket: 512 } } } } }\n", "qsgd:total=60000,bucket=512,down=s1e3m7"},
      {"update { bits_per_parameter: 0.7 eden {} } error_feedback {} } } }\n", "eden:bits=0.7,decay=1,down=s1e3m7"},
      {"update { bits_per_parameter: 3 rdu {} } } subspace { dimension: 1000 vectors: 2 epoch_rounds: 2 } } }\n",
       "igc:d=1000,k=2,epoch=2,value=s1e3m7,up=rdu:bits=3"},
      {"update { bits_per_parameter: 3 rdu {} } error_feedback { decay: 0.5 } } subspace { dimension: 1000 "
       "epoch_rounds: 3 } } }\n",
       "igc:d=1000,epoch=3,value=s1e3m7,up=rdu:bits=3,decay=0.5"}};
  for (const auto& [uplink, plan] : plans) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    ASSERT_THAT(cluster.StartServer(Config(4, 4, absl::StrCat(kUplink, uplink), sections)), IsOk());
    for (int i = 0; i < 4; ++i) {
      ASSERT_THAT(cluster.StartClient(absl::StrCat("trainer-", i), {"--task=echo", "--echo-parameters=70000"}), IsOk());
    }
    ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster.AwaitEnd());
    const nlohmann::json simulated =
        SimulatedResult({"--task=echo", "--parameters=70000", "--clients=4", "--clients-per-round=4", "--rounds=4",
                         absl::StrCat("--plan=", plan), "--learning-rate=0.01"});
    EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status)) << plan;
    EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes()) << plan;
    EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes()) << plan;
  }
}

TEST_F(SimulatedProcessesTest, ErrorsOfCoordinatesCountWithinTheirEpochOnly) {
  const auto model_of = [&](const std::string& plan) {
    return SimulatedResult({"--task=echo", "--parameters=70000", "--clients=2", "--clients-per-round=2", "--rounds=3",
                            absl::StrCat("--plan=igc:d=1000,", plan), "--learning-rate=0.01"})["model_sha256"]
        .get<std::string>();
  };
  EXPECT_EQ(model_of("epoch=1,up=rdu:bits=2,decay=0.5"), model_of("epoch=1,up=rdu:bits=2"));
  EXPECT_NE(model_of("epoch=2,up=rdu:bits=2,decay=0.5"), model_of("epoch=2,up=rdu:bits=2"));
}

#if THINWIRE_HAS_TORCH
TEST_F(SimulatedProcessesTest, TrainingGivesTheModelAndAccuracyOfProcessesWithTheSameSeeds) {
  if (!FileExists(absl::StrCat(kFashionMnistFolder, "/train-images-idx3-ubyte.gz"))) GTEST_SKIP() << "no data set";
  Sections sections;
  sections.model = "from_client_seed: 11";
  sections.training = "batch_size: 32 learning_rate: 0.02 sgd { momentum: 0.9 }";
  sections.more = "evaluation { every: 1 }\n";
  ASSERT_THAT(cluster_.StartServer(Config(2, 3, kS1E3M7, sections)), IsOk());
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i),
                                     {"--task=classify", "--samples=900", "--partition=dirichlet:0.3", "--seed=11",
                                      absl::StrCat("--shard=", i, "/3")}),
                IsOk());
  }
  ASSERT_THAT(cluster_.StartClient("evaluator", {"--role=evaluator", "--task=classify"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(240)));
  const nlohmann::json simulated = SimulatedResult(
      {"--samples=900", "--clients=3", "--clients-per-round=3", "--rounds=2", "--plan=s1e3m7", "--learning-rate=0.02"});
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["accuracy"].get<double>(), status.accuracy());
}
#endif

#if THINWIRE_HAS_TORCH
// With BatchNorm, whose statistics are differences then.
TEST_F(SimulatedProcessesTest, StatisticsUnderABudgetAreThoseOfProcesses) {
  const std::string data = folder_.path();
  ASSERT_THAT(WriteCifarFolder(data, 96, 20), IsOk());
  constexpr char kPlan[] = R"(plan { explicit { downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.05 rdu { fast: true } }
             error_feedback {} } } }
)";
  Sections sections;
  sections.model = "from_client_seed: 11";
  sections.training = "batch_size: 16 learning_rate: 0.02 sgd { momentum: 0.9 }";
  ASSERT_THAT(cluster_.StartServer(Config(2, 2, kPlan, sections)), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i),
                                     {"--task=classify", "--model=cifar-cnn", "--data=" + data, "--partition=iid",
                                      "--seed=11", absl::StrCat("--shard=", i, "/2")}),
                IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(240)));
  const nlohmann::json simulated = SimulatedResult(
      {"--model=cifar-cnn", "--data=" + data, "--partition=iid", "--clients=2", "--clients-per-round=2", "--rounds=2",
       "--plan=rdu:bits=0.05,fast,decay=1", "--batch=16", "--learning-rate=0.02", "--evaluate-every=0"});
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes());
}
#endif

#if THINWIRE_HAS_TORCH
// Online model compression down, packed weights, and what an update of few bits left out in the next one.
TEST_F(SimulatedProcessesTest, PackedWeightsUnderABudgetWithErrorFeedbackAreThoseOfProcesses) {
  const std::string data = folder_.path();
  ASSERT_THAT(WriteCifarFolder(data, 96, 20), IsOk());
  constexpr char kPlan[] = R"(plan { explicit {
    downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO weights_only: true
                                      partial: 0.1 } } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.1 rdu { fast: true } }
             error_feedback {} } } }
)";
  Sections sections;
  sections.model = "from_client_seed: 11";
  sections.training = "batch_size: 16 learning_rate: 0.02 sgd { momentum: 0.9 }";
  ASSERT_THAT(cluster_.StartServer(Config(3, 2, kPlan, sections)), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(cluster_.StartClient(absl::StrCat("trainer-", i),
                                     {"--task=classify", "--model=cifar-cnn", "--weights=packed", "--data=" + data,
                                      "--partition=iid", "--seed=11", absl::StrCat("--shard=", i, "/2")}),
                IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(240)));
  const std::vector<std::string> flags = {"--model=cifar-cnn", "--data=" + data,        "--partition=iid",
                                          "--clients=2",       "--clients-per-round=2", "--rounds=3",
                                          "--batch=16",        "--learning-rate=0.02",  "--evaluate-every=0"};
  const auto simulate = [&](const std::string& weights, const std::string& decay) {
    std::vector<std::string> all = {"--weights=" + weights, "--plan=rdu:bits=0.1,fast,down=omc,decay=" + decay};
    all.insert(all.end(), flags.begin(), flags.end());
    return SimulatedResult(all);
  };
  const nlohmann::json simulated = simulate("packed", "1");
  EXPECT_EQ(simulated["model_sha256"], ExportedDigest(status));
  EXPECT_EQ(simulated["trainers"]["up"]["payload"], status.trainer_traffic().up().payload_bytes());
  EXPECT_EQ(simulated["trainers"]["down"]["payload"], status.trainer_traffic().down().payload_bytes());
  EXPECT_NE(simulated["model_sha256"], simulate("packed", "0")["model_sha256"]);
  EXPECT_NE(simulated["model_sha256"], simulate("full", "1")["model_sha256"]);
}
#endif

TEST_F(SimulatedProcessesTest, WrongUsageExitsWithTwoAndNamesTheFlag) {
  EXPECT_EQ(Simulate({"--rounds=0"}), 2);
  EXPECT_THAT(FileTail(Log(), 5), HasSubstr("--rounds is '0'"));
}

TEST_F(SimulatedProcessesTest, MissingDataExitWithThree) {
  if (!THINWIRE_HAS_TORCH) GTEST_SKIP() << "without LibTorch nothing reads data";
  EXPECT_EQ(Simulate({"--data", folder_.path(), "--state", SimulatedState()}), 3);
  EXPECT_THAT(FileTail(Log(), 5), HasSubstr(folder_.path()));
}

}  // namespace
}  // namespace thinwire
