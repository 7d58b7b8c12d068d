// Word and character error rates: edit distance (Levenshtein) over a whole corpus.
#ifndef THINWIRE_CLIENT_SPEECH_ERROR_RATE_H_
#define THINWIRE_CLIENT_SPEECH_ERROR_RATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace thinwire {

// Edits that turn a hypothesis into its reference. Sums of counts are a corpus' counts: its rate is the sum of the
// edits over the sum of the references' lengths, not a mean of rates.
struct ErrorCount {
  uint64_t substitutions = 0;
  uint64_t deletions = 0;   // of the reference, missing in the hypothesis
  uint64_t insertions = 0;  // in the hypothesis alone
  uint64_t reference = 0;   // length of the reference

  uint64_t errors() const { return substitutions + deletions + insertions; }
  // Errors by length; may pass 1. Of an empty reference: 0 without errors, else 1.
  double rate() const;
  ErrorCount& operator+=(const ErrorCount& other);
};

// Of a least number of edits; where several ways are shortest, substitutions are preferred, then deletions.
ErrorCount CountErrors(const std::vector<absl::string_view>& reference,
                       const std::vector<absl::string_view>& hypothesis);

// Over words, separated by white space, and over bytes, spaces among them.
ErrorCount CountWordErrors(absl::string_view reference, absl::string_view hypothesis);
ErrorCount CountCharacterErrors(absl::string_view reference, absl::string_view hypothesis);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_ERROR_RATE_H_
