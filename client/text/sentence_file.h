// Labelled sentences: SST-2 as GLUE distributes it, a file of tab-separated values.
#ifndef THINWIRE_CLIENT_TEXT_SENTENCE_FILE_H_
#define THINWIRE_CLIENT_TEXT_SENTENCE_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/text/skipped_lines.h"

namespace thinwire {

constexpr uint32_t kSentenceClasses = 2;

struct LabelledSentence {
  std::string text;
  uint8_t label = 0;  // below kSentenceClasses; of SST-2: 0 is negative, 1 positive
};

struct SentenceFile {
  std::vector<LabelledSentence> sentences;
  SkippedLines skipped;
};

// The first line names the columns, in any order, others ignored: "sentence" and "label". A line is skipped and counted
// if it has another number of columns than the first, a label other than 0 and 1, no words, or is not plain text. Lines
// end with LF or CR LF; empty lines are passed over. NOT_FOUND; INVALID_ARGUMENT naming what is missing if a column is,
// or if no sentence is left.
absl::StatusOr<SentenceFile> ReadSentences(const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_SENTENCE_FILE_H_
