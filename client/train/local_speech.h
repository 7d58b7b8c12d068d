// A client's own recordings: an index of audio files, of which only the client's shard is read and kept in memory.
#ifndef THINWIRE_CLIENT_TRAIN_LOCAL_SPEECH_H_
#define THINWIRE_CLIENT_TRAIN_LOCAL_SPEECH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/speech/speech_data.h"
#include "client/train/partition.h"

namespace thinwire {

struct LocalSpeechOptions {
  std::string index;   // utterance_index.h
  std::string folder;  // that its file names are relative to; empty: the index's own
  SpeechRules rules;
  PartitionRule rule;  // iid or speaker
  Shard shard;
  uint64_t seed = 0;     // of the partition; the same for all clients
  uint64_t samples = 0;  // of all clients together, before the partition; 0 = all
};

// The shard of the training set. Recordings that cannot be used are left out after the partition, so that one client's
// bad file moves nobody else's. Errors as those of the index, the partition and LoadSpeech.
absl::StatusOr<SpeechData> LoadSpeechShard(const LocalSpeechOptions& options);

// The whole test set: of the options, index, folder and rules count.
absl::StatusOr<SpeechData> LoadSpeechTestSet(const LocalSpeechOptions& options);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_LOCAL_SPEECH_H_
