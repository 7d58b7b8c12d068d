#include "client/train/torch_trainer.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/train/batch_order.h"
#include "client/train/model_init.h"
#include "client/train/torch_models.h"
#include "client/train/torch_optimizer.h"
#include "client/train/torch_state.h"
#include "client/train/torch_threads.h"
#include "client/train/training_check.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kProgressLines = 20;  // per call of Train, about

absl::Status FromTorch(const std::string& what, const std::string& message) {
  const std::string text = absl::StrCat(what, ": ", message);
  if (absl::StrContains(message, "can't allocate memory") || absl::StrContains(message, "out of memory")) {
    return absl::ResourceExhaustedError(absl::StrCat(text, "; use a smaller batch or model"));
  }
  return absl::InternalError(text);
}

// Runs `work`, which returns a Status or StatusOr; LibTorch's exceptions end here.
template <typename Work>
auto CatchTorch(const std::string& what, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const c10::Error& error) {
    return FromTorch(what, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return FromTorch(what, "out of memory");
  } catch (const std::exception& error) {
    return FromTorch(what, error.what());
  }
}

absl::StatusOr<at::Device> ParseDevice(const std::string& text) {
  if (text == "cpu") return at::Device(at::kCPU);
  if (text != "cuda" && !absl::StartsWith(text, "cuda:")) {
    return absl::InvalidArgumentError(absl::StrCat("device '", text, "': use cpu, cuda or cuda:N"));
  }
  if (!at::hasCUDA()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device '", text, "': this LibTorch was built without CUDA or finds no GPU; use cpu, or build ",
                     "against a LibTorch with CUDA (-DCMAKE_PREFIX_PATH=/path/to/libtorch)"));
  }
  return CatchTorch("device", [&]() -> absl::StatusOr<at::Device> { return at::Device(text); });
}

// A data set as tensors. The bytes stay bytes: a batch is converted when it is used.
struct TensorData {
  Dataset bytes;
  at::Tensor images, labels;

  TensorData(Dataset data, const at::Device& device) : bytes(std::move(data)) {
    const auto n = static_cast<int64_t>(bytes.size());
    const ImageShape& shape = bytes.shape;
    images = at::from_blob(bytes.images.data(), {n, shape.channels, shape.height, shape.width}, at::kByte).to(device);
    labels = at::from_blob(bytes.labels.data(), {n}, at::kByte).to(device);
  }
  TensorData(const TensorData&) = delete;
  TensorData& operator=(const TensorData&) = delete;

  static at::Tensor Input(const at::Tensor& images) { return images.to(at::kFloat).div_(255); }
};

class TorchTrainer : public ImageTrainer {
 public:
  TorchTrainer(TorchTrainerOptions options, ModelInput input, at::Device device, std::shared_ptr<ImageModel> network,
               ModelSpec spec, Dataset train, Dataset test)
      : options_(std::move(options)),
        input_(input),
        network_(std::move(network)),
        spec_(std::move(spec)),
        device_(device),
        train_(std::make_unique<TensorData>(std::move(train), device)),
        test_(std::move(test), device) {
    network_->to(device);
    for (const at::Tensor& tensor : network_->parameters()) {
      if (tensor.requires_grad()) weights_.push_back(tensor);
    }
  }

  const ModelSpec& model() const override { return spec_; }
  uint64_t examples() const override { return train_->bytes.size(); }

