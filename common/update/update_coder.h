// A whole update into the byte string that its plan asks for, and back: what update_frame.h puts into a payload.
// Chooses between common/rdu (codec 6) and common/quantize (codec 7).
//
// Pure functions; thread-safe. Strings are decoded to the same values on every machine.
#ifndef THINWIRE_COMMON_UPDATE_UPDATE_CODER_H_
#define THINWIRE_COMMON_UPDATE_UPDATE_CODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/codec/codec_spec.h"
#include "common/codec/update_plan.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// A model's trainable tensors, as both ends of a coded update see them: those that have values, in the model's order.
// Immutable.
class UpdateLayout {
 public:
  struct Tensor {
    uint32_t index = 0;  // in the model
    uint64_t first = 0;  // position of its first value among all trainable ones
    uint64_t count = 0;
    std::string name;
    std::vector<uint64_t> dimensions;
  };

  explicit UpdateLayout(const ModelSpec& model);
  const std::vector<Tensor>& tensors() const { return tensors_; }
  uint64_t size() const { return size_; }  // values

 private:
  std::vector<Tensor> tensors_;
  uint64_t size_ = 0;
};

// The best string of at most `most_bytes`; the plan as it is in the first round (UpdatePlan::AtRound). `values` are all
// of the layout's; `seed` is that of random rounding and rotation. Where a quantiser has nothing that small for these
// values, the update of zeros. INVALID_ARGUMENT, naming the tensor, for NaN, infinity and values beyond 2^96; and for
// fewer bytes than LeastUpdateBytes. Memory: that of the encoder (update_codec.h, quantizer.h).
absl::StatusOr<std::string> CodeUpdate(const UpdatePlan& plan, const UpdateLayout& layout,
                                       absl::Span<const float> values, uint64_t most_bytes, uint64_t seed);

// The same for error feedback, which needs a contractive codec: if what CodeUpdate's string decodes to were further
// from the values than zeros are (uniform levels can be too few for the range of what is kept), the update of zeros.
// The sum of squared errors is then never above that of the squared values. Decodes once more.
absl::StatusOr<std::string> CodeContractiveUpdate(const UpdatePlan& plan, const UpdateLayout& layout,
                                                  absl::Span<const float> values, uint64_t most_bytes, uint64_t seed);

// Bytes of the shortest string that CodeUpdate makes for some values of the layout.
uint64_t LeastUpdateBytes(const UpdatePlan& plan, const UpdateLayout& layout);

// Decodes a string of `codec`, kRdu or kQuantized, and visits each tensor once, in any order; the values are finite and
// the visitor's to change. Stops at the visitor's first error.
// INVALID_ARGUMENT for malformed bytes, UNIMPLEMENTED for an unknown version or quantiser: with kRdu, bytes left over
// are told after the last visit. Memory: with kRdu one tensor and what update_codec.h says; else all values.
using UpdateVisitor = absl::FunctionRef<absl::Status(const UpdateLayout::Tensor& tensor, absl::Span<float> values)>;
absl::Status DecodeUpdateString(CodecId codec, absl::string_view bytes, const UpdateLayout& layout,
                                UpdateVisitor visit);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_UPDATE_UPDATE_CODER_H_
