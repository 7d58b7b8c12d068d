// A certificate that is revoked while its client waits: the call that is held gives no work.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <thread>

#include "tests/testing/status_matchers.h"
#include "tests/testing/test_authority.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class RevokedTest : public ServerFixture {
 protected:
  RevokedTest() {
    authority_.Server();
    security_ = authority_.SecuritySection();
    operator_ = TlsChannelCredentials(authority_.Operator("alice"), PeerRole::kOperator).value();
  }
  TestClient TlsClient(const std::string& name) {
    return TestClient(server_->endpoints().federation, name,
                      TlsChannelCredentials(authority_.Client(name), PeerRole::kClient).value());
  }

  TestAuthority authority_{directory_.Path("ca")};
};

TEST_F(RevokedTest, AHeldCallGivesNoWorkToAClientThatHasBeenRevokedMeanwhile) {
  Start("round { clients: 2 min_updates: 1 }");
  TestClient a = TlsClient("a");
  TestClient b = TlsClient("b");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  absl::StatusOr<v1::AwaitAssignmentResponse> held = absl::InternalError("nothing");
  std::thread waiting([&] { held = a.Await(); });
  WaitFor([](const v1::Status& s) { return s.waiting_for().find("1 of 2") != std::string::npos; });
  ASSERT_THAT(authority_.folder().Revoke("a"), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, b.AwaitWork());  // makes the round full
  waiting.join();
  EXPECT_THAT(held, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("is revoked")));
  // Its place is free, and the round goes on without it.
  const v1::Status dropped = WaitFor([](const v1::Status& s) { return s.counters().dropped() == 1; });
  EXPECT_EQ(dropped.trainers(), 1u);
  ASSERT_THAT(b.Upload(work, Encode(FilledState(SmallModel(), 1), work)), IsOk());
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
}

}  // namespace
}  // namespace thinwire
