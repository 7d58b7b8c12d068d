#include "server/aggregate/aggregator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace thinwire {

uint32_t TrimmedAtEachEnd(double trim, uint32_t updates) {
  constexpr double kDecimalSlack = 1e-9;  // what rounding may take off a product of a decimal fraction
  const auto trimmed = static_cast<uint32_t>(std::floor(trim * updates + kDecimalSlack));
  return updates == 0 ? 0 : std::min(trimmed, (updates - 1) / 2);
}

std::string AggregatorName(const AggregatorOptions& options) {
  switch (options.kind) {
    case AggregatorOptions::Kind::kMean:
      return "mean";
    case AggregatorOptions::Kind::kMedian:
      return "median";
    case AggregatorOptions::Kind::kTrimmedMean:
      return absl::StrCat("trimmed mean ", options.trim);
  }
  return "unknown";
}

}  // namespace thinwire
