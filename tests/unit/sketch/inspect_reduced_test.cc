// What the operator's tool says of payloads that hold something else than a model's tensors, or not all of them alike.
#include <functional>
#include <string>

#include "common/codec/inspect.h"
#include "common/sketch/model_changes.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

constexpr uint64_t kEntries = 1000;

// 100,000 trainable values in two tensors, the first of two blocks, and buffers of both kinds.
ModelSpec Model() {
  return *ModelSpec::Create({{"w", {70'000}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {3}, DataType::kFloat32, TensorRole::kBuffer},
                             {"b", {30'000}, DataType::kFloat32, TensorRole::kTrainable},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer}});
}

absl::StatusOr<PayloadRef> EncodeZeros(const ModelSpec& spec, const EncodeOptions& options, const std::string& path) {
  const ModelState state(spec);
  ModelStateSource source(state);
  return EncodePayload(spec, options, source, path);
}

absl::StatusOr<PayloadRef> WriteTopK(const CodecSpec& values, const std::string& path) {
  ExchangePlan plan;
  plan.top_k = kEntries;
  SparseEntries entries;
  for (uint64_t i = 0; i < kEntries; ++i) {
    entries.positions.push_back(97 * i);
    entries.values.push_back(0.01f * static_cast<float>(i % 7 + 1));
  }
  EncodeOptions options{Representation::kDelta, CodecSpec::Sparse(values), Sha256("base")};
  options.entries = &entries;
  return EncodeZeros(ReducedUpdateSpec(plan, Model()), options, path);
}

absl::StatusOr<PayloadRef> WriteSketch(const std::string& path) {
  ExchangePlan plan;
  plan.sketch = SketchPlan{5, 2048, 100};
  return EncodeZeros(ReducedUpdateSpec(plan, Model()), {Representation::kDelta, CodecSpec::Fp32(), Sha256("base")},
                     path);
}

absl::StatusOr<PayloadRef> WriteCoordinates(const std::string& path) {
  SubspacePlan plan;
  plan.dimension = 4096;
  return EncodeZeros(CoordinatesUpdateSpec(Model(), plan),
                     {Representation::kDelta, *CodecSpec::Parse("s1e2m1/4096"), Sha256("base")}, path);
}

// Two row blocks, of 4,096 values each, are FP32.
absl::StatusOr<PayloadRef> WriteExactRows(const std::string& path) {
  const ModelSpec model = Model();
  RowBlockSet exact(model);
  exact.Add(0, 3);
  exact.Add(0, 16);
  EncodeOptions options{Representation::kModel, *CodecSpec::Parse("s1e3m7/4096+partial=0.1"), {}};
  options.exact = &exact;
  return EncodeZeros(model, options, path);
}

absl::StatusOr<PayloadRef> WriteChanges(const std::string& path) {
  const ModelState newer(Model());
  ModelStateSource source(newer);
  ChangedPositions positions(100'000);
  for (const uint64_t position : {5, 69'999, 70'000, 99'999}) positions.Add(position);
  return EncodeChanges(newer.spec, positions, source, Sha256("older"), path);
}

struct Case {
  const char* name;
  std::function<absl::StatusOr<PayloadRef>(const std::string&)> write;
  Representation carries;
  const char* base;  // its name is the hash of this; nullptr: none
  // Of the first tensor.
  const char* codec;
  uint32_t blocks;
  uint64_t values;
  uint64_t exact;
  double min_bits, max_bits;  // each value
  uint64_t more_values;       // in the other tensors
};

class InspectReduced : public testing::TestWithParam<Case> {};

TEST_P(InspectReduced, SaysWhatIsCarriedAndInHowManyBits) {
  const Case& wanted = GetParam();
  const TemporaryDirectory folder;
  const std::string path = folder.Path("p.payload");
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, wanted.write(path));
  ASSERT_OK_AND_ASSIGN(const PayloadReport report, InspectPayload(path));
  EXPECT_EQ(report.ref, ref);
  EXPECT_EQ(report.representation, wanted.carries);
  EXPECT_EQ(report.base_id, wanted.base == nullptr ? Digest() : Sha256(wanted.base));
  const TensorReport& first = report.tensors.front();
  EXPECT_THAT(first.codec, testing::StartsWith(wanted.codec));
  EXPECT_EQ(first.blocks, wanted.blocks);
  EXPECT_EQ(first.values, wanted.values);
  EXPECT_EQ(first.exact, wanted.exact);
  EXPECT_GE(first.bits_per_value(), wanted.min_bits);
  EXPECT_LE(first.bits_per_value(), wanted.max_bits);
  EXPECT_EQ(report.values, wanted.values + wanted.more_values);
  EXPECT_EQ(report.bits_per_value(), 8.0 * static_cast<double>(ref.total_size) / static_cast<double>(report.values));
}

// An entry of top-k has a position besides its value: of 1,000 among 100,000 about 8 bits each. A frame's header counts
// too: 32 bytes.
INSTANTIATE_TEST_SUITE_P(
    Payloads, InspectReduced,
    testing::Values(
        Case{"TopK", [](const auto& path) { return WriteTopK(CodecSpec::Fp32(), path); }, Representation::kDelta,
             "base", "positions and fp32", 1, kEntries, 0, 38, 42, 4},
        Case{"TopKOfSmallFloats",
             [](const auto& path) { return WriteTopK(CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), path); },
             Representation::kDelta, "base", "positions and s1e3m7 (power-of-two scale)", 1, kEntries, 0, 17, 21, 4},
        Case{"Sketch", WriteSketch, Representation::kDelta, "base", "fp32", 1, 5 * 2048, 0, 32, 32.1, 4},
        Case{"Coordinates", WriteCoordinates, Representation::kDelta, "base",
             "s1e2m1 blocks (power-of-two scale of 4096 values", 1, 4096, 0, 4, 4.2, 4},
        // 8,192 of 70,000 in 32 bits, the others in 11.
        Case{"ExactRowBlocks", WriteExactRows, Representation::kModel, nullptr,
             "s1e3m7 blocks (power-of-two scale of 4096 values", 2, 70'000, 8192, 13.4, 13.6, 30'004},
        Case{"Changes", WriteChanges, Representation::kModel, "older", "positions and fp32", 1, 4, 0, 32, 200, 4}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace thinwire
