#include "server/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kBase[] = R"(run { rounds: 3 }
storage { directory: "/tmp/x" }
model { from_client_seed: 7 }
plan { preset: PLAN_PRESET_FP32 }
security { insecure: true }
)";
const std::string kMinimal = std::string(kBase) + "round { clients: 2 }\ntraining { learning_rate: 0.1 }\n";

std::string ErrorOf(const std::string& text) {
  return std::string(ParseConfig(text, "server.textproto").status().message());
}

TEST(Config, TheSmallestFileGetsTheDocumentedDefaults) {
  const absl::StatusOr<ServerConfig> config = ParseConfig(kMinimal, "server.textproto");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->proto.run().name(), "default");
  EXPECT_EQ(config->proto.listen().federation(), "127.0.0.1:9480");
  EXPECT_EQ(config->round.min_updates, 2u);
  EXPECT_EQ(config->round.deadline, absl::Minutes(10));
  EXPECT_EQ(config->round.invite_wait, absl::InfiniteDuration());
  EXPECT_TRUE(config->round.ask_client_for_initial);
  EXPECT_EQ(config->late, LatePolicy::kDiscard);
  EXPECT_EQ(config->strategy.kind, StrategyOptions::Kind::kFedAvg);
  EXPECT_EQ(config->lease, absl::Seconds(30));
  EXPECT_TRUE(ParseConfig(EffectiveConfig(*config), "effective").ok());
}

TEST(Config, OverSelectionRoundsUp) {
  const std::string text = std::string(kBase) + "round { clients: 10 over_selection: 1.25 }";
  EXPECT_EQ(ParseConfig(text, "f")->round.invited, 13u);
}

TEST(Config, AnEmptyFileSaysEverythingThatIsMissing) {
  EXPECT_THAT(ErrorOf(""), AllOf(HasSubstr("run.rounds"), HasSubstr("storage.directory"), HasSubstr("model"),
                                 HasSubstr("plan"), HasSubstr("round.clients")));
}

TEST(Config, AllErrorsComeAtOnceEachWithItsLine) {
  const std::string error = ErrorOf(R"(run { rounds: 0 name: "Bad Name" }
storage { directory: "/tmp/x" }
model { from_client_seed: 7 }
plan {
  explicit {
    downlink { value { float { exponent_bits: 1 mantissa_bits: 7 scale: SCALE_RULE_NONE } } }
  }
}
round {
  clients: 2
  min_updates: 5
}
listen { http: "nonsense" }
training { batch_size: 4 learning_rate: -1 }
)");
  EXPECT_THAT(error, HasSubstr("server.textproto:1: run.rounds: is 0"));
  EXPECT_THAT(error, HasSubstr("server.textproto:1: run.name: is 'Bad Name'"));
  EXPECT_THAT(error, HasSubstr("server.textproto:5: plan.explicit"));
  EXPECT_THAT(error, HasSubstr("server.textproto:11: round.min_updates: is 5, must be 1..2"));
  EXPECT_THAT(error, HasSubstr("server.textproto:13: listen.http: 'nonsense'"));
  EXPECT_THAT(error, HasSubstr("server.textproto:14: training.learning_rate: is -1"));
}

std::string WithPlan(const std::string& plan) {
  return "run { rounds: 3 }\nstorage { directory: '/tmp/x' }\nmodel { from_client_seed: 7 }\nround { clients: 2 }\n"
         "security { insecure: true }\n" +
         plan;
}

TEST(Config, PresetOmcIsItsPlanAndAnythingOfItCanBeSetForEachDirection) {
  const absl::StatusOr<ServerConfig> preset = ParseConfig(WithPlan("plan { preset: PLAN_PRESET_OMC }"), "f");
  ASSERT_TRUE(preset.ok()) << preset.status();
  EXPECT_EQ(preset->plan.Name(), OmcPlan().Name());
  const absl::StatusOr<ServerConfig> own = ParseConfig(
      WithPlan("plan { explicit { downlink { value { float_blocks { exponent_bits: 2 mantissa_bits: 5 scale: "
               "SCALE_RULE_ABSMAX scale_group: 64 correction: true } } } uplink { representation: "
               "UPLINK_REPRESENTATION_DELTA value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: "
               "SCALE_RULE_NONE weights_only: true partial: 0.05 rounding: FLOAT_ROUNDING_TRUNCATE } } } } }"),
      "f");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_TRUE(own->plan.downlink == *CodecSpec::Parse("s1e2m5:absmax/64+correction"));
  EXPECT_TRUE(own->plan.uplink == *CodecSpec::Parse("s1e3m7:none/4096+weights+partial=0.05+truncate"));
}

