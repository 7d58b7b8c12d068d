// Releases that differ: an old client with a new server and the reverse. What is unknown is either harmless, and then
// nobody notices, or refused by a message that names it and says what to update.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/codec/payload.h"  // before the fixture, whose constants its names hide
#include "tests/integration/federation_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/integration/scripted_server.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kExitRefused = 3;  // see thinwire-client --help

class OldClientTest : public FederationTest {
 protected:
  static v1::JoinRequest Request(const std::vector<uint32_t>& versions) {
    v1::JoinRequest request;
    request.set_client_id("old");
    request.set_role(v1::CLIENT_ROLE_TRAINER);
    for (const uint32_t version : versions) request.add_wire_versions(version);
    for (const v1::CodecKind kind : {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64}) {
      request.add_codecs(kind);
    }
    request.set_examples(1);
    return request;
  }
  absl::StatusOr<v1::JoinResponse> Join(const v1::JoinRequest& request) {
    return RawClient(cluster_.federation_address(), request.client_id()).Join(request);
  }
};

TEST_F(OldClientTest, IsToldWhichVersionsBothSpeak) {
  ASSERT_THAT(cluster_.StartServer(Config(1, 1, kS1E3M7)), IsOk());
  for (const std::vector<uint32_t>& versions : std::vector<std::vector<uint32_t>>{{}, {0}, {2, 3}}) {
    EXPECT_THAT(Join(Request(versions)), StatusIs(absl::StatusCode::kUnimplemented,
                                                  AllOf(HasSubstr("no common wire version"), HasSubstr("this server 1"),
                                                        HasSubstr("install matching releases"))));
  }
  // One that can also speak something newer is given what both know.
  ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, Join(Request({3, 1, 2})));
  EXPECT_EQ(joined.wire_version(), 1u);
}

TEST_F(OldClientTest, IsToldWhichCodecOfThePlanItLacks) {
  ASSERT_THAT(cluster_.StartServer(Config(1, 1, kS1E3M7)), IsOk());
  v1::JoinRequest request = Request({1});
  request.clear_codecs();
  request.add_codecs(v1::CODEC_KIND_FP32);
  EXPECT_THAT(Join(request), StatusIs(absl::StatusCode::kUnimplemented,
                                      AllOf(HasSubstr("CODEC_KIND_FLOAT"), HasSubstr("install a newer client"))));
}

TEST_F(OldClientTest, WhatTheServerDoesNotKnowOfANewerClientIsIgnoredOrNamed) {
  ASSERT_THAT(cluster_.StartServer(Config(1, 1, kS1E3M7)), IsOk());
  v1::JoinRequest request = Request({1});
  request.add_codecs(static_cast<v1::CodecKind>(99));
  auto* const unknown = request.GetReflection()->MutableUnknownFields(&request);
  unknown->AddVarint(1000, 7);
  unknown->AddLengthDelimited(1001, "a field of a later release");
  EXPECT_THAT(Join(request), IsOk());
  request.set_role(static_cast<v1::ClientRole>(9));
  EXPECT_THAT(Join(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                      AllOf(HasSubstr("role is 9"), HasSubstr("CLIENT_ROLE_TRAINER"))));
}

