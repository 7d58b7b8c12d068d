#include "client/speech/alphabet.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace thinwire {
namespace {

constexpr char kSymbols[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZ '";  // by label
static_assert(sizeof(kSymbols) - 1 == kSpeechLabels, "one symbol for each label");

// 0 if `c` is none of the symbols.
int64_t LabelOf(char c) {
  const char upper = absl::ascii_toupper(static_cast<unsigned char>(c));
  if (upper >= 'A' && upper <= 'Z') return upper - 'A' + 1;
  if (upper == '\'') return kSpaceLabel + 1;
  return absl::ascii_isspace(static_cast<unsigned char>(c)) ? kSpaceLabel : kBlankLabel;
}

std::string Printable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return absl::ascii_isprint(byte) ? std::string(1, c) : absl::StrFormat("\\x%02x", byte);
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> EncodeTranscript(absl::string_view text) {
  std::vector<int64_t> labels;
  for (size_t i = 0; i < text.size(); ++i) {
    const int64_t label = LabelOf(text[i]);
    if (label == kBlankLabel) {
      return absl::InvalidArgumentError(absl::StrCat("unknown symbol '", Printable(text[i]), "' at position ", i,
                                                     " of transcript '", absl::CHexEscape(text.substr(0, 80)),
                                                     "'; write it with A-Z, space and apostrophe"));
    }
    const bool gap = labels.empty() || labels.back() == kSpaceLabel;
    if (label != kSpaceLabel || !gap) labels.push_back(label);
  }
  if (!labels.empty() && labels.back() == kSpaceLabel) labels.pop_back();
  if (labels.empty()) return absl::InvalidArgumentError("the transcript is empty; remove the utterance or write it");
  return labels;
}

std::string DecodeTranscript(absl::Span<const int64_t> labels) {
  std::string text;
  for (const int64_t label : labels) {
    if (label > kBlankLabel && label < kSpeechLabels) text.push_back(kSymbols[label]);
  }
  return text;
}

size_t CtcFramesNeeded(absl::Span<const int64_t> labels) {
  size_t frames = labels.size();
  for (size_t i = 1; i < labels.size(); ++i) frames += labels[i] == labels[i - 1] ? 1 : 0;
  return frames;
}

}  // namespace thinwire
