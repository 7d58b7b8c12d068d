#include "client/rpc/federation_convert.h"

#include <limits>

#include "common/wire/convert.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

v1::Assignment MakeAssignment() {
  v1::Assignment proto;
  proto.set_assignment_id("a1");
  proto.set_kind(v1::ASSIGNMENT_KIND_TRAIN);
  proto.set_round(3);
  proto.set_version(2);
  PayloadRef ref;
  ref.id = Sha256("model");
  ref.total_size = 5000;
  ref.manifest_size = kManifestHeaderSize;
  *proto.mutable_model() = ToProto(ref);
  proto.mutable_training()->set_local_epochs(2);
  proto.mutable_training()->set_learning_rate(0.125);
  proto.set_seed(77);
  *proto.mutable_time_left() = ToProto(absl::Seconds(41));
  return proto;
}

absl::StatusOr<AwaitReply> Await(const v1::Assignment& assignment) {
  v1::AwaitAssignmentResponse proto;
  *proto.mutable_assignment() = assignment;
  return FromProto(proto);
}

TEST(FederationConvertTest, AnAssignmentKeepsEveryField) {
  v1::Assignment proto = MakeAssignment();
  *proto.mutable_frozen() = proto.model();
  auto spec = ModelSpec::Create({{"w", {3}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_THAT(spec, IsOk());
  *proto.mutable_spec() = ToProto(*spec);
  ASSERT_OK_AND_ASSIGN(const AwaitReply reply, Await(proto));
  const Assignment& assignment = std::get<Assignment>(reply);
  EXPECT_EQ(assignment.id, "a1");
  EXPECT_EQ(assignment.kind, AssignmentKind::kTrain);
  EXPECT_EQ(assignment.round, 3u);
  EXPECT_EQ(assignment.version, 2u);
  EXPECT_EQ(assignment.model.id, Sha256("model"));
  EXPECT_EQ(assignment.model.total_size, 5000u);
  ASSERT_TRUE(assignment.frozen && assignment.spec);
  EXPECT_EQ(*assignment.spec, *spec);
  EXPECT_EQ(assignment.training.local_epochs, 2u);
  EXPECT_EQ(assignment.training.learning_rate, 0.125);
  EXPECT_EQ(assignment.seed, 77u);
  EXPECT_EQ(assignment.time_left, absl::Seconds(41));
}

TEST(FederationConvertTest, InitialWeightsNeedNoPayload) {
  v1::Assignment proto = MakeAssignment();
  proto.clear_model();
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kInvalidArgument));
  proto.set_kind(v1::ASSIGNMENT_KIND_INITIALIZE);
  EXPECT_THAT(Await(proto), IsOk());
}

TEST(FederationConvertTest, WhatOnlyANewerServerSaysIsUnimplemented) {
  v1::Assignment proto = MakeAssignment();
  proto.set_kind(static_cast<v1::AssignmentKind>(9));
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("kind 9")));
  EXPECT_THAT(FromProto(v1::AwaitAssignmentResponse()), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(FromProto(static_cast<v1::UpdateState>(9)), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(FromProto(v1::UPDATE_STATE_UNSPECIFIED), StatusIs(absl::StatusCode::kUnimplemented));
  v1::JoinResponse join;
  join.set_wire_version(2);
  EXPECT_THAT(FromProto(join), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("wire version 2")));
  join.set_wire_version(1);
  EXPECT_THAT(FromProto(join), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("update the client")));
}

TEST(FederationConvertTest, MalformedAssignmentsAreRefusedByField) {
  v1::Assignment proto = MakeAssignment();
  proto.clear_assignment_id();
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("assignment_id")));
  proto = MakeAssignment();
  proto.mutable_model()->set_payload_id("short");
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("payload_id")));
  proto = MakeAssignment();
  proto.mutable_training()->set_learning_rate(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("learning_rate")));
  proto = MakeAssignment();
  proto.mutable_training()->mutable_sgd()->set_momentum(1.5);
  EXPECT_THAT(Await(proto), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("momentum is 1.5")));
}

TEST(FederationConvertTest, OtherAnswersOfAwait) {
  v1::AwaitAssignmentResponse proto;
  proto.mutable_run_ended()->set_state("COMPLETED");
  proto.mutable_run_ended()->set_reason("all rounds done");
  ASSERT_OK_AND_ASSIGN(AwaitReply reply, FromProto(proto));
  EXPECT_EQ(std::get<RunEnded>(reply).state, "COMPLETED");
  EXPECT_EQ(std::get<RunEnded>(reply).reason, "all rounds done");
  *proto.mutable_come_back()->mutable_retry()->mutable_min() = ToProto(absl::Seconds(3));
  proto.mutable_come_back()->set_waiting_for("3 of 8 clients");
  ASSERT_OK_AND_ASSIGN(reply, FromProto(proto));
  EXPECT_EQ(std::get<ComeBack>(reply).retry.min, absl::Seconds(3));
  EXPECT_EQ(std::get<ComeBack>(reply).waiting_for, "3 of 8 clients");
}

TEST(FederationConvertTest, OptimisersAndTheirDefaults) {
  v1::TrainingConfig proto;
  proto.set_local_steps(10);
  proto.mutable_sgd()->set_momentum(0.9);
  proto.mutable_sgd()->set_weight_decay(0.001);
  proto.set_proximal_mu(0.1);
  ASSERT_OK_AND_ASSIGN(TrainingOptions options, FromProto(proto));
  EXPECT_EQ(options.local_steps, 10u);
  EXPECT_EQ(options.batch_size, 32u);
  EXPECT_EQ(options.optimizer, TrainingOptions::Optimizer::kSgd);
  EXPECT_EQ(options.momentum, 0.9);
  EXPECT_EQ(options.weight_decay, 0.001);
  EXPECT_EQ(options.proximal_mu, 0.1);
  proto.mutable_adam()->set_beta1(0);
  proto.mutable_adam()->set_decoupled(true);
  proto.mutable_adam()->set_keep_state(true);
  ASSERT_OK_AND_ASSIGN(options, FromProto(proto));
  EXPECT_EQ(options.optimizer, TrainingOptions::Optimizer::kAdam);
  EXPECT_EQ(options.beta1, 0);
  EXPECT_EQ(options.beta2, 0.999);
  EXPECT_EQ(options.epsilon, 1e-8);
  EXPECT_TRUE(options.decoupled);
  EXPECT_TRUE(options.keep_state);
}

}  // namespace
}  // namespace thinwire
