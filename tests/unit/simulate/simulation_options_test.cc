#include "deploy/simulate/simulation_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "deploy/simulate/simulation_config.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

TEST(SimulationOptionsTest, FlagsTakeValuesInBothForms) {
  ASSERT_OK_AND_ASSIGN(const SimulationOptions options,
                       ParseSimulationOptions({"--clients=2000", "--clients-per-round", "32", "--task=echo",
                                               "--no-sync", "--format", "json", "--learning-rate=0.5"}));
  EXPECT_EQ(options.clients, 2000u);
  EXPECT_EQ(options.clients_per_round, 32u);
  EXPECT_EQ(options.task, "echo");
  EXPECT_EQ(options.format, "json");
  EXPECT_EQ(options.learning_rate, 0.5);
  EXPECT_TRUE(options.no_sync);
}

TEST(SimulationOptionsTest, ARefusalNamesFlagValueAndWhatIsAccepted) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"--rounds", "0"}, {"--rounds", "'0'", "1..1000000"}},
      {{"--rounds", "many"}, {"--rounds", "'many'"}},
      {{"--clients", "-3"}, {"--clients", "'-3'"}},
      {{"--momentum", "1"}, {"--momentum", "less than 1"}},
      {{"--learning-rate", "nan"}, {"--learning-rate", "'nan'"}},
      {{"--aggregator", "mode"}, {"--aggregator", "'mode'", "mean, median, trimmed-mean"}},
      {{"--trim", "0.5"}, {"--trim", "less than 0.5"}},
      {{"--task", "dream"}, {"--task", "'dream'", "classify, speech, text, echo"}},
      {{"--format", "xml"}, {"--format", "text, json"}},
      {{"--plan", "fp17"}, {"--plan", "fp17"}},
      {{"--partition", "fair"}, {"--partition", "fair"}},
      {{"--threads", "0"}, {"--threads", "1..1024"}},
      {{"--state="}, {"--state", "not empty"}},
      {{"--seed"}, {"--seed", "needs a value"}},
      {{"--speed", "9"}, {"'--speed'", "--help"}},
      {{"out"}, {"'out'", "--help"}},
      {{"--clients", "5", "--clients-per-round", "6"}, {"--clients-per-round is 6", "--clients 5"}},
      {{"--clients", "50", "--samples", "49"}, {"--samples is 49", "50 clients"}},
      {{"--augment", "mixup"}, {"--augment", "'mixup'", "none, flip-crop"}},
      {{"--task=echo", "--weights=packed"},
       {"--weights is for --task classify, speech, text", "--task echo has no use"}},
      {{"--dropout=0.1", "--task=echo"}, {"--dropout is for --task speech, text;", "leave it out"}},
      {{"--task=echo", "--audio=dir"}, {"--audio is for --task speech;", "--task echo"}},
      {{"--audio=dir"}, {"--audio is for --task speech;", "--task classify"}},
      {{"--task=speech", "--augment=none"}, {"--augment is for --task classify;", "--task speech"}},
      {{"--task=text", "--audio=dir"}, {"--audio is for --task speech;", "--task text"}},
      {{"--vocabulary=words.txt"}, {"--vocabulary is for --task text;", "--task classify"}},
      {{"--task=text", "--test-set=train"}, {"--test-set", "'train'", "dev, test"}},
      {{"--keep-updates=u", "--weights=packed"}, {"--keep-updates", "--weights is packed"}},
      {{"--keep-updates=u", "--plan=igc:d=16"}, {"--keep-updates", "igc:d=16"}},
      {{"--parameters=5"}, {"--parameters is for --task echo;", "--task classify"}},
  };
  for (const auto& [arguments, words] : cases) {
    const absl::Status status = ParseSimulationOptions(arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << arguments[0];
    for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}

TEST(SimulationOptionsTest, HelpIsGivenWhateverElseIsSaid) {
  ASSERT_OK_AND_ASSIGN(const SimulationOptions options,
                       ParseSimulationOptions({"--clients", "1", "--clients-per-round", "9", "--help"}));
  EXPECT_TRUE(options.help);
}

TEST(SimulationConfigTest, AnAggregatorIsThatOfAServer) {
  ASSERT_OK_AND_ASSIGN(SimulationOptions options,
                       ParseSimulationOptions({"--aggregator", "trimmed-mean", "--trim=0.2"}));
  ASSERT_OK_AND_ASSIGN(const ServerConfig trimmed, SimulationConfig(options, 70, "state"));
  EXPECT_EQ(trimmed.aggregator.kind, AggregatorOptions::Kind::kTrimmedMean);
  EXPECT_EQ(trimmed.aggregator.trim, 0.2);
  options.trim = 0.05;
  EXPECT_THAT(SimulationConfig(options, 70, "state"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("leaves out none of the 10 updates")));
  options.aggregator = "median";
  ASSERT_OK_AND_ASSIGN(const ServerConfig median, SimulationConfig(options, 70, "state"));
  EXPECT_EQ(median.aggregator.kind, AggregatorOptions::Kind::kMedian);
}

TEST(SimulationConfigTest, RoundsOfManyClientsGetAsMuchRoomInTheSumsAsTheirDataNeed) {
  SimulationOptions options;
  options.clients = options.clients_per_round = 1000;
  ASSERT_OK_AND_ASSIGN(const ServerConfig usual, SimulationConfig(options, 70, "state"));
  EXPECT_EQ(usual.proto.aggregation().max_examples(), uint64_t{1} << 20);
  options.clients = options.clients_per_round = 100'000;
  ASSERT_OK_AND_ASSIGN(const ServerConfig large, SimulationConfig(options, 70, "state"));
  EXPECT_EQ(large.proto.aggregation().max_examples(), 128u);
}

}  // namespace
}  // namespace thinwire
