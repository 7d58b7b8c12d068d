#include "common/codec/inspect.h"

#include <gtest/gtest.h>

#include <string>

#include "common/tensor/model_state.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

std::string WritePayload(const TemporaryDirectory& folder) {
  ModelState state(*ModelSpec::Create({{"w", {70'000}, DataType::kFloat32, TensorRole::kTrainable},
                                       {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                                       {"steps", {}, DataType::kInt64, TensorRole::kBuffer}}));
  state.floats[0][3] = 0.5f;
  ModelStateSource source(state);
  EncodeOptions options;
  options.codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const std::string path = folder.Path("p.payload");
  EXPECT_THAT(EncodePayload(state.spec, options, source, path), IsOk());
  return path;
}

TEST(Inspect, SaysCodecAndBitsOfEachTensorAndOfTheWhole) {
  const TemporaryDirectory folder;
  ASSERT_OK_AND_ASSIGN(const PayloadReport report, InspectPayload(WritePayload(folder)));
  ASSERT_EQ(report.tensors.size(), 3u);
  EXPECT_EQ(report.tensors[0].blocks, 2u);
  EXPECT_EQ(report.tensors[0].values, 70'000u);
  EXPECT_EQ(report.tensors[0].codec, CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo).Name());
  EXPECT_NEAR(report.tensors[0].bits_per_value(), 11, 0.01);
  EXPECT_EQ(report.tensors[1].codec, "fp32");
  EXPECT_EQ(report.tensors[2].codec, "int64");
  EXPECT_EQ(report.values, 70'005u);
  EXPECT_GT(report.bits_per_value(), 11);
}

TEST(Inspect, ADamagedFileIsDataLoss) {
  const TemporaryDirectory folder;
  const std::string path = WritePayload(folder);
  File file = *File::OpenForUpdate(path);
  ASSERT_THAT(file.WriteAt(*file.Size() - 3, "x"), IsOk());
  EXPECT_THAT(InspectPayload(path), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(Inspect, AnythingElseIsNotAPayload) {
  const TemporaryDirectory folder;
  const std::string path = folder.Path("text");
  ASSERT_THAT(WriteFileAtomically(path, std::string(500, 'a')), IsOk());
  EXPECT_THAT(InspectPayload(path), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(InspectPayload(folder.Path("absent")), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace thinwire
