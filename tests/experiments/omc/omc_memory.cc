// omc-memory: what one client's training step takes in memory and time, with weights in full or packed. One way in one
// process, so that peaks are its own; tests/experiments/omc_memory.py runs all of them and makes the table. Prints one
// JSON object.
//
// Bytes of tensors are counted where LibTorch allocates them; those of packed weights where they are held. "Resident"
// is the kernel's count of the process's pages above what it had when LibTorch and the batch were loaded.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "client/daemon/command_line.h"
#include "client/train/conformer.h"
#include "client/train/conformer_options.h"
#include "client/train/module_values.h"
#include "client/train/packed_matrices.h"
#include "client/train/torch_state.h"
#include "client/train/torch_threads.h"
#include "common/base/random_bits.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/row_blocks.h"
#include "tests/unit/train/counting_allocator.h"

namespace thinwire {
namespace {

struct Flags {
  std::string model = "conformer-l", weights = "full", codec = "s1e3m7:pow2/4096+weights+partial=0.1", momentum = "0";
  bool checkpoint = false, help = false;
  uint64_t batch = 4, frames = 400, steps = 3, seed = 1;
};

// Of /proc/self/status, in bytes.
size_t Resident(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stoull(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}
void ForgetPeak() { std::ofstream("/proc/self/clear_refs") << "5"; }

// Of a recording: at most one for each two frames that come out of the network.
int64_t LabelsOf(const Flags& flags) { return static_cast<int64_t>(std::min<uint64_t>(20, flags.frames / 8)); }

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Weights as a fresh model's, made block by block: no copy of the model is needed to load one.
class FreshWeights : public BlockSource {
 public:
  FreshWeights(const ModelSpec& spec, uint64_t seed) : spec_(spec), seed_(seed) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    std::vector<uint32_t> words(out.size());
    FillRandomWords(DeriveKey({seed_, tensor}), first / 4, absl::MakeSpan(words));
    const bool matrix = IsQuantizedMatrix(spec_.tensors()[tensor]);
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = matrix ? (static_cast<float>(words[i] >> 8) * 0x1p-24f - 0.5f) * 0.08f : 1.0f;
    }
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t> out) override {
    std::fill(out.begin(), out.end(), 0);
    return absl::OkStatus();
  }

