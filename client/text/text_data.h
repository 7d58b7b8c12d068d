// Texts as a model takes them: symbols and labels, in memory.
#ifndef THINWIRE_CLIENT_TEXT_TEXT_DATA_H_
#define THINWIRE_CLIENT_TEXT_TEXT_DATA_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/text/role_file.h"
#include "client/text/sentence_file.h"
#include "client/text/skipped_lines.h"
#include "client/text/vocabulary.h"

namespace thinwire {

// Characters predicted in one window.
constexpr size_t kWindowCharacters = 80;

struct TextSample {
  // A sentence's words, or a window: character i is to be predicted from those before it, from the second one on.
  std::vector<uint16_t> symbols;
  uint8_t label = 0;     // of a sentence
  uint32_t speaker = 0;  // of a window: place of the role in its file
};

// Thread-compatible.
struct TextData {
  enum class Kind { kSentences, kCharacters };
  Kind kind = Kind::kSentences;
  uint32_t symbols = 0;  // of the vocabulary or alphabet, also those that no sample has
  uint32_t classes = 0;  // that a model tells apart: labels, or characters
  std::string table;     // name of the model's table of symbols; another vocabulary has another name
  std::vector<TextSample> samples;
  SkippedLines skipped;

  // Without samples.
  TextData WithoutSamples() const;
  // Samples of these indices, in their order; nothing skipped.
  TextData Part(absl::Span<const uint32_t> indices) const;
};

// One sample for each sentence.
TextData SentenceData(const SentenceFile& file, const Vocabulary& vocabulary);

enum class RolePart { kTraining, kTest };

// Windows over what the roles say. Of a role with n speeches the first floor(0.8 n), at least one, are for training,
// the others for tests (McMahan et al. 2017, section 3: by time, not at random). Each part's speeches are joined by
// line feeds and cut into windows of kWindowCharacters + 1 characters, each beginning with the last character of the
// one before, so that every character but a part's first is predicted once; a part's last window may be shorter. Parts
// of fewer than two characters give none.
TextData WindowData(const RoleFile& file, RolePart part);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_TEXT_DATA_H_
