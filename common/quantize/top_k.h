// The K entries of largest magnitude of a whole update, over all its tensors at once.
#ifndef THINWIRE_COMMON_QUANTIZE_TOP_K_H_
#define THINWIRE_COMMON_QUANTIZE_TOP_K_H_

#include <cstdint>
#include <vector>

#include "common/quantize/update.h"

namespace thinwire {

// By magnitude, of equal ones the lower flat position first. Takes 16 bytes a candidate and, while it is made, 16 bytes
// a value that is not zero. Immutable after its making.
class TopK {
 public:
  // The `most` largest entries of a checked update, fewer if fewer are not zero: zeros are never kept.
  TopK(UpdateView update, uint64_t most);

  uint64_t size() const { return candidates_.size(); }
  // The flat positions of the `count` largest, ascending. Takes time in proportion to size().
  std::vector<uint64_t> Positions(uint64_t count) const;

 private:
  struct Candidate {
    uint64_t position;
    uint64_t rank;
  };
  std::vector<Candidate> candidates_;  // by position
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_TOP_K_H_
