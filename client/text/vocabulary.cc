#include "client/text/vocabulary.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/text/plain_text.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

std::vector<std::string> WordsOf(absl::string_view sentence) {
  return absl::StrSplit(absl::AsciiStrToLower(sentence), absl::ByAnyChar(" \t\r\n\v\f"), absl::SkipEmpty());
}

absl::Status CheckWord(absl::string_view word) {
  if (word.empty()) return absl::InvalidArgumentError("an empty line; remove it");
  TW_RETURN_IF_ERROR(CheckPlainText(word));
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_isspace(byte) && !absl::ascii_isupper(byte)) continue;
    return absl::InvalidArgumentError("white space or a capital within the word, so that no sentence has it");
  }
  return absl::OkStatus();
}

absl::Status NameLine(const std::string& path, size_t line, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, " line ", line, ": ", what));
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> words) : words_(std::move(words)) {
  for (size_t i = 0; i < words_.size(); ++i) symbol_of_.emplace(words_[i], static_cast<uint16_t>(kFirstWord + i));
  name_ = absl::StrFormat("words_%08x", KeyWord(ToText()) & 0xffffffffu);
}

Vocabulary Vocabulary::Build(const std::vector<LabelledSentence>& sentences, size_t most) {
  std::map<std::string, uint64_t> counts;
  for (const LabelledSentence& sentence : sentences) {
    for (const std::string& word : WordsOf(sentence.text)) ++counts[word];
  }
  std::vector<std::pair<std::string, uint64_t>> ranked(counts.begin(), counts.end());  // in bytewise order
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> words;
  for (size_t i = 0; i < std::min({most, kMaxWords, ranked.size()}); ++i) words.push_back(std::move(ranked[i].first));
  return Vocabulary(std::move(words));
}

absl::StatusOr<Vocabulary> Vocabulary::Read(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxTextFileBytes));
  std::vector<std::string> words = absl::StrSplit(text, '\n');
  if (words.back().empty()) words.pop_back();
  if (words.empty()) return NameLine(path, 1, "no words; write one a line, or let the training data give them");
  if (words.size() > kMaxWords) {
    return NameLine(path, kMaxWords + 1, absl::StrCat("more than ", kMaxWords, " words; keep the most frequent ones"));
  }
  std::map<absl::string_view, size_t> seen;
  for (size_t i = 0; i < words.size(); ++i) {
    const absl::Status status = CheckWord(words[i]);
    if (!status.ok()) return NameLine(path, i + 1, std::string(status.message()));
    const auto [before, added] = seen.emplace(words[i], i + 1);
    if (!added) return NameLine(path, i + 1, absl::StrCat("the word of line ", before->second, " again; remove one"));
  }
  return Vocabulary(std::move(words));
}

std::string Vocabulary::ToText() const { return words_.empty() ? "" : absl::StrCat(absl::StrJoin(words_, "\n"), "\n"); }

std::vector<uint16_t> Vocabulary::Encode(absl::string_view sentence) const {
  std::vector<uint16_t> symbols;
  for (const std::string& word : WordsOf(sentence)) {
    if (symbols.size() == kMaxSentenceWords) break;
    const auto found = symbol_of_.find(word);
    symbols.push_back(found == symbol_of_.end() ? kUnknown : found->second);
  }
  return symbols;
}

}  // namespace thinwire
