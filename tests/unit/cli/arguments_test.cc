#include "client/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/render.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

TEST(CliArguments, FlagsStandBeforeOrAfterTheVerbWithOrWithoutEqualsSign) {
  ASSERT_OK_AND_ASSIGN(const CliCommand a, ParseCliArguments({"status", "--server", "h:1", "--format=json"}));
  EXPECT_EQ(a.verb, "status");
  EXPECT_EQ(a.options.server, "h:1");
  EXPECT_TRUE(a.options.json);
  ASSERT_OK_AND_ASSIGN(const CliCommand b, ParseCliArguments({"--version=7", "export", "--out", "m"}));
  EXPECT_EQ(b.options.version, 7u);
}

TEST(CliArguments, WhatIsWrongIsNamed) {
  const auto error = [](const std::vector<std::string>& arguments) {
    return std::string(ParseCliArguments(arguments).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("which verb"));
  EXPECT_THAT(error({"dance"}), HasSubstr("'dance'"));
  EXPECT_THAT(error({"status", "--speed"}), HasSubstr("--speed"));
  EXPECT_THAT(error({"status", "--server"}), HasSubstr("needs a value"));
  EXPECT_THAT(error({"status", "extra"}), HasSubstr("'extra'"));
  EXPECT_THAT(error({"status", "--format", "xml"}), HasSubstr("'xml'"));
  EXPECT_THAT(error({"export"}), HasSubstr("--out"));
  EXPECT_THAT(error({"export", "--out", "m", "--version", "new"}), HasSubstr("'new'"));
  EXPECT_THAT(error({"inspect"}), HasSubstr("payload file"));
}

TEST(CliArguments, HelpNamesEveryVerbAndExitCode) {
  for (const char* word : {"status", "watch", "rounds", "export", "inspect", "--server", "--format", "Exit codes"}) {
    EXPECT_THAT(CliHelp(), HasSubstr(word));
  }
  EXPECT_EQ(ParseCliArguments({"status", "--help"})->verb, "help");
  EXPECT_EQ(ParseCliArguments({"--version"})->verb, "version");
}

TEST(Render, BytesAreDecimalWithThreeDigits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.00 kB");
  EXPECT_EQ(HumanBytes(91'700'000), "91.7 MB");
  EXPECT_EQ(HumanBytes(~uint64_t{0}), "18447 PB");
}

TEST(Render, StatusSaysWhatIsWaitedForAndWhyClientsWereRefused) {
  v1::Status status;
  status.set_run_name("demo");
  status.set_state(v1::RUN_STATE_RUNNING);
  status.set_waiting_for("3 of 8 clients");
  v1::RefusalCount* refusal = status.add_refusals();
  refusal->set_reason("norm");
  refusal->set_count(2);
  EXPECT_THAT(RenderStatus(status), HasSubstr("3 of 8 clients"));
  EXPECT_THAT(RenderStatus(status), HasSubstr("2 x norm"));
  EXPECT_THAT(RenderStatusLine(status), HasSubstr("RUNNING round 0/0"));
  EXPECT_THAT(RenderJson(status), HasSubstr("\"waiting_for\":\"3 of 8 clients\""));
}

TEST(Render, RoundsFormATableWithOneLineEach) {
  v1::RoundSummary round;
  round.set_round(3);
  round.set_state(v1::ROUND_STATE_PUBLISHED);
  round.set_accuracy(0.8125);
  const std::string table = RenderRounds({round, round});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
  EXPECT_THAT(table, HasSubstr("0.8125"));
}

}  // namespace
}  // namespace thinwire
