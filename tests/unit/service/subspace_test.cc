// A server of a run in a subspace, with clients made by hand.
#include <gmock/gmock.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/subspace/coordinates.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

class SubspaceServiceTest : public ServerFixture {
 protected:
  SubspaceServiceTest() {
    plan_.dimension = 50;
    plan_.epoch_rounds = 1;
  }
  static void Join(TestClient* client) {
    v1::JoinRequest request = client->JoinRequest();
    request.add_codecs(v1::CODEC_KIND_SUBSPACE);
    ASSERT_THAT(client->Join(request), IsOk());
  }
  // An update that moves every coordinate by `step`.
  PayloadBytes Update(const v1::Assignment& work, float step) {
    return Encode(FilledState(CoordinatesUpdateSpec(SmallModel(), plan_), step), work);
  }
  // theta_0 + A_0 x, all of x being `sum`.
  std::vector<float> Theta(float sum) const {
    std::vector<float> theta(SmallModel().count(TensorRole::kTrainable), 1.0f);
    const std::vector<Fastfood> matrices = *MatricesOfEpoch(plan_, theta.size(), 3, 0);
    FastfoodWorkspace workspace = *FastfoodWorkspace::Create(matrices[0]);
    EXPECT_THAT(matrices[0].Apply(std::vector<float>(plan_.dimension, sum), &workspace,
                                  [&](uint64_t first, absl::Span<const float> values) {
                                    for (size_t i = 0; i < values.size(); ++i) theta[first + i] += values[i];
                                    return absl::OkStatus();
                                  }),
                IsOk());
    return theta;
  }
  SubspacePlan plan_;
};

TEST_F(SubspaceServiceTest, AnUploadForAnOlderBasisIsDiscarded) {
  Start(
      "run { rounds: 2 } round { clients: 1 over_selection: 2 late: LATE_POLICY_DISCARD } "
      "plan { explicit { downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { "
      "fp32 {} } } subspace { dimension: 50 epoch_rounds: 1 } } }");
  TestClient slow = Client("slow"), fast = Client("fast");
  Join(&slow);
  Join(&fast);
  v1::Assignment old, work;
  AwaitBoth(&slow, &fast, &old, &work);
  EXPECT_EQ(old.subspace().basis().epoch(), 0u);
  ASSERT_THAT(fast.Upload(work, Update(work, 2)), IsOk());
  WaitFor([](const v1::Status& s) { return s.version() == 1; });
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse late, slow.Upload(old, Update(old, 5)));
  EXPECT_EQ(late.state(), v1::UPDATE_STATE_DISCARDED);
  EXPECT_THAT(late.reason(), HasSubstr("enough updates"));

  // The round of the new basis goes on without it.
  v1::Assignment next, other;
  AwaitBoth(&slow, &fast, &next, &other);
  EXPECT_EQ(next.subspace().basis().epoch(), 1u);
  ASSERT_THAT(slow.Upload(next, Update(next, 0)), IsOk());
  WaitFor([](const v1::Status& s) { return s.version() == 2; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export(2));
  const std::vector<float> theta = Theta(2);
  EXPECT_TRUE(std::equal(model.floats[0].begin(), model.floats[0].end(), theta.begin()));
}

}  // namespace
}  // namespace thinwire
