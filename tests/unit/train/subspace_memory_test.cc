// Training in a subspace keeps two vectors of 2^ceil(log2 D) numbers besides the model, counted where memory is
// allocated: by LibTorch, by operator new, and by the workspace of the transform.
#include <malloc.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "client/train/torch_round.h"
#include "client/train/torch_state.h"
#include "common/subspace/coordinates.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/train/counting_allocator.h"

namespace {

// Large enough to be a share of a model.
constexpr size_t kLarge = 64 << 10;
std::atomic<size_t> live{0}, peak{0};  // bytes in large pieces

}  // namespace

// Not inlined: GCC would take delete's free for a mismatch.
__attribute__((noinline)) void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  const size_t taken = malloc_usable_size(memory);
  if (taken >= kLarge) peak = std::max<size_t>(peak, live += taken);
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  const size_t taken = malloc_usable_size(memory);
  if (taken >= kLarge) live -= taken;
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

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
  const size_t vectors_before = live;
  peak = vectors_before;
  ASSERT_THAT(round.Train(
                  request, 3, [&] { return network->forward(input).pow(2).sum(); }, start),
              IsOk());
  const size_t tensors = CountingAllocator::Peak() - before;
  EXPECT_GE(tensors, 4 * kSize);  // the gradients: this counts
  const uint64_t in_all = tensors + (peak - vectors_before) + matrices[0].WorkspaceBytes();
  EXPECT_LE(in_all, 2 * 4 * kPadded + (1 << 20));
}

}  // namespace
}  // namespace thinwire
