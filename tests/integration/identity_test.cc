// A round of clients that do not move leaves every bit of the model as it was.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/integration/federation_fixture.h"

namespace thinwire {
namespace {

constexpr char kModelUp[] =
    "plan { explicit { downlink { value { float { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO } } "
    "}"
    " uplink { representation: UPLINK_REPRESENTATION_MODEL"
    " value { float { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO } } } } }\n";
constexpr char kFp32ModelUp[] =
    "plan { explicit { downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_MODEL"
    " value { fp32 {} } } } }\n";

class IdentityTest : public FederationTest, public testing::WithParamInterface<const char*> {};

TEST_P(IdentityTest, ThreeRoundsAtLearningRateZeroLeaveTheModelBitIdentical) {
  const ModelState initial = MakeAwkwardModel(150'000);
  ModelStateSource source(initial);
  const std::string path = folder_.Path("initial.safetensors");
  ASSERT_THAT(WriteSafetensors(path, initial.spec, source), IsOk());
  Sections sections;
  sections.model = absl::StrCat("safetensors: \"", path, "\"");
  sections.training = "learning_rate: 0";
  ASSERT_THAT(cluster_.StartServer(Config(3, 2, GetParam(), sections)), IsOk());
  StartEchoClients(2, 0);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  ASSERT_OK_AND_ASSIGN(SafetensorsReader model, SafetensorsReader::Open(status.model_path()));
  ASSERT_EQ(model.spec().id(), initial.spec.id());
  for (uint32_t tensor = 0; tensor < 3; ++tensor) {
    std::vector<float> values(initial.floats[tensor].size());
    ASSERT_THAT(model.ReadFloats(tensor, 0, absl::MakeSpan(values)), IsOk());
    EXPECT_EQ(std::memcmp(values.data(), initial.floats[tensor].data(), 4 * values.size()), 0) << tensor;
  }
  std::vector<int64_t> steps(1);
  ASSERT_THAT(model.ReadInts(3, 0, absl::MakeSpan(steps)), IsOk());
  EXPECT_EQ(steps[0], 42);
}

INSTANTIATE_TEST_SUITE_P(Plans, IdentityTest, testing::Values(kFp32, kS1E3M7, kModelUp, kFp32ModelUp));

}  // namespace
}  // namespace thinwire
