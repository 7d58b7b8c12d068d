#include "car_trainer.h"

#include <cmath>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/train/batch_order.h"
#include "client/train/training_check.h"
#include "common/base/status_macros.h"

namespace cars {
namespace {

using thinwire::EvaluateResult;
using thinwire::ModelSpec;
using thinwire::ModelState;
using thinwire::TrainingOptions;
using thinwire::TrainRequest;
using thinwire::TrainResult;

// Model: mpg = bias + w[0] x[0] + w[1] x[1]. Both inputs are of the order of 1, by figures that all sites share.
struct Inputs {
  explicit Inputs(const Car& car) : x{car.weight - 3.0f, car.power / 100 - 1.5f} {}
  float Predict(const ModelState& state) const {
    return state.floats[1][0] + state.floats[0][0] * x[0] + state.floats[0][1] * x[1];
  }
  float x[2];
};

class CarTrainer : public thinwire::Trainer {
 public:
  CarTrainer(ModelSpec spec, std::vector<Car> cars) : spec_(std::move(spec)), cars_(std::move(cars)) {}

  const ModelSpec& model() const override { return spec_; }
  uint64_t examples() const override { return cars_.size(); }
  absl::StatusOr<ModelState> Initialize(uint64_t) override { return ModelState(spec_); }  // zeros

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) override {
    const TrainingOptions& options = request.options;
    TW_RETURN_IF_ERROR(Check(options, *state));
    thinwire::BatchOrder order(cars_.size(), options.batch_size, /*min_batch=*/1, request.seed);
    const uint64_t steps =
        options.local_steps > 0 ? options.local_steps : options.local_epochs * order.batches_per_epoch();
    TrainResult result{cars_.size(), 0};
    for (uint64_t step = 0; step < steps; ++step) {
      if (request.cancelled && request.cancelled()) return absl::CancelledError("training was cancelled");
      result.loss += Step(order.Next(), static_cast<float>(options.learning_rate), state) / static_cast<double>(steps);
      if (request.progress) request.progress(absl::StrCat("step ", step + 1, " of ", steps));
    }
    if (std::isfinite(result.loss)) return result;
    return absl::InvalidArgumentError("the loss has grown beyond all numbers; a smaller learning_rate is needed");
  }

  // "Accuracy" is the share of cars that are predicted within 3 miles per gallon.
  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) override {
    TW_RETURN_IF_ERROR(thinwire::CheckSameModel(state.spec, spec_, "cars"));
    const double count = static_cast<double>(cars_.size());
    EvaluateResult result{cars_.size(), 0, 0};
    for (const Car& car : cars_) {
      const double error = Inputs(car).Predict(state) - car.mpg;
      result.loss += error * error / count;
      result.accuracy += (std::fabs(error) < 3 ? 1 : 0) / count;
    }
    return result;
  }

 private:
  // What the operator configured is done or refused, never ignored.
  absl::Status Check(const TrainingOptions& options, const ModelState& state) const {
    TW_RETURN_IF_ERROR(thinwire::CheckTrainingOptions(options));
    TW_RETURN_IF_ERROR(thinwire::CheckSameModel(state.spec, spec_, "cars"));
    const bool plain = options.optimizer == TrainingOptions::Optimizer::kSgd && options.momentum == 0 &&
                       options.weight_decay == 0 && options.proximal_mu == 0;
    if (plain) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "the cars trainer knows plain SGD only; leave momentum, weight decay, Adam and FedProx out of `training`");
  }

  // One step down the gradient of the mean squared error over a batch, which it returns.
  double Step(absl::Span<const int64_t> batch, float rate, ModelState* state) const {
    const float share = 1 / static_cast<float>(batch.size());
    float loss = 0, bias = 0, weight[2] = {0, 0};
    for (const int64_t index : batch) {
      const Car& car = cars_[static_cast<size_t>(index)];
      const Inputs inputs(car);
      const float error = inputs.Predict(*state) - car.mpg;
      loss += share * error * error;
      bias += share * 2 * error;
      for (int i = 0; i < 2; ++i) weight[i] += share * 2 * error * inputs.x[i];
    }
    state->floats[1][0] -= rate * bias;
    for (int i = 0; i < 2; ++i) state->floats[0][i] -= rate * weight[i];
    return loss;
  }

  const ModelSpec spec_;
  const std::vector<Car> cars_;
};

}  // namespace

absl::StatusOr<std::vector<Car>> ReadCars(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return absl::NotFoundError(absl::StrCat("cannot read ", path, "; see --data"));
  std::vector<Car> cars;
  for (int number = 2; std::getline(file, line); ++number) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    Car car;
    if (fields.size() != 4 || !absl::SimpleAtof(fields[0], &car.weight) || !absl::SimpleAtof(fields[1], &car.power) ||
        !absl::SimpleAtof(fields[2], &car.mpg)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": '", line, "' is not WEIGHT,POWER,MPG,NAME with three numbers"));
    }
    cars.push_back(car);
  }
  return cars;
}

absl::StatusOr<std::unique_ptr<thinwire::Trainer>> MakeCarTrainer(std::vector<Car> cars) {
  if (cars.empty()) return absl::InvalidArgumentError("there are no cars in the data; a line each is needed");
  TW_ASSIGN_OR_RETURN(ModelSpec spec, ModelSpec::Create({{"linear.weight", {1, 2}}, {"linear.bias", {1}}}));
  return std::make_unique<CarTrainer>(std::move(spec), std::move(cars));
}

}  // namespace cars
