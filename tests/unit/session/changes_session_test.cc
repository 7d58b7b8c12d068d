// Sessions that are sent what changed since the version that they have.
#include <string>
#include <vector>

#include "client/session/update_encoder.h"
#include "common/sketch/model_changes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class ChangesSessionTest : public SessionFixture {
 protected:
  ChangesSessionTest() : newer_(model) {
    api.join.plan = TopKPlan(100);
    api.join.plan.error_decay = 0;
    newer_.floats[0][7] = 5;
    newer_.floats[1][9] = 6;
    newer_.floats[2] = {3, 2, 1};
  }

  // Of `from`, whose payload is `base`, to `to`, served by the fake.
  ModelChanges PublishChanges(const ModelState& from, const ModelState& to, const Digest& base) {
    ModelStateSource before(from), after(to);
    const ChangedPositions positions = *CompareVersions(from.spec, before, after);
    const std::string path = folder.Path("changes");
    const PayloadRef ref = *EncodeChanges(from.spec, positions, after, base, path);
    api.payloads[ref.id] = *ReadWholeFile(path, 1 << 24);
    return {ref, positions.count()};
  }
  void OfferNewer(const std::string& id, std::optional<ModelChanges> changes) {
    Assignment assignment = MakeAssignment(id);
    assignment.model = newer_ref_ = Publish(newer_);
    assignment.changes = std::move(changes);
    api.answers.push_back(assignment);
  }
  // The update's buffer, which the fake trainer moves by 1, says which model was trained.
  float TrainedFrom(const std::string& assignment) {
    const std::string path = folder.Path("uploaded");
    EXPECT_THAT(WriteFileAtomically(path, api.uploads[assignment]), IsOk());
    const auto reader = PayloadReader::OpenForInspection(path);
    EXPECT_THAT(reader, IsOk());
    std::vector<float> buffer(3);
    EXPECT_THAT(reader->DecodeFloats(1, absl::MakeSpan(buffer)), IsOk());
    return buffer[0] - 1;
  }

  ModelState newer_;
  PayloadRef newer_ref_;
};

TEST_F(ChangesSessionTest, OnlyWhatChangedIsDownloaded) {
  const PayloadRef first = Publish(model);
  api.answers.push_back(MakeAssignment("a1"));
  const ModelChanges changes = PublishChanges(model, newer_, first.id);
  OfferNewer("a2", changes);
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.delivered, 2u);
  EXPECT_EQ(summary.bytes_down, first.total_size + changes.payload.total_size);
  EXPECT_EQ(TrainedFrom("a2"), 3.0f);
  ASSERT_GE(api.models.size(), 2u);
  EXPECT_EQ(api.models[0], std::nullopt);
  EXPECT_EQ(api.models[1], first.id);
  EXPECT_EQ(api.upload_headers.count("a2"), 1u);
}

TEST_F(ChangesSessionTest, WhatItHasSurvivesTheProcess) {
  api.answers.push_back(MakeAssignment("a1"));
  RunSession();
  session.reset();
  OpenState();
  RunSession();
  EXPECT_EQ(api.models.back(), Publish(model).id);
}

TEST_F(ChangesSessionTest, ChangesThatMakeAnotherModelAreDroppedAndTheModelIsDownloaded) {
  api.answers.push_back(MakeAssignment("a1"));
  ModelState other = newer_;
  other.floats[0][8] = 9;
  OfferNewer("a2", PublishChanges(model, other, Publish(model).id));
  EXPECT_EQ(RunSession().delivered, 2u);
  EXPECT_EQ(TrainedFrom("a2"), 3.0f);
  EXPECT_THAT(observer.troubles, Contains(HasSubstr("what changed since")));
  EXPECT_EQ(api.models.back(), newer_ref_.id);
}

TEST_F(ChangesSessionTest, ChangesOfAModelThatIsNotHereAreDropped) {
  api.answers.push_back(MakeAssignment("a1"));
  OfferNewer("a2", PublishChanges(model, newer_, Sha256("another")));
  EXPECT_EQ(RunSession().delivered, 2u);
  EXPECT_EQ(TrainedFrom("a2"), 3.0f);
  EXPECT_THAT(observer.troubles, Contains(HasSubstr("the one that is here")));
}

TEST_F(ChangesSessionTest, MoreChangesThanTheModelHasValuesAreDropped) {
  api.answers.push_back(MakeAssignment("a1"));
  ModelChanges changes = PublishChanges(model, newer_, Publish(model).id);
  changes.entries = uint64_t{1} << 60;
  OfferNewer("a2", changes);
  EXPECT_EQ(RunSession().delivered, 2u);
  EXPECT_EQ(TrainedFrom("a2"), 3.0f);
}

TEST_F(ChangesSessionTest, AClientThatLostItsModelDownloadsIt) {
  OfferNewer("a1", PublishChanges(model, newer_, Publish(model).id));
  EXPECT_EQ(RunSession().bytes_down, newer_ref_.total_size);
  EXPECT_EQ(TrainedFrom("a1"), 3.0f);
  EXPECT_TRUE(observer.troubles.empty());
}

TEST_F(ChangesSessionTest, ABrokenDownloadOfChangesGoesOnWhereItBroke) {
  api.answers.push_back(MakeAssignment("a1"));
  const ModelChanges changes = PublishChanges(model, newer_, Publish(model).id);
  OfferNewer("a2", changes);
  OfferNewer("a2", changes);  // a client that was cut off asks again
  api.faults["Download"] = {{absl::OkStatus(), 1u << 30}, {absl::UnavailableError("cut"), 150}};
  const SessionSummary summary = RunSession();
  EXPECT_EQ(summary.delivered, 2u);
  EXPECT_EQ(summary.bytes_down, Publish(model).total_size + changes.payload.total_size);
}

TEST_F(ChangesSessionTest, InitialWeightsAreDrawnNotDownloaded) {
  api.join.initial_seed = 5;
  RunSession();
  const std::optional<Digest> drawn = api.models.back();
  ASSERT_TRUE(drawn.has_value());
  ASSERT_OK_AND_ASSIGN(const ModelState fresh, trainer.Initialize(5));
  EXPECT_EQ(*drawn, Publish(fresh).id);
}

TEST_F(ChangesSessionTest, UnderOtherPlansNothingIsSaid) {
  api.join.plan = Fp32Plan();
  api.join.initial_seed = 5;
  api.answers.push_back(MakeAssignment("a1"));
  RunSession();
  EXPECT_THAT(api.models, ElementsAre(std::nullopt, std::nullopt));
}

}  // namespace
}  // namespace thinwire