 private:
  const ModelSpec spec_;
  const uint64_t seed_;
};

struct Client {
  TrainingOptions options;
  std::shared_ptr<PackedMatrices> packed;
  std::shared_ptr<Conformer> network;
  std::unique_ptr<ModuleValues> values;
  std::unique_ptr<torch::optim::SGD> optimizer;
};

// Ready to train, but for what a round keeps beside the weights.
absl::StatusOr<Client> MakeClient(const Flags& flags) {
  Client client;
  client.options.learning_rate = 1e-4;
  if (!absl::SimpleAtod(flags.momentum, &client.options.momentum) || !(client.options.momentum >= 0) ||
      client.options.momentum >= 1) {
    return absl::InvalidArgumentError("--momentum is " + flags.momentum + ", it must lie in [0, 1)");
  }
  TW_ASSIGN_OR_RETURN(const WeightsRule rule, WeightsRule::Parse(flags.weights));
  TW_ASSIGN_OR_RETURN(ConformerOptions sizes, ConformerNamed(flags.model));
  sizes.checkpoint = flags.checkpoint;
  if (rule.packed) client.packed = std::make_shared<PackedMatrices>();
  client.network = std::make_shared<Conformer>(KeeperOr(client.packed), sizes);
  client.network->train();
  TW_ASSIGN_OR_RETURN(ModelSpec spec, SpecOf(*client.network));
  HeldWeights held;
  TW_ASSIGN_OR_RETURN(held.codec, CodecSpec::Parse(flags.codec));
  held.exact = std::make_shared<const RowBlockSet>(DrawRowBlocks(spec, held.codec, flags.seed, 0));
  FreshWeights fresh(spec, flags.seed);
  client.values = std::make_unique<ModuleValues>(*client.network, spec, client.packed);
  TW_RETURN_IF_ERROR(client.values->Load(fresh, held, rule.rounding));
  std::vector<at::Tensor> own;
  for (uint32_t i = 0; i < client.values->tensors().size(); ++i) {
    if (!client.values->IsPacked(i)) own.push_back(client.values->tensors()[i]);
  }
  client.optimizer = std::make_unique<torch::optim::SGD>(
      own, torch::optim::SGDOptions(client.options.learning_rate).momentum(client.options.momentum));
  return client;
}

PackedMatrices::Coded CodedBy(const Client& client) {
  return client.packed == nullptr ? PackedMatrices::Coded{} : client.packed->coded();
}
size_t HeldBy(const Client& client) { return client.packed == nullptr ? 0 : client.packed->memory(); }

// Seconds that as much unpacking and packing as in `step` takes, at the speed of expanding every matrix once and
// packing it once. The weights are others afterwards.
double CodingSeconds(const Client& client, const PackedMatrices::Coded& step) {
  if (client.packed == nullptr) return 0;
  double expanding = 0, packing = 0, count = 0;
  std::vector<float> memory;  // which all matrices share, as in training
  for (size_t i = 0; i < client.packed->size(); ++i)
    memory.resize(std::max(memory.size(), client.packed->matrix(i).count()));
  for (size_t i = 0; i < client.packed->size(); ++i) {
    PackedMatrix& matrix = client.packed->matrix(i);
    const absl::Span<float> values(memory.data(), matrix.count());
    const double start = Seconds();
    matrix.Expand(values);
    expanding += Seconds() - start;
    for (float& value : values) value += 1e-6f;
    const double changed = Seconds();
    (void)matrix.Pack(values, i);
    packing += Seconds() - changed;
    count += static_cast<double>(matrix.count());
  }
  return (expanding * static_cast<double>(step.expanded) + packing * static_cast<double>(step.packed)) / count;
}

absl::StatusOr<nlohmann::ordered_json> Measure(const Flags& flags) {
  TW_RETURN_IF_ERROR(ConfigureTorchThreads(1));
  const auto n = static_cast<int64_t>(flags.batch), frames = static_cast<int64_t>(flags.frames);
  const at::Tensor batch = at::rand({n, frames, ConformerOptions().features});
  const int64_t written = LabelsOf(flags);
  const at::Tensor lengths = at::full({n}, frames, at::kLong), labels = at::randint(1, 28, {n, written}, at::kLong);
  (void)at::linear(at::rand({64, 64}), at::rand({64, 64})).sum();  // BLAS has its buffers
  const size_t base = Resident("VmRSS"), base_live = CountingAllocator::Live();

  TW_ASSIGN_OR_RETURN(Client client, MakeClient(flags));
  const size_t weights = CountingAllocator::Live() - base_live + HeldBy(client);
  size_t momentum = HeldBy(client);
  if (client.packed != nullptr) TW_RETURN_IF_ERROR(client.packed->BeginRound(client.options, flags.seed));
  const size_t held = HeldBy(client);
  momentum = held - momentum;
  PackedMatrices::Coded coded;  // in the last step
  size_t activations = 0, gradients = 0, peak = 0;
  double seconds = 0;
  ForgetPeak();
  for (uint64_t step = 1; step <= flags.steps; ++step) {
    const double start = Seconds();
    CountingAllocator::Peak() = CountingAllocator::Live();
    const PackedMatrices::Coded coded_before = CodedBy(client);
    if (client.packed != nullptr) client.packed->BeginStep(step);
    client.optimizer->zero_grad();
    const size_t before = CountingAllocator::Live();
    const Conformer::Output output = client.network->Forward(batch, lengths);
    const at::Tensor loss =
        at::ctc_loss(output.scores.transpose(0, 1), labels, std::vector<int64_t>(flags.batch, output.scores.size(1)),
                     std::vector<int64_t>(flags.batch, written), 0, at::Reduction::Mean, true);
    activations = std::max(activations, CountingAllocator::Live() - before);
    loss.backward();
    if (client.packed != nullptr) TW_RETURN_IF_ERROR(client.packed->EndStep());
    peak = std::max(peak, CountingAllocator::Peak() - base_live + held);
    coded = {CodedBy(client).expanded - coded_before.expanded, CodedBy(client).packed - coded_before.packed};
    const size_t before_step = CountingAllocator::Live();
    client.optimizer->step();
    if (step == 1) momentum += CountingAllocator::Live() - before_step;  // which LibTorch makes when it is needed
    size_t own = 0;
    for (const at::Tensor& tensor : client.values->tensors()) {
      if (tensor.grad().defined()) own += static_cast<size_t>(tensor.grad().nbytes());
    }
    gradients = own;
    if (step > 1 || flags.steps == 1) seconds += Seconds() - start;
  }
  const double coding = CodingSeconds(client, coded);
  const auto parameters = client.values->spec().count(TensorRole::kTrainable);
  return nlohmann::ordered_json{{"model", flags.model},
                                {"weights_rule", flags.weights},
                                {"codec", flags.weights == "full" ? "" : flags.codec},
                                {"checkpoint", flags.checkpoint},
                                {"batch", flags.batch},
                                {"frames", flags.frames},
                                {"parameters", parameters},
                                {"weights", weights},
                                {"momentum", momentum},
                                {"gradients_after_backward", gradients},
                                {"activations_after_forward", activations},
                                {"peak_tensors", peak},
                                {"expanded_in_step", coded.expanded},
                                {"packed_in_step", coded.packed},
                                {"peak_resident", Resident("VmHWM") - base},
                                {"step_seconds", seconds / static_cast<double>(std::max<uint64_t>(flags.steps - 1, 1))},
                                {"codec_seconds", coding}};
}

int Run(const std::vector<std::string>& arguments) {
  Flags flags;
  const std::vector<CommandLineFlag> table = {
      {"--model", "NAME", &flags.model, "conformer-xs, -s, -m or -l"},
      {"--weights", "RULE", &flags.weights, "full, packed, packed:nearest"},
      {"--codec", "CODEC", &flags.codec, "of packed weights"},
      {"--checkpoint", "", &flags.checkpoint, "computes blocks again in the backward pass"},
      {"--batch", "N", &flags.batch, "recordings in a step", 1, 1024},
      {"--frames", "N", &flags.frames, "of 10 ms in each", 8, 100'000},
      {"--momentum", "M", &flags.momentum, "of SGD"},
      {"--steps", "N", &flags.steps, "the first is not timed", 1, 1000},
      {"--seed", "N", &flags.seed, "of the weights"},
      {"--help", "", &flags.help, "prints this"}};
  const absl::Status read = ReadCommandLine(arguments, table);
  if (!read.ok() || flags.help) {
    (read.ok() ? std::cout : std::cerr) << (read.ok() ? "" : std::string(read.message()) + "\n")
                                        << DescribeFlags(table);
    return read.ok() ? 0 : 2;
  }
  c10::SetCPUAllocator(new CountingAllocator(c10::GetDefaultCPUAllocator()), 1);
  const auto result = Measure(flags);
  if (!result.ok()) {
    std::cerr << result.status() << "\n";
    return 1;
  }
  std::cout << result->dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) { return thinwire::Run(std::vector<std::string>(argv + 1, argv + argc)); }
