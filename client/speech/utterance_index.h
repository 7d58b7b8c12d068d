// A list of recordings: a file of tab-separated values whose first line names the columns.
#ifndef THINWIRE_CLIENT_SPEECH_UTTERANCE_INDEX_H_
#define THINWIRE_CLIENT_SPEECH_UTTERANCE_INDEX_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct Utterance {
  std::string file;  // path of the audio
  std::string speaker;
  std::string transcript;
  bool test = false;
};

// What could not be used, and why. Bad recordings are left out and never end a run.
struct SkippedUtterances {
  static constexpr size_t kMaxReasons = 10;
  size_t count = 0;
  std::vector<std::string> reasons;  // of the first few

  void Add(const std::string& reason);
  void Merge(const SkippedUtterances& other);
  // "3 of 20 utterances were skipped: REASON; REASON; ..."; empty if none was. `total` counts the skipped ones too.
  std::string ToText(size_t total) const;
};

struct UtteranceIndex {
  std::vector<Utterance> utterances;
  SkippedUtterances skipped;  // lines that do not have as many columns as the first, or no speaker or file
};

// Columns, in any order, others ignored:
//   file                                  path of the audio, relative to `folder`
//   speaker
//   transcript, or word, class or digit   the first of these that is there; digits 0..9 are spelled out
//   split                                 "train" or "test" (others: left out of both); without this column a tenth of
//                                         the files, drawn by their names, is the test set
// `folder` is the index's own if it is empty. NOT_FOUND; INVALID_ARGUMENT naming what is missing if a column is, if
// nothing is left, or the file is not text.
absl::StatusOr<UtteranceIndex> ReadUtteranceIndex(const std::string& path, const std::string& folder = "");

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_UTTERANCE_INDEX_H_