TEST(Config, PresetsOfASubspaceAreTheirPlans) {
  const auto plan_of = [](const std::string& preset) {
    return ParseConfig(WithPlan("plan { preset: " + preset + " }"), "f").value().plan.Name();
  };
  EXPECT_EQ(plan_of("PLAN_PRESET_IGC_STATIC"), IgcPlan(IgcStatic()).Name());
  EXPECT_EQ(plan_of("PLAN_PRESET_IGC_TIME_VARYING"), IgcPlan(IgcTimeVarying()).Name());
  EXPECT_EQ(plan_of("PLAN_PRESET_IGC_K"), IgcPlan(IgcK()).Name());
}

TEST(Config, WhatDoesNotGoWithAPartOfEachUpdateIsNamed) {
  for (const char* preset : {"PLAN_PRESET_TOPK", "PLAN_PRESET_FETCHSGD", "PLAN_PRESET_RDU"}) {
    const std::string plan = std::string("plan { preset: ") + preset + " }";
    EXPECT_TRUE(ParseConfig(WithPlan(plan), "f").ok()) << preset;
    EXPECT_THAT(ErrorOf(WithPlan(plan + "\naggregation { median {} }")), HasSubstr("wants each value of each update"));
  }
  EXPECT_TRUE(ParseConfig(WithPlan("plan { preset: PLAN_PRESET_TOPK }\naggregation { fed_adam {} }"), "f").ok());
  EXPECT_THAT(ErrorOf(WithPlan("plan { preset: PLAN_PRESET_FETCHSGD }\naggregation { fed_avg_m {} }")),
              HasSubstr("momentum in the sketch"));
}

TEST(Config, WhatDoesNotGoWithASubspaceIsNamed) {
  EXPECT_THAT(ErrorOf(WithPlan("plan { preset: PLAN_PRESET_IGC_STATIC }\ntraining { learning_rate: 1 adam {} }")),
              AllOf(HasSubstr("server.textproto:7: training.adam"), HasSubstr("fed_adam")));
  const std::string robust = "\naggregation { median {} }";
  EXPECT_THAT(ErrorOf(WithPlan("plan { preset: PLAN_PRESET_IGC_K }" + robust)),
              HasSubstr("with 4 vectors a client sends one of them"));
  EXPECT_THAT(ErrorOf(WithPlan("plan { explicit { downlink { value { fp32 {} } } uplink { representation: "
                               "UPLINK_REPRESENTATION_DELTA value { fp32 {} } } subspace { dimension: 0 } } }")),
              HasSubstr("subspace.dimension is 0"));
}

TEST(Config, AFaultInFloatBlocksNamesTheLineAndTheWayOut) {
  EXPECT_THAT(
      ErrorOf(WithPlan("plan { explicit { downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 "
                       "scale: SCALE_RULE_POWER_OF_TWO partial: 0.6 } } } } }")),
      AllOf(HasSubstr("server.textproto:6: plan.explicit"), HasSubstr("partial is 0.6"), HasSubstr("0.01 to 0.5")));
}

TEST(Config, AMessageThatStandsTwiceIsRefusedSoThatNeitherIsLost) {
  EXPECT_THAT(ErrorOf(kMinimal + "round { clients: 3 }"),
              AllOf(HasSubstr("server.textproto:8:"), HasSubstr("multiple times")));
}

TEST(Config, UnknownFieldsAndBrokenSyntaxNameTheLine) {
  EXPECT_THAT(ErrorOf("run { rounds: 1 }\nmodel { speed: 3 }"), AllOf(HasSubstr(":2:"), HasSubstr("speed")));
  EXPECT_THAT(ErrorOf("run { rounds: "), HasSubstr("server.textproto:1:"));
  EXPECT_THAT(ErrorOf("\x01\x02\x03"), HasSubstr("server.textproto:1:"));
}

std::string WithSecurity(const std::string& section) {
  return "run { rounds: 3 }\nstorage { directory: '/tmp/x' }\nmodel { from_client_seed: 7 }\n"
         "plan { preset: PLAN_PRESET_FP32 }\nround { clients: 2 }\n" +
         section;
}

TEST(Config, PlaintextIsOnlyServedIfAskedFor) {
  EXPECT_THAT(ErrorOf(WithSecurity("")), AllOf(HasSubstr("security: names no certificates"),
                                               HasSubstr("thinwire certs"), HasSubstr("insecure: true")));
  EXPECT_TRUE(ParseConfig(WithSecurity("security { insecure: true }"), "f").ok());
  ConfigOverrides overrides;
  overrides.insecure = true;
  const absl::StatusOr<ServerConfig> config =
      ParseConfig(WithSecurity("security { ca: 'a' certificate: 'b' key: 'c' }"), "f", overrides);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->proto.security().insecure());
  EXPECT_EQ(config->proto.security().ca(), "");
}

