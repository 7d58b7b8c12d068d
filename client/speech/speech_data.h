// Recordings as a model takes them: features and labels, in memory.
#ifndef THINWIRE_CLIENT_SPEECH_SPEECH_DATA_H_
#define THINWIRE_CLIENT_SPEECH_SPEECH_DATA_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/speech/audio_file.h"
#include "client/speech/log_mel.h"
#include "client/speech/utterance_index.h"

namespace thinwire {

struct SpeechRules {
  AudioRules audio;
  LogMelOptions mel;                        // its sample rate is the audio's
  uint32_t stack = 1;                       // frames joined into one
  uint32_t subsampling = 4;                 // of the model: utterances without a frame left for each label are skipped
  uint64_t max_values = uint64_t{1} << 30;  // of all features together: bounds memory, 4 bytes each
};

struct SpeechSample {
  Features features;            // normalised by utterance
  std::vector<int64_t> labels;  // alphabet.h
  std::string speaker, file;
};

// Thread-compatible.
struct SpeechData {
  uint32_t width = 0;  // of each sample's features
  std::vector<SpeechSample> samples;
  SkippedUtterances skipped;
};

// Frames that a model leaves of `frames` after halving them, rounded up, until `subsampling` (a power of two) is
// reached.
size_t SubsampledFrames(size_t frames, uint32_t subsampling);

// One utterance; audio, frames and the model's input are in memory for this one only.
absl::StatusOr<SpeechSample> LoadSample(const Utterance& utterance, const SpeechRules& rules, LogMel& mel);

// Those utterances that can be used; the others are counted. RESOURCE_EXHAUSTED, saying how to take less, if the
// features pass the rules' limit; INVALID_ARGUMENT with the first reasons if none can be used, or for bad rules.
absl::StatusOr<SpeechData> LoadSpeech(absl::Span<const Utterance> utterances, const SpeechRules& rules);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_SPEECH_DATA_H_
