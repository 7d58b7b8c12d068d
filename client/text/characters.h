// Characters as numbers, the same for every language model of this kind.
#ifndef THINWIRE_CLIENT_TEXT_CHARACTERS_H_
#define THINWIRE_CLIENT_TEXT_CHARACTERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace thinwire {

// Symbol 0 stands for every other character, 1 is the line feed, 2..96 are U+0020 to U+007E. Part of every trained
// model.
constexpr uint16_t kOtherCharacter = 0;
constexpr uint32_t kCharacterSymbols = 97;

// One symbol for each character of `text`, which is UTF-8.
std::vector<uint16_t> EncodeCharacters(absl::string_view text);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TEXT_CHARACTERS_H_
