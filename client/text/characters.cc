#include "client/text/characters.h"

namespace thinwire {

std::vector<uint16_t> EncodeCharacters(absl::string_view text) {
  std::vector<uint16_t> symbols;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if ((byte & 0xC0) == 0x80) continue;  // not a character's first byte
    if (byte == '\n') {
      symbols.push_back(1);
    } else {
      symbols.push_back(byte >= ' ' && byte <= '~' ? static_cast<uint16_t>(byte - ' ' + 2) : kOtherCharacter);
    }
  }
  return symbols;
}

}  // namespace thinwire
