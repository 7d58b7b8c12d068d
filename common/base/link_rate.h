// Rates of links as people write them.
#ifndef THINWIRE_COMMON_BASE_LINK_RATE_H_
#define THINWIRE_COMMON_BASE_LINK_RATE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

constexpr uint64_t kLeastLinkRate = 1'000, kMostLinkRate = 100'000'000'000;  // bits a second

// "128kbit", "1.5Mbit", "1Gbit" in bits a second: a thousand, a million, a thousand million. INVALID_ARGUMENT, naming
// the text, unless it is a number with one of these units between kLeastLinkRate and kMostLinkRate.
absl::StatusOr<uint64_t> ParseLinkRate(absl::string_view text);
// "128 kbit/s", three digits at most.
std::string DescribeLinkRate(uint64_t bits_per_second);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_LINK_RATE_H_
