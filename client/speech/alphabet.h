// The symbols that a speech model writes: A to Z, space and apostrophe, one label each, and CTC's blank.
#ifndef THINWIRE_CLIENT_SPEECH_ALPHABET_H_
#define THINWIRE_CLIENT_SPEECH_ALPHABET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

// Label 0 is CTC's blank, 1..26 are A..Z, 27 is the space, 28 the apostrophe. Part of every trained model.
constexpr int64_t kBlankLabel = 0;
constexpr int64_t kSpaceLabel = 27;
constexpr int64_t kSpeechLabels = 29;

// Labels of a transcript; lower case counts as upper case, runs of white space as one space, none at the ends.
// INVALID_ARGUMENT for a transcript without symbols, and for any other byte, naming it and its place.
absl::StatusOr<std::vector<int64_t>> EncodeTranscript(absl::string_view text);

// The text of labels 1..28; others, blanks among them, are left out.
std::string DecodeTranscript(absl::Span<const int64_t> labels);

// Fewest frames in which CTC can write `labels`: one for each, and a blank between equal neighbours.
size_t CtcFramesNeeded(absl::Span<const int64_t> labels);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_ALPHABET_H_
