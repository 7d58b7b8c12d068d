// Training in a subspace keeps two vectors of 2^ceil(log2 D) numbers besides the model, counted where memory is
// allocated: by LibTorch, by operator new, and by the workspace of the transform.
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "client/train/torch_round.h"
#include "client/train/torch_state.h"
#include "common/subspace/coordinates.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/train/counting_allocator.h"

namespace thinwire {
namespace {

constexpr int64_t kIn = 2'099, kOut = 1'000;
constexpr uint64_t kSize = (kIn + 1) * kOut;  // just above 2^21
constexpr uint64_t kPadded = uint64_t{1} << 22;
constexpr uint64_t kDimension = 1'024;

// Zeros, block by block: what a basis file gives.
class Zeros : public BlockSource {
 public:
  absl::Status ReadFloats(uint32_t, uint64_t, absl::Span<float> out) override {
    std::fill(out.begin(), out.end(), 0.0f);
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override { return absl::OkStatus(); }
};

TEST(SubspaceMemoryTest, TwoPaddedVectorsAreAliveBesidesTheModel) {
  c10::SetCPUAllocator(new CountingAllocator(c10::GetDefaultCPUAllocator()), 1);
  const auto network = std::make_shared<torch::nn::LinearImpl>(kIn, kOut);
  const ModelSpec spec = SpecOf(*network).value();
  ASSERT_EQ(spec.count(TensorRole::kTrainable), kSize);
  SubspacePlan plan;
  plan.dimension = kDimension;
  plan.vectors = 2;
  const std::vector<Fastfood> matrices = MatricesOfEpoch(plan, kSize, 3, 0).value();
  const std::vector<std::vector<float>> coordinates(2, std::vector<float>(kDimension, 0.001f));
  SubspaceSteps steps{&matrices, &coordinates, 1, {}};
  TrainRequest request;
  request.options.learning_rate = 0.1;
  request.options.momentum = 0.9;
  request.options.weight_decay = 0.01;
  request.options.proximal_mu = 0.1;
  request.subspace = &steps;
  const at::Tensor input = at::ones({kIn}) * 0.01;
  TorchRound round(network, spec);
  Zeros start;

  const size_t before = CountingAllocator::Live();
  CountingAllocator::Peak() = before;
  ASSERT_THAT(round.Train(
                  request, 3, [&] { return network->forward(input).pow(2).sum(); }, start),
              IsOk());
  const uint64_t taken = CountingAllocator::Peak() - before;
  EXPECT_GE(taken, 4 * kSize);  // the gradients: this counts
  EXPECT_LE(taken + matrices[0].WorkspaceBytes(), 2 * 4 * kPadded + (1 << 20));
}

}  // namespace
}  // namespace thinwire