  absl::Status SetTrainingData(Dataset train) override {
    TW_RETURN_IF_ERROR(train.Check());
    if (train.empty() || train.shape != input_.shape || train.classes != input_.classes) {
      return absl::InvalidArgumentError("the new training data are empty, or not of the data set that the model fits");
    }
    optimizer_ = RoundOptimizer();
    return CatchTorch("taking data", [&] {
      train_ = std::make_unique<TensorData>(std::move(train), device_);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<ModelState> Initialize(uint64_t seed) override {
    return CatchTorch("making weights", [&]() -> absl::StatusOr<ModelState> {
      TW_ASSIGN_OR_RETURN(const auto fresh, MakeImageModel(options_.model, input_));
      ModelState state(spec_);
      CopyOut(*fresh, &state);
      InitializeWeights(seed, &state);
      return state;
    });
  }

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) override {
    TW_RETURN_IF_ERROR(CheckTrainingOptions(request.options));
    TW_RETURN_IF_ERROR(CheckSameModel(state->spec, spec_, options_.model));
    TW_RETURN_IF_ERROR(CheckBatch(request.options.batch_size));
    return CatchTorch("training", [&] { return TrainRound(request, state); });
  }

  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) override {
    if (test_.bytes.empty()) {
      return absl::FailedPreconditionError(
          "this client has no test data, so it cannot evaluate; give it a data folder with t10k files");
    }
    TW_RETURN_IF_ERROR(CheckSameModel(state.spec, spec_, options_.model));
    return CatchTorch("evaluating", [&] { return EvaluateAll(state); });
  }

 private:
  absl::Status CheckBatch(uint32_t batch) const {
    const size_t least = network_->min_batch();
    if (train_->bytes.empty()) {
      return absl::FailedPreconditionError("this client has no training data; give it a data folder and a shard");
    }
    if (batch >= least && train_->bytes.size() >= least) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("model '", options_.model, "' trains on batches of at least ", least,
                                                   " samples; batch_size is ", batch, " and the client has ",
                                                   train_->bytes.size(), " samples; raise both to ", least));
  }

  absl::StatusOr<TrainResult> TrainRound(const TrainRequest& request, ModelState* state) {
    AdoptTorchThreads();
    CopyIn(*state, *network_);
    network_->train();
    network_->Seed(DeriveKey({request.seed, KeyWord("dropout")}));
    auto optimizer = optimizer_.Take(request.options, weights_);
    TW_ASSIGN_OR_RETURN(const double loss, RunSteps(request, *state, *optimizer));
    CopyOut(*network_, state);
    const absl::Status finite = CheckFinite(*state);
    if (!finite.ok()) return Diverged(request, absl::StrCat("after training, ", finite.message()));
    optimizer_.Keep(request.options, std::move(optimizer));
    return TrainResult{train_->bytes.size(), loss};
  }

  // Returns the mean loss over the steps. `start` are the weights that the round began with.
  absl::StatusOr<double> RunSteps(const TrainRequest& request, const ModelState& start,
                                  torch::optim::Optimizer& optimizer) {
    const TrainingOptions& options = request.options;
    BatchOrder order(train_->bytes.size(), options.batch_size, network_->min_batch(), request.seed);
    const uint64_t steps =
        options.local_steps > 0 ? options.local_steps : order.batches_per_epoch() * options.local_epochs;
    const std::vector<at::Tensor> anchors = options.proximal_mu > 0 ? Anchors(start) : std::vector<at::Tensor>();
    const uint64_t stride = std::max<uint64_t>(1, steps / kProgressLines);
    double total = 0;
    for (uint64_t step = 1; step <= steps; ++step) {
      if (request.cancelled && request.cancelled()) return absl::CancelledError("training was cancelled");
      const double loss = Step(order.Next(), optimizer, anchors, options.proximal_mu);
      if (!std::isfinite(loss))
        return Diverged(request, absl::StrCat("the loss of step ", step, " of ", steps, " is ", loss));
      total += loss;
      if (request.progress && step % stride == 0) request.progress(absl::StrCat("step ", step, " of ", steps));
    }
    return total / static_cast<double>(steps);
  }

  double Step(absl::Span<const int64_t> samples, torch::optim::Optimizer& optimizer,
              const std::vector<at::Tensor>& anchors, double proximal_mu) {
    const at::Tensor index =
        at::from_blob(const_cast<int64_t*>(samples.data()), {static_cast<int64_t>(samples.size())}, at::kLong)
            .to(train_->labels.device());
    optimizer.zero_grad();
    const at::Tensor logits = network_->Forward(TensorData::Input(train_->images.index_select(0, index)));
    const at::Tensor loss = at::cross_entropy_loss(logits, train_->labels.index_select(0, index).to(at::kLong));
    loss.backward();
    Pull(anchors, proximal_mu);
    optimizer.step();
    return loss.item<double>();
  }