class OldServerTest : public FederationTest {
 protected:
  static v1::JoinResponse Welcome() {
    v1::JoinResponse join;
    join.set_run_name("scripted");
    join.set_wire_version(1);
    join.mutable_limits()->set_max_chunk_bytes(65536);
    join.mutable_plan()->mutable_downlink()->mutable_value()->mutable_fp32();
    join.mutable_plan()->mutable_uplink()->set_representation(v1::UPLINK_REPRESENTATION_DELTA);
    join.mutable_plan()->mutable_uplink()->mutable_value()->mutable_fp32();
    join.mutable_retry()->mutable_min()->set_nanos(1'000'000);
    join.mutable_retry()->mutable_max()->set_nanos(2'000'000);
    return join;
  }
  static v1::AwaitAssignmentResponse Over() {
    v1::AwaitAssignmentResponse over;
    over.mutable_run_ended()->set_state("COMPLETED");
    return over;
  }
  // The exit code of a client that is all that ever calls `server`.
  int ExitWith(const ScriptedServer& server) {
    absl::StatusOr<ChildProcess> started =
        ChildProcess::Start({"client",
                             {THINWIRE_BINARY_DIR "/bin/thinwire-client", "--server", server.address(), "--insecure",
                              "--task=echo", "--state", folder_.Path("site"), "--max-failures=3"},
                             {},
                             cluster_.Path("client.log")});
    EXPECT_THAT(started, IsOk());
    const std::optional<ProcessExit> exit = started->Wait(absl::Seconds(60));
    EXPECT_TRUE(exit.has_value()) << cluster_.LogOf("client");
    return exit.has_value() ? exit->code : -1;
  }
};

TEST_F(OldServerTest, WithAnotherWireVersionIsLeftWithAMessage) {
  for (const uint32_t version : {0u, 2u}) {
    v1::JoinResponse join = Welcome();
    join.set_wire_version(version);
    ScriptedServer server(join, {Over()});
    EXPECT_EQ(ExitWith(server), kExitRefused);
    EXPECT_THAT(cluster_.LogOf("client"),
                AllOf(HasSubstr(absl::StrCat("the server speaks wire version ", version, ", this client 1")),
                      HasSubstr("update the older one")));
  }
}

TEST_F(OldServerTest, ThatAsksForAnUnknownCodecIsLeftWithAMessage) {
  v1::JoinResponse join = Welcome();
  v1::ValueCodec* const value = join.mutable_plan()->mutable_uplink()->mutable_value();
  value->Clear();
  value->GetReflection()->MutableUnknownFields(value)->AddLengthDelimited(77, "");  // a member of the oneof to come
  ScriptedServer server(join, {Over()});
  EXPECT_EQ(ExitWith(server), kExitRefused);
  EXPECT_THAT(cluster_.LogOf("client"),
              AllOf(HasSubstr("the run's plan is none that this client understands"), HasSubstr("update the client")));
}

TEST_F(OldServerTest, ThatGivesAnUnknownKindOfWorkIsLeftWithAMessage) {
  v1::AwaitAssignmentResponse work;
  work.mutable_assignment()->set_assignment_id("r1-c1");
  work.mutable_assignment()->set_kind(static_cast<v1::AssignmentKind>(9));
  ScriptedServer server(Welcome(), {work});
  EXPECT_EQ(ExitWith(server), kExitRefused);
  EXPECT_THAT(cluster_.LogOf("client"), AllOf(HasSubstr("assignment of kind 9"), HasSubstr("update it")));
}

TEST_F(OldServerTest, WhoseAnswersHoldUnknownFieldsIsUnderstoodAllTheSame) {
  v1::JoinResponse join = Welcome();
  join.GetReflection()->MutableUnknownFields(&join)->AddLengthDelimited(1000, "later");
  v1::AwaitAssignmentResponse wait;
  wait.mutable_come_back()->set_waiting_for("2 of 3 clients");
  *wait.mutable_come_back()->mutable_retry() = join.retry();
  wait.GetReflection()->MutableUnknownFields(&wait)->AddVarint(1000, 7);
  ScriptedServer server(join, {wait, Over()});
  EXPECT_EQ(ExitWith(server), 0);
  EXPECT_GE(server.asked(), 2u);
}

TEST_F(OldServerTest, WithAnAnswerThatHoldsNothingKnownIsLeftWithAMessage) {
  ScriptedServer server(Welcome(), {v1::AwaitAssignmentResponse()});
  EXPECT_EQ(ExitWith(server), kExitRefused);
  EXPECT_THAT(cluster_.LogOf("client"), HasSubstr("holds nothing that this client knows; update it"));
}

}  // namespace
}  // namespace thinwire
