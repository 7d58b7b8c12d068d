#include "common/quantize/update.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

float LargestMagnitude(UpdateView update) {
  float largest = 0;
  for (const auto& tensor : update) {
    for (const float x : tensor) largest = std::max(largest, std::fabs(x));
  }
  return largest;
}

// M = 0 and 2 without std::pow.
double Weight(double magnitude, double exponent) {
  if (exponent == 0) return 1;
  if (exponent == 2) return magnitude * magnitude;
  return std::pow(magnitude, exponent);
}

double RelativeAt(UpdateView update, UpdateView decoded, double scale, double exponent) {
  double error = 0;
  double energy = 0;
  for (size_t t = 0; t < update.size(); ++t) {
    for (size_t i = 0; i < update[t].size(); ++i) {
      const double x = update[t][i] / scale;
      const double difference = x - decoded[t][i] / scale;
      const double weight = Weight(std::fabs(x), exponent);
      error += weight * difference * difference;
      energy += weight * x * x;
    }
  }
  if (energy > 0) return error / energy;
  return error > 0 ? std::numeric_limits<double>::infinity() : 0;
}

}  // namespace

absl::Status CheckQuantizable(UpdateView update) {
  if (update.size() > kMaxQuantizedTensors || CountValues(update) > kMaxQuantizedValues) {
    return absl::InvalidArgumentError(absl::StrCat("the update has ", update.size(), " tensors and ",
                                                   CountValues(update), " values, at most ", kMaxQuantizedTensors,
                                                   " and ", kMaxQuantizedValues, " can be quantised at once"));
  }
  for (size_t t = 0; t < update.size(); ++t) {
    for (size_t i = 0; i < update[t].size(); ++i) {
      if (std::fabs(update[t][i]) <= kMaxQuantizedMagnitude) continue;
      return absl::InvalidArgumentError(absl::StrCat("value ", i, " of tensor ", t, " is ", update[t][i],
                                                     "; an update's values are finite and at most 2^96"));
    }
  }
  return absl::OkStatus();
}

std::vector<double> RelativeDistortion(UpdateView update, UpdateView decoded, absl::Span<const double> exponents) {
  const float largest = LargestMagnitude(update);
  std::vector<double> relative;
  for (const double exponent : exponents) {
    relative.push_back(RelativeAt(update, decoded, largest > 0 ? largest : 1, exponent));
  }
  return relative;
}

}  // namespace thinwire
