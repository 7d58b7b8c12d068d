// The server's wall clock jumps by years, forth and back: no deadline, lease or retry is measured by it.
#include "absl/time/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kTenYears = int64_t{10} * 365 * 86400;

TEST_F(FederationTest, RoundsGoOnWhileTheServersClockJumpsForthAndBack) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's runtime has to come before any preloaded library";
#endif
  const std::string jump = folder_.Path("jump");
  const auto set = [&](int64_t seconds) { ASSERT_THAT(WriteFileAtomically(jump, absl::StrCat(seconds)), IsOk()); };
  set(0);
  cluster_.WrapServer({"/usr/bin/env", "LD_PRELOAD=" THINWIRE_CLOCK_JUMP_LIBRARY, "THINWIRE_CLOCK_JUMP=" + jump});
  Sections sections;
  sections.round = "deadline { seconds: 60 }";
  ASSERT_THAT(cluster_.StartServer(Config(12, 3, kFp32, sections)), IsOk());
  StartEchoClients(2, 1000);
  const auto at = [](const char* clients) {
    return [clients](const v1::Status& now) { return now.waiting_for().find(clients) != std::string::npos; };
  };
  ASSERT_THAT(cluster_.AwaitStatus(at("2 of 3")), IsOk());
  // While calls are held, and with all that is to come.
  set(kTenYears);
  ASSERT_THAT(cluster_.StartClient("c2", {"--task=echo"}), IsOk());
  ASSERT_THAT(cluster_.AwaitStatus([](const v1::Status& now) { return now.version() >= 4; }), IsOk());
  set(-kTenYears);
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  ASSERT_EQ(rounds.size(), 12u);
  for (const v1::RoundSummary& round : rounds) {
    EXPECT_EQ(round.counters().folded(), 3u);
    EXPECT_EQ(round.counters().invited(), 3u);
    EXPECT_GE(round.duration().seconds(), 0);
    EXPECT_LT(round.duration().seconds(), 60);
  }
  // It did jump, as its log shows.
  const std::string forth = absl::FormatTime("%Y-", absl::Now() + absl::Seconds(kTenYears), absl::UTCTimeZone());
  const std::string back = absl::FormatTime("%Y-", absl::Now() - absl::Seconds(kTenYears), absl::UTCTimeZone());
  EXPECT_THAT(cluster_.LogOf("server"), HasSubstr("\n" + forth));
  EXPECT_THAT(cluster_.LogOf("server"), HasSubstr("\n" + back));
  EXPECT_THAT(cluster_.LogOf("server"), Not(AnyOf(HasSubstr("reason=\"lease"), HasSubstr("round failed"))));
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(30)), IsOk());
}

}  // namespace
}  // namespace thinwire
