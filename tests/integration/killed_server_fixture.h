// Servers that are killed at a passage, and whether they go on to the model of a run that nobody disturbed.
#ifndef THINWIRE_TESTS_INTEGRATION_KILLED_SERVER_FIXTURE_H_
#define THINWIRE_TESTS_INTEGRATION_KILLED_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/integration/federation_fixture.h"

namespace thinwire {

// Three echo clients, four rounds.
class KilledServerTest : public FederationTest {
 protected:
  static constexpr int kParameters = 50'000;
  static constexpr int kRounds = 4;

  static std::string UndisturbedDigest(const char* plan) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    EXPECT_THAT(cluster.StartServer(Config(kRounds, 3, plan)), IsOk());
    for (const char* id : {"c0", "c1", "c2"}) {
      EXPECT_THAT(cluster.StartClient(id, {"--task=echo", absl::StrCat("--echo-parameters=", kParameters)}), IsOk());
    }
    const absl::StatusOr<v1::Status> status = cluster.AwaitEnd();
    EXPECT_THAT(status, IsOk());
    if (!status.ok()) return "";
    const absl::StatusOr<std::string> bytes = ReadWholeFile(status->model_path(), 1 << 30);
    EXPECT_THAT(bytes, IsOk());
    return bytes.ok() ? Sha256(*bytes).Hex() : "";
  }
  // What is kept beside a model is of its version, whichever side of its publication the server died on.
  void ExpectTheSameAfterAKill(const char* plan, const std::string& passage) {
    const std::string config = Config(kRounds, 3, plan);
    ASSERT_THAT(cluster_.StartServer(config, {absl::StrCat("--fail-point=", passage)}), IsOk());
    StartEchoClients(3, kParameters);
    const std::optional<ProcessExit> exit = cluster_.server().Wait(absl::Seconds(60));
    ASSERT_TRUE(exit.has_value()) << "the fail-point was not reached\n" << cluster_.Logs();
    ASSERT_THAT(cluster_.StartServer(config), IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
    EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
    EXPECT_EQ(ExportedDigest(status), UndisturbedDigest(plan)) << passage;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_INTEGRATION_KILLED_SERVER_FIXTURE_H_
