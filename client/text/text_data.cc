#include "client/text/text_data.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "client/text/characters.h"

namespace thinwire {
namespace {

// Speeches [first, last) of one part.
std::string PartOf(const std::vector<std::string>& speeches, RolePart part) {
  const size_t training = std::max<size_t>(1, speeches.size() * 4 / 5);
  const auto cut = speeches.begin() + static_cast<ptrdiff_t>(training);
  return part == RolePart::kTraining ? absl::StrJoin(speeches.begin(), cut, "\n")
                                     : absl::StrJoin(cut, speeches.end(), "\n");
}

void AppendWindows(const std::vector<uint16_t>& text, uint32_t speaker, std::vector<TextSample>* samples) {
  for (size_t first = 0; first + 1 < text.size(); first += kWindowCharacters) {
    const size_t last = std::min(first + kWindowCharacters + 1, text.size());
    TextSample window;
    window.symbols.assign(text.begin() + static_cast<ptrdiff_t>(first), text.begin() + static_cast<ptrdiff_t>(last));
    window.speaker = speaker;
    samples->push_back(std::move(window));
  }
}

}  // namespace

TextData TextData::WithoutSamples() const {
  TextData data;
  data.kind = kind;
  data.symbols = symbols;
  data.classes = classes;
  data.table = table;
  return data;
}

TextData TextData::Part(absl::Span<const uint32_t> indices) const {
  TextData part = WithoutSamples();
  part.samples.reserve(indices.size());
  for (const uint32_t index : indices) part.samples.push_back(samples[index]);
  return part;
}

TextData SentenceData(const SentenceFile& file, const Vocabulary& vocabulary) {
  TextData data;
  data.kind = TextData::Kind::kSentences;
  data.symbols = static_cast<uint32_t>(vocabulary.symbols());
  data.classes = kSentenceClasses;
  data.table = vocabulary.name();
  data.skipped = file.skipped;
  for (const LabelledSentence& sentence : file.sentences) {
    data.samples.push_back({vocabulary.Encode(sentence.text), sentence.label, 0});
  }
  return data;
}

TextData WindowData(const RoleFile& file, RolePart part) {
  TextData data;
  data.kind = TextData::Kind::kCharacters;
  data.symbols = data.classes = kCharacterSymbols;
  data.table = "characters";
  data.skipped = file.skipped;
  for (size_t i = 0; i < file.roles.size(); ++i) {
    AppendWindows(EncodeCharacters(PartOf(file.roles[i].speeches, part)), static_cast<uint32_t>(i), &data.samples);
  }
  return data;
}

}  // namespace thinwire
