#include "client/train/torch_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/train/augment.h"
#include "client/train/batch_order.h"
#include "client/train/module_trainer.h"
#include "client/train/torch_call.h"
#include "client/train/torch_models.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// A data set as tensors. The bytes stay bytes: a batch is converted when it is used.
struct TensorData {
  Dataset bytes;
  at::Tensor images, labels;
  at::Tensor mean, deviation;  // [channels, 1, 1]; undefined where values are taken as they are

  TensorData(Dataset data, const at::Device& device) : bytes(std::move(data)) {
    images = Bytes(bytes.images, static_cast<int64_t>(bytes.size())).to(device);
    labels = at::from_blob(bytes.labels.data(), {static_cast<int64_t>(bytes.size())}, at::kByte).to(device);
    if (bytes.channels.empty()) return;
    const auto channels = static_cast<int64_t>(bytes.channels.size());
    mean = at::empty({channels, 1, 1});
    deviation = at::empty({channels, 1, 1});
    for (int64_t i = 0; i < channels; ++i) {
      mean.data_ptr<float>()[i] = bytes.channels[static_cast<size_t>(i)].mean;
      deviation.data_ptr<float>()[i] = bytes.channels[static_cast<size_t>(i)].deviation;
    }
    mean = mean.to(device);
    deviation = deviation.to(device);
  }
  TensorData(const TensorData&) = delete;
  TensorData& operator=(const TensorData&) = delete;

  // What a model is given.
  at::Tensor Input(const at::Tensor& some) const {
    const at::Tensor input = some.to(at::kFloat).div_(255);
    return mean.defined() ? input.sub_(mean).div_(deviation) : input;
  }

  // Random copies of these samples.
  at::Tensor Augmented(absl::Span<const int64_t> samples, uint64_t seed) const {
    const size_t size = bytes.shape.values();
    std::vector<uint8_t> copies(samples.size() * size);
    for (size_t i = 0; i < samples.size(); ++i) {
      const auto image = absl::MakeConstSpan(bytes.images).subspan(static_cast<size_t>(samples[i]) * size, size);
      FlipAndCrop(bytes.shape, DeriveKey({seed, i}), image, absl::MakeSpan(copies).subspan(i * size, size));
    }
    return Bytes(copies, static_cast<int64_t>(samples.size())).clone().to(images.device());
  }

 private:
  // A view of them.
  at::Tensor Bytes(std::vector<uint8_t>& values, int64_t n) const {
    const ImageShape& shape = bytes.shape;
    return at::from_blob(values.data(), {n, shape.channels, shape.height, shape.width}, at::kByte);
  }
};

class TorchTrainer : public ModuleTrainer<ImageTrainer, ImageModel> {
 public:
  TorchTrainer(TorchTrainerOptions options, ModelInput input, BuiltModule<ImageModel> built, Dataset train,
               Dataset test)
      : ModuleTrainer(std::move(built)),
        options_(std::move(options)),
        input_(input),
        train_(std::make_unique<TensorData>(std::move(train), device())),
        test_(std::move(test), device()) {}

  uint64_t examples() const override { return train_->bytes.size(); }

  absl::Status SetTrainingData(Dataset train) override {
    TW_RETURN_IF_ERROR(train.Check());
    if (train.empty() || train.shape != input_.shape || train.classes != input_.classes) {
      return absl::InvalidArgumentError("the new training data are empty, or not of the data set that the model fits");
    }
    round().Forget();
    return CatchTorch("taking data", [&] {
      train_ = std::make_unique<TensorData>(std::move(train), device());
      return absl::OkStatus();
    });
  }

 protected:
  absl::Status CheckCanTrain(const TrainingOptions& options) const override {
    const size_t least = network().min_batch();
    if (train_->bytes.empty()) {
      return absl::FailedPreconditionError("this client has no training data; give it a data folder and a shard");
    }
    if (options.batch_size >= least && train_->bytes.size() >= least) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "model '", name(), "' trains on batches of at least ", least, " samples; batch_size is ", options.batch_size,
        " and the client has ", train_->bytes.size(), " samples; raise both to ", least));
  }
  absl::Status CheckCanEvaluate() const override {
    if (!test_.bytes.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "this client has no test data, so it cannot evaluate; give it a data folder with a test set");
  }

  absl::StatusOr<TrainResult> TrainRound(const TrainRequest& request, BlockSource& start) override {
    network().Seed(DeriveKey({request.seed, KeyWord("dropout")}));
    BatchOrder order(train_->bytes.size(), request.options.batch_size, network().min_batch(), request.seed);
    uint64_t step = 0;
    const auto loss_of_next = [&] {
      return LossOf(order.Next(), DeriveKey({request.seed, KeyWord("augment"), step++}));
    };
    TW_ASSIGN_OR_RETURN(const double loss, round().Train(request, StepsOf(request.options, order.batches_per_epoch()),
                                                         loss_of_next, start));
    return TrainResult{train_->bytes.size(), loss};
  }

  absl::StatusOr<EvaluateResult> EvaluateLoaded() override {
    const auto n = static_cast<int64_t>(test_.bytes.size());
    double loss = 0;
    int64_t right = 0;
    for (int64_t first = 0; first < n; first += options_.evaluation_batch) {
      const int64_t last = std::min<int64_t>(n, first + options_.evaluation_batch);
      const at::Tensor logits = network().Forward(test_.Input(test_.images.slice(0, first, last)));
      const at::Tensor labels = test_.labels.slice(0, first, last).to(at::kLong);
      loss += at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
      right += logits.argmax(1).eq(labels).sum().item<int64_t>();
    }
    const double count = static_cast<double>(n);
    return EvaluateResult{static_cast<uint64_t>(n), loss / count, static_cast<double>(right) / count};
  }

 private:
  at::Tensor LossOf(absl::Span<const int64_t> samples, uint64_t seed) {
    const at::Tensor index =
        at::from_blob(const_cast<int64_t*>(samples.data()), {static_cast<int64_t>(samples.size())}, at::kLong)
            .to(train_->labels.device());
    const at::Tensor images = ShallAugment(options_.augment, train_->bytes) ? train_->Augmented(samples, seed)
                                                                            : train_->images.index_select(0, index);
    const at::Tensor logits = network().Forward(train_->Input(images));
    return at::cross_entropy_loss(logits, train_->labels.index_select(0, index).to(at::kLong));
  }

  const TorchTrainerOptions options_;
  const ModelInput input_;
  std::unique_ptr<const TensorData> train_;
  const TensorData test_;
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
  TW_ASSIGN_OR_RETURN(const ModelInput input, InputOf(train, test));
  TW_ASSIGN_OR_RETURN(BuiltModule<ImageModel> built,
                      BuildModule<ImageModel>(options, [&](const std::shared_ptr<MatrixKeeper>& keeper) {
                        return MakeImageModel(options.model, input, keeper);
                      }));
  return CatchTorch("making a trainer", [&]() -> absl::StatusOr<std::unique_ptr<ImageTrainer>> {
    return std::make_unique<TorchTrainer>(options, input, std::move(built), std::move(train), std::move(test));
  });
}

}  // namespace thinwire
