// How the values that the updates of a round have for one parameter become one: the weighted mean, or one of the two
// robust rules of Yin, Chen, Ramchandran, Bartlett 2018, "Byzantine-Robust Distributed Learning: Towards Optimal
// Statistical Rates" (definitions 1 and 2). The robust rules count every update alike: a weight is what its client
// says, and a client that lies is what they are for.
#ifndef THINWIRE_SERVER_AGGREGATE_AGGREGATOR_H_
#define THINWIRE_SERVER_AGGREGATE_AGGREGATOR_H_

#include <cstdint>
#include <string>

namespace thinwire {

// The robust rules hold a block of every update at once and keep every update's file open until the round is
// published: a round of more is refused in the configuration.
constexpr uint32_t kMaxRobustUpdates = 4096;
// With fewer a median is the mean, or the one update itself.
constexpr uint32_t kMinMedianUpdates = 3;

struct AggregatorOptions {
  enum class Kind { kMean, kMedian, kTrimmedMean } kind = Kind::kMean;
  double trim = 0;  // kTrimmedMean: the share of values left out at each end, 0 up to but not 0.5

  bool robust() const { return kind != Kind::kMean; }
};

// floor(trim * updates), trusting that 0.29 of 100 means 29: values left out at each end. Less than half of them.
uint32_t TrimmedAtEachEnd(double trim, uint32_t updates);

// "mean", "median", "trimmed mean 0.1".
std::string AggregatorName(const AggregatorOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_AGGREGATOR_H_
