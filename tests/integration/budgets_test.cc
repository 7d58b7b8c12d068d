// Updates under a budget of bits with real processes: no upload is ever over it, and a server that is killed goes on to
// the same model, with errors that are committed once.
#include <gtest/gtest.h>

#include <optional>

#include "common/base/bytes.h"
#include "tests/integration/killed_server_fixture.h"

namespace thinwire {
namespace {

// Float blocks of online model compression down.
constexpr char kRdu[] = R"(plan { explicit {
  downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO partial: 0.1 } } }
  uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.25 rdu {} }
           error_feedback { decay: 0.9 } } } }
)";
constexpr char kTopK[] = R"(plan { explicit { downlink { value { fp32 {} } }
  uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits: 12000 top_k_uniform { value_bits: 4 } }
           error_feedback {} } } }
)";

class BudgetsTest : public KilledServerTest {};

TEST_F(BudgetsTest, AServerKilledBehindAReceiptGoesOnBitForBit) {
  ExpectTheSameAfterAKill(kRdu, "after-receive-commit:5");
}
TEST_F(BudgetsTest, AServerKilledWithItsVersionWrittenGoesOnBitForBit) {
  ExpectTheSameAfterAKill(kTopK, "after-version-write:3");
}

// Buffers that nobody moves keep their bits, through every round and a kill.
TEST_F(BudgetsTest, BuffersThatDoNotMoveKeepTheirBits) {
  const ModelState initial = MakeAwkwardModel(kParameters);
  const std::string file = folder_.Path("initial.safetensors");
  ModelStateSource source(initial);
  ASSERT_THAT(WriteSafetensors(file, initial.spec, source), IsOk());
  Sections sections;
  sections.model = absl::StrCat("safetensors: \"", file, "\"");
  const std::string config = Config(kRounds, 3, kRdu, sections);
  ASSERT_THAT(cluster_.StartServer(config, {"--fail-point=after-receive-commit:5"}), IsOk());
  StartEchoClients(3, /*parameters=*/0);  // whatever the run has
  ASSERT_TRUE(cluster_.server().Wait(absl::Seconds(60)).has_value()) << cluster_.Logs();
  ASSERT_THAT(cluster_.StartServer(config), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  ASSERT_OK_AND_ASSIGN(SafetensorsReader trained, SafetensorsReader::Open(status.model_path()));
  ModelState state(initial.spec);
  ASSERT_THAT(ReadModel(trained, &state), IsOk());
  EXPECT_NE(state.floats[0], initial.floats[0]);
  for (size_t i = 0; i < initial.floats[2].size(); ++i) {
    EXPECT_EQ(FloatBits(state.floats[2][i]), FloatBits(initial.floats[2][i])) << i;
  }
  EXPECT_EQ(state.ints[3], initial.ints[3]);
}

TEST_F(BudgetsTest, UploadsKeepWithinTheirBudget) {
  ASSERT_THAT(cluster_.StartServer(Config(kRounds, 3, kRdu)), IsOk());
  StartEchoClients(3, kParameters);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  const uint64_t initial = 4 * kParameters + 1000;  // weights of one client
  const uint64_t budget = kParameters / 4 / 8;
  EXPECT_LE(status.trainer_traffic().up().payload_bytes(), 3 * kRounds * budget + initial);
  EXPECT_GE(status.trainer_traffic().up().payload_bytes(), 3 * kRounds * (budget - 100) + 4 * kParameters);
}

TEST_F(BudgetsTest, EachClientsBudgetIsWhatItsOwnLinkCarries) {
  constexpr char kMeasured[] = R"(plan { explicit { downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA
             update { link { bits_per_second: 1000000 time { nanos: 12500000 } measured: true } rdu {} } } } }
)";
  ASSERT_THAT(cluster_.StartServer(Config(kRounds, 2, kMeasured)), IsOk());
  const std::string parameters = absl::StrCat("--echo-parameters=", kParameters);
  ASSERT_THAT(cluster_.StartClient("slow", {"--task=echo", parameters, "--uplink=1Mbit"}), IsOk());
  ASSERT_THAT(cluster_.StartClient("fast", {"--task=echo", parameters, "--uplink=8Mbit"}), IsOk());
  ASSERT_THAT(cluster_.AwaitEnd(), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), kRounds);
  for (const v1::RoundSummary& round : rounds) {
    // In the first round too: a client that paces itself says so.
    EXPECT_LE(round.uploads().granted_bits(), 112'500u);
    EXPECT_LE(round.uploads().payload_bits(), round.uploads().granted_bits());
    EXPECT_TRUE(round.uploads().has_distortion());
  }
  EXPECT_EQ(rounds[0].uploads().granted_bits(), 112'500u);
}

TEST_F(BudgetsTest, AModelThatTheBudgetHoldsNoUpdateOfIsRefusedWithTheSmallestThatDoes) {
  constexpr char kSign[] = R"(plan { explicit { downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.5 sign {} } } } }
)";
  ASSERT_THAT(cluster_.StartServer(Config(kRounds, 1, kSign)), IsOk());
  ASSERT_THAT(cluster_.StartClient("c0", {"--task=echo", absl::StrCat("--echo-parameters=", kParameters)}), IsOk());
  const std::optional<ProcessExit> exit = cluster_.client(0).Wait(absl::Seconds(60));
  ASSERT_TRUE(exit.has_value()) << cluster_.Logs();
  EXPECT_NE(exit->code, 0);
  EXPECT_NE(cluster_.Logs().find("takes at least"), std::string::npos) << cluster_.Logs();
}

}  // namespace
}  // namespace thinwire