TEST(Config, HalfOfWhatTlsNeedsIsRefusedAtItsLine) {
  EXPECT_THAT(ErrorOf(WithSecurity("security {\n  ca: 'a'\n  certificate: 'b'\n}")),
              HasSubstr("server.textproto:6: security.key: is missing"));
  EXPECT_THAT(ErrorOf(WithSecurity("security {\n  ca: 'a'\n  insecure: true\n}")),
              HasSubstr("server.textproto:8: security.insecure: contradicts"));
  EXPECT_TRUE(ParseConfig(WithSecurity("security { ca: 'a' certificate: 'b' key: 'c' revoked: 'd' }"), "f").ok());
}

TEST(Config, SumsThatWouldLeaveTooFewBitsAreRefusedBeforeAnythingStarts) {
  const std::string text =
      std::string(kBase) + "round { clients: 1000000 }\naggregation { max_examples: 1099511627776 }\n";
  EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr("aggregation.max_examples"), HasSubstr("24")));
}

TEST(Config, StrategiesKeepAnExplicitZero) {
  const std::string text = kMinimal + "aggregation { fed_avg_m { momentum: 0 } }";
  const absl::StatusOr<ServerConfig> config = ParseConfig(text, "f");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->strategy.kind, StrategyOptions::Kind::kFedAvgM);
  EXPECT_EQ(config->strategy.momentum, 0);
  EXPECT_EQ(config->strategy.learning_rate, 1);
}

TEST(Config, ANumberThatIsNotOneIsRefused) {
  EXPECT_THAT(ErrorOf(std::string(kBase) + "round { clients: 2 } training { learning_rate: nan }"),
              HasSubstr("training.learning_rate"));
  EXPECT_THAT(ErrorOf(kMinimal + "aggregation { fed_avg_m { momentum: 1 } }"), HasSubstr("less than 1"));
  EXPECT_THAT(ErrorOf(kMinimal + "aggregation { clip_norm: 257 }"),
              AllOf(HasSubstr("aggregation.clip_norm: is 257"), HasSubstr("0..256")));
}

TEST(Config, AggregatorsHaveTheirDefaultsAndTheMeanIsThePlainOne) {
  EXPECT_EQ(ParseConfig(kMinimal, "f")->aggregator.kind, AggregatorOptions::Kind::kMean);
  const std::string ten = std::string(kBase) + "round { clients: 10 }\n";
  EXPECT_EQ(ParseConfig(ten + "aggregation { median {} }", "f")->aggregator.kind, AggregatorOptions::Kind::kMedian);
  const absl::StatusOr<ServerConfig> trimmed = ParseConfig(ten + "aggregation { trimmed_mean {} }", "f");
  ASSERT_TRUE(trimmed.ok()) << trimmed.status();
  EXPECT_EQ(trimmed->aggregator.kind, AggregatorOptions::Kind::kTrimmedMean);
  EXPECT_EQ(trimmed->aggregator.trim, 0.1);
  EXPECT_EQ(ParseConfig(ten + "aggregation { trimmed_mean { trim: 0 } }", "f")->aggregator.trim, 0);
}

TEST(Config, AnAggregatorThatWouldProtectFromNothingIsRefused) {
  EXPECT_THAT(ErrorOf(kMinimal + "aggregation { median {} }"),
              AllOf(HasSubstr("round.min_updates: is 2, must be at least 3"), HasSubstr("mean {}")));
  const std::string ten = std::string(kBase) + "round { clients: 10 }\n";
  for (const char* trim : {"0.5", "-0.1", "nan", "7"}) {
    EXPECT_THAT(ErrorOf(ten + "aggregation { trimmed_mean { trim: " + trim + " } }"),
                AllOf(HasSubstr("aggregation.trimmed_mean.trim: is "), HasSubstr("less than 0.5")));
  }
  EXPECT_THAT(ErrorOf(ten + "aggregation { trimmed_mean { trim: 0.09 } }"),
              AllOf(HasSubstr("leaves out none of the 10 updates"), HasSubstr("round.min_updates to at least 12")));
  EXPECT_THAT(ErrorOf(std::string(kBase) + "round { clients: 4097 } aggregation { median {} }"),
              AllOf(HasSubstr("round.clients: is 4097, at most 4096"), HasSubstr("memory")));
}

TEST(Config, ALeaseShorterThanTwoHeartbeatsIsRefused) {
  const std::string text = kMinimal + "client { heartbeat_interval { seconds: 20 } }";
  EXPECT_THAT(ErrorOf(text), AllOf(HasSubstr("client.lease: is 30s"), HasSubstr("at least 40s")));
}

TEST(HostPort, IsTakenApartAtItsLastColon) {
  EXPECT_EQ(ParseHostPort("localhost:80")->port, 80);
  EXPECT_EQ(ParseHostPort("[::1]:9480")->host, "[::1]");
  for (const char* bad : {"", ":80", "host", "host:", "host:65536", "host:-1", "host:x"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace thinwire
