// A client's own texts: files that all clients have, of which each trains on its shard.
#ifndef THINWIRE_CLIENT_TRAIN_LOCAL_TEXT_H_
#define THINWIRE_CLIENT_TRAIN_LOCAL_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/text/text_data.h"
#include "client/train/partition.h"

namespace thinwire {

struct LocalTextOptions {
  // A folder with train.tsv, dev.tsv and test.tsv (sentence_file.h): sentences with labels. A folder with roles.jsonl,
  // or a file whose name ends with ".jsonl" (role_file.h): characters, by role.
  std::string data;
  std::string vocabulary;        // of sentences: file (vocabulary.h); empty: made from train.tsv
  uint64_t words = 8000;         // of a vocabulary that is made: its most frequent ones
  std::string test_set = "dev";  // of sentences: dev or test
  uint64_t test_samples = 0;     // a random subset, the same for all; 0 = all
  PartitionRule rule;            // sentences: iid, dirichlet, label; characters: iid, speaker
  Shard shard;
  uint64_t seed = 0;     // of the partition; the same for all clients
  uint64_t samples = 0;  // of all clients together, before the partition; 0 = all
};

// The whole training set. Errors as those of the files; NOT_FOUND if `data` is none of the three, INVALID_ARGUMENT if a
// folder holds both or there are no words to be kept.
absl::StatusOr<TextData> LoadTextTraining(const LocalTextOptions& options);

// Which samples each shard has; of the options, rule, seed and samples count. Errors as the partition's, and
// INVALID_ARGUMENT for a rule that needs what the data do not have.
absl::StatusOr<std::vector<std::vector<uint32_t>>> DealText(const TextData& training, const LocalTextOptions& options,
                                                            uint32_t shards);

// The shard of the training set.
absl::StatusOr<TextData> LoadTextShard(const LocalTextOptions& options);

// The test set, with the training set's vocabulary. INVALID_ARGUMENT if `test_set` is neither, or more `test_samples`
// are asked for than there are; NOT_FOUND if no role says enough to be tested.
absl::StatusOr<TextData> LoadTextTestSet(const LocalTextOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_LOCAL_TEXT_H_
