#include "common/base/link_rate.h"

#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace thinwire {
namespace {

constexpr std::pair<const char*, double> kUnits[] = {{"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};

}  // namespace

absl::StatusOr<uint64_t> ParseLinkRate(absl::string_view text) {
  const absl::string_view whole = text;
  for (const auto& [unit, factor] : kUnits) {
    double number = 0;
    if (!absl::ConsumeSuffix(&text, unit)) continue;
    const bool read = absl::SimpleAtod(text, &number) && std::isfinite(number);
    const double rate = number * factor;
    if (read && rate >= kLeastLinkRate && rate <= kMostLinkRate) return static_cast<uint64_t>(rate);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", whole, "' is no rate between 1kbit and 100Gbit; write for example 128kbit, 1.5Mbit or 1Gbit"));
}

std::string DescribeLinkRate(uint64_t bits_per_second) {
  const auto rate = static_cast<double>(bits_per_second);
  if (bits_per_second < 1000) return absl::StrCat(bits_per_second, " bit/s");
  const auto& [unit, factor] = kUnits[rate < 999.5e3 ? 0 : rate < 999.5e6 ? 1 : 2];
  return absl::StrFormat("%.3g %s/s", rate / factor, unit);
}

}  // namespace thinwire
