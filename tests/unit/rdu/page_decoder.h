// A second decoder of the best profile, written from docs/rdu.md alone and for nothing but being plain: what it
// decodes, the library must. It also counts what decoding takes.
#ifndef THINWIRE_TESTS_UNIT_RDU_PAGE_DECODER_H_
#define THINWIRE_TESTS_UNIT_RDU_PAGE_DECODER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace thinwire {

struct PageDecoding {
  std::vector<std::vector<float>> values;  // in the order of the shapes given
  // What the model's probabilities make of all decisions up to the last value that is not zero: the sum of -log2(p),
  // and raw bits.
  double ideal_bits = 0;
  uint64_t decisions = 0;  // that were decoded, raw bits of one number as one
  uint64_t products = 0;   // a_k b_k that were added up
};

// Of an update of version 1 or 3, section 2 of the page. Bytes left over are not looked for.
PageDecoding DecodeByThePage(const std::string& bytes, const std::vector<std::vector<uint64_t>>& shapes);

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_RDU_PAGE_DECODER_H_
