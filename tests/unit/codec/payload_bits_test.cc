// What a payload of online model compression weighs against FP32: at most 41.5 % where matrices are at least 99.5 % of
// the parameters. The figures are printed; docs/omc.md states them.
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/codec/exchange_plan.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

// Any values: sizes do not depend on them.
class AnySource : public BlockSource {
 public:
  absl::Status ReadFloats(uint32_t, uint64_t first, absl::Span<float> out) override {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>((first + i) % 2001) / 2001.0f - 0.5f;
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override { return absl::OkStatus(); }
};

// `layers` square matrices with a bias each.
ModelSpec SquareLayers(int64_t width, int layers) {
  std::vector<TensorSpec> tensors;
  for (int i = 0; i < layers; ++i) {
    tensors.push_back({absl::StrCat(i, ".weight"), {width, width}, DataType::kFloat32, TensorRole::kTrainable});
    tensors.push_back({absl::StrCat(i, ".bias"), {width}, DataType::kFloat32, TensorRole::kTrainable});
  }
  return *ModelSpec::Create(std::move(tensors));
}

double MatrixShare(const ModelSpec& spec) {
  uint64_t values = 0;
  for (const TensorSpec& tensor : spec.tensors()) values += IsQuantizedMatrix(tensor) ? tensor.count() : 0;
  return static_cast<double>(values) / static_cast<double>(spec.total_count());
}

void ExpectAtMost(const ModelSpec& spec, double limit) {
  const CodecSpec codec = OmcPlan().downlink;
  ASSERT_GE(MatrixShare(spec), 0.995);
  const double fp32 = static_cast<double>(*MaxPayloadSize(spec, Representation::kModel, CodecSpec::Fp32()));
  const uint64_t most = *MaxPayloadSize(spec, Representation::kModel, codec);
  const TemporaryDirectory folder;
  AnySource source;
  uint64_t largest = 0, smallest = ~uint64_t{0};
  for (uint32_t window = 0; window < 10; ++window) {
    const RowBlockSet exact = DrawRowBlocks(spec, codec, 17, window);
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(spec, {Representation::kModel, codec, {}, &exact}, source,
                                                             folder.Path("payload")));
    largest = std::max(largest, ref.total_size);
    smallest = std::min(smallest, ref.total_size);
  }
  EXPECT_EQ(largest, most);
  std::cout << absl::StrFormat(
      "%d parameters, %.2f %% in matrices: %d to %d payload bits, %.3f %% to %.3f %% of FP32\n", spec.total_count(),
      100 * MatrixShare(spec), 8 * smallest, 8 * largest, 100 * static_cast<double>(smallest) / fp32,
      100 * static_cast<double>(largest) / fp32);
  EXPECT_LE(static_cast<double>(largest) / fp32, limit);
}

TEST(PayloadBits, OfAMillionParametersAreAtMost41Point5PercentOfFp32) { ExpectAtMost(SquareLayers(256, 15), 0.415); }
TEST(PayloadBits, OfTenMillionParametersAreAtMost41Point5PercentOfFp32) { ExpectAtMost(SquareLayers(512, 38), 0.415); }

// Every knob: an encoded payload is as large as its announced limit, or smaller by what its window has less.
TEST(PayloadBits, TheLimitIsTheLargestWindow) {
  const ModelSpec spec = SquareLayers(150, 7);
  const TemporaryDirectory folder;
  AnySource source;
  for (const char* text : {"s1e3m7/4096+partial=0.1", "s1e2m3:absmax/64+correction+partial=0.5", "s1e3m7:none/4096",
                           "s1e4m14/512+weights+partial=0.05", "s1e8m23:absmax/64+partial=0.5"}) {
    const CodecSpec codec = *CodecSpec::Parse(text);
    uint64_t largest = 0;
    for (uint32_t window = 0; window < std::max(codec.blocks.exact_one_in, 1u); ++window) {
      const RowBlockSet exact = DrawRowBlocks(spec, codec, 3, window);
      ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(spec, {Representation::kModel, codec, {}, &exact},
                                                               source, folder.Path("payload")));
      largest = std::max(largest, ref.total_size);
    }
    const uint64_t most = *MaxPayloadSize(spec, Representation::kModel, codec);
    EXPECT_LE(largest, most) << text;
    if (codec.format.width() < 32) {
      EXPECT_EQ(largest, most) << text;
    }
  }
}

}  // namespace
}  // namespace thinwire
