#include "common/codec/plan_matrix.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/base/file.h"
#include "common/codec/codec.h"

namespace thinwire {
namespace {

const char kPage[] = THINWIRE_SOURCE_DIR "/docs/plan_matrix.md";

TEST(PlanMatrix, ThePageSaysWhatTheValidatorSays) {
  if (std::getenv("THINWIRE_REWRITE") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(kPage, PlanMatrixMarkdown()).ok());
  }
  const absl::StatusOr<std::string> page = ReadWholeFile(kPage, 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, PlanMatrixMarkdown()) << "THINWIRE_REWRITE=1 makes the page anew";
}

// Encodes what `plan` sends down, and again what a client that did not move would send up.
void ExpectAnUnmovedModelComesBackExactly(const ExchangePlan& plan) {
  const std::vector<float> weights = {0.0f, -0.0f, 1e-3f, -0.25f, 0.3f, 1.999f, -1.75f, 3e-6f};
  const auto code = [](const CodecSpec& spec, const std::vector<float>& values) {
    const std::unique_ptr<Codec> codec = *MakeCodec(spec);
    TensorScan scan;
    scan.Add(values);
    std::string frame;
    EXPECT_TRUE(codec->Encode(values, *codec->ChooseScale(scan), &frame).ok());
    std::vector<float> decoded(values.size());
    EXPECT_TRUE(DecodeFrame(frame, absl::MakeSpan(decoded)).ok());
    return decoded;
  };
  const std::vector<float> received = code(plan.downlink, weights);
  EXPECT_EQ(code(plan.uplink, received), received) << plan.Name();
}

TEST(PlanMatrix, EveryAcceptedPlanHasCodecsAndEveryRefusalAReason) {
  int accepted = 0;
  for (const ExchangePlan& plan : PlanMatrixPlans()) {
    const absl::Status verdict = plan.Validate();
    if (!verdict.ok()) {
      EXPECT_EQ(verdict.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_GT(verdict.message().size(), 20u) << plan.Name();
      continue;
    }
    ++accepted;
    EXPECT_TRUE(MakeCodec(plan.downlink).ok()) << plan.Name();
    EXPECT_TRUE(MakeCodec(plan.uplink).ok()) << plan.Name();
    if (plan.uplink_representation == Representation::kModel) ExpectAnUnmovedModelComesBackExactly(plan);
  }
  EXPECT_GT(accepted, 20);
  int reduced = 0;
  for (const ExchangePlan& plan : ReducedMatrixPlans()) {
    const absl::Status verdict = plan.Validate();
    EXPECT_TRUE(verdict.ok() || verdict.code() == absl::StatusCode::kInvalidArgument) << plan.Name();
    reduced += verdict.ok();
  }
  EXPECT_EQ(reduced, 8);
  int budgets = 0;
  for (const ExchangePlan& plan : BudgetMatrixPlans()) {
    const absl::Status verdict = plan.Validate();
    EXPECT_TRUE(verdict.ok() || verdict.code() == absl::StatusCode::kInvalidArgument) << plan.Name();
    budgets += verdict.ok();
  }
  // Twelve, of which four take no error feedback, three downlinks, a subspace, and two with error feedback.
  EXPECT_EQ(budgets, 26);
  for (const ExchangePlan& plan : SubspaceMatrixPlans()) {
    const absl::Status verdict = plan.Validate();
    EXPECT_TRUE(verdict.ok() || verdict.code() == absl::StatusCode::kInvalidArgument) << plan.Name();
  }
}

}  // namespace
}  // namespace thinwire
