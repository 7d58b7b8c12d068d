#include "server/daemon/command_line.h"

#include <gmock/gmock.h>

#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CommandLine, FlagsTakeTheirValueAfterASpaceOrAnEqualsSign) {
  ASSERT_OK_AND_ASSIGN(const CommandLine flags,
                       ParseCommandLine({"--config", "f", "--state-dir=/s", "--listen-http", "h:1", "--log-level=debug",
                                         "--exit-when-done", "--check"}));
  EXPECT_EQ(flags.config, "f");
  EXPECT_EQ(flags.state_dir, "/s");
  EXPECT_EQ(flags.listen_http, "h:1");
  EXPECT_EQ(flags.log_level, "debug");
  EXPECT_TRUE(flags.exit_when_done);
  EXPECT_TRUE(flags.check);
}

TEST(CommandLine, FaultsAreNamed) {
  const auto refused = [](const char* text) { return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)); };
  EXPECT_THAT(ParseCommandLine({}), refused("--config FILE is missing"));
  EXPECT_THAT(ParseCommandLine({"--config"}), refused("--config needs a value"));
  EXPECT_THAT(ParseCommandLine({"--config", "f", "--nonsense"}), refused("'--nonsense'"));
  EXPECT_THAT(ParseCommandLine({"--config", "f", "stray"}), refused("'stray'"));
  EXPECT_THAT(ParseCommandLine({"--config", "f", "--check=yes"}), refused("--check takes no value"));
  EXPECT_THAT(ParseCommandLine({"--config", "f", "--log-level", "loud"}), refused("'loud'"));
}

TEST(CommandLine, HelpAndVersionNeedNoConfiguration) {
  EXPECT_THAT(ParseCommandLine({"--help"}), IsOk());
  EXPECT_THAT(ParseCommandLine({"--version"}), IsOk());
  EXPECT_THAT(HelpText(),
              AllOf(HasSubstr("--exit-when-done"), HasSubstr("after-spool-write"), HasSubstr("Exit codes")));
}

}  // namespace
}  // namespace thinwire
