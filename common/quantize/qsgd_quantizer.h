// QSGD (Alistarh et al. 2017, sections 3.1 and 3.2): each value is rounded at random to one of s levels of its bucket's
// 2-norm, without bias, and levels are coded in Elias's omega code. Behind the update's header:
//   s varint | bucket varint | dense u8 | buckets
// A bucket, of `bucket` values of one tensor (all of them for 0), the last one shorter: norm f32, and if that is not 0
//   sparse (0): omega of entries + 1, then for each entry omega of its distance to the one before (the first counts
//               from -1) | a sign bit | omega of its level
//   dense (1):  for each value omega of its level + 1, and a sign bit if that level is not 0.
// The largest s that a trial with other draws finds room for, with something to spare, is found by bisection; the
// shorter form is taken.
#ifndef THINWIRE_COMMON_QUANTIZE_QSGD_QUANTIZER_H_
#define THINWIRE_COMMON_QUANTIZE_QSGD_QUANTIZER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/quantizer.h"

namespace thinwire {

constexpr uint64_t kMaxQsgdLevels = 1u << 20;

// The fewest bytes behind the header: norms of 0 alone.
uint64_t LeastQsgdBytes(const QuantizerSpec& spec, absl::Span<const uint64_t> sizes);

absl::StatusOr<std::string> EncodeQsgd(const QuantizerSpec& spec, UpdateView update, const QuantizeOptions& options);
absl::Status DecodeQsgd(BitReader& reader, MutableUpdateView out);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_QSGD_QUANTIZER_H_
