// Reads speech: WAV, FLAC and what else libsndfile knows.
#ifndef THINWIRE_CLIENT_SPEECH_AUDIO_FILE_H_
#define THINWIRE_CLIENT_SPEECH_AUDIO_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct AudioRules {
  uint32_t sample_rate = 16000;  // Hz; files of another rate are refused, not resampled
  double max_seconds = 60;       // longer files are refused: this bounds the memory of one
};

// All samples of a file with one channel, in [-1, 1]. Errors name the file and the way out: NOT_FOUND;
// INVALID_ARGUMENT if it is no audio, empty, too long, of another rate or of several channels; DATA_LOSS if it ends
// early, is damaged or has samples that are not finite.
absl::StatusOr<std::vector<float>> ReadAudio(const std::string& path, const AudioRules& rules);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_AUDIO_FILE_H_
