#include "server/aggregate/strategy.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

absl::Status CheckRange(const char* field, double value, bool in_range, const char* range) {
  if (in_range) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", it must be ", range));
}

absl::Status CheckFraction(const char* field, double value) {
  return CheckRange(field, value, value >= 0 && value < 1, "at least 0 and below 1");
}

absl::Status CheckPositive(const char* field, double value) {
  return CheckRange(field, value, value > 0 && std::isfinite(value), "positive and finite");
}

// A step of exactly 0 leaves the bits: -0.0 + 0.0 would be +0.0.
void Step(double step, float* weight) {
  if (step != 0) *weight = static_cast<float>(*weight + step);
}

void Average(double rate, absl::Span<const float> mean, absl::Span<float> weights) {
  for (size_t i = 0; i < mean.size(); ++i) Step(rate * mean[i], &weights[i]);
}

void Momentum(const StrategyOptions& options, absl::Span<const float> mean, absl::Span<float> weights,
              absl::Span<float> velocity) {
  for (size_t i = 0; i < mean.size(); ++i) {
    velocity[i] = static_cast<float>(options.momentum * velocity[i] + mean[i]);
    Step(options.learning_rate * velocity[i], &weights[i]);
  }
}

void Adam(const StrategyOptions& options, absl::Span<const float> mean, absl::Span<float> weights,
          absl::Span<float> first_moment, absl::Span<float> second_moment) {
  for (size_t i = 0; i < mean.size(); ++i) {
    const double delta = mean[i];
    first_moment[i] = static_cast<float>(options.beta1 * first_moment[i] + (1 - options.beta1) * delta);
    second_moment[i] = static_cast<float>(options.beta2 * second_moment[i] + (1 - options.beta2) * delta * delta);
    Step(options.learning_rate * first_moment[i] / (std::sqrt(static_cast<double>(second_moment[i])) + options.epsilon),
         &weights[i]);
  }
}

}  // namespace

absl::Status StrategyOptions::Validate() const {
  absl::Status status = CheckPositive("learning_rate", learning_rate);
  if (status.ok() && kind == Kind::kFedAvgM) status = CheckFraction("momentum", momentum);
  if (kind != Kind::kFedAdam) return status;
  if (status.ok()) status = CheckFraction("beta1", beta1);
  if (status.ok()) status = CheckFraction("beta2", beta2);
  if (status.ok()) status = CheckPositive("epsilon", epsilon);
  return status;
}

void ApplyStrategy(const StrategyOptions& options, absl::Span<const float> mean, absl::Span<float> weights,
                   absl::Span<float> state1, absl::Span<float> state2) {
  switch (options.kind) {
    case StrategyOptions::Kind::kFedAvg:
      return Average(options.learning_rate, mean, weights);
    case StrategyOptions::Kind::kFedAvgM:
      return Momentum(options, mean, weights, state1);
    case StrategyOptions::Kind::kFedAdam:
      return Adam(options, mean, weights, state1, state2);
  }
}

void ApplyMean(absl::Span<const float> mean, absl::Span<float> weights) { Average(1, mean, weights); }

}  // namespace thinwire
