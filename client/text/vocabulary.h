// Words as numbers. All clients of a federation must have the same vocabulary: each makes it from the same training
// file, or reads the same vocabulary file. A model carries the vocabulary's name in the name of its table, so a client
// with other words is told so instead of training on the wrong ones.
#ifndef THINWIRE_CLIENT_TEXT_VOCABULARY_H_
#define THINWIRE_CLIENT_TEXT_VOCABULARY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/text/sentence_file.h"

namespace thinwire {

// Words are what white space separates: SST-2 is tokenised already ("it 's" for "it's"). ASCII letters count as lower
// case. Symbol 0 is padding, 1 stands for every unknown word, words follow from 2 on. Immutable; thread-safe.
class Vocabulary {
 public:
  static constexpr uint16_t kPadding = 0, kUnknown = 1, kFirstWord = 2;
  static constexpr size_t kMaxWords = 65'000;       // symbols are 16 bits wide
  static constexpr size_t kMaxSentenceWords = 128;  // the rest of a longer sentence is cut off

  // The `most` most frequent words, the first bytewise among equals; most is at most kMaxWords.
  static Vocabulary Build(const std::vector<LabelledSentence>& sentences, size_t most);
  // A file with one word a line, the symbols' order. NOT_FOUND; INVALID_ARGUMENT, naming the line: an empty line other
  // than behind the last word, white space, a control character or capital within, a word that was there before, bytes
  // that are not UTF-8, too many words or none. No line is skipped, since every later word would have another symbol.
  static absl::StatusOr<Vocabulary> Read(const std::string& path);
  // The content of such a file.
  std::string ToText() const;

  size_t symbols() const { return kFirstWord + words_.size(); }
  // "words_" and eight hexadecimal digits of its content's SHA-256.
  const std::string& name() const { return name_; }
  // At most kMaxSentenceWords symbols.
  std::vector<uint16_t> Encode(absl::string_view sentence) const;

 private:
  explicit Vocabulary(std::vector<std::string> words);

  std::vector<std::string> words_;
  std::unordered_map<std::string, uint16_t> symbol_of_;
  std::string name_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_VOCABULARY_H_