  // FedProx (arXiv 1812.06127): the gradient of mu/2 * ||w - anchor||^2.
  void Pull(const std::vector<at::Tensor>& anchors, double mu) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < anchors.size(); ++i) weights_[i].mutable_grad().add_(weights_[i] - anchors[i], mu);
  }

  // Views of the trainable tensors of `start`, on the CPU without a copy.
  std::vector<at::Tensor> Anchors(const ModelState& start) const {
    std::vector<at::Tensor> anchors;
    for (size_t i = 0; i < start.floats.size(); ++i) {
      if (spec_.tensors()[i].role != TensorRole::kTrainable) continue;
      const at::Tensor& weight = weights_[anchors.size()];
      anchors.push_back(ViewOf(start.floats[i], weight).to(weight.device()));
    }
    return anchors;
  }

  static absl::Status Diverged(const TrainRequest& request, const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("training diverged in round ", request.round, ": ", what,
                                                   "; lower the learning rate (now ", request.options.learning_rate,
                                                   ")"));
  }

  absl::StatusOr<EvaluateResult> EvaluateAll(const ModelState& state) {
    AdoptTorchThreads();
    at::NoGradGuard no_grad;
    CopyIn(state, *network_);
    network_->eval();
    const auto n = static_cast<int64_t>(test_.bytes.size());
    double loss = 0;
    int64_t right = 0;
    for (int64_t first = 0; first < n; first += options_.evaluation_batch) {
      const int64_t last = std::min<int64_t>(n, first + options_.evaluation_batch);
      const at::Tensor logits = network_->Forward(TensorData::Input(test_.images.slice(0, first, last)));
      const at::Tensor labels = test_.labels.slice(0, first, last).to(at::kLong);
      loss += at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
      right += logits.argmax(1).eq(labels).sum().item<int64_t>();
    }
    const double count = static_cast<double>(n);
    return EvaluateResult{static_cast<uint64_t>(n), loss / count, static_cast<double>(right) / count};
  }

  const TorchTrainerOptions options_;
  const ModelInput input_;
  const std::shared_ptr<ImageModel> network_;
  const ModelSpec spec_;
  const at::Device device_;
  std::unique_ptr<const TensorData> train_;
  const TensorData test_;
  std::vector<at::Tensor> weights_;  // the trainable ones, shared with network_
  RoundOptimizer optimizer_;
};

absl::StatusOr<ModelInput> InputOf(const Dataset& train, const Dataset& test) {
  TW_RETURN_IF_ERROR(train.Check());
  TW_RETURN_IF_ERROR(test.Check());
  if (train.empty() && test.empty()) {
    return absl::InvalidArgumentError("a trainer needs training data, test data or both; both are empty");
  }
  if (!train.empty() && !test.empty() && train.shape != test.shape) {
    return absl::InvalidArgumentError(absl::StrCat(
        "training images are ", train.shape.channels, "x", train.shape.height, "x", train.shape.width, ", test images ",
        test.shape.channels, "x", test.shape.height, "x", test.shape.width, "; give files of one data set"));
  }
  return ModelInput{train.empty() ? test.shape : train.shape, std::max(train.classes, test.classes)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageTrainer>> MakeTorchTrainer(const TorchTrainerOptions& options, Dataset train,
                                                               Dataset test) {
  TW_RETURN_IF_ERROR(ConfigureTorchThreads(options.threads));
  if (options.evaluation_batch == 0) return absl::InvalidArgumentError("evaluation_batch is 0, it must be at least 1");
  TW_ASSIGN_OR_RETURN(const at::Device device, ParseDevice(options.device));
  TW_ASSIGN_OR_RETURN(const ModelInput input, InputOf(train, test));
  return CatchTorch(absl::StrCat("building model '", options.model, "'"),
                    [&]() -> absl::StatusOr<std::unique_ptr<ImageTrainer>> {
                      TW_ASSIGN_OR_RETURN(auto network, MakeImageModel(options.model, input));
                      TW_ASSIGN_OR_RETURN(ModelSpec spec, SpecOf(*network));
                      return std::make_unique<TorchTrainer>(options, input, device, std::move(network), std::move(spec),
                                                            std::move(train), std::move(test));
                    });
}

}  // namespace thinwire
