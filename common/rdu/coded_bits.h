// Encoder and decoder behind one face, so that the model is written once: given a bit, the one writes it and gives it
// back, the other ignores it and gives the one that was written.
#ifndef THINWIRE_COMMON_RDU_CODED_BITS_H_
#define THINWIRE_COMMON_RDU_CODED_BITS_H_

#include <cstdint>

#include "common/entropy/range_coder.h"

namespace thinwire {

struct EncodeBits {
  RangeEncoder* coder;

  bool Bit(bool bit, int p) {
    coder->Encode(bit, p);
    return bit;
  }
  uint32_t Raw(uint32_t value, int bits) {
    coder->EncodeRaw(value, bits);
    return value;
  }
};

struct DecodeBits {
  RangeDecoder* coder;

  bool Bit(bool, int p) { return coder->Decode(p); }
  uint32_t Raw(uint32_t, int bits) { return coder->DecodeRaw(bits); }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_CODED_BITS_H_
