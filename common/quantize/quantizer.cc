#include "common/quantize/quantizer.h"

#include "common/base/status_macros.h"
#include "common/quantize/bit_stream.h"
#include "common/quantize/qsgd_quantizer.h"
#include "common/quantize/rotated_quantizer.h"
#include "common/quantize/sign_quantizer.h"
#include "common/quantize/top_k_quantizer.h"
#include "common/quantize/update_header.h"

namespace thinwire {

absl::StatusOr<std::string> QuantizeUpdate(const QuantizerSpec& spec, UpdateView update, const EncodeOptions& options) {
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
