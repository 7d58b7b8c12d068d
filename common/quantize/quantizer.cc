#include "common/quantize/quantizer.h"

#include <numeric>

#include "common/base/status_macros.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/qsgd_quantizer.h"
#include "common/quantize/rotated_quantizer.h"
#include "common/quantize/sign_quantizer.h"
#include "common/quantize/top_k_quantizer.h"
#include "common/quantize/update_header.h"

namespace thinwire {

absl::StatusOr<std::string> QuantizeUpdate(const QuantizerSpec& spec, UpdateView update,
                                           const QuantizeOptions& options) {
  TW_RETURN_IF_ERROR(spec.Validate());
  TW_RETURN_IF_ERROR(CheckQuantizable(update));
  switch (spec.method) {
    case QuantizerMethod::kSign:
      return EncodeSign(spec, update, options);
    case QuantizerMethod::kQsgd:
      return EncodeQsgd(spec, update, options);
    case QuantizerMethod::kRotated:
      return EncodeRotated(spec, update, options);
    default:
      return EncodeTopK(spec, update, options);
  }
}

uint64_t LeastQuantizedBytes(const QuantizerSpec& spec, absl::Span<const uint64_t> sizes) {
  const uint64_t values = std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
  const uint64_t header = 2 + static_cast<uint64_t>(VarintBits(sizes.size()) + VarintBits(values)) / 8;
  switch (spec.method) {
    case QuantizerMethod::kSign:
      return header + SignBytes(sizes.size(), values);
    case QuantizerMethod::kQsgd:
      return header + LeastQsgdBytes(spec, sizes);
    case QuantizerMethod::kRotated:
      return header + LeastRotatedBytes(spec, values);
    default:
      return header + kTopKParameterBytes;
  }
}

absl::Status DequantizeUpdate(absl::string_view bytes, MutableUpdateView out) {
  BitReader reader(bytes);
  TW_ASSIGN_OR_RETURN(const QuantizerMethod method, ReadUpdateHeader(reader, out));
  switch (method) {
    case QuantizerMethod::kSign:
      return DecodeSign(reader, out);
    case QuantizerMethod::kQsgd:
      return DecodeQsgd(reader, out);
    case QuantizerMethod::kRotated:
      return DecodeRotated(reader, out);
    default:
      return DecodeTopK(reader, out);
  }
}

}  // namespace thinwire
