// What probes are told: /healthz, /readyz and gRPC's health service.
#include <gmock/gmock.h>

#include <thread>

#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HealthTest : public ServerFixture {
 protected:
  // Asks until the answer comes. The deadline only ends a test that would fail.
  template <typename Ask>
  static void Eventually(const std::string& wanted, Ask ask) {
    const Monotonic give_up = Clock::System()->Now() + absl::Seconds(60);
    std::string answer = ask();
    while (answer.find(wanted) == std::string::npos) {
      ASSERT_LT(Clock::System()->Now(), give_up) << "wanted " << wanted << ", the last answer was " << answer;
      std::this_thread::yield();
      answer = ask();
    }
  }
  std::string Federation(const std::string& service = "thinwire.v1.Federation") {
    return GrpcHealth(server_->endpoints().federation, service);
  }
  std::string Control(const std::string& service = "thinwire.v1.Control") {
    return GrpcHealth(server_->endpoints().control, service);
  }
};

TEST_F(HealthTest, AServerAtWorkIsHealthyReadyAndServes) {
  Start();
  Eventually("200 ok", [this] { return HttpGet("/readyz"); });
  EXPECT_EQ(HttpGet("/healthz"), "200 ok\n");
  EXPECT_EQ(Federation(), "SERVING");
  EXPECT_EQ(Federation(""), "SERVING");
  EXPECT_EQ(Control(), "SERVING");
  EXPECT_EQ(Control(""), "SERVING");
  EXPECT_EQ(Federation("no.such.Service"), "");
}

TEST_F(HealthTest, AFailedRunIsNotReadyAndOnlyItsOperatorIsServed) {
  Start("round { max_failed_rounds: 1 }");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  ASSERT_THAT(a.ReportFailure(work.assignment_id(), "no data"), IsOk());
  WaitFor([](const v1::Status& status) { return status.state() == v1::RUN_STATE_FAILED; });
  EXPECT_THAT(HttpGet("/readyz"), AllOf(StartsWith("503 "), HasSubstr("the run has failed: 1 round failed in a row")));
  EXPECT_EQ(Federation(), "NOT_SERVING");
  EXPECT_EQ(Federation(""), "NOT_SERVING");
  EXPECT_EQ(Control(), "SERVING");
  EXPECT_EQ(HttpGet("/healthz"), "200 ok\n");  // a restart would mend nothing
}

TEST_F(HealthTest, ADriverThatTakesNoWorkIsUnhealthyUntilItDoes) {
  health_ = {absl::Milliseconds(1), absl::Milliseconds(50)};
  Start();
  BlockDriver();
  Eventually("503 the run's driver has taken no work for", [this] { return HttpGet("/healthz"); });
  EXPECT_THAT(HttpGet("/readyz"), StartsWith("503 the run's driver has taken no work for"));
  Eventually("NOT_SERVING", [this] { return Federation(); });
  Eventually("NOT_SERVING", [this] { return Control(); });
  ReleaseDriver();
  Eventually("200 ok", [this] { return HttpGet("/healthz"); });
  Eventually("200 ok", [this] { return HttpGet("/readyz"); });
  const auto serving = [this] { return Federation() == "SERVING" && Control() == "SERVING" ? "both" : "not yet"; };
  Eventually("both", serving);
}

}  // namespace
}  // namespace thinwire
