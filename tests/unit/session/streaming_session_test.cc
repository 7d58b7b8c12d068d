// A trainer that takes models block by block sends what one that takes them whole sends.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::ElementsAre;

class StreamingSessionTest : public SessionFixture {
 protected:
  // The bytes that go up for one round, by either seam.
  std::string Upload(bool streaming) {
    if (streaming) trainer.Stream(&model.spec);
    api.answers = {MakeAssignment("a1")};
    EXPECT_EQ(RunSession().delivered, 1u);
    std::string bytes = api.uploads["a1"];
    api.uploads.clear();
    session.reset();
    OpenState();
    return bytes;
  }
};

TEST_F(StreamingSessionTest, SendsTheSameBytesAsDelta) { EXPECT_EQ(Upload(false), Upload(true)); }

TEST_F(StreamingSessionTest, SendsTheSameBytesAsModel) {
  api.join.plan.uplink_representation = Representation::kModel;
  EXPECT_EQ(Upload(false), Upload(true));
}

TEST_F(StreamingSessionTest, SendsFreshWeightsBlockByBlock) {
  trainer.own_model = trainer.initial_model = model.spec;
  api.join.model.reset();
  trainer.Stream(&model.spec);
  api.answers = {MakeAssignment("init", AssignmentKind::kInitialize)};
  RunSession();
  EXPECT_EQ(trainer.adapter->fresh_seeds, std::vector<uint64_t>{77});
  EXPECT_THAT(DecodeUpload("init").floats[0], Each(77.0f));
}

TEST_F(StreamingSessionTest, IsToldHowTheDownlinkCodesWeights) {
  api.join.plan.downlink = CodecSpec::Float(8, 23, ScaleRule::kNone);
  trainer.Stream(&model.spec);
  api.answers = {MakeAssignment("a1")};
  RunSession();
  ASSERT_EQ(trainer.requests.size(), 1u);
  EXPECT_EQ(trainer.requests[0].held.codec, api.join.plan.downlink);
}

TEST_F(StreamingSessionTest, ReadsFrozenTensorsFromTheirOwnPayload) {
  auto spec = ModelSpec::Create({{"table", {5}, DataType::kFloat32, TensorRole::kFrozen},
                                 {"weight", {10}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_OK_AND_ASSIGN(model.spec, std::move(spec));
  model = ModelState(model.spec);
  model.floats[0] = {1, 2, 3, 4, 5};
  api.join.model = model.spec;
  Assignment assignment = MakeAssignment("a1");
  assignment.frozen = Publish(model, Representation::kFrozen);
  api.answers = {assignment};
  trainer.Stream(&model.spec);
  EXPECT_EQ(RunSession().delivered, 1u);
  ASSERT_EQ(trainer.started_from.size(), 1u);
  EXPECT_THAT(trainer.started_from[0].floats[0], ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(StreamingSessionTest, EvaluatesBlockByBlock) {
  trainer.Stream(&model.spec);
  api.answers = {MakeAssignment("e1", AssignmentKind::kEvaluate)};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(trainer.started_from[0].floats, model.floats);
}

// Damage is found before training starts, and only what is damaged is fetched again.
TEST_F(StreamingSessionTest, FetchesDamagedSegmentsAgain) {
  trainer.Stream(&model.spec);
  Assignment assignment = MakeAssignment("a1");
  const std::string whole = api.payloads[assignment.model.id];
  std::string& served = api.payloads[assignment.model.id];
  served[assignment.model.manifest_size + 200'000] ^= 1;
  sleeper.on_sleep = [&] { served = whole; };
  api.answers = {assignment, assignment};
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(api.Count("Download"), 2u);
  EXPECT_EQ(trainer.started_from[0].floats, model.floats);
}

}  // namespace
}  // namespace thinwire
