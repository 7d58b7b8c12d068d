// How a data set is dealt out among clients. Every client computes the whole partition from the labels and takes its
// own part, so nothing is exchanged: the result is the same on every machine (integers, + - * / sqrt, Philox).
#ifndef THINWIRE_CLIENT_TRAIN_PARTITION_H_
#define THINWIRE_CLIENT_TRAIN_PARTITION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

struct PartitionRule {
  enum class Kind {
    kIid,        // "iid": shuffled, cut into equal parts
    kDirichlet,  // "dirichlet:ALPHA": each class is cut by proportions drawn from Dirichlet(ALPHA); small is uneven
    kByLabel,    // "label:K": each client holds K classes, each class is cut equally among its holders
    kBySpeaker,  // "speaker": shuffled speakers, cut into equal parts; what one has spoken stays together
  };
  Kind kind = Kind::kIid;
  double alpha = 0;
  uint32_t labels = 0;

  // INVALID_ARGUMENT, naming the text and what is accepted.
  static absl::StatusOr<PartitionRule> Parse(absl::string_view text);
  std::string ToText() const;
};

// Which part of how many: "3/10" is the fourth of ten.
struct Shard {
  uint32_t index = 0;  // 0..count-1
  uint32_t count = 1;

  // INVALID_ARGUMENT, naming the text and what is accepted.
  static absl::StatusOr<Shard> Parse(absl::string_view text);
};

constexpr uint32_t kMaxShards = 1'000'000;

struct PartitionOptions {
  PartitionRule rule;
  uint32_t shards = 1;
  uint64_t seed = 0;     // the same for all clients of a federation
  uint64_t samples = 0;  // deal out a random subset of this many; 0 = all
};

// Indices into `labels` for each shard, ascending; each sample dealt out is in exactly one shard. No shard is empty:
// one that a rule leaves without samples is given one of the largest shard's. INVALID_ARGUMENT, naming value and limit,
// if there are fewer samples than shards, fewer samples than asked for, or too few places for all classes ("label:K").
absl::StatusOr<std::vector<std::vector<uint32_t>>> PartitionSamples(absl::Span<const uint8_t> labels,
                                                                    const PartitionOptions& options);

// The same for recordings, which have speakers instead of labels: equal numbers are the same speaker. INVALID_ARGUMENT
// also for rules other than "iid" and "speaker", and if "speaker" has fewer speakers than shards.
absl::StatusOr<std::vector<std::vector<uint32_t>>> PartitionRecordings(absl::Span<const uint32_t> speakers,
                                                                       const PartitionOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_PARTITION_H_
