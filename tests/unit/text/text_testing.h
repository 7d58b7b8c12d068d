// Short cuts for tests of text files.
#ifndef THINWIRE_TESTS_UNIT_TEXT_TEXT_TESTING_H_
#define THINWIRE_TESTS_UNIT_TEXT_TEXT_TESTING_H_

#include <fstream>
#include <string>

#include "common/base/rng.h"

namespace thinwire {

inline void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Damaged copies of a file: cut off, with bytes changed, with pieces moved. The `index`-th is always the same.
inline std::string Damaged(std::string text, uint64_t index) {
  RandomStream random(DeriveKey({KeyWord("damage"), index}));
  for (uint64_t i = 0; i <= index % 4; ++i) {
    const size_t at = random.Below(text.size());
    switch (random.Below(3)) {
      case 0:
        text[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        text.insert(at, text.substr(random.Below(text.size()), 20));
        break;
      default:
        if (index % 3 == 0) text.resize(at + 1);
        break;
    }
  }
  return text;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_TEXT_TEXT_TESTING_H_
