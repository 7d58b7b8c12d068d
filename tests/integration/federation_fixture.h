// What the integration tests share: a cluster in a folder of its own, and short ways to say a configuration.
#ifndef THINWIRE_TESTS_INTEGRATION_FEDERATION_FIXTURE_H_
#define THINWIRE_TESTS_INTEGRATION_FEDERATION_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors.h"
#include "tests/testing/cluster.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {

constexpr char kFp32[] = "plan { preset: PLAN_PRESET_FP32 }\n";
constexpr char kS1E3M7[] = "plan { preset: PLAN_PRESET_S1E3M7 }\n";
constexpr char kOmc[] = "plan { preset: PLAN_PRESET_OMC }\n";
constexpr uint64_t kSeed = 11;  // of every run

// A model whose values try the codecs: both zeros, subnormals, large and small magnitudes, several blocks, a buffer.
inline ModelState MakeAwkwardModel(uint64_t values) {
  ModelState state(
      *ModelSpec::Create({{"layer.weight", {static_cast<int64_t>(values)}, DataType::kFloat32, TensorRole::kTrainable},
                          {"layer.bias", {7}, DataType::kFloat32, TensorRole::kTrainable},
                          {"norm.mean", {5}, DataType::kFloat32, TensorRole::kBuffer},
                          {"norm.steps", {}, DataType::kInt64, TensorRole::kBuffer}}));
  for (size_t i = 0; i < values; ++i) {
    const float sign = i % 2 == 0 ? 1.0f : -1.0f;
    state.floats[0][i] = sign * static_cast<float>(i % 977) * 1.7e-4f;  // i % 977 == 0 gives 0.0f and -0.0f
  }
  state.floats[1] = {1e-40f, -1e-40f, 3.0f, -0.0f, 0.0f, 1e-7f, -2.5f};
  state.floats[2] = {0.1f, 0.2f, 0.3f, -0.0f, 5.0f};
  state.ints[3] = {42};
  return state;
}

class FederationTest : public testing::Test {
 protected:
  FederationTest() : cluster_(folder_.path(), THINWIRE_BINARY_DIR "/bin") {}

  // Fields to add to, or put in place of, those that every test's configuration has; one text per message.
  struct Sections {
    std::string round = "";
    std::string model = "from_client_seed: 5";
    std::string training = "learning_rate: 0.01";
    std::string client = "heartbeat_interval { nanos: 200000000 } lease { seconds: 5 }";
    std::string more = "";  // whole messages
  };

  // Rounds of `clients` updates each.
  static std::string Config(int rounds, int clients, const std::string& plan, const Sections& sections) {
    return absl::StrCat("run { rounds: ", rounds, " seed: ", kSeed, " }\nmodel { ", sections.model,
                        " }\nround { clients: ", clients, " ", sections.round, " }\ntraining { ", sections.training,
                        " }\nclient { ", sections.client, " }\n", plan, sections.more);
  }
  static std::string Config(int rounds, int clients, const std::string& plan) {
    return Config(rounds, clients, plan, Sections());
  }

  void StartEchoClients(int count, int parameters, const std::vector<std::string>& more = {}) {
    for (int i = 0; i < count; ++i) {
      std::vector<std::string> flags = {"--task=echo", absl::StrCat("--echo-parameters=", parameters)};
      flags.insert(flags.end(), more.begin(), more.end());
      ASSERT_THAT(cluster_.StartClient(absl::StrCat("c", i), flags), IsOk());
    }
  }

  // SHA-256 of the values of the model that the run exported.
  std::string ExportedDigest(const v1::Status& status) {
    const absl::StatusOr<std::string> bytes = ReadWholeFile(status.model_path(), uint64_t{1} << 30);
    EXPECT_THAT(bytes, IsOk()) << "model_path '" << status.model_path() << "'";
    return bytes.ok() ? Sha256(*bytes).Hex() : "";
  }

  TemporaryDirectory folder_;
  Cluster cluster_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_INTEGRATION_FEDERATION_FIXTURE_H_
