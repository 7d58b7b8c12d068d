// What an operator may do to a running server.
#include <gmock/gmock.h>

#include "common/rpc/grpc_status.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class ControlTest : public ServerFixture {
 protected:
  absl::Status StartRun() {
    grpc::ClientContext context;
    v1::StartRunResponse response;
    return FromGrpcStatus(control_->StartRun(&context, {}, &response));
  }
  absl::Status StopRun(const std::string& reason) {
    grpc::ClientContext context;
    v1::StopRunRequest request;
    request.set_reason(reason);
    v1::StopRunResponse response;
    return FromGrpcStatus(control_->StopRun(&context, request, &response));
  }
};

TEST_F(ControlTest, ARunThatWaitsForItsStartGivesNoWorkBeforeIt) {
  Start("run { wait_for_start: true }");
  EXPECT_EQ(GetStatus().waiting_for(), "the operator: thinwire start");
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(StartRun(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  EXPECT_EQ(work.round(), 1u);
  EXPECT_THAT(StartRun(), IsOk());  // nothing more happens
}

TEST_F(ControlTest, AStoppedRunExportsItsModelAndCanNeitherStartNorStopAgain) {
  Start();
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  ASSERT_THAT(StopRun("the storm\nis near"), IsOk());
  const v1::Status end = WaitFor([](const v1::Status& status) { return !status.model_path().empty(); });
  EXPECT_EQ(end.state(), v1::RUN_STATE_STOPPED);
  EXPECT_EQ(end.reason().find('\n'), std::string::npos);
  EXPECT_THAT(end.reason(), HasSubstr("the storm"));
  for (const absl::Status& status : {StartRun(), StopRun("")}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has ended")));
  }
  Stop();
  Start();
  EXPECT_EQ(GetStatus().state(), v1::RUN_STATE_STOPPED);
}

TEST_F(ControlTest, ClientsAreListedById) {
  Start("round { clients: 9 }");
  for (const char* id : {"c", "a", "b"}) ASSERT_THAT(Client(id).Join(), IsOk());
  const v1::ListClientsResponse first = ListClients("", 2);
  ASSERT_EQ(first.clients_size(), 2);
  EXPECT_EQ(first.clients(0).client_id(), "a");
  EXPECT_EQ(first.clients(0).role(), v1::CLIENT_ROLE_TRAINER);
  EXPECT_EQ(first.clients(0).examples(), 10u);
  EXPECT_EQ(first.clients(0).software(), "test");
  const v1::ListClientsResponse rest = ListClients("b", 2);
  ASSERT_EQ(rest.clients_size(), 1);
  EXPECT_EQ(rest.clients(0).client_id(), "c");
}

}  // namespace
}  // namespace thinwire
