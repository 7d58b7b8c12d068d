#include <string>
#include <vector>

#include "common/base/file.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "server/config/config.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

constexpr char kExamples[] = THINWIRE_SOURCE_DIR "/deploy/config";

TEST(ConfigExamplesTest, TheServerAcceptsEachOfThem) {
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names, ListDirectory(kExamples));
  EXPECT_GE(names.size(), 3u);
  for (const std::string& name : names) EXPECT_THAT(LoadConfig(JoinPath(kExamples, name)), IsOk()) << name;
}

// server.textproto says that it gives every field's default. What is required, and so has no default, is given here.
TEST(ConfigExamplesTest, TheFullExampleGivesTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig full, LoadConfig(JoinPath(kExamples, "server.textproto")));
  ASSERT_OK_AND_ASSIGN(const ServerConfig defaults,
                       ParseConfig("run { rounds: 100 } storage { directory: 'out/server' } round { clients: 10 }"
                                   "model { from_client_seed: 1 } plan { preset: PLAN_PRESET_S1E3M7 }"
                                   "training { learning_rate: 0.05 } evaluation { every: 1 }"
                                   "security { insecure: true }",
                                   "defaults"));
  v1::FederationConfig expected = defaults.proto;
  *expected.mutable_plan() = full.proto.plan();
  EXPECT_EQ(full.plan.Name(), defaults.plan.Name());
  google::protobuf::util::MessageDifferencer differencer;
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  EXPECT_TRUE(differencer.Compare(expected, full.proto)) << differences;
}

}  // namespace
}  // namespace thinwire
