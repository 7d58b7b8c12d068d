#include "deploy/local/run_config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/config.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

TEST(RunConfigTest, TheServerAcceptsItAndReadsWhatTheOptionsSay) {
  DemoOptions options;
  options.clients = 7;
  options.rounds = 3;
  options.learning_rate = 0.125;
  options.momentum = 0.5;
  options.seed = 18446744073709551615u;
  ASSERT_OK_AND_ASSIGN(const std::string text, RunConfigText(options, "/state"));
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, ParseConfig(text, "server.textproto"));
  EXPECT_EQ(config.proto.round().clients(), 7u);
  EXPECT_EQ(config.proto.run().rounds(), 3u);
  EXPECT_EQ(config.proto.run().seed(), options.seed);
  EXPECT_EQ(config.proto.training().learning_rate(), 0.125);
  EXPECT_EQ(config.proto.training().sgd().momentum(), 0.5);
  EXPECT_EQ(config.proto.storage().directory(), "/state");
  EXPECT_EQ(config.proto.listen().federation(), "127.0.0.1:0");
  EXPECT_EQ(config.plan.Name(), S1E3M7Plan().Name());
}

TEST(RunConfigTest, AnUnknownPlanIsRefused) {
  DemoOptions options;
  options.plan = "zip";
  EXPECT_THAT(RunConfigText(options, "/state"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace thinwire
